"""The phone page: served from here alone, and usable by a person."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.simulator.alipay_merchant import AlipayMerchant
from tests.simulator.conftest import Backend
from tests.simulator.merchant import Merchant
from tests.simulator.platforms import Platforms

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class TestServing:
    def test_everything_comes_from_here(self, platforms: Platforms) -> None:
        page = platforms.http.get(platforms.url + "/")
        assert page.headers["Content-Security-Policy"].startswith("default-src 'self'")

        assets = re.findall(r'(?:src|href)="(/[^"]+)"', page.text)
        assert len(assets) == 5
        for path in assets:
            answer = platforms.http.get(platforms.url + path)
            assert answer.status_code == 200
            assert "://" not in answer.text
        assert "://" not in page.text
        assert "innerHTML" not in "".join(
            platforms.http.get(platforms.url + p).text for p in assets
        )


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium")
class TestUsing:
    @pytest.fixture
    def page(self, platforms: Platforms) -> Iterator[Page]:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            page = browser.new_page(viewport={"width": 390, "height": 844})
            problems: list[str] = []
            page.on("pageerror", lambda error: problems.append(str(error)))
            page.goto(platforms.url)
            yield page
            browser.close()
            assert problems == []

    def test_add_follow_write_and_pay(
        self, page: Page, platforms: Platforms, merchant: Merchant, backend: Backend
    ) -> None:
        expect(page.get_by_text("还没有选择住户")).to_be_visible()
        page.locator("#who").click()
        page.fill("#add-phone", "19900000001")
        page.fill("#add-name", "王芳")
        page.get_by_role("button", name="添加").click()
        page.get_by_role("button", name="关注", exact=True).click()
        page.fill("#compose-text", "<b>账单</b>")
        page.get_by_role("button", name="发送").click()
        expect(page.locator(".line.person .bubble")).to_have_text("<b>账单</b>")

        (person,) = platforms.look("people")
        order: dict[str, Any] = merchant.form(person["openid_miniapp"], "PAGE00001", backend.url)
        merchant.order(order)
        page.locator("[data-tab=pay]").click()
        page.get_by_role("button", name="去支付").click()
        expect(page.get_by_role("dialog")).to_contain_text("¥123.45")
        page.get_by_role("button", name="确认支付").click()
        expect(page.get_by_role("dialog")).to_contain_text("支付成功")
        page.get_by_role("button", name="完成").click()

        assert merchant.query("PAGE00001").data["trade_state"] == "SUCCESS"

    def test_scan_an_alipay_code_and_pay(
        self, page: Page, platforms: Platforms, alipay: AlipayMerchant, backend: Backend
    ) -> None:
        code = alipay.precreate("PAGE00002", backend.url).data["qr_code"]
        page.locator("[data-tab=pay]").click()
        expect(page.locator(".order")).to_contain_text("待扫码")
        page.fill("#scan-text", "随便什么")
        page.get_by_role("button", name="扫一扫").click()
        expect(page.locator("#note")).to_contain_text("不是支付宝的付款码")

        page.fill("#scan-text", code)
        page.get_by_role("button", name="扫一扫").click()
        expect(page.get_by_role("dialog")).to_contain_text("¥123.45")
        page.get_by_role("button", name="确认支付").click()
        expect(page.get_by_role("dialog")).to_contain_text("支付成功")
        page.get_by_role("button", name="完成").click()

        assert alipay.query("PAGE00002").data["trade_status"] == "TRADE_SUCCESS"

    def test_open_the_cashier_and_come_back(
        self, page: Page, alipay: AlipayMerchant, platforms: Platforms, backend: Backend
    ) -> None:
        backend.always(200, "<p>谢谢".encode())
        biz = alipay.form("PAGE00003", product_code="QUICK_WAP_WAY")
        params = alipay.params("alipay.trade.wap.pay", biz, return_url=backend.url + "/back")
        page.locator("[data-tab=pay]").click()
        page.fill("#scan-text", f"{alipay.settings['ALIPAY_API_BASE']}?{urlencode(params)}")

        page.get_by_role("button", name="扫一扫").click()
        page.get_by_role("button", name="付款").click()
        expect(page.get_by_text("付款成功")).to_be_visible()
        page.get_by_role("link", name="返回商家").click()

        page.wait_for_url(backend.url + "/back?*")
        # A browser may ask for an icon besides.
        (back,) = (one for one in backend.received if one.path == "/back")
        assert back.query["out_trade_no"] == "PAGE00003"
