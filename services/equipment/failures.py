"""Equipment that fails often: three repairs within ninety days propose another plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from domain.actors import Actor, Permission
from domain.equipment import FAILURE_WINDOW, FAILURES_TO_PROPOSE, EquipmentState
from domain.maintenance_states import PlanState
from domain.periods import local_date
from domain.repair_states import RepairState
from models import Equipment, MaintenancePlan, PlanEquipment, RepairOrder
from services.equipment.lookup import equipment_in_scope
from services.equipment.rows import FailingView
from services.tasks import open_task_once
from services.unit_of_work import Transaction, UnitOfWork

FAILING_TASK = "equipment_failing"


@dataclass(frozen=True)
class EquipmentFailures:
    """Tells which equipment fails often."""

    unit_of_work: UnitOfWork

    def list_failing(
        self, *, actor: Actor, community_id: int | None = None
    ) -> Sequence[FailingView]:
        """List equipment with three repairs or more within ninety days, the worst first.

        Repairs that were cancelled do not count.
        """
        actor.must(Permission.VIEW_EQUIPMENT)
        where = [equipment_in_scope(actor)]
        if community_id is not None:
            where.append(Equipment.community_id == community_id)
        with self.unit_of_work.reading() as session:
            return _failing(session, self.unit_of_work.clock.now(), *where)

    def propose_changes(self, *, actor: Actor) -> int:
        """Open a task for each of these, once in a month; return how many are new."""
        actor.must(Permission.RUN_PLATFORM_WORK)
        return self.unit_of_work.run(_propose)


def _propose(tx: Transaction) -> int:
    tx.hold(FAILING_TASK)
    month = f"{local_date(tx.now):%Y-%m}"
    return sum(
        open_task_once(
            tx,
            kind=FAILING_TASK,
            subject=f"{one.equipment_id}:{month}",
            title=f"{one.equipment}：90 天内报修 {one.failures} 次，建议调整维保计划",
            community_id=one.community_id,
        )
        for one in _failing(tx.session, tx.now)
    )


def _failing(session: Session, now: datetime, *where: ColumnElement[bool]) -> Sequence[FailingView]:
    count = func.count(RepairOrder.id)
    rows = session.execute(
        select(Equipment.id, Equipment.community_id, Equipment.name, count)
        .join(RepairOrder, RepairOrder.equipment_id == Equipment.id)
        .where(
            Equipment.state != EquipmentState.SCRAPPED,
            RepairOrder.opened_at > now - FAILURE_WINDOW,
            RepairOrder.state != RepairState.CANCELLED,
            *where,
        )
        .group_by(Equipment.id)
        .having(count >= FAILURES_TO_PROPOSE)
        .order_by(count.desc(), Equipment.id)
    ).all()
    plans: dict[int, list[int]] = {}
    for equipment_id, plan_id in session.execute(
        select(PlanEquipment.equipment_id, PlanEquipment.plan_id)
        .join(MaintenancePlan, MaintenancePlan.id == PlanEquipment.plan_id)
        .where(
            PlanEquipment.equipment_id.in_([row[0] for row in rows]),
            MaintenancePlan.state == PlanState.ACTIVE,
        )
        .order_by(PlanEquipment.plan_id)
    ):
        plans.setdefault(equipment_id, []).append(plan_id)
    return [
        FailingView(id_, community_id, name, failures, tuple(plans.get(id_, ())))
        for id_, community_id, name, failures in rows
    ]
