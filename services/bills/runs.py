"""What one bill run knows, and how it charges and writes a chunk of houses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from domain.bill_states import BillState
from domain.charges import (
    PER_HOUSE,
    ChargedLine,
    ChargeMethod,
    Charger,
    Part,
    Price,
    PriceMissing,
    Terms,
    area_basis,
)
from domain.money import Rounding
from domain.periods import LiableFromRule, Proration, Span
from models import BillBatchItem, FeeItem, FeeStandard
from services.numbers import take_numbers
from services.unit_of_work import Transaction

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
_NEXT_IDS = text("SELECT array_agg(nextval('bill_id_seq')) FROM generate_series(1, :count)")

_NO_HANDOVER = "没有交付日期，无法确定起费日"


def bill_series(period: Span) -> str:
    """Name the number series of a period's bills."""
    return f"bill:{period.starts_on:%Y%m}"


House = tuple[int, Decimal, Decimal, date | None]
"""Id, billing area, coefficient, hand-over date."""


@dataclass(frozen=True, slots=True)
class RunItem:
    """An item of the batch with all its prices."""

    id: int
    code: str
    starts_on: date
    ends_on: date | None
    issue_offset_days: int
    due_days: int
    charger: Charger


@dataclass(frozen=True, slots=True)
class Run:
    """What is the same for all chunks of one run."""

    batch_id: int
    community_id: int
    community_code: str
    liable_from_rule: LiableFromRule
    period: Span
    items: Sequence[RunItem]
    houses_total: int
    next_number: int
    """The number that the first bill will have, if nobody else takes one of the series."""
    plans: dict[date | None, list[_Plan]] = field(default_factory=dict)

    @property
    def series(self) -> str:
        """The number series of the month's bills."""
        return bill_series(self.period)

    def plan(self, handover_date: date | None) -> list[_Plan]:
        """Tell for each item what houses handed over on that day owe: parts, or why not."""
        plans = self.plans.get(handover_date)
        if plans is None:
            plans = self.plans[handover_date] = [
                plan for item in self.items if (plan := self._plan_item(item, handover_date))
            ]
        return plans

    def _plan_item(self, item: RunItem, handover_date: date | None) -> _Plan | None:
        if handover_date is None:
            return _Plan(item, (), _NO_HANDOVER)
        liable = self.period.within(starts_on=item.starts_on, ends_before=item.ends_on).within(
            starts_on=self.liable_from_rule.liable_from(handover_date), ends_before=None
        )
        if not liable:
            return None
        try:
            return _Plan(item, item.charger.parts(liable), "")
        except PriceMissing as missing:
            return _Plan(item, (), f"{missing.days} 没有价格")


@dataclass(frozen=True, slots=True)
class _Plan:
    item: RunItem
    parts: tuple[Part, ...]
    why_not: str


@dataclass(slots=True)
class Chunk:
    """What was computed for some houses, ready to be written."""

    house_count: int
    charged: list[tuple[int, RunItem, list[ChargedLine]]] = field(default_factory=list)
    exceptions: list[tuple[int, int, str]] = field(default_factory=list)


