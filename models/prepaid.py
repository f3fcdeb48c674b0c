"""Money held for a house: prepaid accounts (预存) and deposits (押金)."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from domain.prepaid import DepositMove, PrepaidMove
from models.base import BigId, Fen, Instant, Model, Words, one_of


class PrepaidAccount(Model):
    """What a house has paid ahead, for one item or for all; the balance equals its entries."""

    __tablename__ = "prepaid_account"
    __table_args__ = (
        UniqueConstraint("house_id", "fee_item_id", postgresql_nulls_not_distinct=True),
        CheckConstraint("balance_fen >= 0", name="balance_fen_range"),
        Index("ix_prepaid_account_community_id", "community_id"),
    )

    id: Mapped[BigId]
    community_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("community.id"))
    house_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("house.id"))
    fee_item_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("fee_item.id"))
    balance_fen: Mapped[Fen] = mapped_column(server_default="0")


class PrepaidEntry(Model):
    """One move of a prepaid account. Append-only; ``balance_fen`` is what it left."""

    __tablename__ = "prepaid_entry"
    __table_args__ = (
        one_of("kind", PrepaidMove),
        CheckConstraint("amount_fen <> 0", name="amount_fen_not_zero"),
        CheckConstraint("balance_fen >= 0", name="balance_fen_range"),
        CheckConstraint(
            "CASE kind WHEN 'topup' THEN amount_fen > 0 AND payment_id IS NOT NULL"
            " WHEN 'offset' THEN amount_fen < 0 AND payment_id IS NOT NULL"
            " WHEN 'refund' THEN amount_fen < 0 AND refund_id IS NOT NULL"
            " WHEN 'transfer' THEN other_account_id IS NOT NULL ELSE true END",
            name="kind_fits",
        ),
        Index("ix_prepaid_entry_account_id", "account_id", "id"),
        Index("ix_prepaid_entry_payment_id", "payment_id"),
    )

    id: Mapped[BigId]
    account_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("prepaid_account.id"))
    kind: Mapped[Words]
    amount_fen: Mapped[Fen]
    balance_fen: Mapped[Fen]
    payment_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("payment.id"))
    """Of a top-up the money that came; of an offset the payment by which it reached the bills."""
    refund_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("refund.id"))
    other_account_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("prepaid_account.id")
    )
    note: Mapped[Words] = mapped_column(server_default="")
    staff_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("staff.id"))
    created_at: Mapped[Instant]


class Deposit(Model):
    """A deposit taken for a house, such as 装修押金; sums equal its entries."""

    __tablename__ = "deposit"
    __table_args__ = (
        CheckConstraint("amount_fen > 0", name="amount_fen_positive"),
        CheckConstraint(
            "deducted_fen >= 0 AND returned_fen >= 0 AND deducted_fen + returned_fen <= amount_fen",
            name="spent_range",
        ),
        Index("ix_deposit_community_id", "community_id"),
        Index("ix_deposit_house_id", "house_id"),
    )

    id: Mapped[BigId]
    community_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("community.id"))
    house_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("house.id"))
    name: Mapped[Words]
    payer_name: Mapped[Words]
    amount_fen: Mapped[Fen]
    deducted_fen: Mapped[Fen] = mapped_column(server_default="0")
    returned_fen: Mapped[Fen] = mapped_column(server_default="0")
    created_at: Mapped[Instant]


class DepositEntry(Model):
    """One move of a deposit, all amounts positive. Append-only."""

    __tablename__ = "deposit_entry"
    __table_args__ = (
        one_of("kind", DepositMove),
        CheckConstraint("amount_fen > 0", name="amount_fen_positive"),
        CheckConstraint(
            "CASE kind WHEN 'return' THEN refund_id IS NOT NULL ELSE payment_id IS NOT NULL END",
            name="kind_fits",
        ),
        Index("ix_deposit_entry_deposit_id", "deposit_id"),
        Index("ix_deposit_entry_payment_id", "payment_id"),
    )

    id: Mapped[BigId]
    deposit_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("deposit.id"))
    kind: Mapped[Words]
    amount_fen: Mapped[Fen]
    payment_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("payment.id"))
    refund_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("refund.id"))
    note: Mapped[Words] = mapped_column(server_default="")
    staff_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("staff.id"))
    created_at: Mapped[Instant]
