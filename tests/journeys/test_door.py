"""Paying at a door in a real browser: every page fits a phone and a desk, and ends paid."""

from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

from domain.actors import Role
from tests import factories
from tests.journeys.browser import BROWSER

pytestmark = BROWSER


@pytest.fixture
def token(database, services):
    """A house that owes 1,234.56, and its code."""
    with database.session() as session:
        manager = factories.staff(session, Role.MANAGER)
        house = factories.make_house(session, building=factories.make_building(session))
        factories.make_bill(session, house=house, lines=(123456,))
        house_id, community_id = house.id, house.community_id
    services.pay_codes.make(actor=manager, community_id=community_id)
    return services.pay_codes.show_token(
        actor=manager, community_id=community_id, house_id=house_id
    )


def test_from_the_scan_to_the_receipt(live, token, page, look, simulator, database):
    page.goto(f"{live}/p/{token}")
    expect(page.locator(".amount")).to_have_text("¥1,234.56")
    look("door")

    page.get_by_role("button", name="支付宝支付").click()
    order = database.rows("SELECT out_trade_no FROM payment_order")[0]["out_trade_no"]
    if page.size_name == "desk":
        expect(page.get_by_alt_text("支付二维码")).to_be_visible()
        look("code")
    else:
        # The page sends the browser on to Alipay by itself.
        page.wait_for_url(lambda url: not url.startswith(live))
        look("alipay")
        # Where Alipay sends the browser back to: the payment's own page.
        page.goto(live + urlsplit(parse_qs(urlsplit(page.url).query)["return_url"][0]).path)
        expect(page.locator(".state")).to_have_text("等待支付")
        look("back")
    simulator.post(f"alipay/pay/{order}", wait=True)
    # The page looks again by itself.
    expect(page.locator(".state")).to_have_text("已入账", timeout=15_000)
    look("booked")
    page.get_by_role("link", name="扫码验真的页面").click()
    expect(page.locator(".state")).to_contain_text("真实有效")
    look("receipt")
    page.goto(f"{live}/p/{token}")
    expect(page.locator(".state")).to_have_text("没有待缴账单")
    look("paid")


def test_what_went_wrong_is_said(live, token, page, look):
    answer = page.goto(f"{live}/p/{'A' * 22}")

    assert answer.status == 404
    expect(page.get_by_role("heading")).to_have_text("没有完成")
    look("trouble")
