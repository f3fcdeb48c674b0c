"""Each fault does what it says, to the request it names, as often as it says."""

import time
from typing import Any

import pytest
import requests

from tests.simulator.conftest import Backend
from tests.simulator.merchant import Merchant
from tests.simulator.platforms import Platforms


@pytest.fixture
def form(merchant: Merchant, owner: dict[str, Any], backend: Backend) -> dict[str, Any]:
    return merchant.form(owner["openid_miniapp"], "FAULT0001", backend.url)


def get_token(platforms: Platforms) -> dict[str, Any]:
    return platforms.wx("GET", "cgi-bin/token", grant_type="client_credential")


class TestTransport:
    def test_a_lost_answer_keeps_the_effect(
        self, merchant: Merchant, form: dict[str, Any], platforms: Platforms
    ) -> None:
        platforms.fault({"lost_answer": True}, path="/v3/pay/transactions/jsapi", times=1)

        with pytest.raises(requests.ConnectionError):
            merchant.order(form)

        assert merchant.query("FAULT0001").data["trade_state"] == "NOTPAY"
        lost = platforms.look("journal", path="jsapi")["requests"][0]
        assert (lost["status"], lost["answer"]) == (None, None)
        assert "answer lost" in lost["verdict"]

    def test_a_reset_has_no_effect(
        self, merchant: Merchant, form: dict[str, Any], platforms: Platforms
    ) -> None:
        platforms.fault({"reset": True}, path="/v3/pay/transactions/jsapi", times=1)

        with pytest.raises(requests.ConnectionError):
            merchant.order(form)

        assert merchant.query("FAULT0001").data["code"] == "ORDER_NOT_EXIST"

    @pytest.mark.parametrize(("when", "state"), [("before", None), ("after", "NOTPAY")])
    def test_a_gateway_error_comes_before_or_after_the_effect(
        self,
        merchant: Merchant,
        form: dict[str, Any],
        platforms: Platforms,
        when: str,
        state: str | None,
    ) -> None:
        platforms.fault({"status": 502, "when": when}, path="jsapi")
        answer = platforms.http.post(f"{platforms.url}/pay/v3/pay/transactions/jsapi")
        assert (answer.status_code, answer.headers["Content-Type"][:9]) == (502, "text/html")
        assert "Wechatpay-Signature" not in answer.headers
        with pytest.raises(requests.JSONDecodeError):
            merchant.order(form)

        assert merchant.query("FAULT0001").data.get("trade_state") == state

    def test_html_with_200(self, platforms: Platforms) -> None:
        platforms.fault({"html": True}, host="wx")

        answer = platforms.http.get(f"{platforms.url}/wx/cgi-bin/token")

        assert (answer.status_code, answer.text[:6]) == (200, "<html>")

    def test_truncated_json(self, platforms: Platforms) -> None:
        platforms.fault({"truncated_json": True}, host="wx")

        with pytest.raises(requests.JSONDecodeError):
            get_token(platforms)

    @pytest.mark.parametrize("when", ["before", "after"])
    def test_latency(self, platforms: Platforms, when: str) -> None:
        platforms.fault({"latency_ms": 120, "when": when}, host="wx")
        started = time.monotonic()

        get_token(platforms)

        assert time.monotonic() - started >= 0.12


class TestSignatures:
    @pytest.mark.parametrize("action", ["unsigned", "badly_signed"])
    def test_are_missing_or_wrong(
        self, merchant: Merchant, form: dict[str, Any], platforms: Platforms, action: str
    ) -> None:
        platforms.fault({action: True}, host="pay", times=1)

        answer = merchant.order(form)

        assert (answer.status, answer.is_signed) == (200, False)
        assert ("Wechatpay-Signature" in answer.headers) is (action == "badly_signed")
        assert merchant.order(form).is_signed


class TestCodes:
    def test_of_wechat(self, platforms: Platforms) -> None:
        platforms.fault({"errcode": -1}, path="cgi-bin/token", times=2)

        codes = [get_token(platforms)["errcode"] for _ in range(3)]

        assert codes == [-1, -1, 41002]

    def test_of_wechat_pay_are_signed(
        self, merchant: Merchant, form: dict[str, Any], platforms: Platforms
    ) -> None:
        error = {"status": 429, "code": "FREQUENCY_LIMITED"}
        platforms.fault({"pay_error": error, "when": "after"}, path="jsapi", times=1)

        answer = merchant.order(form)

        assert (answer.status, answer.data["code"]) == (429, "FREQUENCY_LIMITED")
        assert answer.is_signed
        assert merchant.query("FAULT0001").data["trade_state"] == "NOTPAY"


class TestMatching:
    def test_by_openid_and_number(
        self, merchant: Merchant, form: dict[str, Any], owner: dict[str, Any], platforms: Platforms
    ) -> None:
        error = {"status": 500, "code": "SYSTEM_ERROR"}
        platforms.fault({"pay_error": error}, openid="somebody")
        assert merchant.order(form).status == 200
        platforms.fault({"pay_error": error}, openid=owner["openid_miniapp"])
        assert merchant.order(form).status == 500
        platforms.http.delete(f"{platforms.url}/_sim/faults")

        platforms.fault({"pay_error": error}, out_trade_no="FAULT0001", method="GET")
        assert merchant.query("FAULT0001").status == 500
        assert merchant.query("FAULT0002").status == 404

    def test_by_appid_of_the_token(self, platforms: Platforms, settings: dict[str, str]) -> None:
        token = platforms.token(settings)
        platforms.fault({"errcode": 45009}, appid=settings["WECHAT_MINIAPP_APPID"])
        assert platforms.wx("GET", "cgi-bin/user/info", access_token=token)["errcode"] == 40003
        platforms.fault({"errcode": 45009}, appid=settings["WECHAT_OFFICIAL_APPID"])
        assert platforms.wx("GET", "cgi-bin/user/info", access_token=token)["errcode"] == 45009

    def test_only_the_nth(self, platforms: Platforms) -> None:
        platforms.fault({"errcode": -1}, host="wx", nth=2)

        codes = [get_token(platforms)["errcode"] for _ in range(3)]

        assert codes == [41002, -1, 41002]

    def test_by_pattern_and_chance(self, platforms: Platforms) -> None:
        platforms.fault({"errcode": -1}, path="/cgi-bin/*", probability=0.5)

        codes = {get_token(platforms)["errcode"] for _ in range(40)}

        assert codes == {-1, 41002}

    def test_rules_are_listed_counted_and_removed(self, platforms: Platforms) -> None:
        rule = platforms.fault({"errcode": -1}, host="wx")["faults"][0]
        get_token(platforms)

        (listed,) = platforms.look("faults")["faults"]
        assert (listed["id"], listed["seen"], listed["fired"]) == (rule["id"], 1, 1)
        platforms.http.delete(f"{platforms.url}/_sim/faults/{rule['id']}")
        assert platforms.look("faults")["faults"] == []

    @pytest.mark.parametrize(
        "rule",
        [
            {"match": {}, "action": {}},
            {"match": {"hosts": "wx"}, "action": {"reset": True}},
            {"match": {}, "action": {"explode": True}},
            {"when": {}, "action": {"reset": True}},
            {"match": {}, "action": {"reset": True, "when": "later"}},
            "rule",
        ],
    )
    def test_nonsense_is_refused(self, platforms: Platforms, rule: Any) -> None:
        platforms.control("faults", [rule], status=400)
