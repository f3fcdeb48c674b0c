"""Messages to people: each is a row before it is a call."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Computed, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from domain.messages import Channel, MessageKind
from models.base import BigId, Instant, Model, Words, one_of

MESSAGE_STATES = ("pending", "sending", "sent", "failed", "cancelled")


class OutboxMessage(Model):
    """One message for one event, person and channel.

    ``dedup_key`` is unique and also the key that channels take to drop repeats. ``payload`` holds
    the fields of domain/messages.py; a login code is wiped from it once it was sent.
    """

    __tablename__ = "outbox_message"
    __table_args__ = (
        one_of("state", MESSAGE_STATES),
        one_of("channel", Channel),
        one_of("kind", MessageKind),
        CheckConstraint("attempts >= 0", name="attempts_range"),
        Index(
            "ix_outbox_message_due",
            "lane",
            "next_attempt_at",
            "id",
            postgresql_where=text("state IN ('pending', 'sending')"),
        ),
        Index("ix_outbox_message_provider_id", "channel", "provider_id"),
    )

    id: Mapped[BigId]
    community_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("community.id"))
    kind: Mapped[Words]
    channel: Mapped[Words]
    lane: Mapped[Words] = mapped_column(
        Computed("CASE kind WHEN 'login_code' THEN kind ELSE channel END", persisted=True)
    )
    """What it queues with: login codes by themselves, the others by channel."""
    recipient: Mapped[Words]
    """An openid of the official account, or a phone."""
    fallback_phone: Mapped[str | None]
    """Where the same event goes by SMS if this channel refuses for good."""
    payload: Mapped[dict[str, str]] = mapped_column(JSONB)
    dedup_key: Mapped[Words] = mapped_column(unique=True)
    state: Mapped[Words]
    attempts: Mapped[int] = mapped_column(server_default="0")
    next_attempt_at: Mapped[Instant]
    expires_at: Mapped[Instant | None]
    """After this the message is worth nothing and is dropped unsent."""
    lease: Mapped[str | None]
    provider_id: Mapped[str | None]
    last_error: Mapped[Words] = mapped_column(server_default="")
    created_at: Mapped[Instant]
    sent_at: Mapped[Instant | None]


class ChannelPause(Model):
    """A channel that must rest: quota used up, or its configuration is wrong."""

    __tablename__ = "channel_pause"
    __table_args__ = (one_of("channel", Channel),)

    channel: Mapped[Words] = mapped_column(primary_key=True)
    paused_until: Mapped[Instant]
    reason: Mapped[Words]
