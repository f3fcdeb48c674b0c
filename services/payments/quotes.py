"""What bills cost on a day: principal, late fee, and what goes off for paying early."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from sqlalchemy import ColumnElement, exists, func, select
from sqlalchemy.orm import Session

from domain.bill_states import PAYABLE_BILLS, BillState, LineKind
from domain.discounts import DiscountedLine, DiscountKind, DiscountRule, early_payment
from domain.settling import OpenBill
from models import Bill, BillLateFee, BillLine, DiscountHouse, DiscountItem
from models import DiscountRule as DiscountRuleRow
from services.accrued_late_fees import AccruedLateFee, read_accrued
from services.discount_rules import read_rule


@dataclass(frozen=True, slots=True)
class Quote:
    """What one bill costs: all open principal less the discount, and the open late fee.

    ``open_fen`` is the open principal before the discount, which is only given to whoever pays
    all of it.
    """

    bill_id: int
    due_date: date
    open_fen: int
    discount: DiscountedLine | None
    accrued: AccruedLateFee

    @property
    def discount_fen(self) -> int:
        """What goes off, above zero."""
        return -self.discount.amount_fen if self.discount else 0

    @property
    def principal_fen(self) -> int:
        """What is to be paid of the principal."""
        return self.open_fen - self.discount_fen

    @property
    def late_fee_fen(self) -> int:
        """What is to be paid of the late fee."""
        return self.accrued.open_fen

    @property
    def amount_fen(self) -> int:
        """All that is to be paid."""
        return self.principal_fen + self.late_fee_fen

    def to_place(self) -> OpenBill:
        """Hand it to the rule that spreads money."""
        return OpenBill(self.bill_id, self.due_date, self.principal_fen, self.late_fee_fen)


class _Row(NamedTuple):
    id: int
    house_id: int
    fee_item_id: int
    issue_date: date
    due_date: date
    state: str
    open_fen: int


def is_payable() -> ColumnElement[bool]:
    """Tell in SQL of which bills something is left to pay: principal, or a frozen late fee."""
    return Bill.state.in_(PAYABLE_BILLS) | owes_late_fee()


def owes_late_fee() -> ColumnElement[bool]:
    """Tell in SQL of which bills the principal is paid and the late fee is not."""
    return (Bill.state == BillState.PAID) & exists().where(
        BillLateFee.bill_id == Bill.id,
        BillLateFee.frozen_fen > BillLateFee.paid_fen + BillLateFee.waived_fen,
    )


def read_quotes(session: Session, bill_ids: Collection[int], as_of: date) -> dict[int, Quote]:
    """Quote bills as of a day, in a handful of queries however many they are.

    Money that arrives on ``as_of`` pays what is quoted. Paying early is never free: a discount
    that would take off everything is not quoted.
    """
    rows = [
        _Row(*row)
        for row in session.execute(
            select(
                Bill.id,
                Bill.house_id,
                Bill.fee_item_id,
                Bill.issue_date,
                Bill.due_date,
                Bill.state,
                Bill.amount_fen - Bill.paid_fen,
            ).where(Bill.id.in_(bill_ids))
        )
    ]
    accrued = read_accrued(session, bill_ids, as_of)
    discounts = _read_discounts(session, [row for row in rows if _is_open(row)], as_of)
    return {
        row.id: Quote(
            bill_id=row.id,
            due_date=row.due_date,
            open_fen=row.open_fen if _is_open(row) else 0,
            discount=discounts.get(row.id),
            accrued=accrued[row.id],
        )
        for row in rows
    }


def _is_open(row: _Row) -> bool:
    return row.state in PAYABLE_BILLS


def _read_discounts(
    session: Session, rows: Sequence[_Row], as_of: date
) -> dict[int, DiscountedLine]:
    rules = _read_rules(session, rows)
    discounts: dict[int, DiscountedLine] = {}
    for row in rows:
        line = early_payment(
            open_fen=row.open_fen,
            issue_date=row.issue_date,
            paid_on=as_of,
            rules=rules.get((row.house_id, row.fee_item_id), ()),
        )
        if line and line.amount_fen + row.open_fen > 0:
            discounts[row.id] = line
    if discounts:
        for bill_id in _find_discounted(session, discounts):
            del discounts[bill_id]
    return discounts


def _read_rules(
    session: Session, rows: Sequence[_Row]
) -> dict[tuple[int, int], list[DiscountRule]]:
    """Tell the early-payment rules of each house and item among the bills."""
    if not rows:
        return {}
    found = session.execute(
        select(DiscountItem.fee_item_id, DiscountRuleRow)
        .join(DiscountRuleRow, DiscountRuleRow.id == DiscountItem.rule_id)
        .where(
            DiscountItem.fee_item_id.in_({row.fee_item_id for row in rows}),
            DiscountRuleRow.kind == DiscountKind.EARLY_PAYMENT,
            DiscountRuleRow.is_active,
        )
    ).all()
    if not found:
        return {}
    chosen = {
        (row.rule_id, row.house_id)
        for row in session.execute(
            select(DiscountHouse.rule_id, DiscountHouse.house_id).where(
                DiscountHouse.rule_id.in_({rule.id for _, rule in found}),
                DiscountHouse.house_id.in_({row.house_id for row in rows}),
            )
        )
    }
    rules: dict[tuple[int, int], list[DiscountRule]] = {}
    for house_id, item_id in {(row.house_id, row.fee_item_id) for row in rows}:
        rules[house_id, item_id] = [
            read_rule(rule)
            for of_item, rule in found
            if of_item == item_id and (rule.is_for_all_houses or (rule.id, house_id) in chosen)
        ]
    return rules


def _find_discounted(session: Session, bill_ids: Collection[int]) -> Sequence[int]:
    """Find the bills from which something went off already for paying early, and stayed off."""
    return session.scalars(
        select(BillLine.bill_id)
        .where(
            BillLine.bill_id.in_(bill_ids),
            (BillLine.kind == LineKind.RESTORED)
            | (BillLine.kind == LineKind.DISCOUNT)
            & (BillLine.trace["kind"].astext == DiscountKind.EARLY_PAYMENT),
        )
        .group_by(BillLine.bill_id)
        .having(func.sum(BillLine.amount_fen) < 0)
    ).all()
