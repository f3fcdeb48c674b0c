"""Rows of the report on the counter: what came in over it and went out again, and the receipts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    SQLColumnExpression,
    Subquery,
    case,
    func,
    literal,
    select,
    union_all,
)
from sqlalchemy.orm import Session

from domain.payment_states import CHANNEL_SHOWN, OVER_THE_COUNTER, PaymentChannel
from domain.periods import Span, start_of_local_day
from domain.refund_states import RefundKind, RefundState
from models import Building, CashierShift, House, Payment, Receipt, Refund, Staff
from services.reports.billed import names_of
from services.reports.facts import Scope, grouped, local_day, of_houses
from services.reports.tables import TOTAL, OfflineBy, OfflineRow

_NOT_SAID = "（未记录）"
_KEYS = {
    OfflineBy.DAY: "day",
    OfflineBy.CHANNEL: "channel",
    OfflineBy.CASHIER: "staff_id",
    OfflineBy.BUILDING: "building_id",
}
_FIGURES = (
    "payment_count",
    "receipt_count",
    "received_fen",
    "reversed_count",
    "reversed_fen",
    "refund_count",
    "refunded_fen",
)


def read_offline(
    session: Session, scope: Scope, span: Span, by: OfflineBy
) -> tuple[list[OfflineRow], OfflineRow]:
    """Read what moved over the counter on the days of a span, each move on its own day."""
    moves = _moves(scope, span)
    key = moves.c[_KEYS[by]]
    query = grouped(key, *(moves.c[name] for name in _FIGURES)).order_by("key")
    label = _labels(session, scope, by)
    rows, total = [], OfflineRow(TOTAL, *(0,) * len(_FIGURES))
    for key_found, is_total, *figures in session.execute(query):
        if is_total:
            total = OfflineRow(TOTAL, *map(int, figures))
        else:
            rows.append(OfflineRow(label(key_found), *map(int, figures)))
    return rows, total


def _moves(scope: Scope, span: Span) -> Subquery:
    """Give every payment and every refund over the counter as a row of counts and sums."""
    one = literal(1, BigInteger)
    came = (
        _facts(
            Payment,
            at=Payment.paid_at,
            staff_id=Payment.taken_by_staff_id,
            payment_count=one,
            receipt_count=case((Receipt.id.is_not(None), one), else_=0),
            received_fen=Payment.amount_fen,
        )
        .outerjoin(Receipt, Receipt.payment_id == Payment.id)
        .where(*_picked(Payment, Payment.paid_at, scope, span))
    )
    is_reversal = Refund.kind == RefundKind.REVERSAL
    went = (
        _facts(
            Refund,
            at=Refund.refunded_at,
            # What goes out of a drawer goes out of it whoever decided so.
            staff_id=func.coalesce(CashierShift.staff_id, Refund.staff_id),
            reversed_count=case((is_reversal, one), else_=0),
            reversed_fen=case((is_reversal, Refund.amount_fen), else_=0),
            refund_count=case((is_reversal, 0), else_=one),
            refunded_fen=case((is_reversal, 0), else_=Refund.amount_fen),
        )
        .outerjoin(CashierShift, CashierShift.id == Refund.shift_id)
        .where(
            Refund.state == RefundState.SUCCEEDED,
            *_picked(Refund, Refund.refunded_at, scope, span),
        )
    )
    return union_all(came, went).subquery("moves")


def _facts(
    table: type[Payment] | type[Refund],
    *,
    at: SQLColumnExpression[Any],
    staff_id: SQLColumnExpression[Any],
    **figures: SQLColumnExpression[int],
) -> Select[Any]:
    """Select the keys and figures of a kind of moves; a figure that is not given is nothing."""
    nothing = literal(0, BigInteger)
    columns: list[ColumnElement[Any]] = [
        local_day(at).label("day"),
        table.channel.label("channel"),
        func.coalesce(staff_id, 0).label("staff_id"),
        func.coalesce(House.building_id, 0).label("building_id"),
        *(figures.get(name, nothing).label(name) for name in _FIGURES),
    ]
    return select(*columns).select_from(table).outerjoin(House, House.id == table.house_id)


def _picked(
    table: type[Payment] | type[Refund], at: SQLColumnExpression[Any], scope: Scope, span: Span
) -> list[ColumnElement[bool]]:
    return [
        table.community_id == scope.community_id,
        table.channel.in_(sorted(OVER_THE_COUNTER)),
        at >= start_of_local_day(span.starts_on),
        at < min(start_of_local_day(span.ends_before), scope.until),
        *of_houses(scope),
    ]


def _labels(session: Session, scope: Scope, by: OfflineBy) -> Callable[[Any], str]:
    if by is OfflineBy.DAY:
        return date.isoformat
    if by is OfflineBy.CHANNEL:
        return lambda channel: CHANNEL_SHOWN[PaymentChannel(channel)]
    if by is OfflineBy.BUILDING:
        names = names_of(session, Building, scope.community_id)
    else:
        names = dict(session.execute(select(Staff.id, Staff.name)).all())
    return lambda key: names.get(key, _NOT_SAID)
