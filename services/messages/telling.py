"""Telling people of a thing: one row per event and person, on the first way that may reach them.

What becomes of a row when its way fails is services/messages/ways.py.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date

from sqlalchemy import TextClause, text
from sqlalchemy.orm import Session

from domain.messages import MESSAGES, Channel, MessageKind, MessageShape
from domain.periods import local_date
from services.messages.ways import NEXT_WAY, carriers
from services.unit_of_work import Transaction

_BILL_KINDS = (MessageKind.BILL_PUBLISHED, MessageKind.BILL_DUE_SOON, MessageKind.BILL_OVERDUE)
"""What a community pays SMS for if it does so for bills at all."""
_PEOPLE_OF_HOUSES = """
    WITH seeing AS (
        SELECT DISTINCT ON (account.id)
               account.id AS account_id, binding.house_id, binding.owner_id, account.phone
          FROM house_binding binding
          JOIN account ON account.id = binding.account_id AND account.is_active
         WHERE binding.house_id = ANY(:house_ids) AND binding.status = 'active'
           AND (binding.live_until IS NULL OR binding.live_until > :today)
           AND (CAST(:only_account_id AS bigint) IS NULL OR account.id = :only_account_id)
           AND (NOT :needs_bills OR binding.role = 'owner'
                OR coalesce(binding.may_see_bills, binding.role = 'family'))
         ORDER BY account.id, binding.house_id),
    unbound AS (
        SELECT DISTINCT ON (owner.id)
               owner.id AS owner_id, part.house_id, owner.phone
          FROM house_person part
          JOIN owner ON owner.id = part.owner_id
         WHERE part.house_id = ANY(:house_ids)
           AND part.role IN ('title_holder', 'co_owner')
           AND part.person_from <= :today
           AND (part.person_until IS NULL OR part.person_until > :today)
           AND CAST(:only_account_id AS bigint) IS NULL
           AND NOT EXISTS (SELECT FROM seeing
                            WHERE seeing.owner_id = owner.id OR seeing.phone = owner.phone)
         ORDER BY owner.id, part.house_id),
    people AS (
        SELECT account_id, CAST(NULL AS bigint) AS owner_id, CAST(NULL AS bigint) AS staff_id,
               house_id, phone, '' AS email,
               'account:' || account_id AS person
          FROM seeing
        UNION ALL
        SELECT NULL, owner_id, NULL, house_id, phone, '', 'owner:' || owner_id FROM unbound),
    ways AS (
        SELECT coalesce(setting.uses_wechat, true) AS uses_wechat,
               coalesce(setting.uses_sms, :costs_by_default
                        AND (NOT :is_of_bills OR community.sends_bill_sms)) AS uses_sms
          FROM community
          LEFT JOIN message_setting setting
            ON setting.community_id = community.id AND setting.kind = :kind
         WHERE community.id = :community_id)
"""
_STAFF = """
    WITH people AS (
        SELECT CAST(NULL AS bigint) AS account_id, CAST(NULL AS bigint) AS owner_id,
               staff.id AS staff_id, CAST(NULL AS bigint) AS house_id, staff.phone,
               'staff:' || staff.id AS person, staff.email
          FROM staff WHERE staff.id = ANY(:staff_ids) AND staff.is_active),
    ways AS (
        SELECT coalesce(setting.uses_wechat, true) AS uses_wechat,
               coalesce(setting.uses_sms, :costs_by_default) AS uses_sms
          FROM community
          LEFT JOIN message_setting setting
            ON setting.community_id = community.id AND setting.kind = :kind
         WHERE community.id = :community_id)
"""
_WRITE = f"""
    , who AS (SELECT people.*, ways.* FROM people CROSS JOIN ways)
    INSERT INTO outbox_message (community_id, kind, channel, recipient, fallback_phone, payload,
                                dedup_key, state, next_attempt_at, created_at, last_error,
                                account_id, owner_id, staff_id, house_id, waits_for_day)
    SELECT :community_id, :kind, coalesce(way.channel, 'visit'), coalesce(way.recipient, ''),
           CASE WHEN who.uses_sms AND :has_sms THEN who.phone END,
           CAST(:payload AS jsonb), :event_key || ':' || who.person,
           CASE WHEN way.channel IS NULL THEN 'failed' ELSE 'pending' END,
           :now, :now, CASE WHEN way.channel IS NULL THEN 'unreachable' ELSE '' END,
           who.account_id, who.owner_id, who.staff_id, who.house_id, :waits_for_day
      FROM who LEFT JOIN LATERAL ({NEXT_WAY}) way ON true
     WHERE way.channel IS NOT NULL OR who.staff_id IS NULL
    ON CONFLICT (dedup_key) DO NOTHING
    RETURNING id
