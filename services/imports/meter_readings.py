"""Taking the sheet 水表读数: a dry run that tells all, then a run that can be repeated."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from domain.actors import Actor, Permission
from domain.reading_sheet import SHEET_NAME, ReadingSheet, SheetReading, read_reading_sheet
from domain.sheets import HouseKey, Problem
from services.imports.batches import (
    Progress,
    analyze,
    close_batch,
    importing,
    note_progress,
    open_batch,
    read_named_sheet,
)
from services.imports.reading_plans import ChunkPlan, plan_chunk, read_houses, write_chunk
from services.meters.judging import UsageWarning
from services.ports import WorkbookReader
from services.unit_of_work import Transaction, UnitOfWork

CHUNK_ROWS = 1_000
"""Rows per transaction, give or take those of one house: bounds how much a crash can cost."""


@dataclass(slots=True)
class ReadingImportReport:
    """What an import does, or in a dry run would do, and every problem of the sheet.

    The first reading of each new meter is its opening reading and not among the new readings.
    """

    row_count: int
    meters_new: int = 0
    readings_new: int = 0
    unchanged: int = 0
    warnings: list[UsageWarning] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    batch_id: int | None = None

    def add(self, plan: ChunkPlan) -> None:
        """Add what becomes of some rows."""
        self.meters_new += len(plan.new)
        self.readings_new += len(plan.judgement.taken)
        self.unchanged += plan.judgement.unchanged
        self.warnings = sorted([*self.warnings, *plan.judgement.warnings], key=_row)
        self.problems = sorted([*self.problems, *plan.problems], key=_row)

    @property
    def counts(self) -> dict[str, int]:
        """What is kept of it in the batch."""
        return {
            "meters_new": self.meters_new,
            "readings_new": self.readings_new,
            "unchanged": self.unchanged,
            "warnings": len(self.warnings),
        }


@dataclass(frozen=True)
class MeterReadingImport:
    """Takes clerks' sheets of readings."""

    unit_of_work: UnitOfWork
    workbooks: WorkbookReader

    def check(self, *, actor: Actor, community_id: int, content: bytes) -> ReadingImportReport:
        """Tell all problems of a workbook and what importing it would do; nothing is written.

        Raises:
            NotFound: no such community.
            InvalidInput: not a workbook, no such sheet, or no header.
        """
        actor.must(Permission.READ_METERS)
        sheet = self._read(content)
        houses = self.unit_of_work.run(lambda tx: read_houses(tx, community_id))
        report = _begin(sheet)
        for rows in _chunks(sheet.readings):
            report.add(self._take(actor, community_id, houses, sheet, rows, writes=False))
        return report

    def carry_out(
        self,
        *,
        actor: Actor,
        community_id: int,
        content: bytes,
        file_name: str,
        progress: Progress = lambda _done, _total: None,
    ) -> ReadingImportReport:
        """Import every row without a problem; rows with one are told and left out.

        A meter that is not on file is registered on the house of its row, with its earliest
        reading as opening reading, if the actor may register meters. The same file again changes
        nothing. Written in chunks; an import that was cut off is simply started again.

        Raises:
            NotFound, InvalidInput: as in `check`.
            ImportRunning: another import of the community is going on.
        """
        actor.must(Permission.READ_METERS)
        sheet = self._read(content)
        with importing(self.unit_of_work, community_id):
            houses = self.unit_of_work.run(lambda tx: read_houses(tx, community_id))
            batch_id = self.unit_of_work.run(
                lambda tx: open_batch(
                    tx,
                    actor,
                    community_id,
                    SHEET_NAME,
                    content=content,
                    file_name=file_name,
                    rows_total=len(sheet.readings),
                )
            )
            report, done = _begin(sheet, batch_id), 0
            for rows in _chunks(sheet.readings):
                report.add(self._take(actor, community_id, houses, sheet, rows, writes=True))
                done += len(rows)
                note_progress(self.unit_of_work, batch_id, rows_done=done)
                progress(done, len(sheet.readings))
            self.unit_of_work.run(lambda tx: _close(tx, actor, community_id, report))
        return report

    def _read(self, content: bytes) -> ReadingSheet:
        return read_reading_sheet(read_named_sheet(self.workbooks, content, SHEET_NAME).rows)

    def _take(
        self,
        actor: Actor,
        community_id: int,
        houses: Mapping[HouseKey, int],
        sheet: ReadingSheet,
        rows: Sequence[SheetReading],
        *,
        writes: bool,
    ) -> ChunkPlan:
        """Plan some rows, and carry the plan out in the same transaction."""
        may_register = Permission.MANAGE_METERS in actor.permissions

        def work(tx: Transaction) -> ChunkPlan:
            plan = plan_chunk(
                tx, community_id, houses, sheet, rows, locks=writes, may_register=may_register
            )
            if writes:
                write_chunk(tx, actor, plan)
            return plan

        return self.unit_of_work.run(work)


def _begin(sheet: ReadingSheet, batch_id: int | None = None) -> ReadingImportReport:
    return ReadingImportReport(sheet.row_count, problems=list(sheet.problems), batch_id=batch_id)


def _close(tx: Transaction, actor: Actor, community_id: int, report: ReadingImportReport) -> None:
    close_batch(
        tx,
        actor,
        community_id,
        report.batch_id,
        counts=report.counts,
        problems=report.problems,
    )
    analyze(tx, "meter", "meter_reading")


def _chunks(readings: Iterable[SheetReading]) -> Iterator[Sequence[SheetReading]]:
    """Split rows so that all rows of a meter, and all meters of a house, stay together."""
    of_meter: dict[str, list[SheetReading]] = defaultdict(list)
    for reading in readings:
        of_meter[reading.meter_no].append(reading)
    of_house: dict[object, list[SheetReading]] = defaultdict(list)
    for meter_no, rows in of_meter.items():
        house = next((row.house for row in rows if row.house), None)
        of_house[house or meter_no].extend(rows)
    chunk: list[SheetReading] = []
    for rows in of_house.values():
        chunk += rows
        if len(chunk) >= CHUNK_ROWS:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _row(told: UsageWarning | Problem) -> int:
    return told.row
