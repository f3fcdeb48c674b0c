"""Reminding people of maintenance: some days before, on the day, and managers once it is late."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy import ColumnElement, Row, func, select
from sqlalchemy.orm import Session

from domain.actors import Actor, Permission
from domain.maintenance_states import UNDONE, TaskAct, TaskState
from domain.messages import MessageKind
from domain.periods import local_date
from domain.permissions import Role
from models import Building, Community, Equipment, MaintenanceTask
from services.equipment.rows import place_words
from services.maintenance.task_rows import overdue_on
from services.maintenance_moves import move
from services.messages.telling import tell_staff
from services.place_staff import ids_of_those_who_serve
from services.unit_of_work import Transaction, UnitOfWork

_BATCH = 200
"""Tasks that one transaction reminds of."""


@dataclass(frozen=True)
class MaintenanceReminders:
    """Tells those who do a task, and once it is overdue those who approve."""

    unit_of_work: UnitOfWork

    def remind_due(self, *, actor: Actor) -> int:
        """Tell each what they must know today, once however often this runs; return how many rows.

        Those who do a task are told when its lead begins and on the day it is due; the managers of
        a community each day while something is overdue, in one message for all of it.
        """
        actor.must(Permission.RUN_PLATFORM_WORK)
        today = local_date(self.unit_of_work.clock.now())
        is_soon = MaintenanceTask.due_on - MaintenanceTask.lead_days <= today
        with self.unit_of_work.reading() as session:
            soon = _ids(session, MaintenanceTask.state == TaskState.SCHEDULED, is_soon)
            due = _ids(
                session,
                MaintenanceTask.state.in_(sorted(UNDONE)),
                MaintenanceTask.due_on == today,
            )
            late = session.scalars(
                select(MaintenanceTask.community_id).where(overdue_on(today)).distinct()
            ).all()
        told = sum(self.unit_of_work.run(partial(_remind, ids)) for ids in _batches(soon))
        told += sum(self.unit_of_work.run(partial(_tell_due, ids)) for ids in _batches(due))
        return told + sum(self.unit_of_work.run(partial(_tell_overdue, id_)) for id_ in late)


def _ids(session: Session, *where: ColumnElement[bool]) -> Sequence[int]:
    return session.scalars(
        select(MaintenanceTask.id).where(*where).order_by(MaintenanceTask.id)
    ).all()


def _batches(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), _BATCH):
        yield ids[start : start + _BATCH]


def _remind(ids: Sequence[int], tx: Transaction) -> int:
    """Move tasks on and tell those who do them; on the day itself that is told by `_tell_due`."""
    moved = move(tx, task_ids=ids, was=TaskState.SCHEDULED, act=TaskAct.REMIND, staff_id=None)
    today = local_date(tx.now)
    return sum(
        _tell_doers(tx, row, "lead") for row in _rows(tx.session, moved) if row[0].due_on != today
    )


def _tell_due(ids: Sequence[int], tx: Transaction) -> int:
    return sum(_tell_doers(tx, row, "due") for row in _rows(tx.session, ids))


def _rows(session: Session, ids: Sequence[int]) -> Sequence[Row[MaintenanceTask, Equipment, str]]:
    return session.execute(
        select(MaintenanceTask, Equipment, func.coalesce(Building.name, ""))
        .join(Equipment, Equipment.id == MaintenanceTask.equipment_id)
        .outerjoin(Building, Building.id == Equipment.building_id)
        .where(MaintenanceTask.id.in_(ids))
        .order_by(MaintenanceTask.id)
    ).all()


def _tell_doers(tx: Transaction, row: Row[MaintenanceTask, Equipment, str], moment: str) -> int:
    task, equipment, building = row
    return tell_staff(
        tx,
        kind=MessageKind.MAINTENANCE_DUE,
        staff_ids=_doers(tx.session, task, equipment),
        payload={
            "title": f"{equipment.name} {task.name}",
            "place": place_words(building, equipment.floor, equipment.place),
            "at": task.due_on.isoformat(),
        },
        event_key=f"maintenance:{task.id}:{moment}",
        community_id=task.community_id,
    )


def _doers(session: Session, task: MaintenanceTask, equipment: Equipment) -> Sequence[int]:
    if task.assignee_id is not None:
        return [task.assignee_id]
    role = Role(task.assignee_role)
    return ids_of_those_who_serve(session, role, task.community_id, equipment.building_id)


def _tell_overdue(community_id: int, tx: Transaction) -> int:
    today = local_date(tx.now)
    count, oldest = tx.session.execute(
        select(func.count(), func.min(MaintenanceTask.due_on)).where(
            MaintenanceTask.community_id == community_id, overdue_on(today)
        )
    ).one()
    if not count:
        return 0
    return tell_staff(
        tx,
        kind=MessageKind.MAINTENANCE_DUE,
        staff_ids=ids_of_those_who_serve(tx.session, Role.MANAGER, community_id),
        payload={
            "title": f"{count} 项设备维保逾期",
            "place": tx.session.get_one(Community, community_id).name,
            "at": oldest.isoformat(),
        },
        event_key=f"maintenance:overdue:{community_id}:{today}",
        community_id=community_id,
    )
