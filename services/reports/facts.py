"""What each bill asked for and got, as of the end of a day, computed from the rows themselves.

Every source gives the columns ``period_month, building_id, fee_item_id, due_date, receivable_fen,
received_fen, written_off_fen``; those by bill also ``house_id``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Date,
    Select,
    SQLColumnExpression,
    Subquery,
    and_,
    case,
    cast,
    func,
    or_,
    select,
    tuple_,
)

from domain.bill_states import PAYABLE_BILLS, BillState, LineKind
from domain.periods import Span, start_of_local_day
from domain.settling import AllocationKind
from models import Allocation, AuditEntry, Bill, BillLine, House, Payment
from services.accrued_late_fees import TAKEN_ON
from services.reports.summary import maintained

_LATER_KINDS = (LineKind.WAIVER, LineKind.DISCOUNT)


@dataclass(frozen=True, slots=True)
class Scope:
    """Which bills, and up to the end of which local day; ``is_now`` says that this is today.

    ``periods`` are the months in which the periods of the bills begin; None is any.
    """

    community_id: int
    periods: Span | None
    building_ids: tuple[int, ...]
    fee_item_ids: tuple[int, ...]
    as_of: date
    is_now: bool

    @property
    def until(self) -> datetime:
        """The instant at which the last day that counts has ended."""
        return start_of_local_day(self.as_of + timedelta(days=1))


def joined_on() -> ColumnElement[date]:
    """Tell on which local day a line joined a bill that was published; null if before that."""
    return cast(BillLine.trace[TAKEN_ON].astext, Date)


def money_at() -> ColumnElement[datetime]:
    """Tell when an allocation counts: by the payment's day, and taken back when it was booked."""
    return case((Allocation.amount_fen > 0, Payment.paid_at), else_=Allocation.created_at)


def read_facts(scope: Scope, *, by_house: bool = False) -> Subquery:
    """Give the facts of a scope: from the summary if it holds them, else bill by bill."""
    if not scope.is_now:
        return computed(scope)
    return _current(scope) if by_house else _narrowed(maintained(scope.community_id), scope)


def _narrowed(facts: Subquery, scope: Scope) -> Subquery:
    query = select(facts)
    if scope.periods:
        query = query.where(
            facts.c.period_month >= scope.periods.starts_on,
            facts.c.period_month < scope.periods.ends_before,
        )
    if scope.building_ids:
        query = query.where(facts.c.building_id.in_(scope.building_ids))
    if scope.fee_item_ids:
        query = query.where(facts.c.fee_item_id.in_(scope.fee_item_ids))
    return query.subquery("facts")


def of_bills(scope: Scope) -> list[ColumnElement[bool]]:
    """Narrow bills to a scope, all but the buildings."""
    found: list[ColumnElement[bool]] = [Bill.community_id == scope.community_id]
    if scope.periods:
        found.append(Bill.period_from >= scope.periods.starts_on)
        found.append(Bill.period_from < scope.periods.ends_before)
    if scope.fee_item_ids:
        found.append(Bill.fee_item_id.in_(scope.fee_item_ids))
    return found


def of_houses(scope: Scope) -> list[ColumnElement[bool]]:
    """Narrow houses to the buildings of a scope."""
    return [House.building_id.in_(scope.building_ids)] if scope.building_ids else []


def period_month() -> ColumnElement[date]:
    """Tell the first day of the month in which the period of a bill begins."""
    return cast(func.date_trunc("month", Bill.period_from), Date)


def _current(scope: Scope) -> Subquery:
    """Give what is open right now, bill by bill."""
    return (
        select(
            Bill.house_id,
            House.building_id,
            Bill.fee_item_id,
            period_month().label("period_month"),
            Bill.due_date,
            Bill.amount_fen.label("receivable_fen"),
            Bill.paid_fen.label("received_fen"),
            (Bill.paid_fen - Bill.paid_fen).label("written_off_fen"),
        )
        .join(House, House.id == Bill.house_id)
        .where(Bill.state.in_(PAYABLE_BILLS), *of_bills(scope), *of_houses(scope))
        .subquery("facts")
    )


def computed(scope: Scope) -> Subquery:
    """Compute what each bill asked for and got by the end of the scope's day, from every row.

    Lines that joined later, voids and write-offs count from their own day on.

    Source: domain.md D14.
    """
    until = scope.until
    received = (
        select(Allocation.bill_id, func.sum(Allocation.amount_fen).label("amount_fen"))
        .join(Bill, Bill.id == Allocation.bill_id)
        .join(Payment, Payment.id == Allocation.payment_id)
        .where(Allocation.kind == AllocationKind.PRINCIPAL, money_at() < until, *of_bills(scope))
        .group_by(Allocation.bill_id)
        .subquery("received")
    )
    later = (
        select(BillLine.bill_id, func.sum(BillLine.amount_fen).label("amount_fen"))
        .join(Bill, Bill.id == BillLine.bill_id)
        .where(BillLine.kind.in_(_LATER_KINDS), joined_on() > scope.as_of, *of_bills(scope))
        .group_by(BillLine.bill_id)
        .subquery("later")
    )
    ended_later = (
        select(AuditEntry.subject_id)
        .where(
            AuditEntry.subject_type == "bill",
            AuditEntry.action.in_(["bill_voided", "bill_written_off"]),
            AuditEntry.at >= until,
        )
        .distinct()
        .subquery("ended_later")
    )
    receivable_fen = Bill.amount_fen - func.coalesce(later.c.amount_fen, 0)
    received_fen = func.coalesce(received.c.amount_fen, 0)
    is_written_off = and_(Bill.state == BillState.WRITTEN_OFF, ended_later.c.subject_id.is_(None))
    return (
        select(
            Bill.house_id,
            House.building_id,
            Bill.fee_item_id,
            period_month().label("period_month"),
            Bill.due_date,
            receivable_fen.label("receivable_fen"),
            received_fen.label("received_fen"),
            case((is_written_off, receivable_fen - received_fen), else_=0).label("written_off_fen"),
        )
        .join(House, House.id == Bill.house_id)
        .outerjoin(received, received.c.bill_id == Bill.id)
        .outerjoin(later, later.c.bill_id == Bill.id)
        .outerjoin(ended_later, ended_later.c.subject_id == Bill.id)
        .where(
            Bill.published_at < until,
            or_(Bill.state != BillState.VOIDED, ended_later.c.subject_id.is_not(None)),
            *of_bills(scope),
            *of_houses(scope),
        )
        .subquery("facts")
    )


def grouped(key: SQLColumnExpression[Any], *figures: ColumnElement[int]) -> Select[Any]:
    """Add figures up by key and over everything, in one pass: the total has ``is_total`` 1."""
    return select(
        key.label("key"),
        func.grouping(key).label("is_total"),
        *(func.coalesce(func.sum(figure), 0) for figure in figures),
    ).group_by(func.grouping_sets(tuple_(key), tuple_()))


def local_day(instant: SQLColumnExpression[datetime]) -> ColumnElement[date]:
    """Tell the day in Shanghai of an instant, in SQL."""
    return cast(func.timezone("Asia/Shanghai", instant), Date)
