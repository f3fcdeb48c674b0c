"""Reminding people of bills: before they are due, on the day, and after."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import Row, text

from domain.actors import Actor, Permission
from domain.messages import MessageKind
from domain.money import format_yuan
from domain.periods import local_date
from services.messages.owed import REMINDED
from services.messages.telling import tell_house
from services.unit_of_work import Transaction, UnitOfWork

REMINDER_DAYS = (-3, 0, 7)
"""Days after the due date. On the day itself a bill is not overdue yet."""
_AT_ONCE = 200
_TAKE = text(
    f"""
    WITH due AS (
        SELECT bill.community_id, bill.house_id, bill.due_date,
               sum(bill.amount_fen - bill.paid_fen)::bigint AS owed_fen,
               string_agg(DISTINCT fee_item.name, '、') AS items
          FROM bill JOIN fee_item ON fee_item.id = bill.fee_item_id
          JOIN community ON community.id = bill.community_id AND community.is_active
         WHERE bill.due_date = :due_date AND {REMINDED}
           AND NOT EXISTS (SELECT FROM bill_reminder told
                            WHERE told.house_id = bill.house_id AND told.due_date = bill.due_date
                              AND told.days_after = :days_after)
         GROUP BY bill.community_id, bill.house_id, bill.due_date
         ORDER BY bill.house_id
         LIMIT :at_once),
    taken AS (
        INSERT INTO bill_reminder (house_id, due_date, days_after, told_at)
        SELECT house_id, due_date, :days_after, :now FROM due
        ON CONFLICT DO NOTHING
        RETURNING house_id)
    SELECT due.*, building.name
                  || CASE WHEN house.unit_no = '' THEN '' ELSE house.unit_no || '单元' END
                  || house.room_no AS house
      FROM due JOIN taken USING (house_id)
      JOIN house ON house.id = due.house_id
      JOIN building ON building.id = house.building_id
    """  # noqa: S608 - made of constants
)


@dataclass(frozen=True)
class BillReminders:
    """One reminder for each house, due date and step, whatever the number of its bills."""

    unit_of_work: UnitOfWork

    def remind_due(self, *, actor: Actor) -> int:
        """Tell the people of houses whose bills are due soon, today, or are overdue.

        Each house is told once a step; how much is owed is read again when the message goes out,
        and whoever has paid by then is not told. Nothing is called overdue before its due date is
        over in Beijing. Returns how many houses were taken up.

        Source: domain.md D12.
        """
        actor.must(Permission.RUN_PLATFORM_WORK)
        return sum(self._remind(days_after) for days_after in REMINDER_DAYS)

    def _remind(self, days_after: int) -> int:
        reminded = 0
        while True:
            count = self.unit_of_work.run(lambda tx: _tell_some(tx, days_after))
            reminded += count
            if count < _AT_ONCE:
                return reminded


def _tell_some(tx: Transaction, days_after: int) -> int:
    today = local_date(tx.now)
    rows = tx.session.execute(
        _TAKE,
        {
            "today": today,
            "due_date": today - timedelta(days=days_after),
            "days_after": days_after,
            "at_once": _AT_ONCE,
            "now": tx.now,
        },
    ).all()
    for row in rows:
        _tell(tx, row, days_after)
    return len(rows)


def _tell(tx: Transaction, row: Row[tuple[object, ...]], days_after: int) -> None:
    due_date: date = row.due_date
    tell_house(
        tx,
        kind=MessageKind.BILL_OVERDUE if days_after > 0 else MessageKind.BILL_DUE_SOON,
        house_id=row.house_id,
        payload={
            "house": row.house,
            "items": row.items,
            "amount": format_yuan(row.owed_fen),
            "due_on": f"{due_date.year}年{due_date.month}月{due_date.day}日 23:59",
            "due_date": due_date.isoformat(),
        },
        event_key=f"bill_reminder:{row.house_id}:{due_date}:{days_after}",
        community_id=row.community_id,
    )
