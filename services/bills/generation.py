"""The bill run: every house of a community for every item of a batch, in bulk and re-runnable."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import RowMapping, delete, func, select, text, update

from domain.actors import Actor, Permission
from domain.bill_states import BatchState, BillState, check_batch_move
from domain.charges import ChargedLine, ChargeMethod, Charger, Price, PriceMissing, Terms
from domain.errors import NotFound
from domain.money import Rounding
from domain.periods import LiableFromRule, Proration, Span
from models import (
    Bill,
    BillBatch,
    BillBatchItem,
    BillException,
    Community,
    FeeItem,
    FeeStandard,
    House,
)
from services.audit import record
from services.numbers import take_numbers
from services.unit_of_work import Transaction, UnitOfWork

CHUNK_HOUSES = 5_000
"""Houses per transaction: bounds memory and how much work a crash can cost."""

_HOUSES = text(
    """
    SELECT id, billing_area, fee_coefficient, handover_date FROM house
     WHERE community_id = :community_id AND id > :after_id ORDER BY id LIMIT :limit
    """
)
_BILLED = text(
    """
    SELECT house_id, fee_item_id FROM bill
     WHERE house_id BETWEEN :first_id AND :last_id AND period_from = :period_from
       AND fee_item_id = ANY(:item_ids) AND state NOT IN ('cancelled', 'voided')
    """
)
_NEXT_IDS = text("SELECT nextval('bill_id_seq') FROM generate_series(1, :count)")

Progress = Callable[[int, int], None]
"""Called with houses done and houses in all after each chunk."""


class BatchBusy(Exception):
    """Another process is generating this batch right now. Not a refusal: there is nothing to do."""


@dataclass(frozen=True, slots=True)
class _Item:
    id: int
    code: str
    window: tuple[Any, Any]
    issue_offset_days: int
    due_days: int
    charger: Charger


@dataclass(frozen=True, slots=True)
class _Run:
    """What is the same for all chunks of one run."""

    batch_id: int
    community_id: int
    community_code: str
    liable_from_rule: LiableFromRule
    period: Span
    items: Sequence[_Item]
    houses_total: int


@dataclass(slots=True)
class _Chunk:
    """What one chunk computed, ready to be copied."""

    charged: list[tuple[int, _Item, list[ChargedLine]]] = field(default_factory=list)
    exceptions: list[tuple[int, int, str]] = field(default_factory=list)


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
            BatchBusy: another run is on it.

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
            with suppress(BatchBusy):
                self._generate(actor, batch_id, lambda _done, _total: None)
                resumed += 1
        return resumed

    def _generate(self, actor: Actor, batch_id: int, progress: Progress) -> int:
        with self.unit_of_work.exclusive(f"generate:{batch_id}") as is_ours:
            if not is_ours:
                raise BatchBusy
            run = self.unit_of_work.run(lambda tx: _begin(tx, actor, batch_id))
            made, done, after_id = 0, 0, 0
            while True:
                count, houses, after_id = self._chunk(run, after_id, done)
                if not houses:
                    break
                made, done = made + count, done + houses
                progress(done, run.houses_total)
            self.unit_of_work.run(lambda tx: _finish(tx, actor, run))
        return made

    def _chunk(self, run: _Run, after_id: int, done: int) -> tuple[int, int, int]:
        """Do the next chunk; tell bills made, houses seen and the last house's id."""

        def work(tx: Transaction) -> tuple[int, int, int]:
            if _lock(tx, run.batch_id).state != BatchState.GENERATING:
                raise BatchBusy  # Cancelled meanwhile.
            # Taking no number locks the month's series: runs of the same month go one by one, so
            # what is billed already cannot change until this chunk commits.
            take_numbers(tx, community_id=run.community_id, series=_series(run), count=0)
            houses = (
                tx.session.execute(
                    _HOUSES,
                    {
                        "community_id": run.community_id,
                        "after_id": after_id,
                        "limit": CHUNK_HOUSES,
                    },
                )
                .mappings()
                .all()
            )
            if not houses:
                return 0, 0, after_id
            chunk = _charge(run, houses, _read_billed(tx, run, houses))
            _write(tx, run, chunk)
            tx.session.execute(
                update(BillBatch)
                .where(BillBatch.id == run.batch_id)
                .values(houses_done=done + len(houses))
            )
            return len(chunk.charged), len(houses), houses[-1]["id"]

        return self.unit_of_work.run(work)


def _lock(tx: Transaction, batch_id: int) -> BillBatch:
    batch = tx.session.execute(
        select(BillBatch).where(BillBatch.id == batch_id).with_for_update()
    ).scalar_one_or_none()
    if batch is None:
        raise NotFound
    return batch


def _begin(tx: Transaction, actor: Actor, batch_id: int) -> _Run:
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
    tx.session.execute(delete(BillException).where(BillException.batch_id == batch_id))
    batch.houses_total = tx.session.execute(
        select(func.count()).select_from(House).where(House.community_id == batch.community_id)
    ).scalar_one()
    community = tx.session.get_one(Community, batch.community_id)
    return _Run(
        batch_id=batch.id,
        community_id=community.id,
        community_code=community.code,
        liable_from_rule=LiableFromRule(community.liable_from_rule),
        period=Span(batch.period_from, batch.period_until),
        items=_read_items(tx, batch_id),
        houses_total=batch.houses_total,
    )