def read_items(tx: Transaction, batch_id: int) -> list[RunItem]:
    """Read the items that a batch charges, with their prices."""
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
        RunItem(
            id=item.id,
            code=item.code,
            starts_on=item.starts_on,
            ends_on=item.ends_on,
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


def read_houses(session: Session, run: Run, *, after_id: int, limit: int) -> list[House]:
    """Read the next houses by id."""
    found = session.execute(
        _HOUSES, {"community_id": run.community_id, "after_id": after_id, "limit": limit}
    )
    return [(id_, area, coefficient, handover) for id_, area, coefficient, handover in found]


def read_billed(session: Session, run: Run, houses: Sequence[House]) -> set[tuple[int, int]]:
    """Read which of these houses have a live bill for which item already."""
    rows = session.execute(
        _BILLED,
        {
            "first_id": houses[0][0],
            "last_id": houses[-1][0],
            "period_from": run.period.starts_on,
            "item_ids": [item.id for item in run.items],
        },
    )
    return {(house_id, item_id) for house_id, item_id in rows}


def charge_houses(run: Run, houses: Sequence[House], billed: set[tuple[int, int]]) -> Chunk:
    """Compute what the houses owe for every item that they have no bill for.

    Houses that share a hand-over date share the whole work but the multiplication.
    """
    chunk = Chunk(len(houses))
    for house_id, area, coefficient, handover_date in houses:
        by_area = None
        for plan in run.plan(handover_date):
            item = plan.item
            if (house_id, item.id) in billed:
                continue
            if plan.why_not:
                chunk.exceptions.append((house_id, item.id, plan.why_not))
                continue
            if item.charger.is_by_area:
                basis = by_area = by_area or area_basis(area, coefficient)
            else:
                basis = PER_HOUSE
            chunk.charged.append((house_id, item, item.charger.charge_parts(plan.parts, basis)))
    return chunk


def reserve_ids(session: Session, chunk: Chunk) -> list[int]:
    """Take an id for every bill of the chunk; ids, unlike numbers, may have gaps."""
    if not chunk.charged:
        return []
    return list(session.execute(_NEXT_IDS, {"count": len(chunk.charged)}).scalar_one())


@dataclass(frozen=True, slots=True)
class Rendered:
    """A chunk as the text that COPY takes; its bills are numbered from ``first_number``."""

    chunk: Chunk
    bill_ids: list[int]
    first_number: int
    bills: str
    lines: str


def render_chunk(run: Run, chunk: Chunk, bill_ids: list[int], first_number: int) -> Rendered:
    """Write a chunk out as text, so that whoever sends it needs no time to think."""
    return Rendered(
        chunk,
        bill_ids,
        first_number,
        "".join(_bill_rows(run, chunk, bill_ids, first_number)),
        "".join(_line_rows(chunk, bill_ids)),
    )


def write_chunk(tx: Transaction, run: Run, rendered: Rendered) -> None:
    """Take the numbers of the chunk's bills, without a gap, and stream everything in."""
    chunk = rendered.chunk
    if chunk.charged:
        first_number = take_numbers(
            tx, community_id=run.community_id, series=run.series, count=len(chunk.charged)
        )
        if first_number != rendered.first_number:
            rendered = render_chunk(run, chunk, rendered.bill_ids, first_number)
        tx.copy_text(
            "bill",
            "id community_id batch_id house_id fee_item_id bill_no period_from period_until"
            " issue_date due_date state amount_fen",
            [rendered.bills],
        )
        tx.copy_text("bill_line", "bill_id line_no amount_fen trace", [rendered.lines])
    if chunk.exceptions:
        tx.copy_text(
            "bill_exception",
            "batch_id house_id fee_item_id why",
            (f"{run.batch_id}\t{house}\t{item}\t{why}\n" for house, item, why in chunk.exceptions),
        )


def _bill_rows(run: Run, chunk: Chunk, bill_ids: Sequence[int], first: int) -> Iterator[str]:
    period = run.period
    before = f"{run.community_id}\t{run.batch_id}"
    middle: dict[int, str] = {}
    after: dict[int, str] = {}
    for item in run.items:
        issue = period.ends_before + timedelta(days=item.issue_offset_days)
        due = issue + timedelta(days=item.due_days)
        middle[item.id] = f"{item.id}\t{run.community_code}{period.starts_on:%Y%m}{item.code}"
        after[item.id] = (
            f"{period.starts_on}\t{period.ends_before}\t{issue}\t{due}\t{BillState.PENDING_REVIEW}"
        )
    number = first
    for bill_id, (house_id, item, lines) in zip(bill_ids, chunk.charged, strict=True):
        amount_fen = lines[0][0] if len(lines) == 1 else sum(line[0] for line in lines)
        yield (
            f"{bill_id}\t{before}\t{house_id}\t{middle[item.id]}{number:06d}"
            f"\t{after[item.id]}\t{amount_fen}\n"
        )
        number += 1


def _line_rows(chunk: Chunk, bill_ids: Sequence[int]) -> Iterator[str]:
    # A trace holds numbers, dates and our own words only: nothing that COPY would want escaped.
    for bill_id, (_, _, lines) in zip(bill_ids, chunk.charged, strict=True):
        line_no = 1
        for amount_fen, _, trace in lines:
            yield f"{bill_id}\t{line_no}\t{amount_fen}\t{trace}\n"
            line_no += 1
