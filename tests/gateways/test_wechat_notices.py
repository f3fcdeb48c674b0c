"""What is believed of a payment notice: every check on its own, with keys made here."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256

from gateways.platform_keys import PlatformKey
from gateways.wechat_notices import SignatureCheck, read_notice, read_trade
from services.pay_ports import NoticeRefused, TradeState

NOW = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
SERIAL = "PUB_KEY_ID_0116000000002024112900"
PLATFORM = rsa.generate_private_key(public_exponent=65537, key_size=2048)
STRANGER = rsa.generate_private_key(public_exponent=65537, key_size=2048)
APIV3_KEY = b"0123456789abcdef0123456789abcdef"
TRADE = {
    "mchid": "1600000000",
    "appid": "wx0000000000000001",
    "out_trade_no": "P20261124000001",
    "transaction_id": "4200000000000000000000000001",
    "trade_state": "SUCCESS",
    "success_time": "2026-11-24T09:59:58+08:00",
    "payer": {"openid": "o-owner"},
    "amount": {"total": 12345, "payer_total": 12345, "currency": "CNY"},
}


def sealed(resource, **changes):
    plain = resource if isinstance(resource, bytes) else json.dumps(resource).encode()
    secret = AESGCM(APIV3_KEY).encrypt(b"twelve bytes", plain, b"transaction")
    return {
        "algorithm": "AEAD_AES_256_GCM",
        "ciphertext": base64.b64encode(secret).decode(),
        "associated_data": "transaction",
        "nonce": "twelve bytes",
        **changes,
    }


def notice(resource=None, **changes):
    body = {"event_type": "TRANSACTION.SUCCESS", "resource": resource or sealed(TRADE), **changes}
    return json.dumps(body).encode()


def signed(body, *, at=NOW, key=PLATFORM, nonce="a-nonce", **changes):
    stamp = str(int(at.timestamp()))
    message = f"{stamp}\n{nonce}\n".encode() + body + b"\n"
    signature = base64.b64encode(key.sign(message, PKCS1v15(), SHA256())).decode()
    return {
        "Wechatpay-Timestamp": stamp,
        "Wechatpay-Nonce": nonce,
        "Wechatpay-Signature": signature,
        "Wechatpay-Serial": SERIAL,
        "Wechatpay-Signature-Type": "WECHATPAY2-SHA256-RSA2048",
        **{f"Wechatpay-{name.replace('_', '-')}": value for name, value in changes.items()},
    }


def read(headers, body, *, received_at=NOW):
    return read_notice(
        headers=headers,
        body=body,
        received_at=received_at,
        signatures=SignatureCheck(keys={SERIAL: PlatformKey(PLATFORM.public_key())}),
        cipher=AESGCM(APIV3_KEY),
    )


def refusal(headers, body, **more):
    with pytest.raises(NoticeRefused) as raised:
        read(headers, body, **more)
    return raised.value.reason


def refusal_of(body):
    return refusal(signed(body), body)


class TestReadNotice:
    def test_right_notice(self):
        body = notice()

        trade = read(signed(body), body)

        assert trade.channel == "wechat"
        assert trade.mchid == "1600000000"
        assert trade.appid == "wx0000000000000001"
        assert trade.out_trade_no == "P20261124000001"
        assert trade.state is TradeState.SUCCESS
        assert trade.transaction_id == "4200000000000000000000000001"
        assert trade.amount_fen == 12345
        assert trade.currency == "CNY"
        assert trade.payer_openid == "o-owner"
        assert trade.paid_at == datetime(2026, 11, 24, 1, 59, 58, tzinfo=UTC)

    def test_headers_in_any_case_among_others(self):
        body = notice()
        headers = {name.upper(): value for name, value in signed(body).items()}

        assert read({**headers, "Nonce": "x", "Host": "anju"}, body).amount_fen == 12345

    def test_nothing_associated(self):
        secret = AESGCM(APIV3_KEY).encrypt(b"twelve bytes", json.dumps(TRADE).encode(), b"")
        resource = sealed(TRADE, ciphertext=base64.b64encode(secret).decode())
        del resource["associated_data"]
        body = notice(resource)

        assert read(signed(body), body).amount_fen == 12345


class TestHeaders:
    @pytest.mark.parametrize(
        "name", ["Timestamp", "Nonce", "Signature", "Serial", "Signature-Type"]
    )
    def test_one_is_missing(self, name):
        body = notice()
        headers = signed(body)
        del headers[f"Wechatpay-{name}"]

        assert refusal(headers, body) == "header_missing"

    @pytest.mark.parametrize(
        "name", ["Timestamp", "Nonce", "Signature", "Serial", "Signature-Type"]
    )
    @pytest.mark.parametrize("value", ["", "a b", "a\nb", "号", "x" * 1025])
    def test_one_is_malformed(self, name, value):
        body = notice()

        assert refusal({**signed(body), f"Wechatpay-{name}": value}, body) == "header_form"

    def test_one_comes_twice(self):
        body = notice()

        assert refusal({**signed(body), "wechatpay-serial": SERIAL}, body) == "header_form"

    @pytest.mark.parametrize("kind", ["WECHATPAY2-SM2-WITH-SM3", "wechatpay2-sha256-rsa2048"])
    def test_another_algorithm(self, kind):
        body = notice()

        assert refusal(signed(body, Signature_Type=kind), body) == "signature_type"

    @pytest.mark.parametrize("serial", ["5157F09EFDC096DE15EBE81A47057A72", SERIAL + "0", "x"])
    def test_serial_not_on_the_list(self, serial):
        body = notice()

        assert refusal(signed(body, Serial=serial), body) == "serial_unknown"

    @pytest.mark.parametrize("stamp", ["soon", "-1", "1.5", "１２", "9" * 13])
    def test_timestamp_is_no_number(self, stamp):
        body = notice()

        reason = refusal({**signed(body), "Wechatpay-Timestamp": stamp}, body)

        assert reason in ("timestamp_form", "header_form")

    @pytest.mark.parametrize("age_s", [301, -301, 3600, -3600])
    def test_stale(self, age_s):
        body = notice()

        assert refusal(signed(body, at=NOW - timedelta(seconds=age_s)), body) == "stale"

    @pytest.mark.parametrize("age_s", [300, -300])
    def test_just_fresh(self, age_s):
        body = notice()

        assert read(signed(body, at=NOW - timedelta(seconds=age_s)), body).amount_fen == 12345

    def test_serial_comes_before_age(self):
        body = notice()
        headers = signed(body, at=NOW - timedelta(hours=1), Serial="x")

        assert refusal(headers, body) == "serial_unknown"

    def test_age_comes_before_signature(self):
        body = notice()
        headers = signed(body, at=NOW - timedelta(hours=1), key=STRANGER)

        assert refusal(headers, body) == "stale"


class TestSignature:
    @pytest.mark.parametrize("signature", ["*", "not-base64!", "AAA"])
    def test_not_base64(self, signature):
        body = notice()

        assert refusal(signed(body, Signature=signature), body) == "signature_form"

    def test_wrong_key(self):
        body = notice()

        assert refusal(signed(body, key=STRANGER), body) == "signature"

    def test_probe_is_refused_like_any_other(self):
        body = notice()
        headers = signed(body)
        headers["Wechatpay-Signature"] = "WECHATPAY/SIGNTEST/" + headers["Wechatpay-Signature"]

        assert refusal(headers, body) in ("signature", "signature_form")

    def test_tampered_body(self):
        body = notice()

        assert refusal(signed(body), body + b" ") == "signature"

    def test_body_that_is_not_utf8_is_verified_as_bytes(self):
        assert refusal(signed(b"\xff"), b"\xfe") == "signature"
        assert refusal(signed(b"\xff"), b"\xff") == "json"


class TestBody:
    def test_too_large(self):
        assert refusal_of(b" " * (64 * 1024 + 1)) == "too_large"

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"[]",
            b"null",
            b"this is no JSON",
            b'{"a": NaN}',
            b'{"a": 1, "a": 2}',
            b'{"a": ' + b"[" * 30_000 + b"]" * 30_000 + b"}",
        ],
        ids=["empty", "array", "null", "text", "nan", "repeated", "deep"],
    )
    def test_not_a_json_object(self, body):
        assert refusal_of(body) == "json"

    @pytest.mark.parametrize("kind", ["REFUND", "transaction.success", None, 1])
    def test_another_event(self, kind):
        assert refusal_of(notice(event_type=kind)) == "event_type"

    @pytest.mark.parametrize("resource", ["text", [1], 5])
    def test_resource_is_no_object(self, resource):
        assert refusal_of(notice(resource)) == "resource"

    def test_resource_is_missing(self):
        assert refusal_of(b'{"event_type": "TRANSACTION.SUCCESS"}') == "resource"

    def test_another_cipher(self):
        assert refusal_of(notice(sealed(TRADE, algorithm="AEAD_SM4_GCM"))) == "algorithm"

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            ({"associated_data": 1}, "resource"),
            ({"associated_data": "refund"}, "decryption"),
            ({"nonce": "eleven byte"}, "decryption"),
            ({"nonce": "x"}, "decryption"),
            ({"nonce": ""}, "shape"),
            ({"nonce": 12}, "shape"),
            ({"ciphertext": "*"}, "ciphertext_form"),
            ({"ciphertext": "AAAA"}, "decryption"),
            ({"ciphertext": None}, "shape"),
        ],
    )
    def test_sealed_wrongly(self, change, reason):
        assert refusal_of(notice(sealed(TRADE, **change))) == reason

    @pytest.mark.parametrize("plain", [b"[]", b"\xff", b"1"])
    def test_what_is_inside_is_no_object(self, plain):
        assert refusal_of(notice(sealed(plain))) == "json"

    @pytest.mark.parametrize("state", ["REFUND", "NOTPAY", "CLOSED", "USERPAYING", "ABSENT"])
    def test_trade_that_is_not_paid(self, state):
        assert refusal_of(notice(sealed({**TRADE, "trade_state": state}))) == "trade_state"


WRONG_FIELDS = [
    ("mchid", None),
    ("mchid", 1600000000),
    ("appid", ""),
    ("out_trade_no", ["P1"]),
    ("transaction_id", 42),
    ("trade_state", None),
    ("success_time", "2026-11-24T09:59:58"),
    ("success_time", "yesterday"),
    ("success_time", "0001-01-01T00:00:00+08:00"),
    ("success_time", "9999-12-31T23:59:59-12:00"),
    ("transaction_id", "42\x00"),
    ("out_trade_no", "P1\n"),
    ("success_time", 1764000000),
    ("payer", None),
    ("payer", "o-owner"),
    ("payer", {"openid": ""}),
    ("amount", None),
    ("amount", 12345),
    ("amount", {"total": True, "currency": "CNY"}),
    ("amount", {"total": 123.0, "currency": "CNY"}),
    ("amount", {"total": "12345", "currency": "CNY"}),
    ("amount", {"total": 0, "currency": "CNY"}),
    ("amount", {"total": -1, "currency": "CNY"}),
    ("amount", {"currency": "CNY"}),
    ("amount", {"total": 12345}),
    ("amount", {"total": 12345, "currency": 156}),
]


class TestReadTrade:
    @pytest.mark.parametrize(("field", "value"), WRONG_FIELDS)
    def test_field_of_another_type(self, field, value):
        with pytest.raises(NoticeRefused, match="shape"):
            read_trade({**TRADE, field: value})

    @pytest.mark.parametrize("field", sorted(TRADE))
    def test_field_is_missing(self, field):
        with pytest.raises(NoticeRefused, match="shape"):
            read_trade({name: value for name, value in TRADE.items() if name != field})

    @pytest.mark.parametrize(
        ("word", "state"),
        [
            ("NOTPAY", TradeState.NOTPAY),
            ("CLOSED", TradeState.CLOSED),
            ("USERPAYING", TradeState.OTHER),
            ("ABSENT", TradeState.OTHER),
        ],
    )
    def test_no_money_moved(self, word, state):
        told = ("mchid", "appid", "out_trade_no")

        trade = read_trade({**{name: TRADE[name] for name in told}, "trade_state": word})

        assert trade.state is state
        assert trade.amount_fen is None
        assert trade.paid_at is None

    def test_refunded_trade_still_says_what_was_paid(self):
        trade = read_trade({**TRADE, "trade_state": "REFUND"})

        assert trade.state is TradeState.REFUND
        assert trade.amount_fen == 12345
