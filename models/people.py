"""Owners on file and what they are to a house, by dates."""

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

from domain.house_roles import PersonRole
from models.base import BigId, Instant, Model, Words, one_of


class Owner(Model):
    """One 业主 as a community has them on file; phones are normalised to 11 digits.

    ``phone`` is the primary one; a trigger keeps `OwnerPhone` in step with it, so that whoever
    writes an owner has written the phone's row too (docs/adr/0023).
    """

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
        Index("ix_owner_community_id", "community_id", "id"),
        Index("ix_owner_name_grams", text("name_grams(name)"), postgresql_using="gin"),
        Index(
            "ix_owner_pinyin",
            "pinyin",
            postgresql_using="gin",
            postgresql_ops={"pinyin": "gin_trgm_ops"},
        ),
        Index("ix_owner_initials", "initials", postgresql_ops={"initials": "text_pattern_ops"}),
        CheckConstraint("phone ~ '^1[3-9][0-9]{9}$'", name="phone_form"),
        CheckConstraint("ended_on IS NULL OR phone IS NULL", name="ended_has_no_phone"),
    )

    id: Mapped[BigId]
    community_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("community.id"))
    name: Mapped[Words]
    phone: Mapped[str | None]
    email: Mapped[Words] = mapped_column(server_default="")
    wechat_note: Mapped[Words] = mapped_column(server_default="")
    note: Mapped[Words] = mapped_column(server_default="")
    pinyin: Mapped[Words] = mapped_column(server_default="")
    """The name in letters, such as ``wangxiaoming``; written by services/people/names.py alone."""
    initials: Mapped[Words] = mapped_column(server_default="")
    """Such as ``wxm``."""
    ended_on: Mapped[date | None]
    """Since when nobody reckons with them any more; they have no phone from then on."""
    created_at: Mapped[Instant]


class OwnerPhone(Model):
    """One phone of an owner; in a community a phone belongs to one owner only."""

    __tablename__ = "owner_phone"
    __table_args__ = (
        UniqueConstraint("community_id", "phone"),
        CheckConstraint("phone ~ '^1[3-9][0-9]{9}$'", name="phone_form"),
        Index(
            "uq_owner_phone_primary",
            "owner_id",
            unique=True,
            postgresql_where=text("is_primary"),
        ),
        Index("ix_owner_phone_owner_id", "owner_id"),
        Index("ix_owner_phone_exact", "phone"),
        Index(
            "ix_owner_phone_parts",
            "phone",
            postgresql_using="gin",
            postgresql_ops={"phone": "gin_trgm_ops"},
        ),
    )

    id: Mapped[BigId]
    owner_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("owner.id"))
    community_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("community.id"))
    phone: Mapped[Words]
    is_primary: Mapped[bool]
    opens_houses: Mapped[bool] = mapped_column(server_default=text("true"))
    """Whether whoever proves the phone is bound to its owner's houses; not after they closed their
    account, since the number may be somebody else's by now (docs/adr/0025)."""
    label: Mapped[Words] = mapped_column(server_default="")
    created_at: Mapped[Instant]


class PhoneReveal(Model):
    """Somebody looked at an owner's full phones, and why. Append-only."""

    __tablename__ = "phone_reveal"
    __table_args__ = (Index("ix_phone_reveal_owner_id", "owner_id", "id"),)

    id: Mapped[BigId]
    owner_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("owner.id"))
    staff_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("staff.id"))
    """None for whoever holds the machine's shell."""
    who: Mapped[Words]
    reason: Mapped[Words]
    at: Mapped[Instant]


class HousePerson(Model):
    """A person's part in a house over half-open dates; ``share_ratio`` is 1 for a sole owner.

    A right that is NULL is what the role gives (domain/house_roles.py).
    """

    __tablename__ = "house_person"
    __table_args__ = (
        one_of("role", PersonRole),
        CheckConstraint("share_ratio > 0 AND share_ratio <= 1", name="share_ratio_range"),
        CheckConstraint("person_until > person_from", name="span_not_empty"),
        Index("ix_house_person_owner_id", "owner_id"),
        Index("ix_house_person_house_id", "house_id"),
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
    may_see_bills: Mapped[bool | None]
    may_pay: Mapped[bool | None]
    may_report: Mapped[bool | None]
