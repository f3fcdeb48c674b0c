"""What the use-cases rely on in every channel, asked of each one against the simulator.

There is no fake of the port anywhere, so that there is nothing else to run it on.
"""

import time
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from domain.errors import PlatformRefused, PlatformUnavailable
from domain.payment_states import NEEDS_OPENID, PaymentChannel, PayWay
from gateways.merchant_accounts import read_accounts
from gateways.pay_channels import MerchantChannels
from services.pay_ports import (
    OrderToOpen,
    RefundToSend,
    RefundWord,
    StatementBroken,
    StatementNotReady,
    TradeState,
)

BEIJING = timezone(timedelta(hours=8))
NUMBER = "P20261124000001"
REFUND = "R20261124000001"
NO_USABLE_ANSWER = [
    {"status": 500},
    {"status": 502},
    {"html": True},
    {"truncated_json": True},
    {"reset": True},
    {"lost_answer": True},
    {"unsigned": True},
    {"badly_signed": True},
]


@dataclass
class Rig:
    """A channel, and the payer and the platform behind it."""

    channel: Any
    simulator: Any
    clock: Any
    host: str
    open_way: PayWay

    def order(self, **changes):
        order = OrderToOpen(
            out_trade_no=NUMBER,
            amount_fen=12345,
            description="翠湖花园 1栋101 物业费 {甲}",
            way=self.open_way,
            expires_at=self.clock.now() + timedelta(minutes=30),
            openid=self.simulator.person()["openid_miniapp"],
            payer_ip="203.0.113.7",
            return_url="https://anju.example/paid?order=1&x=2",
        )
        return replace(order, **changes)

    def visit(self):
        """The payer opens what they were given."""
        if self.host == "ali":
            self.simulator.post("alipay/scan", {"out_trade_no": NUMBER})

    def pay(self):
        path = "alipay/pay" if self.host == "ali" else "pay"
        return self.simulator.post(f"{path}/{NUMBER}", {"callbacks": "hold"})

    def open_and_pay(self):
        self.channel.open_order(self.order())
        self.pay()

    def refund(self, **changes):
        refund = RefundToSend(
            refund_no=REFUND,
            out_trade_no=NUMBER,
            amount_fen=2345,
            total_fen=12345,
            reason="多收 {退}",
        )
        return self.channel.refund(replace(refund, **changes))

    def query_refund(self, refund_no=REFUND):
        return self.channel.query_refund(refund_no=refund_no, out_trade_no=NUMBER)

    def fault(self, **action):
        self.simulator.fault(host=self.host, **action)

    def refuse(self, code):
        if self.host == "ali":
            self.fault(alipay_error={"sub_code": code})
        else:
            self.fault(pay_error={"status": 403, "code": code})

    def is_impatient(self):
        self.channel._calls._timeout_s = (3, 0.2)
        if self.host == "pay":
            self.channel._calls.sdk._core._timeout = (3, 0.2)

    def wait_until_written_down(self, count):
        """The platform is still at it, and would write into the next test's journal."""
        give_up_at = time.monotonic() + 10
        while len(self.simulator.journal()) < count:
            assert time.monotonic() < give_up_at

    def today(self):
        return self.clock.now().astimezone(BEIJING).date()

    def wait_until_the_statement_is_made(self):
        day = self.today() + timedelta(days=1)
        made = datetime(day.year, day.month, day.day, 13, tzinfo=BEIJING)
        self.simulator.post("clock", {"set": made.isoformat(), "callers": "real"})
        self.clock.offset += made - self.clock.now()


@pytest.fixture(params=["wechat-key", "wechat-certificates", "wechat-both", "alipay"])
def rig(request, settings, simulator, clock):
    kind = request.param
    simulator.post("refund_mode", {"mode": "auto", "delay_s": 0})
    if kind == "wechat-certificates":
        simulator.post("key_mode", {"mode": "cert"})
        settings = replace(settings, wechatpay_public_key="", wechatpay_public_key_id="")
    elif kind == "wechat-key":
        settings = replace(settings, wechatpay_platform_certificates="")
    else:
        simulator.post("key_mode", {"mode": "grey:50"})
    channels = MerchantChannels(accounts=read_accounts(settings), clock=clock)
    which = PaymentChannel.ALIPAY if kind == "alipay" else PaymentChannel.WECHAT
    host = "ali" if kind == "alipay" else "pay"
    way = PayWay.ALIPAY_QR if kind == "alipay" else PayWay.MINIAPP
    return Rig(channels.default(which), simulator, clock, host, way)


