"""What every import shares: one at a time, its batch row, its progress, its traces."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, Protocol

from sqlalchemy import select, text, update

from domain.actors import Actor, ActorKind
from domain.errors import Conflict, InvalidInput, NotFound
from domain.imports import SHEET_OF, ImportKind, ImportState
from domain.sheets import Problem, fill_merged
from models import Community, ImportBatch, ImportFile
from services.audit import record
from services.logs import mask
from services.ports import Sheet, WorkbookReader
from services.unit_of_work import Transaction, UnitOfWork

_UNNAMED = "Sheet1"
"""What Excel and WPS call a sheet that nobody named."""

Progress = Callable[[int, int], None]
"""Called with what is done and what there is in all after each chunk."""


class ImportRunning(Conflict):
    """Another import of this community is going on."""

    code = "import_running"
    message = "这个小区正在导入，请等它完成"


class Parsed(Protocol):
    """A sheet whose rows were read: what is wrong in it, and where its header stands."""

    @property
    def row_count(self) -> int:
        """How many rows are data."""
        ...

    @property
    def header_row(self) -> int:
        """Where the header stands, counted from 0."""
        ...

    @property
    def item_count(self) -> int:
        """How many things there are to write."""
        ...


class Report(Protocol):
    """What an import does, or would do, with a sheet."""

    @property
    def row_count(self) -> int:
        """How many rows are data."""
        ...

    @property
    def foreseen(self) -> dict[str, int]:
        """What it comes to: at least ``new``, ``changed`` and ``unchanged``."""
        ...

    @property
    def problems(self) -> Sequence[Problem]:
        """What is wrong, by row."""
        ...


def reach_community(tx: Transaction, actor: Actor, community_id: int) -> None:
    """Refuse a community that is not there, or not in the actor's data scope: never told apart.

    Raises:
        NotFound: so it is.
    """
    is_there = tx.session.scalar(select(Community.id).where(Community.id == community_id))
    if is_there is None or not actor.scope.covers(community_id):
        raise NotFound


def read_kind(workbooks: WorkbookReader, content: bytes, kind: ImportKind) -> Sheet:
    """Read the sheet of a kind, with what is merged downwards written into each row.

    Raises:
        InvalidInput: not a workbook, or no such sheet.
    """
    sheet = read_named_sheet(workbooks, content, SHEET_OF[kind])
    return Sheet(sheet.name, fill_merged(sheet.rows, sheet.merged))


def read_named_sheet(workbooks: WorkbookReader, content: bytes, name: str) -> Sheet:
    """Read a sheet by name, or that of a clerk who never named it and has notes on another.

    Raises:
        InvalidInput: not a workbook, or no such sheet.
    """
    try:
        return workbooks.read(content, sheet_name=name)
    except InvalidInput as refusal:
        if refusal.code != "sheet_missing":
            raise
        try:
            return workbooks.read(content, sheet_name=_UNNAMED)
        except InvalidInput:
            raise refusal from None


@contextmanager
def importing(unit_of_work: UnitOfWork, community_id: int) -> Iterator[None]:
    """Be the only import of a community.

    Raises:
        ImportRunning: there is another.
    """
    with unit_of_work.exclusive(f"import:{community_id}") as is_ours:
        if not is_ours:
            raise ImportRunning
        yield


def open_batch(
    tx: Transaction,
    actor: Actor,
    community_id: int,
    sheet_name: str,
    *,
    content: bytes,
    file_name: str,
    rows_total: int,
) -> int:
    """Note that an import begins and return the id of its batch.

    This one is for whoever stands by: without its file no worker goes on with it.
    """
    # Nobody else is importing here, so what still says so was cut off.
    tx.session.execute(
        update(ImportBatch)
        .where(
            ImportBatch.community_id == community_id,
            ImportBatch.state == ImportState.IMPORTING,
            ~select(ImportFile.batch_id).where(ImportFile.batch_id == ImportBatch.id).exists(),
        )
        .values(state=ImportState.FAILED, finished_at=tx.now, failure="导入中断")
    )
    batch = ImportBatch(
        community_id=community_id,
        sheet=sheet_name,
        file_name=file_name[-200:],
        file_sha256=hashlib.sha256(content).hexdigest(),
        state=ImportState.IMPORTING,
        staff_id=actor.id if actor.kind is ActorKind.STAFF else None,
        rows_total=rows_total,
        created_at=tx.now,
    )
    tx.session.add(batch)
    tx.session.flush()
    record_import(tx, actor, "import_started", batch)
    return batch.id


def record_import(tx: Transaction, actor: Actor, action: str, batch: ImportBatch) -> None:
    """Audit what somebody does with a batch."""
    record(
        tx,
        actor,
        action,
        subject_type="import_batch",
        subject_id=batch.id,
        community_id=batch.community_id,
        facts={"file_name": batch.file_name, "sha256": batch.file_sha256},
    )


def tell_problems(problems: Sequence[Problem]) -> list[dict[str, Any]]:
    """Write problems as they are kept: without full phone numbers."""
    return [asdict(problem) | {"value": mask(problem.value)} for problem in problems]


def close_batch(
    tx: Transaction,
    actor: Actor,
    community_id: int,
    batch_id: int | None,
    *,
    counts: Mapping[str, int],
    problems: Sequence[Problem],
) -> None:
    """Note that an import is over, what it did, and what it left out."""
    tx.session.execute(
        update(ImportBatch)
        .where(ImportBatch.id == batch_id)
        .values(
            state=ImportState.FINISHED,
            finished_at=tx.now,
            failure="",
            rows_done=ImportBatch.rows_total,
            counts=dict(counts),
            problems=tell_problems(problems),
        )
    )
    record(
        tx,
        actor,
        "import_finished",
        subject_type="import_batch",
        subject_id=batch_id,
        community_id=community_id,
        facts={**counts, "problems": len(problems)},
    )


def analyze(tx: Transaction, *tables: str) -> None:
    """Gather statistics of freshly filled tables.

    Without them the planner chooses badly for the first bill run.
    """
    for table in tables:
        tx.session.execute(text(f"ANALYZE {table}"))
