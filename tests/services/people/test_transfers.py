from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from domain.actors import DataScope, Permission, visitor
from domain.errors import InvalidInput, NotAllowed, NotFound, NotSignedIn
from domain.payment_states import PaymentChannel
from domain.periods import local_date
from domain.transfers import PrepaidChoice, SharesDoNotAddUp, UnpaidChoice
from services.approvals.requests import Payout, RequestPending
from services.bills.own_bills import BillFilter
from services.keys import KeyUsedForOther
from services.payments.money_in import MoneyIn
from services.people.phones import PhoneProof
from services.people.transfer_records import TransferHasConsequences
from services.people.transfer_rows import Buyer
from services.people.transfers import NobodySells, TransferOutdated, TransferPlan
from services.sign_in_attempts import Visit
from services.transfer_debts import mark_late_bills
from tests import factories
from tests.factories import actor_without

PHONE = "18800000001"
HOME = Visit("10.0.0.1")
BUYER = Buyer(name="赵买", phone=PHONE)
CUT = date(2026, 10, 15)
PAYOUT = Payout("cash", "王小明", "19900000001")


@pytest.fixture
def bills(database, place):
    """September (open), October (open, covers the cut day), November (after it)."""
    with database.session() as session:
        house = session.get_one(factories.House, place.house_id)
        community = session.get_one(factories.Community, house.community_id)
        item = factories.make_item(session, community=community)
        return [
            factories.make_bill(
                session,
                house=house,
                item=item,
                lines=(amount_fen,),
                period_from=date(2026, month, 1),
                period_until=date(2026, month + 1, 1),
                **more,
            ).id
            for month, amount_fen, more in (
                (8, 700, {"state": "pending_review", "published_at": None}),
                (9, 900, {}),
                (10, 21002, {}),
                (11, 1100, {}),
            )
        ][1:]


@pytest.fixture
def plan(services, place):
    """A plan with the version of a fresh preview."""

    def plan(*buyers, cut_on=CUT, **more):
        seen = services.transfers.preview(actor=place.clerk, house_id=place.house_id, cut_on=cut_on)
        return TransferPlan(place.house_id, cut_on, buyers or (BUYER,), seen.version, **more)

    return plan


@pytest.fixture
def carry_out(services, place, plan):
    def carry_out(*buyers, key="key-00000001", actor=None, given=None, reason="买卖", **more):
        return services.transfers.carry_out(
            actor=actor or place.clerk,
            plan=given or plan(*buyers, **more),
            reason=reason,
            client_key=key,
        )

    return carry_out


@pytest.fixture
def seen_by(services):
    """Ids of the bills that an owner sees."""
    return lambda actor: {
        bill.id
        for bill in services.own_bills.list_own(
            actor=actor, which=BillFilter.ALL, house_id=None, before_id=None, limit=50
        )
    }


@pytest.fixture
def parts(database):
    return lambda: [
        (row["name"], row["role"], row["person_until"])
        for row in database.rows(
            "SELECT name, role, person_until FROM house_person"
            " JOIN owner ON owner.id = owner_id ORDER BY house_person.id"
        )
    ]


