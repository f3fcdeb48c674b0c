"""What a refund undoes on a bill: late fees run again, what went off for paying early is owed."""

from datetime import timedelta

import pytest

from domain.payment_states import PaymentChannel
from domain.periods import local_date
from services.approvals.requests import Payout
from services.payments.money_in import MoneyIn
from services.payments.settle import Verdict
from tests import factories
from tests.services.payments.conftest import SYSTEM


@pytest.fixture
def refund(services, people, database):
    """Refund so much of the first payment; the channel says it is done."""

    def refund(payer, amount_fen, **more):
        payment_id = database.value("SELECT min(id) FROM payment")
        asked = services.payment_refund_requests.ask(
            actor=people["asker"],
            community_id=payer.community_id,
            payment_id=payment_id,
            amount_fen=amount_fen,
            reason="业主申请退款",
            **more,
        )
        services.money_decisions.approve(actor=people["manager"], request_id=asked.request_id)

    return refund


@pytest.fixture
def take(services, people, database):
    """Take cash of a payer's house."""
    with database.session() as session:
        cashier = factories.staff(session, "cashier")

    def take(payer, amount_fen):
        return services.counter.take(
            actor=cashier,
            community_id=payer.community_id,
            house_id=payer.house_id,
            money=MoneyIn(PaymentChannel.CASH, amount_fen, "陈建"),
            client_key=f"key-{amount_fen:08d}",
        )

    return take


OUT = Payout("cash", "陈建", "19900000001")


class TestLateFee:
    def test_rests_while_it_was_paid_and_runs_again_afterwards(
        self, late, take, refund, services, clock
    ):
        take(late, 128961)
        clock.advance(days=3)

        refund(late, 128961, payout=OUT)

        detail = services.own_bills.show(actor=late.actor, bill_id=late.bill_ids[0])
        assert detail.bill.state == "published"
        assert detail.bill.late_fee_fen == 2961  # 47 days; for the last three nothing was owed
        assert detail.late_fee.next_day_open_fen == 3024

    def test_is_the_first_to_go_back(self, late, take, refund, services, database):
        """The newest allocation first: the late fee was paid after the principal."""
        take(late, 128961)

        refund(late, 1000, payout=OUT)

        detail = services.own_bills.show(actor=late.actor, bill_id=late.bill_ids[0])
        assert (detail.bill.state, detail.bill.paid_fen) == ("paid", 126000)
        assert database.value("SELECT paid_fen FROM bill_late_fee") == 1961
        assert services.own_bills.sum_outstanding(actor=late.actor).amount_fen == 1000

    def test_can_be_paid_off_again(self, late, take, refund, database, clock):
        take(late, 128961)
        refund(late, 128961, payout=OUT)
        clock.advance(days=1)

        take(late, 126000 + 3024)

        assert database.rows("SELECT state, paid_fen FROM bill") == [
            {"state": "paid", "paid_fen": 126000}
        ]
        assert database.value("SELECT paid_fen FROM bill_late_fee") == 3024


class TestEarlyPayment:
    def test_what_went_off_is_owed_again_and_explained(self, early, take, refund, services):
        take(early, 9500)

        refund(early, 9500, payout=OUT)

        detail = services.own_bills.show(actor=early.actor, bill_id=early.bill_ids[0])
        assert (detail.bill.state, detail.bill.amount_fen, detail.bill.paid_fen) == (
            "published",
            10000,
            0,
        )
        assert [line.amount_fen for line in detail.lines] == [10000, -500, 500]
        assert detail.lines[-1].explanation == "缴费已退款，收回优惠“提前缴费”，+5.00 元"

    def test_paying_early_once_more_takes_it_off_once_more(self, early, take, refund, database):
        take(early, 9500)
        refund(early, 9500, payout=OUT)

        take(early, 9501)

        assert database.rows("SELECT state, amount_fen, paid_fen FROM bill") == [
            {"state": "paid", "amount_fen": 9500, "paid_fen": 9500}
        ]
        assert database.value("SELECT balance_fen FROM prepaid_account") == 1

    def test_a_part_back_takes_all_of_it_back(self, early, take, refund, database):
        take(early, 9500)

        refund(early, 1, payout=OUT)

        assert database.rows("SELECT state, amount_fen, paid_fen FROM bill") == [
            {"state": "partially_paid", "amount_fen": 10000, "paid_fen": 9499}
        ]


class TestOnline:
    def test_the_order_tells_both_and_its_receipt_is_void(
        self, late, pay, settle, refund, services, simulator, database
    ):
        payment = pay(late)
        simulator.post(f"pay/{payment.out_trade_no}", callbacks="lost")
        services.sweep.ask(order_id=payment.id)
        assert settle(payment, number=2) is Verdict.IN_SUSPENSE

        refund(late, 128961)
        simulator.post("refund_mode", mode="auto", delay_s=0)
        services.refunds.send_due(actor=SYSTEM)
        services.clock.advance(minutes=2)
        services.refunds.send_due(actor=SYSTEM)

        assert database.value("SELECT count(*) FROM receipt_mark WHERE kind = 'void'") == 1
        assert database.value("SELECT state FROM bill") == "published"


class TestWrittenOff:
    def test_a_statement_never_shows_what_was_not_written_off_yet(
        self, make_payer, take, refund, services, people, clock, database
    ):
        """Of 100.00 60.00 are paid, 40.00 written off, and days later the 60.00 given back."""
        payer = make_payer(10000)
        take(payer, 6000)
        request_id = services.money_requests.request_write_off(
            actor=people["asker"], bill_id=payer.bill_ids[0], reason="无法收回"
        )
        services.money_decisions.approve(actor=people["manager"], request_id=request_id)
        clock.advance(days=2)
        refund(payer, 6000, payout=OUT)

        today = local_date(clock.now())
        [owed] = services.statements.show_own(
            actor=payer.actor,
            house_id=payer.house_id,
            from_on=today - timedelta(days=365),
            until_on=today,
        ).accounts

        assert [(one.kind, one.amount_fen, one.balance_fen) for one in owed.entries] == [
            ("bill", 10000, 10000),
            ("payment", -6000, 4000),
            ("write_off", -4000, 0),
            ("reversal", 6000, 6000),
            ("write_off", -6000, 0),
        ]
        assert database.value("SELECT state FROM bill") == "written_off"
