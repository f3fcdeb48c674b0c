"""Messages to people: each is a row before it is a call."""

from __future__ import annotations

from datetime import date

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
        Index("ix_outbox_message_account_id", "account_id", "sent_at"),
        Index("ix_outbox_message_owner_id", "owner_id", "sent_at"),
        Index(
            "ix_outbox_message_visit",
            "community_id",
            "id",
            postgresql_where=text("channel = 'visit'"),
        ),
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
    """An openid of one of our accounts, a phone or an address; empty in the visit list."""
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
    account_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("account.id"))
    owner_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("owner.id"))
    staff_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("staff.id"))
    """Who is told, if it goes from channel to channel until one reaches them: one of the three."""
    house_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("house.id"))
    """The house it is about: whoever is nothing to it any more when it is sent is not told."""
    waits_for_day: Mapped[bool] = mapped_column(server_default=text("false"))
    """Whether it stays here at night, and beyond the day's cap."""


class SubscribeQuota(Model):
    """How many messages of a mini-program template a person still permits, as far as we know.

    The platform tells nobody: it grows by accepted prompts, shrinks by messages that were taken,
    and ends where the platform says so. Source: platforms.md 4.3.
    """

    __tablename__ = "subscribe_quota"
    __table_args__ = (CheckConstraint("quota >= 0", name="quota_range"),)

    identity_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("wechat_identity.id", ondelete="CASCADE"), primary_key=True
    )
    template_id: Mapped[Words] = mapped_column(primary_key=True)
    quota: Mapped[int] = mapped_column(server_default="0")
    changed_at: Mapped[Instant]


class BillReminder(Model):
    """A house was reminded of what is due on a day; ``days_after`` is below 0 before that day."""

    __tablename__ = "bill_reminder"

    house_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("house.id"), primary_key=True)
    due_date: Mapped[date] = mapped_column(primary_key=True)
    days_after: Mapped[int] = mapped_column(primary_key=True)
    told_at: Mapped[Instant]


class MessageSetting(Model):
    """What a community decided about one kind of message; without a row the kind's default is."""

    __tablename__ = "message_setting"
    __table_args__ = (one_of("kind", MessageKind),)

    community_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("community.id"), primary_key=True
    )
    kind: Mapped[Words] = mapped_column(primary_key=True)
    uses_wechat: Mapped[bool]
    uses_sms: Mapped[bool]


class ChannelPause(Model):
    """A channel that must rest: quota used up, or its configuration is wrong."""

    __tablename__ = "channel_pause"
    __table_args__ = (one_of("channel", Channel),)

    channel: Mapped[Words] = mapped_column(primary_key=True)
    paused_until: Mapped[Instant]
    reason: Mapped[Words]
