"""WeChat Pay against the simulator: orders, doubt, and notices that are not the platform's."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from wechatpayv3 import WeChatPay as Sdk
from wechatpayv3.core import Core

from domain.errors import PlatformRefused, PlatformUnavailable
from domain.payment_states import PaymentChannel, PayWay
from gateways.merchant_accounts import read_accounts
from gateways.pay_channels import MerchantChannels
from gateways.pay_probes import PayProbe
from services.pay_ports import NoticeRefused, OrderToOpen, TradeState
from settings import SettingsMissing

PHONE = "19900000001"
NUMBER = "P20261124000001"
JSAPI = "/v3/pay/transactions/jsapi"
QUERY = f"/v3/pay/transactions/out-trade-no/{NUMBER}"
CLOSE = f"{QUERY}/close"

NO_USABLE_ANSWER = [
    {"status": 500},
    {"status": 502},
    {"status": 403},
    {"html": True},
    {"truncated_json": True},
    {"reset": True},
    {"lost_answer": True},
    {"unsigned": True},
    {"badly_signed": True},
    {"pay_error": {"status": 500, "code": "SYSTEM_ERROR"}},
    {"pay_error": {"status": 503, "code": "SERVICE_UNAVAILABLE"}},
]


@pytest.fixture
def make(settings, clock):
    """The default account made from the settings with some changed."""

    def make(**changes):
        accounts = read_accounts(replace(settings, **changes))
        return MerchantChannels(accounts=accounts, clock=clock).default(PaymentChannel.WECHAT)

    return make


@pytest.fixture
def channel(make, simulator):
    return make()


@pytest.fixture
def order(simulator, clock):
    return OrderToOpen(
        out_trade_no=NUMBER,
        amount_fen=12345,
        description="翠湖花园 1栋101 物业费",
        way=PayWay.MINIAPP,
        expires_at=clock.now() + timedelta(minutes=30),
        openid=simulator.person()["openid_miniapp"],
    )


def pay(simulator, **more):
    return simulator.post(f"pay/{NUMBER}", {"callbacks": "hold", **more})


class TestOpen:
    def test_jsapi(self, channel, simulator, order, settings):
        assert channel.open_order(order).startswith("wx")

        body = simulator.journal(JSAPI)[0]["body"]
        beijing = (order.expires_at + timedelta(hours=8)).strftime("%Y-%m-%dT%H:%M:%S+08:00")
        assert body == {
            "notify_url": "https://anju.example/notify/wechatpay",
            "description": order.description,
            "out_trade_no": NUMBER,
            "amount": {"total": 12345, "currency": "CNY"},
            "payer": {"openid": order.openid},
            "time_expire": beijing,
            "appid": settings.wechat_miniapp_appid,
            "mchid": settings.wechatpay_mchid,
        }

    def test_same_number_and_parameters_open_again(self, channel, simulator, order):
        first, again = channel.open_order(order), channel.open_order(order)

        assert first != again
        assert len(simulator.get("orders")) == 1

    def test_same_number_with_another_amount(self, channel, order):
        channel.open_order(order)

        with pytest.raises(PlatformRefused) as raised:
            channel.open_order(replace(order, amount_fen=1))

        assert raised.value.vendor_code == "OUT_TRADE_NO_USED"

    def test_paid_number(self, channel, simulator, order):
        channel.open_order(order)
        pay(simulator)

        with pytest.raises(PlatformRefused) as raised:
            channel.open_order(order)

        assert raised.value.vendor_code == "ORDERPAID"

    def test_openid_of_another_app(self, channel, simulator, order):
        with pytest.raises(PlatformRefused) as raised:
            channel.open_order(replace(order, openid=simulator.person()["openid_official"]))

        assert raised.value.vendor_code == "PARAM_ERROR"

    def test_long_description_is_cut(self, channel, simulator, order):
        channel.open_order(replace(order, description="费" * 200))

        assert len(simulator.journal(JSAPI)[0]["body"]["description"]) == 127

    @pytest.mark.parametrize("action", NO_USABLE_ANSWER, ids=str)
    def test_effect_unknown(self, channel, simulator, order, action):
        simulator.fault(host="pay", path=JSAPI, **action)

        with pytest.raises(PlatformUnavailable):
            channel.open_order(order)

        assert [entry["path"] for entry in simulator.journal()] == [JSAPI]

    @pytest.mark.parametrize("action", [{"lost_answer": True}, {"badly_signed": True}], ids=str)
    def test_order_whose_answer_was_lost_is_found(self, channel, simulator, order, action):
        simulator.fault(host="pay", path=JSAPI, **action)
        with pytest.raises(PlatformUnavailable):
            channel.open_order(order)

        assert channel.query(out_trade_no=NUMBER).state is TradeState.NOTPAY
        assert channel.open_order(order)

    def test_too_frequent(self, channel, simulator, order):
        error = {"status": 429, "code": "FREQUENCY_LIMITED"}
        simulator.fault(host="pay", path=JSAPI, pay_error=error)

        with pytest.raises(PlatformUnavailable) as raised:
            channel.open_order(order)

        assert raised.value.retry_after_s == 60

    @pytest.mark.parametrize(
        ("status", "code"), [(400, "PARAM_ERROR"), (401, "SIGN_ERROR"), (403, "NO_AUTH")]
    )
    def test_no(self, channel, simulator, order, status, code):
        simulator.fault(host="pay", path=JSAPI, pay_error={"status": status, "code": code})

        with pytest.raises(PlatformRefused) as raised:
            channel.open_order(order)

        assert raised.value.vendor_code == code

    @pytest.mark.parametrize("code", ["", "<script>", "x" * 100, "小"])
    def test_refusal_without_a_plain_code_is_none(self, channel, simulator, order, code):
        simulator.fault(host="pay", path=JSAPI, pay_error={"status": 400, "code": code})

        with pytest.raises(PlatformUnavailable):
            channel.open_order(order)

    def test_signed_answer_without_a_prepay_id(self, channel, simulator, order):
        simulator.fault(host="pay", path=JSAPI, pay_error={"status": 200, "code": "OK"})

        with pytest.raises(PlatformUnavailable):
            channel.open_order(order)

    def test_slow_answer(self, make, order, odd_platform):
        channel = make(wechatpay_api_base=odd_platform.url)
        channel._calls.sdk._core._timeout = (3, 0.1)
        odd_platform.gate.clear()

        with pytest.raises(PlatformUnavailable):
            channel.open_order(order)

        assert odd_platform.seen == [JSAPI]

    def test_nobody_listens(self, make, order):
        channel = make(wechatpay_api_base="http://127.0.0.1:9")

        with pytest.raises(PlatformUnavailable):
            channel.open_order(order)


class TestTicket:
    def test_pays(self, channel, simulator, order, clock):
        ticket = channel.sign_ticket(
            way=PayWay.MINIAPP, prepay_id=channel.open_order(order), now=clock.now()
        )

        paid = simulator.post(
            "pay_ticket",
            {
                "appId": ticket.appid,
                "timeStamp": ticket.time_stamp,
                "nonceStr": ticket.nonce_str,
                "package": ticket.package,
                "signType": ticket.sign_type,
                "paySign": ticket.pay_sign,
                "callbacks": "hold",
            },
        )

        assert paid["trade_state"] == "SUCCESS"
        assert ticket.time_stamp == str(int(clock.now().timestamp()))

    def test_calls_nobody(self, channel, simulator, clock):
        first = channel.sign_ticket(way=PayWay.MINIAPP, prepay_id="wx1", now=clock.now())
        other = channel.sign_ticket(way=PayWay.MINIAPP, prepay_id="wx1", now=clock.now())

        assert simulator.journal() == []
        assert first.nonce_str != other.nonce_str


class TestQuery:
    def test_unpaid(self, channel, order):
        channel.open_order(order)

        trade = channel.query(out_trade_no=NUMBER)

        assert trade.state is TradeState.NOTPAY
        assert trade.out_trade_no == NUMBER
        assert trade.amount_fen is None

    def test_paid(self, channel, simulator, order, settings):
        channel.open_order(order)
        paid = pay(simulator)

        trade = channel.query(out_trade_no=NUMBER)

        assert trade.state is TradeState.SUCCESS
        assert trade.mchid == settings.wechatpay_mchid == channel.mchid
        assert trade.appid == settings.wechat_miniapp_appid == channel.appid_for(PayWay.MINIAPP)
        assert trade.transaction_id == paid["transaction_id"]
        assert trade.amount_fen == 12345
        assert trade.currency == "CNY"
        assert trade.payer_openid == order.openid
        assert trade.paid_at == datetime.fromisoformat(paid["success_time"]).astimezone(UTC)

    def test_unknown_number(self, channel):
        trade = channel.query(out_trade_no=NUMBER)

        assert trade.state is TradeState.ABSENT
        assert trade.out_trade_no == NUMBER

    def test_refused_question(self, channel, simulator):
        error = {"status": 401, "code": "SIGN_ERROR"}
        simulator.fault(host="pay", path=QUERY, pay_error=error)

        with pytest.raises(PlatformRefused) as raised:
            channel.query(out_trade_no=NUMBER)

        assert raised.value.vendor_code == "SIGN_ERROR"

    @pytest.mark.parametrize("action", NO_USABLE_ANSWER, ids=str)
    def test_no_usable_answer(self, channel, simulator, order, action):
        channel.open_order(order)
        simulator.fault(host="pay", path=QUERY, **action)

        with pytest.raises(PlatformUnavailable):
            channel.query(out_trade_no=NUMBER)

    def test_signed_answer_that_is_no_trade(self, channel, simulator):
        simulator.fault(host="pay", path=QUERY, pay_error={"status": 200, "code": "OK"})

        with pytest.raises(PlatformUnavailable):
            channel.query(out_trade_no=NUMBER)

    def test_answer_about_another_order(self, channel, order):
        channel.open_order(order)
        query = channel._calls.sdk.query
        channel._calls.sdk.query = lambda out_trade_no: query(out_trade_no=NUMBER)

        with pytest.raises(PlatformUnavailable):
            channel.query(out_trade_no="P20261124000002")

    @pytest.mark.parametrize(
        "number", ["", "P1", "P" * 33, "../../certificates", "P2026?x=1", "号" * 8]
    )
    def test_number_that_is_none_never_leaves(self, channel, simulator, order, number):
        for ask in (
            lambda: channel.query(out_trade_no=number),
            lambda: channel.close(out_trade_no=number),
            lambda: channel.open_order(replace(order, out_trade_no=number)),
        ):
            with pytest.raises(PlatformRefused):
                ask()

        assert simulator.journal() == []


class TestClose:
    def test_unpaid(self, channel, order):
        channel.open_order(order)

        channel.close(out_trade_no=NUMBER)

        assert channel.query(out_trade_no=NUMBER).state is TradeState.CLOSED

    def test_closed(self, channel, order):
        channel.open_order(order)
        channel.close(out_trade_no=NUMBER)

        channel.close(out_trade_no=NUMBER)

    def test_absent(self, channel):
        channel.close(out_trade_no=NUMBER)

    def test_paid_meanwhile(self, channel, simulator, order):
        channel.open_order(order)
        pay(simulator)

        with pytest.raises(PlatformRefused) as raised:
            channel.close(out_trade_no=NUMBER)

        assert raised.value.vendor_code == "ORDERPAID"

    @pytest.mark.parametrize(
        "action",
        [{"unsigned": True}, {"badly_signed": True}, {"lost_answer": True}, {"status": 502}],
    )
    def test_effect_unknown(self, channel, simulator, order, action):
        channel.open_order(order)
        simulator.fault(host="pay", path=CLOSE, **action)

        with pytest.raises(PlatformUnavailable):
            channel.close(out_trade_no=NUMBER)


class TestReadNotice:
    def test_notice_of_a_payment(self, channel, simulator, order, clock):
        channel.open_order(order)
        paid = pay(simulator)
        notice = simulator.get("outbox")[0]

        trade = channel.read_notice(
            headers=notice["headers"], body=notice["body"].encode(), received_at=clock.now()
        )

        assert trade == channel.query(out_trade_no=NUMBER)
        assert trade.transaction_id == paid["transaction_id"]

    @pytest.mark.parametrize(
        ("overrides", "field", "value"),
        [
            ({"appid": "wx9"}, "appid", "wx9"),
            ({"amount_fen": 1}, "amount_fen", 1),
            ({"currency": "USD"}, "currency", "USD"),
            ({"openid": "o9"}, "payer_openid", "o9"),
            ({"extra": {"new_field": 1}}, "state", TradeState.SUCCESS),
        ],
    )
    def test_compares_nothing_of_ours(self, channel, simulator, clock, overrides, field, value):
        made = simulator.post("craft/pay_callback", {"overrides": overrides})

        trade = channel.read_notice(
            headers=made["headers"], body=made["body"].encode(), received_at=clock.now()
        )

        assert getattr(trade, field) == value

    @pytest.mark.parametrize(
        ("fault", "reasons"),
        [
            ("wrong_key", {"signature"}),
            ("tampered_body", {"signature"}),
            ("missing_headers", {"header_missing"}),
            ("unknown_serial", {"serial_unknown"}),
            ("foreign_pub_key_id", {"serial_unknown"}),
            ("signtest", {"signature", "signature_form"}),
            ("bad_signature", {"signature"}),
            ("not_base64", {"signature_form", "header_form"}),
            ("empty_signature", {"header_form"}),
            ("empty_serial", {"header_form"}),
            ("no_serial", {"header_missing"}),
            ("no_nonce", {"header_missing"}),
            ("no_timestamp", {"header_missing"}),
            ("no_signature_type", {"header_missing"}),
            ("bad_timestamp", {"timestamp_form"}),
            ("other_algorithm", {"signature_type"}),
            ("not_json", {"json"}),
            ("no_resource", {"resource"}),
            ("array_body", {"json"}),
            ("wrong_aes_key", {"decryption"}),
            ("stale:305", {"stale"}),
            ("stale:-305", {"stale"}),
            ("stale:3600", {"stale"}),
        ],
    )
    def test_fault_is_refused_without_a_call(self, channel, simulator, clock, fault, reasons):
        made = simulator.post("craft/pay_callback", {"faults": [fault]})

        with pytest.raises(NoticeRefused) as raised:
            channel.read_notice(
                headers=made["headers"], body=made["body"].encode(), received_at=clock.now()
            )

        assert raised.value.reason in reasons
        assert simulator.journal() == []

    @pytest.mark.parametrize(
        "overrides",
        [
            {"amount_fen": True},
            {"amount_fen": "12345"},
            {"amount_fen": 123.5},
            {"success_time": "2026-11-24T10:00:00"},
            {"transaction_id": None},
            {"payer": None},
        ],
        ids=str,
    )
    def test_field_of_another_type(self, channel, simulator, clock, overrides):
        made = simulator.post("craft/pay_callback", {"overrides": overrides})

        with pytest.raises(NoticeRefused, match="shape"):
            channel.read_notice(
                headers=made["headers"], body=made["body"].encode(), received_at=clock.now()
            )

    def test_notice_of_another_kind(self, channel, simulator, clock):
        made = simulator.post("craft/pay_callback", {"event_type": "COUPON.USE"})

        with pytest.raises(NoticeRefused, match="event_type"):
            channel.read_notice(
                headers=made["headers"], body=made["body"].encode(), received_at=clock.now()
            )

    def test_payment_told_as_a_refund(self, channel, simulator, clock):
        made = simulator.post("craft/pay_callback", {"event_type": "REFUND.SUCCESS"})

        with pytest.raises(NoticeRefused, match="refund_status"):
            channel.read_notice(
                headers=made["headers"], body=made["body"].encode(), received_at=clock.now()
            )

    def test_notice_that_names_another_merchant(self, channel, simulator, clock):
        made = simulator.post("craft/pay_callback", {"overrides": {"mchid": "1900000000"}})

        with pytest.raises(NoticeRefused, match="other_merchant"):
            channel.read_notice(
                headers=made["headers"], body=made["body"].encode(), received_at=clock.now()
            )

    def test_notice_of_another_tenant(self, channel, simulator, clock):
        made = simulator.post("craft/pay_callback", {"tenant": "foreign"})

        with pytest.raises(NoticeRefused, match="serial_unknown"):
            channel.read_notice(
                headers=made["headers"], body=made["body"].encode(), received_at=clock.now()
            )

    def test_the_sdk_alone_would_ask_the_network(self, make, simulator):
        """Why the SDK's callback is not used: an outsider's serial makes it call out."""
        made = simulator.post("craft/pay_callback", {"faults": ["unknown_serial"]})
        channel = make()
        core = channel._calls.sdk._core
        del core._verify_signature
        del core._update_certificates

        assert channel._calls.sdk.callback(made["headers"], made["body"]) is None
        assert [entry["path"] for entry in simulator.journal()] == ["/v3/certificates"]


class TestAnswers:
    def test_answer_by_another_key_asks_for_no_certificate(self, channel, simulator):
        made = simulator.post("craft/pay_callback", {"faults": ["unknown_serial"]})

        with pytest.raises(NoticeRefused, match="serial_unknown"):
            channel._calls.sdk._core._verify_signature(made["headers"], made["body"])

        assert simulator.journal() == []

    def test_sdk_may_not_fetch_certificates(self, channel, simulator):
        with pytest.raises(NoticeRefused):
            channel._calls.sdk._core._update_certificates()

        assert simulator.journal() == []


class TestConstruction:
    def test_calls_nobody(self, channel, simulator):
        assert simulator.journal() == []

    @pytest.mark.parametrize(
        ("field", "value", "name"),
        [
            ("wechatpay_public_key", "rubbish", "WECHATPAY_PUBLIC_KEY"),
            ("wechatpay_private_key", "rubbish", "WECHATPAY_PRIVATE_KEY"),
            ("wechatpay_apiv3_key", "x" * 31, "WECHATPAY_APIV3_KEY"),
        ],
    )
    def test_key_that_cannot_be_read(self, make, field, value, name):
        with pytest.raises(SettingsMissing, match=name):
            make(**{field: value})

    @pytest.mark.parametrize("name", ["_verify_signature", "_update_certificates"])
    def test_another_sdk_is_noticed(self, make, monkeypatch, name):
        monkeypatch.delattr(Core, name)

        with pytest.raises(RuntimeError, match=name):
            make()

    def test_sdk_has_a_time_limit_and_no_logger(self, channel):
        assert isinstance(channel._calls.sdk, Sdk)
        assert channel._calls.sdk._core._timeout == (3, 8)
        assert channel._calls.sdk._core._logger is None


class TestProbe:
    def test_works(self, gateways, settings):
        assert settings.wechatpay_mchid in gateways.probes[2].check()

    def test_wrong_serial(self, make, clock, simulator):
        channel = make(wechatpay_cert_serial="0" * 40)

        with pytest.raises(PlatformRefused, match="SIGN_ERROR"):
            PayProbe("微信支付", channel, clock).check()

    def test_order_that_cannot_exist_exists(self, channel, order, clock):
        channel.open_order(replace(order, out_trade_no="ANJUPROBE0000000000"))

        with pytest.raises(PlatformRefused):
            PayProbe("微信支付", channel, clock).check()
