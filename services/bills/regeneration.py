"""Correcting a batch under review: what is computed anew is compared, and only changes move."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import text, update

from domain.actors import Actor, Permission
from domain.bill_states import BillState
from domain.errors import InvalidInput
from models import Bill
from services.audit import record
from services.bills.freshness import content_of, key_of, read_made
from services.bills.generation import (
    CHUNK_HOUSES,
    BatchBusy,
    Progress,
    begin,
    fail,
    finish,
    note_progress,
    run_name,
)
from services.bills.house_facts import House, read_chosen_houses, read_facts, read_houses
from services.bills.plans import Chunk, MadeBill
from services.bills.runs import Run, render_chunk, reserve_ids, write_chunk
from services.scopes import find_batch
from services.unit_of_work import Transaction, UnitOfWork

_DROP_EXCEPTIONS = text(
    "DELETE FROM bill_exception WHERE batch_id = :batch_id AND house_id = ANY(:house_ids)"
)


@dataclass(frozen=True, slots=True)
class Regenerated:
    """What computing a batch anew did; ``kept`` bills have their old numbers."""

    kept: int
    changed: int
    added: int
    removed: int


@dataclass(frozen=True)
class Regeneration:
    """Makes a batch under review agree with what is on file now."""

    unit_of_work: UnitOfWork

    def regenerate(
        self,
        *,
        actor: Actor,
        batch_id: int,
        house_ids: Sequence[int] = (),
        progress: Progress = lambda _done, _total: None,
    ) -> Regenerated:
        """Compute the batch anew, for all houses or the named ones, after base data was corrected.

        A bill that comes out the same stays with its number; one that differs is cancelled and
        made again under the next number; one whose reason is gone is cancelled. A run that is cut
        off leaves the batch ``generating``, and the sweep fills the gaps.

        Raises:
            NotFound, BatchCannotMove: no such batch, or it is approved or published.
            BatchBusy: another run of this community is going on.
            InvalidInput: a named house is not of the community.
        """
        actor.must(Permission.GENERATE_BILLS)
        with self.unit_of_work.reading() as session:
            batch = find_batch(session, actor, batch_id)
        chosen = sorted(set(house_ids))
        with self.unit_of_work.reading() as session:
            if len(read_chosen_houses(session, batch.community_id, chosen)) != len(chosen):
                raise InvalidInput(fields={"house_ids": ["有房屋不属于这个小区"]})
        with self.unit_of_work.exclusive(run_name(batch)) as is_ours:
            if not is_ours:
                raise BatchBusy
            run = self.unit_of_work.run(
                lambda tx: begin(tx, actor, batch_id, counts_own_bills=False, keeps_exceptions=True)
            )
            try:
                done = self._run_chunks(run, chosen, progress)
            except BatchBusy:
                raise
            except Exception:
                self.unit_of_work.run(lambda tx: fail(tx, actor, run))
                raise
            self.unit_of_work.run(lambda tx: _finish(tx, actor, run, done))
        return done

    def _run_chunks(self, run: Run, chosen: list[int], progress: Progress) -> Regenerated:
        kept = changed = added = removed = done = 0
        for houses in self._chunks(run, chosen):
            one = self.unit_of_work.run(lambda tx, houses=houses: _redo(tx, run, houses))  # type: ignore[misc]
            kept, changed = kept + one.kept, changed + one.changed
            added, removed = added + one.added, removed + one.removed
            done += len(houses)
            progress(done, len(chosen) or run.houses_total)
        return Regenerated(kept, changed, added, removed)

    def _chunks(self, run: Run, chosen: list[int]) -> Iterator[list[House]]:
        if chosen:
            with self.unit_of_work.reading() as session:
                houses = read_chosen_houses(session, run.community_id, chosen)
            yield houses
            return
        after_id = 0
        while True:
            with self.unit_of_work.reading() as session:
                houses = read_houses(
                    session, run.community_id, after_id=after_id, limit=CHUNK_HOUSES
                )
            if not houses:
                return
            yield houses
            after_id = houses[-1].id


def _redo(tx: Transaction, run: Run, houses: list[House]) -> Regenerated:
    """Compute some houses anew and replace what differs."""
    session = tx.session
    house_ids = [house.id for house in houses]
    note_progress(tx, run)
    session.execute(_DROP_EXCEPTIONS, {"batch_id": run.batch_id, "house_ids": house_ids})
    old = read_made(session, run.batch_id, houses)
    chunk = run.charging.charge(read_facts(session, run.wanted, houses))
    fresh: list[MadeBill] = []
    kept = changed = 0
    for bill in chunk.bills:
        known = old.pop(key_of(bill), None)
        if known is not None and known[2] == content_of(bill):
            kept += 1
            continue
        if known is not None:
            changed += 1
            _cancel(tx, known[0])
        fresh.append(bill)
    for bill_id, _, _ in old.values():
        _cancel(tx, bill_id)
    rest = Chunk(chunk.house_count, fresh, chunk.exceptions)
    bill_ids = reserve_ids(session, rest)
    write_chunk(tx, run, render_chunk(run, rest, bill_ids, 0))
    return Regenerated(kept, changed, len(fresh) - changed, len(old))


def _cancel(tx: Transaction, bill_id: int) -> None:
    tx.session.execute(
        update(Bill)
        .where(Bill.id == bill_id, Bill.state == BillState.PENDING_REVIEW)
        .values(state=BillState.CANCELLED)
    )


def _finish(tx: Transaction, actor: Actor, run: Run, done: Regenerated) -> None:
    finish(tx, actor, run)
    record(
        tx,
        actor,
        "batch_regenerated",
        subject_type="bill_batch",
        subject_id=run.batch_id,
        community_id=run.community_id,
        facts={
            "kept": done.kept,
            "changed": done.changed,
            "added": done.added,
            "removed": done.removed,
        },
    )
