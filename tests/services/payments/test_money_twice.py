"""What is told of money that came twice, late, by another way, or went back behind our back."""

from datetime import timedelta

import pytest

from domain.payment_states import PaymentChannel
from domain.periods import Span, local_date
from domain.refund_states import SurplusPolicy
from services.pay_ports import ChannelRefund, RefundToSend, RefundWord
from services.payments.settle import Verdict
from services.reports.tables import CashBy, ReportFilter
from tests.world import merchant_of


@pytest.fixture
def policy(database):
    def policy(which):
        database.do("UPDATE community SET surplus_policy = :which", which=which)

    return policy


@pytest.fixture
def show(services, payer):
    return lambda order: services.payments.show(actor=payer.actor, payment_id=order.id)


@pytest.fixture
def say(services, database, clock):
    """Let the channel say something of the newest refund."""

    def say(word, **changes):
        refund = database.rows(
            "SELECT refund_no, refund.amount_fen, out_trade_no FROM refund"
            " JOIN payment ON payment.id = payment_id ORDER BY refund.id DESC LIMIT 1"
        )[0]
        return services.refunds.take_word(
            ChannelRefund(
                **{
                    "channel": "wechat",
                    "mchid": merchant_of(services),
                    "word": word,
                    "refunded_at": clock.now() if word is RefundWord.SUCCESS else None,
                }
                | refund
                | changes
            ),
            request_id="",
        )

    return say


@pytest.fixture
def refund(services, payer, people, database):
    """Approve a refund of so much of the first payment."""

    def refund(amount_fen):
        asked = services.payment_refund_requests.ask(
            actor=people["asker"],
            community_id=payer.community_id,
            payment_id=database.value("SELECT min(id) FROM payment"),
            amount_fen=amount_fen,
            reason="业主申请退款",
        )
        services.money_decisions.approve(actor=people["manager"], request_id=asked.request_id)

    return refund


@pytest.fixture
def tasks(database):
    return lambda kind: [
        row["title"]
        for row in database.rows("SELECT title FROM staff_task WHERE kind = :kind", kind=kind)
    ]


class TestProgress:
    def test_money_after_a_close_is_booked_and_said_so(self, start, settle, services, payer, show):
        order = start()
        services.payments.cancel(actor=payer.actor, payment_id=order.id)

        settle(order)

        view = show(order)
        assert (view.state, view.progress) == ("closed", "已入账")
        assert view.receipt_no is not None

    def test_a_refund_of_the_second_money_is_no_refund_of_the_first(
        self, start, settle, policy, show, say
    ):
        policy(SurplusPolicy.REFUND)
        order = start()
        settle(order, 1)
        settle(order, 2)
        assert show(order).progress == "已入账，重复支付的 ¥222.02 正在退款，原路退回"

        assert say(RefundWord.SUCCESS) == "booked"

        view = show(order)
        assert view.progress == "已入账，重复支付的 ¥222.02 已退回"
        assert view.refunded_fen == 0

    def test_a_refund_of_the_first_money_is_said_whatever_became_of_the_second(
        self, start, settle, policy, show, say, refund
    ):
        policy(SurplusPolicy.REFUND)
        order = start()
        settle(order, 1)
        settle(order, 2)
        say(RefundWord.SUCCESS)

        refund(200)
        assert show(order).progress == "¥2.00 正在退款，原路退回"
        say(RefundWord.SUCCESS)

        view = show(order)
        assert (view.progress, view.refunded_fen) == ("已退款 ¥2.00", 200)


class TestRefundEndedOtherwise:
    def test_a_success_after_the_end_is_put_before_a_person(
        self, start, settle, refund, say, tasks, database
    ):
        settle(start())
        refund(200)
        say(RefundWord.CLOSED)

        assert say(RefundWord.SUCCESS) == "already_ended"

        assert database.value("SELECT state FROM refund") == "failed"
        [title] = tasks("refund_contradicted")
        assert title.endswith("我方记为“退款失败”，渠道后来说“已退款”，请到商户平台核实")

    @pytest.mark.parametrize("word", [RefundWord.SUCCESS, RefundWord.CLOSED])
    def test_the_same_word_again_is_no_contradiction(self, start, settle, refund, say, tasks, word):
        settle(start())
        refund(200)
        say(word)

        assert say(word) == "already_ended"

        assert tasks("refund_contradicted") == []


