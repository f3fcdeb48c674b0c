"""Money that goes out again: refunds with what they give back, and what became of surplus."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.payment_states import ONLINE, OVER_THE_COUNTER
from domain.refund_states import RefundKind, RefundSource, RefundState, ResolutionKind
from domain.settling import AllocationKind
from models.base import BigId, Fen, Instant, Model, Words, one_of


class Refund(Model):
    """Money paid back, by the way it came or over the counter; ``refund_no`` never changes.

    What it is and how much is fixed; only how it goes on is written. A database trigger holds both.
    """

    __tablename__ = "refund"
    __table_args__ = (
        UniqueConstraint("refund_no"),
        UniqueConstraint("approval_request_id"),
        CheckConstraint("amount_fen > 0", name="amount_fen_positive"),
        one_of("channel", sorted(ONLINE | OVER_THE_COUNTER)),
        one_of("kind", RefundKind),
        one_of("state", RefundState),
        CheckConstraint(
            "(kind IN ('payment', 'reversal')) = (payment_id IS NOT NULL)", name="of_a_payment"
        ),
        CheckConstraint(
            "(state = 'succeeded') = (refunded_at IS NOT NULL)", name="succeeded_at_a_time"
        ),
        Index("ix_refund_community_id", "community_id"),
        Index("ix_refund_payment_id", "payment_id"),
        Index("ix_refund_query_at", "query_at", postgresql_where=text("query_at IS NOT NULL")),
    )

    id: Mapped[BigId]
    community_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("community.id"))
    house_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("house.id"))
    kind: Mapped[Words]
    payment_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("payment.id"))
    approval_request_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("approval_request.id")
    )
    """Who asked and who decided; none for a reversal and for surplus that goes back by itself."""
    refund_no: Mapped[Words]
    channel: Mapped[Words]
    amount_fen: Mapped[Fen]
    state: Mapped[Words]
    reason: Mapped[Words] = mapped_column(server_default="")
    payee_name: Mapped[Words] = mapped_column(server_default="")
    payee_phone: Mapped[Words] = mapped_column(server_default="")
    voucher_no: Mapped[Words] = mapped_column(server_default="")
    provider_refund_id: Mapped[Words] = mapped_column(server_default="")
    refused_because: Mapped[Words] = mapped_column(server_default="")
    staff_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("staff.id"))
    """Who handed the money out or reversed it, over the counter."""
    shift_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("cashier_shift.id"))
    created_at: Mapped[Instant]
    refunded_at: Mapped[Instant | None]
    query_at: Mapped[Instant | None]
    """When the sweep sends it or asks the channel next; none once it ended."""
    query_count: Mapped[int] = mapped_column(server_default="0")


class RefundPart(Model):
    """From where a refund of a payment takes its money, all amounts positive. Append-only."""

    __tablename__ = "refund_part"
    __table_args__ = (
        one_of("source", RefundSource),
        CheckConstraint("amount_fen > 0", name="amount_fen_positive"),
        CheckConstraint(
            "CASE source WHEN 'bill' THEN bill_id IS NOT NULL AND kind IS NOT NULL"
            " WHEN 'suspense' THEN suspense_id IS NOT NULL"
            " WHEN 'prepaid' THEN account_id IS NOT NULL"
            " ELSE deposit_id IS NOT NULL END",
            name="source_fits",
        ),
        CheckConstraint(
            "kind IS NULL OR kind IN ("
            + ", ".join(f"'{kind.value}'" for kind in AllocationKind)
            + ")",
            name="kind_known",
        ),
        Index("ix_refund_part_bill_id", "bill_id"),
    )

    refund_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("refund.id"), primary_key=True)
    part_no: Mapped[int] = mapped_column(primary_key=True)
    source: Mapped[Words]
    amount_fen: Mapped[Fen]
    bill_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("bill.id"))
    kind: Mapped[str | None]
    """Of a bill: principal or late fee."""
    suspense_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("suspense.id"))
    account_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("prepaid_account.id"))
    deposit_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("deposit.id"))


class SuspenseResolution(Model):
    """What became of money in suspense. Append-only; together never more than was there."""

    __tablename__ = "suspense_resolution"
    __table_args__ = (
        one_of("kind", ResolutionKind),
        CheckConstraint("amount_fen > 0", name="amount_fen_positive"),
        CheckConstraint(
            "CASE kind WHEN 'refund' THEN refund_id IS NOT NULL ELSE account_id IS NOT NULL END",
            name="kind_fits",
        ),
        Index("ix_suspense_resolution_suspense_id", "suspense_id"),
    )

    id: Mapped[BigId]
    suspense_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("suspense.id"))
    kind: Mapped[Words]
    amount_fen: Mapped[Fen]
    refund_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("refund.id"))
    account_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("prepaid_account.id"))
    note: Mapped[Words] = mapped_column(server_default="")
    staff_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("staff.id"))
    created_at: Mapped[Instant]
