"""What is Alipay's own: pages, codes, Beijing time, braces, and answers that are not Alipay's."""

import base64
import json
import time
from dataclasses import replace
from datetime import datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from domain.errors import PlatformRefused, PlatformUnavailable
from domain.payment_states import PayWay
from gateways.alipay import Alipay
from gateways.alipay_calls import BEIJING, split_answer
from gateways.merchant_accounts import read_accounts
from services.pay_ports import OrderToOpen, RefundToSend, RefundWord, TradeState

NUMBER = "P20261124000001"
REFUND = "R20261124000001"
PLATFORM = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PAGES = [PayWay.ALIPAY_WAP, PayWay.ALIPAY_PAGE]


@pytest.fixture
def account(settings):
    return read_accounts(settings).alipay[0]


@pytest.fixture
def alipay(account, clock):
    return Alipay(account=account, clock=clock)


@pytest.fixture
def order(clock):
    return OrderToOpen(
        out_trade_no=NUMBER,
        amount_fen=12345,
        description="物业费",
        way=PayWay.ALIPAY_QR,
        expires_at=clock.now() + timedelta(minutes=30),
        return_url="https://anju.example/paid?a=1&b={2}",
    )


@pytest.fixture
def pay(alipay, order, simulator):
    def pay(**changes):
        alipay.open_order(replace(order, **changes))
        return simulator.post(f"alipay/pay/{NUMBER}", {"callbacks": "hold"})

    return pay


@pytest.fixture
def said(account, clock, odd_platform):
    """Let the platform answer a question by exactly this text; give the channel."""

    def said(raw):
        odd_platform.answer = (200, {}, raw if isinstance(raw, bytes) else raw.encode())
        return Alipay(
            account=replace(
                account,
                api_base=f"{odd_platform.url}/gateway.do",
                public_key=PLATFORM.public_key(),
            ),
            clock=clock,
        )

    return said


def sign(text):
    return base64.b64encode(PLATFORM.sign(text.encode(), PKCS1v15(), SHA256())).decode()


def envelope(answer, method="alipay.trade.query", signature=None):
    text = answer if isinstance(answer, str) else json.dumps(answer)
    name = method.replace(".", "_") + "_response"
    return f'{{"{name}":{text},"sign":"{sign(text) if signature is None else signature}"}}'


TRADE = {
    "code": "10000",
    "out_trade_no": NUMBER,
    "trade_no": "2026112422001400000001",
    "trade_status": "TRADE_SUCCESS",
    "total_amount": "123.45",
    "send_pay_date": "2026-11-24 10:00:00",
}
BACK = {
    "code": "10000",
    "out_trade_no": NUMBER,
    "out_request_no": REFUND,
    "refund_status": "REFUND_SUCCESS",
    "refund_amount": "23.45",
}


def asked(address):
    query = dict(parse_qsl(urlsplit(address).query))
    return query, json.loads(query["biz_content"])


def sent(simulator):
    """The business part of the last request."""
    return json.loads(dict(parse_qsl(simulator.journal()[-1]["body"]))["biz_content"])


class TestPages:
    @pytest.mark.parametrize("way", PAGES)
    def test_calls_nobody(self, alipay, order, simulator, way):
        assert alipay.open_order(replace(order, way=way)).startswith(simulator.url)
        assert simulator.journal() == []

    @pytest.mark.parametrize("way", PAGES)
    def test_says_what_where_and_until_when(self, alipay, order, account, way):
        query, biz = asked(alipay.open_order(replace(order, way=way)))

        assert query["notify_url"] == "https://anju.example/notify/alipay"
        assert query["return_url"] == order.return_url
        assert (query["app_id"], query["sign_type"]) == (account.app_id, "RSA2")
        assert (biz["out_trade_no"], biz["total_amount"]) == (NUMBER, "123.45")
        expires_at = datetime.fromisoformat(biz["time_expire"]).replace(tzinfo=BEIJING)
        assert expires_at == order.expires_at.replace(microsecond=0)

    def test_each_has_its_product(self, alipay, order):
        products = [asked(alipay.open_order(replace(order, way=way)))[1] for way in PAGES]

        assert [one["product_code"] for one in products] == [
            "QUICK_WAP_WAY",
            "FAST_INSTANT_TRADE_PAY",
        ]
        assert [one.get("quit_url") for one in products] == [order.return_url, None]

    def test_without_an_address_to_return_to(self, alipay, order):
        query, biz = asked(alipay.open_order(replace(order, way=PayWay.ALIPAY_WAP, return_url="")))

        assert "return_url" not in query
        assert "quit_url" not in biz

    @pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Shanghai"])
    def test_is_of_beijing_time_whatever_the_process_has(self, alipay, order, monkeypatch, zone):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        try:
            query, _ = asked(alipay.open_order(replace(order, way=PayWay.ALIPAY_WAP)))
            is_known = alipay.query(out_trade_no=NUMBER).state is TradeState.ABSENT
        finally:
            monkeypatch.undo()
            time.tzset()

        sent_at = datetime.fromisoformat(query["timestamp"]).replace(tzinfo=BEIJING)
        assert abs(sent_at.timestamp() - time.time()) < 10
        assert is_known


