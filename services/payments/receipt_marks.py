"""What was noted of receipts after they were issued, in the order in which it came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from domain.money import show_yuan
from domain.refund_states import RefundKind
from models import ReceiptMark, Refund


@dataclass(frozen=True, slots=True)
class MarkView:
    """Money of a receipt went back, all of what was left (``void``) or some (``refunded``).

    ``shown`` says it in Chinese: 已退款 ¥12.00.
    """

    kind: str
    shown: str
    amount_fen: int
    at: datetime


def read_marks(session: Session, receipt_ids: Sequence[int]) -> dict[int, tuple[MarkView, ...]]:
    """Read the marks of receipts by their ids; how often they were printed is none of them."""
    rows = session.execute(
        select(ReceiptMark, Refund.kind)
        .join(Refund, Refund.id == ReceiptMark.refund_id)
        .where(ReceiptMark.receipt_id.in_(receipt_ids))
        .order_by(ReceiptMark.id)
    )
    found: dict[int, tuple[MarkView, ...]] = {}
    for mark, refund_kind in rows:
        amount_fen = mark.amount_fen or 0
        verb = "已冲红" if refund_kind == RefundKind.REVERSAL else "已退款"
        view = MarkView(mark.kind, f"{verb} {show_yuan(amount_fen)}", amount_fen, mark.created_at)
        found[mark.receipt_id] = (*found.get(mark.receipt_id, ()), view)
    return found


def is_void(marks: Sequence[MarkView]) -> bool:
    """Tell whether a receipt has lost its force, as all of its money went back."""
    return any(mark.kind == "void" for mark in marks)
