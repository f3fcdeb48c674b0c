"""Whether a batch still is what would be made of the data on file now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from domain.bill_states import BatchState
from domain.errors import Conflict
from models import BillBatch, Community
from services.bills.house_facts import House, read_facts, read_houses
from services.bills.plans import MadeBill
from services.bills.runs import Run, make_run
from services.unit_of_work import Transaction

CHUNK_HOUSES = 5_000
_SHOWN = 5
_MADE = text(
    """
    SELECT bill.id, bill.house_id, bill.fee_item_id, bill.period_from, bill.period_until,
           bill.sequence, bill.bill_no, bill.issue_date, bill.due_date,
           string_agg(concat_ws(':', line.kind, line.amount_fen, line.trace), E'\\n'
                      ORDER BY line.line_no) AS content
      FROM bill JOIN bill_line line ON line.bill_id = bill.id
     WHERE bill.batch_id = :batch_id AND bill.state = 'pending_review'
       AND bill.house_id BETWEEN :first_id AND :last_id
     GROUP BY bill.id
    """
)

Key = tuple[int, int, Any, Any, int]
Content = tuple[Any, Any, str]


class BatchStale(Conflict):
    """Base data changed since the batch was generated: it must be regenerated first."""

    code = "batch_stale"
    message = "基础数据在生成之后有变化，请先重新计算（regenerate）再审核"


def hold_reviews(session: Session, community_ids: Sequence[int]) -> None:
    """Keep batches under review from being approved until this transaction ends.

    For steps that change what bills are made of: whoever approves waits, and then sees the change.
    """
    session.execute(
        select(BillBatch.id)
        .where(
            BillBatch.community_id.in_(community_ids),
            BillBatch.state.in_([BatchState.GENERATING, BatchState.PENDING_REVIEW]),
        )
        .order_by(BillBatch.id)
        .with_for_update(read=True)
    ).all()


def check_fresh(tx: Transaction, batch: BillBatch) -> None:
    """Compute the batch once more and refuse it where it comes out otherwise.

    Raises:
        BatchStale: naming the first bills that differ.
    """
    community = tx.session.get_one(Community, batch.community_id)
    run = make_run(tx, batch, community, counts_own_bills=False)
    stale: list[str] = []
    missing = after_id = 0
    while houses := read_houses(
        tx.session, batch.community_id, after_id=after_id, limit=CHUNK_HOUSES
    ):
        after_id = houses[-1].id
        more, lacking = _compare(tx.session, run, houses)
        stale += more
        missing += lacking
    if stale or missing:
        named = f"，例如 {'、'.join(stale[:_SHOWN])}" if stale else ""
        raise BatchStale(
            f"基础数据有变化：{len(stale)} 张账单已不一致、{missing} 张还没生成{named}；"
            "请先重新计算（regenerate）再审核"
        )


def _compare(session: Session, run: Run, houses: list[House]) -> tuple[list[str], int]:
    """Tell the numbers of the bills that differ or are too many, and how many are lacking."""
    made = read_made(session, run.batch_id, houses)
    lacking = 0
    stale = []
    for bill in run.charging.charge(read_facts(session, run.wanted, houses)).bills:
        known = made.pop(key_of(bill), None)
        if known is None:
            lacking += 1
        elif known[2] != content_of(bill):
            stale.append(known[1])
    return [*stale, *(bill_no for _, bill_no, _ in made.values())], lacking


def read_made(
    session: Session, batch_id: int, houses: Sequence[House]
) -> dict[Key, tuple[int, str, Content]]:
    """Read a batch's bills of some houses: id, number and content by what they are for."""
    asked = {house.id for house in houses}
    rows = session.execute(
        _MADE,
        {"batch_id": batch_id, "first_id": houses[0].id, "last_id": houses[-1].id},
    )
    return {
        (row.house_id, row.fee_item_id, row.period_from, row.period_until, row.sequence): (
            row.id,
            row.bill_no,
            (row.issue_date, row.due_date, row.content),
        )
        for row in rows.fetchall()
        if row.house_id in asked
    }


def key_of(bill: MadeBill) -> Key:
    """Tell what a bill is for."""
    period = bill.period or bill.plan.period
    return (
        bill.house_id,
        bill.plan.item.id,
        period.starts_on,
        period.ends_before,
        bill.sequence,
    )


def content_of(bill: MadeBill) -> Content:
    """Tell what a bill says, in the form of `read_made`: traces are kept as they were written."""
    lines = "\n".join(f"{line.kind}:{line.amount_fen}:{line.trace}" for line in bill.charged.lines)
    return bill.plan.issue_date, bill.plan.due_date, lines