"""  # noqa: S608 - made of constants
_COUNT_WAYS = text(
    f"""
    {_PEOPLE_OF_HOUSES}, who AS (SELECT people.*, ways.* FROM people CROSS JOIN ways)
    SELECT coalesce(way.channel, 'visit') AS channel, count(*)
      FROM who LEFT JOIN LATERAL ({NEXT_WAY}) way ON true
     GROUP BY 1
    """  # noqa: S608 - made of constants
)
_TELL_HOUSES = text(_PEOPLE_OF_HOUSES + _WRITE)
_TELL_STAFF = text(_STAFF + _WRITE)


def tell_house(
    tx: Transaction,
    *,
    kind: MessageKind,
    house_id: int,
    payload: Mapping[str, str],
    event_key: str,
    community_id: int,
    only_account_id: int | None = None,
) -> int:
    """Tell the people of a house who may see such a thing, and return how many rows that is.

    Those are the accounts bound to it now, and its owners on file without one. ``event_key`` names
    the event, such as ``repair:12:assigned:3``: telling twice is telling once. With
    ``only_account_id`` only this one is told, if still bound. Whom nothing reaches is put on the
    visit list.

    Source: domain.md D12, idea 17.
    """
    return tell_houses(
        tx,
        kind=kind,
        house_ids=[house_id],
        payload=payload,
        event_key=event_key,
        community_id=community_id,
        only_account_id=only_account_id,
    )


def tell_houses(
    tx: Transaction,
    *,
    kind: MessageKind,
    house_ids: Sequence[int],
    payload: Mapping[str, str],
    event_key: str,
    community_id: int,
    only_account_id: int | None = None,
) -> int:
    """Tell the people of many houses of one thing, each person once, in one statement."""
    shape = MESSAGES[kind]
    return _write(
        tx,
        _TELL_HOUSES,
        kind=kind,
        payload=payload,
        event_key=event_key,
        community_id=community_id,
        more={
            "house_ids": list(house_ids),
            "today": local_date(tx.now),
            "only_account_id": only_account_id,
            "needs_bills": shape.needs_bills,
            "is_of_bills": kind in _BILL_KINDS,
        },
    )


def count_ways(
    session: Session,
    *,
    kind: MessageKind,
    house_ids: Sequence[int],
    community_id: int,
    today: date,
) -> dict[Channel, int]:
    """Count the people whom `tell_houses` would tell now, by their first way; nothing is written.

    Those on `Channel.VISIT` cannot be reached.
    """
    shape = MESSAGES[kind]
    rows = session.execute(
        _COUNT_WAYS,
        {
            "kind": kind,
            "community_id": community_id,
            "house_ids": list(house_ids),
            "today": today,
            "only_account_id": None,
            "needs_bills": shape.needs_bills,
            "is_of_bills": kind in _BILL_KINDS,
            "costs_by_default": shape.costs_by_default,
            "after_rank": 0,
            **carriers(kind),
        },
    )
    return {Channel(channel): int(count) for channel, count in rows}


def tell_staff(
    tx: Transaction,
    *,
    kind: MessageKind,
    staff_ids: Sequence[int],
    payload: Mapping[str, str],
    event_key: str,
    community_id: int,
) -> int:
    """Tell members of staff, each once, and return how many can be reached.

    By their WeChat if they have proven one, else by SMS, else by mail.
    """
    return _write(
        tx,
        _TELL_STAFF,
        kind=kind,
        payload=payload,
        event_key=event_key,
        community_id=community_id,
        more={"staff_ids": list(staff_ids)},
    )


def _write(
    tx: Transaction,
    statement: TextClause,
    *,
    kind: MessageKind,
    payload: Mapping[str, str],
    event_key: str,
    community_id: int,
    more: Mapping[str, object],
) -> int:
    shape = MESSAGES[kind]
    _check_payload(shape, payload)
    told = tx.session.scalars(
        statement,
        {
            "kind": kind,
            "payload": json.dumps(dict(payload), ensure_ascii=False),
            "event_key": event_key,
            "community_id": community_id,
            "now": tx.now,
            "after_rank": 0,
            "costs_by_default": shape.costs_by_default,
            "waits_for_day": not shape.is_urgent,
            **carriers(kind),
            **more,
        },
    ).all()
    tx.wake("deliver_messages")
    return len(told)


def _check_payload(shape: MessageShape, payload: Mapping[str, str]) -> None:
    """Fail where the mistake is made, not hours later in a worker."""
    needed = {*shape.sms_params, *shape.template_fields, *shape.subscribe_fields}
    if missing := needed - set(payload):
        raise KeyError(f"the payload lacks {', '.join(sorted(missing))}")
