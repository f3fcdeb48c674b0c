"""Moving maintenance tasks by the table of their states: one conditional update, one event each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import insert, update

from domain.errors import Conflict
from domain.maintenance_states import TASK_MOVES, TaskAct, TaskState
from models import MaintenanceTask, MaintenanceTaskEvent
from services.unit_of_work import Transaction


class TaskMoved(Conflict):
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
        TaskMoved: nobody may do this in that state.
    """
    if (was, act) not in TASK_MOVES:
        raise TaskMoved
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
