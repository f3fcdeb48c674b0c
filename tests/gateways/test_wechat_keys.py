"""WeChat Pay by platform certificates, during a switch, and with several merchants."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from domain.errors import PlatformRefused, PlatformUnavailable
from domain.payment_states import PaymentChannel, PayWay
from gateways.merchant_accounts import MerchantAccounts, WechatAccount, read_accounts
from gateways.pay_channels import MerchantChannels
from gateways.pay_probes import PayProbe
from gateways.platform_keys import read_certificates
from services.pay_ports import (
    ChannelRefund,
    NoticeRefused,
    OrderToOpen,
    RefundWord,
    TradeState,
)

NUMBER = "P20261124000001"
NOW = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
MERCHANT_KEYS = {"1600000001": "a" * 32, "1600000002": "b" * 32}
PLATFORM = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def certificate(key=PLATFORM, *, serial=0xABC123, start=NOW - timedelta(days=30), days=365):
    """A certificate as PEM."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Tenpay.com sign")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=days))
        .sign(key, SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()


@pytest.fixture
def make(settings, clock):
    """The registry made from the settings with some changed."""

    def make(**changes):
        accounts = read_accounts(replace(settings, **changes))
        return MerchantChannels(accounts=accounts, clock=clock)

    return make


@pytest.fixture
def by_certificate(make, simulator):
    """The registry of a merchant that knows no public key, on a platform that has none."""
    simulator.post("key_mode", {"mode": "cert"})
    return make(wechatpay_public_key="", wechatpay_public_key_id="")


def wechat(channels):
    return channels.default(PaymentChannel.WECHAT)


def sent_serial(simulator):
    headers = {name.lower(): value for name, value in simulator.journal()[-1]["headers"].items()}
    return headers.get("wechatpay-serial")


def read(channels, made, received_at):
    return channels.read_wechat_notice(
        headers=made["headers"], body=made["body"].encode(), received_at=received_at
    )


class TestCertificates:
    def test_read_by_serial(self):
        pems = certificate() + certificate(serial=0xDEF456)

        assert list(read_certificates(pems)) == ["ABC123", "DEF456"]

    @pytest.mark.parametrize("text", ["", "rubbish", certificate()[:200]])
    def test_unreadable(self, text):
        with pytest.raises(ValueError, match="not certificates"):
            read_certificates(text)

    def test_of_another_kind_of_key(self):
        odd = certificate(ec.generate_private_key(ec.SECP256R1()))

        with pytest.raises(ValueError, match="not certificates"):
            read_certificates(odd)

    def test_nobody_is_called_when_it_is_made(self, by_certificate, simulator):
        assert wechat(by_certificate).account.public_key_id == ""
        assert simulator.journal() == []

    def test_request_names_no_key(self, by_certificate, simulator):
        assert wechat(by_certificate).query(out_trade_no=NUMBER).state is TradeState.ABSENT
        assert sent_serial(simulator) is None

    def test_request_names_the_public_key_where_there_is_one(self, make, simulator, settings):
        wechat(make()).query(out_trade_no=NUMBER)

        assert sent_serial(simulator) == settings.wechatpay_public_key_id

    @pytest.mark.parametrize("percent", [0, 100])
    def test_both_serve_during_a_switch(self, make, simulator, clock, percent):
        simulator.post("key_mode", {"mode": f"grey:{percent}"})
        made = simulator.post("craft/pay_callback", {})

        assert read(make(), made, clock.now()).state is TradeState.SUCCESS

    def test_old_and_new_certificate_serve_during_a_rotation(self, make, simulator, clock):
        simulator.post("key_mode", {"mode": "cert"})
        live = simulator.post("rotate_certificate", {"percent_new": 100})["certificates"]
        only_old = make(wechatpay_public_key="", wechatpay_public_key_id="")
        both = make(
            wechatpay_public_key="",
            wechatpay_public_key_id="",
            wechatpay_platform_certificates="".join(one["pem"] for one in live),
        )
        made = simulator.post("craft/pay_callback", {})
        simulator.http.delete(f"{simulator.url}/_sim/journal", timeout=10)

        assert read(both, made, clock.now()).state is TradeState.SUCCESS
        with pytest.raises(NoticeRefused, match="serial_unknown"):
            read(only_old, made, clock.now())
        assert [one["path"] for one in simulator.journal() if "certificates" in one["path"]] == []

    @pytest.mark.parametrize("fault", ["unknown_serial", "foreign_pub_key_id", "empty_serial"])
    def test_unknown_serial_calls_nobody(self, by_certificate, simulator, clock, fault):
        made = simulator.post("craft/pay_callback", {"faults": [fault]})

        with pytest.raises(NoticeRefused):
            read(by_certificate, made, clock.now())

        assert simulator.journal() == []

    @pytest.mark.parametrize("days", [1, 364])
    def test_expired_or_future_certificate_believes_no_notice(self, days):
        start = NOW - timedelta(days=2) if days == 1 else NOW + timedelta(days=1)
        merchant = Merchants(certificate(start=start, days=days))

        assert merchant.refusal(merchant.notice()) == "certificate_expired"

    def test_expired_certificate_believes_no_answer(self, by_certificate, clock):
        wechat(by_certificate).open_order(
            OrderToOpen(
                out_trade_no=NUMBER,
                amount_fen=12345,
                description="物业费",
                way=PayWay.NATIVE,
                expires_at=clock.now() + timedelta(minutes=30),
            )
        )
        assert wechat(by_certificate).query(out_trade_no=NUMBER).state is TradeState.NOTPAY
        clock.offset = timedelta(days=6 * 365)

        with pytest.raises(PlatformUnavailable):
            wechat(by_certificate).query(out_trade_no=NUMBER)


class TestProbe:
    def check(self, channels, clock):
        return PayProbe("微信支付", wechat(channels), clock).check()

    def test_tells_when_the_certificate_expires(self, by_certificate, clock):
        until = max(
            one.valid_until for one in wechat(by_certificate).account.platform_keys.values()
        )

        assert f"平台证书 {until:%Y-%m-%d} 到期" in self.check(by_certificate, clock)

    def test_says_nothing_of_certificates_without_any(self, make, clock):
        assert "证书" not in self.check(make(wechatpay_platform_certificates=""), clock)

    @pytest.mark.parametrize(("days", "is_near"), [(13, True), (15, False)])
    def test_refuses_within_fourteen_days(self, by_certificate, clock, days, is_near):
        until = max(
            one.valid_until for one in wechat(by_certificate).account.platform_keys.values()
        )
        clock.offset = until - timedelta(days=days) - clock.now()

        if is_near:
            with pytest.raises(PlatformRefused) as raised:
                self.check(by_certificate, clock)
            assert raised.value.vendor_code == "CERTIFICATE_EXPIRES"
        else:
            assert "到期" in self.check(by_certificate, clock)

    def test_public_key_makes_an_old_certificate_harmless(self, make, clock):
        channels = make()
        until = max(
            one.valid_until
            for one in wechat(channels).account.platform_keys.values()
            if one.valid_until
        )
        clock.offset = until - timedelta(days=1) - clock.now()

        assert "到期" in self.check(channels, clock)


class Clock:
    def now(self):
        return NOW


class Merchants:
    """Two merchants for whom the platform signs by the same certificate, and its notices."""

    def __init__(self, pems):
        accounts = [
            WechatAccount(
                mchid=mchid,
                miniapp_appid="wx1",
                official_appid="wx2",
                cert_serial="A" * 40,
                api_base="https://pay.example",
                notify_url="https://anju.example/notify/wechatpay",
                public_key_id="",
                platform_keys=read_certificates(pems),
                private_key=PLATFORM,
                apiv3_key=key,
            )
            for mchid, key in MERCHANT_KEYS.items()
        ]
        self.registry = MerchantChannels(
            accounts=MerchantAccounts(tuple(accounts), ()), clock=Clock()
        )

    def notice(self, sealed_for="1600000002", named=None, event="REFUND.SUCCESS", **changes):
        data = {
            "mchid": named or sealed_for,
            "out_trade_no": NUMBER,
            "out_refund_no": "R20261124000001",
            "refund_id": "50300000000000000000000000001",
            "refund_status": "SUCCESS",
            "success_time": "2026-11-24T09:59:58+08:00",
            "amount": {"total": 12345, "refund": 2345, "payer_total": 12345, "payer_refund": 2345},
            **changes,
        }
        cipher = AESGCM(MERCHANT_KEYS[sealed_for].encode())
        secret = cipher.encrypt(b"twelve bytes", json.dumps(data).encode(), b"refund")
        resource = {
            "original_type": "refund",
            "algorithm": "AEAD_AES_256_GCM",
            "ciphertext": base64.b64encode(secret).decode(),
            "associated_data": "refund",
            "nonce": "twelve bytes",
        }
        body = json.dumps({"event_type": event, "resource": resource}).encode()
        stamp = str(int(NOW.timestamp()))
        signature = PLATFORM.sign(f"{stamp}\nx\n".encode() + body + b"\n", PKCS1v15(), SHA256())
        headers = {
            "Wechatpay-Timestamp": stamp,
            "Wechatpay-Nonce": "x",
            "Wechatpay-Signature": base64.b64encode(signature).decode(),
            "Wechatpay-Serial": "ABC123",
            "Wechatpay-Signature-Type": "WECHATPAY2-SHA256-RSA2048",
        }
        return headers, body

    def read(self, notice, received_at=NOW):
        headers, body = notice
        return self.registry.read_wechat_notice(headers=headers, body=body, received_at=received_at)

    def refusal(self, notice, received_at=NOW):
        with pytest.raises(NoticeRefused) as raised:
            self.read(notice, received_at)
        return raised.value.reason


@pytest.fixture(scope="module")
def merchants():
    return Merchants(certificate())


class TestTwoMerchants:
    @pytest.mark.parametrize("mchid", sorted(MERCHANT_KEYS))
    def test_notice_is_for_whose_key_opens_it(self, merchants, mchid):
        assert merchants.read(merchants.notice(mchid)).mchid == mchid

    @pytest.mark.parametrize("named", ["1600000001", "1600000003"])
    def test_notice_that_names_another(self, merchants, named):
        """Or the keys of one merchant would speak for the other's money."""
        assert merchants.refusal(merchants.notice("1600000002", named)) == "other_merchant"


class TestRefundNotice:
    def test_right_notice(self, merchants):
        assert merchants.read(merchants.notice()) == ChannelRefund(
            channel="wechat",
            mchid="1600000002",
            out_trade_no=NUMBER,
            refund_no="R20261124000001",
            word=RefundWord.SUCCESS,
            provider_refund_id="50300000000000000000000000001",
            amount_fen=2345,
            refunded_at=datetime(2026, 11, 24, 1, 59, 58, tzinfo=UTC),
        )

    @pytest.mark.parametrize("word", ["ABNORMAL", "CLOSED"])
    def test_money_that_did_not_arrive(self, merchants, word):
        notice = merchants.notice(event=f"REFUND.{word}", refund_status=word, success_time=None)

        refund = merchants.read(notice)

        assert (refund.word, refund.refunded_at) == (RefundWord(word), None)

    @pytest.mark.parametrize(
        ("event", "word"),
        [
            ("REFUND.SUCCESS", "ABNORMAL"),
            ("REFUND.CLOSED", "SUCCESS"),
            ("REFUND.", ""),
            ("REFUND.ABSENT", "ABSENT"),
            ("REFUND.NEW", "NEW"),
        ],
    )
    def test_word_and_event_that_differ_or_are_new(self, merchants, event, word):
        notice = merchants.notice(event=event, refund_status=word)

        assert merchants.refusal(notice) in ("refund_status", "shape")

    @pytest.mark.parametrize(
        "change",
        [
            {"out_trade_no": None},
            {"out_refund_no": 1},
            {"refund_id": ""},
            {"success_time": "yesterday"},
            {"amount": {}},
            {"amount": {"refund": "2345"}},
            {"amount": {"refund": 0}},
            {"amount": {"refund": True}},
        ],
        ids=str,
    )
    def test_field_does_not_fit(self, merchants, change):
        assert merchants.refusal(merchants.notice(**change)) == "shape"

    def test_payment_told_as_a_refund_and_back(self, merchants):
        assert merchants.refusal(merchants.notice(event="TRANSACTION.SUCCESS")) == "resource"


class TestTampering:
    @pytest.mark.parametrize("name", ["Timestamp", "Nonce", "Signature", "Serial"])
    def test_any_one_header(self, merchants, name):
        headers, body = merchants.notice()
        value = headers[f"Wechatpay-{name}"]
        headers[f"Wechatpay-{name}"] = ("1" if value[0] != "1" else "2") + value[1:]

        assert merchants.refusal((headers, body)) in ("signature", "stale", "serial_unknown")

    @pytest.mark.parametrize("step", range(7))
    def test_any_part_of_the_body(self, merchants, step):
        headers, body = merchants.notice()
        place = step * len(body) // 7
        changed = body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]

        assert merchants.refusal((headers, changed)) == "signature"

    def test_headers_of_one_with_the_body_of_another(self, merchants):
        headers, _ = merchants.notice()
        _, body = merchants.notice(out_refund_no="R20261124000002")

        assert merchants.refusal((headers, body)) == "signature"

    def test_ten_years_old(self, merchants):
        later = NOW + timedelta(days=300)

        assert merchants.refusal(merchants.notice(), later) == "stale"
        assert merchants.refusal(merchants.notice(), NOW.replace(year=2036)) == (
            "certificate_expired"
        )

    def test_replayed_within_the_window_is_the_same_word(self, merchants):
        """Whether it was booked already is for the caller to know."""
        notice = merchants.notice()

        assert merchants.read(notice) == merchants.read(notice, NOW + timedelta(seconds=300))

    def test_empty_body(self, merchants):
        headers, _ = merchants.notice()

        assert merchants.refusal((headers, b"")) == "signature"

    def test_ten_megabytes(self, merchants):
        headers, _ = merchants.notice()

        assert merchants.refusal((headers, b" " * 10_000_000)) == "too_large"

    def test_no_headers(self, merchants):
        _, body = merchants.notice()

        assert merchants.refusal(({}, body)) == "header_missing"


class TestRefundNoticeOfTheSimulator:
    def test_is_read(self, make, simulator, clock, settings):
        made = simulator.post("craft/refund_callback", {"out_refund_no": "R20261124000009"})

        refund = read(make(), made, clock.now())

        assert (refund.refund_no, refund.word) == ("R20261124000009", RefundWord.SUCCESS)
        assert refund.mchid == settings.wechatpay_mchid

    @pytest.mark.parametrize("tenant_fault", [{"tenant": "foreign"}, {"faults": ["wrong_aes_key"]}])
    def test_of_another_merchant(self, make, simulator, clock, tenant_fault):
        made = simulator.post("craft/refund_callback", tenant_fault)

        with pytest.raises(NoticeRefused):
            read(make(), made, clock.now())
