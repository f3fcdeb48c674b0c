"""One bill run: what it charges, and how a chunk is written out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from domain.bill_states import BillState
from domain.charges import ChargeMethod
from domain.periods import LiableFromRule, Span, add_months
from domain.tiers import TierWindow, window_start
from models import BillBatch, BillBatchItem, Community
from services.bills.charging import Charging
from services.bills.house_facts import Wanted, count_households
from services.bills.methods import RunFacts
from services.bills.plans import Chunk, Plan
from services.bills.pools import read_shares
from services.bills.run_items import RunItem, read_run_items
from services.numbers import take_numbers
from services.unit_of_work import Transaction

_NEXT_IDS = text("SELECT array_agg(nextval('bill_id_seq')) FROM generate_series(1, :count)")


def bill_series(month: Span) -> str:
    """Name the number series of a month's bills."""
    return f"bill:{month.starts_on:%Y%m}"


@dataclass(frozen=True, slots=True)
class Run:
    """What is the same for all chunks of one run."""

    batch_id: int
    community_id: int
    community_code: str
    month: Span
    charging: Charging
    wanted: Wanted
    houses_total: int
    next_number: int
    """The number that the first bill will have, if nobody else takes one of the series."""

    @property
    def series(self) -> str:
        """The number series of the month's bills."""
        return bill_series(self.month)


def make_run(
    tx: Transaction, batch: BillBatch, community: Community, *, counts_own_bills: bool
) -> Run:
    """Read everything that a run needs besides its houses.

    With ``counts_own_bills`` the batch's own bills count as billed, so that only gaps are filled.
    """
    month = Span(batch.period_from, batch.period_until)
    item_ids = list(
        tx.session.scalars(
            select(BillBatchItem.fee_item_id).where(BillBatchItem.batch_id == batch.id)
        )
    )
    items = read_run_items(tx.session, item_ids)
    rule = LiableFromRule(community.liable_from_rule)
    charging = make_charging(
        tx.session,
        community.id,
        month,
        items,
        rule,
        houses_total=count_households(tx.session, community.id, month),
    )
    return Run(
        batch_id=batch.id,
        community_id=community.id,
        community_code=community.code,
        month=month,
        charging=charging,
        wanted=want(community.id, month, items, apart_from=0 if counts_own_bills else batch.id),
        houses_total=batch.houses_total,
        next_number=take_numbers(tx, community_id=community.id, series=bill_series(month), count=0),
    )


def make_charging(
    session: Session,
    community_id: int,
    month: Span,
    items: Sequence[RunItem],
    rule: LiableFromRule,
    *,
    houses_total: int,
) -> Charging:
    """Make ready to charge some items for a month."""
    shared = [item.row for item in items if item.method is ChargeMethod.SHARE]
    shares = {}
    if shared:
        shares = read_shares(
            session, community_id=community_id, items=shared, month=month, rule=rule
        )
    return Charging(
        month=month,
        items=items,
        liable_from_rule=rule,
        facts=RunFacts(houses_total, shares),
    )


def want(community_id: int, month: Span, items: Sequence[RunItem], *, apart_from: int) -> Wanted:
    """Tell which facts the items depend on: days reach over every period the month may bill."""
    longest = max((item.cycle.months for item in items), default=1)
    days = Span(add_months(month.starts_on, -longest), add_months(month.starts_on, longest + 1))
    kinds = {str(item.meter_kind) for item in items if item.meter_kind}
    return Wanted(
        community_id=community_id,
        item_ids=[item.id for item in items],
        days=days,
        month=month,
        looks_at_vacancy=any(item.splits_at_vacancy for item in items),
        meter_kinds=sorted(kinds),
        metered_item_ids=[item.id for item in items if item.meter_kind],
        readings_from=_readings_from(items, days, month),
        one_off_item_ids=[item.id for item in items if item.method is ChargeMethod.ONE_OFF],
        apart_from_batch=apart_from,
    )


