"""Late fees (滞纳金): rules by date, pauses, and what was paid, waived or frozen of a bill's."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Numeric, text
from sqlalchemy.dialects.postgresql import DATERANGE, JSONB, ExcludeConstraint
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.sql import func

from domain.late_fees import GraceMode
from models.base import BigId, Fen, Instant, Model, Words, one_of


class LateFeeRule(Model):
    """One version of an item's late fee; an item without any charges none."""

    __tablename__ = "late_fee_rule"
    __table_args__ = (
        one_of("grace_mode", GraceMode),
        CheckConstraint("daily_rate > 0 AND daily_rate <= 0.01", name="daily_rate_range"),
        CheckConstraint("cap_ratio > 0", name="cap_ratio_positive"),
        CheckConstraint("grace_days >= 0", name="grace_days_range"),
        CheckConstraint("ends_on > starts_on", name="span_not_empty"),
        ExcludeConstraint(
            ("fee_item_id", "="),
            (func.daterange(text("starts_on"), text("ends_on"), type_=DATERANGE), "&&"),
            name="ex_late_fee_rule_fee_item_id",
            using="gist",
        ),
    )

    id: Mapped[BigId]
    fee_item_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("fee_item.id"))
    daily_rate: Mapped[Decimal] = mapped_column(Numeric(10, 8))
    cap_ratio: Mapped[Decimal | None] = mapped_column(Numeric(10, 8))
    grace_days: Mapped[int] = mapped_column(server_default="0")
    grace_mode: Mapped[Words] = mapped_column(server_default=GraceMode.EXEMPT)
    starts_on: Mapped[date]
    ends_on: Mapped[date | None]
    created_at: Mapped[Instant]


class LateFeePause(Model):
    """Days that do not count, for one bill or for all of a community; 争议/活动/节假日."""

    __tablename__ = "late_fee_pause"
    __table_args__ = (
        CheckConstraint("paused_until > paused_from", name="span_not_empty"),
        Index("ix_late_fee_pause_community_id", "community_id"),
        Index("ix_late_fee_pause_bill_id", "bill_id"),
    )

    id: Mapped[BigId]
    community_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("community.id"))
    bill_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("bill.id"))
    paused_from: Mapped[date]
    paused_until: Mapped[date]
    reason: Mapped[Words]
    made_by_staff_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("staff.id"))
    created_at: Mapped[Instant]


class BillLateFee(Model):
    """What was paid, waived and frozen of a bill's late fee; most bills have no such row.

    ``frozen_fen`` is all that had accrued when the principal was paid off, with its segments in
    ``trace``; until then the fee is derived as of a day. ``paid_fen`` equals its allocations.
    """

    __tablename__ = "bill_late_fee"
    __table_args__ = (
        CheckConstraint("paid_fen >= 0", name="paid_fen_range"),
        CheckConstraint("waived_fen >= 0", name="waived_fen_range"),
        CheckConstraint("frozen_fen >= paid_fen", name="frozen_fen_range"),
        CheckConstraint(
            "(frozen_fen IS NULL) = (frozen_on IS NULL) AND (frozen_on IS NULL) = (trace IS NULL)",
            name="frozen_as_a_whole",
        ),
    )

    bill_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("bill.id"), primary_key=True)
    paid_fen: Mapped[Fen] = mapped_column(server_default="0")
    waived_fen: Mapped[Fen] = mapped_column(server_default="0")
    frozen_fen: Mapped[Fen | None]
    frozen_on: Mapped[date | None]
    trace: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
