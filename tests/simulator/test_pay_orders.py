"""The life of an order, and every shape of request that is refused."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.simulator.conftest import Backend
from tests.simulator.merchant import Answer, Merchant
from tests.simulator.platforms import Platforms


@pytest.fixture
def form(merchant: Merchant, owner: dict[str, Any], backend: Backend) -> dict[str, Any]:
    return merchant.form(owner["openid_miniapp"], "ORDER0001", backend.url)


@pytest.fixture
def order(merchant: Merchant, form: dict[str, Any]) -> Answer:
    answer = merchant.order(form)
    assert answer.status == 200, answer.data
    return answer


def in_seconds(seconds: float) -> str:
    when = datetime.now(UTC) + timedelta(seconds=seconds)
    return when.strftime("%Y-%m-%dT%H:%M:%S+00:00")


class TestLife:
    def test_unpaid_paid_and_found_by_both_numbers(
        self, merchant: Merchant, order: Answer, platforms: Platforms, owner: dict[str, Any]
    ) -> None:
        assert order.data["prepay_id"].startswith("wx")
        before = merchant.query("ORDER0001")
        assert before.data["trade_state"] == "NOTPAY"
        assert "transaction_id" not in before.data

        paid = platforms.control("pay/ORDER0001", {"by": owner["phone"]})

        after = merchant.query("ORDER0001").data
        assert (after["trade_state"], after["amount"]["payer_total"]) == ("SUCCESS", 12345)
        assert after["success_time"].endswith("+08:00")
        assert len(after["transaction_id"]) == 28
        target = f"/v3/pay/transactions/id/{paid['transaction_id']}?mchid={merchant.mchid}"
        assert merchant.call("GET", target).data == after

    def test_the_same_order_again_gives_a_fresh_prepay_id(
        self, merchant: Merchant, order: Answer, form: dict[str, Any], platforms: Platforms
    ) -> None:
        again = merchant.order(form)

        assert again.status == 200
        assert again.data["prepay_id"] != order.data["prepay_id"]
        assert len(platforms.look("orders")) == 1

    @pytest.mark.parametrize(
        "change",
        [
            {"amount": {"total": 1, "currency": "CNY"}},
            {"description": "别的"},
            {"attach": "x"},
        ],
    )
    def test_the_same_number_for_something_else_is_refused(
        self,
        merchant: Merchant,
        order: Answer,
        form: dict[str, Any],
        change: dict[str, Any],
    ) -> None:
        answer = merchant.order(form | change)

        assert (answer.status, answer.data["code"]) == (403, "OUT_TRADE_NO_USED")

    def test_a_paid_order_cannot_be_placed_paid_or_closed_again(
        self, merchant: Merchant, order: Answer, form: dict[str, Any], platforms: Platforms
    ) -> None:
        platforms.control("pay/ORDER0001")

        assert merchant.order(form).data["code"] == "ORDERPAID"
        assert merchant.close("ORDER0001").data["code"] == "ORDERPAID"
        answer = platforms.control("pay/ORDER0001", status=409)
        assert answer["error"].startswith("ORDERPAID")

    def test_closing_is_final(
        self, merchant: Merchant, order: Answer, form: dict[str, Any], platforms: Platforms
    ) -> None:
        answer = merchant.close("ORDER0001")

        assert (answer.status, answer.is_signed) == (204, True)
        assert merchant.query("ORDER0001").data["trade_state"] == "CLOSED"
        assert merchant.order(form).data["code"] == "ORDER_CLOSED"
        assert merchant.close("ORDER0001").data["code"] == "ORDER_CLOSED"
        platforms.control("pay/ORDER0001", status=409)

    def test_the_money_may_come_at_the_moment_of_closing(
        self, merchant: Merchant, order: Answer, platforms: Platforms
    ) -> None:
        merchant.close("ORDER0001")

        platforms.control("pay/ORDER0001", {"force": True})

        assert merchant.query("ORDER0001").data["trade_state"] == "SUCCESS"

    def test_after_its_time_it_is_unpaid_but_cannot_be_paid(
        self, merchant: Merchant, form: dict[str, Any], platforms: Platforms
    ) -> None:
        merchant.order(form | {"time_expire": in_seconds(600)})
        platforms.advance(601)

        assert platforms.control("pay/ORDER0001", status=409)["error"].startswith("ORDER_EXPIRED")
        assert merchant.query("ORDER0001").data["trade_state"] == "NOTPAY"
        assert merchant.close("ORDER0001").status == 204

    def test_an_unknown_order_does_not_exist(self, merchant: Merchant) -> None:
        for answer in (merchant.query("NOSUCH01"), merchant.close("NOSUCH01")):
            assert (answer.status, answer.data["code"]) == (404, "ORDER_NOT_EXIST")

    def test_a_native_order_is_paid_by_whoever_scans(
        self, merchant: Merchant, form: dict[str, Any], platforms: Platforms
    ) -> None:
        del form["payer"]
        answer = merchant.order(form, "native")
        assert answer.data["code_url"].startswith("weixin://wxpay/")

        platforms.control("pay/ORDER0001")

        paid = merchant.query("ORDER0001").data
        assert (paid["trade_type"], len(paid["payer"]["openid"])) == ("NATIVE", 28)

    def test_only_who_ordered_can_pay(
        self, merchant: Merchant, order: Answer, platforms: Platforms
    ) -> None:
        answer = platforms.control("pay/ORDER0001", {"by": "19900000009"}, status=409)

        assert answer["error"].startswith("NOT_THE_PAYER")


class TestTicket:
    def test_pays(
        self, merchant: Merchant, order: Answer, platforms: Platforms, owner: dict[str, Any]
    ) -> None:
        ticket = merchant.ticket(order.data["prepay_id"])

        answer = platforms.control("pay_ticket", {**ticket, "by": owner["phone"]})

        assert (answer["errMsg"], answer["trade_state"]) == ("requestPayment:ok", "SUCCESS")

    @pytest.mark.parametrize(
        "change",
        [
            {"paySign": "AAAA"},
            {"signType": "MD5"},
            {"nonceStr": "other"},
            {"timeStamp": 1700000000},
            {"package": "prepay_id=wxnone"},
            {"appId": "wx0000000000000000"},
            {"by": "19900000009"},
        ],
    )
    def test_is_refused(
        self,
        merchant: Merchant,
        order: Answer,
        platforms: Platforms,
        change: dict[str, Any],
    ) -> None:
        ticket = merchant.ticket(order.data["prepay_id"]) | change

        answer = platforms.control("pay_ticket", ticket, status=400)

        assert answer["errMsg"].startswith("requestPayment:fail")
        assert merchant.query("ORDER0001").data["trade_state"] == "NOTPAY"

    def test_lasts_two_hours(self, merchant: Merchant, order: Answer, platforms: Platforms) -> None:
        ticket = merchant.ticket(order.data["prepay_id"])
        platforms.advance(7201)

        assert platforms.control("pay_ticket", ticket, status=400)["code"] == "PREPAY_EXPIRED"


class TestStrictness:
    @pytest.mark.parametrize(
        ("change", "code", "field"),
        [
            ({"description": None}, "PARAM_ERROR", "description"),
            ({"description": "长" * 128}, "PARAM_ERROR", "description"),
            ({"amount": None}, "PARAM_ERROR", "amount"),
            ({"amount": {"total": 0}}, "PARAM_ERROR", "amount.total"),
            ({"amount": {"total": "1"}}, "PARAM_ERROR", "amount.total"),
            ({"amount": {"total": 1.0}}, "PARAM_ERROR", "amount.total"),
            ({"amount": {"total": True}}, "PARAM_ERROR", "amount.total"),
            ({"amount": {"total": 1, "currency": "USD"}}, "PARAM_ERROR", "amount.currency"),
            ({"amount": {"total": 1, "payer": 1}}, "PARAM_ERROR", "amount.payer"),
            ({"notify_url": None}, "PARAM_ERROR", "notify_url"),
            ({"notify_url": "https://a.example/n?x=1"}, "PARAM_ERROR", "notify_url"),
            ({"notify_url": "http://a.example/n"}, "PARAM_ERROR", "notify_url"),
            ({"notify_url": "notify"}, "PARAM_ERROR", "notify_url"),
            ({"payer": None}, "PARAM_ERROR", "payer"),
            ({"payer": {}}, "PARAM_ERROR", "payer.openid"),
            ({"payer": {"openid": "nobody"}}, "PARAM_ERROR", "payer.openid"),
            ({"out_trade_no": "short"}, "PARAM_ERROR", "out_trade_no"),
            ({"out_trade_no": "x" * 33}, "PARAM_ERROR", "out_trade_no"),
            ({"out_trade_no": "订单号一二三"}, "PARAM_ERROR", "out_trade_no"),
            ({"time_expire": "2030-01-01 00:00:00"}, "PARAM_ERROR", "time_expire"),
            ({"time_expire": "2030-13-01T00:00:00+08:00"}, "PARAM_ERROR", "time_expire"),
            ({"time_expire": in_seconds(30)}, "PARAM_ERROR", "time_expire"),
            ({"time_expire": in_seconds(91 * 86_400)}, "PARAM_ERROR", "time_expire"),
            ({"mchid": "1600000000"}, "PARAM_ERROR", "mchid"),
            ({"appid": "wx0000000000000000"}, "APPID_MCHID_NOT_MATCH", "appid"),
            ({"total": 1}, "PARAM_ERROR", "total"),
            ({"attach": "长" * 129}, "PARAM_ERROR", "attach"),
        ],
    )
    def test_names_the_parameter(
        self,
        merchant: Merchant,
        form: dict[str, Any],
        change: dict[str, Any],
        code: str,
        field: str,
    ) -> None:
        form = {key: value for key, value in (form | change).items() if value is not None}

        answer = merchant.order(form)

        assert (answer.status, answer.data["code"]) == (400, code)
        assert answer.data["detail"]["field"] == field
        assert answer.is_signed

    def test_the_openid_must_be_the_appids(
        self, merchant: Merchant, form: dict[str, Any], owner: dict[str, Any]
    ) -> None:
        answer = merchant.order(form | {"payer": {"openid": owner["openid_official"]}})

        assert answer.data["detail"]["field"] == "payer.openid"

    def test_queries_need_the_mchid(self, merchant: Merchant, order: Answer) -> None:
        base = "/v3/pay/transactions/out-trade-no/ORDER0001"

        for target in (base, f"{base}?mchid=1600000000"):
            assert merchant.call("GET", target).data["code"] == "PARAM_ERROR"

    def test_closing_needs_the_mchid(self, merchant: Merchant, order: Answer) -> None:
        target = "/v3/pay/transactions/out-trade-no/ORDER0001/close"

        assert merchant.call("POST", target, {}).data["code"] == "PARAM_ERROR"

    def test_certificates_are_not_for_public_key_merchants(self, merchant: Merchant) -> None:
        answer = merchant.call("GET", "/v3/certificates")

        assert (answer.status, answer.data["code"]) == (404, "RESOURCE_NOT_EXISTS")

    def test_an_unknown_path_is_a_signed_404(self, merchant: Merchant) -> None:
        answer = merchant.call("GET", "/v3/no/such")

        assert (answer.status, answer.is_signed) == (404, True)


class TestAuthorization:
    TARGET = "/v3/pay/transactions/out-trade-no/NOSUCH01"

    def ask(self, merchant: Merchant, **more: Any) -> Answer:
        target = f"{self.TARGET}?mchid={merchant.mchid}"
        authorization = merchant.authorization("GET", target, "", **more)
        return merchant.call("GET", target, authorization=authorization)

    def test_is_right(self, merchant: Merchant) -> None:
        assert self.ask(merchant).data["code"] == "ORDER_NOT_EXIST"

    @pytest.mark.parametrize(
        "more",
        [
            {"signature": "AAAA"},
            {"serial": "0" * 40},
            {"mchid": "1600000000"},
            {"signature": ""},
        ],
    )
    def test_is_refused(self, merchant: Merchant, more: dict[str, str]) -> None:
        answer = self.ask(merchant, **more)

        assert (answer.status, answer.data["code"]) == (401, "SIGN_ERROR")
        assert answer.is_signed

    @pytest.mark.parametrize(("age_s", "status"), [(290, 404), (310, 401), (-310, 401)])
    def test_is_fresh(
        self, merchant: Merchant, platforms: Platforms, age_s: int, status: int
    ) -> None:
        now = int(platforms.look("clock")["timestamp"])

        assert self.ask(merchant, timestamp=now - age_s).status == status

    def test_follows_the_virtual_clock(self, merchant: Merchant, platforms: Platforms) -> None:
        real = int(platforms.look("clock")["timestamp"])
        platforms.advance(3600)

        assert self.ask(merchant).status == 404
        assert self.ask(merchant, timestamp=real).status == 401

    def test_callers_may_have_the_real_clock(
        self, merchant: Merchant, platforms: Platforms
    ) -> None:
        real = int(platforms.look("clock")["timestamp"])
        platforms.control("clock", {"advance": 86_400, "callers": "real"})

        assert self.ask(merchant, timestamp=real).status == 404
        assert self.ask(merchant, timestamp=real - 310).status == 401

    def test_a_nonce_serves_once(self, merchant: Merchant) -> None:
        assert self.ask(merchant, nonce="one-and-only").status == 404
        assert self.ask(merchant, nonce="one-and-only").status == 401

    def test_covers_body_and_query(self, merchant: Merchant, form: dict[str, Any]) -> None:
        target = "/v3/pay/transactions/jsapi"
        other_body = merchant.authorization("POST", target, "{}")
        other_query = merchant.authorization("GET", self.TARGET, "")

        assert merchant.call("POST", target, form, authorization=other_body).status == 401
        asked = f"{self.TARGET}?mchid={merchant.mchid}"
        assert merchant.call("GET", asked, authorization=other_query).status == 401

    def test_of_another_scheme_is_refused(self, merchant: Merchant) -> None:
        for authorization in ("x", "Bearer x", "WECHATPAY2-SHA256-RSA2048 mchid"):
            answer = merchant.call("GET", self.TARGET, authorization=authorization)
            assert answer.status == 401

    def test_another_public_key_id_is_refused(self, merchant: Merchant) -> None:
        target = f"{self.TARGET}?mchid={merchant.mchid}"

        answer = merchant.call("GET", target, headers={"Wechatpay-Serial": "PUB_KEY_ID_0"})

        assert (answer.status, answer.data["code"]) == (400, "PARAM_ERROR")

    def test_answers_name_the_public_key(
        self, merchant: Merchant, settings: dict[str, str]
    ) -> None:
        headers = self.ask(merchant).headers

        assert headers["Wechatpay-Serial"] == settings["WECHATPAY_PUBLIC_KEY_ID"]
        assert headers["Request-ID"]

    def test_the_foreign_tenant_has_its_own(
        self, platforms: Platforms, merchant: Merchant, order: Answer
    ) -> None:
        foreign = Merchant(platforms.settings("foreign"), platforms)

        answer = foreign.query("ORDER0001")

        assert (answer.data["code"], answer.is_signed) == ("ORDER_NOT_EXIST", True)