def _read_items(tx: Transaction, batch_id: int) -> list[_Item]:
    items = tx.session.scalars(
        select(FeeItem)
        .join(BillBatchItem, BillBatchItem.fee_item_id == FeeItem.id)
        .where(BillBatchItem.batch_id == batch_id)
        .order_by(FeeItem.id)
    ).all()
    prices: dict[int, list[Price]] = {item.id: [] for item in items}
    for row in tx.session.scalars(
        select(FeeStandard)
        .where(FeeStandard.fee_item_id.in_(prices))
        .order_by(FeeStandard.priced_from)
    ):
        prices[row.fee_item_id].append(Price(row.unit_price, row.priced_from, row.priced_until))
    return [
        _Item(
            id=item.id,
            code=item.code,
            window=(item.starts_on, item.ends_on),
            issue_offset_days=item.issue_offset_days,
            due_days=item.due_days,
            charger=Charger(
                Terms(
                    method=ChargeMethod(item.charge_method),
                    prices=tuple(prices[item.id]),
                    rounding=Rounding(item.rounding),
                    proration=Proration(item.proration),
                )
            ),
        )
        for item in items
    ]


def _series(run: _Run) -> str:
    return f"bill:{run.period.starts_on:%Y%m}"


def _read_billed(tx: Transaction, run: _Run, houses: Sequence[RowMapping]) -> set[tuple[int, int]]:
    rows = tx.session.execute(
        _BILLED,
        {
            "first_id": houses[0]["id"],
            "last_id": houses[-1]["id"],
            "period_from": run.period.starts_on,
            "item_ids": [item.id for item in run.items],
        },
    )
    return {(house_id, item_id) for house_id, item_id in rows}


def _charge(run: _Run, houses: Sequence[RowMapping], billed: set[tuple[int, int]]) -> _Chunk:
    chunk = _Chunk()
    for house in houses:
        house_id: int = house["id"]
        area: Decimal = house["billing_area"]
        coefficient: Decimal = house["fee_coefficient"]
        handover_date = house["handover_date"]
        for item in run.items:
            if (house_id, item.id) in billed:
                continue
            if handover_date is None:
                chunk.exceptions.append((house_id, item.id, "没有交付日期，无法确定起费日"))
                continue
            starts_on, ends_on = item.window
            liable = run.period.within(starts_on=starts_on, ends_before=ends_on).within(
                starts_on=run.liable_from_rule.liable_from(handover_date), ends_before=None
            )
            if not liable:
                continue
            try:
                lines = item.charger.charge(liable, area=area, coefficient=coefficient)
            except PriceMissing as missing:
                chunk.exceptions.append((house_id, item.id, f"{missing.days} 没有价格"))
                continue
            chunk.charged.append((house_id, item, lines))
    return chunk


def _write(tx: Transaction, run: _Run, chunk: _Chunk) -> None:
    count = len(chunk.charged)
    if count:
        first = take_numbers(tx, community_id=run.community_id, series=_series(run), count=count)
        bill_ids = tx.session.scalars(_NEXT_IDS, {"count": count}).all()
        tx.copy_text(
            "bill",
            "id community_id batch_id house_id fee_item_id bill_no period_from period_until"
            " issue_date due_date state amount_fen",
            _bill_rows(run, chunk, bill_ids, first),
        )
        tx.copy_text("bill_line", "bill_id line_no amount_fen trace", _line_rows(chunk, bill_ids))
    if chunk.exceptions:
        tx.copy_text(
            "bill_exception",
            "batch_id house_id fee_item_id why",
            (f"{run.batch_id}\t{house}\t{item}\t{why}\n" for house, item, why in chunk.exceptions),
        )


def _bill_rows(run: _Run, chunk: _Chunk, bill_ids: Sequence[int], first: int) -> Iterator[str]:
    heads = {
        item.id: f"{run.community_code}{run.period.starts_on:%Y%m}{item.code}" for item in run.items
    }
    before = f"{run.community_id}\t{run.batch_id}"
    after: dict[int, str] = {}
    for item in run.items:
        issue = run.period.ends_before + timedelta(days=item.issue_offset_days)
        due = issue + timedelta(days=item.due_days)
        after[item.id] = (
            f"{run.period.starts_on}\t{run.period.ends_before}\t{issue}\t{due}"
            f"\t{BillState.PENDING_REVIEW}"
        )
    for number, (bill_id, (house_id, item, lines)) in enumerate(
        zip(bill_ids, chunk.charged, strict=True), start=first
    ):
        amount_fen = sum(line.amount_fen for line in lines)
        yield (
            f"{bill_id}\t{before}\t{house_id}\t{item.id}\t{heads[item.id]}{number:06d}"
            f"\t{after[item.id]}\t{amount_fen}\n"
        )


def _line_rows(chunk: _Chunk, bill_ids: Sequence[int]) -> Iterator[str]:
    # A trace holds numbers, dates and our own words only: nothing that COPY would want escaped.
    for bill_id, (_, _, lines) in zip(bill_ids, chunk.charged, strict=True):
        for line_no, line in enumerate(lines, start=1):
            yield f"{bill_id}\t{line_no}\t{line.amount_fen}\t{line.trace}\n"


def _finish(tx: Transaction, actor: Actor, run: _Run) -> None:
    batch = _lock(tx, run.batch_id)
    check_batch_move(BatchState(batch.state), BatchState.PENDING_REVIEW)
    batch.bill_count, batch.amount_fen = tx.session.execute(
        select(func.count(), func.coalesce(func.sum(Bill.amount_fen), 0)).where(
            Bill.batch_id == run.batch_id, Bill.state == BillState.PENDING_REVIEW
        )
    ).one()
    batch.state = BatchState.PENDING_REVIEW
    record(
        tx,
        actor,
        "batch_generated",
        subject_type="bill_batch",
        subject_id=batch.id,
        community_id=batch.community_id,
        facts={"bill_count": batch.bill_count, "amount_fen": int(batch.amount_fen)},
    )
