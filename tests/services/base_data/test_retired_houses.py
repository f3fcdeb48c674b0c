"""What a retired house still is to bills, money and its owners."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from domain.errors import Conflict, NotFound
from domain.house_roles import PersonRole
from domain.payment_states import PaymentChannel, PayWay
from domain.periods import calendar_month
from domain.shares import ShareBy
from services.base_data.changes import RetireBlocked
from services.bills.freshness import BatchStale
from services.fees.pools import NewPool
from services.meters.register import NewMeter
from services.payments.money_in import MoneyIn
from services.payments.order_rows import HowToPay
from services.people.applications import WantedBinding
from services.people.invitations import Invited
from services.people.part_rows import NewPart
from services.people.transfer_rows import Buyer
from services.people.transfers import TransferPlan
from services.retirement import HouseRetired
from tests import factories

NOVEMBER, DECEMBER = date(2026, 11, 1), date(2026, 12, 1)
WHOLE_FEN = 21002
"""89.37 ㎡ at 2.35 yuan."""
HALF_FEN = 10501
"""15 of the 30 days of November."""


@pytest.fixture
def in_january(clock):
    """By when the last months of the year may be billed."""

    def in_january():
        clock.set(datetime(2027, 1, 4, 2, 0, tzinfo=UTC))

    return in_january


@pytest.fixture
def neighbour(database, house):
    with database.session() as session:
        building = session.get_one(factories.Building, house.building_id)
        return factories.make_house(session, building=building)


@pytest.mark.usefixtures("item", "neighbour")
class TestBillRuns:
    def test_the_last_period_counts_the_days_until_then_and_no_later_one_anything(
        self, retire, run_month, in_january
    ):
        retire()
        in_january()

        assert run_month(NOVEMBER)[1] == [(NOVEMBER, HALF_FEN)]
        assert run_month(DECEMBER)[1] == []

    def test_a_house_that_is_kept_owes_both(self, run_month, in_january):
        in_january()

        assert run_month(NOVEMBER)[1] == [(NOVEMBER, WHOLE_FEN)]
        assert run_month(DECEMBER)[1] == [(DECEMBER, WHOLE_FEN)]

    def test_its_neighbour_goes_on_paying(self, retire, run_month, in_january, database, neighbour):
        retire()
        in_january()
        batch_id, _ = run_month(DECEMBER)

        assert database.rows(
            "SELECT house_id, amount_fen FROM bill WHERE batch_id = :id", id=batch_id
        ) == [{"house_id": neighbour.id, "amount_fen": WHOLE_FEN}]

    def test_taken_back_it_owes_as_before(
        self, services, manager, house, retire, run_month, in_january
    ):
        retire()
        services.house_register.restore(actor=manager, house_id=house.id, reason="弄错了")
        in_january()

        assert run_month(NOVEMBER)[1] == [(NOVEMBER, WHOLE_FEN)]

    def test_without_a_handover_date_it_is_no_exception_either(
        self, retire, run_month, database, edit, in_january
    ):
        edit({"handover_date": None}, {"handover_date": "2020-01-01"})
        retire()
        in_january()
        run_month(DECEMBER)

        assert database.value("SELECT count(*) FROM bill_exception") == 0

    def test_bills_under_review_are_found_stale(self, services, retire, run_month, database):
        batch_id, made = run_month(date(2026, 10, 1))
        assert made == [(date(2026, 10, 1), WHOLE_FEN)]
        retire(date(2026, 10, 16))
        with database.session() as session:
            reviewer = factories.staff(session)
        for one in services.bill_findings.list_findings(actor=reviewer, batch_id=batch_id):
            services.bill_findings.tick(
                actor=reviewer,
                batch_id=batch_id,
                kind=one.kind,
                fee_item_id=one.fee_item_id,
                row_count=one.row_count,
            )

        with pytest.raises(BatchStale):
            services.batches.approve(actor=reviewer, batch_id=batch_id)


class TestOtherItems:
    def test_in_advance_nothing_is_billed_from_that_day_on(
        self, database, house, retire, run_month
    ):
        with database.session() as session:
            community = session.get_one(factories.Community, house.community_id)
            factories.make_item(session, community=community, billing_timing="in_advance")
        retire()

        assert run_month(NOVEMBER)[1] == [(NOVEMBER, HALF_FEN)]
        assert run_month(DECEMBER)[1] == []

    def test_it_bears_no_share_of_what_came_after(
        self, services, database, manager, house, retire, run_month, neighbour, in_january
    ):
        with database.session() as session:
            community = session.get_one(factories.Community, house.community_id)
            item = factories.make_item(
                session,
                community=community,
                charge_method="share",
                price=None,
                billing_timing="in_arrears",
            )
        retire()
        in_january()
        for month in (NOVEMBER, DECEMBER):
            services.share_pools.add(
                actor=manager,
                community_id=house.community_id,
                fee_item_id=item.id,
                month=month,
                pool=NewPool(ShareBy.HOUSEHOLD, amount_fen=1000),
            )

        assert run_month(NOVEMBER)[1] == [(NOVEMBER, 500)]
        batch_id, made = run_month(DECEMBER)
        assert made == []
        assert (
            database.value("SELECT sum(amount_fen) FROM bill WHERE batch_id = :id", id=batch_id)
            == 1000
        )

    def test_a_formula_counts_the_households_that_are_left(
        self, database, house, retire, run_month, neighbour, in_january
    ):
        with database.session() as session:
            community = session.get_one(factories.Community, house.community_id)
            item = factories.make_item(
                session,
                community=community,
                charge_method="formula",
                price=None,
                billing_timing="in_arrears",
            )
            session.add(
                factories.FeeStandard(
                    fee_item_id=item.id,
                    formula="1200 / households",
                    priced_from=item.starts_on,
                )
            )
        retire()
        in_january()
        run_month(NOVEMBER)
        batch_id, _ = run_month(DECEMBER)

        assert database.rows(
            "SELECT house_id, amount_fen FROM bill WHERE batch_id = :id", id=batch_id
        ) == [{"house_id": neighbour.id, "amount_fen": 120_000}]

    def test_a_charge_of_a_later_day_is_not_billed_however_it_came_on_file(
        self, database, house, retire, run_month, in_january
    ):
        with database.session() as session:
            community = session.get_one(factories.Community, house.community_id)
            item = factories.make_item(
                session, community=community, charge_method="one_off", price=None
            )
        retire()
        for day in (15, 16):
            database.do(
                "INSERT INTO one_off_charge (community_id, house_id, fee_item_id, charged_on,"
                " sequence, amount_fen, source_document, created_at)"
                " VALUES (:community_id, :house_id, :item_id, :day, 1, 500, '收据', now())",
                community_id=house.community_id,
                house_id=house.id,
                item_id=item.id,
                day=date(2026, 11, day),
            )
        in_january()

        assert run_month(NOVEMBER)[1] == [(date(2026, 11, 15), 500)]


class TestBlocks:
    """Each is on file alone; nothing else refuses the retirement."""

    def test_money_that_is_held(self, services, database, house, retire, on_file):
        with database.session() as session:
            cashier = factories.staff(session, role="cashier")
        money = MoneyIn(PaymentChannel.CASH, 5000, "王五")
        services.deposits.take(
            actor=cashier,
            community_id=house.community_id,
            house_id=house.id,
            name="装修押金",
            money=money,
            client_key="k" * 16,
        )
        services.counter.take(
            actor=cashier,
            community_id=house.community_id,
            house_id=house.id,
            money=money,
            client_key="l" * 16,
        )

        with pytest.raises(RetireBlocked) as refusal:
            retire()

        assert refusal.value.message == "不能停用：预存余额 ¥50.00、未退押金 1 笔共 ¥50.00"
        assert on_file()["retired_on"] is None

    def test_an_order_that_is_open(self, services, database, house, retire, on_file, clock):
        clock.reset()  # The simulator takes no order that ended weeks ago.
        with database.session() as session:
            owner = factories.make_owner(session, house=session.merge(house))
            account = factories.make_account(session, owner=owner, houses=[house])
            payer = factories.owner(account)
        started = services.payments.start(
            actor=payer,
            bill_ids=[],
            topup_fen=5000,
            topup_house_id=house.id,
            idempotency_key="k" * 16,
            how=HowToPay(PayWay.NATIVE),
        )

        with pytest.raises(RetireBlocked, match="进行中的支付 1 笔"):
            retire()
        assert on_file()["retired_on"] is None

        services.payments.cancel(actor=payer, payment_id=started.payment.id)
        retire()

    def test_a_charge_of_a_later_day(self, services, database, manager, house, retire):
        with database.session() as session:
            community = session.get_one(factories.Community, house.community_id)
            item = factories.make_item(
                session, community=community, charge_method="one_off", price=None
            )
        add = {
            "actor": manager,
            "community_id": house.community_id,
            "house_id": house.id,
            "fee_item_id": item.id,
            "amount_fen": 100,
            "source_document": "收据",
        }
        charge_id = services.one_offs.add(charged_on=date(2026, 11, 20), **add)
        services.one_offs.add(charged_on=date(2026, 11, 3), **add)

        with pytest.raises(RetireBlocked, match="临时收费 1 笔"):
            retire()
        services.one_offs.cancel(actor=manager, charge_id=charge_id, reason="x")
        retire()

        with pytest.raises(HouseRetired):
            services.one_offs.add(charged_on=date(2026, 11, 20), **add)


class TestAfterwards:
    def test_nothing_new_is_kept_or_registered(self, services, database, manager, house, retire):
        retire()
        with database.session() as session:
            cashier = factories.staff(session, role="cashier")
            owner = factories.make_owner(session, house=session.merge(house))
            account = factories.make_account(session, owner=owner, houses=[house])
        place = {"community_id": house.community_id, "house_id": house.id}
        money = {"money": MoneyIn(PaymentChannel.CASH, 5000, "王五"), "client_key": "k" * 16}

        for work in (
            lambda: services.deposits.take(actor=cashier, name="押金", **place, **money),
            lambda: services.counter.take(actor=cashier, **place, **money),
            lambda: services.payments.start(
                actor=factories.owner(account),
                bill_ids=[],
                topup_fen=5000,
                topup_house_id=house.id,
                idempotency_key="k" * 16,
                how=HowToPay(PayWay.NATIVE),
            ),
            lambda: services.meter_register.register(
                actor=manager,
                community_id=house.community_id,
                meter=NewMeter(
                    meter_no="W1",
                    opening_reading=Decimal(0),
                    kind="cold_water",
                    opened_on=date(2026, 11, 1),
                    house_id=house.id,
                ),
            ),
        ):
            with pytest.raises(HouseRetired):
                work()

        assert database.value("SELECT count(*) FROM payment") == 0
        assert database.value("SELECT count(*) FROM payment_order") == 0

    def test_retired_while_money_is_being_kept_for_it(
        self, services, database, house, retire, together
    ):
        with database.session() as session:
            cashier = factories.staff(session, role="cashier")
        place = {"community_id": house.community_id, "house_id": house.id}

        def keep():
            services.counter.take(
                actor=cashier,
                money=MoneyIn(PaymentChannel.CASH, 5000, "王五"),
                client_key="k" * 16,
                **place,
            )

        results = together(keep, retire)

        assert results.count(None) == 1
        assert [one for one in results if isinstance(one, HouseRetired | RetireBlocked)]
        is_retired = database.value("SELECT retired_on FROM house") is not None
        held_fen = database.value("SELECT coalesce(sum(balance_fen), 0) FROM prepaid_account")
        assert is_retired == (held_fen == 0)

    def test_its_owner_still_sees_what_was_paid(self, services, database, house, retire):
        with database.session() as session:
            owner = factories.make_owner(session, house=session.merge(house))
            account = factories.make_account(session, owner=owner, houses=[house])
            paid = factories.make_bill(
                session, house=session.merge(house), state="paid", paid_fen=WHOLE_FEN
            )
        actor = factories.owner(account)
        retire()

        assert [one.id for one in services.estate.list_own_houses(actor=actor)] == [house.id]
        assert services.own_bills.show(actor=actor, bill_id=paid.id).bill.amount_fen == WHOLE_FEN
        database.empty()


def test_every_refusal_of_these_is_a_conflict():
    assert issubclass(HouseRetired, Conflict)
    assert issubclass(RetireBlocked, Conflict)
    assert calendar_month(NOVEMBER).ends_before == DECEMBER


class TestPeople:
    """Nobody moves into, buys or is bound to a house that is no more; whoever is there may go."""

    @pytest.fixture
    def owner(self, database, house):
        with database.session() as session:
            row = session.get_one(factories.House, house.id)
            owner = factories.make_owner(session, house=row)
            account = factories.make_account(session, owner=owner, houses=[row])
            return factories.owner(account)

    def test_nobody_new(self, services, manager, house, owner, retire, database):
        with database.session() as session:
            row = session.get_one(factories.House, house.id)
            other = factories.make_owner(session, community_id=row.community_id)
            guest = factories.owner(factories.make_account(session))
            code = session.get_one(factories.Community, row.community_id).code
        application_id = services.binding_applications.apply(
            actor=guest, wanted=WantedBinding(code, "3栋1单元502", "王", "family", "证")
        )
        seen = services.transfers.preview(
            actor=manager, house_id=house.id, cut_on=date(2026, 10, 15)
        )
        retire()

        for refused in (
            lambda: services.house_people.add(
                actor=manager,
                house_id=house.id,
                part=NewPart(other.id, PersonRole.FAMILY),
                reason="x",
            ),
            lambda: services.transfers.carry_out(
                actor=manager,
                plan=TransferPlan(house.id, date(2026, 10, 15), [Buyer(name="赵买")], seen.version),
                reason="x",
                client_key="transfer-0001",
            ),
            lambda: services.binding_applications.approve(
                actor=manager, application_id=application_id, reason="x"
            ),
            lambda: services.invitations.invite(
                actor=owner, house_id=house.id, invited=Invited("13600000001", "家人", "family")
            ),
        ):
            with pytest.raises(HouseRetired):
                refused()

    def test_whoever_is_there_may_go(self, services, manager, house, owner, retire, database):
        retire()
        person_id = database.value("SELECT id FROM house_person")

        services.house_people.end(
            actor=manager, person_id=person_id, until=date(2026, 11, 1), reason="合并"
        )

        assert database.value("SELECT person_until FROM house_person") == date(2026, 11, 1)

    def test_its_door_gets_no_code(self, services, manager, house, retire):
        retire()

        with pytest.raises(NotFound):
            services.pay_codes.make(
                actor=manager, community_id=house.community_id, house_id=house.id
            )