def _readings_from(items: Sequence[RunItem], days: Span, month: Span) -> date:
    """Tell from which day on readings count: the first period's, or its tier window's."""
    starts = [month.starts_on]
    for item in items:
        if item.meter_kind is None:
            continue
        first = month.starts_on if item.cycle.months == 1 and _is_calendar(item) else days.starts_on
        starts.append(first)
        if item.usage is not None and item.usage.terms.window is TierWindow.YEAR:
            starts.append(window_start(TierWindow.YEAR, first, item.usage.terms.window_from_month))
    return min(starts)


def _is_calendar(item: RunItem) -> bool:
    return item.row.cycle_anchor == "calendar"


def reserve_ids(session: Session, chunk: Chunk) -> list[int]:
    """Take an id for every bill of the chunk; ids, unlike numbers, may have gaps."""
    if not chunk.bills:
        return []
    return list(session.execute(_NEXT_IDS, {"count": len(chunk.bills)}).scalar_one())


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
    if chunk.bills:
        first_number = take_numbers(
            tx, community_id=run.community_id, series=run.series, count=len(chunk.bills)
        )
        if first_number != rendered.first_number:
            rendered = render_chunk(run, chunk, rendered.bill_ids, first_number)
        tx.copy_text(
            "bill",
            "id community_id batch_id house_id fee_item_id bill_no period_from period_until"
            " issue_date due_date state amount_fen sequence",
            [rendered.bills],
        )
        tx.copy_text("bill_line", "bill_id line_no kind amount_fen trace", [rendered.lines])
    if chunk.exceptions:
        tx.copy_text(
            "bill_exception",
            "batch_id house_id fee_item_id why",
            (
                f"{run.batch_id}\t{house}\t{item}\t{_one_line(why)}\n"
                for house, item, why in _once_each(chunk.exceptions)
            ),
        )


def _once_each(exceptions: Sequence[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """Join the reasons of a house and item into one row."""
    reasons: dict[tuple[int, int], list[str]] = {}
    for house_id, item_id, why in exceptions:
        reasons.setdefault((house_id, item_id), []).append(why)
    return [(*key, "；".join(dict.fromkeys(why))) for key, why in reasons.items()]


def _one_line(why: str) -> str:
    """Write words so that COPY takes them as they are."""
    return " ".join(why.split()).replace("\\", "\\\\")


def _bill_rows(run: Run, chunk: Chunk, bill_ids: Sequence[int], first: int) -> Iterator[str]:
    before = f"{run.community_id}\t{run.batch_id}"
    heads: dict[int, tuple[str, str]] = {}
    number = first
    for bill_id, bill in zip(bill_ids, chunk.bills, strict=True):
        house_id, plan, charged, sequence, period = bill
        head = heads.get(id(plan))
        if head is None or period is not None:
            head = heads[id(plan)] = _head(run, plan, period)
        yield (
            f"{bill_id}\t{before}\t{house_id}\t{head[0]}{number:06d}"
            f"{head[1]}{charged[0]}\t{sequence}\n"
        )
        number += 1


def _head(run: Run, plan: Plan, period: Span | None) -> tuple[str, str]:
    """Write what all bills of a plan have in common: before the number, and after it."""
    row = plan.item.row
    period = period or plan.period
    before = f"{row.id}\t{run.community_code}{run.month.starts_on:%Y%m}{row.code}"
    after = (
        f"\t{period.starts_on}\t{period.ends_before}\t{plan.issue_date}\t{plan.due_date}"
        f"\t{BillState.PENDING_REVIEW}\t"
    )
    return before, after


def _line_rows(chunk: Chunk, bill_ids: Sequence[int]) -> Iterator[str]:
    for bill_id, bill in zip(bill_ids, chunk.bills, strict=True):
        for row in bill[2][2]:
            yield f"{bill_id}{row}"
