"""Repairs that a house pays for: price, charge, bill, payment, and what comes back."""

import pytest

from domain.errors import InvalidInput
from domain.payment_states import PaymentChannel
from domain.repair_states import RepairCannotMove
from services.payments.money_in import MoneyIn
from services.repairs.charging import ChargeNotAgreed, RepairCharged, RepairsNotCharged
from tests import factories


@pytest.fixture
def cashier(database, desk):
    with database.session() as session:
        return factories.staff(session, role="cashier")


@pytest.fixture
def charged(at_work, agree, finish):
    """A repair whose house owes 80 yuan for it."""
    repair_id = at_work()
    agree(repair_id)
    finish(repair_id, charge_fen=8000)
    return repair_id


@pytest.fixture
def make_bill(database, desk):
    """Bill the charge, as the run of its month does."""

    def make_bill():
        [charge] = database.rows("SELECT * FROM one_off_charge")
        with database.session() as session:
            return factories.make_bill(
                session,
                house=session.get_one(factories.House, desk.house_id),
                item=session.get_one(factories.FeeItem, desk.fee_item_id),
                lines=(charge["amount_fen"],),
                period_from=charge["charged_on"],
                period_until=charge["charged_on"].replace(year=charge["charged_on"].year + 1),
                sequence=charge["sequence"],
            ).id

    return make_bill


@pytest.fixture
def pay(services, desk, cashier):
    def pay(amount_fen, key="counter-0001"):
        return services.counter.take(
            actor=cashier,
            community_id=desk.community_id,
            house_id=desk.house_id,
            money=MoneyIn(channel=PaymentChannel.CASH, amount_fen=amount_fen, payer_name="王小明"),
            named_bill_ids=(),
            client_key=key,
        )

    return pay


class TestQuote:
    def test_the_clock_stands_still_until_the_owner_answers(
        self, services, desk, at_work, repair, clock
    ):
        repair_id = at_work()
        due = repair(repair_id)["finish_due_at"]
        services.repair_work.quote(
            actor=desk.engineer, repair_id=repair_id, amount_fen=8000, note="换阀芯"
        )
        clock.advance(hours=20)

        services.owner_repair_acts.decide_quote(actor=desk.owner, repair_id=repair_id, agrees=False)

        row = repair(repair_id)
        assert row["state"] == "in_progress"
        assert (row["finish_due_at"] - due).total_seconds() == 20 * 3600

    def test_a_decision_is_not_turned_round(self, services, desk, at_work, agree, database):
        repair_id = at_work()
        agree(repair_id)

        with pytest.raises(RepairCannotMove):
            services.owner_repair_acts.decide_quote(
                actor=desk.owner, repair_id=repair_id, agrees=False
            )

        assert database.value("SELECT state FROM repair_quote") == "approved"

    def test_a_public_place_is_asked_for_nothing(self, services, desk, at_work, state):
        repair_id = at_work(house_id=None, building_id=desk.building_id)

        with pytest.raises(InvalidInput):
            services.repair_work.quote(
                actor=desk.engineer, repair_id=repair_id, amount_fen=8000, note="换阀芯"
            )

        assert state(repair_id) == "in_progress"


class TestCharge:
    def test_becomes_a_one_off_charge_of_the_house(self, charged, state, database, desk):
        assert state(charged) == "awaiting_payment"
        [charge] = database.rows("SELECT * FROM one_off_charge")
        assert (charge["house_id"], charge["fee_item_id"], charge["amount_fen"]) == (
            desk.house_id,
            desk.fee_item_id,
            8000,
        )
        assert charge["source_document"].startswith("报修 BX")

    def test_a_second_tap_charges_once(self, charged, finish, database):
        finish(charged, charge_fen=8000)

        assert database.value("SELECT count(*) FROM one_off_charge") == 1

    def test_never_more_than_was_agreed(self, at_work, agree, finish, state, database):
        repair_id = at_work()
        agree(repair_id, 7999)

        with pytest.raises(ChargeNotAgreed):
            finish(repair_id, charge_fen=8000)

        assert state(repair_id) == "in_progress"
        assert database.value("SELECT count(*) FROM one_off_charge") == 0

    def test_nothing_without_an_agreement(self, at_work, finish):
        with pytest.raises(ChargeNotAgreed):
            finish(at_work(), charge_fen=1)

    def test_nothing_where_no_item_is_set(self, at_work, agree, finish, database):
        repair_id = at_work()
        agree(repair_id)
        database.do("UPDATE repair_rule SET fee_item_id = NULL")

        with pytest.raises(RepairsNotCharged):
            finish(repair_id, charge_fen=8000)

    def test_not_again_after_it_was_reopened(self, services, desk, charged, make_bill, pay, finish):
        make_bill()
        pay(8000)
        services.owner_repair_acts.reopen(actor=desk.owner, repair_id=charged, reason="还漏")
        services.repair_work.arrive(actor=desk.engineer, repair_id=charged)

        with pytest.raises(RepairCharged):
            finish(charged, charge_fen=8000)


class TestSettle:
    def test_a_paid_bill_lets_it_go_on(self, charged, make_bill, pay, state, events):
        make_bill()

        pay(8000)

        assert state(charged) == "awaiting_confirmation"
        assert events(charged)[-1] == ("settle", "awaiting_payment", "awaiting_confirmation")

    def test_a_part_does_not(self, charged, make_bill, pay, state):
        make_bill()

        pay(7999)

        assert state(charged) == "awaiting_payment"

    def test_other_bills_of_the_house_do_not(self, charged, database, desk, pay, state):
        with database.session() as session:
            factories.make_bill(
                session, house=session.get_one(factories.House, desk.house_id), lines=(8000,)
            )

        pay(8000)

        assert state(charged) == "awaiting_payment"

    def test_a_reversal_puts_nothing_wrong(
        self, services, desk, charged, make_bill, pay, state, database, events
    ):
        bill_id = make_bill()
        receipt = pay(8000)
        before = events(charged)

        services.reversals.reverse(
            actor=desk.manager,
            community_id=desk.community_id,
            receipt_no=receipt.receipt_no,
            reason="户号录错",
        )

        assert database.value("SELECT state FROM bill WHERE id = :id", id=bill_id) == "published"
        assert (state(charged), events(charged)) == ("awaiting_confirmation", before)
        pay(8000, key="counter-0002")
        assert events(charged) == before

    def test_a_written_off_bill_lets_it_go_on_by_the_clock(
        self, services, desk, charged, make_bill, state, database
    ):
        bill_id = make_bill()
        with database.session() as session:
            factories.make_approval(
                session,
                bill=session.get_one(factories.Bill, bill_id),
                kind="write_off",
                amount_fen=8000,
            )
        database.do("UPDATE bill SET state = 'written_off' WHERE id = :id", id=bill_id)

        services.repair_watch.look(actor=desk.machine)

        assert state(charged) == "awaiting_confirmation"

    def test_so_does_a_charge_that_was_taken_back(self, services, desk, charged, state, database):
        charge_id = database.value("SELECT id FROM one_off_charge")
        services.one_offs.cancel(actor=desk.manager, charge_id=charge_id, reason="免收")

        services.repair_watch.look(actor=desk.machine)

        assert state(charged) == "awaiting_confirmation"

    def test_what_is_owed_waits(self, services, desk, charged, make_bill, state):
        make_bill()

        services.repair_watch.look(actor=desk.machine)

        assert state(charged) == "awaiting_payment"
