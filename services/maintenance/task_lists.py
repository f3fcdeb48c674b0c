"""Looking at maintenance tasks: one's own, what is due, what is overdue, and all of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from sqlalchemy import ColumnElement, or_, tuple_

from domain.actors import Actor, Permission
from domain.errors import InvalidInput, NotFound
from domain.maintenance_states import OPEN, UNDONE, TaskState
from domain.periods import local_date
from models import MaintenanceTask
from services.maintenance.task_rows import (
    TaskDetail,
    TaskView,
    overdue_on,
    read_detail,
    show_task,
    tasks_in_scope,
)
from services.unit_of_work import UnitOfWork

PAGE_LIMIT = 201
_SOON = timedelta(days=7)


class TaskList(StrEnum):
    """Which tasks are asked for."""

    MINE = "mine"
    """To be done, and given to oneself or to one's role."""
    DUE = "due"
    """To be done within seven days, or overdue."""
    OVERDUE = "overdue"
    SUBMITTED = "submitted"
    """Waiting to be verified."""
    OPEN = "open"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class TaskFilter:
    """Which tasks; ``after`` is the day and id of the last one of the page before."""

    which: TaskList = TaskList.OPEN
    community_id: int | None = None
    equipment_id: int | None = None
    plan_id: int | None = None
    after: tuple[date, int] | None = None
    limit: int = 50


@dataclass(frozen=True)
class MaintenanceTaskLists:
    """What there is to see of tasks."""

    unit_of_work: UnitOfWork

    def find(self, *, actor: Actor, which: TaskFilter) -> Sequence[TaskView]:
        """List tasks by the day they are due, the oldest first.

        Raises:
            InvalidInput: the limit is out of range.
        """
        actor.must(Permission.VIEW_EQUIPMENT)
        if not 1 <= which.limit <= PAGE_LIMIT:
            raise InvalidInput(fields={"limit": [f"应为 1 至 {PAGE_LIMIT - 1}"]})
        now = self.unit_of_work.clock.now()
        query = tasks_in_scope(actor).where(*_of_list(which.which, actor, local_date(now)))
        for column, value in (
            (MaintenanceTask.community_id, which.community_id),
            (MaintenanceTask.equipment_id, which.equipment_id),
            (MaintenanceTask.plan_id, which.plan_id),
        ):
            if value is not None:
                query = query.where(column == value)
        if which.after is not None:
            query = query.where(
                tuple_(MaintenanceTask.due_on, MaintenanceTask.id) > tuple_(*which.after)
            )
        with self.unit_of_work.reading() as session:
            rows = session.execute(
                query.order_by(MaintenanceTask.due_on, MaintenanceTask.id).limit(which.limit)
            ).all()
        return [show_task(row, now) for row in rows]

    def show(self, *, actor: Actor, task_id: int) -> TaskDetail:
        """Show all of a task.

        Raises:
            NotFound: no such task in scope.
        """
        actor.must(Permission.VIEW_EQUIPMENT)
        with self.unit_of_work.reading() as session:
            row = session.execute(
                tasks_in_scope(actor).where(MaintenanceTask.id == task_id)
            ).one_or_none()
            if row is None:
                raise NotFound
            return read_detail(session, row, self.unit_of_work.clock.now())


def _of_list(which: TaskList, actor: Actor, today: date) -> Sequence[ColumnElement[bool]]:
    state = MaintenanceTask.state
    if which is TaskList.MINE:
        own = MaintenanceTask.assignee_id == actor.id
        role = MaintenanceTask.assignee_id.is_(None) & (
            MaintenanceTask.assignee_role == (actor.role or "")
        )
        return [state.in_(sorted(UNDONE)), or_(own, role)]
    if which is TaskList.DUE:
        return [state.in_(sorted(UNDONE)), MaintenanceTask.due_on <= today + _SOON]
    if which is TaskList.OVERDUE:
        return [overdue_on(today)]
    if which is TaskList.SUBMITTED:
        return [state == TaskState.SUBMITTED]
    return [state.in_(sorted(OPEN))] if which is TaskList.OPEN else []
