"""What is looked at last, in the transaction that claims a message: may it still go, and now."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import text

from domain.messages import DAILY_CAP, MESSAGES, is_quiet, morning_after
from domain.periods import local_date, start_of_local_day
from services.unit_of_work import Transaction

_OF_BILLS = [kind.value for kind, shape in MESSAGES.items() if shape.needs_bills]
_CANCEL_FOR_WHO_LEFT = text(
    """
    UPDATE outbox_message message
       SET state = 'cancelled', payload = '{}', last_error = 'moved_out', lease = NULL
     WHERE message.id = ANY(:ids) AND message.house_id IS NOT NULL
       AND (message.account_id IS NOT NULL AND NOT EXISTS (
                SELECT FROM house_binding binding
                  JOIN account ON account.id = binding.account_id AND account.is_active
                 WHERE binding.house_id = message.house_id
                   AND binding.account_id = message.account_id AND binding.status = 'active'
                   AND (binding.live_until IS NULL OR binding.live_until > :today)
                   AND (message.kind <> ALL(:of_bills) OR binding.role = 'owner'
                        OR coalesce(binding.may_see_bills, binding.role = 'family')))
            OR message.owner_id IS NOT NULL AND NOT EXISTS (
                SELECT FROM house_person part
                 WHERE part.house_id = message.house_id AND part.owner_id = message.owner_id
                   AND part.person_from <= :today
                   AND (part.person_until IS NULL OR part.person_until > :today)))
    RETURNING message.id
    """
)
_PUT_OFF = """
    UPDATE outbox_message message
       SET state = 'pending', next_attempt_at = :morning, attempts = attempts - 1, lease = NULL
     WHERE message.id = ANY(:ids) AND message.waits_for_day AND message.state = 'sending'
"""
_PUT_OFF_AT_NIGHT = text(f"{_PUT_OFF} RETURNING message.id")
_PUT_OFF_BEYOND_CAP = text(
    f"""
    {_PUT_OFF} AND message.staff_id IS NULL
       AND (SELECT count(*) FROM outbox_message other
             WHERE (other.account_id = message.account_id OR other.owner_id = message.owner_id)
               AND other.waits_for_day AND other.id <> message.id
               AND (other.state = 'sent' AND other.sent_at >= :today_from
                    OR other.state = 'sending' AND other.id < message.id)) >= :cap
    RETURNING message.id
    """  # noqa: S608 - made of constants
)


def hold_back(tx: Transaction, ids: Sequence[int]) -> set[int]:
    """Take back those of the claimed messages that must not go, or not now; tell which.

    Whoever moved out, or may not see bills any more, is not told. At night, and beyond the day's
    cap of one person, what is not urgent waits for the morning.

    Source: domain.md D12, idea 17.
    """
    given = {"ids": list(ids)}
    left = tx.session.scalars(
        _CANCEL_FOR_WHO_LEFT, given | {"today": local_date(tx.now), "of_bills": _OF_BILLS}
    ).all()
    return {*left, *_put_off(tx, given, tx.now)}


def _put_off(tx: Transaction, given: dict[str, list[int]], now: datetime) -> Sequence[int]:
    morning = {"morning": morning_after(now)}
    if is_quiet(now):
        return tx.session.scalars(_PUT_OFF_AT_NIGHT, given | morning).all()
    today = {"today_from": start_of_local_day(local_date(now)), "cap": DAILY_CAP}
    return tx.session.scalars(_PUT_OFF_BEYOND_CAP, given | morning | today).all()
