"""Taking an import back: what it made goes, what it changed is as it was, or nothing happens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Select,
    Table,
    and_,
    cast,
    column,
    exists,
    func,
    select,
    table,
    text,
    update,
)
from sqlalchemy import delete as delete_from
from sqlalchemy.orm import Session

from domain.bill_states import BillState
from domain.errors import Conflict
from models import Bill, ImportBatch, ImportStep, Meter, MeterReading, Owner, OwnerPhone
from services.dependents import Dependent, find_referring, tell
from services.meters.timelines import load_meters, since_for
from services.unit_of_work import Transaction

_MADE = (
    "car",
    "parking_space",
    "meter_reading",
    "meter",
    "house_person",
    "occupancy",
    "owner",
    "house",
    "building",
)
"""What imports make, in the order in which it can go."""
_FILL = text(
    """
    CREATE TEMPORARY TABLE import_made ON COMMIT DROP AS
    SELECT DISTINCT made.key AS kind, CAST(id.value AS bigint) AS id
      FROM import_step, jsonb_each(made) AS made, jsonb_array_elements_text(made.value) AS id
     WHERE batch_id = :batch_id
    """
)
_INDEX = text("CREATE UNIQUE INDEX ON import_made (kind, id)")
_ANALYZE = text("ANALYZE import_made")
_LATER = text(
    """
    SELECT count(DISTINCT (changed.value ->> 'table', changed.value ->> 'id'))
      FROM import_step JOIN import_batch ON import_batch.id = batch_id,
           jsonb_array_elements(changed) AS changed
      JOIN import_made ON kind = changed.value ->> 'table'
                      AND import_made.id = CAST(changed.value ->> 'id' AS bigint)
     WHERE batch_id > :batch_id AND state <> 'undone'
    """
)
_made = table("import_made", column("kind"), column("id"))
_came_with_owner = and_(
    OwnerPhone.is_primary,
    exists().where(Owner.id == OwnerPhone.owner_id, Owner.created_at == OwnerPhone.created_at),
)
"""The phone that a trigger wrote with its owner, and takes away with them."""


class ImportInUse(Conflict):
    """Something depends on what the import made or changed; the message says what."""

    code = "import_in_use"
    message = "导入的内容已被使用，不能撤销"


def undo_steps(tx: Transaction, batch: ImportBatch) -> dict[str, int]:
    """Take back all steps of a batch in this transaction; tell how many rows went, by table.

    Raises:
        ImportInUse: something depends on it; nothing is changed.
    """
    refuse_if_used(tx, batch)
    for step in _steps_backwards(tx.session, batch.id):
        for change in reversed(step.changed):
            _restore(tx.session, change)
    gone = {}
    for name in _MADE:
        owned = _table(name)
        deleted = tx.session.execute(delete_from(owned).where(owned.c.id.in_(_ids(name))))
        if count := int(deleted.rowcount):  # type: ignore[attr-defined]
            gone[name] = count
    return gone


def refuse_if_used(tx: Transaction, batch: ImportBatch) -> None:
    """Look at everything that may depend on a batch.

    Raises:
        ImportInUse: something does.
    """
    for statement in (_FILL, _INDEX, _ANALYZE):
        tx.session.execute(statement, {"batch_id": batch.id} if statement is _FILL else {})
    if listed := tell(_find_dependents(tx, batch)):
        raise ImportInUse(f"不能撤销：导入之后已有 {listed}")


def _find_dependents(tx: Transaction, batch: ImportBatch) -> Iterator[Dependent]:
    session = tx.session
    yield from _referring(session)
    yield Dependent("账单", _count_bills(session, Bill.house_id.in_(_ids("house"))))
    yield Dependent("其他导入批次的变更", session.scalar(_LATER, {"batch_id": batch.id}) or 0)
    houses: list[int] = []
    altered = 0
    for step in _steps_backwards(session, batch.id):
        altered += sum(not _is_as_left(session, change) for change in step.changed)
        houses += [change["id"] for change in step.changed if change["table"] == "house"]
    yield Dependent("对同一记录的后续修改", altered)
    changed = Bill.house_id.in_(sorted(set(houses)))
    since = (Bill.state == BillState.PENDING_REVIEW) | (Bill.published_at >= batch.created_at)
    yield Dependent("账单", _count_bills(session, changed & since) if houses else 0)
    yield from _readings(session)


def _count_bills(session: Session, wanted: ColumnElement[bool]) -> int:
    return session.scalar(select(func.count()).select_from(Bill).where(wanted)) or 0


def _referring(session: Session) -> Iterator[Dependent]:
    """Count the rows of every table that refer to a row of the batch and are not of it."""
    kinds = session.scalars(select(_made.c.kind).distinct())
    return find_referring(
        session, {kind: _ids(kind) for kind in kinds}, {"owner_phone": _came_with_owner}
    )


def _ids(kind: str) -> Select[Any]:
    return select(_made.c.id).where(_made.c.kind == kind)


def _readings(session: Session) -> Iterator[Dependent]:
    """Count the readings of the batch that were billed or corrected since."""
    mine = MeterReading.id.in_(_ids("meter_reading"))
    rows = session.execute(
        select(MeterReading.meter_id, MeterReading.read_on, MeterReading.superseded_at).where(mine)
    ).all()
    if not rows:
        return
    yield Dependent("读数的更正", sum(row.superseded_at is not None for row in rows))
    meters = {
        meter.id: meter
        for meter in load_meters(
            session,
            Meter.id.in_({row.meter_id for row in rows}),
            since=since_for([row.read_on for row in rows]),
            locks=False,
        )
    }
    billed = sum(meters[row.meter_id].is_billed(row.read_on) for row in rows)
    yield Dependent("按这些读数计费的账单", billed)


def _steps_backwards(session: Session, batch_id: int) -> Sequence[ImportStep]:
    return session.scalars(
        select(ImportStep)
        .where(ImportStep.batch_id == batch_id, func.jsonb_array_length(ImportStep.changed) > 0)
        .order_by(ImportStep.step_no.desc())
    ).all()


def _is_as_left(session: Session, change: Mapping[str, Any]) -> bool:
    owned = _table(change["table"])
    same = [_is(owned.c[name], value) for name, value in change["after"].items()]
    return session.scalar(select(owned.c.id).where(owned.c.id == change["id"], *same)) is not None


def _restore(session: Session, change: Mapping[str, Any]) -> None:
    owned = _table(change["table"])
    values = {name: cast(value, owned.c[name].type) for name, value in change["before"].items()}
    session.execute(update(owned).where(owned.c.id == change["id"]).values(values))


def _is(owned: Column[Any], value: str | None) -> ColumnElement[bool]:
    return owned.is_not_distinct_from(cast(value, owned.type))


def _table(name: str) -> Table:
    return Bill.metadata.tables[name]
