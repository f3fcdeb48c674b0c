"""The ways to a person, cheapest first, and what happens when one of them does not reach them.

Source: domain.md, idea 17: subscribe message, official account, SMS, visit list; never two ways for
one event unless the first failed.
"""

from __future__ import annotations

from sqlalchemy import text

from domain.messages import MESSAGES, Channel, MessageKind
from services.unit_of_work import Transaction

_RANKS = {Channel.SUBSCRIBE: 1, Channel.OFFICIAL_TEMPLATE: 2, Channel.SMS: 3, Channel.MAIL: 4}
NEXT_WAY = """
    SELECT channel, recipient
      FROM (SELECT 1 AS rank, 'subscribe' AS channel, identity.openid AS recipient,
                   identity.seen_at AS newest
              FROM wechat_identity identity
             WHERE :has_subscribe AND who.uses_wechat AND identity.account_id = who.account_id
               AND EXISTS (SELECT FROM subscribe_quota permitted
                            WHERE permitted.identity_id = identity.id AND permitted.quota > 0)
            UNION ALL
            SELECT 2, 'official_template', identity.openid, identity.seen_at
              FROM wechat_identity identity
             WHERE :has_template AND who.uses_wechat AND identity.is_following
               AND (identity.account_id = who.account_id OR identity.staff_id = who.staff_id)
            UNION ALL
            SELECT 3, 'sms', who.phone, NULL WHERE :has_sms AND who.uses_sms AND who.phone <> ''
            UNION ALL
            SELECT 4, 'mail', who.email, NULL WHERE :has_mail AND who.email <> '') AS way
     WHERE rank > :after_rank
     ORDER BY rank, newest DESC NULLS LAST, recipient
     LIMIT 1
"""
"""Of a row ``who``, with account_id, staff_id, phone, email, uses_wechat and uses_sms."""
_GO_ON = text(
    f"""
    WITH who AS (
        SELECT before.*, before.fallback_phone AS phone, staff.email, true AS uses_wechat,
               true AS uses_sms
          FROM outbox_message before
          LEFT JOIN staff ON staff.id = before.staff_id
         WHERE before.id = :id)
    INSERT INTO outbox_message (community_id, kind, channel, recipient, fallback_phone, payload,
                                dedup_key, state, next_attempt_at, created_at, last_error,
                                account_id, owner_id, staff_id, house_id, waits_for_day)
    SELECT community_id, kind, coalesce(way.channel, 'visit'), coalesce(way.recipient, ''),
           fallback_phone, payload, dedup_key || ':' || coalesce(way.channel, 'visit'),
           CASE WHEN way.channel IS NULL THEN 'failed' ELSE 'pending' END, :now, :now,
           CASE WHEN way.channel IS NULL THEN 'unreachable' ELSE '' END,
           account_id, owner_id, staff_id, house_id, waits_for_day
      FROM who LEFT JOIN LATERAL ({NEXT_WAY}) way ON true
    ON CONFLICT (dedup_key) DO NOTHING
    """  # noqa: S608 - made of constants
)


def carriers(kind: MessageKind) -> dict[str, bool]:
    """Tell which channels a kind has fields for, as the parameters of `NEXT_WAY`."""
    shape = MESSAGES[kind]
    return {
        "has_subscribe": bool(shape.subscribe_fields),
        "has_template": bool(shape.template_fields),
        "has_sms": bool(shape.sms_params),
        "has_mail": bool(shape.mail_text),
    }


def go_on(tx: Transaction, *, message_id: int, kind: MessageKind, channel: Channel) -> None:
    """Write the message again for the next way to its person, or into the visit list.

    Doing it twice is doing it once.
    """
    tx.session.execute(
        _GO_ON,
        {"id": message_id, "now": tx.now, "after_rank": _RANKS[channel], **carriers(kind)},
    )
    tx.wake("deliver_messages")
