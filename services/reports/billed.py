"""Rows of the reports on bills: collection, arrears by age, and recovery of what was overdue."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    SQLColumnExpression,
    Subquery,
    and_,
    exists,
    func,
    literal,
    select,
)
from sqlalchemy.orm import Session

from domain.bill_states import PAYABLE_BILLS
from domain.houses import house_label
from domain.periods import Span, start_of_local_day
from domain.settling import AllocationKind
from models import Allocation, Bill, Building, FeeItem, House, Payment
from services.reports.facts import (
    Scope,
    grouped,
    money_at,
    of_bills,
    of_houses,
    read_facts,
)
from services.reports.tables import (
    AGES,
    TOTAL,
    ArrearsBy,
    ArrearsRow,
    CollectionBy,
    CollectionRow,
    RecoveryRow,
)

_KEYS = {
    CollectionBy.MONTH: "period_month",
    CollectionBy.BUILDING: "building_id",
    CollectionBy.ITEM: "fee_item_id",
    ArrearsBy.BUILDING: "building_id",
    ArrearsBy.ITEM: "fee_item_id",
    ArrearsBy.HOUSE: "house_id",
}


def read_collection(
    session: Session, scope: Scope, by: CollectionBy
) -> tuple[list[CollectionRow], CollectionRow]:
    """Read what was asked for and what came, by month, building or item, and the total."""
    facts = read_facts(scope)
    query = grouped(
        facts.c[_KEYS[by]], facts.c.receivable_fen, facts.c.received_fen, facts.c.written_off_fen
    ).order_by("key")
    label = labels(session, scope, by)
    rows, total = [], CollectionRow(TOTAL, 0, 0, 0)
    for key, is_total, *fens in session.execute(query):
        receivable_fen, received_fen, written_off_fen = map(int, fens)
        if is_total:
            total = CollectionRow(TOTAL, receivable_fen, received_fen, written_off_fen)
        elif receivable_fen or received_fen:
            rows.append(CollectionRow(label(key), receivable_fen, received_fen, written_off_fen))
    return rows, total


def read_arrears(
    session: Session, scope: Scope, by: ArrearsBy
) -> tuple[list[ArrearsRow], ArrearsRow]:
    """Read what is overdue by age and building, item or house, and the total, in one statement."""
    facts = read_facts(scope, by_house=by is ArrearsBy.HOUSE)
    query = _overdue(facts, scope, facts.c[_KEYS[by]]).order_by("key")
    found = session.execute(query).all()
    label = labels(session, scope, by)
    rows, total = [], ArrearsRow(TOTAL, 0, (0,) * len(AGES))
    for key, is_total, *fens in found:
        overdue_fen, *aged_fen = map(int, fens)
        if is_total:
            total = ArrearsRow(TOTAL, overdue_fen, tuple(aged_fen))
        elif overdue_fen:
            house_id = key if by is ArrearsBy.HOUSE else None
            rows.append(ArrearsRow(label(key), overdue_fen, tuple(aged_fen), house_id))
    return rows, total


def read_arrears_page(
    session: Session, scope: Scope, *, after_id: int, limit: int
) -> list[ArrearsRow]:
    """Read one page of the houses that owe something now, by id from above ``after_id``.

    It walks houses in their order until the page is full, and looks at no bill of any other.
    """
    overdue = and_(
        Bill.house_id == House.id,
        Bill.is_live,
        Bill.state.in_(PAYABLE_BILLS),
        Bill.due_date < scope.as_of,
        *of_bills(scope),
    )
    fen = Bill.amount_fen - Bill.paid_fen
    in_page = (
        select(House.id)
        .where(
            House.community_id == scope.community_id,
            House.id > after_id,
            exists().where(overdue),
            *of_houses(scope),
        )
        .order_by(House.id)
        .limit(limit)
    )
    ids = session.scalars(in_page).all()
    found = session.execute(
        select(
            House.id,
            func.sum(fen),
            *(
                func.coalesce(func.sum(fen).filter(_aged(Bill.due_date, scope.as_of, age)), 0)
                for age in AGES
            ),
        )
        .join(Bill, overdue)
        .where(House.id.in_(ids))
        .group_by(House.id)
        .order_by(House.id)
    ).all()
    names = _house_names(session, House.id.in_(ids))
    return [
        ArrearsRow(names[house_id], int(overdue_fen), tuple(map(int, aged)), house_id)
        for house_id, overdue_fen, *aged in found
    ]


def read_overdue_total(session: Session, scope: Scope) -> ArrearsRow:
    """Add up what is overdue over the whole scope."""
    facts = read_facts(scope)
    overdue_fen, *aged_fen = session.execute(
        _overdue(facts, scope, literal(0)).with_only_columns(*_figures(facts, scope)).group_by(None)
    ).one()
    return ArrearsRow(TOTAL, int(overdue_fen), tuple(map(int, aged_fen)))


def _figures(facts: Subquery, scope: Scope) -> list[ColumnElement[int]]:
    fen = facts.c.receivable_fen - facts.c.received_fen - facts.c.written_off_fen
    aged = (func.sum(fen).filter(_aged(facts.c.due_date, scope.as_of, age)) for age in AGES)
    return [func.coalesce(one, 0) for one in (func.sum(fen), *aged)]


def _overdue(facts: Subquery, scope: Scope, key: ColumnElement[Any]) -> Any:
    query = grouped(key).add_columns(*_figures(facts, scope))
    return query.where(facts.c.due_date < scope.as_of)


def _aged(
    due_date: SQLColumnExpression[date], as_of: date, age: tuple[int, int | None, str]
) -> ColumnElement[bool]:
    """Tell whether a due date lies as many days back as an age says."""
    least, most, _ = age
    newest = due_date <= as_of - timedelta(days=least)
    return newest if most is None else and_(newest, due_date >= as_of - timedelta(days=most))


def read_recovery(
    session: Session, scope: Scope, span: Span, by: CollectionBy
) -> tuple[list[RecoveryRow], RecoveryRow]:
    """Read what came in on the days of a span for bills that were due before it."""
    until = min(start_of_local_day(span.ends_before), scope.until)
    keys: dict[CollectionBy, SQLColumnExpression[Any]] = {
        CollectionBy.MONTH: func.to_char(Bill.due_date, "YYYY-MM"),
        CollectionBy.BUILDING: House.building_id,
        CollectionBy.ITEM: Bill.fee_item_id,
    }
    fen = Allocation.amount_fen
    query = (
        grouped(keys[by])
        .add_columns(
            func.count(Bill.id.distinct()),
            *(
                func.coalesce(func.sum(fen).filter(Allocation.kind == kind), 0)
                for kind in (AllocationKind.PRINCIPAL, AllocationKind.LATE_FEE)
            ),
        )
        .select_from(Allocation)
        .join(Payment, Payment.id == Allocation.payment_id)
        .join(Bill, Bill.id == Allocation.bill_id)
        .join(House, House.id == Bill.house_id)
        .where(
            money_at() >= start_of_local_day(span.starts_on),
            money_at() < until,
            Bill.due_date < span.starts_on,
            *of_bills(scope),
            *of_houses(scope),
        )
        .order_by("key")
    )
    label = labels(session, scope, by)
    rows, total = [], RecoveryRow(TOTAL, 0, 0, 0)
    for key, is_total, bill_count, principal_fen, late_fee_fen in session.execute(query):
        figures = (bill_count, int(principal_fen), int(late_fee_fen))
        if is_total:
            total = RecoveryRow(TOTAL, *figures)
        else:
            rows.append(RecoveryRow(label(key), *figures))
    return rows, total


def labels(session: Session, scope: Scope, by: CollectionBy | ArrearsBy) -> Callable[[Any], str]:
    """Read how the keys of a report are called."""
    if by is CollectionBy.MONTH:
        return lambda month: str(month)[:7]
    if by is ArrearsBy.HOUSE:
        return _house_names(session, House.community_id == scope.community_id).__getitem__
    table = FeeItem if _KEYS[by] == "fee_item_id" else Building
    return names_of(session, table, scope.community_id).__getitem__


def names_of(
    session: Session, table: type[Building] | type[FeeItem], community_id: int
) -> Mapping[int, str]:
    """Read the names of a community's buildings or items by id."""
    found = session.execute(
        select(table.id, table.name).where(table.community_id == community_id).order_by(table.id)
    )
    return dict(found.all())


def _house_names(session: Session, *which: ColumnElement[bool]) -> Mapping[int, str]:
    found = session.execute(
        select(House.id, Building.name, House.unit_no, House.room_no)
        .join(Building, Building.id == House.building_id)
        .where(*which)
    )
    return {id_: house_label(*name) for id_, *name in found}
