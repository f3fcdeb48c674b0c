"""Receipts on paper: what stands on them, how often they were printed, and who may have them."""

import io
from datetime import timedelta

import pypdfium2
import pytest
import zxingcpp
from pypdf import PdfReader

from domain.actors import visitor
from domain.errors import InvalidInput, NotAllowed, NotFound
from domain.payment_states import PaymentChannel
from services.approvals.requests import Payout
from services.payments.money_in import MoneyIn
from services.payments.receipt_prints import PRINT_CAP, WhichReceipts
from tests import factories

BASE = "https://wuye.example.com"


def pages(pdf):
    """The text of each page without its blanks, which the layout decides."""
    return ["".join(page.extract_text().split()) for page in PdfReader(io.BytesIO(pdf)).pages]


@pytest.fixture
def finance(database, scene):
    with database.session() as session:
        return factories.staff(session, role="finance")


@pytest.fixture
def print_receipts(services, scene):
    def print_receipts(*receipt_nos, actor=None, community_id=None, **which):
        return services.receipt_prints.print_receipts(
            actor=actor or scene.cashier,
            community_id=community_id or scene.community_id,
            which=WhichReceipts(receipt_nos=receipt_nos, **which),
            base_url=BASE,
        )

    return print_receipts


@pytest.fixture
def verify(services, database):
    def verify(receipt=None, token=None):
        if receipt is not None:
            token = database.value(
                "SELECT verify_token FROM receipt WHERE receipt_no = :no", no=receipt.receipt_no
            )
        return services.receipt_prints.verify(actor=visitor(), token=token)

    return verify


@pytest.fixture
def refund(services, scene, finance):
    """Pay some of a receipt's money back over the counter."""

    def refund(receipt, amount_fen):
        asked = services.payment_refund_requests.ask(
            actor=scene.manager,
            community_id=scene.community_id,
            payment_id=receipt.taken_id,
            amount_fen=amount_fen,
            reason="多收",
            payout=Payout("cash", "王五", "19900000001"),
        )
        services.money_decisions.approve(actor=finance, request_id=asked.request_id)

    return refund


@pytest.fixture
def reverse(services, scene):
    return lambda receipt: services.reversals.reverse(
        actor=scene.manager,
        community_id=scene.community_id,
        receipt_no=receipt.receipt_no,
        reason="录错",
    )


class TestSheet:
    def test_says_what_was_issued(self, take, add_bill, print_receipts, database, scene):
        add_bill(126000)
        receipt = take(126100, channel=PaymentChannel.CHEQUE, voucher_no="V-0077")

        [page] = pages(print_receipts(receipt.receipt_no))

        for words in (
            receipt.receipt_no,
            "王五",
            "支票",
            "V-0077",
            "物业费",
            "1,260.00",
            "壹仟贰佰陆拾壹元整",
            scene.cashier.name,
        ):
            assert words in page
        assert "补打" not in page
        assert "作废" not in page

    def test_its_code_opens_the_page_that_verifies_it(self, take, print_receipts, database):
        receipt = take(5000)

        image = pypdfium2.PdfDocument(print_receipts(receipt.receipt_no))[0].render(scale=4)

        [code] = zxingcpp.read_barcodes(image.to_pil())
        token = database.value("SELECT verify_token FROM receipt")
        assert code.text == f"{BASE}/r/{token}"

    def test_a_day_that_was_entered_later_is_said(self, services, scene, finance, print_receipts):
        today = services.clock.now().date()
        receipt = services.counter.take(
            actor=finance,
            community_id=scene.community_id,
            house_id=scene.house_id,
            money=MoneyIn(
                PaymentChannel.CASH,
                5000,
                "王五",
                note="停电",
                received_on=today - timedelta(days=5),
            ),
            client_key="late-0001",
        )

        [page] = pages(print_receipts(receipt.receipt_no))

        assert f"补录：{today - timedelta(days=5)}收款" in page


class TestMarks:
    def test_from_the_second_print_on_it_says_so(self, take, print_receipts, database, audit):
        receipt = take(5000)

        prints = [pages(print_receipts(receipt.receipt_no))[0] for _ in range(3)]

        assert ["补打第2次" in page for page in prints] == [False, True, False]
        assert ["补打第3次" in page for page in prints] == [False, False, True]
        marks = database.rows("SELECT kind, staff_id FROM receipt_mark ORDER BY id")
        assert [mark["kind"] for mark in marks] == ["printed"] * 3
        assert audit("receipts_printed")[0]["receipt_nos"] == [receipt.receipt_no]

    def test_what_went_back_is_said_and_all_of_it_voids(self, take, print_receipts, refund):
        receipt = take(5000)
        refund(receipt, 1200)
        [some] = pages(print_receipts(receipt.receipt_no))
        refund(receipt, 3800)
        [all_of_it] = pages(print_receipts(receipt.receipt_no))

        assert "已退款¥12.00" in some
        assert "作废" not in some
        assert "已退款¥12.00" in all_of_it
        assert "已退款¥38.00" in all_of_it
        assert "作废" in all_of_it

    def test_a_reversal_voids(self, take, print_receipts, reverse):
        receipt = take(5000)
        reverse(receipt)

        [page] = pages(print_receipts(receipt.receipt_no))

        assert "作废" in page
        assert "已冲红¥50.00" in page

    def test_the_receipt_shows_its_marks_to_staff(self, services, scene, take, refund, clock):
        receipt = take(5000)
        refund(receipt, 1200)

        shown = services.receipts.show_any(
            actor=scene.cashier, community_id=scene.community_id, receipt_no=receipt.receipt_no
        )

        assert [(mark.kind, mark.shown, mark.at) for mark in shown.marks] == [
            ("refunded", "已退款 ¥12.00", clock.now())
        ]

    @pytest.mark.breaks_promises  # no use-case takes so much
    def test_what_cannot_be_drawn_was_not_printed(self, take, print_receipts, tamper, database):
        receipt = take(5000)
        tamper("UPDATE receipt SET amount_fen = 1")

        with pytest.raises(ValueError, match="add up"):
            print_receipts(receipt.receipt_no)

        assert database.value("SELECT count(*) FROM receipt_mark") == 0