class TestNumberOfTwoChannels:
    def test_money_of_another_channel_ends_no_order(
        self, start, settle, services, database, simulator, bills
    ):
        """Alipay took money under the number of a WeChat order, which is paid only later."""
        order = start()

        verdict = settle(
            order,
            9,
            channel="alipay",
            mchid=merchant_of(services, PaymentChannel.ALIPAY),
            amount_fen=1,
        )

        assert verdict is Verdict.IN_SUSPENSE
        assert database.rows("SELECT order_id, community_id FROM payment") == [
            {"order_id": None, "community_id": None}
        ]
        assert database.value("SELECT count(*) FROM bill_lock") == 2
        simulator.post(f"pay/{order.out_trade_no}", callbacks="lost")
        services.sweep.ask(order_id=order.id)
        assert {state for state, _ in bills().values()} == {"paid"}


class TestRefundedElsewhere:
    @pytest.fixture
    def elsewhere(self, simulator, services):
        """Let an order be paid, and some of it refunded at the merchant's platform."""

        def elsewhere(order):
            simulator.post(f"pay/{order.out_trade_no}", callbacks="lost")
            simulator.post("refund_mode", mode="auto", delay_s=0)
            services.pay_channels.default(PaymentChannel.WECHAT).refund(
                RefundToSend(
                    refund_no="ELSEWHERE0001",
                    out_trade_no=order.out_trade_no,
                    amount_fen=100,
                    total_fen=order.amount_fen,
                    reason="人工",
                )
            )

        return elsewhere

    def test_holds_no_bill_for_ever(self, start, elsewhere, services, database, tasks):
        order = start()
        elsewhere(order)

        services.sweep.ask(order_id=order.id)

        assert database.rows("SELECT state, query_at FROM payment_order") == [
            {"state": "closed", "query_at": None}
        ]
        assert database.value("SELECT count(*) FROM bill_lock") == 0
        [title] = tasks("order_refunded_elsewhere")
        assert order.out_trade_no in title

    def test_a_booked_order_is_left_alone(
        self, start, elsewhere, services, settle, database, tasks, monkeypatch
    ):
        """The notice is faster than the channel's answer to our question."""
        order = start()
        elsewhere(order)
        asked = type(services.sweep)._query

        def and_meanwhile(sweep, channel, row):
            trade = asked(sweep, channel, row)
            settle(order)
            return trade

        monkeypatch.setattr(type(services.sweep), "_query", and_meanwhile)

        services.sweep.ask(order_id=order.id)

        assert database.value("SELECT state FROM payment_order") == "succeeded"
        assert tasks("order_refunded_elsewhere") == []


class TestCashReport:
    @pytest.fixture
    def cash(self, services, payer, people, clock):
        def cash():
            today = local_date(clock.now())
            return services.reports.cash_in(
                actor=people["finance"],
                which=ReportFilter(payer.community_id, span=Span(today, today + timedelta(days=1))),
                by=CashBy.CHANNEL,
            ).totals

        return cash

    def test_surplus_that_became_prepaid_counts_once(self, start, settle, policy, cash):
        policy(SurplusPolicy.PREPAID)
        order = start()
        settle(order, 1)
        settle(order, 2)

        totals = cash()

        assert (totals.amount_fen, totals.principal_fen) == (44404, 22202)
        assert (totals.prepaid_fen, totals.suspense_fen) == (22202, 0)

    def test_what_went_out_again_is_not_taken_off(self, start, settle, policy, cash, refund, say):
        policy(SurplusPolicy.REFUND)
        order = start()
        settle(order, 1)
        settle(order, 2)
        say(RefundWord.SUCCESS)
        refund(22202)
        say(RefundWord.SUCCESS)

        totals = cash()

        assert (totals.amount_fen, totals.principal_fen) == (44404, 22202)
        assert (totals.prepaid_fen, totals.suspense_fen) == (0, 22202)
