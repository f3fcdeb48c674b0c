"""A receipt on paper for its payer, and the page that says whether a paper is true."""

import io
import shutil

import pytest
from playwright.sync_api import sync_playwright
from pypdf import PdfReader

from domain.actors import system_actor
from domain.refund_states import RefundKind, RefundState
from miniapp_api.limits import PRINTING, VERIFYING
from services.payments.refund_rows import begin_refund, choose_parts, find_parts, lock_payment
from services.payments.refunds import end_refund
from tests.miniapp_api.answers import facts, refusal

LONG_NAME = "上海翡翠湖畔国际物业服务集团有限公司"


def token_of(database):
    return database.value("SELECT verify_token FROM receipt")


@pytest.fixture
def issue(owner, craft, notify):
    """Let the owner pay all and give the receipt's number."""

    def issue():
        payment = owner.started()
        notify(craft(payment["out_trade_no"]))
        return owner.get(f"/payments/{payment['id']}").json["receipt_no"]

    return issue


@pytest.fixture
def receipt_no(issue):
    return issue()


@pytest.fixture
def token(receipt_no, database):
    return token_of(database)


@pytest.fixture
def give_back(services):
    """Take money of the receipt back, as an approved refund that succeeded does."""

    def give_back(amount_fen):
        def work(tx):
            payment = lock_payment(tx, 1)
            refund = begin_refund(
                tx,
                payment,
                choose_parts(find_parts(tx, payment), amount_fen),
                kind=RefundKind.PAYMENT,
                reason="多收",
            )
            end_refund(tx, system_actor("退款"), refund.id, RefundState.SUCCEEDED)

        services.outbox.unit_of_work.run(work)

    return give_back


class TestMarks:
    @pytest.mark.breaks_promises  # nobody asked for the refund
    def test_what_became_of_it_stands_beside_what_was_issued(self, owner, receipt_no, give_back):
        before = owner.get(f"/receipts/{receipt_no}").json
        give_back(1200)

        after = owner.get(f"/receipts/{receipt_no}").json

        assert before["marks"] == []
        [mark] = after["marks"]
        assert (mark["kind"], mark["shown"], mark["amount_fen"]) == (
            "refunded",
            "已退款 ¥12.00",
            1200,
        )
        assert after["snapshot"] == before["snapshot"]


class TestPdf:
    def test_is_the_payers_and_no_reprint(self, owner, receipt_no, database):
        first = owner.get(f"/receipts/{receipt_no}.pdf")
        second = owner.get(f"/receipts/{receipt_no}.pdf")

        assert first.mimetype == "application/pdf"
        assert first.headers["Cache-Control"] == "private, no-store"
        assert receipt_no in first.headers["Content-Disposition"]
        assert first.data == second.data
        text = "".join(PdfReader(io.BytesIO(first.data)).pages[0].extract_text().split())
        assert receipt_no in text
        assert "补打" not in text
        assert database.value("SELECT count(*) FROM receipt_mark") == 0

    def test_nobody_elses(self, receipt_no, make_signed_in):
        stranger = make_signed_in(100, phone="19900000002")

        answer = stranger.get(f"/receipts/{receipt_no}.pdf")

        assert refusal(answer, 404)["code"] == "not_found"
        assert facts(answer)[2] == facts(stranger.get("/receipts/CH1-2026-9999999.pdf"))[2]

    def test_not_too_often(self, owner, receipt_no):
        for _ in range(PRINTING.per_minute):
            assert owner.get("/receipts/CH1-2026-9999999.pdf").status_code == 404

        assert refusal(owner.get(f"/receipts/{receipt_no}.pdf"), 429)["code"] == "too_many"


class TestPage:
    def test_says_that_it_is_true_and_what_to_compare(self, client, receipt_no, token):
        page = client.get(f"/r/{token}")

        assert page.status_code == 200
        for words in ("收据真实有效", receipt_no, "¥222.02", "翠湖花园1期", "199****0001"):
            assert words in page.text
        assert "19900000001" not in page.text

    @pytest.mark.breaks_promises  # nobody asked for the refund
    def test_says_what_went_back(self, client, token, give_back):
        give_back(1200)
        some = client.get(f"/r/{token}").text
        give_back(21002)
        all_of_it = client.get(f"/r/{token}").text

        assert "部分退款" in some
        assert "其中 ¥12.00 已退回" in some
        assert "已作废" in all_of_it
        assert "收据真实有效" not in some + all_of_it

    @pytest.mark.parametrize("unknown", ["0" * 32, "x", "-_-"])
    def test_of_a_code_that_is_none_of_ours(self, client, token, unknown):
        page = client.get(f"/r/{unknown}")

        assert page.status_code == 404
        assert page.mimetype == "text/html"
        assert "没有这张收据" in page.text

    def test_runs_no_script_and_loads_only_our_own(self, client, token):
        for address in (f"/r/{token}", "/r/none"):
            page = client.get(address)
            policy = page.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "script-src" not in policy
            assert "<script" not in page.text
            assert page.headers["Cache-Control"] == "no-store"

    def test_writes_names_as_text(self, client, database, owner, issue):
        database.do("UPDATE community SET name = '<img src=x>'")
        issue()

        page = client.get(f"/r/{token_of(database)}").text

        assert "<img" not in page
        assert "&lt;img src=x&gt;" in page

    def test_not_too_often(self, client, token):
        for _ in range(VERIFYING.per_minute):
            assert client.get("/r/none").status_code == 404

        assert client.get(f"/r/{token}").status_code == 429


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.breaks_promises  # nobody asked for the refund
@pytest.mark.skipif(not shutil.which("chromium"), reason="needs a Chromium on the PATH")
@pytest.mark.parametrize(("width", "height"), [(1280, 900), (390, 844)])
def test_a_browser_shows_it_and_nothing_is_blocked(
    owner, issue, give_back, live, width, height, tmp_path, database
):
    database.do("UPDATE community SET name = :name", name=LONG_NAME)
    issue()
    token = token_of(database)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": width, "height": height})
        said, asked, overflows, titles = [], [], [], []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        for name, amount_fen in (("true", 0), ("some", 1200), ("void", 21002)):
            if amount_fen:
                give_back(amount_fen)
            page.goto(f"{live}/r/{token}")
            page.screenshot(path=tmp_path / f"{name}-{width}.png")
            titles.append(page.locator(".state").inner_text())
            overflows.append(
                page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
            )
        browser.close()

    assert titles == ["收据真实有效", "部分退款", "已作废"]
    assert said == []
    assert max(overflows) <= 0
    assert all(url.startswith(live) for url in asked), asked
