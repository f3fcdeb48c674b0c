"""Importing while somebody stands by, such as at the shell: the same for every kind of sheet."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

from domain.actors import Actor
from domain.imports import PERMISSION_OF, SHEET_OF, ImportKind
from services.collector import resting_collector
from services.imports.batches import (
    Parsed,
    Progress,
    Report,
    importing,
    open_batch,
    reach_community,
    read_kind,
)
from services.ports import Sheet, WorkbookReader
from services.unit_of_work import UnitOfWork

P = TypeVar("P", bound=Parsed)
R = TypeVar("R", bound=Report)


@dataclass(frozen=True)
class SheetTaker(ABC, Generic[P, R]):
    """Takes one kind of sheet; a kind says how its rows are read, compared and written."""

    kind: ClassVar[ImportKind]

    unit_of_work: UnitOfWork
    workbooks: WorkbookReader

    def check(self, *, actor: Actor, community_id: int, content: bytes) -> R:
        """Tell all problems of a workbook and what importing it would do; nothing is written.

        Raises:
            NotFound: no such community, or not one of the actor's.
            InvalidInput: not a workbook, no such sheet, or no header.
        """
        actor.must(PERMISSION_OF[self.kind])
        self.unit_of_work.run(lambda tx: reach_community(tx, actor, community_id))
        with resting_collector():
            return self.foresee(actor, community_id, self._parse(content))

    def carry_out(
        self,
        *,
        actor: Actor,
        community_id: int,
        content: bytes,
        file_name: str,
        progress: Progress = lambda _done, _total: None,
    ) -> R:
        """Import every row without a problem; rows with one are told and left out.

        The same file again changes nothing and a corrected one changes what differs. Written in
        chunks; an import that was cut off is simply started again.

        Raises:
            NotFound, InvalidInput: as in `check`.
            ImportRunning: another import of the community is going on.
        """
        actor.must(PERMISSION_OF[self.kind])
        self.unit_of_work.run(lambda tx: reach_community(tx, actor, community_id))
        with resting_collector(), importing(self.unit_of_work, community_id):
            parsed = self._parse(content)
            batch_id = self.unit_of_work.run(
                lambda tx: open_batch(
                    tx,
                    actor,
                    community_id,
                    SHEET_OF[self.kind],
                    content=content,
                    file_name=file_name,
                    rows_total=parsed.item_count,
                )
            )
            return self.write(actor, community_id, batch_id, parsed, progress)

    @abstractmethod
    def read(self, sheet: Sheet) -> P:
        """Read the rows of a sheet: no database is asked.

        Raises:
            InvalidInput: there is no header.
        """

    @abstractmethod
    def foresee(self, actor: Actor, community_id: int, parsed: P) -> R:
        """Compare a sheet with what is on file; nothing is written."""

    @abstractmethod
    def write(
        self, actor: Actor, community_id: int, batch_id: int, parsed: P, progress: Progress
    ) -> R:
        """Write a sheet into its open batch, chunk by chunk, and end the batch.

        In a batch that was cut off what is there already is found unchanged.
        """

    def _parse(self, content: bytes) -> P:
        return self.read(read_kind(self.workbooks, content, self.kind))
