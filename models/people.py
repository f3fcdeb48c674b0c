"""Owners on file and what they are to a house, by dates."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Numeric, text
from sqlalchemy.dialects.postgresql import DATERANGE, ExcludeConstraint
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.sql import func

from models.base import BigId, Instant, Model, Words, one_of


class PersonRole(StrEnum):
    """What a person is to a house: 产权人/共有人/家庭成员/租客/联系人."""

    TITLE_HOLDER = "title_holder"
    CO_OWNER = "co_owner"
    FAMILY = "family"
    TENANT = "tenant"
    CONTACT = "contact"


class Owner(Model):
    """One 业主 as a community has them on file; phones are normalised to 11 digits."""

    __tablename__ = "owner"
    __table_args__ = (
        Index(
            "uq_owner_phone",
            "community_id",
            "phone",
            unique=True,
            postgresql_where=text("phone IS NOT NULL"),
        ),
        Index("ix_owner_phone", "phone"),
        CheckConstraint("phone ~ '^1[3-9][0-9]{9}$'", name="phone_form"),
    )

    id: Mapped[BigId]
    community_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("community.id"))
    name: Mapped[Words]
    phone: Mapped[str | None]
    email: Mapped[Words] = mapped_column(server_default="")
    created_at: Mapped[Instant]


class HousePerson(Model):
    """A person's part in a house over half-open dates; ``share_ratio`` is 1 for a sole owner."""

    __tablename__ = "house_person"
    __table_args__ = (
        one_of("role", PersonRole),
        CheckConstraint("share_ratio > 0 AND share_ratio <= 1", name="share_ratio_range"),
        CheckConstraint("person_until > person_from", name="span_not_empty"),
        Index("ix_house_person_owner_id", "owner_id"),
        ExcludeConstraint(
            ("house_id", "="),
            ("owner_id", "="),
            (func.daterange(text("person_from"), text("person_until"), type_=DATERANGE), "&&"),
            name="ex_house_person_house_id",
            using="gist",
        ),
    )

    id: Mapped[BigId]
    house_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("house.id"))
    owner_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("owner.id"))
    role: Mapped[Words]
    share_ratio: Mapped[Decimal | None] = mapped_column(Numeric(9, 8))
    person_from: Mapped[date]
    person_until: Mapped[date | None]
