"""What a house will be charged: the bill runs of coming months on one house, nothing written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from domain.bill_states import BatchState
from domain.charges import ChargeMethod
from domain.periods import LiableFromRule, Span, add_months, calendar_month
from models import BillBatch, BillBatchItem, Community, FeeItem
from services.bills.freshness import Content, Key, content_of, key_of
from services.bills.house_facts import count_households, read_chosen_houses, read_facts
from services.bills.plans import Chunk, MadeBill
from services.bills.run_items import RunItem, read_run_items
from services.bills.runs import make_charging, want

_OPEN = (BatchState.DRAFT, BatchState.GENERATING, BatchState.PENDING_REVIEW, BatchState.REJECTED)


@dataclass(frozen=True, slots=True)
class ComingBill:
    """The first bill of an item over a full period after a day, or why there can be none."""

    period: Span | None
    amount_fen: int
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class DraftBills:
    """What an open batch would hold of a house, by what each bill is for."""

    batch_id: int
    month: Span
    bills: dict[Key, tuple[int, Content]]


def read_items(session: Session, community_id: int) -> list[RunItem]:
    """Read the active items of a community that come again and again."""
    ids = session.scalars(
        select(FeeItem.id).where(
            FeeItem.community_id == community_id,
            FeeItem.is_active,
            FeeItem.charge_method != ChargeMethod.ONE_OFF,
        )
    ).all()
    return read_run_items(session, list(ids))


def foresee(
    session: Session, community: Community, house_id: int, items: Iterable[RunItem], after: date
) -> dict[int, ComingBill]:
    """Tell for each item the first bill of a full period in the runs after a day's month."""
    waiting = {item.id: item for item in items}
    found: dict[int, ComingBill] = {}
    last = max((2 * item.cycle.months for item in waiting.values()), default=0)
    first = after.replace(day=1)
    for ahead in range(1, last + 1):
        month = calendar_month(add_months(first, ahead))
        due = [item for item in waiting.values() if ahead <= 2 * item.cycle.months]
        chunk = _charge(session, community, house_id, due, month)
        for item_id, coming in _full(chunk):
            found[item_id] = coming
            del waiting[item_id]
        for _, item_id, why in chunk.exceptions:
            found.setdefault(item_id, ComingBill(None, 0, why))
        if not waiting:
            break
    return found


def foresee_drafts(session: Session, community: Community, house_id: int) -> list[DraftBills]:
    """Tell what each batch that is not approved yet would hold of a house if made anew now."""
    batches = session.scalars(
        select(BillBatch)
        .where(BillBatch.community_id == community.id, BillBatch.state.in_(_OPEN))
        .order_by(BillBatch.id)
    ).all()
    found = []
    for batch in batches:
        month = Span(batch.period_from, batch.period_until)
        ids = session.scalars(
            select(BillBatchItem.fee_item_id).where(BillBatchItem.batch_id == batch.id)
        ).all()
        items = read_run_items(session, list(ids))
        chunk = _charge(session, community, house_id, items, month, batch_id=batch.id)
        bills = {key_of(bill): (bill.charged.amount_fen, content_of(bill)) for bill in chunk.bills}
        found.append(DraftBills(batch.id, month, bills))
    return found


def _charge(
    session: Session,
    community: Community,
    house_id: int,
    items: Sequence[RunItem],
    month: Span,
    *,
    batch_id: int | None = None,
) -> Chunk:
    """Charge one house as a run of the month would; for no batch as if nothing were billed."""
    charging = make_charging(
        session,
        community.id,
        month,
        items,
        LiableFromRule(community.liable_from_rule),
        houses_total=count_households(session, community.id, month),
    )
    wanted = want(community.id, month, items, apart_from=batch_id or 0)
    houses = read_chosen_houses(session, community.id, [house_id])
    facts = read_facts(session, wanted, houses)
    if batch_id is None:
        facts.billed.clear()
        facts.adjustments.clear()
    return charging.charge(facts)


def _full(chunk: Chunk) -> Iterable[tuple[int, ComingBill]]:
    """Tell the earliest bill over a whole period of each item."""
    found: dict[int, MadeBill] = {}
    for bill in sorted(chunk.bills, key=lambda one: one.plan.period):
        if bill.plan.liable == bill.plan.period:
            found.setdefault(bill.plan.item.id, bill)
    for item_id, bill in found.items():
        yield item_id, ComingBill(bill.plan.period, bill.charged.amount_fen)
