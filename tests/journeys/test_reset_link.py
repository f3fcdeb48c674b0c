"""A forgotten password, from the mail to the new one, in a real browser."""

import re

import pytest
from playwright.sync_api import expect

from domain.actors import visitor
from services.password_doors import WrongCredentials
from services.sign_in_attempts import Visit
from tests import factories
from tests.journeys.browser import BROWSER

pytestmark = BROWSER
NEW = "nine quiet lanterns"
VISIT = Visit("203.0.113.5")


@pytest.fixture
def link(live, database, services, queue, simulator):
    """The address in the mail that somebody asked for."""
    with database.session() as session:
        factories.make_staff(session, login_name="li", role="engineer", email="li@cuihu.cn")
    services.staff_resets.ask_by_mail(actor=visitor(), login_name="li", visit=VISIT)
    queue.run()
    [mail] = simulator.get("mails")
    return re.search(r"http\S+/staff/reset#token=\S+", mail["text"])[0]


def sign_in(services, password):
    return services.staff_sessions.sign_in(
        actor=visitor(), login_name="li", password=password, visit=VISIT
    )


def test_from_the_mail_to_the_new_password(live, link, page, look, services):
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(link)
    expect(page.get_by_role("heading")).to_have_text("设置新密码")
    assert "token" not in page.url
    look("reset")

    def hand_in(password, again):
        page.get_by_label("新密码", exact=True).fill(password)
        page.get_by_label("再输一次").fill(again)
        page.get_by_role("button", name="设置新密码").click()

    hand_in(NEW, "something else")
    expect(page.get_by_role("alert")).to_have_text("两次输入的密码不一样。")
    hand_in("short", "short")
    expect(page.get_by_role("alert")).to_contain_text("至少 15 个字符")
    look("reset-weak")
    with pytest.raises(WrongCredentials):
        sign_in(services, NEW)
    hand_in(NEW, NEW)
    expect(page.get_by_role("status")).to_have_text("新密码已生效，请用它登录。")
    look("reset-done")

    assert sign_in(services, NEW).token
    assert not any("token=" in url for url in asked)
    page.goto(f"{live}/h5/payments")
    page.goto(link)
    hand_in("ten quiet lanterns!", "ten quiet lanterns!")
    expect(page.get_by_role("alert")).to_contain_text("链接")
    look("reset-used")


def test_a_link_without_its_token(live, page, look):
    page.goto(f"{live}/staff/reset")

    expect(page.get_by_role("alert")).to_contain_text("链接不完整")
    expect(page.get_by_role("button")).to_be_hidden()
    look("reset-empty")
