"""Moving maintenance tasks by the table of their states: one conditional update, one event each.

It also takes back what nobody began, when a plan or equipment stops asking for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, insert, select, update

from domain.errors import Conflict
from domain.maintenance_states import TASK_MOVES, TaskAct, TaskState
from models import MaintenanceTask, MaintenanceTaskEvent, PlanEquipment
from services.unit_of_work import Transaction


class MaintenanceTaskMoved(Conflict):
    """The task is in a state in which this cannot be done: somebody else was quicker."""

    code = "maintenance_task_moved"
    message = "任务状态已变化，不能这样操作，请刷新后再试"


def move(
    tx: Transaction,
    *,
    task_ids: Iterable[int],
    was: TaskState,
    act: TaskAct,
    staff_id: int | None,
    reason: str = "",
    values: Mapping[str, Any] | None = None,
) -> list[int]:
    """Move those of the tasks that still are in a state by an act; tell which did, in order.

    Raises:
        MaintenanceTaskMoved: nobody may do this in that state.
    """
    if (was, act) not in TASK_MOVES:
        raise MaintenanceTaskMoved
    becomes, _ = TASK_MOVES[was, act]
    moved = sorted(
        tx.session.scalars(
            update(MaintenanceTask)
            .where(MaintenanceTask.id.in_(list(task_ids)), MaintenanceTask.state == was)
            .values(state=becomes, **(values or {}))
            .returning(MaintenanceTask.id)
        )
    )
    if moved:
        tx.session.execute(
            insert(MaintenanceTaskEvent),
            [
                {
                    "task_id": task_id,
                    "act": act,
                    "from_state": was,
                    "to_state": becomes,
                    "staff_id": staff_id,
                    "reason": reason.strip(),
                    "at": tx.now,
                }
                for task_id in moved
            ],
        )
    return moved


def withdraw_for_equipment(tx: Transaction, equipment_id: int, *, reason: str) -> int:
    """Withdraw what nobody began for equipment that is out of use; return how many tasks."""
    return _withdraw(tx, MaintenanceTask.equipment_id == equipment_id, reason=reason)


def count_anew(tx: Transaction, equipment_id: int, day: date) -> None:
    """Let the plans of equipment that is back in use ask for nothing before a day."""
    tx.session.execute(
        update(PlanEquipment)
        .where(PlanEquipment.equipment_id == equipment_id)
        .values(counts_from=day, generated_until=None)
    )


def withdraw_for_plan(
    tx: Transaction,
    plan_id: int,
    *,
    reason: str,
    due_from: date | None = None,
    equipment_ids: tuple[int, ...] = (),
) -> int:
    """Withdraw what nobody began of a plan, from a day on or all, and return how many tasks.

    With equipment it is that of the plan only which is named.
    """
    which = [MaintenanceTask.plan_id == plan_id]
    if due_from is not None:
        which.append(MaintenanceTask.due_on >= due_from)
    if equipment_ids:
        which.append(MaintenanceTask.equipment_id.in_(equipment_ids))
    return _withdraw(tx, *which, reason=reason)


def _withdraw(tx: Transaction, *which: ColumnElement[bool], reason: str) -> int:
    count = 0
    for was in (TaskState.SCHEDULED, TaskState.REMINDED):
        ids = tx.session.scalars(
            select(MaintenanceTask.id)
            .where(*which, MaintenanceTask.state == was)
            .order_by(MaintenanceTask.id)
            .with_for_update()
        ).all()
        count += len(
            move(
                tx,
                task_ids=ids,
                was=was,
                act=TaskAct.WITHDRAW,
                staff_id=None,
                reason=reason,
                values={"is_withdrawn": True},
            )
        )
    return count