class TestOrders:
    def test_life_of_an_order(self, rig):
        assert rig.channel.query(out_trade_no=NUMBER).state is TradeState.ABSENT

        assert rig.channel.open_order(rig.order())
        rig.visit()
        assert rig.channel.query(out_trade_no=NUMBER).state is TradeState.NOTPAY

        rig.pay()
        trade = rig.channel.query(out_trade_no=NUMBER)
        assert trade.state is TradeState.SUCCESS
        assert (trade.amount_fen, trade.currency) == (12345, "CNY")
        assert (trade.channel, trade.mchid) == (rig.channel.channel, rig.channel.mchid)
        assert trade.appid == rig.channel.appid_for(rig.open_way)
        assert trade.transaction_id
        assert abs(trade.paid_at - rig.clock.now()) < timedelta(minutes=1)

        with pytest.raises(PlatformRefused) as raised:
            rig.channel.close(out_trade_no=NUMBER)
        assert raised.value.vendor_code == "ORDERPAID"

    def test_every_way_it_offers_can_be_paid(self, rig):
        for count, way in enumerate(sorted(rig.channel.ways)):
            number = f"P2026112400001{count}"
            person = rig.simulator.person()
            openid = person["openid_official" if way is PayWay.JSAPI else "openid_miniapp"]
            ticket = rig.channel.open_order(rig.order(out_trade_no=number, way=way, openid=openid))
            assert ticket.startswith("wx" if way in NEEDS_OPENID else ("http", "weixin"))
            if way in (PayWay.ALIPAY_WAP, PayWay.ALIPAY_PAGE):
                assert rig.simulator.http.get(ticket, timeout=10).status_code == 200
            path = "alipay/pay" if rig.host == "ali" else "pay"
            rig.simulator.post(f"{path}/{number}", {"callbacks": "hold"})

            assert rig.channel.query(out_trade_no=number).state is TradeState.SUCCESS

    def test_same_order_opens_again(self, rig):
        order = rig.order()

        assert rig.channel.open_order(order)
        assert rig.channel.open_order(order)
        rig.pay()
        assert rig.channel.query(out_trade_no=NUMBER).amount_fen == 12345

    def test_other_amount_under_the_same_number(self, rig):
        rig.channel.open_order(rig.order())

        with pytest.raises(PlatformRefused):
            rig.channel.open_order(rig.order(amount_fen=1))

    def test_opening_what_is_paid(self, rig):
        rig.open_and_pay()

        with pytest.raises(PlatformRefused) as raised:
            rig.channel.open_order(rig.order())

        assert raised.value.vendor_code == "ORDERPAID"

    def test_order_ends_when_it_says(self, rig):
        rig.channel.open_order(rig.order())
        rig.visit()

        rig.simulator.post("clock", {"advance": 31 * 60, "callers": "real"})

        path = f"{'alipay/pay' if rig.host == 'ali' else 'pay'}/{NUMBER}"
        answer = rig.simulator.http.post(f"{rig.simulator.url}/_sim/{path}", json={}, timeout=10)
        assert answer.status_code == 409

    def test_closing(self, rig):
        rig.channel.open_order(rig.order())
        rig.visit()

        rig.channel.close(out_trade_no=NUMBER)
        rig.channel.close(out_trade_no=NUMBER)

        assert rig.channel.query(out_trade_no=NUMBER).state is TradeState.CLOSED

    def test_closing_what_is_not_there(self, rig):
        rig.channel.close(out_trade_no=NUMBER)

    @pytest.mark.parametrize("action", NO_USABLE_ANSWER, ids=str)
    @pytest.mark.parametrize("what", ["open", "query", "close", "refund", "query_refund"])
    def test_no_usable_answer(self, rig, what, action):
        calls = {
            "open": lambda: rig.channel.open_order(rig.order()),
            "query": lambda: rig.channel.query(out_trade_no=NUMBER),
            "close": lambda: rig.channel.close(out_trade_no=NUMBER),
            "refund": rig.refund,
            "query_refund": rig.query_refund,
        }
        if (rig.host, what, *action) == ("pay", "close", "truncated_json"):
            pytest.skip("WeChat Pay answers a close with 204: there is nothing to cut off")
        if what != "open":
            rig.channel.open_order(rig.order())
            rig.visit()
        if what.endswith("refund"):
            rig.pay()
        if what == "query_refund":
            rig.refund()
        rig.fault(**action)

        with pytest.raises(PlatformUnavailable):
            calls[what]()

    def test_answer_that_does_not_come(self, rig):
        rig.channel.open_order(rig.order())
        rig.is_impatient()
        seen = len(rig.simulator.journal())
        rig.fault(latency_ms=700)

        with pytest.raises(PlatformUnavailable):
            rig.channel.query(out_trade_no=NUMBER)
        rig.wait_until_written_down(seen + 1)

    def test_effect_of_a_lost_answer_is_found(self, rig):
        rig.open_and_pay()
        rig.fault(lost_answer=True)
        with pytest.raises(PlatformUnavailable):
            rig.refund()

        assert rig.query_refund().word is RefundWord.SUCCESS
        assert rig.refund().word is RefundWord.SUCCESS
        assert rig.channel.query(out_trade_no=NUMBER).amount_fen == 12345

    def test_refusal_keeps_the_word(self, rig):
        code = "ACQ.INVALID_PARAMETER" if rig.host == "ali" else "NO_AUTH"
        rig.refuse(code)

        with pytest.raises(PlatformRefused) as raised:
            rig.channel.query(out_trade_no=NUMBER)

        assert raised.value.vendor_code == code

    @pytest.mark.parametrize("number", ["", "P1", "../../x", "P2026?x=1", "号" * 8, "P" * 65])
    def test_number_that_is_none_never_leaves(self, rig, number):
        for call in (
            lambda: rig.channel.query(out_trade_no=number),
            lambda: rig.channel.close(out_trade_no=number),
            lambda: rig.channel.open_order(rig.order(out_trade_no=number)),
            lambda: rig.refund(refund_no=number),
            lambda: rig.query_refund(number),
        ):
            with pytest.raises(PlatformRefused):
                call()

        assert rig.simulator.journal() == []


