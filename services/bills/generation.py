"""The bill run: every house of a community for every item of a batch, in bulk and re-runnable."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import delete, func, select, text, update

from domain.actors import Actor, Permission
from domain.bill_states import BatchCannotMove, BatchState, BillState, check_batch_move
from domain.errors import Conflict
from models import Bill, BillBatch, BillException, Community, House
from services.audit import record
from services.bills.house_facts import HouseFacts, read_facts, read_houses
from services.bills.runs import (
    Rendered,
    Run,
    make_run,
    render_chunk,
    reserve_ids,
    write_chunk,
)
from services.collector import resting_collector
from services.scopes import find_batch
from services.tasks import open_task
from services.unit_of_work import Transaction, UnitOfWork

CHUNK_HOUSES = 5_000
"""Houses per transaction: bounds memory and how much work a crash can cost."""

# Only voided bills are looked at, and there are few of them.
_NAME_REPLACED = text(
    """
    UPDATE bill SET replaces_bill_id = replaced.id
      FROM (SELECT DISTINCT ON (house_id, fee_item_id, period_from, sequence)
                   id, house_id, fee_item_id, period_from, sequence
              FROM bill WHERE NOT is_live AND state = 'voided' AND community_id = :community_id
             ORDER BY house_id, fee_item_id, period_from, sequence, id DESC) replaced
     WHERE bill.batch_id = :batch_id AND bill.state = 'pending_review'
       AND bill.replaces_bill_id IS NULL AND bill.house_id = replaced.house_id
       AND bill.fee_item_id = replaced.fee_item_id AND bill.period_from = replaced.period_from
       AND bill.sequence = replaced.sequence
    """
)

Progress = Callable[[int, int], None]
"""Called with houses done and houses in all after each chunk."""


class BatchBusy(Conflict):
    """Another run of the same community and month is going on, or this one was cancelled."""

    code = "batch_busy"
    message = "这个小区这个月的账单正在生成，请等它完成"


@dataclass(frozen=True)
class Generation:
    """Makes the bills of a batch."""

    unit_of_work: UnitOfWork

    def generate(
        self, *, actor: Actor, batch_id: int, progress: Progress = lambda _done, _total: None
    ) -> int:
        """Make the bills that the batch still lacks and return how many were made.

        Houses are read and written in chunks, each in a transaction of its own; a run that was cut
        off goes on where bills are missing, and a second run finds nothing to do. A house that
        cannot be charged becomes an exception row. Lines are computed exactly and rounded once.

        Raises:
            NotFound, BatchCannotMove: no such batch, or not to be generated any more.
            BatchBusy: another run of this community and month is going on.

        Source: domain.md D1, D2, D4.
        """
        actor.must(Permission.GENERATE_BILLS)
        return self._generate(actor, batch_id, progress)

    def resume(self, *, actor: Actor) -> int:
        """Go on with every run that was cut off and return how many were; for the sweep."""
        actor.must(Permission.RUN_PLATFORM_WORK)
        with self.unit_of_work.reading() as session:
            cut_off = session.scalars(
                select(BillBatch.id).where(BillBatch.state == BatchState.GENERATING)
            ).all()
        resumed = 0
        for batch_id in cut_off:
            with suppress(BatchBusy, BatchCannotMove):  # Another run is on it, or just ended it.
                self._generate(actor, batch_id, lambda _done, _total: None)
                resumed += 1
        return resumed

    def _generate(self, actor: Actor, batch_id: int, progress: Progress) -> int:
        with self.unit_of_work.reading() as session:
            batch = find_batch(session, actor, batch_id)
        # While this name is held nobody else bills the month, so what is billed already can be
        # read ahead of the transaction that writes.
        with self.unit_of_work.exclusive(run_name(batch)) as is_ours:
            if not is_ours:
                raise BatchBusy
            run = self.unit_of_work.run(lambda tx: begin(tx, actor, batch_id))
            try:
                made = self._run_chunks(run, progress)
            except BatchBusy:
                raise
            except Exception:
                self.unit_of_work.run(lambda tx: fail(tx, actor, run))
                raise
            self.unit_of_work.run(lambda tx: finish(tx, actor, run))
        return made

    def _run_chunks(self, run: Run, progress: Progress) -> int:
        """Compute a chunk while the next one is read and the one before is written."""
        made, done = 0, 0
        writing: Future[None] | None = None
        with (
            resting_collector(),
            ThreadPoolExecutor(1, thread_name_prefix="read") as reader,
            ThreadPoolExecutor(1, thread_name_prefix="write") as writer,
        ):
            reading = reader.submit(self._read, run, 0)
            while True:
                facts = reading.result()
                if facts.houses:
                    reading = reader.submit(self._read, run, facts.houses[-1].id)
                chunk = run.charging.charge(facts)
                with self.unit_of_work.reading() as session:
                    bill_ids = reserve_ids(session, chunk)
                rendered = render_chunk(run, chunk, bill_ids, run.next_number + made)
                if writing is not None:
                    writing.result()
                    progress(done, run.houses_total)
                if not facts.houses:
                    return made
                made, done = made + len(chunk.bills), done + len(facts.houses)
                writing = writer.submit(self._write, run, rendered, done)

    def _read(self, run: Run, after_id: int) -> HouseFacts:
        with self.unit_of_work.reading() as session:
            houses = read_houses(session, run.community_id, after_id=after_id, limit=CHUNK_HOUSES)
            return read_facts(session, run.wanted, houses)

    def _write(self, run: Run, rendered: Rendered, done: int) -> None:
        def work(tx: Transaction) -> None:
            note_progress(tx, run, houses_done=done)
            write_chunk(tx, run, rendered)

        self.unit_of_work.run(work)


def note_progress(tx: Transaction, run: Run, **progress: int) -> None:
    """Lock the batch and note how far its run is.

    Raises:
        BatchBusy: it was cancelled meanwhile.
    """
    going_on = tx.session.execute(
        update(BillBatch)
        .where(BillBatch.id == run.batch_id, BillBatch.state == BatchState.GENERATING)
        .values(state=BatchState.GENERATING, **progress)
        .returning(BillBatch.id)
    ).scalar_one_or_none()
    if going_on is None:
        raise BatchBusy("这个批次刚被取消")


def run_name(batch: BillBatch) -> str:
    """Name what only one run may do at a time: the bills of a community, whatever the month.

    Periods of several months reach into other months' runs.
    """
    return f"bills:{batch.community_id}"


def _lock(tx: Transaction, batch_id: int) -> BillBatch:
    return tx.session.execute(
        select(BillBatch).where(BillBatch.id == batch_id).with_for_update()
    ).scalar_one()


def begin(
    tx: Transaction,
    actor: Actor,
    batch_id: int,
    *,
    counts_own_bills: bool = True,
    keeps_exceptions: bool = False,
) -> Run:
    """Move a batch to ``generating`` and read what its run needs.

    Raises:
        BatchCannotMove: it is not to be generated any more.
    """
    batch = _lock(tx, batch_id)
    state = BatchState(batch.state)
    if state is BatchState.REJECTED:
        check_batch_move(state, BatchState.DRAFT)
        state = BatchState.DRAFT
    if state is not BatchState.GENERATING:
        check_batch_move(state, BatchState.GENERATING)
        record(
            tx,
            actor,
            "batch_generating",
            subject_type="bill_batch",
            subject_id=batch.id,
            community_id=batch.community_id,
        )
    batch.state = BatchState.GENERATING
    if not keeps_exceptions:
        tx.session.execute(delete(BillException).where(BillException.batch_id == batch_id))
    batch.houses_total = tx.session.execute(
        select(func.count()).select_from(House).where(House.community_id == batch.community_id)
    ).scalar_one()
    batch.houses_done = 0
    community = tx.session.get_one(Community, batch.community_id)
    return make_run(tx, batch, community, counts_own_bills=counts_own_bills)


def fail(tx: Transaction, actor: Actor, run: Run) -> None:
    """Note a run that met an error of ours, so that no sweep repeats it until a person does."""
    batch = _lock(tx, run.batch_id)
    if batch.state != BatchState.GENERATING:
        return
    batch.state = BatchState.FAILED
    record(
        tx,
        actor,
        "batch_failed",
        subject_type="bill_batch",
        subject_id=batch.id,
        community_id=batch.community_id,
    )
    open_task(
        tx,
        kind="bill_run_failed",
        subject=f"batch:{batch.id}",
        title=f"账单批次 {batch.id} 生成失败，请联系维护人员后重新生成",
        community_id=batch.community_id,
    )


def finish(tx: Transaction, actor: Actor, run: Run) -> None:
    """Count what the batch has and hand it to the reviewer."""
    batch = _lock(tx, run.batch_id)
    check_batch_move(BatchState(batch.state), BatchState.PENDING_REVIEW)
    batch.bill_count, batch.amount_fen = tx.session.execute(
        select(func.count(), func.coalesce(func.sum(Bill.amount_fen), 0)).where(
            Bill.batch_id == run.batch_id, Bill.state == BillState.PENDING_REVIEW
        )
    ).one()
    batch.state = BatchState.PENDING_REVIEW
    tx.session.execute(_NAME_REPLACED, {"batch_id": batch.id, "community_id": batch.community_id})
    # Review and publication are set-based: without fresh statistics their plans can be absurd.
    tx.session.execute(text("ANALYZE bill, bill_line"))
    record(
        tx,
        actor,
        "batch_generated",
        subject_type="bill_batch",
        subject_id=batch.id,
        community_id=batch.community_id,
        facts={"bill_count": batch.bill_count, "amount_fen": int(batch.amount_fen)},
    )
