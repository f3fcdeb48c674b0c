"""The import workbench: hand in, check, commit, mend, hand in again, undo.

Whoever is at a screen only moves a batch from state to state; `services.imports.work` does the
work, in a worker. No workbook is read here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, func, select, text
from sqlalchemy.orm import Session, defer

from domain.actors import Actor, ActorKind
from domain.errors import InvalidInput, NotFound
from domain.import_templates import TEMPLATES
from domain.imports import (
    FILE_LIMIT,
    KIND_OF,
    PERMISSION_OF,
    SHEET_OF,
    ImportCannotMove,
    ImportKind,
    ImportState,
    check_import_move,
)
from domain.personal_data import LOG_KEPT
from models import Community, ImportBatch, ImportFile, Staff
from services.estate import find_community
from services.imports.batches import reach_community, record_import
from services.imports.undoing import refuse_if_used
from services.ports import ImportSheetWriter
from services.scopes import in_scope
from services.unit_of_work import Transaction, UnitOfWork

_PROBLEMS = text(
    """
    SELECT problem.value FROM import_batch,
           jsonb_array_elements(problems) WITH ORDINALITY AS problem
     WHERE import_batch.id = :batch_id AND ordinality > :after
     ORDER BY ordinality LIMIT :limit
    """
)


class NoImportFile(InvalidInput):
    """The upload holds no file, or one of more than 10 MB."""

    code = "no_import_file"
    message = "请上传一个不超过 10 MB 的 .xlsx 文件"


@dataclass(frozen=True, slots=True)
class BatchView:
    """A batch as its list and its page show it."""

    id: int
    kind: ImportKind
    community: str
    file_name: str
    state: ImportState
    rows_total: int
    rows_done: int
    foreseen: Mapping[str, int]
    counts: Mapping[str, int]
    problem_count: int
    has_errors: bool
    failure: str
    by: str
    created_at: datetime
    finished_at: datetime | None
    undone_at: datetime | None


@dataclass(frozen=True, slots=True)
class ErrorFile:
    """The sheet of a batch with what is wrong in it."""

    name: str
    content: bytes


@dataclass(frozen=True)
class ImportWorkbench:
    """What staff do with batches."""

    unit_of_work: UnitOfWork
    sheets: ImportSheetWriter

    def find_community(self, *, actor: Actor, code: str) -> int:
        """Find a community to import into by its code or name.

        Raises:
            NotFound: none has it, or it is not one of the actor's.
        """
        self._must_import(actor)
        with self.unit_of_work.reading() as session:
            found = find_community(session, actor, code)
        if not actor.scope.covers(found.id):
            raise NotFound(f"没有编号或名称为 {code} 的小区")
        return found.id

    def write_template(self, *, actor: Actor) -> bytes:
        """Write the workbook that clerks fill in: one sheet for each kind."""
        self._must_import(actor)
        return self.sheets.write_template(TEMPLATES)

    def upload(
        self, *, actor: Actor, community_id: int, kind: ImportKind, content: bytes, file_name: str
    ) -> int:
        """Keep a workbook and have it checked; return the id of its batch.

        Raises:
            NotFound: no such community, or not one of the actor's.
            NoImportFile: it is empty or larger than 10 MB.
        """
        actor.must(PERMISSION_OF[kind])

        def work(tx: Transaction) -> int:
            reach_community(tx, actor, community_id)
            if not 1 <= len(content) <= FILE_LIMIT:
                raise NoImportFile
            batch = ImportBatch(
                community_id=community_id,
                sheet=SHEET_OF[kind],
                file_name=_tidy_name(file_name),
                file_sha256=hashlib.sha256(content).hexdigest(),
                state=ImportState.UPLOADED,
                staff_id=actor.id if actor.kind is ActorKind.STAFF else None,
                rows_total=0,
                created_at=tx.now,
            )
            tx.session.add(batch)
            tx.session.flush()
            tx.session.add(ImportFile(batch_id=batch.id, content=content))
            record_import(tx, actor, "import_uploaded", batch)
            tx.wake("work_imports")
            return batch.id

        return self.unit_of_work.run(work)

    def carry_out(self, *, actor: Actor, batch_id: int) -> None:
        """Have every row without a problem imported.

        Raises:
            NotFound: no such batch.
            ImportCannotMove: it was not checked yet, or was imported before.
        """
        self._must_import(actor)

        def work(tx: Transaction) -> None:
            batch = _lock(tx, actor, batch_id)
            check_import_move(ImportState(batch.state), ImportState.IMPORTING)
            if tx.session.get(ImportFile, batch_id) is None:
                raise ImportCannotMove("这个导入批次没有留存文件，请重新上传")
            batch.state, batch.rows_done, batch.attempts = ImportState.IMPORTING, 0, 0
            batch.failure = ""
            record_import(tx, actor, "import_started", batch)
            tx.wake("work_imports")

        self.unit_of_work.run(work)

    def undo(self, *, actor: Actor, batch_id: int) -> None:
        """Have all that a batch made and changed taken back.

        Raises:
            NotFound: no such batch.
            ImportCannotMove: nothing of it was imported, or it was undone before.
            ImportInUse: something depends on it; the message says what.
        """
        self._must_import(actor)

        def work(tx: Transaction) -> None:
            batch = _lock(tx, actor, batch_id)
            check_import_move(ImportState(batch.state), ImportState.UNDOING)
            if (batch.finished_at or batch.created_at) < tx.now - LOG_KEPT:
                raise ImportCannotMove("导入已超过 190 天，步骤已按期删除，不能再撤销")
            refuse_if_used(tx, batch)
            batch.state, batch.attempts, batch.failure = ImportState.UNDOING, 0, ""
            record_import(tx, actor, "import_undoing", batch)
            tx.wake("work_imports")

        self.unit_of_work.run(work)

    def show(self, *, actor: Actor, batch_id: int) -> BatchView:
        """Tell how far a batch is and what came of it.

        Raises:
            NotFound: no such batch.
        """
        self._must_import(actor)
        with self.unit_of_work.reading() as session:
            return _view(_find(session, actor, batch_id))

    def list_batches(
        self, *, actor: Actor, community_id: int | None = None, before_id: int | None, limit: int
    ) -> Sequence[BatchView]:
        """List the batches that the actor may see, newest first."""
        self._must_import(actor)
        wanted = _select(actor).order_by(ImportBatch.id.desc()).limit(limit)
        if community_id is not None:
            wanted = wanted.where(ImportBatch.community_id == community_id)
        if before_id is not None:
            wanted = wanted.where(ImportBatch.id < before_id)
        with self.unit_of_work.reading() as session:
            return [_view(row) for row in session.execute(wanted).all()]

    def list_problems(
        self, *, actor: Actor, batch_id: int, after: int, limit: int
    ) -> Sequence[Mapping[str, Any]]:
        """List the problems of a batch by row, those behind the first ``after``.

        Raises:
            NotFound: no such batch.
        """
        self._must_import(actor)
        with self.unit_of_work.reading() as session:
            _find(session, actor, batch_id)
            values = {"batch_id": batch_id, "after": after, "limit": limit}
            return list(session.scalars(_PROBLEMS, values))

    def error_file(self, *, actor: Actor, batch_id: int) -> ErrorFile:
        """Give the sheet as it was handed in, with what is wrong in a last column.

        Raises:
            NotFound: no such batch, or nothing is wrong with it.
        """
        self._must_import(actor)
        with self.unit_of_work.reading() as session:
            found = _find(session, actor, batch_id)
            errors = session.scalar(
                select(ImportFile.errors).where(ImportFile.batch_id == batch_id)
            )
        if errors is None:
            raise NotFound
        stem = found.ImportBatch.file_name.rpartition(".")[0] or found.ImportBatch.sheet
        return ErrorFile(f"{stem}-问题.xlsx", errors)

    def _must_import(self, actor: Actor) -> None:
        """Refuse whoever may import nothing at all; which kind it is, is asked in the query."""
        reads_meters = PERMISSION_OF[ImportKind.READINGS] in actor.permissions
        actor.must(PERMISSION_OF[ImportKind.READINGS if reads_meters else ImportKind.OWNERS])


def kinds_of(actor: Actor) -> list[ImportKind]:
    """Tell what an actor may import."""
    return [kind for kind in ImportKind if PERMISSION_OF[kind] in actor.permissions]


def _select(actor: Actor) -> Select[ImportBatch, str, str, Any, bool]:
    has_errors = (
        select(ImportFile.batch_id)
        .where(ImportFile.batch_id == ImportBatch.id, ImportFile.errors.is_not(None))
        .exists()
    )
    return (
        select(
            ImportBatch,
            Community.name.label("community"),
            Staff.name.label("by"),
            func.jsonb_array_length(ImportBatch.problems).label("problem_count"),
            has_errors.label("has_errors"),
        )
        .join(Community, Community.id == ImportBatch.community_id)
        .outerjoin(Staff, Staff.id == ImportBatch.staff_id)
        .options(defer(ImportBatch.problems))
        .where(
            ImportBatch.sheet.in_([SHEET_OF[kind] for kind in kinds_of(actor)]),
            in_scope(ImportBatch.community_id, actor),
        )
    )


def _find(session: Session, actor: Actor, batch_id: int) -> Row[Any]:
    found = session.execute(_select(actor).where(ImportBatch.id == batch_id)).one_or_none()
    if found is None:
        raise NotFound
    return found


def _lock(tx: Transaction, actor: Actor, batch_id: int) -> ImportBatch:
    _find(tx.session, actor, batch_id)
    return tx.session.execute(
        select(ImportBatch)
        .where(ImportBatch.id == batch_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).scalar_one()


def _view(row: Row[Any]) -> BatchView:
    batch: ImportBatch = row.ImportBatch
    return BatchView(
        id=batch.id,
        kind=KIND_OF[batch.sheet],
        community=row.community,
        file_name=batch.file_name,
        state=ImportState(batch.state),
        rows_total=batch.rows_total,
        rows_done=batch.rows_done,
        foreseen=batch.foreseen,
        counts=batch.counts,
        problem_count=row.problem_count,
        has_errors=row.has_errors,
        failure=batch.failure,
        by=row.by or "命令行",
        created_at=batch.created_at,
        finished_at=batch.finished_at,
        undone_at=batch.undone_at,
    )


def _tidy_name(name: str) -> str:
    """Keep the end of a file's name, without folders and what cannot be printed."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return "".join(mark for mark in last if mark.isprintable())[-200:] or "未命名.xlsx"
