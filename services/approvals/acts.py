"""Carrying out what was approved: one step per kind, inside the deciding transaction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert

from domain.actors import Actor, staff_id_of
from domain.approvals import ApprovalKind
from domain.bill_states import BillState, LineKind
from domain.errors import NotFound
from domain.periods import local_date
from domain.prepaid import DepositMove, PrepaidMove
from domain.refund_states import RefundKind, RefundState
from models import (
    ApprovalRequest,
    Bill,
    BillAdjustment,
    BillLateFee,
    BillLine,
    BillLock,
    Refund,
)
from services.accrued_late_fees import TAKEN_ON, freeze, read_accrued
from services.approvals.checks import (
    MoreThanOpen,
    check_adjustable,
    check_open,
    check_voidable,
)
from services.approvals.payment_refunds import refund_payment
from services.audit import record
from services.payments.taking import BillInPayment, new_trade_no
from services.prepaid.deposit_ledger import spend
from services.prepaid.ledger import move
from services.shifts import open_shift_id
from services.unit_of_work import Transaction

_LOCK_NOTES = text(
    """
    SELECT id FROM bill_adjustment
     WHERE community_id = :community_id AND house_id = :house_id AND state <> 'cancelled'
       AND (of_bill_id = :bill_id OR applied_bill_id = :bill_id)
     ORDER BY id FOR UPDATE
    """
)
_REOPEN_NOTES = text(
    """
    UPDATE bill_adjustment SET state = 'open', applied_bill_id = NULL
     WHERE community_id = :community_id AND house_id = :house_id
       AND state = 'applied' AND applied_bill_id = :bill_id
    RETURNING id
    """
)
_CANCEL_NOTES = text(
    """
    UPDATE bill_adjustment SET state = 'cancelled'
     WHERE community_id = :community_id AND house_id = :house_id
       AND state = 'open' AND of_bill_id = :bill_id
    RETURNING id
    """
)


def carry_out(tx: Transaction, actor: Actor, request: ApprovalRequest) -> None:
    """Do what a request asks for, checked against how things are now.

    Raises:
        BillNotOpen, BillHasPayment, BillInPayment, MoreThanOpen, BalanceTooLow: it cannot be done
            any more.
    """
    _ACTS[ApprovalKind(request.kind)](tx, actor, request)


def _lock_bill(
    tx: Transaction, request: ApprovalRequest, *, may_be_in_payment: bool = False
) -> Bill:
    bill = tx.session.execute(
        select(Bill).where(Bill.id == request.bill_id).with_for_update()
    ).scalar_one_or_none()
    if bill is None:
        raise NotFound
    if not may_be_in_payment and tx.session.get(BillLock, bill.id) is not None:
        raise BillInPayment
    return bill


def _waive(tx: Transaction, actor: Actor, request: ApprovalRequest) -> None:
    """Take something off a bill by a line of its own; paid off, its late fee stops growing."""
    bill = _lock_bill(tx, request)
    check_open(bill, request.amount_fen)
    today = local_date(tx.now)
    accrued = read_accrued(tx.session, [bill.id], today).get(bill.id)
    last = tx.session.execute(
        select(func.max(BillLine.line_no)).where(BillLine.bill_id == bill.id)
    ).scalar_one()
    tx.session.add(
        BillLine(
            bill_id=bill.id,
            line_no=(last or 0) + 1,
            kind=LineKind.WAIVER,
            amount_fen=-request.amount_fen,
            trace={
                "method": "waiver",
                "reason": request.reason,
                "request_id": request.id,
                TAKEN_ON: today.isoformat(),
            },
        )
    )
    bill.amount_fen -= request.amount_fen
    if bill.paid_fen == bill.amount_fen:
        bill.state = BillState.PAID
        if accrued is not None:
            freeze(tx, bill.id, accrued, frozen_on=today)
    _record(tx, actor, "bill_waived", bill, request)


def _write_off(tx: Transaction, actor: Actor, request: ApprovalRequest) -> None:
    bill = _lock_bill(tx, request)
    check_open(bill, 1)
    if bill.amount_fen - bill.paid_fen > request.amount_fen:
        raise MoreThanOpen("账单未缴金额已变化，请重新申请")
    bill.state = BillState.WRITTEN_OFF
    _record(tx, actor, "bill_written_off", bill, request)


def _void(tx: Transaction, actor: Actor, request: ApprovalRequest) -> None:
    """Void a bill; the next run of its month makes another in its place, which names it.

    The notes that it carries wait for the next bill again; its own open notes have lost their
    reason and are cancelled.
    """
    bill = _lock_bill(tx, request)
    keys = {"community_id": bill.community_id, "house_id": bill.house_id, "bill_id": bill.id}
    tx.session.execute(_LOCK_NOTES, keys)  # a batch may be taking one of them
    check_voidable(tx, bill)
    reopened = tx.session.scalars(_REOPEN_NOTES, keys).all()
    cancelled = tx.session.scalars(_CANCEL_NOTES, keys).all()
    bill.state = BillState.VOIDED
    notes = {"notes_reopened": sorted(reopened), "notes_cancelled": sorted(cancelled)}
    _record(
        tx, actor, "bill_voided", bill, request, **{name: ids for name, ids in notes.items() if ids}
    )


def _waive_late_fee(tx: Transaction, actor: Actor, request: ApprovalRequest) -> None:
    bill = _lock_bill(tx, request)
    accrued = read_accrued(tx.session, [bill.id], local_date(tx.now)).get(bill.id)
    if accrued is None or accrued.open_fen < request.amount_fen:
        raise MoreThanOpen("滞纳金未缴部分不足")
    tx.session.execute(
        insert(BillLateFee)
        .values(bill_id=bill.id, waived_fen=request.amount_fen)
        .on_conflict_do_update(
            index_elements=["bill_id"],
            set_={"waived_fen": BillLateFee.waived_fen + request.amount_fen},
        )
    )
    _record(tx, actor, "late_fee_waived", bill, request)


def _adjust(tx: Transaction, actor: Actor, request: ApprovalRequest) -> None:
    bill = _lock_bill(tx, request, may_be_in_payment=True)
    check_adjustable(tx, bill, request.facts["note_fen"])
    tx.session.add(
        BillAdjustment(
            community_id=bill.community_id,
            house_id=bill.house_id,
            fee_item_id=bill.fee_item_id,
            of_bill_id=bill.id,
            approval_request_id=request.id,
            amount_fen=request.facts["note_fen"],
            reason=request.reason,
            created_at=tx.now,
        )
    )
    _record(tx, actor, "bill_adjusted", bill, request)


def _refund_prepaid(tx: Transaction, actor: Actor, request: ApprovalRequest) -> None:
    refund = _pay_out(tx, actor, request, RefundKind.PREPAID)
    move(
        tx,
        account_id=request.facts["account_id"],
        kind=PrepaidMove.REFUND,
        amount_fen=-request.amount_fen,
        refund_id=refund.id,
        note=request.reason,
        staff_id=actor.id,
    )


def _return_deposit(tx: Transaction, actor: Actor, request: ApprovalRequest) -> None:
    refund = _pay_out(tx, actor, request, RefundKind.DEPOSIT)
    spend(
        tx,
        deposit_id=request.facts["deposit_id"],
        kind=DepositMove.RETURN,
        amount_fen=request.amount_fen,
        refund_id=refund.id,
        note=request.reason,
        staff_id=actor.id,
    )


def _pay_out(tx: Transaction, actor: Actor, request: ApprovalRequest, kind: RefundKind) -> Refund:
    facts: dict[str, Any] = request.facts
    asked_by = request.requested_by_staff_id
    refund = Refund(
        community_id=request.community_id,
        house_id=request.house_id,
        approval_request_id=request.id,
        kind=kind,
        state=RefundState.SUCCEEDED,
        refund_no=new_trade_no("R", tx.now),
        reason=request.reason,
        channel=facts["channel"],
        amount_fen=request.amount_fen,
        payee_name=facts["payee_name"].strip(),
        payee_phone=facts["payee_phone"],
        voucher_no=facts["voucher_no"].strip(),
        staff_id=asked_by,
        shift_id=open_shift_id(tx, request.community_id, asked_by, staff_id_of(actor)),
        created_at=tx.now,
        refunded_at=tx.now,
    )
    tx.session.add(refund)
    tx.session.flush()
    return refund


def _record(
    tx: Transaction, actor: Actor, action: str, bill: Bill, request: ApprovalRequest, **more: Any
) -> None:
    record(
        tx,
        actor,
        action,
        subject_type="bill",
        subject_id=bill.id,
        community_id=bill.community_id,
        facts={
            "bill_no": bill.bill_no,
            "amount_fen": request.amount_fen,
            "reason": request.reason,
            "request_id": request.id,
            **more,
        },
    )


_ACTS: dict[ApprovalKind, Callable[[Transaction, Actor, ApprovalRequest], None]] = {
    ApprovalKind.WAIVER: _waive,
    ApprovalKind.VOID: _void,
    ApprovalKind.WRITE_OFF: _write_off,
    ApprovalKind.LATE_FEE_WAIVER: _waive_late_fee,
    ApprovalKind.ADJUSTMENT: _adjust,
    ApprovalKind.PREPAID_REFUND: _refund_prepaid,
    ApprovalKind.DEPOSIT_RETURN: _return_deposit,
    ApprovalKind.PAYMENT_REFUND: refund_payment,
}
