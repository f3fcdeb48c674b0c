"""Things a person must look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert

from domain.actors import Actor, Permission
from domain.errors import NotFound
from models import StaffTask
from services.audit import record
from services.scopes import in_scope
from services.unit_of_work import Transaction, UnitOfWork

_SHOWN = 200


def open_task(
    tx: Transaction, *, kind: str, subject: str, title: str, community_id: int | None = None
) -> None:
    """Open a task for staff unless one for the same kind and subject is open already."""
    tx.session.execute(
        insert(StaffTask)
        .values(
            community_id=community_id,
            kind=kind,
            subject=subject,
            title=title,
            created_at=tx.now,
        )
        .on_conflict_do_nothing(
            index_elements=["kind", "subject"], index_where=text("done_at IS NULL")
        )
    )


def open_task_once(
    tx: Transaction, *, kind: str, subject: str, title: str, community_id: int | None = None
) -> bool:
    """Open a task unless there ever was one for the same kind and subject; tell whether it is new.

    What was looked at once does not come back by itself.
    """
    known = tx.session.execute(
        select(StaffTask.id).where(StaffTask.kind == kind, StaffTask.subject == subject).limit(1)
    ).first()
    if known is None:
        open_task(tx, kind=kind, subject=subject, title=title, community_id=community_id)
    return known is None


def close_task(tx: Transaction, *, kind: str, subject: str) -> None:
    """End the open task of a kind and subject, if there is one: what it told of is mended."""
    tx.session.execute(
        update(StaffTask)
        .where(StaffTask.kind == kind, StaffTask.subject == subject, StaffTask.done_at.is_(None))
        .values(done_at=tx.now)
    )


def close_tasks_but(tx: Transaction, *, kind: str, subjects: Sequence[str]) -> int:
    """End the open tasks of a kind about anything but the subjects, and return how many."""
    ended = tx.session.scalars(
        update(StaffTask)
        .where(
            StaffTask.kind == kind,
            StaffTask.subject.not_in(subjects),
            StaffTask.done_at.is_(None),
        )
        .values(done_at=tx.now)
        .returning(StaffTask.id)
    ).all()
    return len(ended)


@dataclass(frozen=True, slots=True)
class TaskView:
    """Something a person must look at."""

    id: int
    kind: str
    subject: str
    title: str
    created_at: datetime


@dataclass(frozen=True)
class StaffTasks:
    """What waits for a person."""

    unit_of_work: UnitOfWork

    def list_open(self, *, actor: Actor) -> Sequence[TaskView]:
        """List the tasks that nobody has done yet, oldest first, at most 200."""
        actor.must(Permission.RECONCILE)
        with self.unit_of_work.reading() as session:
            tasks = session.scalars(
                select(StaffTask)
                .where(StaffTask.done_at.is_(None), in_scope(StaffTask.community_id, actor))
                .order_by(StaffTask.created_at, StaffTask.id)
                .limit(_SHOWN)
            ).all()
        return [
            TaskView(task.id, task.kind, task.subject, task.title, task.created_at)
            for task in tasks
        ]

    def finish(self, *, actor: Actor, task_id: int) -> None:
        """Note that a task was looked at; what goes on being wrong opens another.

        Raises:
            NotFound: there is no such open task.
        """
        actor.must(Permission.RECONCILE)

        def work(tx: Transaction) -> None:
            task = tx.session.execute(
                update(StaffTask)
                .where(
                    StaffTask.id == task_id,
                    StaffTask.done_at.is_(None),
                    in_scope(StaffTask.community_id, actor),
                )
                .values(done_at=tx.now)
                .returning(StaffTask)
            ).scalar_one_or_none()
            if task is None:
                raise NotFound("没有这件待办，或已经办完")
            record(
                tx,
                actor,
                "task_done",
                subject_type="staff_task",
                subject_id=task.id,
                community_id=task.community_id,
                facts={"kind": task.kind, "subject": task.subject},
            )

        self.unit_of_work.run(work)