class TestCode:
    @pytest.mark.parametrize(
        ("left", "lifetime"),
        [
            (timedelta(minutes=30, seconds=5), "30m"),
            (timedelta(hours=2, seconds=5), "120m"),
            (timedelta(seconds=59), "1m"),
            (timedelta(seconds=-5), "1m"),
        ],
        ids=str,
    )
    def test_code_and_trade_end_with_the_order(self, alipay, order, simulator, left, lifetime):
        alipay.open_order(replace(order, expires_at=alipay._clock.now() + left))

        biz = sent(simulator)
        assert (biz["qr_code_timeout_express"], biz["timeout_express"]) == (lifetime, lifetime)

    @pytest.mark.parametrize(
        ("amount_fen", "text"),
        [
            (1, "0.01"),
            (10, "0.10"),
            (100, "1.00"),
            (57_00, "57.00"),
            (9_999_999_999, "99999999.99"),
        ],
    )
    def test_amount_is_text_of_two_decimals(self, alipay, order, amount_fen, text):
        address = alipay.open_order(replace(order, way=PayWay.ALIPAY_WAP, amount_fen=amount_fen))

        assert asked(address)[1]["total_amount"] == text

    @pytest.mark.parametrize("mark", ["{", "}", "{{}", "/", "=", "&", "😀", '"', "\\"])
    def test_marks_in_a_subject_do_no_harm(self, alipay, pay, simulator, mark):
        pay(description=f"物业{mark}费")

        trade = alipay.query(out_trade_no=NUMBER)

        assert (trade.state, trade.amount_fen) == (TradeState.SUCCESS, 12345)

    def test_long_subject_is_cut(self, alipay, order, simulator):
        assert alipay.open_order(replace(order, description="长" * 1000))
        assert len(sent(simulator)["subject"]) == 256

    def test_has_no_ticket(self, alipay, clock, simulator):
        with pytest.raises(PlatformRefused) as raised:
            alipay.sign_ticket(way=PayWay.ALIPAY_QR, prepay_id="x", now=clock.now())

        assert raised.value.vendor_code == "NO_TICKET"
        assert simulator.journal() == []


class TestStates:
    def test_code_nobody_scanned_is_absent_and_still_payable(self, alipay, order, pay):
        alipay.open_order(order)

        assert alipay.query(out_trade_no=NUMBER).state is TradeState.ABSENT
        assert not alipay.is_absent_final
        pay()
        assert alipay.query(out_trade_no=NUMBER).state is TradeState.SUCCESS

    def test_finished_is_paid(self, alipay, pay, simulator):
        pay()
        simulator.post(f"alipay/finish/{NUMBER}")

        assert alipay.query(out_trade_no=NUMBER).state is TradeState.SUCCESS

    @pytest.mark.parametrize(
        ("change", "state"),
        [
            ({"trade_status": "WAIT_BUYER_PAY"}, TradeState.NOTPAY),
            ({"trade_status": "TRADE_CLOSED"}, TradeState.REFUND),
            ({"trade_status": "TRADE_CLOSED", "send_pay_date": None}, TradeState.CLOSED),
            ({"trade_status": "TRADE_PENDING"}, TradeState.OTHER),
        ],
        ids=str,
    )
    def test_words(self, said, change, state):
        trade = said(envelope({**TRADE, **change})).query(out_trade_no=NUMBER)

        assert trade.state is state

    def test_close_that_is_refused_for_a_state_we_do_not_know(self, alipay, order, simulator):
        alipay.open_order(order)
        simulator.post("alipay/scan", {"out_trade_no": NUMBER})
        simulator.fault(host="ali", alipay_error={"sub_code": "ACQ.TRADE_STATUS_ERROR"})

        with pytest.raises(PlatformUnavailable):
            alipay.close(out_trade_no=NUMBER)


