"""Receipts (收据), and what was noted of them later."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import BigId, Fen, Instant, Model, Words, one_of

RECEIPT_MARKS = ("void", "refunded", "printed")


class Receipt(Model):
    """A numbered receipt; ``snapshot`` is what was printed and never changes."""

    __tablename__ = "receipt"
    __table_args__ = (
        UniqueConstraint("community_id", "receipt_no"),
        UniqueConstraint("verify_token"),
        CheckConstraint("amount_fen > 0", name="amount_fen_positive"),
    )

    id: Mapped[BigId]
    community_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("community.id"))
    payment_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("payment.id"), unique=True)
    receipt_no: Mapped[Words]
    amount_fen: Mapped[Fen]
    snapshot: Mapped[dict[str, Any]] = mapped_column(JSONB)
    issued_at: Mapped[Instant]
    verify_token: Mapped[Words] = mapped_column(
        server_default=text("replace((gen_random_uuid())::text, '-'::text, ''::text)")
    )
    """Opens the page that says whether a printed receipt is true; 122 random bits."""


class ReceiptMark(Model):
    """A receipt was voided, money of it was refunded, or staff printed it. Append-only."""

    __tablename__ = "receipt_mark"
    __table_args__ = (
        one_of("kind", RECEIPT_MARKS),
        CheckConstraint(
            "num_nonnulls(refund_id, amount_fen) = CASE kind WHEN 'printed' THEN 0 ELSE 2 END",
            name="kind_fits",
        ),
        Index("ix_receipt_mark_receipt_id", "receipt_id"),
    )

    id: Mapped[BigId]
    receipt_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("receipt.id"))
    kind: Mapped[Words]
    refund_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("refund.id"))
    amount_fen: Mapped[Fen | None]
    staff_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("staff.id"))
    created_at: Mapped[Instant]
