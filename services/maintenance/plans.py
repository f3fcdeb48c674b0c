"""Maintenance plans: made, changed, paused, resumed and ended by those who plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from domain.actors import Actor, Permission, staff_id_of
from domain.errors import Conflict, InvalidInput, NotFound
from domain.estate_fields import as_json
from domain.maintenance_states import PLAN_MOVES, UNSTARTED, PlanState
from domain.periods import local_date
from models import Equipment, MaintenancePlan, MaintenanceTask, PlanEquipment
from services.audit import record
from services.base_data.changes import hold_community
from services.maintenance.generation import lock_plan, make_tasks, words_for_tasks
from services.maintenance.plan_rows import (
    PlanView,
    PlanWords,
    check_assignee,
    check_category,
    check_plan,
    check_template,
    find_set,
    show_plan,
)
from services.maintenance_moves import withdraw_for_plan
from services.reasons import check_reason
from services.scopes import in_scope
from services.unit_of_work import Transaction, UnitOfWork

PAGE_LIMIT = 201
_RULE = frozenset({"basis", "every", "unit", "fixed_days", "starts_on", "ends_on"})
"""Columns that decide which days are due."""
_UNTOLD = frozenset({"checklist", "fixed_days"})


class MaintenancePlanStateRefused(Conflict):
    """The plan is in a state in which this cannot be done."""

    code = "maintenance_plan_state_refused"
    message = "计划当前状态不能这样操作，请刷新后再试"


@dataclass(frozen=True)
class MaintenancePlans:
    """Keeps plans; what they ask for is made at once, and then by the clock."""

    unit_of_work: UnitOfWork

    def add(
        self, *, actor: Actor, community_id: int, words: PlanWords, equipment_ids: Sequence[int]
    ) -> int:
        """Make a plan for some equipment and return its id; nothing is asked for before today.

        Raises:
            InvalidInput: a field cannot be used, or it is looser than its template with no reason.
            NotFound: no such community, equipment, template or assignee. IsRetired: retired.
        """
        actor.must(Permission.PLAN_MAINTENANCE)
        actor.must_cover(community_id)
        staff_id = staff_id_of(actor)
        today = local_date(self.unit_of_work.clock.now())
        values = check_plan(words, today=today)

        def work(tx: Transaction) -> int:
            hold_community(tx, community_id)
            equipment = find_set(tx, community_id, equipment_ids)
            check_template(tx, community_id, words, equipment)
            check_assignee(tx, community_id, words.assignee_id)
            plan = MaintenancePlan(
                community_id=community_id,
                counts_from=today,
                state=PlanState.ACTIVE,
                created_by=staff_id,
                created_at=tx.now,
                **values,
            )
            tx.session.add(plan)
            tx.session.flush()
            _link(tx, plan.id, [one.id for one in equipment], today)
            make_tasks(tx, plan)
            _note(tx, actor, "maintenance_plan_added", plan, rule=str(words.rule))
            return plan.id

        return self.unit_of_work.run(work)

    def change(self, *, actor: Actor, plan_id: int, words: PlanWords, reason: str) -> None:
        """Write a plan anew. Tasks that nobody began follow it; those begun stay as they were.

        Raises:
            InvalidInput: a field cannot be used, it is looser than its template with no reason, or
                there is no reason for the change.
            NotFound: no such plan, template or assignee. MaintenancePlanStateRefused: it has ended.
        """
        actor.must(Permission.PLAN_MAINTENANCE)
        check_reason(reason)
        today = local_date(self.unit_of_work.clock.now())
        values = check_plan(words, today=today)

        def work(tx: Transaction) -> None:
            plan = _lock(tx, actor, plan_id)
            if plan.state == PlanState.ENDED:
                raise MaintenancePlanStateRefused
            check_template(tx, plan.community_id, words, _set_of(tx, plan.id))
            check_assignee(tx, plan.community_id, words.assignee_id)
            changed = {
                name: (getattr(plan, name), value)
                for name, value in values.items()
                if getattr(plan, name) != value
            }
            for name, (_, value) in changed.items():
                setattr(plan, name, value)
            tx.session.flush()
            _let_tasks_follow(tx, plan)
            if _RULE & changed.keys():
                _ask_anew(tx, plan, today, why="计划已调整")
            _note(tx, actor, "maintenance_plan_changed", plan, changed=changed, reason=reason)

        self.unit_of_work.run(work)

    def put_equipment(
        self, *, actor: Actor, plan_id: int, equipment_ids: Sequence[int], reason: str
    ) -> None:
        """Let a plan be for exactly this equipment; what is left out is asked for no more.

        Raises:
            InvalidInput: none or more than 500, another kind than the template's, or no reason.
            NotFound: no such plan or equipment. MaintenancePlanStateRefused: it has ended.
        """
        actor.must(Permission.PLAN_MAINTENANCE)
        check_reason(reason)
        today = local_date(self.unit_of_work.clock.now())

        def work(tx: Transaction) -> None:
            plan = _lock(tx, actor, plan_id)
            if plan.state == PlanState.ENDED:
                raise MaintenancePlanStateRefused
            equipment = find_set(tx, plan.community_id, equipment_ids)
            check_category(tx, plan, equipment)
            wanted = {one.id for one in equipment}
            had = set(_equipment_of(tx.session, plan.id))
            if gone := tuple(sorted(had - wanted)):
                withdraw_for_plan(tx, plan.id, reason="设备已移出计划", equipment_ids=gone)
                tx.session.execute(
                    delete(PlanEquipment).where(
                        PlanEquipment.plan_id == plan.id, PlanEquipment.equipment_id.in_(gone)
                    )
                )
            _link(tx, plan.id, sorted(wanted - had), today)
            make_tasks(tx, plan)
            _note(tx, actor, "maintenance_plan_equipment_changed", plan, reason=reason)

        self.unit_of_work.run(work)

    def pause(self, *, actor: Actor, plan_id: int, reason: str) -> None:
        """Stop asking; what nobody began and is due from today on is withdrawn.

        Raises:
            InvalidInput: no reason. NotFound: no such plan.
            MaintenancePlanStateRefused: it is not active.
        """

        def stop(tx: Transaction, plan: MaintenancePlan, today: date) -> None:
            withdraw_for_plan(tx, plan.id, due_from=today, reason="计划已暂停")
            _note(tx, actor, "maintenance_plan_paused", plan, reason=reason)

        self._move(actor, plan_id, PlanState.PAUSED, reason, stop)

    def resume(self, *, actor: Actor, plan_id: int, reason: str) -> None:
        """Ask again from today on; what fell due while the plan was paused is not made up for.

        Raises:
            InvalidInput: no reason. NotFound: no such plan.
            MaintenancePlanStateRefused: it is not paused.
        """

        def go_on(tx: Transaction, plan: MaintenancePlan, today: date) -> None:
            _ask_anew(tx, plan, today, why="")
            _note(tx, actor, "maintenance_plan_resumed", plan, reason=reason)

        self._move(actor, plan_id, PlanState.ACTIVE, reason, go_on)

    def end(self, *, actor: Actor, plan_id: int, reason: str) -> None:
        """End a plan for good; all that nobody began is withdrawn.

        Raises:
            InvalidInput: no reason. NotFound: no such plan.
            MaintenancePlanStateRefused: it has ended.
        """

        def finish(tx: Transaction, plan: MaintenancePlan, _today: date) -> None:
            withdraw_for_plan(tx, plan.id, reason="计划已结束")
            _note(tx, actor, "maintenance_plan_ended", plan, reason=reason)

        self._move(actor, plan_id, PlanState.ENDED, reason, finish)

    def _move(
        self,
        actor: Actor,
        plan_id: int,
        becomes: PlanState,
        reason: str,
        then: Callable[[Transaction, MaintenancePlan, date], None],
    ) -> None:
        actor.must(Permission.PLAN_MAINTENANCE)
        check_reason(reason)

        def work(tx: Transaction) -> None:
            plan = _lock(tx, actor, plan_id)
            if becomes not in PLAN_MOVES[PlanState(plan.state)]:
                raise MaintenancePlanStateRefused
            plan.state = becomes
            tx.session.flush()
            then(tx, plan, local_date(tx.now))

        self.unit_of_work.run(work)

    def list_plans(
        self,
        *,
        actor: Actor,
        community_id: int | None = None,
        state: PlanState | None = None,
        equipment_id: int | None = None,
        before_id: int | None = None,
        limit: int = 50,
    ) -> Sequence[PlanView]:
        """List plans of communities that are in scope as a whole, newest first.

        Raises:
            InvalidInput: the limit is out of range.
        """
        actor.must(Permission.VIEW_EQUIPMENT)
        if not 1 <= limit <= PAGE_LIMIT:
            raise InvalidInput(fields={"limit": [f"应为 1 至 {PAGE_LIMIT - 1}"]})
        query = select(MaintenancePlan).where(in_scope(MaintenancePlan.community_id, actor))
        if community_id is not None:
            query = query.where(MaintenancePlan.community_id == community_id)
        if state is not None:
            query = query.where(MaintenancePlan.state == state)
        if equipment_id is not None:
            query = query.where(
                MaintenancePlan.id.in_(
                    select(PlanEquipment.plan_id).where(PlanEquipment.equipment_id == equipment_id)
                )
            )
        if before_id is not None:
            query = query.where(MaintenancePlan.id < before_id)
        with self.unit_of_work.reading() as session:
            plans = session.scalars(query.order_by(MaintenancePlan.id.desc()).limit(limit)).all()
            sets: dict[int, list[int]] = {}
            for link in session.scalars(
                select(PlanEquipment)
                .where(PlanEquipment.plan_id.in_([plan.id for plan in plans]))
                .order_by(PlanEquipment.equipment_id)
            ):
                sets.setdefault(link.plan_id, []).append(link.equipment_id)
        return [show_plan(plan, sets.get(plan.id, ())) for plan in plans]

    def show(self, *, actor: Actor, plan_id: int) -> PlanView:
        """Show a plan.

        Raises:
            NotFound: no such plan in scope.
        """
        actor.must(Permission.VIEW_EQUIPMENT)
        with self.unit_of_work.reading() as session:
            plan = session.execute(
                select(MaintenancePlan).where(
                    MaintenancePlan.id == plan_id, in_scope(MaintenancePlan.community_id, actor)
                )
            ).scalar_one_or_none()
            if plan is None:
                raise NotFound
            return show_plan(plan, _equipment_of(session, plan.id))


def _lock(tx: Transaction, actor: Actor, plan_id: int) -> MaintenancePlan:
    known = tx.session.scalars(
        select(MaintenancePlan.id).where(
            MaintenancePlan.id == plan_id, in_scope(MaintenancePlan.community_id, actor)
        )
    ).one_or_none()
    if known is None:
        raise NotFound
    return lock_plan(tx, plan_id)


def _equipment_of(session: Session, plan_id: int) -> Sequence[int]:
    return session.scalars(
        select(PlanEquipment.equipment_id)
        .where(PlanEquipment.plan_id == plan_id)
        .order_by(PlanEquipment.equipment_id)
    ).all()


def _set_of(tx: Transaction, plan_id: int) -> Sequence[Equipment]:
    return tx.session.scalars(
        select(Equipment)
        .join(PlanEquipment, PlanEquipment.equipment_id == Equipment.id)
        .where(PlanEquipment.plan_id == plan_id)
        .order_by(Equipment.id)
    ).all()


def _link(tx: Transaction, plan_id: int, equipment_ids: Sequence[int], today: date) -> None:
    if equipment_ids:
        tx.session.execute(
            insert(PlanEquipment),
            [
                {"plan_id": plan_id, "equipment_id": id_, "counts_from": today}
                for id_ in equipment_ids
            ],
        )


def _ask_anew(tx: Transaction, plan: MaintenancePlan, day: date, *, why: str) -> None:
    """Let a plan ask from a day on by its rule as it is now; what it asked before is withdrawn.

    What it asks for again lives on: it is revived, not made a second time.
    """
    withdraw_for_plan(tx, plan.id, due_from=day, reason=why)
    plan.counts_from = day
    tx.session.flush()
    tx.session.execute(
        update(PlanEquipment)
        .where(PlanEquipment.plan_id == plan.id)
        .values(generated_until=None)
        .execution_options(synchronize_session="fetch")
    )
    make_tasks(tx, plan)


def _let_tasks_follow(tx: Transaction, plan: MaintenancePlan) -> None:
    tx.session.execute(
        update(MaintenanceTask)
        .where(MaintenanceTask.plan_id == plan.id, MaintenanceTask.state.in_(sorted(UNSTARTED)))
        .values(**words_for_tasks(plan))
    )


def _note(
    tx: Transaction,
    actor: Actor,
    action: str,
    plan: MaintenancePlan,
    *,
    changed: Mapping[str, tuple[Any, Any]] | None = None,
    reason: str = "",
    **more: str,
) -> None:
    sides = {name: pair for name, pair in (changed or {}).items() if name not in _UNTOLD}
    record(
        tx,
        actor,
        action,
        subject_type="maintenance_plan",
        subject_id=plan.id,
        community_id=plan.community_id,
        facts={
            "before": {name: as_json(before) for name, (before, _) in sides.items()},
            "after": {name: as_json(after) for name, (_, after) in sides.items()},
            "reason": reason.strip(),
            **more,
        },
    )
