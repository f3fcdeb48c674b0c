"""Audit rows: who did what, in the same transaction as the act."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from domain.actors import Actor
from domain.acts import ACT_SHOWN
from domain.phones import mask_typed_phones
from models import AuditEntry
from services.unit_of_work import Transaction

_TYPED = frozenset({"reason", "note", "wechat_note"})
"""What people write freely, phones among it."""


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
    """Add one audit row; ``facts`` must be JSON and hold no full phone number or secret.

    Phones in reasons and notes are masked here: a row that only grows cannot be rid of them later.
    Changed columns stand in ``before`` and ``after`` by their names, and why in ``reason``: so
    they become sentences (domain/change_sentences.py).

    Raises:
        ValueError: the act has no words in `domain.acts`: a mistake of ours.
    """
    if action not in ACT_SHOWN:
        raise ValueError(action)
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
            facts=_mask_typed(facts or {}),
            request_id=actor.request_id,
        )
    )


def _mask_typed(facts: Mapping[str, Any]) -> dict[str, Any]:
    masked: dict[str, Any] = {}
    for name, value in facts.items():
        if isinstance(value, Mapping):
            masked[name] = _mask_typed(value)
        elif name in _TYPED and isinstance(value, str):
            masked[name] = mask_typed_phones(value)
        else:
            masked[name] = value
    return masked


def sides_of(changes: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Turn what changed column by column into the two sides of a change."""
    return {
        side: {name: change[side] for name, change in changes.items()}
        for side in ("before", "after")
    }
