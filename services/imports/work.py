"""What a worker does with batches: it goes on wherever a batch stands, however often it died.

A worker holds the batch by a lock that ends with its process, so whatever says it is being worked
on and is not locked was cut off, and the next sweep takes it up.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy import delete, select, update

from domain.actors import Actor, Permission, Role, operator, staff_actor
from domain.errors import InvalidInput, NotAllowed, NotFound
from domain.imports import (
    BUSY,
    KIND_OF,
    PERMISSION_OF,
    ImportKind,
    ImportState,
    check_import_move,
)
from domain.sheets import Problem
from models import ImportBatch, ImportFile, ImportStep, Staff
from services.collector import resting_collector
from services.imports.at_once import SheetTaker
from services.imports.batches import (
    ImportRunning,
    Parsed,
    importing,
    reach_community,
    read_kind,
    record_import,
    tell_problems,
)
from services.imports.undoing import ImportInUse, undo_steps
from services.ports import ImportSheetWriter, Sheet, WorkbookReader
from services.scopes import scope_of
from services.tasks import open_task
from services.unit_of_work import Transaction, UnitOfWork

log = logging.getLogger(__name__)

ATTEMPTS_CAP = 5
"""So often a batch may kill its worker or fail for reasons of ours before a person is asked."""
FILES_KEPT = timedelta(days=30)
"""Workbooks hold phone numbers: they are not kept longer than somebody may need them."""


@dataclass(frozen=True)
class ImportWork:
    """Checks, imports and undoes."""

    unit_of_work: UnitOfWork
    workbooks: WorkbookReader
    sheets: ImportSheetWriter
    imports: Mapping[ImportKind, SheetTaker[Any, Any]]

    def work_due(self, *, actor: Actor) -> int:
        """Go on with every batch that has something to do and return how many there were.

        One that another worker is on is left to it; one that fails holds no other up.
        """
        actor.must(Permission.RUN_PLATFORM_WORK)
        with self.unit_of_work.reading() as session:
            due = session.scalars(
                select(ImportBatch.id).where(ImportBatch.state.in_(BUSY)).order_by(ImportBatch.id)
            ).all()
        worked = 0
        for batch_id in due:
            try:
                worked += self._go_on(actor, batch_id)
            except ImportRunning:
                continue
            except Exception:
                log.exception("an import failed", extra={"batch": batch_id})
        self.unit_of_work.run(_forget_files)
        return worked

    def go_on(self, *, actor: Actor, batch_id: int) -> bool:
        """Do what one batch waits for, and tell whether there was anything.

        Raises:
            NotFound: no such batch.
            ImportRunning: another worker is on it, or on another import of the community.
        """
        actor.must(Permission.RUN_PLATFORM_WORK)
        return self._go_on(actor, batch_id)

    def mark_problems(
        self, *, actor: Actor, kind: ImportKind, content: bytes, problems: Sequence[Problem]
    ) -> bytes:
        """Write the sheet of a workbook as it is, with its problems in a last column.

        Raises:
            InvalidInput: not a workbook, no such sheet, or no header.
        """
        actor.must(PERMISSION_OF[kind])
        sheet = read_kind(self.workbooks, content, kind)
        header_row = self.imports[kind].read(sheet).header_row
        return self.sheets.write_marked(sheet, header_row=header_row, marks=_marks(problems))

    def _go_on(self, actor: Actor, batch_id: int) -> bool:
        with self.unit_of_work.reading() as session:
            community_id = session.scalar(
                select(ImportBatch.community_id).where(ImportBatch.id == batch_id)
            )
        if community_id is None:
            raise NotFound
        with importing(self.unit_of_work, community_id):
            state = self.unit_of_work.run(partial(_begin, actor=actor, batch_id=batch_id))
            if state is None:
                return False
            try:
                with resting_collector():
                    self._do(actor, batch_id, community_id, state)
            except (InvalidInput, NotAllowed, NotFound) as refusal:
                self.unit_of_work.run(
                    partial(_fail, actor=actor, batch_id=batch_id, why=refusal.message)
                )
        return True

    def _do(self, actor: Actor, batch_id: int, community_id: int, state: ImportState) -> None:
        if state is ImportState.UNDOING:
            self._undo(actor, batch_id)
            return
        with self.unit_of_work.reading() as session:
            batch = session.get_one(ImportBatch, batch_id)
            file = session.get(ImportFile, batch_id)
        if file is None:
            raise NotFound("导入中断，没有留存文件，请重新导入")
        kind = KIND_OF[batch.sheet]
        theirs = self.unit_of_work.run(partial(_actor_of, batch=batch))
        sheet = read_kind(self.workbooks, file.content, kind)
        parsed: Parsed = self.imports[kind].read(sheet)
        if state is ImportState.CHECKING:
            report = self.imports[kind].foresee(theirs, community_id, parsed)
            total = report.foreseen["new"] + report.foreseen["changed"]
            total += report.foreseen["unchanged"]
            told = {"foreseen": report.foreseen, "rows_total": total}
            self._tell(actor, batch_id, sheet, parsed, report.problems, told)
        else:
            report = self.imports[kind].write(
                theirs, community_id, batch_id, parsed, lambda _done, _total: None
            )
            self._tell(actor, batch_id, sheet, parsed, report.problems, None)

    def _tell(
        self,
        actor: Actor,
        batch_id: int,
        sheet: Sheet,
        parsed: Parsed,
        problems: Sequence[Problem],
        checked: Mapping[str, object] | None,
    ) -> None:
        """Keep what is wrong with a sheet, in the list and beside its rows."""
        errors = None
        if problems:
            errors = self.sheets.write_marked(
                sheet, header_row=parsed.header_row, marks=_marks(problems)
            )

        def work(tx: Transaction) -> None:
            tx.session.execute(
                update(ImportFile).where(ImportFile.batch_id == batch_id).values(errors=errors)
            )
            if checked is None:
                return
            batch = _lock(tx, batch_id)
            check_import_move(ImportState(batch.state), ImportState.CHECKED)
            batch.state, batch.attempts = ImportState.CHECKED, 0
            batch.problems = tell_problems(problems)
            for name, value in checked.items():
                setattr(batch, name, value)
            record_import(tx, actor, "import_checked", batch)

        self.unit_of_work.run(work)

    def _undo(self, actor: Actor, batch_id: int) -> None:
        def work(tx: Transaction) -> None:
            batch = _lock(tx, batch_id)
            check_import_move(ImportState(batch.state), ImportState.UNDONE)
            undo_steps(tx, batch)
            tx.session.execute(delete(ImportStep).where(ImportStep.batch_id == batch_id))
            batch.state, batch.undone_at, batch.attempts = ImportState.UNDONE, tx.now, 0
            record_import(tx, actor, "import_undone", batch)

        try:
            self.unit_of_work.run(work)
        except ImportInUse as refusal:
            why = refusal.message
            self.unit_of_work.run(lambda tx: _keep_after_all(tx, actor, batch_id, why))


def _begin(tx: Transaction, *, actor: Actor, batch_id: int) -> ImportState | None:
    """Count one more attempt and tell what is to be done; nothing where it was done meanwhile."""
    batch = _lock(tx, batch_id)
    state = ImportState(batch.state)
    if state not in BUSY:
        return None
    if batch.attempts >= ATTEMPTS_CAP:
        _give_up(tx, actor, batch)
        return None
    batch.attempts += 1
    if state is ImportState.UPLOADED:
        check_import_move(state, ImportState.CHECKING)
        batch.state = state = ImportState.CHECKING
    return state


def _give_up(tx: Transaction, actor: Actor, batch: ImportBatch) -> None:
    why = "多次尝试都没有完成，请联系维护人员"
    if batch.state == ImportState.UNDOING:
        _keep_after_all(tx, actor, batch.id, why)
    else:
        _fail(tx, actor=actor, batch_id=batch.id, why=why)
    open_task(
        tx,
        kind="import_failed",
        subject=f"import:{batch.id}",
        title=f"导入批次 {batch.id}（{batch.file_name}）{why}",
        community_id=batch.community_id,
    )


def _keep_after_all(tx: Transaction, actor: Actor, batch_id: int, why: str) -> None:
    """Leave a batch as it is, because it cannot be undone."""
    batch = _lock(tx, batch_id)
    check_import_move(ImportState(batch.state), ImportState.FINISHED)
    batch.state, batch.failure = ImportState.FINISHED, why
    record_import(tx, actor, "import_not_undone", batch)


def _fail(tx: Transaction, *, actor: Actor, batch_id: int, why: str) -> None:
    batch = _lock(tx, batch_id)
    check_import_move(ImportState(batch.state), ImportState.FAILED)
    batch.state, batch.failure, batch.finished_at = ImportState.FAILED, why, tx.now
    record_import(tx, actor, "import_failed", batch)


def _lock(tx: Transaction, batch_id: int) -> ImportBatch:
    return tx.session.execute(
        select(ImportBatch).where(ImportBatch.id == batch_id).with_for_update()
    ).scalar_one()


def _actor_of(tx: Transaction, *, batch: ImportBatch) -> Actor:
    """Become whoever handed a batch in, with what they may do now.

    Raises:
        NotAllowed: their account has ended.
        NotFound: the community is not in their data scope any more.
    """
    if batch.staff_id is None:
        return operator()
    staff = tx.session.get_one(Staff, batch.staff_id)
    if not staff.is_active:
        raise NotAllowed("提交人的账号已停用")
    scope = scope_of(tx.session, staff_id=staff.id, sees_all=staff.sees_all)
    actor = staff_actor(staff_id=staff.id, name=staff.name, role=Role(staff.role), scope=scope)
    reach_community(tx, actor, batch.community_id)
    return actor


def _marks(problems: Sequence[Problem]) -> dict[int, str]:
    """Write the reasons of each row into one cell."""
    words: dict[int, list[str]] = defaultdict(list)
    for problem in problems:
        words[problem.row].append(f"{problem.column}：{problem.why}。{problem.suggestion}")
    return {row: "\n".join(lines) for row, lines in words.items()}


def _forget_files(tx: Transaction) -> None:
    tx.session.execute(
        delete(ImportFile).where(
            ImportFile.batch_id.in_(
                select(ImportBatch.id).where(
                    ImportBatch.created_at < tx.now - FILES_KEPT, ImportBatch.state.not_in(BUSY)
                )
            )
        )
    )
