"""Orders paid in a phone's browser or an app: what they ask for, and the browser's page."""

from typing import Any
from urllib.parse import quote

import pytest
import requests

from tests.simulator.conftest import Backend
from tests.simulator.merchant import Merchant
from tests.simulator.platforms import Platforms

SCENE = {"payer_client_ip": "14.23.150.211", "h5_info": {"type": "Wap"}}
ORDER = "H5ORDER0001"


@pytest.fixture
def form(merchant: Merchant, backend: Backend) -> dict[str, Any]:
    form = merchant.form("", ORDER, backend.url, scene_info=SCENE)
    del form["payer"]
    return form


@pytest.fixture
def url(merchant: Merchant, form: dict[str, Any]) -> str:
    answer = merchant.order(form, "h5")
    assert (answer.status, answer.is_signed) == (200, True), answer.data
    return str(answer.data["h5_url"])


class TestOrder:
    def test_is_paid_by_its_number(
        self, merchant: Merchant, url: str, platforms: Platforms
    ) -> None:
        platforms.control(f"pay/{ORDER}")

        found = merchant.query(ORDER).data
        assert (found["trade_state"], found["trade_type"]) == ("SUCCESS", "MWEB")

    def test_again_gives_a_fresh_address(
        self, merchant: Merchant, url: str, form: dict[str, Any]
    ) -> None:
        again = merchant.order(form, "h5")

        assert again.data["h5_url"] != url

    @pytest.mark.parametrize(
        ("scene", "field"),
        [
            (None, "scene_info"),
            ({"h5_info": {"type": "Wap"}}, "scene_info.payer_client_ip"),
            (SCENE | {"payer_client_ip": "localhost"}, "scene_info.payer_client_ip"),
            ({"payer_client_ip": "::1"}, "scene_info.h5_info"),
            (SCENE | {"h5_info": {}}, "scene_info.h5_info.type"),
            (SCENE | {"h5_info": {"type": "web"}}, "scene_info.h5_info.type"),
        ],
    )
    def test_needs_a_scene(
        self, merchant: Merchant, form: dict[str, Any], scene: Any, field: str
    ) -> None:
        del form["scene_info"]

        answer = merchant.order(form | ({"scene_info": scene} if scene else {}), "h5")

        assert (answer.status, answer.data["code"]) == (400, "PARAM_ERROR")
        assert answer.data["detail"]["field"] == field

    def test_has_no_payer(
        self, merchant: Merchant, form: dict[str, Any], owner: dict[str, Any]
    ) -> None:
        payer = {"openid": owner["openid_miniapp"]}

        for kind in ("h5", "app"):
            answer = merchant.order(form | {"payer": payer}, kind)
            assert answer.data["detail"]["field"] == "payer"

    def test_its_token_is_no_prepay_id(
        self, merchant: Merchant, url: str, platforms: Platforms
    ) -> None:
        token = url.split("/pay/h5/")[1].split("?")[0]

        answer = platforms.control("pay_ticket", merchant.ticket(token), status=400)

        assert answer["code"] == "BAD_TICKET"

    def test_of_an_app(
        self, merchant: Merchant, form: dict[str, Any], platforms: Platforms
    ) -> None:
        answer = merchant.order(form, "app")
        platforms.control(f"pay/{ORDER}")

        assert answer.data["prepay_id"].startswith("wx")
        assert merchant.query(ORDER).data["trade_type"] == "APP"

    def test_the_number_is_not_another_kinds(
        self, merchant: Merchant, url: str, form: dict[str, Any]
    ) -> None:
        answer = merchant.order(form, "app")

        assert (answer.status, answer.data["code"]) == (403, "OUT_TRADE_NO_USED")


class TestPage:
    def press(self, http: requests.Session, url: str) -> requests.Response:
        return http.post(url, allow_redirects=False)

    def test_shows_what_is_to_be_paid(self, url: str, platforms: Platforms) -> None:
        page = platforms.http.get(url)

        assert url.startswith(f"{platforms.url}/pay/h5/")
        assert page.status_code == 200
        assert "安居花园1-101 物业费" in page.text
        assert "¥123.45" in page.text
        assert "<button" in page.text
        assert "立即支付" in page.text
        assert "Wechatpay-Signature" not in page.headers

    def test_the_button_pays_and_tells_the_merchant(
        self, merchant: Merchant, url: str, platforms: Platforms, backend: Backend
    ) -> None:
        done = self.press(platforms.http, url)
        platforms.advance(0)

        assert (done.status_code, "支付成功" in done.text) == (200, True)
        assert merchant.query(ORDER).data["trade_state"] == "SUCCESS"
        assert backend.paths() == ["/pay/notify"]
        assert "该订单已支付" in platforms.http.get(url).text
        assert "<button" not in platforms.http.get(url).text

    def test_then_goes_back_to_the_merchant(
        self, merchant: Merchant, url: str, platforms: Platforms
    ) -> None:
        back = "https://anju.example/h5/bills?paid=1&x=物业"

        done = self.press(platforms.http, f"{url}&redirect_url={quote(back, safe='')}")

        assert done.status_code == 303
        assert done.headers["Location"] == "https://anju.example/h5/bills?paid=1&x=" + quote("物业")

    @pytest.mark.parametrize("back", ["javascript:alert(1)", "/bills", "data:text/html,x"])
    def test_goes_back_to_web_pages_only(self, url: str, platforms: Platforms, back: str) -> None:
        done = self.press(platforms.http, f"{url}&redirect_url={quote(back, safe='')}")

        assert done.status_code == 200
        assert "Location" not in done.headers

    def test_lasts_five_minutes(self, merchant: Merchant, url: str, platforms: Platforms) -> None:
        platforms.control("clock", {"frozen": True})
        platforms.advance(299)
        assert platforms.http.get(url).status_code == 200
        platforms.advance(2)

        page, done = platforms.http.get(url), self.press(platforms.http, url)

        assert (page.status_code, done.status_code) == (400, 400)
        assert "已过期" in page.text
        assert merchant.query(ORDER).data["trade_state"] == "NOTPAY"

    def test_a_closed_order_is_not_paid(
        self, merchant: Merchant, url: str, platforms: Platforms
    ) -> None:
        merchant.close(ORDER)

        done = self.press(platforms.http, url)

        assert (done.status_code, "已关闭" in done.text) == (400, True)

    def test_another_address_is_none(
        self, merchant: Merchant, form: dict[str, Any], platforms: Platforms
    ) -> None:
        prepay_id = merchant.order(form, "app").data["prepay_id"]

        for token in ("none", prepay_id):
            done = self.press(platforms.http, f"{platforms.url}/pay/h5/{token}")
            assert done.status_code == 400
        assert merchant.query(ORDER).data["trade_state"] == "NOTPAY"

    def test_the_merchants_words_are_text(
        self, merchant: Merchant, form: dict[str, Any], platforms: Platforms
    ) -> None:
        answer = merchant.order(form | {"description": "<script>x</script>"}, "h5")

        page = platforms.http.get(answer.data["h5_url"])

        assert "<script>" not in page.text
        assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
