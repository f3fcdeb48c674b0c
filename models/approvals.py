"""Requests that somebody else decides, and the credit and debit notes that come of them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from domain.approvals import ApprovalKind, ApprovalState
from models.base import BigId, Fen, Instant, Model, Words, one_of

ADJUSTMENT_STATES = ("open", "applied", "cancelled")


class ApprovalRequest(Model):
    """A money act that was asked for; ``facts`` holds what its kind needs to be carried out."""

    __tablename__ = "approval_request"
    __table_args__ = (
        one_of("kind", ApprovalKind),
        one_of("state", ApprovalState),
        CheckConstraint("amount_fen > 0", name="amount_fen_positive"),
        CheckConstraint(
            "is_alone OR decided_by_staff_id <> requested_by_staff_id", name="two_people"
        ),
        CheckConstraint("NOT is_alone OR kind = 'payment_refund'", name="alone_refunds_only"),
        CheckConstraint(
            "(state = 'requested') = (decided_by_staff_id IS NULL)", name="decided_by_somebody"
        ),
        Index("ix_approval_request_community_id", "community_id", "state"),
        Index(
            "uq_approval_request_open",
            "kind",
            "subject",
            unique=True,
            postgresql_where=text("state = 'requested'"),
        ),
    )

    id: Mapped[BigId]
    community_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("community.id"))
    """None, like the house, only where money came for an order that we do not know."""
    kind: Mapped[Words]
    subject: Mapped[Words]
    """What it is about, such as ``bill:17``; one open request per kind and subject."""
    house_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("house.id"))
    bill_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("bill.id"))
    amount_fen: Mapped[Fen]
    """How much it gives away or moves; always positive."""
    reason: Mapped[Words]
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    state: Mapped[Words]
    requested_by_staff_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("staff.id"))
    requested_at: Mapped[Instant]
    decided_by_staff_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("staff.id"))
    decided_at: Mapped[Instant | None]
    is_alone: Mapped[bool] = mapped_column(server_default=text("false"))
    """Decided by whoever asked: a small refund, within `Community.refund_alone_fen`."""
    decision_note: Mapped[Words] = mapped_column(server_default="")


class BillAdjustment(Model):
    """A credit (negative) or debit note that the next bill of the house and item carries."""

    __tablename__ = "bill_adjustment"
    __table_args__ = (
        one_of("state", ADJUSTMENT_STATES),
        CheckConstraint("amount_fen <> 0", name="amount_fen_not_zero"),
        CheckConstraint(
            "(state = 'applied') = (applied_bill_id IS NOT NULL)", name="applied_to_a_bill"
        ),
        Index(
            "ix_bill_adjustment_open",
            "community_id",
            "house_id",
            postgresql_where=text("state <> 'cancelled'"),
        ),
    )

    id: Mapped[BigId]
    community_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("community.id"))
    house_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("house.id"))
    fee_item_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("fee_item.id"))
    of_bill_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("bill.id"))
    approval_request_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("approval_request.id"))
    amount_fen: Mapped[Fen]
    reason: Mapped[Words]
    state: Mapped[Words] = mapped_column(server_default="open")
    applied_bill_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("bill.id"))
    created_at: Mapped[Instant]
