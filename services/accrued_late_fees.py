"""What bills owe in late fees as of a day, read set-wise; and freezing it when they are paid."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple

from sqlalchemy import case, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from domain.bill_states import JOINS_LATER, LIVE_BILLS, PAYABLE_BILLS, BillState
from domain.late_fee_words import explain_late_fee, read_trace, write_trace
from domain.late_fees import GraceMode, LateFee, LateFeeTerms, PrincipalChange, accrue
from domain.periods import Span, local_date
from domain.settling import AllocationKind
from models import (
    Allocation,
    Bill,
    BillLateFee,
    BillLine,
    LateFeePause,
    LateFeeRule,
    Payment,
)
from services.unit_of_work import Transaction

NO_FEE = LateFee(0, None, False, None, ())
TAKEN_ON = "taken_on"
"""Key in the trace of a line that joined a bill after it was published: on which day."""


@dataclass(frozen=True, slots=True)
class AccruedLateFee:
    """The late fee of a bill as of a day.

    ``total_fen`` is all that has accrued, ``fee`` how it came about. ``is_frozen`` once the
    principal was paid off: it no longer grows.
    """

    total_fen: int
    paid_fen: int
    waived_fen: int
    is_frozen: bool
    fee: LateFee

    @property
    def open_fen(self) -> int:
        """What is left of it to pay."""
        return max(0, self.total_fen - self.paid_fen - self.waived_fen)

    @property
    def explanation(self) -> str:
        """How it came about, in one Chinese sentence."""
        return explain_late_fee(self.fee)


class _Row(NamedTuple):
    bill_id: int
    community_id: int
    fee_item_id: int
    due_date: date
    state: str
    open_fen: int
    paid_fen: int
    waived_fen: int
    frozen_fen: int | None
    trace: dict[str, Any] | None


def read_accrued(
    session: Session, bill_ids: Collection[int], as_of: date
) -> dict[int, AccruedLateFee]:
    """Tell the late fee of each bill up to and including a day, in a handful of queries.

    A bill that is voided, written off or not published owes none. Nothing counts on paid
    principal: what was outstanding on a day follows from its allocations by the local day the
    money was paid (of one that takes money back, by the day it was booked), and from lines that
    joined the bill later, by their day. The cap is a part of what was outstanding when the due
    date ended.

    Source: domain.md D6.
    """
    rows = _read_rows(session, bill_ids)
    growing = [
        row
        for row in rows
        if row.state in PAYABLE_BILLS and row.frozen_fen is None and row.due_date < as_of
    ]
    fees = _accrue_all(session, growing, as_of) if growing else {}
    return {row.bill_id: _accrued(row, fees.get(row.bill_id, NO_FEE)) for row in rows}


def freeze(
    tx: Transaction,
    bill_id: int,
    accrued: AccruedLateFee,
    *,
    frozen_on: date,
    at_most_fen: int | None = None,
) -> None:
    """Keep what had accrued of a bill whose principal has just been paid off.

    The bill is locked and ``accrued`` was read before it was paid. ``at_most_fen`` keeps less
    where less was quoted. A bill without any late fee gets no row; one that is frozen stays so.
    """
    total_fen = accrued.total_fen if at_most_fen is None else min(accrued.total_fen, at_most_fen)
    if accrued.is_frozen or not (total_fen or accrued.paid_fen or accrued.waived_fen):
        return
    frozen_fen = max(total_fen, accrued.paid_fen)
    trace = write_trace(accrued.fee, as_of=frozen_on) | {"frozen_fen": frozen_fen}
    values = {"frozen_fen": frozen_fen, "frozen_on": frozen_on, "trace": trace}
    tx.session.execute(
        insert(BillLateFee)
        .values(bill_id=bill_id, **values)
        .on_conflict_do_update(index_elements=["bill_id"], set_=values)
    )


def _read_rows(session: Session, bill_ids: Collection[int]) -> list[_Row]:
    found = session.execute(
        select(
            Bill.id,
            Bill.community_id,
            Bill.fee_item_id,
            Bill.due_date,
            Bill.state,
            Bill.amount_fen - Bill.paid_fen,
            BillLateFee.paid_fen,
            BillLateFee.waived_fen,
            BillLateFee.frozen_fen,
            BillLateFee.trace,
        )
        .outerjoin(BillLateFee, BillLateFee.bill_id == Bill.id)
        .where(Bill.id.in_(bill_ids))
        .order_by(Bill.id)
    ).all()
    return [
        _Row(
            bill_id=row[0],
            community_id=row[1],
            fee_item_id=row[2],
            due_date=row[3],
            state=row[4],
            open_fen=row[5],
            paid_fen=row[6] or 0,
            waived_fen=row[7] or 0,
            frozen_fen=row[8],
            trace=row[9],
        )
        for row in found
    ]


def _accrued(row: _Row, fee: LateFee) -> AccruedLateFee:
    if row.state not in LIVE_BILLS or row.state == BillState.WRITTEN_OFF:
        return AccruedLateFee(row.paid_fen, row.paid_fen, row.waived_fen, True, NO_FEE)
    if row.frozen_fen is not None:
        fee = read_trace(row.trace) if row.trace else NO_FEE
        return AccruedLateFee(row.frozen_fen, row.paid_fen, row.waived_fen, True, fee)
    return AccruedLateFee(fee.amount_fen, row.paid_fen, row.waived_fen, False, fee)


def _accrue_all(session: Session, growing: list[_Row], as_of: date) -> dict[int, LateFee]:
    versions = _read_versions(session, {row.fee_item_id for row in growing})
    charged = [row for row in growing if row.fee_item_id in versions]
    if not charged:
        return {}
    moves = _read_moves(session, [row.bill_id for row in charged])
    pauses = _read_pauses(session, charged)
    fees = {}
    for row in charged:
        principal = _Principal(row, moves.get(row.bill_id, {}))
        fees[row.bill_id] = accrue(
            due_date=row.due_date,
            principal_fen=principal.at_due_date_fen,
            changes=principal.changes,
            versions=versions[row.fee_item_id],
            pauses=pauses.of(row),
            as_of=as_of,
        )
    return fees


class _Principal:
    """What was outstanding of a bill, told backwards from what is outstanding now."""

    def __init__(self, row: _Row, moves: dict[date, int]) -> None:
        """Take what lowered the principal, in fen by day."""
        later = sorted(day for day in moves if day > row.due_date)
        self.at_due_date_fen = row.open_fen + sum(moves[day] for day in later)
        self.changes: list[PrincipalChange] = []
        left_fen = self.at_due_date_fen
        for day in later:
            left_fen -= moves[day]
            self.changes.append(PrincipalChange(day, left_fen))


def _read_versions(session: Session, item_ids: set[int]) -> dict[int, list[LateFeeTerms]]:
    versions: dict[int, list[LateFeeTerms]] = {}
    for rule in session.scalars(
        select(LateFeeRule)
        .where(LateFeeRule.fee_item_id.in_(item_ids))
        .order_by(LateFeeRule.starts_on)
    ):
        versions.setdefault(rule.fee_item_id, []).append(read_terms(rule))
    return versions


def read_terms(rule: LateFeeRule) -> LateFeeTerms:
    """Read one version of a rule as it is stored."""
    return LateFeeTerms(
        daily_rate=rule.daily_rate,
        cap_ratio=rule.cap_ratio,
        grace_days=rule.grace_days,
        grace_mode=GraceMode(rule.grace_mode),
        starts_on=rule.starts_on,
        ends_before=rule.ends_on,
    )


def _read_moves(session: Session, bill_ids: list[int]) -> dict[int, dict[date, int]]:
    """Tell what lowered the principal of bills since they were published, in fen by day.

    A line that joined later and does not say on which day counts since ever.
    """
    money = session.execute(
        select(
            Allocation.bill_id,
            case((Allocation.amount_fen > 0, Payment.paid_at), else_=Allocation.created_at).label(
                "at"
            ),
            Allocation.amount_fen,
        )
        .join(Payment, Payment.id == Allocation.payment_id)
        .where(Allocation.bill_id.in_(bill_ids), Allocation.kind == AllocationKind.PRINCIPAL)
    ).all()
    lines = session.execute(
        select(BillLine.bill_id, BillLine.trace[TAKEN_ON].astext, BillLine.amount_fen).where(
            BillLine.bill_id.in_(bill_ids),
            BillLine.kind.in_(JOINS_LATER),
            BillLine.trace[TAKEN_ON].astext.is_not(None),
        )
    ).all()
    moves: dict[int, dict[date, int]] = {}
    for bill_id, at, amount_fen in money:
        _add(moves, bill_id, local_date(at), amount_fen)
    for bill_id, taken_on, amount_fen in lines:
        _add(moves, bill_id, date.fromisoformat(taken_on), -amount_fen)
    return moves


def _add(moves: dict[int, dict[date, int]], bill_id: int, day: date, amount_fen: int) -> None:
    of_bill = moves.setdefault(bill_id, {})
    of_bill[day] = of_bill.get(day, 0) + amount_fen


@dataclass(frozen=True, slots=True)
class _Pauses:
    of_bills: dict[int, list[Span]] = field(default_factory=dict)
    of_communities: dict[int, list[Span]] = field(default_factory=dict)

    def of(self, row: _Row) -> list[Span]:
        return [
            *self.of_bills.get(row.bill_id, ()),
            *self.of_communities.get(row.community_id, ()),
        ]


def _read_pauses(session: Session, charged: Iterable[_Row]) -> _Pauses:
    pauses = _Pauses()
    for pause in session.scalars(
        select(LateFeePause).where(
            LateFeePause.bill_id.in_([row.bill_id for row in charged])
            | (
                LateFeePause.bill_id.is_(None)
                & LateFeePause.community_id.in_({row.community_id for row in charged})
            )
        )
    ):
        span = Span(pause.paused_from, pause.paused_until)
        if pause.bill_id is None:
            pauses.of_communities.setdefault(pause.community_id, []).append(span)
        else:
            pauses.of_bills.setdefault(pause.bill_id, []).append(span)
    return pauses
