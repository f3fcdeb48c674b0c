"""Taking the sheet 房屋业主: a dry run that tells all, then a run that can be repeated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from domain.actors import Actor, Permission
from domain.house_sheet import HouseSheet, SheetHouse, read_house_sheet
from domain.imports import ImportKind
from domain.periods import local_date
from services.accounts import bind_houses
from services.imports.at_once import SheetTaker
from services.imports.batches import (
    Progress,
    analyze,
    close_batch,
)
from services.imports.plans import (
    ImportReport,
    OnFile,
    Plan,
    has_work,
    plan_import,
    read_on_file,
    report_plan,
)
from services.imports.steps import Step, count_steps, keep_step
from services.imports.writing import write_houses, write_people
from services.ports import Sheet
from services.unit_of_work import Transaction

CHUNK_HOUSES = 2_000
"""Houses per transaction: bounds how much a crash can cost."""


@dataclass(frozen=True)
class HouseOwnerImport(SheetTaker[HouseSheet, ImportReport]):
    """Takes clerks' sheets of houses and owners.

    Houses are found again by building, unit and room number, owners by phone. Accounts that signed
    in earlier with a phone of the sheet are bound to their houses.
    """

    kind = ImportKind.OWNERS

    def read(self, sheet: Sheet) -> HouseSheet:
        """Read the rows of a sheet.

        Raises:
            HeaderMissing: there is no header.
        """
        return read_house_sheet(sheet.rows, today=local_date(self.unit_of_work.clock.now()))

    def foresee(self, actor: Actor, community_id: int, parsed: HouseSheet) -> ImportReport:
        """Compare a sheet with what is on file."""
        actor.must(Permission.IMPORT_OWNERS)
        on_file = self.unit_of_work.run(lambda tx: read_on_file(tx, community_id))
        return report_plan(parsed, plan_import(parsed, on_file))

    def write(
        self,
        actor: Actor,
        community_id: int,
        batch_id: int,
        parsed: HouseSheet,
        progress: Progress = lambda _done, _total: None,
    ) -> ImportReport:
        """Write a sheet into its open batch, chunk by chunk, and end the batch.

        A batch that was cut off goes on where its houses differ from the sheet.
        """
        actor.must(Permission.IMPORT_OWNERS)
        on_file = self.unit_of_work.run(lambda tx: read_on_file(tx, community_id))
        plan = plan_import(parsed, on_file)
        wanting = [house for house in plan.houses if has_work(plan, house)]
        total = len(plan.houses)
        done = total - len(wanting)
        for chunk in _chunks(wanting):
            done += len(chunk)
            self._write(actor, community_id, batch_id, on_file, plan, chunk, done)
            progress(done, total)
        report = report_plan(parsed, plan, batch_id)
        self.unit_of_work.run(lambda tx: _close_batch(tx, actor, community_id, report))
        return report

    def _write(
        self,
        actor: Actor,
        community_id: int,
        batch_id: int,
        on_file: OnFile,
        plan: Plan,
        chunk: Sequence[SheetHouse],
        done: int,
    ) -> None:
        """Write a chunk; what it added is on file after it, and a retry starts from before."""

        def work(tx: Transaction) -> tuple[dict[str, int], dict[str, tuple[int, str]]]:
            before = replace(on_file, buildings=dict(on_file.buildings))
            step = Step()
            house_ids = write_houses(tx, actor, community_id, before, plan, chunk, step)
            owners = write_people(tx, community_id, before, plan, chunk, house_ids, step)
            keep_step(tx, batch_id, step, rows_done=done)
            return before.buildings, owners

        buildings, owners = self.unit_of_work.run(work)
        on_file.buildings.update(buildings)
        on_file.owners.update(owners)


def _chunks(houses: Sequence[SheetHouse]) -> Iterator[Sequence[SheetHouse]]:
    for start in range(0, len(houses), CHUNK_HOUSES):
        yield houses[start : start + CHUNK_HOUSES]


def _close_batch(tx: Transaction, actor: Actor, community_id: int, report: ImportReport) -> None:
    batch_id = report.batch_id or 0
    bound = bind_houses(tx, actor, community_id=community_id)
    made, changed = count_steps(tx, batch_id)
    close_batch(
        tx,
        actor,
        community_id,
        batch_id,
        counts={
            "houses_new": made.get("house", 0),
            "houses_changed": changed.get("house", 0),
            "owners_new": made.get("owner", 0),
            "people_new": made.get("house_person", 0),
            "accounts_bound": bound,
        },
        problems=report.problems,
    )
    analyze(tx, "house", "owner", "house_person")
