"""What is believed of Alipay's notices: each check on its own, and as the simulator crafts them."""

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlencode

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1, SHA256

from gateways.merchant_accounts import AlipayAccount, MerchantAccounts, read_accounts
from gateways.pay_channels import MerchantChannels
from services.pay_ports import ChannelRefund, NoticeRefused, RefundWord, TradeState

NOW = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
PLATFORM = rsa.generate_private_key(public_exponent=65537, key_size=2048)
STRANGER = rsa.generate_private_key(public_exponent=65537, key_size=2048)
ACCOUNT = AlipayAccount(
    app_id="2021000000000001",
    seller_id="2088000000000001",
    api_base="https://alipay.example/gateway.do",
    notify_url="https://anju.example/notify/alipay",
    public_key=PLATFORM.public_key(),
    private_key=STRANGER,
)
PAYMENT = {
    "notify_time": "2026-11-24 10:00:00",
    "notify_id": "1" * 34,
    "app_id": ACCOUNT.app_id,
    "charset": "utf-8",
    "trade_no": "2026112422001400000001",
    "out_trade_no": "P20261124000001",
    "seller_id": ACCOUNT.seller_id,
    "trade_status": "TRADE_SUCCESS",
    "total_amount": "123.45",
    "subject": "物业费 +%&=😀{",
    "gmt_payment": "2026-11-24 09:59:58",
}
REFUND = {
    **PAYMENT,
    "refund_fee": "23.45",
    "gmt_refund": "2026-11-24 09:59:59.123",
    "out_biz_no": "R20261124000001",
}


def sign(fields, key=PLATFORM, kind=SHA256):
    text = "&".join(f"{name}={fields[name]}" for name in sorted(fields))
    return base64.b64encode(key.sign(text.encode(), PKCS1v15(), kind())).decode()


def signed(fields, **more):
    return {**fields, "sign": sign(fields, **more), "sign_type": "RSA2"}


class Clock:
    def now(self):
        return NOW


def channels(*accounts):
    return MerchantChannels(accounts=MerchantAccounts((), accounts or (ACCOUNT,)), clock=Clock())


def read(form, *, received_at=NOW, accounts=()):
    body = form if isinstance(form, bytes) else urlencode(form).encode()
    return channels(*accounts).read_alipay_notice(body=body, received_at=received_at)


def refusal(form, **more):
    with pytest.raises(NoticeRefused) as raised:
        read(form, **more)
    return raised.value.reason


class TestPayment:
    def test_right_notice(self):
        trade = read(signed(PAYMENT))

        assert (trade.channel, trade.mchid) == ("alipay", ACCOUNT.seller_id)
        assert trade.appid == ACCOUNT.app_id
        assert trade.out_trade_no == "P20261124000001"
        assert trade.state is TradeState.SUCCESS
        assert trade.transaction_id == "2026112422001400000001"
        assert (trade.amount_fen, trade.currency) == (12345, "CNY")
        assert trade.paid_at == datetime(2026, 11, 24, 1, 59, 58, tzinfo=UTC)

    @pytest.mark.parametrize(
        ("change", "state"),
        [
            ({"trade_status": "TRADE_FINISHED"}, TradeState.SUCCESS),
            ({"trade_status": "WAIT_BUYER_PAY"}, TradeState.NOTPAY),
            ({"trade_status": "TRADE_CLOSED", "gmt_payment": ""}, TradeState.CLOSED),
            ({"trade_status": "TRADE_CLOSED"}, TradeState.REFUND),
            ({"trade_status": "WAIT"}, TradeState.OTHER),
        ],
        ids=str,
    )
    def test_states(self, change, state):
        assert read(signed({**PAYMENT, **change})).state is state

    def test_no_money_moved(self):
        trade = read(signed({**PAYMENT, "trade_status": "WAIT_BUYER_PAY"}))

        assert (trade.amount_fen, trade.paid_at, trade.transaction_id) == (None, None, "")

    def test_new_fields_are_no_trouble(self):
        assert read(signed({**PAYMENT, "new_field": "新"})).amount_fen == 12345

    def test_of_the_second_app(self):
        second = replace(ACCOUNT, app_id="2021000000000002", seller_id="2088000000000002")
        notice = {**PAYMENT, "app_id": second.app_id, "seller_id": second.seller_id}

        assert read(signed(notice), accounts=(ACCOUNT, second)).mchid == second.seller_id