class TestWhich:
    def test_of_a_shift(self, services, scene, take, print_receipts):
        first, second = take(5000), take(6000)
        here = {"actor": scene.cashier, "community_id": scene.community_id}
        services.shifts.begin_close(**here)
        services.shifts.count(**here, counted_fen={PaymentChannel.CASH: 11000})
        take(7000)

        printed = pages(print_receipts(shift_id=1))

        assert [first.receipt_no in printed[0], second.receipt_no in printed[1]] == [True, True]
        assert len(printed) == 2

    def test_of_a_cashier_and_a_day(
        self, services, scene, finance, take, print_receipts, clock, today, database
    ):
        receipt = take(5000)
        day = today()
        services.counter.take(
            actor=finance,
            community_id=scene.community_id,
            house_id=scene.house_id,
            money=MoneyIn(PaymentChannel.CASH, 100, "王五"),
            client_key="finance-0001",
        )
        clock.advance(days=1)
        take(6000)
        cashier = database.value("SELECT login_name FROM staff WHERE id = :id", id=scene.cashier.id)

        [page] = pages(print_receipts(cashier=cashier, issued_on=day))

        assert receipt.receipt_no in page
        assert len(pages(print_receipts(cashier=cashier))) == 2
        assert len(pages(print_receipts(issued_on=day))) == 2

    @pytest.mark.breaks_promises  # so many receipts are made by hand
    def test_too_many_are_not_printed_in_part(self, take, print_receipts, database):
        take(5000)
        database.do(
            "INSERT INTO payment (community_id, channel, mchid, provider_transaction_id,"
            " out_trade_no, amount_fen, paid_at, booked_at, house_id, taken_by_staff_id, shift_id,"
            " payer_name) SELECT community_id, channel, mchid, 'X' || n, 'X' || n, amount_fen,"
            " paid_at, booked_at, house_id, taken_by_staff_id, shift_id, payer_name"
            f" FROM payment, generate_series(1, {PRINT_CAP}) n"
        )
        database.do(
            "INSERT INTO receipt (community_id, payment_id, receipt_no, amount_fen, snapshot,"
            " issued_at) SELECT receipt.community_id, payment.id, 'X' || payment.id,"
            " receipt.amount_fen, snapshot, issued_at FROM payment, receipt"
            " WHERE payment.out_trade_no LIKE 'X%'"
        )

        with pytest.raises(InvalidInput):
            print_receipts(shift_id=1)

        assert database.value("SELECT count(*) FROM receipt_mark") == 0

    def test_nothing_said(self, print_receipts):
        with pytest.raises(InvalidInput):
            print_receipts()

    def test_one_that_is_none_stops_all(self, take, print_receipts, database):
        receipt = take(5000)

        with pytest.raises(NotFound) as refused:
            print_receipts(receipt.receipt_no, "CH1-2026-9999999")

        assert refused.value.message == "没有这张收据：CH1-2026-9999999"
        assert database.value("SELECT count(*) FROM receipt_mark") == 0

    def test_another_communitys(self, take, print_receipts):
        receipt = take(5000)

        with pytest.raises(NotFound):
            print_receipts(receipt.receipt_no, community_id=999)
        with pytest.raises(NotFound):
            print_receipts(shift_id=1, community_id=999)

    def test_whoever_may_not(self, database, take, print_receipts):
        receipt = take(5000)
        with database.session() as session:
            auditor = factories.staff(session, role="auditor")

        with pytest.raises(NotAllowed):
            print_receipts(receipt.receipt_no, actor=auditor)


class TestVerify:
    def test_says_what_can_be_compared_and_no_whole_name(self, take, verify, today):
        receipt = take(5000, payer_name="欧阳娜娜")

        said = verify(receipt)

        assert (said.receipt_no, said.amount_fen, said.payer) == (
            receipt.receipt_no,
            5000,
            "欧***",
        )
        assert (said.paid_on, said.issued_on) == (today(), today())
        assert not said.is_void

    def test_says_what_became_of_it(self, take, verify, refund):
        receipt = take(5000)
        refund(receipt, 1200)
        assert (verify(receipt).refunded_fen, verify(receipt).is_void) == (1200, False)

        refund(receipt, 3800)

        assert (verify(receipt).refunded_fen, verify(receipt).is_void) == (5000, True)

    @pytest.mark.parametrize("token", ["", "0" * 32, "x"])
    def test_what_we_never_issued(self, take, verify, token):
        take(5000)

        with pytest.raises(NotFound):
            verify(token=token)
