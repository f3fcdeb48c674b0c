"""Taking the sheet 房屋业主: a dry run that tells all, then a run that can be repeated."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace

from sqlalchemy import text, update

from domain.actors import Actor, Permission
from domain.errors import Conflict, InvalidInput
from domain.house_sheet import SHEET_NAME, HouseSheet, SheetHouse, read_house_sheet
from domain.periods import local_date
from models import ImportBatch
from services.accounts import bind_houses
from services.audit import record
from services.imports.plans import (
    ImportReport,
    OnFile,
    Plan,
    plan_import,
    read_on_file,
    report_plan,
)
from services.imports.writing import write_houses, write_people
from services.logs import mask
from services.ports import Sheet, WorkbookReader
from services.unit_of_work import Transaction, UnitOfWork

CHUNK_HOUSES = 500
"""Houses per transaction: bounds how much a crash can cost."""

_UNNAMED = "Sheet1"
"""What Excel and WPS call a sheet that nobody named."""

Progress = Callable[[int, int], None]
"""Called with houses done and houses in all after each chunk."""


class ImportRunning(Conflict):
    """Another import of this community is going on."""

    code = "import_running"
    message = "这个小区正在导入，请等它完成"


@dataclass(frozen=True)
class HouseOwnerImport:
    """Takes clerks' workbooks."""

    unit_of_work: UnitOfWork
    workbooks: WorkbookReader

    def check(self, *, actor: Actor, community_id: int, content: bytes) -> ImportReport:
        """Tell all problems of a workbook and what importing it would do; nothing is written.

        Raises:
            NotFound: no such community.
            InvalidInput: not a workbook, no such sheet, or no header.
        """
        actor.must(Permission.IMPORT_OWNERS)
        sheet = self._read(content)
        on_file = self.unit_of_work.run(lambda tx: read_on_file(tx, community_id))
        return report_plan(sheet, plan_import(sheet, on_file))

    def carry_out(
        self,
        *,
        actor: Actor,
        community_id: int,
        content: bytes,
        file_name: str,
        progress: Progress = lambda _done, _total: None,
    ) -> ImportReport:
        """Import every row without a problem; rows with one are told and left out.

        Houses are found again by building, unit and room number, owners by phone, so the same file
        again changes nothing and a corrected one changes what differs. Written in chunks; an
        import that was cut off is simply started again. Accounts that signed in earlier with a
        phone of the sheet are bound to their houses.

        Raises:
            NotFound, InvalidInput: as in `check`.
            ImportRunning: another import of the community is going on.
        """
        actor.must(Permission.IMPORT_OWNERS)
        sheet = self._read(content)
        with self.unit_of_work.exclusive(f"import:{community_id}") as is_ours:
            if not is_ours:
                raise ImportRunning
            on_file = self.unit_of_work.run(lambda tx: read_on_file(tx, community_id))
            plan = plan_import(sheet, on_file)
            batch_id = self.unit_of_work.run(
                lambda tx: _open_batch(tx, actor, community_id, content, file_name, sheet)
            )
            done = 0
            for chunk in _chunks(plan.houses):
                on_file = self._write(actor, community_id, on_file, plan, chunk)
                done += len(chunk)
                self._note_progress(batch_id, rows_done=done)
                progress(done, len(plan.houses))
            report = report_plan(sheet, plan, batch_id)
            self.unit_of_work.run(lambda tx: _close_batch(tx, actor, community_id, report))
        return report

    def _read(self, content: bytes) -> HouseSheet:
        try:
            sheet = self.workbooks.read(content, sheet_name=SHEET_NAME)
        except InvalidInput as refusal:
            if refusal.code != "sheet_missing":
                raise
            sheet = self._read_unnamed(content, refusal)
        return read_house_sheet(sheet.rows, today=local_date(self.unit_of_work.clock.now()))

    def _read_unnamed(self, content: bytes, refusal: InvalidInput) -> Sheet:
        """Read the list of a clerk who never named its sheet and has notes on another."""
        try:
            return self.workbooks.read(content, sheet_name=_UNNAMED)
        except InvalidInput:
            raise refusal from None

    def _write(
        self,
        actor: Actor,
        community_id: int,
        on_file: OnFile,
        plan: Plan,
        chunk: Sequence[SheetHouse],
    ) -> OnFile:
        """Write a chunk and tell what is on file after it; a retry starts from what was before."""

        def work(tx: Transaction) -> OnFile:
            after = replace(on_file, buildings=dict(on_file.buildings), owners=dict(on_file.owners))
            house_ids = write_houses(tx, actor, community_id, after, plan, chunk)
            write_people(tx, community_id, after, plan, chunk, house_ids)
            return after

        return self.unit_of_work.run(work)

    def _note_progress(self, batch_id: int, *, rows_done: int) -> None:
        self.unit_of_work.run(
            lambda tx: tx.session.execute(
                update(ImportBatch).where(ImportBatch.id == batch_id).values(rows_done=rows_done)
            )
        )


def _chunks(houses: Sequence[SheetHouse]) -> Iterator[Sequence[SheetHouse]]:
    for start in range(0, len(houses), CHUNK_HOUSES):
        yield houses[start : start + CHUNK_HOUSES]


def _open_batch(
    tx: Transaction,
    actor: Actor,
    community_id: int,
    content: bytes,
    file_name: str,
    sheet: HouseSheet,
) -> int:
    # Nobody else is importing here, so what still says so was cut off.
    tx.session.execute(
        update(ImportBatch)
        .where(ImportBatch.community_id == community_id, ImportBatch.state == "importing")
        .values(state="failed", finished_at=tx.now)
    )
    batch = ImportBatch(
        community_id=community_id,
        sheet=SHEET_NAME,
        file_name=file_name[-200:],
        file_sha256=hashlib.sha256(content).hexdigest(),
        state="importing",
        rows_total=len(sheet.houses),
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


def _close_batch(tx: Transaction, actor: Actor, community_id: int, report: ImportReport) -> None:
    bound = bind_houses(tx, actor, community_id=community_id)
    counts = {
        name: getattr(report, name)
        for name in ("houses_new", "houses_changed", "owners_new", "people_new")
    }
    tx.session.execute(
        update(ImportBatch)
        .where(ImportBatch.id == report.batch_id)
        .values(
            state="finished",
            finished_at=tx.now,
            counts={**counts, "accounts_bound": bound},
            problems=[
                asdict(problem) | {"value": mask(problem.value)} for problem in report.problems
            ],
        )
    )
    record(
        tx,
        actor,
        "import_finished",
        subject_type="import_batch",
        subject_id=report.batch_id,
        community_id=community_id,
        facts={**counts, "problems": len(report.problems)},
    )
    # Freshly filled tables without statistics make the planner choose badly for the first bill run.
    for table in ("house", "owner", "house_person"):
        tx.session.execute(text(f"ANALYZE {table}"))