class TestRefund:
    def test_is_told_apart_from_a_payment(self):
        refund = read(signed(REFUND))

        assert refund == ChannelRefund(
            channel="alipay",
            mchid=ACCOUNT.seller_id,
            out_trade_no="P20261124000001",
            refund_no="R20261124000001",
            word=RefundWord.SUCCESS,
            refunded_at=datetime(2026, 11, 24, 1, 59, 59, tzinfo=UTC),
        )

    @pytest.mark.parametrize("state", ["TRADE_SUCCESS", "TRADE_CLOSED", "TRADE_FINISHED"])
    def test_in_any_state_of_the_trade(self, state):
        assert isinstance(read(signed({**REFUND, "trade_status": state})), ChannelRefund)

    def test_without_our_number(self):
        without = {name: value for name, value in REFUND.items() if name != "out_biz_no"}

        assert read(signed(without)).refund_no == ""

    @pytest.mark.parametrize("mark", ["refund_fee", "gmt_refund", "out_biz_no"])
    def test_one_mark_alone_is_no_payment(self, mark):
        """Or a refund would be booked as if it had been paid."""
        notice = {**PAYMENT, mark: REFUND[mark]}

        assert refusal(signed(notice)) == "shape"

    @pytest.mark.parametrize(
        "change",
        [{"refund_fee": ""}, {"refund_fee": "-1.00"}, {"gmt_refund": ""}, {"out_trade_no": ""}],
        ids=str,
    )
    def test_field_does_not_fit(self, change):
        assert refusal(signed({**REFUND, **change})) == "shape"


class TestTampering:
    @pytest.mark.parametrize("name", sorted(REFUND))
    @pytest.mark.parametrize("change", ["changed", "left out", "longer"])
    def test_any_one_field(self, name, change):
        form = signed(REFUND)
        if change == "left out":
            del form[name]
        else:
            form[name] = "1" if change == "changed" else form[name] + " "

        assert refusal(form) in ("signature", "app_unknown")

    def test_field_more(self):
        assert refusal({**signed(PAYMENT), "extra": "1"}) == "signature"

    def test_fields_that_join_to_the_same_text(self):
        """Signed was ``a=1&b=2``; sent is ``a`` with the value ``1&b=2``."""
        form = signed(PAYMENT)
        total = form.pop("total_amount")
        form["subject"] += f"&total_amount={total}"

        # What is signed is the same text, so that the absent field must be missed by itself.
        assert refusal(form) == "shape"

    @pytest.mark.parametrize("kind", ["RSA", "rsa2", "", "none"])
    def test_another_kind_of_signature(self, kind):
        assert refusal({**signed(PAYMENT), "sign_type": kind}) == "sign_type"

    def test_sha1(self):
        assert refusal(signed(PAYMENT, kind=SHA1)) == "signature"

    def test_another_key(self):
        assert refusal(signed(PAYMENT, key=STRANGER)) == "signature"

    @pytest.mark.parametrize("value", ["", "AAAA", "*", "号", "=" * 344])
    def test_signature_that_is_none(self, value):
        assert refusal({**signed(PAYMENT), "sign": value}) == "signature"

    @pytest.mark.parametrize("name", ["sign", "sign_type"])
    def test_signature_is_missing(self, name):
        form = signed(PAYMENT)
        del form[name]

        assert refusal(form) in ("signature", "sign_type")

    @pytest.mark.parametrize("name", ["total_amount", "sign", "out_trade_no", "new_field"])
    def test_repeated_field(self, name):
        pairs = [*signed(PAYMENT).items(), (name, "x")]
        if name == "new_field":
            pairs.append((name, "x"))

        assert refusal(urlencode(pairs).encode()) == "form"

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"&",
            b"no form",
            b'{"app_id": "2021000000000001"}',
            "app_id=号".encode(),
            b"app_id=%ff",
            b"&".join(b"f%d=1" % number for number in range(101)),
        ],
        ids=["empty", "mark", "text", "json", "bare", "bytes", "many"],
    )
    def test_no_form(self, body):
        assert refusal(body) == "form"

    @pytest.mark.parametrize("size", [64 * 1024 + 1, 10_000_000])
    def test_too_large(self, size):
        assert refusal(b"a=" + b"x" * (size - 2)) == "too_large"

    def test_another_app(self):
        assert refusal(signed({**PAYMENT, "app_id": "2021000000000009"})) == "app_unknown"

    @pytest.mark.parametrize("seller", ["2088000000000009", "", ACCOUNT.seller_id + "0"])
    def test_another_seller(self, seller):
        assert refusal(signed({**PAYMENT, "seller_id": seller})) == "seller"

    def test_seller_of_another_app_of_ours(self):
        second = replace(ACCOUNT, app_id="2021000000000002", seller_id="2088000000000002")
        notice = signed({**PAYMENT, "seller_id": second.seller_id})

        assert refusal(notice, accounts=(ACCOUNT, second)) == "seller"

    def test_another_charset(self):
        assert refusal(signed({**PAYMENT, "charset": "gbk"})) == "charset"

    @pytest.mark.parametrize(
        ("age", "is_fresh"),
        [
            (timedelta(hours=26), True),
            (timedelta(hours=-26), True),
            (timedelta(hours=26, seconds=1), False),
            (timedelta(hours=-26, seconds=-1), False),
            (timedelta(days=3650), False),
        ],
        ids=str,
    )
    def test_age(self, age, is_fresh):
        if is_fresh:
            assert read(signed(PAYMENT), received_at=NOW + age).amount_fen == 12345
        else:
            assert refusal(signed(PAYMENT), received_at=NOW + age) == "stale"

    @pytest.mark.parametrize(
        "change",
        [
            {"notify_time": "now"},
            {"notify_time": "2026-02-30 10:00:00"},
            {"notify_time": "0001-01-01 00:00:00"},
            {"notify_time": "２０26-11-24 10:00:00"},
            {"total_amount": "123.456"},
            {"total_amount": "1.2e2"},
            {"total_amount": "-123.45"},
            {"total_amount": "0.00"},
            {"total_amount": "１２３.45"},
            {"total_amount": "NaN"},
            {"gmt_payment": ""},
            {"gmt_payment": "2026-11-24T10:00:00"},
            {"trade_no": ""},
            {"out_trade_no": "P1\n"},
            {"trade_status": ""},
        ],
        ids=str,
    )
    def test_rightly_signed_field_does_not_fit(self, change):
        assert refusal(signed({**PAYMENT, **change})) == "shape"


