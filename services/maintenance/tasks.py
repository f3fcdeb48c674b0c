"""Doing maintenance: a task is begun, submitted, verified or sent back, skipped or cancelled.

Each act has a client's key, so that a phone that sends it twice has done it once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from domain.actors import Actor, Permission, staff_id_of
from domain.checklists import Finding, check_findings, items_from_json
from domain.errors import Conflict, InvalidInput, NotAllowed, NotFound
from domain.estate_fields import NOTE_LIMIT
from domain.maintenance_rules import Basis
from domain.maintenance_states import UNDONE, TaskAct, TaskState
from domain.periods import local_date
from models import Equipment, MaintenancePlan, MaintenanceTask
from services.audit import record
from services.equipment.lookup import equipment_in_scope
from services.keys import check_key, claim_key, staff_subject
from services.maintenance.generation import lock_plan, make_tasks
from services.maintenance.plan_rows import check_assignee
from services.maintenance.results import keep_results, photographed, repair_abnormal
from services.maintenance.task_rows import lock_task
from services.maintenance_moves import MaintenanceTaskMoved, move
from services.reasons import check_reason
from services.unit_of_work import Transaction, UnitOfWork


class NotYourTask(NotAllowed):
    """The task is somebody else's, or of another role."""

    code = "not_your_task"
    message = "任务已指派给他人"


class OwnWork(Conflict):
    """Nobody verifies what they submitted themselves."""

    code = "own_work"
    message = "不能验收自己提交的任务"


@dataclass(frozen=True)
class MaintenanceTasks:
    """Moves tasks; each move is a conditional update with an event, so that one of two wins."""

    unit_of_work: UnitOfWork

    def start(self, *, actor: Actor, task_id: int, client_key: str) -> None:
        """Begin a task that is one's own or one's role's.

        Raises:
            NotFound: no such task. NotYourTask: it is somebody else's.
            MaintenanceTaskMoved: it cannot be begun any more.
            KeyUsedForOther: the key did something else.
        """
        actor.must(Permission.DO_MAINTENANCE)

        def work(tx: Transaction, task: MaintenanceTask) -> None:
            _must_be_theirs(actor, task)
            _move(tx, actor, task, TaskAct.START)

        self._once(actor, TaskAct.START, task_id, client_key, (), work)

    def submit(
        self,
        *,
        actor: Actor,
        task_id: int,
        findings: Sequence[Finding],
        note: str = "",
        client_key: str,
    ) -> None:
        """Hand in what was found; the work was done today. What is abnormal opens a repair.

        Raises:
            InvalidInput: an item lacks its finding, value or photo, or cannot be as said.
            NotFound: no such task, or photo of one's own. NotYourTask: it is somebody else's.
            MaintenanceTaskMoved: it was not begun, or is handed in.
            KeyUsedForOther: as for `start`.
        """
        actor.must(Permission.DO_MAINTENANCE)
        if len(note) > NOTE_LIMIT or not note.replace("\n", "").isprintable():
            raise InvalidInput(fields={"note": [f"请在 {NOTE_LIMIT} 个字以内"]})

        def work(tx: Transaction, task: MaintenanceTask) -> None:
            _must_be_theirs(actor, task)
            items = items_from_json(task.checklist)
            found = check_findings(items, findings, photographed=photographed(tx, task))
            values = {
                "submitted_by": staff_id_of(actor),
                "submitted_on": local_date(tx.now),
                "note": note.strip(),
            }
            _move(tx, actor, task, TaskAct.SUBMIT, values=values)
            keep_results(tx, actor, task, found)
            repair_abnormal(tx, actor, task, found)

        body = [
            (one.key, str(one.verdict), str(one.value), one.note, tuple(one.photo_ids))
            for one in findings
        ]
        self._once(actor, TaskAct.SUBMIT, task_id, client_key, (body, note), work)

    def verify(self, *, actor: Actor, task_id: int, client_key: str) -> None:
        """Take what somebody else handed in; what is due next by completion is made.

        Raises:
            NotFound: no such task. OwnWork: one's own. MaintenanceTaskMoved: it is not handed in.
            KeyUsedForOther: as for `start`.
        """
        actor.must(Permission.APPROVE_MAINTENANCE)

        def work(tx: Transaction, task: MaintenanceTask) -> None:
            if task.submitted_by == staff_id_of(actor):
                raise OwnWork
            _move(tx, actor, task, TaskAct.VERIFY, values={"verified_by": staff_id_of(actor)})

        self._once(actor, TaskAct.VERIFY, task_id, client_key, (), work)

    def send_back(self, *, actor: Actor, task_id: int, reason: str, client_key: str) -> None:
        """Have a task that was handed in done better.

        Raises:
            InvalidInput: no reason. NotFound: no such task.
            MaintenanceTaskMoved: it is not handed in.
            KeyUsedForOther: as for `start`.
        """
        values = {"submitted_by": None, "submitted_on": None}
        self._decide(actor, TaskAct.RETURN, task_id, reason, client_key, values)

    def skip(self, *, actor: Actor, task_id: int, reason: str, client_key: str) -> None:
        """Approve that a task is left out this time.

        Raises:
            InvalidInput: no reason. NotFound: no such task.
            MaintenanceTaskMoved: somebody began it.
            KeyUsedForOther: as for `start`.
        """
        self._decide(actor, TaskAct.SKIP, task_id, reason, client_key, {})

    def cancel(self, *, actor: Actor, task_id: int, reason: str, client_key: str) -> None:
        """Take a task back for good; its plan does not ask for that day again.

        Raises:
            InvalidInput: no reason. NotFound: no such task.
            MaintenanceTaskMoved: it is handed in or over.
            KeyUsedForOther: as for `start`.
        """
        self._decide(actor, TaskAct.CANCEL, task_id, reason, client_key, {})

    def assign(
        self, *, actor: Actor, task_id: int, assignee_id: int | None, client_key: str
    ) -> None:
        """Give an open task to somebody, or to everybody of its role.

        Raises:
            NotFound: no such task, or nobody who does maintenance there.
            MaintenanceTaskMoved: nothing is left to do. KeyUsedForOther: as for `start`.
        """
        actor.must(Permission.PLAN_MAINTENANCE)

        def work(tx: Transaction, task: MaintenanceTask) -> None:
            if task.state not in UNDONE:
                raise MaintenanceTaskMoved
            check_assignee(tx, task.community_id, assignee_id)
            task.assignee_id = assignee_id
            _note(tx, actor, "maintenance_assign", task, "", assignee_id=assignee_id)

        self._once(actor, None, task_id, client_key, (assignee_id,), work)

    def _decide(
        self,
        actor: Actor,
        act: TaskAct,
        task_id: int,
        reason: str,
        client_key: str,
        values: Mapping[str, Any],
    ) -> None:
        actor.must(Permission.APPROVE_MAINTENANCE)
        check_reason(reason)

        def work(tx: Transaction, task: MaintenanceTask) -> None:
            _move(tx, actor, task, act, reason=reason, values=values)

        self._once(actor, act, task_id, client_key, (reason,), work)

    def _once(
        self,
        actor: Actor,
        act: TaskAct | None,
        task_id: int,
        client_key: str,
        body: object,
        work: Callable[[Transaction, MaintenanceTask], None],
    ) -> None:
        """Lock the plan, then the task, as the generator does; the work of a known key is done."""
        check_key(client_key)

        def run(tx: Transaction) -> None:
            plan = _lock_plan_of(tx, actor, task_id)
            task = lock_task(tx, actor, task_id)
            claim = claim_key(
                tx,
                subject=staff_subject(actor),
                action=f"maintenance_{act or 'assign'}",
                key=client_key,
                body=(task_id, body),
            )
            if claim.is_known:
                return
            work(tx, task)
            if plan.basis == Basis.AFTER_COMPLETION:
                make_tasks(tx, plan)

        self.unit_of_work.run(run)


