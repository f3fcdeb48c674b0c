"""An Alipay trade's life: when it exists, how it is paid, closed, paid back and finished."""

from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.simulator.alipay_merchant import AlipayMerchant
from tests.simulator.platforms import Platforms

NUMBER = "ALI000001"


@pytest.fixture
def paid(alipay: AlipayMerchant, platforms: Platforms) -> Callable[..., Any]:
    def precreate_and_pay(**options: Any) -> Any:
        assert alipay.precreate(NUMBER).data["code"] == "10000"
        return platforms.control(f"alipay/pay/{NUMBER}", options)

    return precreate_and_pay


def status(alipay: AlipayMerchant) -> str:
    return str(alipay.query(NUMBER).data["trade_status"])


class TestBeforeTheScan:
    def test_there_is_no_trade_although_it_can_be_paid(
        self, alipay: AlipayMerchant, platforms: Platforms
    ) -> None:
        code = alipay.precreate(NUMBER).data["qr_code"]

        for answer in (alipay.query(NUMBER), alipay.close(NUMBER)):
            assert answer.error == ("40004", "ACQ.TRADE_NOT_EXIST")
            assert answer.data["out_trade_no"] == NUMBER
            assert answer.is_signed
        scanned = platforms.control("alipay/scan", {"qr_code": code, "by": "19900000001"})
        assert scanned["trade_status"] == "WAIT_BUYER_PAY"
        data = alipay.query(NUMBER).data
        assert (data["trade_status"], data["receipt_amount"]) == ("WAIT_BUYER_PAY", "0.00")
        assert (data["total_amount"], data["trade_no"]) == ("123.45", scanned["trade_no"])
        assert "send_pay_date" not in data

    def test_a_cancel_does_not_reach_the_code(
        self, alipay: AlipayMerchant, platforms: Platforms
    ) -> None:
        alipay.precreate(NUMBER)

        answer = alipay.call("alipay.trade.cancel", {"out_trade_no": NUMBER})

        assert (answer.data["code"], "action" in answer.data) == ("10000", False)
        assert platforms.control(f"alipay/pay/{NUMBER}")["trade_status"] == "TRADE_SUCCESS"

    @pytest.mark.parametrize(
        ("more", "life_s"),
        [
            ({}, 7200),
            ({"timeout_express": "30m"}, 1800),
            ({"qr_code_timeout_express": "5m", "timeout_express": "1h"}, 300),
        ],
    )
    def test_the_code_lives_as_long_as_it_is_told(
        self, alipay: AlipayMerchant, platforms: Platforms, more: dict[str, str], life_s: int
    ) -> None:
        platforms.control("clock", {"frozen": True})
        alipay.precreate(NUMBER, **more)
        alipay.precreate("ALI000002", **more)
        platforms.advance(life_s - 1)
        platforms.control("alipay/scan", {"out_trade_no": "ALI000002"})

        platforms.advance(1)

        platforms.control("alipay/scan", {"out_trade_no": NUMBER}, status=409)
        assert alipay.query(NUMBER).error[1] == "ACQ.TRADE_NOT_EXIST"
        # Whoever had scanned it in time finds it closed.
        assert alipay.query("ALI000002").data["trade_status"] == "TRADE_CLOSED"

    def test_time_expire_is_beijing_time(
        self, alipay: AlipayMerchant, platforms: Platforms
    ) -> None:
        platforms.control("clock", {"set": "2030-01-01T00:00:00Z", "frozen": True})

        alipay.precreate(NUMBER, time_expire="2030-01-01 08:10:00")
        alipay.precreate("ALI000002", timeout_express="1c")

        first, second = platforms.look("alipay/trades")
        assert first["payable_until"] == "2030-01-01T08:10:00+08:00"
        assert second["payable_until"] == "2030-01-02T00:00:00+08:00"


