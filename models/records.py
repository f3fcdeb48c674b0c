"""Records of what was done and when: audit rows and the slots of the timetable."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import BigId, Instant, Model, Words


class AuditEntry(Model):
    """Who did what to which, written in the same transaction as the act. Append-only."""

    __tablename__ = "audit_entry"
    __table_args__ = (Index("ix_audit_entry_subject", "subject_type", "subject_id"),)

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


class JobSlot(Model):
    """One run of one job of the timetable: whoever inserts the row runs it."""

    __tablename__ = "job_slot"

    job: Mapped[Words] = mapped_column(primary_key=True)
    slot_at: Mapped[Instant] = mapped_column(primary_key=True)
    started_at: Mapped[Instant]
    finished_at: Mapped[Instant | None]
    outcome: Mapped[Words] = mapped_column(server_default="")
