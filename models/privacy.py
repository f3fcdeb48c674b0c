"""What owners agreed to, copies of their data that they asked for, and accounts being closed."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.consents import ConsentAct, ConsentChannel, ConsentKind
from domain.privacy_states import DeletionState, ExportState
from models.base import BigId, Instant, Model, Words, one_of


class Consent(Model):
    """An owner agreed to a version of a text, or took that back. Append-only: the newest holds."""

    __tablename__ = "consent"
    __table_args__ = (
        one_of("kind", ConsentKind),
        one_of("act", ConsentAct),
        one_of("channel", ConsentChannel),
        CheckConstraint("version <> ''", name="version_given"),
        Index("ix_consent_account_id", "account_id", "kind", "id"),
    )

    id: Mapped[BigId]
    account_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("account.id"))
    kind: Mapped[Words]
    act: Mapped[Words]
    version: Mapped[Words]
    channel: Mapped[Words]
    at: Mapped[Instant]


class PrivacyExport(Model):
    """A copy of their data that an owner asked for; the file goes after a week, the row stays."""

    __tablename__ = "privacy_export"
    __table_args__ = (
        one_of("state", ExportState),
        CheckConstraint(
            "(state = 'ready') = (content IS NOT NULL AND expires_at IS NOT NULL)",
            name="ready_has_file",
        ),
        Index("ix_privacy_export_account_id", "account_id", "id"),
        Index(
            "uq_privacy_export_open",
            "account_id",
            unique=True,
            postgresql_where=text("state = 'asked'"),
        ),
    )

    id: Mapped[BigId]
    account_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("account.id"))
    state: Mapped[Words]
    attempts: Mapped[int] = mapped_column(server_default="0")
    asked_at: Mapped[Instant]
    ended_at: Mapped[Instant | None]
    expires_at: Mapped[Instant | None]
    content: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)


class AccountDeletion(Model):
    """An owner closes their account; it is carried out after a cooling time."""

    __tablename__ = "account_deletion"
    __table_args__ = (
        one_of("state", DeletionState),
        CheckConstraint("(state = 'cooling') = (ended_at IS NULL)", name="ended_at_a_time"),
        CheckConstraint("due_at > asked_at", name="due_later"),
        Index(
            "uq_account_deletion_open",
            "account_id",
            unique=True,
            postgresql_where=text("state = 'cooling'"),
        ),
        Index("ix_account_deletion_due", "due_at", postgresql_where=text("state = 'cooling'")),
    )

    id: Mapped[BigId]
    account_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("account.id"))
    state: Mapped[Words]
    asked_at: Mapped[Instant]
    due_at: Mapped[Instant]
    ended_at: Mapped[Instant | None]