class TestPreview:
    def test_tells_what_there_is(self, services, place, bills, database):
        database.do(
            "INSERT INTO prepaid_account (community_id, house_id, balance_fen)"
            " SELECT community_id, id, 0 FROM house"
        )

        seen = services.transfers.preview(actor=place.clerk, house_id=place.house_id, cut_on=CUT)

        assert seen.house == "3栋1单元502"
        assert [seller.name for seller in seen.sellers] == ["王小明"]
        assert [bill.id for bill in seen.bills] == bills[:2]
        assert seen.bills[0].parting is None
        assert (seen.bills[1].parting.seller_fen, seen.bills[1].parting.buyer_fen) == (9485, 11517)
        assert (seen.open_fen, seen.prepaid_fen, seen.binding_count) == (21902, 0, 1)
        assert seen.warnings == ()

    def test_writes_nothing(self, services, place, bills, audit, parts):
        before = parts(), audit()

        services.transfers.preview(actor=place.clerk, house_id=place.house_id, cut_on=CUT)

        assert (parts(), audit()) == before

    def test_a_day_to_come(self, services, place, clock):
        tomorrow = local_date(clock.now()) + timedelta(days=1)

        with pytest.raises(InvalidInput):
            services.transfers.preview(actor=place.clerk, house_id=place.house_id, cut_on=tomorrow)

    def test_a_house_without_owners(self, services, place, database):
        database.do("UPDATE house_person SET role = 'contact'")

        with pytest.raises(NobodySells):
            services.transfers.preview(actor=place.clerk, house_id=place.house_id, cut_on=CUT)

    def test_out_of_scope_is_not_there(self, services, place, database, carry_out, plan):
        given = plan()
        with database.session() as session:
            far = factories.staff(
                session, role="customer_service", scope=DataScope(frozenset({404}))
            )

        for refused in (
            lambda: services.transfers.preview(actor=far, house_id=place.house_id, cut_on=CUT),
            lambda: services.transfer_records.list_transfers(actor=far, house_id=place.house_id),
            lambda: carry_out(given=given, actor=far),
        ):
            with pytest.raises(NotFound):
                refused()


