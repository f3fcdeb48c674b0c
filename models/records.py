"""Records of what was done and when: audit rows and the slots of the timetable."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import BigId, Instant, Model, Words


class AuditEntry(Model):
    """Who did what to which, written in the same transaction as the act. Append-only."""

    __tablename__ = "audit_entry"
    __table_args__ = (
        Index("ix_audit_entry_subject", "subject_type", "subject_id"),
        Index("ix_audit_entry_community_id", "community_id", "id"),
    )

    id: Mapped[BigId]
    at: Mapped[Instant]
    actor_kind: Mapped[Words]
    actor_id: Mapped[int | None] = mapped_column(BigInteger)
    actor_name: Mapped[Words]
    action: Mapped[Words]
    subject_type: Mapped[Words]
    subject_id: Mapped[int | None] = mapped_column(BigInteger)
    community_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("community.id"))
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB)
    """Before and after, reasons and counts; phones masked."""
    request_id: Mapped[Words]


class AuditLink(Model):
    """One link of the hash chain over audit rows, in the order in which they were linked.

    ``sha256`` covers the row, ``linked_at`` and the link before it. Append-only.
    """

    __tablename__ = "audit_link"
    __table_args__ = (
        CheckConstraint("number > 0", name="number_positive"),
        CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="sha256_form"),
        UniqueConstraint("audit_entry_id"),
    )

    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    audit_entry_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("audit_entry.id"))
    sha256: Mapped[Words]
    linked_at: Mapped[Instant]


class JobSlot(Model):
    """One run of one job of the timetable: whoever inserts the row runs it."""

    __tablename__ = "job_slot"

    job: Mapped[Words] = mapped_column(primary_key=True)
    slot_at: Mapped[Instant] = mapped_column(primary_key=True)
    started_at: Mapped[Instant]
    finished_at: Mapped[Instant | None]
    outcome: Mapped[Words] = mapped_column(server_default="")
