"""The guards of the only place that credits bills: whatever does not fit commits nothing."""

from dataclasses import replace

import pytest

from models import Bill
from services.accrued_late_fees import NO_FEE, AccruedLateFee
from services.payments.crediting import Credit, credit
from services.payments.quotes import Quote
from services.payments.taking import BillAlreadyPaid, plan_credits
from tests import factories

OWES_NONE = AccruedLateFee(0, 0, 0, False, NO_FEE)


@pytest.fixture
def credit_one(unit_of_work, database, add_bill, today):
    """Credit a bill of 100.00 with a payment of as much."""
    bill_id = add_bill(10000)
    database.do(
        "INSERT INTO payment (community_id, channel, mchid, provider_transaction_id, out_trade_no,"
        " amount_fen, paid_at, booked_at)"
        " SELECT community_id, 'wechat', '', 'x', 'x', 10000, now(), now() FROM bill"
    )

    def credit_one(change=None, **parts):
        def work(tx):
            bill = tx.session.get_one(Bill, bill_id)
            if change:
                database.do(change)
            values = {"principal_fen": 0, "late_fee_fen": 0, "accrued": OWES_NONE}
            one = Credit(bill=bill, **(values | parts))
            credit(tx, payment_id=1, credits=[one], paid_on=today())

        unit_of_work.run(work)

    return credit_one


@pytest.mark.breaks_promises
class TestGuards:
    @pytest.mark.parametrize("state", ["paid", "voided", "written_off", "pending_review"])
    def test_a_bill_that_is_not_payable(self, credit_one, database, state):
        paid = ", paid_fen = amount_fen" if state == "paid" else ""
        with pytest.raises(RuntimeError, match="changed under its lock"):
            credit_one(f"UPDATE bill SET state = '{state}'{paid}", principal_fen=100)

    def test_more_than_is_open(self, credit_one, database):
        with pytest.raises(RuntimeError, match="changed under its lock"):
            credit_one(principal_fen=10001)
        assert database.value("SELECT count(*) FROM allocation") == 0

    def test_lines_that_hold_less_than_the_bill(self, credit_one, database):
        with pytest.raises(RuntimeError, match="1 fen less"):
            credit_one("UPDATE bill SET amount_fen = 10001", principal_fen=10001)
        assert database.value("SELECT paid_fen FROM bill") == 0

    def test_a_late_fee_that_does_not_accrue(self, credit_one, database):
        with pytest.raises(RuntimeError, match="late fee"):
            credit_one(late_fee_fen=1)
        assert database.value("SELECT count(*) FROM bill_late_fee") == 0

    def test_more_than_is_left_of_a_frozen_late_fee(self, credit_one):
        frozen = (
            "INSERT INTO bill_late_fee (bill_id, paid_fen, frozen_fen, frozen_on, trace)"
            " SELECT id, 90, 100, current_date, '{}' FROM bill"
        )
        with pytest.raises(RuntimeError, match="late fee"):
            credit_one(frozen, late_fee_fen=11, accrued=replace(OWES_NONE, total_fen=100))


def test_a_named_bill_that_was_paid_just_now(database, add_bill):
    with database.session() as session:
        bill = session.get_one(factories.Bill, add_bill(100))
    nothing = Quote(bill.id, bill.due_date, 0, None, OWES_NONE)

    with pytest.raises(BillAlreadyPaid):
        plan_credits(
            amount_fen=5, bills={bill.id: bill}, quotes={bill.id: nothing}, named=[bill.id]
        )
