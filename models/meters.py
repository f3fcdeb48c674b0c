"""Meters and what was read off them."""

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
from sqlalchemy.orm import Mapped, mapped_column

from domain.meters import MeterKind
from models.base import BigId, Instant, Model, Words, one_of

READING_SOURCES = ("manual", "excel", "api")


class Meter(Model):
    """One 表具 from its opening to its closing reading; a replacement is another meter.

    ``modulus`` is what the counter shows one step after its last number, such as 100000.
    """

    __tablename__ = "meter"
    __table_args__ = (
        UniqueConstraint("community_id", "meter_no"),
        one_of("kind", MeterKind),
        Index("ix_meter_house_id", "house_id", "kind"),
        CheckConstraint("multiplier > 0", name="multiplier_positive"),
        CheckConstraint("modulus > 0", name="modulus_positive"),
        CheckConstraint("opening_reading >= 0", name="opening_reading_range"),
        CheckConstraint("closed_on >= opened_on", name="span_in_order"),
        CheckConstraint(
            "(closed_on IS NULL) = (closing_reading IS NULL)", name="closed_with_reading"
        ),
    )

    id: Mapped[BigId]
    community_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("community.id"))
    house_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("house.id"))
    """Without a house it is a public meter, read for a share pool."""
    meter_no: Mapped[Words]
    kind: Mapped[Words]
    multiplier: Mapped[Decimal] = mapped_column(Numeric(10, 4), server_default="1")
    modulus: Mapped[Decimal | None] = mapped_column(Numeric(14, 4))
    opening_reading: Mapped[Decimal] = mapped_column(Numeric(14, 4))
    opened_on: Mapped[date]
    """The opening reading is that of the end of this day."""
    closing_reading: Mapped[Decimal | None] = mapped_column(Numeric(14, 4))
    closed_on: Mapped[date | None]
    """The closing reading is that of the end of this day."""
    replaces_meter_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("meter.id"))
    created_at: Mapped[Instant]


class MeterReading(Model):
    """What a meter showed at the end of a local day; a wrong one is superseded, never changed."""

    __tablename__ = "meter_reading"
    __table_args__ = (
        one_of("source", READING_SOURCES),
        CheckConstraint("reading >= 0", name="reading_range"),
        Index(
            "uq_meter_reading_live",
            "meter_id",
            "read_on",
            unique=True,
            postgresql_where=text("superseded_at IS NULL"),
        ),
    )

    id: Mapped[BigId]
    meter_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("meter.id"))
    read_on: Mapped[date]
    reading: Mapped[Decimal] = mapped_column(Numeric(14, 4))
    is_rollover: Mapped[bool] = mapped_column(server_default=text("false"))
    """Whether the counter passed its end since the reading before, as a person declared."""
    source: Mapped[Words]
    read_by_staff_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("staff.id"))
    note: Mapped[Words] = mapped_column(server_default="")
    created_at: Mapped[Instant]
    superseded_at: Mapped[Instant | None]
    superseded_because: Mapped[Words] = mapped_column(server_default="")
