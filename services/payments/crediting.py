"""The only place that credits bills: principal to lines, discounts, late fees, and freezing them.

All of it are steps inside the transaction that has locked the bills.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import case, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm.attributes import set_committed_value

from domain.bill_states import PAYABLE_BILLS, BillState, LineKind
from domain.discounts import DiscountedLine
from domain.settling import AllocationKind
from models import Allocation, Bill, BillLateFee, BillLine
from services.accrued_late_fees import TAKEN_ON, AccruedLateFee, freeze
from services.paid_repairs import settle_paid_bills
from services.unit_of_work import Transaction


@dataclass(frozen=True, slots=True)
class Credit:
    """What of a payment goes to one bill.

    ``discount`` goes off with it. ``accrued`` is the bill's late fee before this, as of the day
    of the payment; of it at most ``freeze_at_fen`` stays if this pays the principal off.
    """

    bill: Bill
    principal_fen: int
    late_fee_fen: int
    accrued: AccruedLateFee
    discount: DiscountedLine | None = None
    freeze_at_fen: int | None = None

    @property
    def amount_fen(self) -> int:
        """What of the payment this takes."""
        return self.principal_fen + self.late_fee_fen

    @property
    def discount_fen(self) -> int:
        """What goes off, above zero."""
        return -self.discount.amount_fen if self.discount else 0


def credit(tx: Transaction, *, payment_id: int, credits: Sequence[Credit], paid_on: date) -> None:
    """Credit locked bills with parts of a payment; states follow from what is left.

    Whatever does not fit is a mistake of the caller: nothing of all this commits then.

    Source: domain.md D4, D6, D7; reliability.md pattern 2.
    """
    lines = _read_lines(tx, [one.bill.id for one in credits])
    for one in credits:
        if one.principal_fen or one.discount:
            _raise_paid(tx, one)
            _allocate(tx, payment_id, one, lines[one.bill.id])
        if one.discount:
            _add_discount(tx, one.bill.id, one.discount, lines[one.bill.id], paid_on)
        if one.late_fee_fen:
            _pay_late_fee(tx, payment_id, one)
        if one.bill.state == BillState.PAID:
            _freeze(tx, one, paid_on)
    if paid := [one.bill.id for one in credits if one.bill.state == BillState.PAID]:
        settle_paid_bills(tx, paid)


def _raise_paid(tx: Transaction, one: Credit) -> None:
    """Raise what is paid and lower what is asked for, by a conditional update.

    The bill is locked, so the update cannot miss; if it ever does, nothing of all this commits.
    """
    paid_fen = Bill.paid_fen + one.principal_fen
    amount_fen = Bill.amount_fen - one.discount_fen
    credited = tx.session.execute(
        update(Bill)
        .where(Bill.id == one.bill.id, Bill.state.in_(PAYABLE_BILLS), paid_fen <= amount_fen)
        .values(
            paid_fen=paid_fen,
            amount_fen=amount_fen,
            state=case(
                (paid_fen == amount_fen, BillState.PAID.value),
                (paid_fen > 0, BillState.PARTIALLY_PAID.value),
                else_=BillState.PUBLISHED.value,
            ),
        )
        .returning(Bill.paid_fen, Bill.amount_fen, Bill.state)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    if credited is None:
        raise RuntimeError(f"bill {one.bill.id} changed under its lock")
    for name, value in zip(("paid_fen", "amount_fen", "state"), credited, strict=True):
        set_committed_value(one.bill, name, value)


def _allocate(tx: Transaction, payment_id: int, one: Credit, lines: list[tuple[int, int]]) -> None:
    """Put principal to the bill's lines in their order; what was taken off takes nothing."""
    left_fen = one.principal_fen
    for line_no, open_fen in lines:
        part_fen = min(left_fen, open_fen)
        if part_fen > 0:
            left_fen -= part_fen
            _add_allocation(
                tx, payment_id, one.bill.id, AllocationKind.PRINCIPAL, part_fen, line_no
            )
    if left_fen:
        raise RuntimeError(f"lines of bill {one.bill.id} hold {left_fen} fen less than the bill")


def _add_allocation(
    tx: Transaction,
    payment_id: int,
    bill_id: int,
    kind: AllocationKind,
    amount_fen: int,
    line_no: int | None = None,
) -> None:
    tx.session.add(
        Allocation(
            payment_id=payment_id,
            bill_id=bill_id,
            line_no=line_no,
            kind=kind,
            amount_fen=amount_fen,
            created_at=tx.now,
        )
    )


def _add_discount(
    tx: Transaction,
    bill_id: int,
    discount: DiscountedLine,
    lines: list[tuple[int, int]],
    paid_on: date,
) -> None:
    trace = {
        "method": "discount",
        "rule_id": discount.rule_id,
        "name": discount.name,
        "kind": discount.kind,
        "basis_fen": discount.basis_fen,
        "note": discount.note,
        TAKEN_ON: paid_on.isoformat(),
    }
    tx.session.add(
        BillLine(
            bill_id=bill_id,
            line_no=lines[-1][0] + 1,
            kind=LineKind.DISCOUNT,
            amount_fen=discount.amount_fen,
            trace=trace,
        )
    )


def _pay_late_fee(tx: Transaction, payment_id: int, one: Credit) -> None:
    """Raise what is paid of the late fee; of a frozen one never more than is left of it."""
    paid_fen = BillLateFee.paid_fen + one.late_fee_fen
    paid = tx.session.execute(
        insert(BillLateFee)
        .values(bill_id=one.bill.id, paid_fen=one.late_fee_fen)
        .on_conflict_do_update(
            index_elements=["bill_id"],
            set_={"paid_fen": paid_fen},
            where=BillLateFee.frozen_fen.is_(None)
            | (paid_fen + BillLateFee.waived_fen <= BillLateFee.frozen_fen),
        )
        .returning(BillLateFee.bill_id)
    ).scalar_one_or_none()
    if paid is None or one.late_fee_fen > one.accrued.open_fen:
        raise RuntimeError(f"late fee of bill {one.bill.id} is less than was to be paid")
    _add_allocation(tx, payment_id, one.bill.id, AllocationKind.LATE_FEE, one.late_fee_fen)


def _freeze(tx: Transaction, one: Credit, paid_on: date) -> None:
    accrued = one.accrued
    now_paid = AccruedLateFee(
        accrued.total_fen,
        accrued.paid_fen + one.late_fee_fen,
        accrued.waived_fen,
        accrued.is_frozen,
        accrued.fee,
    )
    freeze(tx, one.bill.id, now_paid, frozen_on=paid_on, at_most_fen=one.freeze_at_fen)


def _read_lines(tx: Transaction, bill_ids: list[int]) -> dict[int, list[tuple[int, int]]]:
    """Read what each line of the bills leaves open, in their order."""
    paid = (
        select(func.coalesce(func.sum(Allocation.amount_fen), 0))
        .where(Allocation.bill_id == BillLine.bill_id, Allocation.line_no == BillLine.line_no)
        .scalar_subquery()
    )
    rows: Any = tx.session.execute(
        select(BillLine.bill_id, BillLine.line_no, BillLine.amount_fen - paid)
        .where(BillLine.bill_id.in_(bill_ids))
        .order_by(BillLine.bill_id, BillLine.line_no)
    ).all()
    lines: dict[int, list[tuple[int, int]]] = {}
    for bill_id, line_no, open_fen in rows:
        lines.setdefault(bill_id, []).append((line_no, int(open_fen)))
    return lines
