"""What is charged: items of a community and their prices by date."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Numeric, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import DATERANGE, JSONB, ExcludeConstraint
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.sql import func

from domain.charges import ChargeMethod
from domain.cycles import CYCLE_MONTHS, BillingTiming, CycleAnchor
from domain.meters import MeterKind
from domain.money import Rounding
from domain.periods import Proration
from domain.tiers import TierWindow
from models.base import BigId, Instant, Model, Words, one_of


class FeeItem(Model):
    """One 收费项目. Which periods it bills and when they are due: domain/cycles.py.

    Method and cycle never change: an item that is charged otherwise is another item.
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
        CheckConstraint(
            f"cycle_months IN ({', '.join(map(str, CYCLE_MONTHS))})", name="cycle_months_known"
        ),
        one_of("cycle_anchor", CycleAnchor),
        CheckConstraint("cycle_from_month BETWEEN 1 AND 12", name="cycle_from_month_range"),
        one_of("billing_timing", BillingTiming),
        CheckConstraint("due_day BETWEEN 1 AND 31", name="due_day_range"),
        CheckConstraint("vacancy_rate >= 0 AND vacancy_rate <= 1", name="vacancy_rate_range"),
        one_of("meter_kind", MeterKind),
        one_of("tier_window", TierWindow),
        CheckConstraint("tier_from_month BETWEEN 1 AND 12", name="tier_from_month_range"),
        CheckConstraint(
            "(charge_method = 'meter') <= (meter_kind IS NOT NULL)", name="meter_has_kind"
        ),
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
    cycle_months: Mapped[int] = mapped_column(server_default="1")
    cycle_anchor: Mapped[Words] = mapped_column(server_default=CycleAnchor.CALENDAR)
    cycle_from_month: Mapped[int] = mapped_column(server_default="1")
    billing_timing: Mapped[Words] = mapped_column(server_default=BillingTiming.IN_ARREARS)
    due_day: Mapped[int | None]
    """Day of the month on which bills are due, instead of ``due_days`` after issue."""
    is_per_period: Mapped[bool] = mapped_column(server_default=text("false"))
    """Whether a fixed price is for the whole period and not for each month of it."""
    vacancy_rate: Mapped[Decimal] = mapped_column(Numeric(10, 8), server_default="1")
    """What part of the price is charged for days on which the house is vacant."""
    meter_kind: Mapped[str | None]
    tier_window: Mapped[Words] = mapped_column(server_default=TierWindow.MONTH)
    tier_from_month: Mapped[int] = mapped_column(server_default="1")
    """In which month a yearly tier window begins."""
    is_tier_per_house: Mapped[bool] = mapped_column(server_default=text("false"))
    """Whether the usage of all meters of a house climbs the tiers together."""
    is_tier_per_person: Mapped[bool] = mapped_column(server_default=text("false"))
    """Whether tier limits are per person of the household."""


class FeeStandard(Model):
    """A price of an item over half-open dates, in yuan; never two on one day.

    It is a unit price, a tier table (rows of domain/tiers.py) or a formula with its constants.
    ``surcharge`` is yuan per month on top.
    """

    __tablename__ = "fee_standard"
    __table_args__ = (
        CheckConstraint("unit_price > 0", name="unit_price_positive"),
        CheckConstraint("surcharge >= 0", name="surcharge_range"),
        CheckConstraint("num_nonnulls(unit_price, tiers, formula) = 1", name="one_way_to_price"),
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
    unit_price: Mapped[Decimal | None] = mapped_column(Numeric(12, 6))
    priced_from: Mapped[date]
    priced_until: Mapped[date | None]
    surcharge: Mapped[Decimal] = mapped_column(Numeric(12, 6), server_default="0")
    tiers: Mapped[list[list[str | None]] | None] = mapped_column(JSONB(none_as_null=True))
    formula: Mapped[str | None]
    constants: Mapped[dict[str, str]] = mapped_column(JSONB, server_default=text("'{}'"))