class TestPaying:
    def test_changes_the_answer_of_a_query(
        self, alipay: AlipayMerchant, paid: Callable[..., Any]
    ) -> None:
        shown = paid(by="19900000001")

        data = alipay.query(NUMBER).data
        assert data["trade_status"] == "TRADE_SUCCESS"
        assert len(data["trade_no"]) == 28
        assert data["trade_no"] == shown["trade_no"]
        assert data["buyer_logon_id"] == "199****0001"
        assert (data["buyer_user_id"][:4], len(data["buyer_user_id"])) == ("2088", 16)
        assert {data[key] for key in ("total_amount", "receipt_amount", "buyer_pay_amount")} == {
            "123.45"
        }
        assert data["fund_bill_list"] == [{"amount": "123.45", "fund_channel": "ALIPAYACCOUNT"}]
        by_platform = alipay.call("alipay.trade.query", {"trade_no": data["trade_no"]})
        assert by_platform.data["out_trade_no"] == NUMBER

    def test_both_numbers_must_be_of_one_trade(
        self, alipay: AlipayMerchant, paid: Callable[..., Any]
    ) -> None:
        biz = {"trade_no": paid()["trade_no"], "out_trade_no": "OTHER"}

        assert alipay.call("alipay.trade.query", biz).error[1] == "ACQ.TRADE_NOT_EXIST"

    def test_a_number_is_needed(self, alipay: AlipayMerchant) -> None:
        answer = alipay.call("alipay.trade.query", {})

        assert answer.error == ("40004", "ACQ.INVALID_PARAMETER")

    def test_is_once_and_by_one_buyer(self, alipay: AlipayMerchant, platforms: Platforms) -> None:
        alipay.precreate(NUMBER)
        platforms.control("alipay/scan", {"out_trade_no": NUMBER, "by": "19900000001"})

        platforms.control(f"alipay/pay/{NUMBER}", {"by": "19900000002"}, status=409)
        platforms.control(f"alipay/pay/{NUMBER}", {"by": "19900000001"})
        platforms.control(f"alipay/pay/{NUMBER}", {"by": "19900000001"}, status=409)

    def test_a_closed_trade_is_paid_only_by_force(
        self, alipay: AlipayMerchant, platforms: Platforms
    ) -> None:
        alipay.precreate(NUMBER)
        platforms.control("alipay/scan", {"out_trade_no": NUMBER})
        assert alipay.close(NUMBER).data["code"] == "10000"
        assert status(alipay) == "TRADE_CLOSED"

        platforms.control(f"alipay/pay/{NUMBER}", status=409)
        platforms.control(f"alipay/pay/{NUMBER}", {"force": True})

        assert status(alipay) == "TRADE_SUCCESS"

    def test_a_trade_paid_back_is_never_paid_again(
        self, alipay: AlipayMerchant, platforms: Platforms, paid: Callable[..., Any]
    ) -> None:
        paid()
        alipay.refund(NUMBER, "123.45")

        platforms.control(f"alipay/pay/{NUMBER}", {"force": True}, status=409)

        assert status(alipay) == "TRADE_CLOSED"

    def test_unknown_trades_are_404(self, platforms: Platforms) -> None:
        platforms.control("alipay/pay/NOSUCH", status=404)
        platforms.control("alipay/finish/NOSUCH", status=404)
        platforms.control("alipay/scan", {"qr_code": "https://qr.alipay.com/x"}, status=404)


class TestClosing:
    def test_a_paid_trade_is_not_closed(
        self, alipay: AlipayMerchant, paid: Callable[..., Any]
    ) -> None:
        paid()

        assert alipay.close(NUMBER).error == ("40004", "ACQ.TRADE_STATUS_ERROR")
        assert status(alipay) == "TRADE_SUCCESS"

    def test_cancel_closes_or_pays_back(
        self, alipay: AlipayMerchant, platforms: Platforms, paid: Callable[..., Any]
    ) -> None:
        paid()
        alipay.precreate("ALI000002")
        platforms.control("alipay/scan", {"out_trade_no": "ALI000002"})

        paid_back = alipay.call("alipay.trade.cancel", {"out_trade_no": NUMBER})
        closed = alipay.call("alipay.trade.cancel", {"out_trade_no": "ALI000002"})

        assert (paid_back.data["action"], closed.data["action"]) == ("refund", "close")
        assert {one["trade_status"] for one in platforms.look("alipay/trades")} == {"TRADE_CLOSED"}
        again = alipay.call("alipay.trade.cancel", {"out_trade_no": NUMBER})
        assert again.data["action"] == "refund"
        assert platforms.look("alipay/trades")[0]["refunded_fen"] == 12345