class TestOwnership:
    def test_the_buyers_own_from_the_cut_day(self, carry_out, parts, audit, place):
        carry_out(
            replace(BUYER, share_ratio=Decimal("0.6")),
            Buyer(name="钱买", share_ratio=Decimal("0.4")),
        )

        assert parts() == [
            ("王小明", "title_holder", CUT),
            ("赵买", "title_holder", None),
            ("钱买", "co_owner", None),
        ]
        [facts] = audit("house_transferred")
        assert facts["before"] == {"owners": ["王小明"]}
        assert facts["after"]["owners"] == ["赵买 188****0001", "钱买"]
        assert facts["reason"] == "买卖"

    def test_a_new_buyer_is_told_by_sms(self, carry_out, database):
        carry_out()

        [message] = database.rows("SELECT * FROM outbox_message WHERE kind = 'house_registered'")
        assert message["recipient"] == PHONE

    def test_a_buyer_with_an_account_is_bound(self, carry_out, sign_up, services, place, database):
        buyer = sign_up(PHONE)

        carry_out()

        [house] = services.estate.list_own_houses(actor=buyer)
        assert (house.id, house.role) == (place.house_id, "owner")
        assert not database.value("SELECT count(*) FROM outbox_message")

    def test_a_phone_on_file_is_the_owner_who_has_it(self, carry_out, database, place, parts):
        with database.session() as session:
            factories.make_owner(session, community_id=place.community_id, name="赵某", phone=PHONE)

        carry_out()

        assert parts()[1][0] == "赵某"

    def test_a_phone_of_another_community_is_somebody_else(self, carry_out, database, parts):
        with database.session() as session:
            factories.make_owner(session, name="别人", phone=PHONE)

        carry_out()

        assert parts()[1][0] == "赵买"

    def test_sellers_lose_binding_and_sessions(
        self, carry_out, services, place, database, bindings
    ):
        with database.session() as session:
            account = session.get_one(factories.Account, place.account_id)
            token = factories.make_session(session, account=account)

        carry_out()

        assert bindings()[0][3:] == ("revoked", "transfer")
        with pytest.raises(NotSignedIn):
            services.login.authenticate(token=token)

    def test_a_seller_is_not_bound_again_by_the_phone(self, carry_out, services, place, last_code):
        carry_out()

        services.login.request_code(actor=visitor(), phone=place.phone, visit=HOME)
        signed_in = services.login.sign_in_by_code(
            actor=visitor(), phone=place.phone, code=last_code(place.phone), visit=HOME
        )

        assert signed_in.house_count == 0

    def test_a_tenant_goes_unless_kept(self, carry_out, database, place, parts, plan):
        with database.session() as session:
            house = session.get_one(factories.House, place.house_id)
            gone, kept = (
                factories.make_owner(session, house=house, role="tenant") for _ in range(2)
            )
            for tenant in (gone, kept):
                factories.make_account(session, owner=tenant, houses=[house], binding_role="tenant")

        carry_out(given=plan(kept_owner_ids=[kept.id]))

        assert [until for _, role, until in parts() if role == "tenant"] == [CUT, None]
        assert database.rows(
            "SELECT status FROM house_binding WHERE role = 'tenant' ORDER BY id"
        ) == [{"status": "revoked"}, {"status": "active"}]

    def test_a_co_owner_who_takes_the_whole_stays_bound(
        self, carry_out, place, parts, bindings, services
    ):
        carry_out(Buyer(owner_id=place.owner_id), BUYER)

        assert parts() == [
            ("王小明", "title_holder", CUT),
            ("王小明", "title_holder", None),
            ("赵买", "co_owner", None),
        ]
        assert bindings()[0][3] == "active"

    def test_family_that_buys_becomes_an_owner(self, carry_out, place, sign_up, services, database):
        son = sign_up(PHONE)
        with database.session() as session:
            house = session.get_one(factories.House, place.house_id)
            person = factories.make_owner(
                session, house=house, role="family", phone=PHONE, person_from=date(2026, 1, 1)
            )

        carry_out(Buyer(owner_id=person.id))

        [house] = services.estate.list_own_houses(actor=son)
        assert house.role == "owner"

    @pytest.mark.parametrize(
        ("buyers", "error"),
        [
            ([Buyer(name="")], InvalidInput),
            ([Buyer(name="长" * 100)], InvalidInput),
            ([Buyer(name="赵", phone="12")], InvalidInput),
            ([Buyer(owner_id=404)], NotFound),
            ([BUYER, BUYER], InvalidInput),
            ([Buyer(name="赵", share_ratio=Decimal("0.5"))], SharesDoNotAddUp),
            ([Buyer(name="赵", share_ratio=Decimal(0))], InvalidInput),
            ([Buyer(name="赵")] * 21, InvalidInput),
        ],
    )
    def test_buyers_that_cannot_be(self, carry_out, parts, buyers, error):
        with pytest.raises(error):
            carry_out(*buyers)

        assert len(parts()) == 1

    def test_a_buyer_of_another_community_is_not_there(self, carry_out, database):
        with database.session() as session:
            stranger = factories.make_owner(session)

        with pytest.raises(NotFound):
            carry_out(Buyer(owner_id=stranger.id))

    def test_not_before_the_seller_owned(self, carry_out):
        with pytest.raises(InvalidInput) as refusal:
            carry_out(cut_on=factories.LONG_AGO)

        assert "cut_on" in refusal.value.fields

    def test_only_with_a_reason(self, carry_out):
        with pytest.raises(InvalidInput):
            carry_out(reason=" ")


class TestOnce:
    def test_a_second_click_is_the_same_transfer(self, carry_out, plan, database):
        given = plan()

        assert carry_out(given=given) == carry_out(given=given)
        assert database.value("SELECT count(*) FROM house_transfer") == 1

    def test_the_key_is_for_one_plan(self, carry_out, plan):
        given = plan()
        carry_out(given=given)

        with pytest.raises(KeyUsedForOther):
            carry_out(given=replace(given, cut_on=date(2026, 10, 16)))

    def test_a_plan_of_before_is_outdated(self, carry_out, plan):
        given = plan()
        carry_out(given=given)

        with pytest.raises(TransferOutdated):
            carry_out(given=given, key="key-00000002")

    def test_people_who_came_meanwhile_make_it_outdated(
        self, carry_out, plan, database, place, services
    ):
        given = plan()
        with database.session() as session:
            house = session.get_one(factories.House, place.house_id)
            factories.make_owner(session, house=house, role="tenant")

        with pytest.raises(TransferOutdated):
            carry_out(given=given)


