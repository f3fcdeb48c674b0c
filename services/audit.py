"""Audit rows: who did what, in the same transaction as the act."""

from __future__ import annotations

from typing import Any

from domain.actors import Actor
from models import AuditEntry
from services.unit_of_work import Transaction


def record(
    tx: Transaction,
    actor: Actor,
    action: str,
    *,
    subject_type: str,
    subject_id: int | None,
    community_id: int | None = None,
    facts: dict[str, Any] | None = None,
) -> None:
    """Add one audit row; ``facts`` must be JSON and hold no full phone number or secret."""
    tx.session.add(
        AuditEntry(
            at=tx.now,
            actor_kind=actor.kind,
            actor_id=actor.id,
            actor_name=actor.name,
            action=action,
            subject_type=subject_type,
            subject_id=subject_id,
            community_id=community_id,
            facts=facts or {},
            request_id=actor.request_id,
        )
    )
