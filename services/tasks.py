"""Things a person must look at."""

from __future__ import annotations

from sqlalchemy import text, update
from sqlalchemy.dialects.postgresql import insert

from models import StaffTask
from services.unit_of_work import Transaction


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


def close_task(tx: Transaction, *, kind: str, subject: str) -> None:
    """End the open task of a kind and subject, if there is one: what it told of is mended."""
    tx.session.execute(
        update(StaffTask)
        .where(StaffTask.kind == kind, StaffTask.subject == subject, StaffTask.done_at.is_(None))
        .values(done_at=tx.now)
    )
