"""What bills asked for and got, as of the end of a day, computed from the rows themselves.

Every source gives the columns ``period_month, building_id, fee_item_id, due_date, receivable_fen,
received_fen, written_off_fen``; those read from bills also ``house_id``. What it gives is to be
added up: rows of the same keys occur many times.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Date,
    Select,
    SQLColumnExpression,
    Subquery,
    and_,
    case,
    cast,
    func,
    literal,
    or_,
    select,
    tuple_,
    union_all,
)

from domain.bill_states import JOINS_LATER, PAYABLE_BILLS, BillState
from domain.periods import Span, start_of_local_day
from domain.settling import AllocationKind
from models import Allocation, AuditEntry, Bill, BillLine, House, Payment
from services.accrued_late_fees import TAKEN_ON
from services.reports.summary import maintained


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
    """Give the facts of a scope: from the summary if it holds them, else from the rows."""
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
    """Give the bills that are open right now."""
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
    """Compute what bills asked for and got by the end of the scope's day, from every row.

    Bills, what came for them and lines that joined them later are rows of their own here: whoever
    reads adds up anyway, so that nothing needs to be gathered bill by bill before. Lines that
    joined later, voids and write-offs count from their own day on.

    Source: domain.md D14.
    """
    ended_later = (
        select(AuditEntry.subject_id)
        .where(
            AuditEntry.subject_type == "bill",
            AuditEntry.action.in_(["bill_voided", "bill_written_off"]),
            AuditEntry.at >= scope.until,
        )
        .distinct()
        .cte("ended_later")
    )
    is_written_off = and_(Bill.state == BillState.WRITTEN_OFF, ended_later.c.subject_id.is_(None))

    def counted(
        receivable_fen: SQLColumnExpression[int],
        received_fen: SQLColumnExpression[int],
        bill_id: SQLColumnExpression[int] | None = None,
    ) -> Select[Any]:
        query = select(
            Bill.house_id,
            House.building_id,
            Bill.fee_item_id,
            period_month().label("period_month"),
            Bill.due_date,
            receivable_fen.label("receivable_fen"),
            received_fen.label("received_fen"),
            case((is_written_off, receivable_fen - received_fen), else_=0).label("written_off_fen"),
        )
        if bill_id is not None:
            query = query.where(Bill.id == bill_id)
        return (
            query.select_from(Bill)
            .join(House, House.id == Bill.house_id)
            .outerjoin(ended_later, ended_later.c.subject_id == Bill.id)
            .where(
                Bill.published_at < scope.until,
                or_(Bill.state != BillState.VOIDED, ended_later.c.subject_id.is_not(None)),
                *of_bills(scope),
                *of_houses(scope),
            )
        )

    nothing = literal(0, BigInteger)
    asked = counted(Bill.amount_fen, nothing)
    came = counted(nothing, Allocation.amount_fen, Allocation.bill_id).where(
        Allocation.kind == AllocationKind.PRINCIPAL,
        Payment.id == Allocation.payment_id,
        money_at() < scope.until,
    )
    not_yet_off = counted(-BillLine.amount_fen, nothing, BillLine.bill_id).where(
        BillLine.kind.in_(JOINS_LATER), joined_on() > scope.as_of
    )
    return union_all(asked, came, not_yet_off).subquery("facts")


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
