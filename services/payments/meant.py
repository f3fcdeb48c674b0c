"""What an order was quoted, turned into credits as far as its bills still take them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from sqlalchemy import select

from domain.bill_states import PAYABLE_BILLS, BillState
from domain.discounts import DiscountedLine, DiscountKind, early_payment
from domain.periods import local_date
from models import Bill, DiscountRule, PaymentOrder, PaymentOrderBill
from services.accrued_late_fees import AccruedLateFee, read_accrued
from services.discount_rules import read_rule
from services.payments.crediting import Credit
from services.unit_of_work import Transaction

_REASONS = {BillState.VOIDED: "bill_voided", BillState.WRITTEN_OFF: "bill_written_off"}
_ALREADY_PAID = "bill_already_paid"
_LATE_FEE_SETTLED = "late_fee_settled"


@dataclass(frozen=True, slots=True)
class Surplus:
    """Money that fits nothing, why, and for which house it was meant."""

    amount_fen: int
    reason: str
    house_id: int | None = None


class Fitted(NamedTuple):
    """What of an order's money its bills take, and what they do not."""

    credits: list[Credit]
    surpluses: list[Surplus]


def quoted_on(order: PaymentOrder) -> date:
    """Tell as of which day an order was quoted: fixed for its life, whenever its money is told."""
    return local_date(order.created_at)


def fit(tx: Transaction, order: PaymentOrder, bills: Mapping[int, Bill]) -> Fitted:
    """Fit what an order was quoted to its bills, which are locked.

    Money that a bill does not take any more, because it was paid, voided or written off
    meanwhile, is surplus; so is a late fee that somebody else paid or that was waived. The
    discount closes what the quoted money leaves open, and is never more than was quoted.

    Source: domain.md D5 rule 6, D7.
    """
    meant = tx.session.scalars(
        select(PaymentOrderBill)
        .where(PaymentOrderBill.order_id == order.id)
        .order_by(PaymentOrderBill.bill_id)
    ).all()
    accrued = read_accrued(tx.session, bills, quoted_on(order))
    discounts = _Discounts(tx, order, meant)
    fitted = Fitted([], [])
    for one in meant:
        bill, late_fee = bills[one.bill_id], accrued[one.bill_id]
        open_fen = bill.amount_fen - bill.paid_fen if bill.state in PAYABLE_BILLS else 0
        principal_fen = min(one.amount_fen, open_fen)
        late_fee_fen = min(one.late_fee_fen, late_fee.open_fen)
        found = Credit(
            bill=bill,
            principal_fen=principal_fen,
            late_fee_fen=late_fee_fen,
            accrued=late_fee,
            discount=discounts.of(one, bill, open_fen - principal_fen),
            freeze_at_fen=_freeze_at(late_fee, one.late_fee_fen),
        )
        if found.amount_fen or found.discount:
            fitted.credits.append(found)
        fitted.surpluses.extend(_find_surpluses(one, found))
    return fitted


def _freeze_at(late_fee: AccruedLateFee, quoted_fen: int) -> int:
    """Whoever pays what was quoted owes no more late fee, even if a rule was changed meanwhile."""
    return late_fee.paid_fen + late_fee.waived_fen + quoted_fen


def _find_surpluses(one: PaymentOrderBill, found: Credit) -> list[Surplus]:
    reason = _REASONS.get(BillState(found.bill.state))
    parts = (
        (one.amount_fen - found.principal_fen, reason or _ALREADY_PAID),
        (one.late_fee_fen - found.late_fee_fen, reason or _LATE_FEE_SETTLED),
    )
    return [
        Surplus(amount_fen, why, found.bill.house_id) for amount_fen, why in parts if amount_fen
    ]


class _Discounts:
    """What goes off the bills of an order, with the words for it."""

    def __init__(
        self, tx: Transaction, order: PaymentOrder, meant: Sequence[PaymentOrderBill]
    ) -> None:
        self._paid_on = quoted_on(order)
        rule_ids = {one.discount_rule_id for one in meant if one.discount_fen}
        self._rules: dict[int, DiscountRule] = {}
        if rule_ids:
            rows = tx.session.scalars(select(DiscountRule).where(DiscountRule.id.in_(rule_ids)))
            self._rules = {row.id: row for row in rows}

    def of(self, one: PaymentOrderBill, bill: Bill, left_fen: int) -> DiscountedLine | None:
        amount_fen = min(one.discount_fen, left_fen)
        if not amount_fen or one.discount_rule_id is None:
            return None
        rule = self._rules[one.discount_rule_id]
        basis_fen = one.amount_fen + one.discount_fen
        again = early_payment(
            open_fen=basis_fen,
            issue_date=bill.issue_date,
            paid_on=self._paid_on,
            rules=[read_rule(rule)],
        )
        if again and again.amount_fen == -amount_fen:
            return again
        kind = DiscountKind.EARLY_PAYMENT
        return DiscountedLine(rule.id, rule.name, kind, basis_fen, -amount_fen, "提前缴费优惠")
