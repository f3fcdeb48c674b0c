"""Transfers of houses (过户): who sold to whom on which day, and whose debt the bills are."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Numeric, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from domain.transfers import PrepaidChoice, Side, UnpaidChoice
from models.base import BigId, Fen, Instant, Model, Words, one_of


class HouseTransfer(Model):
    """One transfer; the buyers own from ``cut_on``. ``done`` holds what an undo must put back."""

    __tablename__ = "house_transfer"
    __table_args__ = (
        one_of("unpaid", UnpaidChoice),
        one_of("prepaid", PrepaidChoice),
        CheckConstraint(
            "(undone_at IS NULL) = (undone_by_staff_id IS NULL)", name="undone_by_somebody"
        ),
        Index(
            "uq_house_transfer_day",
            "house_id",
            "cut_on",
            unique=True,
            postgresql_where=text("undone_at IS NULL"),
        ),
        Index("ix_house_transfer_community_id", "community_id"),
    )

    id: Mapped[BigId]
    community_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("community.id"))
    house_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("house.id"))
    cut_on: Mapped[date]
    unpaid: Mapped[Words]
    prepaid: Mapped[Words]
    reason: Mapped[Words]
    done: Mapped[dict[str, Any]] = mapped_column(JSONB)
    key_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("idempotency_key.id"))
    """The client's own name for this act: a second click finds the first."""
    made_by_staff_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("staff.id"))
    made_at: Mapped[Instant]
    undone_by_staff_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("staff.id"))
    undone_at: Mapped[Instant | None]


class TransferParty(Model):
    """A seller or buyer of a transfer; buyers have their share."""

    __tablename__ = "transfer_party"
    __table_args__ = (
        one_of("side", Side),
        CheckConstraint("share_ratio > 0 AND share_ratio <= 1", name="share_ratio_range"),
        Index("ix_transfer_party_owner_id", "owner_id"),
    )

    transfer_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("house_transfer.id"), primary_key=True
    )
    owner_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("owner.id"), primary_key=True)
    side: Mapped[Words] = mapped_column(primary_key=True)
    share_ratio: Mapped[Decimal | None] = mapped_column(Numeric(9, 8))


class TransferShare(Model):
    """How a published bill that covers the cut day parts into days of seller and buyer.

    A statement for the two parties; nothing is billed anew.
    """

    __tablename__ = "transfer_share"
    __table_args__ = (
        CheckConstraint(
            "seller_fen >= 0 AND buyer_fen >= 0 AND seller_fen + buyer_fen = amount_fen",
            name="parts_add_up",
        ),
        CheckConstraint("seller_days > 0 AND buyer_days > 0", name="days_positive"),
    )

    transfer_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("house_transfer.id"), primary_key=True
    )
    bill_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("bill.id"), primary_key=True)
    amount_fen: Mapped[Fen]
    seller_days: Mapped[int]
    buyer_days: Mapped[int]
    seller_fen: Mapped[Fen]
    buyer_fen: Mapped[Fen]


class TransferDebt(Model):
    """A bill of the house that the sellers still owe, and that the buyers do not see."""

    __tablename__ = "transfer_debt"
    __table_args__ = (Index("ix_transfer_debt_transfer_id", "transfer_id"),)

    bill_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("bill.id"), primary_key=True)
    transfer_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("house_transfer.id"))