class TestRefunding:
    def test_whole_without_a_request_number(
        self, alipay: AlipayMerchant, paid: Callable[..., Any]
    ) -> None:
        paid()

        data = alipay.refund(NUMBER, "123.45").data

        assert (data["fund_change"], data["refund_fee"]) == ("Y", "123.45")
        assert status(alipay) == "TRADE_CLOSED"
        again = alipay.refund(NUMBER, "123.45").data
        assert (again["code"], again["fund_change"], again["refund_fee"]) == (
            "10000",
            "N",
            "123.45",
        )

    def test_parts_add_up(
        self, alipay: AlipayMerchant, platforms: Platforms, paid: Callable[..., Any]
    ) -> None:
        paid()

        first = alipay.refund(NUMBER, "23.45", "R1").data
        assert status(alipay) == "TRADE_SUCCESS"
        platforms.advance(3)
        second = alipay.refund(NUMBER, "100.00", "R2").data

        assert (first["refund_fee"], first["send_back_fee"]) == ("23.45", "23.45")
        assert (second["refund_fee"], second["send_back_fee"]) == ("123.45", "100.00")
        assert status(alipay) == "TRADE_CLOSED"

    def test_the_same_request_changes_nothing(
        self, alipay: AlipayMerchant, platforms: Platforms, paid: Callable[..., Any]
    ) -> None:
        paid()
        alipay.refund(NUMBER, "23.45", "R1")

        again = alipay.refund(NUMBER, "23.45", "R1").data
        other = alipay.refund(NUMBER, "23.46", "R1")

        assert (again["code"], again["fund_change"]) == ("10000", "N")
        assert other.error == ("40004", "ACQ.DISCORDANT_REPEAT_REQUEST")
        assert platforms.look("alipay/trades")[0]["refunded_fen"] == 2345

    @pytest.mark.parametrize(
        ("amount", "request_no", "sub_code"),
        [
            ("1.00", None, "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL"),
            ("123.46", "R1", "ACQ.REASON_TRADE_REFUND_FEE_ERR"),
            ("0.00", "R1", "ACQ.TOTAL_FEE_EXCEED"),
            ("1.001", "R1", "ACQ.INVALID_PARAMETER"),
        ],
    )
    def test_refuses_amounts(
        self,
        alipay: AlipayMerchant,
        paid: Callable[..., Any],
        amount: str,
        request_no: str | None,
        sub_code: str,
    ) -> None:
        paid()

        answer = alipay.refund(NUMBER, amount, request_no)

        assert answer.error == ("40004", sub_code)
        assert answer.data["refund_fee"] == "0.00"

    def test_refuses_more_than_was_paid_in_all(
        self, alipay: AlipayMerchant, platforms: Platforms, paid: Callable[..., Any]
    ) -> None:
        paid()
        alipay.refund(NUMBER, "100.00", "R1")
        platforms.advance(3)

        answer = alipay.refund(NUMBER, "23.46", "R2")

        assert answer.error == ("40004", "ACQ.REASON_TRADE_REFUND_FEE_ERR")

    def test_two_are_three_seconds_apart(
        self, alipay: AlipayMerchant, platforms: Platforms, paid: Callable[..., Any]
    ) -> None:
        platforms.control("clock", {"frozen": True})
        paid()
        alipay.refund(NUMBER, "1.00", "R1")
        platforms.advance(2.9)
        assert alipay.refund(NUMBER, "1.00", "R2").error == ("40004", "ACQ.SYSTEM_ERROR")

        platforms.advance(0.1)

        assert alipay.refund(NUMBER, "1.00", "R2").data["fund_change"] == "Y"

    def test_only_what_is_paid_and_not_finished(
        self, alipay: AlipayMerchant, platforms: Platforms
    ) -> None:
        assert alipay.refund(NUMBER, "1.00", "R1").error[1] == "ACQ.TRADE_NOT_EXIST"
        alipay.precreate(NUMBER)
        platforms.control("alipay/scan", {"out_trade_no": NUMBER})
        assert alipay.refund(NUMBER, "1.00", "R1").error[1] == "ACQ.TRADE_STATUS_ERROR"
        platforms.control(f"alipay/finish/{NUMBER}", status=409)
        platforms.control(f"alipay/pay/{NUMBER}")

        platforms.control(f"alipay/finish/{NUMBER}")

        assert status(alipay) == "TRADE_FINISHED"
        assert alipay.refund(NUMBER, "1.00", "R1").error[1] == "ACQ.TRADE_HAS_FINISHED"
        cancelled = alipay.call("alipay.trade.cancel", {"out_trade_no": NUMBER})
        assert cancelled.error[1] == "ACQ.TRADE_HAS_FINISHED"

    def test_can_be_asked_after(self, alipay: AlipayMerchant, paid: Callable[..., Any]) -> None:
        def ask(name: str, **more: Any) -> dict[str, Any]:
            biz = {"out_trade_no": NUMBER, "out_request_no": name, **more}
            return alipay.call("alipay.trade.fastpay.refund.query", biz).data

        assert ask("R1")["sub_code"] == "ACQ.TRADE_NOT_EXIST"
        paid()
        # A refund that never was is a success with nothing in it.
        assert ask("R1") == {"code": "10000", "msg": "Success"}
        alipay.refund(NUMBER, "23.45", "R1", refund_reason="多收")

        data = ask("R1")

        assert (data["refund_status"], data["refund_amount"]) == ("REFUND_SUCCESS", "23.45")
        assert (data["total_amount"], data["refund_reason"]) == ("123.45", "多收")
        assert "gmt_refund_pay" not in data
        assert "gmt_refund_pay" in ask("R1", query_options=["gmt_refund_pay"])
        assert ask("R1", query_options="x")["sub_code"] == "ACQ.INVALID_PARAMETER"
        assert ask("")["sub_code"] == "ACQ.INVALID_PARAMETER"
        assert ask("R1", out_requset_no="x")["sub_code"] == "ACQ.INVALID_PARAMETER"


