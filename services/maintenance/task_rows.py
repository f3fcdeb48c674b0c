"""How maintenance tasks are found, within a data scope, and shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, select
from sqlalchemy.orm import Session

from domain.actors import Actor
from domain.errors import NotFound
from domain.files import FileSubject
from domain.maintenance_states import (
    KIND_SHOWN,
    TASK_SHOWN,
    UNDONE,
    VERDICT_SHOWN,
    MaintenanceKind,
    TaskState,
    Verdict,
)
from domain.periods import local_date
from models import Equipment, MaintenanceResult, MaintenanceTask, MaintenanceTaskEvent, Staff
from services.equipment.lookup import equipment_in_scope
from services.files.attaching import FileView, files_of
from services.unit_of_work import Transaction


@dataclass(frozen=True, slots=True)
class TaskView:
    """A task; ``is_overdue`` while somebody still has to do it and its window is over."""

    id: int
    plan_id: int
    community_id: int
    equipment_id: int
    equipment: str
    place: str
    name: str
    kind: str
    kind_shown: str
    due_on: date
    state: str
    state_shown: str
    is_overdue: bool
    assignee_id: int | None
    assignee_role: str
    submitted_on: date | None
    repair_id: int | None


@dataclass(frozen=True, slots=True)
class ResultView:
    """What was found of an item."""

    key: str
    title: str
    verdict: str
    verdict_shown: str
    value: Decimal | None
    note: str
    photos: Sequence[FileView]


@dataclass(frozen=True, slots=True)
class TaskEventView:
    """A step of a task's life; ``who`` is empty where the plan did it by itself."""

    act: str
    from_state: str
    to_state: str
    state_shown: str
    who: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class TaskDetail:
    """A task with its checklist, what was found in the order of the list, and its life."""

    task: TaskView
    note: str
    checklist: Sequence[Mapping[str, Any]]
    results: Sequence[ResultView]
    events: Sequence[TaskEventView]


def tasks_in_scope(actor: Actor) -> Select[MaintenanceTask, Equipment]:
    """Select tasks with their equipment, of that in scope."""
    return (
        select(MaintenanceTask, Equipment)
        .join(Equipment, Equipment.id == MaintenanceTask.equipment_id)
        .where(equipment_in_scope(actor))
    )


def lock_task(tx: Transaction, actor: Actor, task_id: int) -> MaintenanceTask:
    """Lock a task of equipment in scope.

    Raises:
        NotFound: there is none.
    """
    task = tx.session.execute(
        select(MaintenanceTask)
        .join(Equipment, Equipment.id == MaintenanceTask.equipment_id)
        .where(MaintenanceTask.id == task_id, equipment_in_scope(actor))
        .with_for_update(of=MaintenanceTask)
        .execution_options(populate_existing=True)
    ).scalar_one_or_none()
    if task is None:
        raise NotFound
    return task


def overdue_on(today: date) -> ColumnElement[bool]:
    """Hold tasks to those that are overdue on a day."""
    due_before: ColumnElement[bool] = MaintenanceTask.due_on + MaintenanceTask.window_days < today
    return MaintenanceTask.state.in_(sorted(UNDONE)) & due_before


def show_task(row: Row[MaintenanceTask, Equipment], now: datetime) -> TaskView:
    """Show a task as it stands at an instant."""
    task, equipment = row
    last_day = task.due_on + timedelta(days=task.window_days)
    return TaskView(
        id=task.id,
        plan_id=task.plan_id,
        community_id=task.community_id,
        equipment_id=task.equipment_id,
        equipment=equipment.name,
        place=" ".join(filter(None, (equipment.floor, equipment.place))),
        name=task.name,
        kind=task.kind,
        kind_shown=KIND_SHOWN[MaintenanceKind(task.kind)],
        due_on=task.due_on,
        state=task.state,
        state_shown=TASK_SHOWN[TaskState(task.state)],
        is_overdue=task.state in UNDONE and last_day < local_date(now),
        assignee_id=task.assignee_id,
        assignee_role=task.assignee_role,
        submitted_on=task.submitted_on,
        repair_id=task.repair_id,
    )


def read_detail(
    session: Session, row: Row[MaintenanceTask, Equipment], now: datetime
) -> TaskDetail:
    """Read all of a task."""
    task = row[0]
    order = {item["key"]: place for place, item in enumerate(task.checklist)}
    results = session.scalars(
        select(MaintenanceResult).where(MaintenanceResult.task_id == task.id)
    ).all()
    photos = files_of(
        session,
        subject_type=FileSubject.MAINTENANCE_RESULT,
        subject_ids=[one.id for one in results],
    )
    events = session.execute(
        select(MaintenanceTaskEvent, Staff.name)
        .outerjoin(Staff, Staff.id == MaintenanceTaskEvent.staff_id)
        .where(MaintenanceTaskEvent.task_id == task.id)
        .order_by(MaintenanceTaskEvent.id)
    ).all()
    return TaskDetail(
        task=show_task(row, now),
        note=task.note,
        checklist=tuple(task.checklist),
        results=[
            _result(one, photos.get(one.id, ()))
            for one in sorted(results, key=lambda one: order.get(one.item_key, len(order)))
        ],
        events=[_event(event, who or "") for event, who in events],
    )


def _result(row: MaintenanceResult, photos: Sequence[FileView]) -> ResultView:
    shown = VERDICT_SHOWN[Verdict(row.verdict)]
    return ResultView(row.item_key, row.title, row.verdict, shown, row.value, row.note, photos)


def _event(row: MaintenanceTaskEvent, who: str) -> TaskEventView:
    return TaskEventView(
        act=row.act,
        from_state=row.from_state,
        to_state=row.to_state,
        state_shown=TASK_SHOWN[TaskState(row.to_state)],
        who=who,
        reason=row.reason,
        at=row.at,
    )
