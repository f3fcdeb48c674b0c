"""The label of a lift, scanned with a phone."""

from playwright.sync_api import expect

from tests import factories
from tests.journeys.browser import BROWSER

pytestmark = BROWSER


def test_says_what_it_is_of(live, database, page, look):
    with database.session() as session:
        community = factories.make_community(session, name="翠湖花园")
        building = factories.make_building(session, community=community, name="3栋")
        factories.make_equipment(
            session, building=building, code="23456789ABCD", name="1号客梯", place="大堂左侧"
        )

    page.goto(f"{live}/e/23456789ABCD")

    expect(page.get_by_role("heading")).to_have_text("1号客梯")
    expect(page.get_by_text("危险情况")).to_be_visible()
    look("label")


def test_a_label_of_nothing_says_what_to_do(live, page, look):
    page.goto(f"{live}/e/ZZZZZZZZZZZZ")

    expect(page.get_by_role("heading")).to_have_text("没有这个设备")
    look("label-unknown")
