"""Comparing our books with the channels' statements and the cashiers' counts, day by day."""

from __future__ import annotations

from datetime import date

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from domain.reconciliation_states import CaseKind, CaseState, RunState
from models.base import BigId, Fen, Instant, Model, Words, one_of


class ReconciliationRun(Model):
    """A day of one merchant account; or of a community's counter, with ``channel`` ``cash``.

    ``done`` means that a whole statement was read and compared, or that the channel said there was
    no trade. Sums are what each side says; refunds are positive.
    """

    __tablename__ = "reconciliation_run"
    __table_args__ = (
        one_of("state", RunState),
        UniqueConstraint("channel", "mchid", "day"),
        CheckConstraint("(state = 'done') = (done_at IS NOT NULL)", name="done_at_a_time"),
        Index(
            "ix_reconciliation_run_next_at",
            "next_at",
            postgresql_where=text("next_at IS NOT NULL"),
        ),
    )

    id: Mapped[BigId]
    channel: Mapped[Words]
    mchid: Mapped[Words]
    """The merchant account; of a counter the community's code."""
    day: Mapped[date]
    state: Mapped[Words]
    tries: Mapped[int] = mapped_column(server_default="0")
    next_at: Mapped[Instant | None]
    started_at: Mapped[Instant]
    done_at: Mapped[Instant | None]
    error: Mapped[Words] = mapped_column(server_default="")
    has_statement: Mapped[bool] = mapped_column(server_default=text("false"))
    statement: Mapped[bytes | None] = mapped_column(LargeBinary)
    """The channel's file as it was checked, packed by zlib."""
    statement_sha256: Mapped[Words] = mapped_column(server_default="")
    their_count: Mapped[int] = mapped_column(server_default="0")
    our_count: Mapped[int] = mapped_column(server_default="0")
    their_paid_fen: Mapped[Fen] = mapped_column(server_default="0")
    our_paid_fen: Mapped[Fen] = mapped_column(server_default="0")
    their_refunded_fen: Mapped[Fen] = mapped_column(server_default="0")
    our_refunded_fen: Mapped[Fen] = mapped_column(server_default="0")


class ReconciliationCase(Model):
    """One difference, with an owner and a state; its key is found again by later comparisons."""

    __tablename__ = "reconciliation_case"
    __table_args__ = (
        one_of("kind", CaseKind),
        one_of("state", CaseState),
        UniqueConstraint("run_id", "kind", "key"),
        CheckConstraint("(state = 'handled') <= (note <> '')", name="handled_with_words"),
        Index(
            "ix_reconciliation_case_open",
            "run_id",
            postgresql_where=text("state IN ('open', 'escalated')"),
        ),
    )

    id: Mapped[BigId]
    run_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("reconciliation_run.id"))
    community_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("community.id"))
    kind: Mapped[Words]
    key: Mapped[Words]
    """Our order or refund number as it stands in the statement; of cash the shift."""
    ours_fen: Mapped[Fen | None]
    theirs_fen: Mapped[Fen | None]
    detail: Mapped[Words] = mapped_column(server_default="")
    state: Mapped[Words]
    owner_staff_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("staff.id"))
    note: Mapped[Words] = mapped_column(server_default="")
    opened_at: Mapped[Instant]
    ended_at: Mapped[Instant | None]
