"""Discounts (优惠): rules, and for whom they are."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Numeric, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.discounts import DiscountKind
from models.base import BigId, Fen, Instant, Model, Words, one_of


class DiscountRule(Model):
    """One rule of domain/discounts.py, in force over half-open dates."""

    __tablename__ = "discount_rule"
    __table_args__ = (
        one_of("kind", DiscountKind),
        CheckConstraint("percent > 0 AND percent <= 100", name="percent_range"),
        CheckConstraint("amount_fen > 0", name="amount_fen_positive"),
        CheckConstraint("cap_fen > 0", name="cap_fen_positive"),
        CheckConstraint("ends_on > starts_on", name="span_not_empty"),
        Index("ix_discount_rule_community_id", "community_id"),
    )

    id: Mapped[BigId]
    community_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("community.id"))
    name: Mapped[Words]
    kind: Mapped[Words]
    percent: Mapped[Decimal | None] = mapped_column(Numeric(10, 4))
    amount_fen: Mapped[Fen | None]
    buy_months: Mapped[int | None]
    free_months: Mapped[int | None]
    early_days: Mapped[int | None]
    priority: Mapped[int] = mapped_column(server_default="100")
    is_stackable: Mapped[bool] = mapped_column(server_default=text("false"))
    cap_fen: Mapped[Fen | None]
    starts_on: Mapped[date]
    ends_on: Mapped[date | None]
    is_for_all_houses: Mapped[bool] = mapped_column(server_default=text("true"))
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    created_at: Mapped[Instant]


class DiscountItem(Model):
    """An item that a rule makes cheaper."""

    __tablename__ = "discount_item"

    rule_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("discount_rule.id"), primary_key=True
    )
    fee_item_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("fee_item.id"), primary_key=True
    )


class DiscountHouse(Model):
    """A house that a rule is for, when it is not for all; 员工/老人优惠."""

    __tablename__ = "discount_house"

    rule_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("discount_rule.id"), primary_key=True
    )
    house_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("house.id"), primary_key=True)