def _lock_plan_of(tx: Transaction, actor: Actor, task_id: int) -> MaintenancePlan:
    plan_id = tx.session.scalars(
        select(MaintenanceTask.plan_id)
        .join(Equipment, Equipment.id == MaintenanceTask.equipment_id)
        .where(MaintenanceTask.id == task_id, equipment_in_scope(actor))
    ).one_or_none()
    if plan_id is None:
        raise NotFound
    return lock_plan(tx, plan_id)


def _must_be_theirs(actor: Actor, task: MaintenanceTask) -> None:
    if task.assignee_id is None and actor.role == task.assignee_role:
        return
    if task.assignee_id != staff_id_of(actor):
        raise NotYourTask


def _move(
    tx: Transaction,
    actor: Actor,
    task: MaintenanceTask,
    act: TaskAct,
    *,
    reason: str = "",
    values: Mapping[str, Any] | None = None,
) -> None:
    moved = move(
        tx,
        task_ids=[task.id],
        was=TaskState(task.state),
        act=act,
        staff_id=staff_id_of(actor),
        reason=reason,
        values=values,
    )
    if not moved:
        raise MaintenanceTaskMoved
    _note(tx, actor, f"maintenance_{act}", task, reason)


def _note(
    tx: Transaction, actor: Actor, action: str, task: MaintenanceTask, reason: str, **more: Any
) -> None:
    record(
        tx,
        actor,
        action,
        subject_type="maintenance_task",
        subject_id=task.id,
        community_id=task.community_id,
        facts={"reason": reason.strip(), "due_on": task.due_on.isoformat(), **more},
    )
