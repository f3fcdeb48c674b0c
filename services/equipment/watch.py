"""Telling people of equipment before something of it runs out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select

from domain.actors import Actor, Permission
from domain.equipment import EXPIRY_SHOWN, EquipmentState, ExpiryKind
from domain.periods import local_date
from models import Equipment
from services.equipment.documents import newest_documents
from services.equipment.lists import EXPIRIES
from services.tasks import open_task_once
from services.unit_of_work import Transaction, UnitOfWork

TOLD_BEFORE = timedelta(days=30)
"""Source: 《特种设备安全法》第四十条: a month before an inspection is due."""
EXPIRY_TASK = "equipment_expiry"


@dataclass(frozen=True)
class EquipmentWatch:
    """Looks at all equipment and opens tasks for staff, each once."""

    unit_of_work: UnitOfWork

    def look(self, *, actor: Actor) -> int:
        """Open a task for each warranty, inspection, contract or document that ends in a month.

        A new day on file is a new task; the same day is told once. Returns how many are new.
        """
        actor.must(Permission.RUN_PLATFORM_WORK)
        return self.unit_of_work.run(_tell_expiries)


def _tell_expiries(tx: Transaction) -> int:
    tx.hold(EXPIRY_TASK)
    last = local_date(tx.now) + TOLD_BEFORE
    made = 0
    for kind, column in EXPIRIES.items():
        rows = tx.session.execute(
            select(Equipment.id, Equipment.community_id, Equipment.name, column)
            .where(Equipment.state != EquipmentState.SCRAPPED, column <= last)
            .order_by(Equipment.id)
        ).all()
        for id_, community_id, name, day in rows:
            made += open_task_once(
                tx,
                kind=EXPIRY_TASK,
                subject=f"{kind}:{id_}:{day}",
                title=f"{name}：{EXPIRY_SHOWN[kind]}于 {day} 到期",
                community_id=community_id,
            )
    for row, title, day in newest_documents(tx.session, Equipment.state != EquipmentState.SCRAPPED):
        if day <= last:
            made += open_task_once(
                tx,
                kind=EXPIRY_TASK,
                subject=f"{ExpiryKind.DOCUMENT}:{row.id}:{title}:{day}",
                title=f"{row.name}：{title}于 {day} 到期",
                community_id=row.community_id,
            )
    return made