class TestAnswers:
    @pytest.mark.parametrize("text", ["{", "}", '"}', "{}", '","sign":"x', "\\", "\\u007b"])
    def test_braces_and_quotes_in_an_answer(self, said, text):
        """The SDK counts braces and would not find what was signed."""
        channel = said(envelope({**TRADE, "subject": text}))

        assert channel.query(out_trade_no=NUMBER).amount_fen == 12345

    def test_numbers_keep_their_cents(self, said):
        answer = json.dumps(TRADE).replace('"123.45"', "123.10")

        assert said(envelope(answer)).query(out_trade_no=NUMBER).amount_fen == 12310

    @pytest.mark.parametrize("field", sorted(set(TRADE) - {"code"}))
    @pytest.mark.parametrize("value", [None, "", ["x"], "0", "x\x00"], ids=repr)
    def test_signed_answer_that_is_no_trade(self, said, field, value):
        if (field, value) in (("trade_no", "0"), ("trade_status", "0")):
            pytest.skip("a text like any other")
        with pytest.raises(PlatformUnavailable):
            said(envelope({**TRADE, field: value})).query(out_trade_no=NUMBER)

    def test_signed_answer_about_another_order(self, said):
        with pytest.raises(PlatformUnavailable):
            said(envelope({**TRADE, "out_trade_no": "P20261124000002"})).query(out_trade_no=NUMBER)

    @pytest.mark.parametrize(
        "raw",
        [
            "",
            "{}",
            "[]",
            "null",
            "<html></html>",
            envelope(TRADE, signature=""),
            envelope(TRADE, signature="AAAA"),
            envelope(TRADE, signature=sign(json.dumps(TRADE) + " ")),
            envelope(TRADE, method="alipay.trade.close"),
            envelope(TRADE).replace("123.45", "123.46"),
            envelope(TRADE)[:-1],
            envelope(TRADE) + "x",
            envelope(TRADE)[:-1] + f',"sign":"{sign("{}")}"}}',
            envelope('{"code":"10000","code":"10000"}'),
            envelope("[" * 100_000),
            envelope(TRADE).replace('"sign":"', '"sign":["').replace('"}', '"]}'),
            envelope(TRADE).encode("utf-16"),
            b"\xff" * 10,
            " " * 300_000,
        ],
        ids=range(19),
    )
    def test_not_signed_by_alipay(self, said, raw):
        with pytest.raises(PlatformUnavailable):
            said(raw).query(out_trade_no=NUMBER)

    def test_unsigned_refusal_is_believed_of_our_request_only(self, said):
        """An outsider's unsigned no about the trade must not make us give up on it."""
        name = "alipay_trade_query_response"
        of_request = {"code": "40002", "sub_code": "isv.invalid-signature"}
        of_trade = {"code": "40004", "sub_code": "ACQ.TRADE_NOT_EXIST"}

        with pytest.raises(PlatformRefused) as raised:
            said(json.dumps({name: of_request})).query(out_trade_no=NUMBER)
        assert raised.value.vendor_code == "isv.invalid-signature"
        with pytest.raises(PlatformUnavailable):
            said(json.dumps({name: of_trade})).query(out_trade_no=NUMBER)

    @pytest.mark.parametrize(
        "answer",
        [
            {"code": "20000", "sub_code": "isp.unknow-error"},
            {"code": "20000", "sub_code": "ACQ.INVALID_PARAMETER"},
            {"code": "40004", "sub_code": "ACQ.SYSTEM_ERROR"},
            {"code": "40004", "sub_code": "aop.unknow-error"},
            {"code": "40004", "sub_code": "<script>"},
            {"code": ["x"]},
            {},
        ],
        ids=str,
    )
    def test_signed_trouble_is_no_refusal(self, said, answer):
        with pytest.raises(PlatformUnavailable):
            said(envelope(answer)).query(out_trade_no=NUMBER)

    def test_redirect_is_not_followed(self, said, odd_platform):
        channel = said("")
        odd_platform.answer = (302, {"Location": f"{odd_platform.url}/elsewhere"}, b"")

        with pytest.raises(PlatformUnavailable):
            channel.query(out_trade_no=NUMBER)
        assert len(odd_platform.seen) == 1

    def test_business_content_is_not_in_the_address(self, alipay, order, simulator):
        """Addresses are logged by proxies."""
        alipay.open_order(order)

        assert "biz_content" not in simulator.journal()[-1]["query"]


