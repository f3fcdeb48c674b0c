"""Communities, buildings, units, houses, and by dates how a house is occupied."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    Numeric,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import DATERANGE, ExcludeConstraint
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.sql import func

from domain.houses import BuildingType, HouseState
from domain.periods import LiableFromRule
from domain.refund_states import SurplusPolicy
from models.base import BigId, Fen, Instant, Model, Words, one_of


class Community(Model):
    """One 小区; ``code`` opens its bill and receipt numbers."""

    __tablename__ = "community"
    __table_args__ = (
        CheckConstraint("code ~ '^[A-Z0-9]{2,8}$'", name="code_form"),
        one_of("liable_from_rule", LiableFromRule),
        CheckConstraint("review_change_percent >= 0", name="review_change_percent_range"),
        one_of("surplus_policy", SurplusPolicy),
        CheckConstraint("refund_alone_fen >= 0", name="refund_alone_fen_range"),
        one_of("building_type", ("", *BuildingType)),
        CheckConstraint("land_area > 0", name="land_area_positive"),
        CheckConstraint("built_area > 0", name="built_area_positive"),
        CheckConstraint("green_percent BETWEEN 0 AND 100", name="green_percent_range"),
        CheckConstraint("retired_on IS NULL OR NOT is_active", name="retired_is_inactive"),
    )

    id: Mapped[BigId]
    code: Mapped[Words] = mapped_column(unique=True)
    name: Mapped[Words]
    address: Mapped[Words] = mapped_column(server_default="")
    """As letters carry it; the parts below are what it is made of where they are known."""
    province: Mapped[Words] = mapped_column(server_default="")
    city: Mapped[Words] = mapped_column(server_default="")
    district: Mapped[Words] = mapped_column(server_default="")
    street: Mapped[Words] = mapped_column(server_default="")
    street_no: Mapped[Words] = mapped_column(server_default="")
    land_area: Mapped[Decimal | None] = mapped_column(Numeric(14, 4))
    built_area: Mapped[Decimal | None] = mapped_column(Numeric(14, 4))
    building_type: Mapped[Words] = mapped_column(server_default="")
    green_percent: Mapped[Decimal | None] = mapped_column(Numeric(5, 2))
    completed_on: Mapped[date | None]
    developer: Mapped[Words] = mapped_column(server_default="")
    service_phone: Mapped[Words] = mapped_column(server_default="")
    """The desk that owners call."""
    note: Mapped[Words] = mapped_column(server_default="")
    retired_on: Mapped[date | None]
    """Since when we no longer manage it; money and history stay."""
    liable_from_rule: Mapped[Words] = mapped_column(server_default=LiableFromRule.HANDOVER_DATE)
    is_reviewer_other: Mapped[bool] = mapped_column(server_default=text("true"))
    """Whether a batch must be approved by somebody other than its maker."""
    sends_bill_sms: Mapped[bool] = mapped_column(server_default=text("true"))
    """Whether owners whom WeChat cannot reach are told of new bills by SMS, which costs money."""
    late_fee_first: Mapped[bool] = mapped_column(server_default=text("false"))
    """Whether a payment goes to late fees before the principal of a bill."""
    offsets_prepaid: Mapped[bool] = mapped_column(server_default=text("true"))
    """Whether published bills are paid from prepaid balances at once."""
    surplus_policy: Mapped[Words] = mapped_column(server_default=SurplusPolicy.PREPAID)
    """What becomes of money for a bill that was paid or voided meanwhile."""
    refund_alone_fen: Mapped[Fen] = mapped_column(server_default="0")
    """Up to how much one person may refund by themselves in a local day; above it takes two."""
    review_change_percent: Mapped[int] = mapped_column(server_default="20")
    """A bill that differs by more from the house's last one is shown to the reviewer."""
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    created_at: Mapped[Instant]


class Building(Model):
    """One 楼栋."""

    __tablename__ = "building"
    __table_args__ = (
        UniqueConstraint("community_id", "name"),
        one_of("building_type", ("", *BuildingType)),
        CheckConstraint("floor_count BETWEEN 1 AND 200", name="floor_count_range"),
    )

    id: Mapped[BigId]
    community_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("community.id"))
    name: Mapped[Words]
    building_type: Mapped[Words] = mapped_column(server_default="")
    floor_count: Mapped[int | None]
    note: Mapped[Words] = mapped_column(server_default="")
    retired_on: Mapped[date | None]


