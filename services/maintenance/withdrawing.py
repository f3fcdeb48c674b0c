"""Taking back tasks that nobody began, when their plan or equipment stops asking for them."""

from __future__ import annotations

from datetime import date

from sqlalchemy import ColumnElement, select, update

from domain.maintenance_states import TaskAct, TaskState
from models import MaintenanceTask, PlanEquipment
from services.maintenance.moving import move
from services.unit_of_work import Transaction


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
