"""What every import shares: one at a time, its batch row, its progress, its traces."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict

from sqlalchemy import text, update

from domain.actors import Actor
from domain.errors import Conflict, InvalidInput
from domain.sheets import Problem
from models import ImportBatch
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
    """Note that an import begins and return the id of its batch."""
    # Nobody else is importing here, so what still says so was cut off.
    tx.session.execute(
        update(ImportBatch)
        .where(ImportBatch.community_id == community_id, ImportBatch.state == "importing")
        .values(state="failed", finished_at=tx.now)
    )
    batch = ImportBatch(
        community_id=community_id,
        sheet=sheet_name,
        file_name=file_name[-200:],
        file_sha256=hashlib.sha256(content).hexdigest(),
        state="importing",
        rows_total=rows_total,
        created_at=tx.now,
    )
    tx.session.add(batch)
    tx.session.flush()
    record(
        tx,
        actor,
        "import_started",
        subject_type="import_batch",
        subject_id=batch.id,
        community_id=community_id,
        facts={"file_name": batch.file_name, "sha256": batch.file_sha256},
    )
    return batch.id


def note_progress(unit_of_work: UnitOfWork, batch_id: int, *, rows_done: int) -> None:
    """Say in the batch how far the import is."""
    unit_of_work.run(
        lambda tx: tx.session.execute(
            update(ImportBatch).where(ImportBatch.id == batch_id).values(rows_done=rows_done)
        )
    )


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
            state="finished",
            finished_at=tx.now,
            counts=dict(counts),
            problems=[asdict(problem) | {"value": mask(problem.value)} for problem in problems],
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
