"""Bills, their lines and the batches they are made and reviewed in."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Computed,
    ForeignKey,
    Index,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSON
from sqlalchemy.orm import Mapped, mapped_column

from domain.bill_states import BatchState, BillState, LineKind
from models.base import BigId, Fen, Instant, Model, Words, one_of


class BillBatch(Model):
    """One run of chosen items over one period of a community.

    ``content_sha256`` is frozen at approval over all bills and lines; publishing compares it.
    """

    __tablename__ = "bill_batch"
    __table_args__ = (
        one_of("state", BatchState),
        CheckConstraint("period_until > period_from", name="span_not_empty"),
        Index("ix_bill_batch_community_id", "community_id", "period_from"),
    )

    id: Mapped[BigId]
    community_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("community.id"))
    period_from: Mapped[date]
    period_until: Mapped[date]
    state: Mapped[Words]
    houses_total: Mapped[int] = mapped_column(server_default="0")
    houses_done: Mapped[int] = mapped_column(server_default="0")
    bill_count: Mapped[int] = mapped_column(server_default="0")
    amount_fen: Mapped[Fen] = mapped_column(server_default="0")
    content_sha256: Mapped[str | None]
    made_by_staff_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("staff.id"))
    approved_by_staff_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("staff.id"))
    created_at: Mapped[Instant]
    approved_at: Mapped[Instant | None]
    published_at: Mapped[Instant | None]


class BillBatchItem(Model):
    """An item that a batch charges."""

    __tablename__ = "bill_batch_item"

    batch_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("bill_batch.id"), primary_key=True)
    fee_item_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("fee_item.id"), primary_key=True
    )


class BillException(Model):
    """A house that a batch could not charge for an item, and why: never a zero, never silent."""

    __tablename__ = "bill_exception"

    batch_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("bill_batch.id"), primary_key=True)
    house_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("house.id"), primary_key=True)
    fee_item_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("fee_item.id"), primary_key=True
    )
    why: Mapped[Words]


class Bill(Model):
    """What one house owes for one item and period. ``paid_fen`` equals its allocations.

    Its references are checked set-wise, once per statement, by triggers of migration 0002: a
    foreign key would look every row up on its own. See docs/adr/0008.
    """

    __tablename__ = "bill"
    __table_args__ = (
        one_of("state", BillState),
        UniqueConstraint("community_id", "bill_no"),
        CheckConstraint("amount_fen >= 0", name="amount_fen_range"),
        CheckConstraint("paid_fen >= 0 AND paid_fen <= amount_fen", name="paid_fen_range"),
        CheckConstraint(
            "state NOT IN ('paid', 'partially_paid', 'published')"
            " OR (state = 'paid') = (paid_fen = amount_fen)",
            name="paid_means_all",
        ),
        Index(
            "uq_bill_live",
            "house_id",
            "fee_item_id",
            "period_from",
            "sequence",
            unique=True,
            postgresql_where=text("is_live"),
        ),
        Index("ix_bill_batch_id", "batch_id"),
        Index(
            "ix_bill_gone",
            "house_id",
            "fee_item_id",
            "period_from",
            postgresql_where=text("NOT is_live"),
        ),
        {"postgresql_with": {"fillfactor": 50}},
    )

    id: Mapped[BigId]
    community_id: Mapped[int] = mapped_column(BigInteger)
    batch_id: Mapped[int] = mapped_column(BigInteger)
    house_id: Mapped[int] = mapped_column(BigInteger)
    fee_item_id: Mapped[int] = mapped_column(BigInteger)
    bill_no: Mapped[Words]
    period_from: Mapped[date]
    period_until: Mapped[date]
    issue_date: Mapped[date]
    due_date: Mapped[date]
    state: Mapped[Words]
    amount_fen: Mapped[Fen]
    paid_fen: Mapped[Fen] = mapped_column(server_default="0")
    published_at: Mapped[Instant | None]
    sequence: Mapped[int] = mapped_column(server_default="1")
    """Tells one-off charges of one day apart; 1 for everything else."""
    is_live: Mapped[bool] = mapped_column(
        Computed("state <> ALL (ARRAY['cancelled'::text, 'voided'::text])", persisted=True)
    )
    """What lookups by house must ask for. No index looks at ``state`` itself: publishing or paying
    a bill changes no index, and half of each page is left free for it (docs/adr/0015)."""
    replaces_bill_id: Mapped[int | None] = mapped_column(BigInteger)
    """The voided bill whose place this one takes."""


class BillLine(Model):
    """One line of a bill; ``trace`` explains it (domain/traces.py).

    Its bill is checked once per statement, like the references of `Bill`.
    """

    __tablename__ = "bill_line"
    __table_args__ = (
        one_of("kind", LineKind),
        CheckConstraint(
            "kind NOT IN ('discount', 'waiver') OR amount_fen < 0", name="taken_off_is_negative"
        ),
    )

    bill_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    line_no: Mapped[int] = mapped_column(primary_key=True)
    amount_fen: Mapped[Fen]
    trace: Mapped[dict[str, Any]] = mapped_column(JSON)
    """As it was written; see docs/adr/0014."""
    kind: Mapped[Words] = mapped_column(server_default=LineKind.PRINCIPAL)


class BillBatchTick(Model):
    """A reviewer looked at all findings of a kind; void once their number is another."""

    __tablename__ = "bill_batch_tick"

    batch_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("bill_batch.id"), primary_key=True)
    kind: Mapped[Words] = mapped_column(primary_key=True)
    fee_item_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("fee_item.id"), primary_key=True
    )
    row_count: Mapped[int] = mapped_column(BigInteger)
    content_sha256: Mapped[Words]
    """Of the findings that were looked at."""
    ticked_by_staff_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("staff.id"))
    ticked_at: Mapped[Instant]


class NumberSeries(Model):
    """The last number given out of a gapless series; its row is locked by whoever takes more."""

    __tablename__ = "number_series"

    community_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("community.id"), primary_key=True
    )
    series: Mapped[Words] = mapped_column(primary_key=True)
    last_number: Mapped[int] = mapped_column(BigInteger)