class TestSplitAnswer:
    def test_keeps_each_value_as_it_was_written(self):
        assert split_answer(' { "a" : {"b": "}" , "c":1.10} ,"sign":"x"} ') == {
            "a": '{"b": "}" , "c":1.10}',
            "sign": '"x"',
        }

    @pytest.mark.parametrize("text", ['{"a":1,"a":2}', '{"a":1}}', '{"a" 1}', '{"a":1,}', "{1:1}"])
    def test_no_object(self, text):
        with pytest.raises(ValueError, match=r"."):
            split_answer(text)


def refund_of(**changes):
    refund = RefundToSend(
        refund_no=REFUND,
        out_trade_no=NUMBER,
        amount_fen=2345,
        total_fen=12345,
        reason="多收",
    )
    return replace(refund, **changes)


class TestRefunds:
    def test_goes_by_our_number(self, alipay, pay, simulator):
        pay()
        alipay.refund(refund_of(reason="退{多}收=" + "长" * 300))

        biz = sent(simulator)
        assert (biz["out_request_no"], biz["refund_amount"]) == (REFUND, "23.45")
        assert biz["refund_reason"].startswith("退 多 收 长")
        assert len(biz["refund_reason"]) == 256

    def test_money_that_did_not_move_now_is_asked_about(self, alipay, pay, simulator):
        pay()
        alipay.refund(refund_of())

        again = alipay.refund(refund_of())

        assert (again.word, again.amount_fen) == (RefundWord.SUCCESS, 2345)
        methods = [one["query"]["method"] for one in simulator.journal()[-2:]]
        assert methods == ["alipay.trade.refund", "alipay.trade.fastpay.refund.query"]

    @pytest.mark.parametrize("change", ["N", "", None, "y"])
    def test_success_is_believed_only_with_fund_change(self, said, odd_platform, change):
        """Its answer to the query that follows is of another method, so that it is not believed."""
        answer = {"code": "10000", "out_trade_no": NUMBER, "fund_change": change}

        with pytest.raises(PlatformUnavailable):
            said(envelope(answer, "alipay.trade.refund")).refund(refund_of())
        assert len(odd_platform.seen) == 2

    def test_answer_about_another_order(self, said):
        answer = {"code": "10000", "out_trade_no": "P2", "fund_change": "Y"}

        with pytest.raises(PlatformUnavailable):
            said(envelope(answer, "alipay.trade.refund")).refund(refund_of())

    def test_query(self, said):
        channel = said(envelope(BACK, "alipay.trade.fastpay.refund.query"))

        found = channel.query_refund(refund_no=REFUND, out_trade_no=NUMBER)

        assert (found.word, found.amount_fen) == (RefundWord.SUCCESS, 2345)

    @pytest.mark.parametrize(
        "change", [{"refund_status": None}, {"refund_status": ""}, {"refund_status": "x"}], ids=str
    )
    def test_without_the_word_there_is_none(self, said, change):
        channel = said(envelope({**BACK, **change}, "alipay.trade.fastpay.refund.query"))

        found = channel.query_refund(refund_no=REFUND, out_trade_no=NUMBER)

        assert (found.word, found.amount_fen) == (RefundWord.ABSENT, None)

    @pytest.mark.parametrize(
        "change",
        [
            {"out_trade_no": "P2"},
            {"out_request_no": "R2"},
            {"refund_amount": None},
            {"refund_amount": "-1.00"},
            {"refund_amount": "0.00"},
            {"gmt_refund_pay": "yesterday"},
        ],
        ids=str,
    )
    def test_answer_that_is_not_of_this_refund(self, said, change):
        channel = said(envelope({**BACK, **change}, "alipay.trade.fastpay.refund.query"))

        with pytest.raises(PlatformUnavailable):
            channel.query_refund(refund_no=REFUND, out_trade_no=NUMBER)
