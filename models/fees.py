"""What is charged: items of a community and their prices by date."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Numeric, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import DATERANGE, ExcludeConstraint
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.sql import func

from domain.charges import ChargeMethod
from domain.money import Rounding
from domain.periods import Proration
from models.base import BigId, Instant, Model, Words, one_of


class FeeItem(Model):
    """One 收费项目, billed monthly in arrears.

    A bill is issued ``issue_offset_days`` after the period ends and due ``due_days`` after that.
    """

    __tablename__ = "fee_item"
    __table_args__ = (
        UniqueConstraint("community_id", "code"),
        one_of("charge_method", ChargeMethod),
        one_of("rounding", Rounding),
        one_of("proration", Proration),
        CheckConstraint("code ~ '^[A-Z]{2,4}$'", name="code_form"),
        CheckConstraint("issue_offset_days >= 0", name="issue_offset_days_range"),
        CheckConstraint("due_days >= 0", name="due_days_range"),
        CheckConstraint("ends_on > starts_on", name="span_not_empty"),
    )

    id: Mapped[BigId]
    community_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("community.id"))
    code: Mapped[Words]
    name: Mapped[Words]
    charge_method: Mapped[Words]
    rounding: Mapped[Words] = mapped_column(server_default=Rounding.FEN)
    proration: Mapped[Words] = mapped_column(server_default=Proration.ACTUAL_MONTH)
    issue_offset_days: Mapped[int] = mapped_column(server_default="0")
    due_days: Mapped[int] = mapped_column(server_default="30")
    starts_on: Mapped[date]
    ends_on: Mapped[date | None]
    """Half-open: the first day on which it is no longer charged."""
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    created_at: Mapped[Instant]


class FeeStandard(Model):
    """A price of an item over half-open dates, in yuan; never two on one day."""

    __tablename__ = "fee_standard"
    __table_args__ = (
        CheckConstraint("unit_price > 0", name="unit_price_positive"),
        CheckConstraint("priced_until > priced_from", name="span_not_empty"),
        ExcludeConstraint(
            ("fee_item_id", "="),
            (func.daterange(text("priced_from"), text("priced_until"), type_=DATERANGE), "&&"),
            name="ex_fee_standard_fee_item_id",
            using="gist",
        ),
    )

    id: Mapped[BigId]
    fee_item_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("fee_item.id"))
    unit_price: Mapped[Decimal] = mapped_column(Numeric(12, 6))
    priced_from: Mapped[date]
    priced_until: Mapped[date | None]
