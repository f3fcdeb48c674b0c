"""To whom a community's money goes, and the QR codes on its doors."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.payment_states import ONLINE
from models.base import BigId, Instant, Model, Words, one_of


class CommunityMerchant(Model):
    """Which merchant account takes a community's money of a channel; without a row the default.

    Only the number stands here: its keys are in the settings.
    """

    __tablename__ = "community_merchant"
    __table_args__ = (one_of("channel", sorted(ONLINE)),)

    community_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("community.id"), primary_key=True
    )
    channel: Mapped[Words] = mapped_column(primary_key=True)
    mchid: Mapped[Words]
    """WeChat Pay's merchant number, Alipay's seller id."""
    set_at: Mapped[Instant]


class PayCode(Model):
    """The payment QR of a house (收款码). Its token is derived from our key and kept hashed."""

    __tablename__ = "pay_code"
    __table_args__ = (
        UniqueConstraint("token_sha256"),
        UniqueConstraint("house_id", "version"),
        Index(
            "uq_pay_code_live",
            "house_id",
            unique=True,
            postgresql_where=text("revoked_at IS NULL"),
        ),
        Index("ix_pay_code_community_id", "community_id"),
    )

    id: Mapped[BigId]
    community_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("community.id"))
    house_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("house.id"))
    version: Mapped[int]
    """Counts the codes of a house; a new one revokes the last."""
    token_sha256: Mapped[Words]
    created_at: Mapped[Instant]
    revoked_at: Mapped[Instant | None]
