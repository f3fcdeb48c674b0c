"""A day of one merchant account as our books have it and as its statement has it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import ARRAY, Text, any_, literal, or_, select
from sqlalchemy.orm import Session

from domain.periods import local_date, start_of_local_day
from domain.reconciling import Entry, Moved
from domain.refund_states import RefundState
from models import Payment, Refund
from services.pay_ports import Statement, StatementRow

_DAY = timedelta(days=1)
NEAR = timedelta(minutes=10)
"""So near to midnight a channel may count a trade to the neighbour day."""
_REFUND_MOVED = {
    RefundState.SUCCEEDED: Moved.YES,
    RefundState.FAILED: Moved.NO,
    RefundState.PROCESSING: Moved.UNDECIDED,
    RefundState.ABNORMAL: Moved.UNDECIDED,
}
_ON_ITS_WAY = frozenset({"PROCESSING", "CHANGE"})
"""WeChat's words for a refund that had not ended when its day did; CHANGE is an abnormal one."""
_DONE = frozenset({"SUCCESS", ""})
"""Alipay's statements name no state: what stands there moved."""


@dataclass(frozen=True, slots=True)
class BookedEntry:
    """An entry of ours, and on which neighbour days' statements it may stand instead."""

    entry: Entry
    also_on: frozenset[date] = frozenset()


@dataclass(frozen=True, slots=True)
class Sums:
    """How many trades and refunds a side has of a day, and how much; refunds are positive."""

    count: int
    paid_fen: int
    refunded_fen: int


def read_books(
    session: Session, *, channel: str, mchid: str, day: date, named: Iterable[Entry]
) -> Sequence[BookedEntry]:
    """Read what our books have of a day, and what of ``named`` they have around it.

    A payment is of the Beijing day of ``paid_at``, a refund of that of ``refunded_at``. A refund
    may be named on the day it was asked for, however much later it ends.
    """
    named = list(named)
    return [
        *_read_payments(session, channel, mchid, day, {one.number for one in named}),
        *_read_refunds(session, channel, mchid, day, {one.number for one in named}),
    ]


def _read_payments(
    session: Session, channel: str, mchid: str, day: date, numbers: set[str]
) -> list[BookedEntry]:
    begins = start_of_local_day(day)
    rows = session.execute(
        select(
            Payment.out_trade_no,
            Payment.provider_transaction_id,
            Payment.amount_fen,
            Payment.paid_at,
        )
        .where(
            Payment.channel == channel,
            Payment.mchid == mchid,
            Payment.paid_at >= begins - _DAY,
            Payment.paid_at < begins + 2 * _DAY,
        )
        .order_by(Payment.id)
    ).all()
    found = []
    for number, transaction_id, amount_fen, paid_at in rows:
        is_expected = local_date(paid_at) == day
        if not is_expected and number not in numbers:
            continue
        entry = Entry(number, amount_fen, transaction_id=transaction_id, is_expected=is_expected)
        found.append(BookedEntry(entry, _around_midnight(paid_at)))
    return found


def _read_refunds(
    session: Session, channel: str, mchid: str, day: date, numbers: set[str]
) -> list[BookedEntry]:
    begins = start_of_local_day(day)
    rows = session.execute(
        select(Refund, Payment.provider_transaction_id)
        .join(Payment, Payment.id == Refund.payment_id)
        .where(
            Payment.channel == channel,
            Payment.mchid == mchid,
            Refund.channel == channel,
            or_(
                Refund.refund_no == any_(literal(sorted(numbers), ARRAY(Text))),
                (Refund.refunded_at >= begins) & (Refund.refunded_at < begins + _DAY),
            ),
        )
        .order_by(Refund.id)
    ).all()
    found = []
    for refund, transaction_id in rows:
        refunded_at = refund.refunded_at
        entry = Entry(
            refund.refund_no,
            refund.amount_fen,
            is_refund=True,
            transaction_id=transaction_id,
            moved=_REFUND_MOVED[RefundState(refund.state)],
            is_expected=refunded_at is not None and local_date(refunded_at) == day,
        )
        also_on = {local_date(refund.created_at)} - {day}
        if refunded_at is not None:
            also_on |= _around_midnight(refunded_at)
        found.append(BookedEntry(entry, frozenset(also_on)))
    return found


def _around_midnight(instant: datetime) -> frozenset[date]:
    """Tell the other day that an instant near midnight may be counted to."""
    days = {local_date(instant - NEAR), local_date(instant + NEAR)}
    return frozenset(days - {local_date(instant)})


def read_entries(statement: Statement) -> list[Entry]:
    """Read a channel's statement as entries."""
    return [_entry(row) for row in statement.rows]


def _entry(row: StatementRow) -> Entry:
    moved = Moved.YES if row.status in _DONE else Moved.NO
    if row.status in _ON_ITS_WAY:
        moved = Moved.UNDECIDED
    return Entry(
        number=row.refund_no if row.is_refund else row.out_trade_no,
        amount_fen=row.amount_fen,
        is_refund=row.is_refund,
        transaction_id=row.transaction_id,
        moved=moved,
    )


def add_up(entries: Iterable[Entry]) -> Sums:
    """Add up one side of a day."""
    entries = list(entries)
    return Sums(
        count=len(entries),
        paid_fen=sum(one.amount_fen for one in entries if not one.is_refund),
        refunded_fen=sum(one.amount_fen for one in entries if one.is_refund),
    )
