"""Rows of the cash report: money that came in, by day, channel or cashier, and what it went to."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, SQLColumnExpression, func, select
from sqlalchemy.orm import Session

from domain.payment_states import CHANNEL_SHOWN, HELD_MONEY, PaymentChannel
from domain.periods import Span, start_of_local_day
from domain.prepaid import DepositMove, PrepaidMove
from domain.refund_states import RefundState, ResolutionKind
from domain.settling import AllocationKind
from models import (
    Allocation,
    DepositEntry,
    Payment,
    PrepaidEntry,
    Refund,
    Staff,
    Suspense,
    SuspenseResolution,
)
from services.reports.facts import Scope, grouped, local_day
from services.reports.tables import TOTAL, CashBy, CashRow

NOBODY = "（线上）"
_KEYS: dict[CashBy, SQLColumnExpression[Any]] = {
    CashBy.DAY: local_day(Payment.paid_at),
    CashBy.CHANNEL: Payment.channel,
    CashBy.CASHIER: func.coalesce(Payment.taken_by_staff_id, 0),
}


def read_cash(
    session: Session, scope: Scope, span: Span, by: CashBy
) -> tuple[list[CashRow], CashRow]:
    """Read the payments of the days of a span; held money that only moves is none."""
    picked = [
        Payment.community_id == scope.community_id,
        Payment.paid_at >= start_of_local_day(span.starts_on),
        Payment.paid_at < min(start_of_local_day(span.ends_before), scope.until),
        Payment.channel.not_in(sorted(HELD_MONEY)),
    ]
    went_to = _went_to(picked, scope)
    query = (
        grouped(_KEYS[by])
        .add_columns(
            func.count(Payment.id),
            *(
                func.coalesce(func.sum(figure), 0)
                for figure in (Payment.amount_fen, *(part.c.amount_fen for part in went_to))
            ),
        )
        .select_from(Payment)
        .where(*picked)
        .order_by("key")
    )
    for part in went_to:
        query = query.outerjoin(part, part.c.payment_id == Payment.id)
    label = _labels(session, by)
    found = session.execute(query).all()
    rows, total = [], CashRow(TOTAL, *(0,) * 8)
    for key, is_total, *figures in found:
        if is_total:
            total = CashRow(TOTAL, *map(int, figures))
        else:
            rows.append(CashRow(label(key), *map(int, figures)))
    return rows, total


def _went_to(picked: list[ColumnElement[bool]], scope: Scope) -> list[Any]:
    """Add up what each payment went to: principal, late fee, prepaid, deposit, suspense, and back.

    What went to a bill counts there though it was given back later. What went from suspense to
    prepaid counts as prepaid.
    """
    made_prepaid = (
        select(func.coalesce(func.sum(SuspenseResolution.amount_fen), 0))
        .where(
            SuspenseResolution.suspense_id == Suspense.id,
            SuspenseResolution.kind == ResolutionKind.PREPAID,
        )
        .scalar_subquery()
    )
    put = Allocation.amount_fen > 0
    parts: list[tuple[type[Any], Any, tuple[ColumnElement[bool], ...]]] = [
        (
            Allocation,
            Allocation.amount_fen,
            (put, Allocation.kind == AllocationKind.PRINCIPAL),
        ),
        (
            Allocation,
            Allocation.amount_fen,
            (put, Allocation.kind == AllocationKind.LATE_FEE),
        ),
        (PrepaidEntry, PrepaidEntry.amount_fen, (PrepaidEntry.kind == PrepaidMove.TOPUP,)),
        (DepositEntry, DepositEntry.amount_fen, (DepositEntry.kind == DepositMove.TAKE,)),
        (Suspense, Suspense.amount_fen - made_prepaid, ()),
        (
            Refund,
            Refund.amount_fen,
            (Refund.state == RefundState.SUCCEEDED, Refund.refunded_at < scope.until),
        ),
    ]
    return [
        select(table.payment_id, func.sum(figure).label("amount_fen"))
        .join(Payment, Payment.id == table.payment_id)
        .where(*which, *picked)
        .group_by(table.payment_id)
        .subquery()
        for table, figure, which in parts
    ]


def _labels(session: Session, by: CashBy) -> Callable[[Any], str]:
    if by is CashBy.CHANNEL:
        return lambda channel: CHANNEL_SHOWN[PaymentChannel(channel)]
    if by is CashBy.DAY:
        return date.isoformat
    names = dict(session.execute(select(Staff.id, Staff.name)).all())
    return lambda staff_id: names.get(staff_id, NOBODY)
