"""What a house owes of bills with one due date, as reminders say it and as the page shows it.

Left out is whatever is somebody else's or in dispute: debts that stay with a seller, and bills
whose late fee is paused for themselves.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import text

from domain.messages import MessageKind
from domain.money import format_yuan
from domain.periods import local_date
from services.unit_of_work import Transaction

REMINDED = """
    bill.is_live AND bill.state IN ('published', 'partially_paid')
    AND bill.amount_fen > bill.paid_fen
    AND NOT EXISTS (SELECT FROM transfer_debt debt WHERE debt.bill_id = bill.id)
    AND NOT EXISTS (SELECT FROM late_fee_pause pause
                     WHERE pause.bill_id = bill.id AND pause.paused_from <= :today
                       AND pause.paused_until > :today)
"""
"""Of a row ``bill``. Source: domain.md D12."""
REMINDERS = (MessageKind.BILL_DUE_SOON, MessageKind.BILL_OVERDUE)
_OWED = text(
    f"""
    SELECT message.id, message.payload, coalesce(owed.fen, 0)::bigint AS owed_fen
      FROM outbox_message message
      CROSS JOIN LATERAL (
        SELECT sum(bill.amount_fen - bill.paid_fen) AS fen
          FROM bill
         WHERE bill.house_id = message.house_id
           AND bill.due_date = CAST(message.payload ->> 'due_date' AS date)
           AND {REMINDED}) owed
     WHERE message.id = ANY(:ids) AND message.kind = ANY(:kinds)
       AND message.payload ? 'due_date' AND message.state = 'sending'
    """  # noqa: S608 - made of constants
)
_REWRITE = text(
    """
    UPDATE outbox_message
       SET payload = payload || jsonb_build_object('amount', CAST(:amount AS text))
     WHERE id = :id
    """
)
_CANCEL = text(
    """
    UPDATE outbox_message SET state = 'cancelled', payload = '{}', last_error = 'paid', lease = NULL
     WHERE id = ANY(:ids)
    """
)


def refresh_reminders(
    tx: Transaction, ids: Sequence[int]
) -> tuple[dict[int, dict[str, str]], set[int]]:
    """Make claimed reminders say what is owed now, and cancel those of which nothing is.

    Returns:
        The payloads that changed, by message, and the messages that were cancelled.
    """
    changed: dict[int, dict[str, str]] = {}
    gone = []
    given = {"ids": list(ids), "kinds": list(REMINDERS), "today": local_date(tx.now)}
    for message_id, payload, owed_fen in tx.session.execute(_OWED, given).all():
        amount = format_yuan(owed_fen)
        if not owed_fen:
            gone.append(message_id)
        elif amount != payload.get("amount"):
            tx.session.execute(_REWRITE, {"id": message_id, "amount": amount})
            changed[message_id] = {**payload, "amount": amount}
    if gone:
        tx.session.execute(_CANCEL, {"ids": gone})
    return changed, set(gone)