class TestBills:
    def test_open_ones_of_before_stay_the_sellers(self, carry_out, bills, place, sign_up, seen_by):
        september, october, november = bills
        buyer = sign_up(PHONE)

        carry_out()

        assert seen_by(place.owner) == {september, october}
        assert seen_by(buyer) == {november}

    def test_or_are_the_buyers_by_choice(self, carry_out, bills, place, sign_up, seen_by):
        buyer = sign_up(PHONE)

        carry_out(unpaid=UnpaidChoice.BUYER)

        assert seen_by(place.owner) == set()
        assert seen_by(buyer) == set(bills)

    def test_they_open_to_nobody_once_the_seller_closed_their_account(
        self, carry_out, bills, place, seen_by, database
    ):
        carry_out()
        assert seen_by(place.owner)

        database.do("UPDATE owner_phone SET opens_houses = false")

        assert not seen_by(place.owner)

    def test_what_the_seller_paid_is_not_the_buyers_to_see(
        self, carry_out, bills, sign_up, seen_by, database
    ):
        september = bills[0]
        database.do(
            "UPDATE bill SET state = 'paid', paid_fen = amount_fen WHERE id = :id", id=september
        )
        buyer = sign_up(PHONE)

        carry_out()

        assert september not in seen_by(buyer)
        database.do(
            "UPDATE bill SET state = 'published', paid_fen = 0 WHERE id = :id", id=september
        )

    def test_nor_where_the_buyer_assumed_what_was_open(
        self, carry_out, bills, place, sign_up, seen_by, services, database
    ):
        buyer = sign_up(PHONE)
        services.counter.take(
            actor=place.cashier,
            community_id=place.community_id,
            house_id=place.house_id,
            money=MoneyIn(PaymentChannel.CASH, 900, "王小明"),
            client_key="pay-september-01",
        )
        assert database.value("SELECT state FROM bill WHERE id = :id", id=bills[0]) == "paid"

        carry_out(unpaid=UnpaidChoice.BUYER)

        assert seen_by(buyer) == set(bills[1:])

    def test_the_buyers_statement_begins_with_their_day_and_bills(
        self, carry_out, bills, place, sign_up, services, today
    ):
        buyer = sign_up(PHONE)
        days = {"from_on": date(2025, 1, 1), "until_on": today()}
        before = services.statements.show_own(actor=place.owner, house_id=place.house_id, **days)
        carry_out()

        [owed] = (
            own := services.statements.show_own(actor=buyer, house_id=place.house_id, **days)
        ).accounts

        assert before.accounts[0].closing_fen == 900 + 21002 + 1100
        assert (own.from_on, owed.closing_fen) == (CUT, 1100)
        with pytest.raises(InvalidInput) as refusal:
            services.statements.show_own(
                actor=buyer,
                house_id=place.house_id,
                from_on=date(2025, 1, 1),
                until_on=CUT - timedelta(days=1),
            )
        assert str(CUT) in refusal.value.fields["until"][0]
        whole = services.statements.show(
            actor=place.cashier, community_id=place.community_id, house="3栋1单元502", **days
        )
        assert (whole.from_on, whole.accounts) == (days["from_on"], before.accounts)

    def test_the_statement_parts_what_covers_the_day(self, carry_out, bills, services, place):
        carry_out()

        [view] = services.transfer_records.list_transfers(
            actor=place.cashier, house_id=place.house_id
        )
        [share] = view.shares
        assert share.bill_id == bills[1]
        assert (share.seller_days, share.buyer_days) == (14, 17)
        assert share.seller_fen + share.buyer_fen == share.amount_fen == 21002
        assert view.debt_bill_ids == tuple(bills[:2])
        assert (view.sellers, view.buyers) == (("王小明",), ("赵买",))

    def test_a_seller_who_changes_the_phone_keeps_the_debt(
        self, carry_out, bills, services, place, sign_up, seen_by
    ):
        carry_out()
        again = sign_up("18800000009")
        services.owner_phones.change(
            actor=place.clerk,
            owner_id=place.owner_id,
            phone_id=None,
            new_phone="18800000009",
            proof=PhoneProof(paper="身份证"),
            reason="换号",
            visit=HOME,
        )

        assert seen_by(again) == set(bills[:2])
        assert seen_by(place.owner) == set()

    def test_drafts_of_before_become_the_sellers_when_published(
        self, carry_out, bills, place, sign_up, seen_by, database, services
    ):
        buyer = sign_up(PHONE)
        carry_out()

        database.do(
            "UPDATE bill SET state = 'published', published_at = now() WHERE amount_fen = 700"
        )
        [august] = database.rows("SELECT id, batch_id FROM bill WHERE amount_fen = 700")
        services.outbox.unit_of_work.run(lambda tx: mark_late_bills(tx, august["batch_id"]))

        assert august["id"] in seen_by(place.owner)
        assert august["id"] not in seen_by(buyer)

    def test_a_second_sale_leaves_the_first_debt_where_it_is(
        self, carry_out, bills, place, sign_up, seen_by
    ):
        middle, last = sign_up(PHONE), sign_up("18800000002")
        carry_out()

        carry_out(
            Buyer(name="孙买", phone="18800000002"), cut_on=date(2026, 11, 10), key="key-00000002"
        )

        assert seen_by(place.owner) == set(bills[:2])
        assert seen_by(middle) == {bills[2]}
        assert seen_by(last) == set()

    def test_nobody_else_sees_them(self, carry_out, bills, sign_up, seen_by):
        carry_out()

        assert seen_by(sign_up("18800000005")) == set()


