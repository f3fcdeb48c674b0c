"""Making the tasks of plans: for sixty days ahead, again and again, with no gap and none twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from domain.actors import Actor, Permission
from domain.equipment import MAINTAINED
from domain.maintenance_rules import HORIZON, Basis, DueRule, PlanUnit
from domain.maintenance_states import OPEN, PlanState, TaskAct, TaskState
from domain.periods import local_date
from models import Equipment, MaintenancePlan, MaintenanceTask, PlanEquipment
from services.maintenance_moves import move
from services.unit_of_work import Transaction, UnitOfWork

_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True)
class MaintenanceGeneration:
    """Makes what falls due; any number of processes may do it at once."""

    unit_of_work: UnitOfWork

    def generate_due(self, *, actor: Actor) -> int:
        """Make the tasks of every active plan up to sixty days ahead; return how many are new.

        Days that were missed while nothing ran are made up for, and stand as overdue.
        """
        actor.must(Permission.RUN_PLATFORM_WORK)
        with self.unit_of_work.reading() as session:
            plan_ids = session.scalars(
                select(MaintenancePlan.id)
                .where(MaintenancePlan.state == PlanState.ACTIVE)
                .order_by(MaintenancePlan.id)
            ).all()
        return sum(self._of_plan(plan_id) for plan_id in plan_ids)

    def _of_plan(self, plan_id: int) -> int:
        return self.unit_of_work.run(lambda tx: make_tasks(tx, lock_plan(tx, plan_id)))


def lock_plan(tx: Transaction, plan_id: int) -> MaintenancePlan:
    """Lock a plan: whoever makes or withdraws its tasks does so one after another."""
    return tx.session.execute(
        select(MaintenancePlan)
        .where(MaintenancePlan.id == plan_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).scalar_one()


def rule_of(plan: MaintenancePlan) -> DueRule:
    """Read the rule of a plan."""
    return DueRule(plan.every, PlanUnit(plan.unit) if plan.unit else None, tuple(plan.fixed_days))


def make_tasks(tx: Transaction, plan: MaintenancePlan) -> int:
    """Make what a locked plan asks for and is not there yet; return how many tasks.

    Nothing is asked for by a plan that is not active, or of equipment that is out of use.
    """
    if plan.state != PlanState.ACTIVE:
        return 0
    last = local_date(tx.now) + HORIZON
    if plan.ends_on is not None:
        last = min(last, plan.ends_on)
    links = tx.session.scalars(
        select(PlanEquipment)
        .join(Equipment, Equipment.id == PlanEquipment.equipment_id)
        .where(PlanEquipment.plan_id == plan.id, Equipment.state.in_(sorted(MAINTAINED)))
        .order_by(PlanEquipment.equipment_id)
        .with_for_update(read=True, of=Equipment)
    ).all()
    made = 0
    for link in links:
        lower = max(plan.counts_from, link.counts_from)
        if plan.basis == Basis.AFTER_COMPLETION:
            days = _next_after_completion(tx, plan, link.equipment_id, lower, last)
        else:
            days = _fixed_days(plan, link, lower, last)
            link.generated_until = last
        made += _put(tx, plan, link.equipment_id, days)
    return made


def _fixed_days(
    plan: MaintenancePlan, link: PlanEquipment, lower: date, last: date
) -> Sequence[date]:
    first = lower
    if link.generated_until is not None:
        first = max(lower, link.generated_until + _ONE_DAY)
    return rule_of(plan).due_days(plan.starts_on, first=first, last=last)


def _next_after_completion(
    tx: Transaction, plan: MaintenancePlan, equipment_id: int, lower: date, last: date
) -> Sequence[date]:
    """Tell the one day that is due next, if it is within sight and nothing is open."""
    tasks = tx.session.execute(
        select(MaintenanceTask.due_on, MaintenanceTask.state, MaintenanceTask.submitted_on).where(
            MaintenanceTask.plan_id == plan.id,
            MaintenanceTask.equipment_id == equipment_id,
            ~MaintenanceTask.is_withdrawn,
        )
    ).all()
    if any(task.state in OPEN for task in tasks):
        return []
    rule = rule_of(plan)
    if tasks:
        day = max(rule.step(task.submitted_on or task.due_on, 1) for task in tasks)
    else:
        ahead = timedelta(days=rule.longest_gap)
        day = rule.due_days(plan.starts_on, first=lower, last=max(lower, plan.starts_on) + ahead)[0]
    day = max(day, lower)
    taken = {task.due_on for task in tasks}
    while day in taken:
        day += _ONE_DAY
    return [day] if day <= last else []


def _put(tx: Transaction, plan: MaintenancePlan, equipment_id: int, days: Sequence[date]) -> int:
    if not days:
        return 0
    known = tx.session.execute(
        select(MaintenanceTask.id, MaintenanceTask.due_on, MaintenanceTask.is_withdrawn).where(
            MaintenanceTask.plan_id == plan.id,
            MaintenanceTask.equipment_id == equipment_id,
            MaintenanceTask.due_on.in_(days),
        )
    ).all()
    revived = move(
        tx,
        task_ids=[task.id for task in known if task.is_withdrawn],
        was=TaskState.CANCELLED,
        act=TaskAct.REVIVE,
        staff_id=None,
        values={"is_withdrawn": False, **words_for_tasks(plan)},
    )
    new = [day for day in days if day not in {task.due_on for task in known}]
    return len(revived) + _insert(tx, plan, equipment_id, new)


def _insert(tx: Transaction, plan: MaintenancePlan, equipment_id: int, days: Sequence[date]) -> int:
    if not days:
        return 0
    made = tx.session.scalars(
        insert(MaintenanceTask)
        .values(
            [
                {
                    "plan_id": plan.id,
                    "equipment_id": equipment_id,
                    "community_id": plan.community_id,
                    "due_on": day,
                    "created_at": tx.now,
                    **words_for_tasks(plan),
                }
                for day in days
            ]
        )
        .on_conflict_do_nothing(index_elements=["plan_id", "equipment_id", "due_on"])
        .returning(MaintenanceTask.id)
    ).all()
    return len(made)


def words_for_tasks(plan: MaintenancePlan) -> dict[str, object]:
    """Tell what a task takes over from its plan, and keeps once somebody began it."""
    return {
        "name": plan.name,
        "kind": plan.kind,
        "checklist": plan.checklist,
        "lead_days": plan.lead_days,
        "window_days": plan.window_days,
        "assignee_id": plan.assignee_id,
        "assignee_role": plan.assignee_role,
    }