class BuildingUnit(Model):
    """What is known of one 单元 beyond its number; houses name it by ``unit_no``."""

    __tablename__ = "building_unit"
    __table_args__ = (
        CheckConstraint("floor_count BETWEEN 1 AND 200", name="floor_count_range"),
        CheckConstraint("lift_count BETWEEN 0 AND 20", name="lift_count_range"),
    )

    building_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("building.id"), primary_key=True
    )
    unit_no: Mapped[Words] = mapped_column(primary_key=True)
    floor_count: Mapped[int | None]
    lift_count: Mapped[int | None]
    note: Mapped[Words] = mapped_column(server_default="")


class House(Model):
    """One 房屋; areas in ㎡. Its owners are `HousePerson` rows, its use `Occupancy` rows."""

    __tablename__ = "house"
    __table_args__ = (
        Index("ix_house_room_no", "room_no", postgresql_ops={"room_no": "text_pattern_ops"}),
        UniqueConstraint("building_id", "unit_no", "room_no"),
        Index("ix_house_community_id", "community_id", "id"),
        CheckConstraint("building_area > 0", name="building_area_positive"),
        CheckConstraint("inner_area IS NULL OR inner_area > 0", name="inner_area_positive"),
        CheckConstraint("billing_area > 0", name="billing_area_positive"),
        CheckConstraint("fee_coefficient > 0", name="fee_coefficient_positive"),
        CheckConstraint("household_size > 0", name="household_size_positive"),
    )

    id: Mapped[BigId]
    community_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("community.id"))
    building_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("building.id"))
    unit_no: Mapped[Words]
    floor_no: Mapped[int | None]
    room_no: Mapped[Words]
    layout: Mapped[Words] = mapped_column(server_default="")
    building_area: Mapped[Decimal] = mapped_column(Numeric(10, 4))
    inner_area: Mapped[Decimal | None] = mapped_column(Numeric(10, 4))
    billing_area: Mapped[Decimal] = mapped_column(Numeric(10, 4))
    fee_coefficient: Mapped[Decimal] = mapped_column(Numeric(10, 4), server_default="1")
    handover_date: Mapped[date | None]
    """Without it a house owes nothing yet; a bill run lists it as an exception."""
    household_size: Mapped[int | None]
    """How many people live here, for tiers that count them."""
    note: Mapped[Words] = mapped_column(server_default="")
    retired_on: Mapped[date | None]
    """Since when it is no house of its own any more, such as after a merger; it owes no longer."""


class HouseMeasure(Model):
    """Area and coefficient that were billed before a day; what holds since the last is in `House`.

    A correction of what was always wrong changes `House` alone and leaves no such row.
    """

    __tablename__ = "house_measure"
    __table_args__ = (
        CheckConstraint("billing_area > 0", name="billing_area_positive"),
        CheckConstraint("fee_coefficient > 0", name="fee_coefficient_positive"),
    )

    house_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("house.id"), primary_key=True)
    measured_until: Mapped[date] = mapped_column(primary_key=True)
    billing_area: Mapped[Decimal] = mapped_column(Numeric(10, 4))
    fee_coefficient: Mapped[Decimal] = mapped_column(Numeric(10, 4))


class Occupancy(Model):
    """How a house is used over half-open dates; never two ways on one day."""

    __tablename__ = "occupancy"
    __table_args__ = (
        one_of("state", HouseState),
        CheckConstraint("occupied_until > occupied_from", name="span_not_empty"),
        ExcludeConstraint(
            ("house_id", "="),
            (func.daterange(text("occupied_from"), text("occupied_until"), type_=DATERANGE), "&&"),
            name="ex_occupancy_house_id",
            using="gist",
        ),
    )

    id: Mapped[BigId]
    house_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("house.id"))
    state: Mapped[Words]
    occupied_from: Mapped[date]
    occupied_until: Mapped[date | None]