class TestPrepaid:
    @pytest.fixture
    def fill_prepaid(self, services, place, database):
        """Take money over the counter for nothing that is due; return the prepaid account."""

        def fill_prepaid(amount_fen, key="counter-0001"):
            services.counter.take(
                actor=place.cashier,
                community_id=place.community_id,
                house_id=place.house_id,
                money=MoneyIn(
                    channel=PaymentChannel.CASH, amount_fen=amount_fen, payer_name="王小明"
                ),
                named_bill_ids=(),
                client_key=key,
            )
            return database.value("SELECT id FROM prepaid_account")

        return fill_prepaid

    def test_stays_with_the_house(self, carry_out, database):
        carry_out()

        assert database.value("SELECT count(*) FROM approval_request") == 0

    def test_goes_back_by_a_request_that_somebody_decides(
        self, carry_out, database, place, fill_prepaid, services
    ):
        account_id = fill_prepaid(5000)

        carry_out(prepaid=PrepaidChoice.REFUND, payout=PAYOUT)

        [request] = database.rows("SELECT * FROM approval_request")
        assert (request["kind"], request["amount_fen"], request["state"]) == (
            "prepaid_refund",
            5000,
            "requested",
        )
        assert (
            database.value("SELECT balance_fen FROM prepaid_account WHERE id = :id", id=account_id)
            == 5000
        )
        services.money_decisions.approve(actor=place.manager, request_id=request["id"])
        assert database.value("SELECT balance_fen FROM prepaid_account") == 0

    def test_a_buyer_sees_the_balance_and_not_how_it_came_about(
        self, carry_out, place, fill_prepaid, services, sign_up, clock
    ):
        buyer, now = sign_up(PHONE), clock.now()
        clock.set(datetime(2026, 10, 1, tzinfo=UTC))
        fill_prepaid(5000)
        clock.set(now)
        [before] = services.prepaid.list_own(actor=place.owner)
        assert len(before.entries) == 1

        carry_out()

        [account] = services.prepaid.list_own(actor=buyer)
        assert (account.balance_fen, account.entries) == (5000, ())
        fill_prepaid(700, "counter-0002")
        [account] = services.prepaid.list_own(actor=buyer)
        assert [entry.amount_fen for entry in account.entries] == [700]

    def test_a_request_that_waits_already(self, carry_out, place, fill_prepaid, services, parts):
        account_id = fill_prepaid(5000)
        services.money_requests.request_prepaid_refund(
            actor=place.clerk, account_id=account_id, amount_fen=1, payout=PAYOUT, reason="x"
        )

        with pytest.raises(RequestPending):
            carry_out(prepaid=PrepaidChoice.REFUND, payout=PAYOUT)
        assert len(parts()) == 1

    def test_not_to_nobody(self, carry_out):
        with pytest.raises(InvalidInput):
            carry_out(prepaid=PrepaidChoice.REFUND)


