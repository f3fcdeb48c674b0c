"""Alipay's notices: their form, their series, and what a merchant must not take for a payment."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

import pytest

from tests.simulator.alipay_merchant import AlipayMerchant
from tests.simulator.conftest import Backend
from tests.simulator.platforms import Platforms

NUMBER = "ALI000001"
SERIES_S = [240, 600, 600, 3600, 7200, 21_600, 54_000]


@pytest.fixture
def pay(
    alipay: AlipayMerchant, backend: Backend, platforms: Platforms
) -> Callable[..., dict[str, Any]]:
    def precreate_and_pay(number: str = NUMBER, **options: Any) -> dict[str, Any]:
        alipay.precreate(number, backend.url, passback_params="a%3D1")
        shown: dict[str, Any] = platforms.control(f"alipay/pay/{number}", options)
        return shown

    return precreate_and_pay


def fields(body: bytes | str) -> dict[str, str]:
    return dict(parse_qsl(body if isinstance(body, str) else body.decode(), strict_parsing=True))


def notice(platforms: Platforms, place: int = -1) -> dict[str, Any]:
    return dict(platforms.look("outbox", out_trade_no=NUMBER)[place])


class TestContents:
    def test_a_payment(
        self, pay: Callable[..., Any], alipay: AlipayMerchant, backend: Backend
    ) -> None:
        shown = pay(by="19900000001", wait=True)

        (received,) = backend.received
        assert received.path == "/alipay/notify"
        assert received.headers["Content-Type"] == (
            "application/x-www-form-urlencoded; charset=utf-8"
        )
        assert alipay.has_signed(received.body.decode())
        data = fields(received.body)
        expected = {
            "notify_type": "trade_status_sync",
            "app_id": alipay.app_id,
            "auth_app_id": alipay.app_id,
            "seller_id": alipay.settings["ALIPAY_SELLER_ID"],
            "charset": "utf-8",
            "version": "1.0",
            "sign_type": "RSA2",
            "trade_no": shown["trade_no"],
            "out_trade_no": NUMBER,
            "trade_status": "TRADE_SUCCESS",
            "total_amount": "123.45",
            "receipt_amount": "123.45",
            "buyer_pay_amount": "123.45",
            "invoice_amount": "123.45",
            "point_amount": "0.00",
            "subject": "安居花园1-101 物业费",
            "buyer_logon_id": "199****0001",
            "passback_params": "a%3D1",
            "fund_bill_list": '[{"amount":"123.45","fundChannel":"ALIPAYACCOUNT"}]',
        }
        assert {key: data[key] for key in expected} == expected
        assert {"notify_id", "notify_time", "gmt_create", "gmt_payment", "buyer_id"} <= set(data)
        assert not {"refund_fee", "gmt_refund", "out_biz_no", "gmt_close"} & set(data)

    def test_refunds_come_to_the_payments_address(
        self,
        pay: Callable[..., Any],
        alipay: AlipayMerchant,
        backend: Backend,
        platforms: Platforms,
    ) -> None:
        pay(wait=True)
        backend.received.clear()

        alipay.refund(NUMBER, "23.45", "R1")
        platforms.advance(3)
        alipay.refund(NUMBER, "100.00", "R2")
        platforms.advance(0)

        by_number = {one["out_biz_no"]: one for one in map(fields, self.bodies(backend))}
        part, rest = by_number["R1"], by_number["R2"]
        assert all(alipay.has_signed(body) for body in self.bodies(backend))
        assert (part["trade_status"], part["refund_fee"]) == ("TRADE_SUCCESS", "23.45")
        assert (rest["trade_status"], rest["refund_fee"]) == ("TRADE_CLOSED", "123.45")
        assert part["total_amount"] == "123.45"
        assert {"gmt_refund", "gmt_payment"} <= set(part)
        assert "gmt_close" in rest
        assert {one.path for one in backend.received} == {"/alipay/notify"}

    def bodies(self, backend: Backend) -> list[str]:
        return [one.body.decode() for one in backend.received]

    def test_closing_and_finishing_are_told(
        self,
        pay: Callable[..., Any],
        alipay: AlipayMerchant,
        backend: Backend,
        platforms: Platforms,
    ) -> None:
        alipay.precreate("ALI000002", backend.url)
        platforms.control("alipay/scan", {"out_trade_no": "ALI000002"})
        alipay.close("ALI000002")
        pay(wait=True)

        platforms.control(f"alipay/finish/{NUMBER}", {"wait": True})

        told = {(d["out_trade_no"], d["trade_status"]) for d in map(fields, self.bodies(backend))}
        assert told == {
            ("ALI000002", "TRADE_CLOSED"),
            (NUMBER, "TRADE_SUCCESS"),
            (NUMBER, "TRADE_FINISHED"),
        }

    def test_without_an_address_there_is_none(
        self, alipay: AlipayMerchant, platforms: Platforms
    ) -> None:
        alipay.precreate(NUMBER)

        assert platforms.control(f"alipay/pay/{NUMBER}")["notice_id"] is None
        assert platforms.look("outbox") == []


class TestDelivery:
    @pytest.mark.parametrize(
        ("status", "body", "state"),
        [
            (200, b"success", "done"),
            (200, b"", "pending"),
            (200, b"success\n", "pending"),
            (200, b"SUCCESS", "pending"),
            (200, b"fail", "pending"),
            (204, b"", "pending"),
            (500, b"", "pending"),
        ],
    )
    def test_the_body_decides(
        self,
        pay: Callable[..., Any],
        backend: Backend,
        platforms: Platforms,
        status: int,
        body: bytes,
        state: str,
    ) -> None:
        backend.always(status, body)

        pay(wait=True)

        assert notice(platforms)["state"] == state

    def test_follows_alipays_series(
        self, pay: Callable[..., Any], backend: Backend, platforms: Platforms
    ) -> None:
        platforms.control("clock", {"frozen": True})
        backend.always(200, b"fail")
        pay(wait=True)

        for number, pause in enumerate(SERIES_S, start=1):
            platforms.advance(pause - 1)
            assert len(backend.received) == number
            platforms.advance(1)
            assert len(backend.received) == number + 1
        assert notice(platforms)["state"] == "given_up"

    def test_tries_again_under_the_same_notify_id(
        self,
        pay: Callable[..., Any],
        alipay: AlipayMerchant,
        backend: Backend,
        platforms: Platforms,
    ) -> None:
        backend.always(200, b"fail")
        pay(wait=True)
        platforms.advance(241)

        first, second = (fields(one.body) for one in backend.received)
        assert first["notify_id"] == second["notify_id"] == notice(platforms)["id"]
        assert first["notify_time"] < second["notify_time"]
        assert all(alipay.has_signed(one.body.decode()) for one in backend.received)

    def test_held_lost_and_copied_like_wechats(
        self, pay: Callable[..., Any], backend: Backend, platforms: Platforms
    ) -> None:
        pay(callbacks="hold", wait=True)
        pay("ALI000002", callbacks="lost", wait=True)
        assert backend.received == []

        platforms.control("outbox/release")
        platforms.control("outbox/duplicate", {"id": notice(platforms)["id"], "times": 2})

        assert [fields(one.body)["out_trade_no"] for one in backend.received] == [NUMBER] * 3

    def test_refunds_can_be_held_too(
        self,
        pay: Callable[..., Any],
        alipay: AlipayMerchant,
        backend: Backend,
        platforms: Platforms,
    ) -> None:
        pay(callbacks="hold")
        platforms.control("alipay/callbacks", {"callbacks": "hold"})
        alipay.refund(NUMBER, "123.45")
        platforms.advance(0)
        assert [one["state"] for one in platforms.look("outbox")] == ["held", "held"]

        # The refund arrives before the payment.
        for place in (1, 0):
            platforms.control("outbox/release", {"id": notice(platforms, place)["id"]})

        statuses = [fields(one.body)["trade_status"] for one in backend.received]
        assert statuses == ["TRADE_CLOSED", "TRADE_SUCCESS"]

    def test_can_be_replayed_from_the_list(
        self, pay: Callable[..., Any], alipay: AlipayMerchant, platforms: Platforms
    ) -> None:
        pay(callbacks="lost")

        shown = notice(platforms)

        assert alipay.has_signed(shown["body"])
        assert shown["headers"]["Content-Type"].startswith("application/x-www-form-urlencoded")


class TestCrafting:
    def craft(self, platforms: Platforms, *faults: str, **more: Any) -> dict[str, Any]:
        made: dict[str, Any] = platforms.control(
            "craft/alipay_notice", {"faults": list(faults), **more}
        )
        return made

    def test_without_faults_is_right_and_pays_nothing(
        self, alipay: AlipayMerchant, backend: Backend, platforms: Platforms
    ) -> None:
        alipay.precreate(NUMBER, backend.url)

        made = self.craft(platforms, out_trade_no=NUMBER)

        assert alipay.has_signed(made["body"])
        data = fields(made["body"])
        assert (data["trade_status"], data["total_amount"]) == ("TRADE_SUCCESS", "123.45")
        assert data == made["fields"]
        assert alipay.query(NUMBER).error[1] == "ACQ.TRADE_NOT_EXIST"
        assert backend.received == []

    @pytest.mark.parametrize(
        "fault",
        [
            "bad_signature",
            "empty_sign",
            "no_sign",
            "not_base64",
            "tampered_amount",
            "tampered_number",
            "tampered_status",
            "wrong_key",
        ],
    )
    def test_does_not_verify(
        self, alipay: AlipayMerchant, platforms: Platforms, fault: str
    ) -> None:
        assert not alipay.has_signed(self.craft(platforms, fault)["body"])

    @pytest.mark.parametrize(
        ("fault", "field"),
        [
            ("foreign_app_id", "app_id"),
            ("foreign_seller_id", "seller_id"),
            ("unknown_order", "out_trade_no"),
            ("sign_type_rsa", "sign_type"),
            ("no_sign_type", "sign_type"),
        ],
    )
    def test_is_rightly_signed_but_not_ours(
        self, alipay: AlipayMerchant, platforms: Platforms, fault: str, field: str
    ) -> None:
        right, wrong = (
            self.craft(platforms, *faults, out_trade_no=NUMBER) for faults in ([], [fault])
        )

        assert alipay.has_signed(wrong["body"])
        assert fields(right["body"]).get(field) != fields(wrong["body"]).get(field)

    def test_overrides_are_signed(self, alipay: AlipayMerchant, platforms: Platforms) -> None:
        made = self.craft(
            platforms,
            overrides={"amount_fen": 1, "trade_status": "WAIT_BUYER_PAY", "buyer_id": None, "x": 1},
            refund={"amount_fen": 7, "out_request_no": "R9"},
        )

        data = fields(made["body"])
        assert alipay.has_signed(made["body"])
        assert (data["total_amount"], data["trade_status"]) == ("0.01", "WAIT_BUYER_PAY")
        assert (data["refund_fee"], data["out_biz_no"], data["x"]) == ("0.07", "R9", "1")
        assert "buyer_id" not in data

    def test_unknown_faults_are_refused(self, platforms: Platforms) -> None:
        platforms.control("craft/alipay_notice", {"faults": ["x"]}, status=400)
        platforms.control("craft/alipay_notice", {"tenant": "x"}, status=400)
        platforms.control("alipay/callbacks", {"callbacks": "x"}, status=400)
