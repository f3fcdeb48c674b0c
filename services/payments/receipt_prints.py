"""Receipts on paper: PDF for staff and for payers, and what the code on one says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from domain.actors import Actor, Permission
from domain.errors import InvalidInput, NotFound
from domain.people import mask_name
from domain.periods import SHANGHAI, local_date, start_of_local_day
from domain.tokens import hash_of_token
from models import Payment, PaymentOrder, Receipt, ReceiptMark, Staff
from services.audit import record
from services.payments.receipt_marks import MarkView, is_void, read_marks
from services.printing import ReceiptLine, ReceiptSheet, SlipWriter
from services.unit_of_work import Transaction, UnitOfWork

PRINT_CAP = 200
"""Receipts in one file: some seconds of drawing."""
_VOID = "作废"


@dataclass(frozen=True, slots=True)
class WhichReceipts:
    """Receipts of a community: those that are named, of a shift, or of a cashier and a day.

    What is given narrows together; at least one is. ``issued_on`` is a local day, ``cashier`` a
    login name.
    """

    receipt_nos: tuple[str, ...] = ()
    shift_id: int | None = None
    cashier: str = ""
    issued_on: date | None = None


@dataclass(frozen=True, slots=True)
class TrueReceipt:
    """What the page behind a printed code says: enough to compare, and nobody's whole name.

    ``paid_on`` and ``issued_on`` are local days.
    """

    receipt_no: str
    community: str
    amount_fen: int
    payer: str
    paid_on: date
    issued_on: date
    marks: tuple[MarkView, ...]

    @property
    def is_void(self) -> bool:
        """Whether it has lost its force."""
        return is_void(self.marks)

    @property
    def refunded_fen(self) -> int:
        """What of it went back."""
        return sum(mark.amount_fen for mark in self.marks)


@dataclass(frozen=True)
class ReceiptPrints:
    """Draws receipts as they were issued, with what became of them since."""

    unit_of_work: UnitOfWork
    slips: SlipWriter

    def write_own(self, *, actor: Actor, receipt_no: str, base_url: str) -> bytes:
        """Write a receipt of one of the actor's own payments as a PDF; that is no reprint.

        Raises:
            NotFound: none, or not theirs.
        """
        actor.must(Permission.PAY_OWN_BILLS)
        return self._write(
            base_url, Receipt.receipt_no == receipt_no, PaymentOrder.account_id == actor.account_id
        )

    def write_for_visit(self, *, actor: Actor, visit: str, base_url: str) -> bytes:
        """Write the receipt of a payment that was begun at a door, for whoever began it.

        Raises:
            NotFound: no such payment, or it has no receipt.
        """
        actor.must(Permission.PAY_AT_DOOR)
        return self._write(base_url, PaymentOrder.visit_sha256 == hash_of_token(visit))

    def _write(self, base_url: str, *whose: ColumnElement[bool]) -> bytes:
        query = (
            select(Receipt)
            .join(Payment, Payment.id == Receipt.payment_id)
            .join(PaymentOrder, PaymentOrder.id == Payment.order_id)
            .where(*whose)
            .order_by(Receipt.id)
            .limit(1)
        )
        with self.unit_of_work.snapshot() as session:
            receipt = session.scalars(query).one_or_none()
            if receipt is None:
                raise NotFound
            [sheet] = _read_sheets(session, [receipt], base_url, {})
        return self.slips.write_receipts([sheet])

    def print_receipts(
        self, *, actor: Actor, community_id: int, which: WhichReceipts, base_url: str
    ) -> bytes:
        """Write receipts of a community as one PDF, oldest first, and note that they were printed.

        From the second time on a sheet says the how manieth it is. Nothing is noted if the file
        cannot be drawn.

        Raises:
            InvalidInput: nothing says which, or they are more than 200.
            NotFound: there is none, or one that is named is not of this community.

        Source: issue 4, item 6.
        """
        actor.must(Permission.PRINT_RECEIPTS)
        actor.must_cover(community_id)
        picked = _pick(community_id, which)

        def work(tx: Transaction) -> bytes:
            receipts = tx.session.scalars(
                select(Receipt)
                .join(Payment, Payment.id == Receipt.payment_id)
                .where(*picked)
                .order_by(Receipt.id)
                .limit(PRINT_CAP + 1)
                .with_for_update(of=Receipt, key_share=True)
            ).all()
            _check(receipts, which)
            printed = _count_prints(tx, receipts)
            sheets = _read_sheets(tx.session, receipts, base_url, printed)
            _note(tx, actor, community_id, receipts)
            return self.slips.write_receipts(sheets)

        return self.unit_of_work.run(work)

    def verify(self, *, actor: Actor, token: str) -> TrueReceipt:
        """Tell what the receipt behind a printed code says.

        Raises:
            NotFound: we never issued a receipt with this code.
        """
        actor.must(Permission.VERIFY_RECEIPT)
        with self.unit_of_work.snapshot() as session:
            receipt = session.execute(
                select(Receipt).where(Receipt.verify_token == token)
            ).scalar_one_or_none()
            if receipt is None:
                raise NotFound
            marks = read_marks(session, [receipt.id])
            snapshot = receipt.snapshot
            return TrueReceipt(
                receipt_no=receipt.receipt_no,
                community=snapshot["community"],
                amount_fen=receipt.amount_fen,
                payer=mask_name(snapshot["payer_name"]) or snapshot["payer_phone"],
                paid_on=local_date(datetime.fromisoformat(snapshot["paid_at"])),
                issued_on=local_date(receipt.issued_at),
                marks=marks.get(receipt.id, ()),
            )


def _pick(community_id: int, which: WhichReceipts) -> list[ColumnElement[bool]]:
    """Say in SQL which receipts are meant.

    Raises:
        InvalidInput: nothing says which.
    """
    picked: list[ColumnElement[bool]] = []
    if which.receipt_nos:
        picked.append(Receipt.receipt_no.in_(which.receipt_nos))
    if which.shift_id is not None:
        picked.append(Payment.shift_id == which.shift_id)
    if which.cashier:
        cashier = select(Staff.id).where(Staff.login_name == which.cashier).scalar_subquery()
        picked.append(Payment.taken_by_staff_id == cashier)
    if which.issued_on is not None:
        picked.append(Receipt.issued_at >= start_of_local_day(which.issued_on))
        picked.append(Receipt.issued_at < start_of_local_day(which.issued_on + timedelta(days=1)))
    if not picked:
        raise InvalidInput(fields={"which": ["请写明收据号、班次，或收款人和日期"]})
    return [Receipt.community_id == community_id, *picked]


def _check(receipts: Sequence[Receipt], which: WhichReceipts) -> None:
    if len(receipts) > PRINT_CAP:
        raise InvalidInput(fields={"which": [f"一次最多打印 {PRINT_CAP} 张收据，请分批打印"]})
    found = {receipt.receipt_no for receipt in receipts}
    missing = [number for number in which.receipt_nos if number not in found]
    if missing:
        raise NotFound(f"没有这张收据：{'、'.join(missing[:10])}")
    if not receipts:
        raise NotFound("没有符合条件的收据")


def _count_prints(tx: Transaction, receipts: Sequence[Receipt]) -> dict[int, int]:
    rows = tx.session.execute(
        select(ReceiptMark.receipt_id, func.count(ReceiptMark.id))
        .where(
            ReceiptMark.receipt_id.in_([receipt.id for receipt in receipts]),
            ReceiptMark.kind == "printed",
        )
        .group_by(ReceiptMark.receipt_id)
    )
    return dict(rows.all())


def _note(tx: Transaction, actor: Actor, community_id: int, receipts: Sequence[Receipt]) -> None:
    for receipt in receipts:
        tx.session.add(
            ReceiptMark(receipt_id=receipt.id, kind="printed", staff_id=actor.id, created_at=tx.now)
        )
    record(
        tx,
        actor,
        "receipts_printed",
        subject_type="community",
        subject_id=community_id,
        community_id=community_id,
        facts={"receipt_nos": [receipt.receipt_no for receipt in receipts]},
    )


def _read_sheets(
    session: Session, receipts: Sequence[Receipt], base_url: str, printed: dict[int, int]
) -> list[ReceiptSheet]:
    marks = read_marks(session, [receipt.id for receipt in receipts])
    return [
        _as_sheet(receipt, base_url, marks.get(receipt.id, ()), printed.get(receipt.id, 0))
        for receipt in receipts
    ]


def _as_sheet(
    receipt: Receipt, base_url: str, marks: Sequence[MarkView], printed: int
) -> ReceiptSheet:
    snapshot = receipt.snapshot
    lines = snapshot["lines"]
    paid_at = datetime.fromisoformat(snapshot["paid_at"]).astimezone(SHANGHAI)
    again = [f"补打 第{printed + 1}次"] if printed else []
    return ReceiptSheet(
        community=snapshot["community"],
        receipt_no=receipt.receipt_no,
        issued_on=local_date(receipt.issued_at).isoformat(),
        payer=snapshot["payer_name"] or snapshot["payer_phone"],
        houses=list(dict.fromkeys(line["house"] for line in lines)),
        channel=snapshot["channel"],
        paid_at=f"{paid_at:%Y-%m-%d %H:%M}",
        lines=[
            ReceiptLine(
                house=line["house"],
                item=line["item"],
                period=line["period"],
                amount_fen=line["amount_fen"],
                discount_fen=line["discount_fen"],
            )
            for line in lines
        ],
        total_fen=receipt.amount_fen,
        verify_url=f"{base_url}/r/{receipt.verify_token}",
        transaction_id=snapshot["transaction_id"],
        out_trade_no=snapshot["out_trade_no"],
        voucher_no=snapshot["voucher_no"],
        cashier=snapshot["cashier"],
        remarks=snapshot["remarks"],
        marks=[*again, *(mark.shown for mark in marks)],
        watermark=_VOID if is_void(marks) else "",
    )