@pytest.fixture
def registry(settings, clock):
    return MerchantChannels(accounts=read_accounts(settings), clock=clock)


class TestAgainstTheSimulator:
    def craft(self, simulator, **asked):
        return simulator.post("craft/alipay_notice", asked)["body"].encode()

    def test_payment(self, registry, simulator, clock, settings):
        body = self.craft(simulator, overrides={"amount_fen": 500})

        trade = registry.read_alipay_notice(body=body, received_at=clock.now())

        assert (trade.mchid, trade.amount_fen) == (settings.alipay_seller_id, 500)
        assert simulator.journal() == []

    def test_refund(self, registry, simulator, clock):
        body = self.craft(simulator, refund={"amount_fen": 1, "out_request_no": "R1234567"})

        refund = registry.read_alipay_notice(body=body, received_at=clock.now())

        assert (refund.refund_no, refund.word) == ("R1234567", RefundWord.SUCCESS)

    @pytest.mark.parametrize(
        ("fault", "reason"),
        [
            ("bad_signature", "signature"),
            ("tampered_amount", "signature"),
            ("tampered_status", "signature"),
            ("tampered_number", "signature"),
            ("sign_type_rsa", "sign_type"),
            ("no_sign", "signature"),
            ("no_sign_type", "sign_type"),
            ("empty_sign", "signature"),
            ("not_base64", "signature"),
            ("wrong_key", "signature"),
            ("foreign_app_id", "app_unknown"),
            ("foreign_seller_id", "seller"),
        ],
    )
    def test_fault(self, registry, simulator, clock, fault, reason):
        body = self.craft(simulator, faults=[fault])

        with pytest.raises(NoticeRefused) as raised:
            registry.read_alipay_notice(body=body, received_at=clock.now())

        assert raised.value.reason == reason
        assert simulator.journal() == []

    def test_another_tenants(self, registry, simulator, clock):
        body = self.craft(simulator, tenant="foreign")

        with pytest.raises(NoticeRefused, match="app_unknown"):
            registry.read_alipay_notice(body=body, received_at=clock.now())

    def test_every_field_of_it_is_signed(self, registry, simulator, clock):
        pairs = parse_qsl(self.craft(simulator).decode())
        for place, (name, value) in enumerate(pairs):
            changed = [*pairs[:place], (name, value + "1"), *pairs[place + 1 :]]

            with pytest.raises(NoticeRefused):
                registry.read_alipay_notice(
                    body=urlencode(changed).encode(), received_at=clock.now()
                )
