"""Taking the sheet 车位: a dry run that tells all, then a run that can be repeated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from domain.actors import Actor, Permission
from domain.imports import ImportKind
from domain.sheets import Problem
from domain.space_sheet import SheetSpace, SpaceSheet, read_space_sheet
from services.imports.at_once import SheetTaker
from services.imports.batches import (
    Progress,
    analyze,
    close_batch,
)
from services.imports.space_plans import (
    SpacePlan,
    plan_spaces,
    read_spaces_on_file,
    write_spaces,
)
from services.imports.steps import Step, count_steps, keep_step
from services.ports import Sheet
from services.unit_of_work import Transaction

CHUNK_SPACES = 1_000
"""Spaces per transaction: bounds how much a crash can cost."""


@dataclass(frozen=True, slots=True)
class SpaceImportReport:
    """What an import does, or in a dry run would do, and every problem of the sheet."""

    row_count: int
    spaces_new: int
    spaces_changed: int
    unchanged: int
    cars_new: int
    problems: tuple[Problem, ...]
    batch_id: int | None = None

    @property
    def foreseen(self) -> dict[str, int]:
        """What it comes to; ``new``, ``changed`` and ``unchanged`` are spaces."""
        return {
            "rows": self.row_count,
            "new": self.spaces_new,
            "changed": self.spaces_changed,
            "unchanged": self.unchanged,
            "cars_new": self.cars_new,
        }


@dataclass(frozen=True)
class ParkingSpaceImport(SheetTaker[SpaceSheet, SpaceImportReport]):
    """Takes clerks' sheets of parking spaces.

    Spaces are found again by their number, cars by their plate, who uses a space by a phone that is
    on file.
    """

    kind = ImportKind.SPACES

    def read(self, sheet: Sheet) -> SpaceSheet:
        """Read the rows of a sheet.

        Raises:
            HeaderMissing: there is no header.
        """
        return read_space_sheet(sheet.rows)

    def foresee(self, actor: Actor, community_id: int, parsed: SpaceSheet) -> SpaceImportReport:
        """Compare a sheet with what is on file."""
        actor.must(Permission.IMPORT_OWNERS)
        on_file = self.unit_of_work.run(lambda tx: read_spaces_on_file(tx, community_id))
        return _report(parsed, plan_spaces(parsed, on_file))

    def write(
        self,
        actor: Actor,
        community_id: int,
        batch_id: int,
        parsed: SpaceSheet,
        progress: Progress = lambda _done, _total: None,
    ) -> SpaceImportReport:
        """Write a sheet into its open batch, chunk by chunk, and end the batch.

        A batch that was cut off goes on where its spaces differ from the sheet.
        """
        actor.must(Permission.IMPORT_OWNERS)
        on_file = self.unit_of_work.run(lambda tx: read_spaces_on_file(tx, community_id))
        plan = plan_spaces(parsed, on_file)
        wanting = [space for space in plan.spaces if plan.has_work(space)]
        done = len(plan.spaces) - len(wanting)
        for start in range(0, len(wanting), CHUNK_SPACES):
            chunk = wanting[start : start + CHUNK_SPACES]
            done += len(chunk)

            def work(
                tx: Transaction, chunk: Sequence[SheetSpace] = chunk, rows_done: int = done
            ) -> None:
                step = Step()
                write_spaces(tx, actor, community_id, on_file, plan, chunk, step)
                keep_step(tx, batch_id, step, rows_done=rows_done)

            self.unit_of_work.run(work)
            progress(done, len(plan.spaces))
        report = _report(parsed, plan, batch_id)
        self.unit_of_work.run(lambda tx: _close(tx, actor, community_id, report))
        return report


def _report(sheet: SpaceSheet, plan: SpacePlan, batch_id: int | None = None) -> SpaceImportReport:
    touched = (plan.changed.keys() | plan.cars_new.keys() | plan.cars_moved.keys()) - plan.new
    return SpaceImportReport(
        row_count=sheet.row_count,
        spaces_new=len(plan.new),
        spaces_changed=len(touched),
        unchanged=len(plan.spaces) - len(plan.new) - len(touched),
        cars_new=sum(len(plates) for plates in plan.cars_new.values()),
        problems=tuple(plan.problems),
        batch_id=batch_id,
    )


def _close(tx: Transaction, actor: Actor, community_id: int, report: SpaceImportReport) -> None:
    batch_id = report.batch_id or 0
    made, changed = count_steps(tx, batch_id)
    close_batch(
        tx,
        actor,
        community_id,
        batch_id,
        counts={
            "spaces_new": made.get("parking_space", 0),
            "spaces_changed": changed.get("parking_space", 0),
            "cars_new": made.get("car", 0),
        },
        problems=report.problems,
    )
    analyze(tx, "parking_space", "car")
