"""Taking the sheet 房屋业主: a dry run that tells all, then a run that can be repeated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from domain.actors import Actor, Permission
from domain.house_sheet import SHEET_NAME, HouseSheet, SheetHouse, read_house_sheet
from domain.periods import local_date
from services.accounts import bind_houses
from services.imports.batches import (
    Progress,
    analyze,
    close_batch,
    importing,
    note_progress,
    open_batch,
    read_named_sheet,
)
from services.imports.plans import (
    ImportReport,
    OnFile,
    Plan,
    plan_import,
    read_on_file,
    report_plan,
)
from services.imports.writing import write_houses, write_people
from services.ports import WorkbookReader
from services.unit_of_work import Transaction, UnitOfWork

CHUNK_HOUSES = 500
"""Houses per transaction: bounds how much a crash can cost."""


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
        with importing(self.unit_of_work, community_id):
            on_file = self.unit_of_work.run(lambda tx: read_on_file(tx, community_id))
            plan = plan_import(sheet, on_file)
            batch_id = self.unit_of_work.run(
                lambda tx: open_batch(
                    tx,
                    actor,
                    community_id,
                    SHEET_NAME,
                    content=content,
                    file_name=file_name,
                    rows_total=len(sheet.houses),
                )
            )
            done = 0
            for chunk in _chunks(plan.houses):
                on_file = self._write(actor, community_id, on_file, plan, chunk)
                done += len(chunk)
                note_progress(self.unit_of_work, batch_id, rows_done=done)
                progress(done, len(plan.houses))
            report = report_plan(sheet, plan, batch_id)
            self.unit_of_work.run(lambda tx: _close_batch(tx, actor, community_id, report))
        return report

    def _read(self, content: bytes) -> HouseSheet:
        sheet = read_named_sheet(self.workbooks, content, SHEET_NAME)
        return read_house_sheet(sheet.rows, today=local_date(self.unit_of_work.clock.now()))

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


def _chunks(houses: Sequence[SheetHouse]) -> Iterator[Sequence[SheetHouse]]:
    for start in range(0, len(houses), CHUNK_HOUSES):
        yield houses[start : start + CHUNK_HOUSES]


def _close_batch(tx: Transaction, actor: Actor, community_id: int, report: ImportReport) -> None:
    bound = bind_houses(tx, actor, community_id=community_id)
    counts = {
        name: getattr(report, name)
        for name in ("houses_new", "houses_changed", "owners_new", "people_new")
    }
    close_batch(
        tx,
        actor,
        community_id,
        report.batch_id,
        counts={**counts, "accounts_bound": bound},
        problems=report.problems,
    )
    analyze(tx, "house", "owner", "house_person")
