"""Idempotency keys: the client's own name for one act, so that a second tap is the same act."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from domain.actors import Actor
from domain.errors import InvalidInput
from models import IdempotencyKey
from services.unit_of_work import Transaction

_KEY_LENGTHS = range(8, 65)


class KeyUsedForOther(InvalidInput):
    """The idempotency key came before with another body."""

    code = "key_used_for_other"
    message = "请求编号已用于另一笔支付，请重新发起"


@dataclass(frozen=True, slots=True)
class Claim:
    """A key that is ours; when it ``is_known``, what it led to before."""

    id: int
    is_known: bool
    order_id: int | None = None
    payment_id: int | None = None


def staff_subject(actor: Actor) -> str:
    """Tell whose keys a member of staff's are."""
    return f"staff:{actor.id}"


def check_key(key: str) -> None:
    """Refuse a key that is too short to be one's own.

    Raises:
        InvalidInput: it has not 8 to 64 printable characters.
    """
    if len(key) not in _KEY_LENGTHS or not (key.isascii() and key.isprintable()):
        raise InvalidInput(fields={"client_key": ["请求编号应为 8 至 64 个字符"]})


def claim_key(tx: Transaction, *, subject: str, action: str, key: str, body: object) -> Claim:
    """Claim a key for an act, or find what it led to before.

    A second request with the key waits in the insert until the first has committed. ``body`` must
    print the same for the same request.

    Raises:
        KeyUsedForOther: it came before with another body.

    Source: reliability.md pattern 3.
    """
    body_sha256 = hashlib.sha256(repr(body).encode()).hexdigest()
    key_id = tx.session.execute(
        insert(IdempotencyKey)
        .values(subject=subject, action=action, key=key, body_sha256=body_sha256, created_at=tx.now)
        .on_conflict_do_nothing()
        .returning(IdempotencyKey.id)
    ).scalar_one_or_none()
    if key_id is not None:
        return Claim(key_id, is_known=False)
    known = tx.session.execute(
        select(IdempotencyKey).where(
            IdempotencyKey.subject == subject,
            IdempotencyKey.action == action,
            IdempotencyKey.key == key,
        )
    ).scalar_one()
    if known.body_sha256 != body_sha256:
        raise KeyUsedForOther
    return Claim(known.id, True, known.order_id, known.payment_id)


def keep_result(
    tx: Transaction, claim: Claim, *, order_id: int | None = None, payment_id: int | None = None
) -> None:
    """Note what a key led to, in the transaction that did it."""
    tx.session.execute(
        update(IdempotencyKey)
        .where(IdempotencyKey.id == claim.id)
        .values(order_id=order_id, payment_id=payment_id)
    )
