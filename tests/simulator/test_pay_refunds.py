"""Refunds: how they go, how they end, what the merchant is told, and each refusal."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from tests.simulator.conftest import Backend
from tests.simulator.merchant import Merchant
from tests.simulator.platforms import Platforms

ORDER = "REFUND0001"
DAY_S = 86_400


@pytest.fixture
def paid(
    merchant: Merchant, owner: dict[str, Any], backend: Backend, platforms: Platforms
) -> dict[str, Any]:
    """A paid order of 123.45 whose callback has arrived."""
    answer = merchant.order(merchant.form(owner["openid_miniapp"], ORDER, backend.url))
    assert answer.status == 200, answer.data
    order: dict[str, Any] = platforms.control(f"pay/{ORDER}", {"wait": True})
    backend.received.clear()
    return order


@pytest.fixture
def by_hand(paid: dict[str, Any], platforms: Platforms) -> dict[str, Any]:
    """The same, on a platform where refunds wait for a hand."""
    platforms.control("refund_mode", {"mode": "manual"})
    return paid


class TestLife:
    def test_is_accepted_then_succeeds_by_itself(
        self, merchant: Merchant, paid: dict[str, Any], platforms: Platforms
    ) -> None:
        platforms.control("clock", {"frozen": True})

        accepted = merchant.refund(ORDER, "R-1", 2345)

        assert (accepted.status, accepted.data["status"], accepted.is_signed) == (
            200,
            "PROCESSING",
            True,
        )
        assert accepted.data["transaction_id"] == paid["transaction_id"]
        assert "success_time" not in accepted.data
        platforms.advance(1)
        ended = merchant.query_refund("R-1")
        assert (ended.data["status"], ended.is_signed) == ("SUCCESS", True)
        assert ended.data["success_time"].endswith("+08:00")
        assert ended.data["amount"]["refund"] == 2345
        assert ended.data["amount"]["total"] == 12345

    def test_takes_as_long_as_it_is_told(
        self, merchant: Merchant, paid: dict[str, Any], platforms: Platforms
    ) -> None:
        platforms.control("clock", {"frozen": True})
        platforms.control("refund_mode", {"mode": "auto", "delay_s": 3600})
        merchant.refund(ORDER, "R-1", 1)

        platforms.advance(3599)
        assert merchant.query_refund("R-1").data["status"] == "PROCESSING"
        platforms.advance(1)
        assert merchant.query_refund("R-1").data["status"] == "SUCCESS"

    def test_waits_for_a_hand(
        self, merchant: Merchant, by_hand: dict[str, Any], platforms: Platforms
    ) -> None:
        merchant.refund(ORDER, "R-1", 1)
        platforms.advance(DAY_S)

        assert merchant.query_refund("R-1").data["status"] == "PROCESSING"

    def test_the_trade_is_in_refund_from_then_on(
        self, merchant: Merchant, by_hand: dict[str, Any], platforms: Platforms
    ) -> None:
        merchant.refund(ORDER, "R-1", 1)

        found = merchant.query(ORDER).data
        assert found["trade_state"] == "REFUND"
        assert found["transaction_id"] == by_hand["transaction_id"]
        assert merchant.close(ORDER).data["code"] == "ORDERPAID"
        assert platforms.control(f"pay/{ORDER}", status=409)["error"].startswith("ORDERPAID")

    def test_by_the_platforms_number(self, merchant: Merchant, paid: dict[str, Any]) -> None:
        answer = merchant.refund(
            ORDER, "R-1", 1, out_trade_no=None, transaction_id=paid["transaction_id"]
        )

        assert (answer.status, answer.data["out_trade_no"]) == (200, ORDER)

    def test_the_same_again_is_the_same_refund(
        self, merchant: Merchant, by_hand: dict[str, Any], platforms: Platforms
    ) -> None:
        first = merchant.refund(ORDER, "R-1", 2345)
        again = merchant.refund(ORDER, "R-1", 2345)

        assert again.status == 200
        assert again.data == first.data
        assert len(platforms.look("refunds", out_trade_no=ORDER)) == 1

    def test_a_closed_one_gives_the_money_back(
        self, merchant: Merchant, by_hand: dict[str, Any], platforms: Platforms
    ) -> None:
        merchant.refund(ORDER, "R-1", 12345)
        platforms.control("refund/R-1", {"state": "CLOSED"})

        assert merchant.query(ORDER).data["trade_state"] == "SUCCESS"
        assert merchant.refund(ORDER, "R-2", 12345).status == 200

    def test_an_ended_one_stays_ended(
        self, merchant: Merchant, by_hand: dict[str, Any], platforms: Platforms
    ) -> None:
        merchant.refund(ORDER, "R-1", 1)
        platforms.control("refund/R-1", {"state": "ABNORMAL"})
        platforms.control("refund/R-1", {"state": "SUCCESS"})

        platforms.control("refund/R-1", {"state": "CLOSED"}, status=409)

    def test_is_another_merchants_business(
        self, merchant: Merchant, paid: dict[str, Any], platforms: Platforms
    ) -> None:
        merchant.refund(ORDER, "R-1", 1)
        foreign = Merchant(platforms.settings("foreign"), platforms)

        assert foreign.query_refund("R-1").data["code"] == "RESOURCE_NOT_EXISTS"
        assert foreign.refund(ORDER, "R-9", 1).data["code"] == "RESOURCE_NOT_EXISTS"


class TestNotice:
    @pytest.mark.parametrize("end", ["SUCCESS", "ABNORMAL", "CLOSED"])
    def test_tells_the_end(
        self,
        merchant: Merchant,
        by_hand: dict[str, Any],
        platforms: Platforms,
        backend: Backend,
        end: str,
    ) -> None:
        refund = merchant.refund(ORDER, "R-1", 2345, notify_url=backend.url + "/refund/notify")

        platforms.control("refund/R-1", {"state": end})
        platforms.advance(0)

        (received,) = backend.received
        assert received.path == "/refund/notify"
        assert merchant.has_signed(received.headers, received.body.decode())
        body = received.body.decode()
        assert f'"event_type":"REFUND.{end}"' in body
        assert '"original_type":"refund"' in body
        opened = merchant.open(body)
        assert ("success_time" in opened) is (end == "SUCCESS")
        opened.pop("success_time", None)
        assert opened == {
            "mchid": merchant.mchid,
            "out_trade_no": ORDER,
            "transaction_id": by_hand["transaction_id"],
            "out_refund_no": "R-1",
            "refund_id": refund.data["refund_id"],
            "refund_status": end,
            "user_received_account": "支付用户零钱",
            "amount": {"total": 12345, "refund": 2345, "payer_total": 12345, "payer_refund": 2345},
        }

    def test_goes_to_the_payments_address_without_its_own(
        self, merchant: Merchant, paid: dict[str, Any], platforms: Platforms, backend: Backend
    ) -> None:
        merchant.refund(ORDER, "R-1", 1)
        platforms.advance(2)

        assert backend.paths() == ["/pay/notify"]

    @pytest.mark.parametrize(("callbacks", "state"), [("hold", "held"), ("lost", "lost")])
    def test_can_be_kept_back(
        self,
        merchant: Merchant,
        by_hand: dict[str, Any],
        platforms: Platforms,
        backend: Backend,
        callbacks: str,
        state: str,
    ) -> None:
        merchant.refund(ORDER, "R-1", 1)

        platforms.control("refund/R-1", {"state": "SUCCESS", "callbacks": callbacks})
        platforms.advance(DAY_S)

        (notice,) = platforms.look("outbox", out_refund_no="R-1")
        assert (notice["kind"], notice["state"]) == ("REFUND.SUCCESS", state)
        assert backend.received == []

    def test_is_retried_like_a_payments(
        self, merchant: Merchant, paid: dict[str, Any], platforms: Platforms, backend: Backend
    ) -> None:
        platforms.control("clock", {"frozen": True})
        backend.always(500)
        merchant.refund(ORDER, "R-1", 1)

        platforms.advance(1)
        platforms.advance(15)

        assert len(backend.received) == 2

    def test_can_arrive_before_the_payments(
        self,
        merchant: Merchant,
        owner: dict[str, Any],
        platforms: Platforms,
        backend: Backend,
    ) -> None:
        merchant.order(merchant.form(owner["openid_miniapp"], ORDER, backend.url))
        platforms.control(f"pay/{ORDER}", {"callbacks": "hold"})
        merchant.refund(ORDER, "R-1", 1)
        platforms.advance(2)

        platforms.control("outbox/release", {"out_trade_no": ORDER})

        opened = [merchant.open(one.body.decode()) for one in backend.received]
        assert [one.get("refund_status") for one in opened] == ["SUCCESS", None]
        assert opened[1]["trade_state"] == "SUCCESS"


class TestRules:
    def test_of_another_order_or_none(
        self, merchant: Merchant, owner: dict[str, Any], backend: Backend
    ) -> None:
        merchant.order(merchant.form(owner["openid_miniapp"], "UNPAID0001", backend.url))

        absent = merchant.refund("NOSUCH01", "R-1", 1)
        unpaid = merchant.refund("UNPAID0001", "R-1", 1)

        assert (absent.status, absent.data["code"]) == (404, "RESOURCE_NOT_EXISTS")
        assert (unpaid.status, unpaid.data["code"]) == (400, "INVALID_REQUEST")
        assert "未支付" in unpaid.data["message"]
        assert merchant.query_refund("R-1").status == 404

    @pytest.mark.parametrize(
        "change",
        [
            {"amount": {"refund": 2, "total": 12345, "currency": "CNY"}},
            {"reason": "别的原因"},
            {"notify_url": "https://a.example/n"},
        ],
    )
    def test_the_same_number_for_something_else(
        self, merchant: Merchant, by_hand: dict[str, Any], change: dict[str, Any]
    ) -> None:
        merchant.refund(ORDER, "R-1", 1)

        answer = merchant.refund(ORDER, "R-1", 1, **change)

        assert (answer.status, answer.data["code"]) == (400, "INVALID_REQUEST")
        assert merchant.query_refund("R-1").data["amount"]["refund"] == 1

    def test_no_more_than_was_paid(
        self, merchant: Merchant, by_hand: dict[str, Any], platforms: Platforms
    ) -> None:
        assert merchant.refund(ORDER, "R-1", 12346).data["code"] == "INVALID_REQUEST"
        assert merchant.refund(ORDER, "R-1", 12000).status == 200
        platforms.advance(60)
        assert merchant.refund(ORDER, "R-2", 346).data["code"] == "INVALID_REQUEST"
        assert merchant.refund(ORDER, "R-2", 345).status == 200

    def test_the_total_is_the_orders(self, merchant: Merchant, paid: dict[str, Any]) -> None:
        amount = {"refund": 1, "total": 12344, "currency": "CNY"}

        answer = merchant.refund(ORDER, "R-1", 1, amount=amount)

        assert (answer.status, answer.data["code"]) == (400, "INVALID_REQUEST")

    def test_both_numbers_must_agree(self, merchant: Merchant, paid: dict[str, Any]) -> None:
        answer = merchant.refund("OTHER00001", "R-1", 1, transaction_id=paid["transaction_id"])

        assert (answer.status, answer.data["code"]) == (400, "INVALID_REQUEST")

    def test_a_minute_apart(
        self, merchant: Merchant, by_hand: dict[str, Any], platforms: Platforms
    ) -> None:
        platforms.control("clock", {"frozen": True})
        merchant.refund(ORDER, "R-1", 1)
        platforms.advance(59)

        soon = merchant.refund(ORDER, "R-2", 1)
        platforms.advance(1)
        later = merchant.refund(ORDER, "R-2", 1)

        assert (soon.status, soon.data["code"]) == (429, "FREQUENCY_LIMITED")
        assert later.status == 200

    def test_fifty_for_each_trade(
        self, merchant: Merchant, by_hand: dict[str, Any], platforms: Platforms
    ) -> None:
        for number in range(50):
            assert merchant.refund(ORDER, f"R-{number}", 1).status == 200
            platforms.advance(60)

        answer = merchant.refund(ORDER, "R-50", 1)

        assert (answer.status, answer.data["code"]) == (400, "INVALID_REQUEST")
        assert "50" in answer.data["message"]

    def test_within_a_year(
        self, merchant: Merchant, by_hand: dict[str, Any], platforms: Platforms
    ) -> None:
        platforms.advance(365 * DAY_S - 60)
        assert merchant.refund(ORDER, "R-1", 1).status == 200
        platforms.advance(120)

        answer = merchant.refund(ORDER, "R-2", 1)

        assert (answer.status, answer.data["code"]) == (400, "INVALID_REQUEST")
        assert "一年" in answer.data["message"]

    def test_at_the_same_instant(
        self, merchant: Merchant, by_hand: dict[str, Any], platforms: Platforms
    ) -> None:
        with ThreadPoolExecutor(8) as threads:
            same = list(threads.map(lambda _: merchant.refund(ORDER, "R-1", 7000), range(8)))
        platforms.advance(60)
        with ThreadPoolExecutor(8) as threads:
            others = list(threads.map(lambda n: merchant.refund(ORDER, f"R-2-{n}", 5345), range(8)))

        assert len({one.data["refund_id"] for one in same}) == 1
        assert sorted(one.status for one in others) == [200, *[400] * 7]

    def test_not_more_than_the_account_holds(
        self, merchant: Merchant, by_hand: dict[str, Any], platforms: Platforms
    ) -> None:
        platforms.control("balance", {"fen": 99})

        short = merchant.refund(ORDER, "R-1", 100)
        enough = merchant.refund(ORDER, "R-1", 99)

        assert (short.status, short.data["code"]) == (403, "NOT_ENOUGH")
        assert enough.status == 200
        assert platforms.look("balance") == {merchant.mchid: 0}
        platforms.control("refund/R-1", {"state": "CLOSED"})
        assert platforms.look("balance") == {merchant.mchid: 99}

    def test_payments_fill_the_account(
        self, merchant: Merchant, owner: dict[str, Any], platforms: Platforms, backend: Backend
    ) -> None:
        platforms.control("balance", {"fen": 5})
        merchant.order(merchant.form(owner["openid_miniapp"], ORDER, backend.url))
        platforms.control(f"pay/{ORDER}")

        assert platforms.look("balance") == {merchant.mchid: 12350}
        platforms.control("balance", {"fen": None})
        assert platforms.look("balance") == {}


class TestStrictness:
    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"out_refund_no": None}, "out_refund_no"),
            ({"out_refund_no": "退款一"}, "out_refund_no"),
            ({"out_refund_no": "x" * 65}, "out_refund_no"),
            ({"out_trade_no": None}, "transaction_id"),
            ({"amount": None}, "amount"),
            ({"amount": {"refund": 1, "total": 12345}}, "amount.currency"),
            ({"amount": {"refund": 1, "total": 12345, "currency": "USD"}}, "amount.currency"),
            ({"amount": {"total": 12345, "currency": "CNY"}}, "amount.refund"),
            ({"amount": {"refund": 0, "total": 12345, "currency": "CNY"}}, "amount.refund"),
            ({"amount": {"refund": "1", "total": 12345, "currency": "CNY"}}, "amount.refund"),
            ({"amount": {"refund": 1.0, "total": 12345, "currency": "CNY"}}, "amount.refund"),
            ({"amount": {"refund": True, "total": 12345, "currency": "CNY"}}, "amount.refund"),
            ({"amount": {"refund": 1, "currency": "CNY"}}, "amount.total"),
            (
                {"amount": {"refund": 1, "total": 12345, "currency": "CNY", "fee": 1}},
                "amount.fee",
            ),
            ({"reason": ""}, "reason"),
            ({"reason": "长" * 81}, "reason"),
            ({"notify_url": "http://a.example/n"}, "notify_url"),
            ({"notify_url": "https://a.example/n?x=1"}, "notify_url"),
            ({"refund_fee": 1}, "refund_fee"),
        ],
    )
    def test_names_the_parameter(
        self,
        merchant: Merchant,
        paid: dict[str, Any],
        change: dict[str, Any],
        field: str,
    ) -> None:
        answer = merchant.refund(ORDER, "R-1", 1, **change)

        assert (answer.status, answer.data["code"]) == (400, "PARAM_ERROR")
        assert answer.data["detail"]["field"] == field
        assert answer.is_signed

    def test_needs_a_signature(self, merchant: Merchant, paid: dict[str, Any]) -> None:
        target = "/v3/refund/domestic/refunds"
        other_body = merchant.authorization("POST", target, "{}")

        answer = merchant.call("POST", target, {"x": 1}, authorization=other_body)

        assert (answer.status, answer.data["code"]) == (401, "SIGN_ERROR")

    def test_the_control_is_strict_too(self, platforms: Platforms, paid: dict[str, Any]) -> None:
        platforms.control("refund/NOSUCH", {"state": "SUCCESS"}, status=404)
        platforms.control("refund/NOSUCH", {"state": "DONE"}, status=400)
        platforms.control("refund/NOSUCH", {"state": "CLOSED", "callbacks": "x"}, status=400)
        platforms.control("refund_mode", {"mode": "never"}, status=400)
        platforms.control("refund_mode", {"delay_s": -1}, status=400)
        platforms.control("balance", {"fen": -1}, status=400)
        platforms.control("balance", {}, status=400)
        platforms.control("balance", {"fen": 1, "tenant": "x"}, status=400)


class TestFaults:
    def test_a_lost_answer_keeps_the_refund(
        self, merchant: Merchant, by_hand: dict[str, Any], platforms: Platforms
    ) -> None:
        platforms.fault({"lost_answer": True}, path="/v3/refund/domestic/refunds", times=1)

        with pytest.raises(requests.ConnectionError):
            merchant.refund(ORDER, "R-1", 1)

        assert merchant.query_refund("R-1").data["status"] == "PROCESSING"
        assert merchant.refund(ORDER, "R-1", 1).status == 200

    def test_a_reset_makes_none(
        self, merchant: Merchant, by_hand: dict[str, Any], platforms: Platforms
    ) -> None:
        platforms.fault({"reset": True}, out_refund_no="R-1", times=1)

        with pytest.raises(requests.ConnectionError):
            merchant.refund(ORDER, "R-1", 1)

        assert merchant.query_refund("R-1").status == 404

    @pytest.mark.parametrize(("when", "status"), [("before", 404), ("after", 200)])
    def test_system_error_with_and_without_effect(
        self,
        merchant: Merchant,
        by_hand: dict[str, Any],
        platforms: Platforms,
        when: str,
        status: int,
    ) -> None:
        error = {"status": 500, "code": "SYSTEM_ERROR"}
        platforms.fault(
            {"pay_error": error, "when": when}, out_refund_no="R-1", method="POST", times=1
        )

        answer = merchant.refund(ORDER, "R-1", 1)

        assert (answer.status, answer.data["code"]) == (500, "SYSTEM_ERROR")
        assert merchant.query_refund("R-1").status == status

    def test_of_one_refunds_query(
        self, merchant: Merchant, by_hand: dict[str, Any], platforms: Platforms
    ) -> None:
        merchant.refund(ORDER, "R-1", 1)
        platforms.fault({"badly_signed": True}, out_refund_no="R-1", method="GET")

        assert not merchant.query_refund("R-1").is_signed
        assert merchant.query_refund("R-2").is_signed


class TestCraft:
    def craft(self, platforms: Platforms, *faults: str, **more: Any) -> dict[str, Any]:
        made: dict[str, Any] = platforms.control(
            "craft/refund_callback", {"faults": list(faults), **more}
        )
        return made

    def test_without_faults_is_right(
        self, merchant: Merchant, by_hand: dict[str, Any], platforms: Platforms
    ) -> None:
        merchant.refund(ORDER, "R-1", 2345)

        made = self.craft(platforms, out_refund_no="R-1")

        assert merchant.has_signed(made["headers"], made["body"])
        opened = merchant.open(made["body"])
        assert opened == made["resource"]
        assert (opened["refund_status"], opened["amount"]["refund"]) == ("SUCCESS", 2345)
        assert merchant.query_refund("R-1").data["status"] == "PROCESSING"

    def test_of_a_refund_nobody_asked_for(
        self, merchant: Merchant, paid: dict[str, Any], platforms: Platforms
    ) -> None:
        made = self.craft(platforms, out_trade_no=ORDER)

        opened = merchant.open(made["body"])
        assert opened["transaction_id"] == paid["transaction_id"]
        assert opened["amount"]["refund"] == 12345

    def test_overrides_change_the_contents(self, platforms: Platforms, merchant: Merchant) -> None:
        made = self.craft(
            platforms,
            overrides={
                "amount_fen": 7,
                "refund_status": "ABNORMAL",
                "mchid": "1600000000",
                "out_refund_no": "OTHER",
                "extra": {"unknown_field": 1},
            },
        )

        opened = merchant.open(made["body"])
        assert (opened["amount"]["refund"], opened["refund_status"]) == (7, "ABNORMAL")
        assert (opened["mchid"], opened["out_refund_no"]) == ("1600000000", "OTHER")
        assert opened["unknown_field"] == 1
        assert '"event_type":"REFUND.ABNORMAL"' in made["body"]

    @pytest.mark.parametrize(
        "fault", ["wrong_key", "tampered_body", "signtest", "missing_headers", "foreign_pub_key_id"]
    )
    def test_does_not_verify(self, platforms: Platforms, merchant: Merchant, fault: str) -> None:
        made = self.craft(platforms, fault)

        assert not merchant.has_signed(made["headers"], made["body"])

    def test_an_unknown_fault_is_refused(self, platforms: Platforms) -> None:
        platforms.control("craft/refund_callback", {"faults": ["x"]}, status=400)


class TestRestart:
    def test_refunds_under_way_go_on(
        self,
        start_simulator: Callable[..., Any],
        backend: Backend,
        http: requests.Session,
        tmp_path: Any,
    ) -> None:
        arguments = ("--backend", backend.url, "--state", str(tmp_path))
        process = start_simulator(*arguments)
        platforms = Platforms(process.url, http)
        owner = platforms.control("people", {"phone": "19900000001"})
        merchant = Merchant(platforms.settings(), platforms)
        platforms.control("refund_mode", {"delay_s": 3600})
        merchant.order(merchant.form(owner["openid_miniapp"], ORDER, backend.url))
        platforms.control(f"pay/{ORDER}", {"wait": True})
        merchant.refund(ORDER, "R-1", 1)
        assert process.stop() == 0
        backend.received.clear()

        process = start_simulator(*arguments)
        platforms = Platforms(process.url, http)
        merchant = Merchant(platforms.settings(), platforms)
        platforms.advance(3600)

        assert merchant.query_refund("R-1").data["status"] == "SUCCESS"
        assert len(backend.received) == 1
        assert process.stop() == 0
