"""Taking the sheet 水表读数: a dry run that tells all, then a run that can be repeated."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from domain.actors import Actor, Permission
from domain.imports import ImportKind
from domain.reading_sheet import ReadingSheet, SheetReading, read_reading_sheet
from domain.sheets import HouseKey, Problem
from services.imports.at_once import SheetTaker
from services.imports.batches import (
    Progress,
    analyze,
    close_batch,
)
from services.imports.reading_plans import ChunkPlan, plan_chunk, read_houses, write_chunk
from services.imports.steps import Step, count_steps, keep_step
from services.meters.judging import UsageWarning
from services.ports import Sheet
from services.unit_of_work import Transaction

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
    def foreseen(self) -> dict[str, int]:
        """What it comes to; ``new`` and ``unchanged`` are readings, opening ones too."""
        return {
            "rows": self.row_count,
            "new": self.readings_new + self.meters_new,
            "changed": 0,
            "unchanged": self.unchanged,
            "meters_new": self.meters_new,
            "warnings": len(self.warnings),
        }


@dataclass(frozen=True)
class MeterReadingImport(SheetTaker[ReadingSheet, ReadingImportReport]):
    """Takes clerks' sheets of readings.

    A meter that is not on file is registered on the house of its row, with its earliest reading as
    opening reading, if the actor may register meters.
    """

    kind = ImportKind.READINGS

    def read(self, sheet: Sheet) -> ReadingSheet:
        """Read the rows of a sheet.

        Raises:
            HeaderMissing: there is no header.
        """
        return read_reading_sheet(sheet.rows)

    def foresee(self, actor: Actor, community_id: int, parsed: ReadingSheet) -> ReadingImportReport:
        """Compare a sheet with the register."""
        actor.must(Permission.READ_METERS)
        houses = self.unit_of_work.run(lambda tx: read_houses(tx, community_id))
        report = _begin(parsed)
        for rows in _chunks(parsed.readings):
            report.add(self._take(actor, community_id, houses, parsed, rows))
        return report

    def write(
        self,
        actor: Actor,
        community_id: int,
        batch_id: int,
        parsed: ReadingSheet,
        progress: Progress = lambda _done, _total: None,
    ) -> ReadingImportReport:
        """Write a sheet into its open batch, chunk by chunk, and end the batch.

        In a batch that was cut off what is there already is found unchanged.
        """
        actor.must(Permission.READ_METERS)
        houses = self.unit_of_work.run(lambda tx: read_houses(tx, community_id))
        report, done = _begin(parsed, batch_id), 0
        for rows in _chunks(parsed.readings):
            done += len(rows)
            report.add(
                self._take(
                    actor, community_id, houses, parsed, rows, batch_id=batch_id, rows_done=done
                )
            )
            progress(done, len(parsed.readings))
        self.unit_of_work.run(lambda tx: _close(tx, actor, community_id, report))
        return report

    def _take(
        self,
        actor: Actor,
        community_id: int,
        houses: Mapping[HouseKey, int],
        sheet: ReadingSheet,
        rows: Sequence[SheetReading],
        *,
        batch_id: int | None = None,
        rows_done: int = 0,
    ) -> ChunkPlan:
        """Plan some rows, and for a batch carry the plan out in the same transaction."""
        may_register = Permission.MANAGE_METERS in actor.permissions

        def work(tx: Transaction) -> ChunkPlan:
            locks = batch_id is not None
            plan = plan_chunk(
                tx, community_id, houses, sheet, rows, locks=locks, may_register=may_register
            )
            if batch_id is not None:
                step = Step()
                write_chunk(tx, actor, plan, step)
                keep_step(tx, batch_id, step, rows_done=rows_done)
            return plan

        return self.unit_of_work.run(work)


def _begin(sheet: ReadingSheet, batch_id: int | None = None) -> ReadingImportReport:
    return ReadingImportReport(sheet.row_count, problems=list(sheet.problems), batch_id=batch_id)


def _close(tx: Transaction, actor: Actor, community_id: int, report: ReadingImportReport) -> None:
    batch_id = report.batch_id or 0
    made, _ = count_steps(tx, batch_id)
    close_batch(
        tx,
        actor,
        community_id,
        batch_id,
        counts={
            "meters_new": made.get("meter", 0),
            "readings_new": made.get("meter_reading", 0),
            "unchanged": report.unchanged,
            "warnings": len(report.warnings),
        },
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