class TestUndo:
    @pytest.fixture
    def undo(self, services, place):
        def undo(transfer_id, actor=None, reason="选错房屋"):
            services.transfer_records.undo(
                actor=actor or place.clerk, transfer_id=transfer_id, reason=reason
            )

        return undo

    def test_all_is_as_before(
        self, carry_out, undo, bills, place, sign_up, seen_by, parts, services, audit
    ):
        buyer = sign_up(PHONE)

        undo(carry_out())

        assert parts() == [("王小明", "title_holder", None)]
        assert seen_by(place.owner) == set(bills)
        assert seen_by(buyer) == set()
        assert [house.id for house in services.estate.list_own_houses(actor=place.owner)] == [
            place.house_id
        ]
        assert audit("house_transfer_undone")[0]["reason"] == "选错房屋"
        [view] = services.transfer_records.list_transfers(
            actor=place.cashier, house_id=place.house_id
        )
        assert view.undone_at is not None

    def test_then_it_can_be_done_right(self, carry_out, undo, bills, parts):
        undo(carry_out())

        carry_out(Buyer(name="孙买"), key="key-00000002")

        assert parts()[1][0] == "孙买"

    def test_not_twice(self, carry_out, undo):
        transfer_id = carry_out()
        undo(transfer_id)

        with pytest.raises(TransferHasConsequences):
            undo(transfer_id)

    def test_not_the_day_after(self, carry_out, undo, clock):
        transfer_id = carry_out()
        clock.advance(days=1)

        with pytest.raises(TransferHasConsequences):
            undo(transfer_id)

    def test_not_when_people_changed_since(self, carry_out, undo, database):
        transfer_id = carry_out()
        database.do(
            "UPDATE house_person SET person_until = '2026-11-01' WHERE person_until IS NULL"
        )

        with pytest.raises(TransferHasConsequences):
            undo(transfer_id)

    def test_nobody_knows_it(self, undo, carry_out, database):
        transfer_id = carry_out()
        with database.session() as session:
            far = factories.staff(session, scope=DataScope(frozenset({404})))

        for wrong in (lambda: undo(404), lambda: undo(transfer_id, actor=far)):
            with pytest.raises(NotFound):
                wrong()


class TestPermissions:
    @pytest.mark.parametrize("actor", [visitor(), actor_without(Permission.TRANSFER_HOUSES)])
    def test_handing_on(self, services, carry_out, plan, place, actor):
        given = plan()

        for refused in (
            lambda: services.transfers.preview(actor=actor, house_id=place.house_id, cut_on=CUT),
            lambda: carry_out(given=given, actor=actor),
            lambda: services.transfer_records.undo(actor=actor, transfer_id=1, reason="x"),
        ):
            with pytest.raises(NotAllowed):
                refused()

    def test_asking_for_money_back_is_one_of_its_own(self, carry_out, plan):
        given = plan(prepaid=PrepaidChoice.REFUND, payout=PAYOUT)

        with pytest.raises(NotAllowed):
            carry_out(given=given, actor=actor_without(Permission.REQUEST_MONEY_OUT))

    def test_seeing(self, services, place):
        with pytest.raises(NotAllowed):
            services.transfer_records.list_transfers(
                actor=actor_without(Permission.VIEW_OWNERS), house_id=place.house_id
            )
