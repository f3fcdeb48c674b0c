"""Parking spaces and the cars that stand on them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Numeric, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from domain.houses import SpaceRight
from models.base import BigId, Instant, Model, Words, one_of


class ParkingSpace(Model):
    """One 车位; ``owner_id`` has or rents it now, ``house_id`` is the house that it goes with."""

    __tablename__ = "parking_space"
    __table_args__ = (
        UniqueConstraint("community_id", "space_no"),
        one_of("right_kind", SpaceRight),
        CheckConstraint("area > 0", name="area_positive"),
        Index("ix_parking_space_house_id", "house_id"),
        Index("ix_parking_space_owner_id", "owner_id"),
    )

    id: Mapped[BigId]
    community_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("community.id"))
    space_no: Mapped[Words]
    zone: Mapped[Words] = mapped_column(server_default="")
    """Where it is, such as 地下."""
    area: Mapped[Decimal | None] = mapped_column(Numeric(10, 4))
    right_kind: Mapped[Words]
    house_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("house.id"))
    owner_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("owner.id"))
    note: Mapped[Words] = mapped_column(server_default="")
    retired_on: Mapped[date | None]
    created_at: Mapped[Instant]


class Car(Model):
    """A car known by its plate; one plate is on file once in a community."""

    __tablename__ = "car"
    __table_args__ = (
        UniqueConstraint("community_id", "plate_no"),
        Index("ix_car_space_id", "space_id"),
        Index("ix_car_owner_id", "owner_id"),
    )

    id: Mapped[BigId]
    community_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("community.id"))
    plate_no: Mapped[Words]
    space_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("parking_space.id"))
    owner_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("owner.id"))
    note: Mapped[Words] = mapped_column(server_default="")
    created_at: Mapped[Instant]
