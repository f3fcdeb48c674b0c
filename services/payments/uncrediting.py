"""The only place that takes credit from bills again: negative allocations, states, late fees.

The counterpart of `crediting`; steps inside the transaction that has locked the bills.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import case, func, select, text, update
from sqlalchemy.orm.attributes import set_committed_value

from domain.bill_states import BillState, LineKind
from domain.discounts import DiscountKind
from domain.periods import local_date
from domain.settling import AllocationKind
from models import Allocation, Bill, BillLateFee, BillLine
from services.accrued_late_fees import TAKEN_ON
from services.unit_of_work import Transaction

_THAW = text(
    "UPDATE bill_late_fee SET frozen_fen = NULL, frozen_on = NULL, trace = NULL"
    " WHERE bill_id = :bill_id AND frozen_fen IS NOT NULL"
)


@dataclass(frozen=True, slots=True)
class Taken:
    """What goes off a bill again, above zero."""

    bill_id: int
    kind: AllocationKind
    amount_fen: int


def take_back(tx: Transaction, *, payment_id: int, refund_id: int, taken: Sequence[Taken]) -> None:
    """Take from locked bills what a payment had given them; states follow from what is left.

    A bill that is no longer paid off owes its late fee by the rules again, and loses what went off
    for paying it all early. Whatever does not fit is a mistake of the caller: nothing commits then.

    Source: domain.md D4, "(refund) → … by recomputing from allocations"; D6.
    """
    for one in sorted(taken, key=lambda each: (each.bill_id, each.kind)):
        if one.kind is AllocationKind.LATE_FEE:
            _lower_late_fee(tx, one)
            _allocate(tx, payment_id, refund_id, one, None, one.amount_fen)
        else:
            _take_from_lines(tx, payment_id, refund_id, one)
            _lower_paid(tx, one)


def _lower_paid(tx: Transaction, one: Taken) -> None:
    bill = tx.session.get_one(Bill, one.bill_id)
    restored_fen = 0
    if bill.state == BillState.PAID:
        restored_fen = _restore_discount(tx, one.bill_id)
    paid_fen = Bill.paid_fen - one.amount_fen
    lowered = tx.session.execute(
        update(Bill)
        .where(Bill.id == one.bill_id, paid_fen >= 0)
        .values(
            paid_fen=paid_fen,
            amount_fen=Bill.amount_fen + restored_fen,
            state=case(
                (
                    Bill.state.in_([BillState.VOIDED, BillState.WRITTEN_OFF]),
                    Bill.state,
                ),
                (paid_fen > 0, BillState.PARTIALLY_PAID.value),
                else_=BillState.PUBLISHED.value,
            ),
        )
        .returning(Bill.paid_fen, Bill.amount_fen, Bill.state)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    if lowered is None:
        raise RuntimeError(f"bill {one.bill_id} holds less than was to be taken back")
    for name, value in zip(("paid_fen", "amount_fen", "state"), lowered, strict=True):
        set_committed_value(bill, name, value)
    if lowered.state != BillState.WRITTEN_OFF:
        tx.session.execute(_THAW, {"bill_id": one.bill_id})


def _restore_discount(tx: Transaction, bill_id: int) -> int:
    """Take back what went off for paying early, by a line of its own; tell how much that was."""
    rows = tx.session.execute(
        select(BillLine.line_no, BillLine.amount_fen, BillLine.kind, BillLine.trace)
        .where(BillLine.bill_id == bill_id)
        .order_by(BillLine.line_no)
    ).all()
    early = [
        row
        for row in rows
        if (row.kind == LineKind.DISCOUNT and row.trace.get("kind") == DiscountKind.EARLY_PAYMENT)
        or row.kind == LineKind.RESTORED
    ]
    restored_fen = -sum(int(row.amount_fen) for row in early)
    if not restored_fen:
        return 0
    tx.session.add(
        BillLine(
            bill_id=bill_id,
            line_no=rows[-1].line_no + 1,
            kind=LineKind.RESTORED,
            amount_fen=restored_fen,
            trace={
                "method": "restored",
                "name": early[-1].trace.get("name", ""),
                TAKEN_ON: local_date(tx.now).isoformat(),
            },
        )
    )
    return restored_fen


def _take_from_lines(tx: Transaction, payment_id: int, refund_id: int, one: Taken) -> None:
    """Take principal from the lines that this payment paid, the last line first."""
    rows = tx.session.execute(
        select(Allocation.line_no, func.sum(Allocation.amount_fen))
        .where(
            Allocation.payment_id == payment_id,
            Allocation.bill_id == one.bill_id,
            Allocation.kind == AllocationKind.PRINCIPAL,
        )
        .group_by(Allocation.line_no)
        .order_by(Allocation.line_no.desc())
    ).all()
    left_fen = one.amount_fen
    for line_no, paid_fen in rows:
        part_fen = min(left_fen, int(paid_fen))
        if part_fen > 0:
            left_fen -= part_fen
            _allocate(tx, payment_id, refund_id, one, line_no, part_fen)
    if left_fen:
        raise RuntimeError(f"payment {payment_id} gave bill {one.bill_id} less than this")


def _allocate(
    tx: Transaction, payment_id: int, refund_id: int, one: Taken, line_no: int | None, fen: int
) -> None:
    tx.session.add(
        Allocation(
            payment_id=payment_id,
            bill_id=one.bill_id,
            line_no=line_no,
            kind=one.kind,
            amount_fen=-fen,
            refund_id=refund_id,
            created_at=tx.now,
        )
    )


def _lower_late_fee(tx: Transaction, one: Taken) -> None:
    lowered = tx.session.execute(
        update(BillLateFee)
        .where(BillLateFee.bill_id == one.bill_id, BillLateFee.paid_fen >= one.amount_fen)
        .values(paid_fen=BillLateFee.paid_fen - one.amount_fen)
        .returning(BillLateFee.bill_id)
        .execution_options(synchronize_session=False)
    ).scalar_one_or_none()
    if lowered is None:
        raise RuntimeError(f"late fee of bill {one.bill_id} holds less than this")
