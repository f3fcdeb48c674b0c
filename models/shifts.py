"""Shifts of cashiers: who held the cash drawer, what was counted, who took it over."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.payment_states import OVER_THE_COUNTER
from domain.shifts import ShiftState
from models.base import BigId, Fen, Instant, Model, Words, one_of


class CashierShift(Model):
    """One shift of one cashier in one community; ``float_fen`` is the cash it began with."""

    __tablename__ = "cashier_shift"
    __table_args__ = (
        one_of("state", ShiftState),
        CheckConstraint("float_fen >= 0", name="float_fen_range"),
        CheckConstraint(
            "(state IN ('closed', 'handed_over')) = (closed_at IS NOT NULL)",
            name="closed_at_a_time",
        ),
        CheckConstraint(
            "(state = 'handed_over') = (taken_over_by_staff_id IS NOT NULL)",
            name="taken_over_by_somebody",
        ),
        CheckConstraint("taken_over_by_staff_id <> staff_id", name="two_people"),
        Index(
            "uq_cashier_shift_open",
            "community_id",
            "staff_id",
            unique=True,
            postgresql_where=text("state IN ('open', 'closing')"),
        ),
        Index("ix_cashier_shift_community_id", "community_id", "opened_at"),
    )

    id: Mapped[BigId]
    community_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("community.id"))
    staff_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("staff.id"))
    state: Mapped[Words] = mapped_column(server_default=ShiftState.OPEN)
    opened_at: Mapped[Instant]
    float_fen: Mapped[Fen] = mapped_column(server_default="0")
    closed_at: Mapped[Instant | None]
    note: Mapped[Words] = mapped_column(server_default="")
    """Why the count differs, in the cashier's words."""
    taken_over_by_staff_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("staff.id"))
    taken_over_at: Mapped[Instant | None]


class ShiftCount(Model):
    """What a cashier counted of one way of paying, before seeing what should be there.

    Append-only. Cash counts the drawer, its float included; the others the slips.
    """

    __tablename__ = "shift_count"
    __table_args__ = (
        one_of("channel", sorted(OVER_THE_COUNTER)),
        CheckConstraint("counted_fen >= 0", name="counted_fen_range"),
    )

    shift_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("cashier_shift.id"), primary_key=True
    )
    channel: Mapped[Words] = mapped_column(primary_key=True)
    counted_fen: Mapped[Fen]
    expected_fen: Mapped[Fen]