class TestRefunds:
    def test_part_and_then_the_rest(self, rig):
        rig.open_and_pay()
        assert rig.query_refund().word is RefundWord.ABSENT

        first = rig.refund()
        assert (first.refund_no, first.out_trade_no) == (REFUND, NUMBER)
        assert first.word in (RefundWord.PROCESSING, RefundWord.SUCCESS)
        done = rig.query_refund()
        assert (done.word, done.amount_fen) == (RefundWord.SUCCESS, 2345)
        assert done.mchid == rig.channel.mchid

        rig.simulator.post("clock", {"advance": 61, "callers": "real"})
        rig.refund(refund_no="R20261124000002", amount_fen=10000)
        assert rig.query_refund("R20261124000002").amount_fen == 10000
        trade = rig.channel.query(out_trade_no=NUMBER)
        assert trade.state is TradeState.REFUND
        assert trade.amount_fen == 12345

    def test_same_number_pays_back_once(self, rig):
        rig.open_and_pay()

        rig.refund()
        assert rig.refund().refund_no == REFUND

        with pytest.raises((PlatformRefused, PlatformUnavailable)):
            rig.refund(refund_no="R20261124000002", amount_fen=12000)

    def test_unpaid_order(self, rig):
        rig.channel.open_order(rig.order())
        rig.visit()

        with pytest.raises(PlatformRefused):
            rig.refund()
        assert rig.query_refund().word is RefundWord.ABSENT

    def test_account_holds_too_little(self, rig):
        rig.open_and_pay()
        rig.refuse("ACQ.SELLER_BALANCE_NOT_ENOUGH" if rig.host == "ali" else "NOT_ENOUGH")

        with pytest.raises(PlatformRefused) as raised:
            rig.refund()

        assert raised.value.vendor_code == "NOT_ENOUGH"


class TestStatements:
    def test_holds_what_moved(self, rig):
        rig.open_and_pay()
        rig.refund()
        paid = rig.channel.query(out_trade_no=NUMBER)
        day = rig.today()
        rig.wait_until_the_statement_is_made()

        statement = rig.channel.read_statement(day)

        payment, refund = sorted(statement.rows, key=lambda row: row.is_refund)
        assert (statement.channel, statement.mchid) == (paid.channel, paid.mchid)
        assert statement.day == day
        assert (payment.out_trade_no, payment.amount_fen) == (NUMBER, 12345)
        assert payment.transaction_id == paid.transaction_id
        assert (refund.out_trade_no, refund.refund_no) == (NUMBER, REFUND)
        assert refund.amount_fen == 2345
        assert NUMBER.encode() in statement.content

    def test_day_without_trade(self, rig):
        day = rig.today()
        rig.wait_until_the_statement_is_made()

        statement = rig.channel.read_statement(day)

        assert (tuple(statement.rows), statement.content) == ((), b"")

    def test_not_made_yet(self, rig):
        rig.open_and_pay()
        day = rig.today()
        rig.wait_until_the_statement_is_made()
        if rig.host == "ali":
            rig.clock.offset -= timedelta(hours=2)
            rig.fault(alipay_bill="creating")
        else:
            rig.simulator.post("bill_faults", {"kind": "STATEMENT_CREATING"})

        with pytest.raises(StatementNotReady):
            rig.channel.read_statement(day)

    @pytest.mark.parametrize("action", [{"status": 502}, {"reset": True}, {"lost_answer": True}])
    @pytest.mark.parametrize("nth", [1, 2])
    def test_no_usable_answer(self, rig, nth, action):
        rig.open_and_pay()
        day = rig.today()
        rig.wait_until_the_statement_is_made()
        rig.simulator.fault(host=rig.host, path="", nth=nth, **action)

        with pytest.raises(PlatformUnavailable):
            rig.channel.read_statement(day)

    @pytest.mark.parametrize("times", [1, 2])
    def test_expired_address_is_asked_for_once_more(self, rig, times):
        rig.open_and_pay()
        day = rig.today()
        rig.wait_until_the_statement_is_made()
        where = "bill/download" if rig.host == "ali" else "billdownload"
        rig.simulator.fault(host=rig.host, path=where, times=times, status=403)

        if times == 1:
            assert len(rig.channel.read_statement(day).rows) == 1
        else:
            with pytest.raises(PlatformUnavailable):
                rig.channel.read_statement(day)

    def test_file_that_is_none(self, rig):
        rig.open_and_pay()
        day = rig.today()
        rig.wait_until_the_statement_is_made()
        where = "bill/download" if rig.host == "ali" else "billdownload"
        rig.simulator.fault(host=rig.host, path=where, html=True)

        with pytest.raises(StatementBroken):
            rig.channel.read_statement(day)
