"""What is shared out or charged once: pools (公摊) and one-off charges (临时收费)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    Numeric,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from domain.shares import ShareBy
from models.base import BigId, Fen, Instant, Model, Words, one_of

CHARGE_STATES = ("open", "cancelled")


class SharePool(Model):
    """An amount that the houses of a community or of some buildings bear for a period.

    ``amount_fen`` is the whole; ``units`` × ``unit_price`` say how it came about, if they do.
    """

    __tablename__ = "share_pool"
    __table_args__ = (
        one_of("share_by", ShareBy),
        one_of("state", CHARGE_STATES),
        CheckConstraint("amount_fen > 0", name="amount_fen_positive"),
        CheckConstraint("period_until > period_from", name="span_not_empty"),
        CheckConstraint("(units IS NULL) = (unit_price IS NULL)", name="units_with_price"),
        Index(
            "uq_share_pool_open",
            "fee_item_id",
            "period_from",
            unique=True,
            postgresql_where=text("state = 'open'"),
        ),
    )

    id: Mapped[BigId]
    community_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("community.id"))
    fee_item_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("fee_item.id"))
    period_from: Mapped[date]
    period_until: Mapped[date]
    amount_fen: Mapped[Fen]
    units: Mapped[Decimal | None] = mapped_column(Numeric(14, 4))
    unit_price: Mapped[Decimal | None] = mapped_column(Numeric(12, 6))
    share_by: Mapped[Words]
    building_ids: Mapped[list[int] | None] = mapped_column(ARRAY(BigInteger))
    """Whose houses bear it; none named means the whole community."""
    source_document: Mapped[Words] = mapped_column(server_default="")
    state: Mapped[Words] = mapped_column(server_default="open")
    made_by_staff_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("staff.id"))
    created_at: Mapped[Instant]


class SharePoolWeight(Model):
    """A house's own weight in a pool that is shared by custom weights."""

    __tablename__ = "share_pool_weight"
    __table_args__ = (CheckConstraint("weight > 0", name="weight_positive"),)

    pool_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("share_pool.id"), primary_key=True)
    house_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("house.id"), primary_key=True)
    weight: Mapped[Decimal] = mapped_column(Numeric(14, 4))


class OneOffCharge(Model):
    """A typed amount with the document it rests on; billed by the run of its month."""

    __tablename__ = "one_off_charge"
    __table_args__ = (
        one_of("state", CHARGE_STATES),
        CheckConstraint("amount_fen > 0", name="amount_fen_positive"),
        CheckConstraint("sequence > 0", name="sequence_positive"),
        UniqueConstraint("house_id", "fee_item_id", "charged_on", "sequence"),
        Index("ix_one_off_charge_community_id", "community_id", "charged_on"),
    )

    id: Mapped[BigId]
    community_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("community.id"))
    house_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("house.id"))
    fee_item_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("fee_item.id"))
    charged_on: Mapped[date]
    sequence: Mapped[int]
    amount_fen: Mapped[Fen]
    source_document: Mapped[Words]
    state: Mapped[Words] = mapped_column(server_default="open")
    made_by_staff_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("staff.id"))
    created_at: Mapped[Instant]