class TestFaults:
    def test_fit_one_method_and_one_number(
        self, alipay: AlipayMerchant, platforms: Platforms
    ) -> None:
        platforms.fault(
            {"alipay_error": {"sub_code": "ACQ.SYSTEM_ERROR"}},
            host="ali",
            method="alipay.trade.query",
            out_trade_no=NUMBER,
        )

        answer = alipay.query(NUMBER)

        assert answer.error == ("40004", "ACQ.SYSTEM_ERROR")
        assert (answer.name, answer.is_signed) == ("alipay_trade_query_response", True)
        assert alipay.query("OTHER").error[1] == "ACQ.TRADE_NOT_EXIST"
        assert alipay.precreate(NUMBER).data["code"] == "10000"

    def test_an_error_may_come_after_the_effect(
        self, alipay: AlipayMerchant, platforms: Platforms, paid: Callable[..., Any]
    ) -> None:
        paid()
        action = {"alipay_error": {"sub_code": "isp.unknow-error"}, "when": "after"}
        platforms.fault(action, times=1, method="alipay.trade.refund")

        answer = alipay.refund(NUMBER, "23.45", "R1")

        assert answer.error == ("20000", "isp.unknow-error")
        assert alipay.refund(NUMBER, "23.45", "R1").data["fund_change"] == "N"

    def test_an_error_before_has_no_effect(
        self, alipay: AlipayMerchant, platforms: Platforms, paid: Callable[..., Any]
    ) -> None:
        paid()
        action = {"alipay_error": {"sub_code": "ACQ.SELLER_BALANCE_NOT_ENOUGH"}}
        platforms.fault(action, times=1, method="alipay.trade.refund")

        assert alipay.refund(NUMBER, "23.45", "R1").error[1] == "ACQ.SELLER_BALANCE_NOT_ENOUGH"
        assert alipay.refund(NUMBER, "23.45", "R1").data["fund_change"] == "Y"

    def test_an_answer_may_be_badly_signed_or_not_at_all(
        self, alipay: AlipayMerchant, platforms: Platforms
    ) -> None:
        platforms.fault({"badly_signed": True}, times=1, host="ali")
        platforms.fault({"unsigned": True}, times=1, host="ali")

        spoilt, bare = alipay.precreate(NUMBER), alipay.precreate(NUMBER)

        assert ('"sign":' in spoilt.text, spoilt.is_signed) == (True, False)
        assert '"sign":' not in bare.text
        assert alipay.precreate(NUMBER).is_signed

    def test_transport_faults_reach_alipay(
        self, alipay: AlipayMerchant, platforms: Platforms
    ) -> None:
        platforms.fault({"status": 502}, times=1, host="ali")
        params = alipay.params("alipay.trade.query", {"out_trade_no": NUMBER})

        answer = platforms.http.get(alipay.settings["ALIPAY_API_BASE"], params=params)

        assert (answer.status_code, "Bad Gateway" in answer.text) == (502, True)
        (entry,) = platforms.look("journal", host="ali")["requests"]
        assert entry["verdict"] == "fault: status 502"

    def test_a_lost_answer_keeps_its_effect(
        self, alipay: AlipayMerchant, platforms: Platforms
    ) -> None:
        platforms.fault({"lost_answer": True}, times=1, method="alipay.trade.precreate")

        with pytest.raises(requests.ConnectionError):
            alipay.precreate(NUMBER)

        (trade,) = platforms.look("alipay/trades")
        assert (trade["out_trade_no"], trade["trade_status"]) == (NUMBER, None)
