"""Reversals (冲红): money entered wrongly goes out of the same drawer by a counter-entry."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from domain.actors import Actor, Permission, staff_id_of
from domain.errors import Conflict, NotAllowed, NotFound
from domain.payment_states import OVER_THE_COUNTER
from domain.refund_states import RefundKind, RefundSource, RefundState
from models import Deposit, Payment, Receipt, Refund
from services.audit import record
from services.payments.refund_rows import Part, begin_refund, find_parts, lock_payment
from services.payments.refunds import end_refund
from services.reasons import check_reason
from services.shifts import is_open
from services.unit_of_work import Transaction, UnitOfWork


class ShiftIsOver(Conflict):
    """The drawer that the money went into was counted, or is."""

    code = "shift_is_over"
    message = "这笔收款的班次已清点或日结，不能冲红，请改走退款"


class NotReversible(Conflict):
    """The payment is not whole any more, or never was in a drawer."""

    code = "not_reversible"
    message = "这笔收款不能冲红，请改走退款"


@dataclass(frozen=True, slots=True)
class Reversal:
    """A payment that was taken back whole."""

    refund_no: str
    receipt_no: str
    amount_fen: int


@dataclass(frozen=True)
class Reversals:
    """Takes entries of cashiers back while their drawer is open."""

    unit_of_work: UnitOfWork

    def reverse(self, *, actor: Actor, community_id: int, receipt_no: str, reason: str) -> Reversal:
        """Take back all of a payment over the counter; its receipt is void.

        Another person than the cashier does it, in the shift that took the money. Bills owe it
        again, as if it had not been paid.

        Raises:
            InvalidInput: no reason, or more than 200 characters.
            NotFound: the community has no such receipt.
            NotAllowed: the actor took the money themselves.
            ReauthenticationNeeded: the password was given too long ago.
            ShiftIsOver: the shift is not open any more: it must be a refund.
            NotReversible: money of it was spent or given back, or it was not taken at a counter.

        Source: reliability.md M9; domain.md D5.
        """
        actor.must(Permission.REVERSE_MONEY)
        actor.must_cover(community_id)
        actor.must_be_fresh()
        staff_id = staff_id_of(actor)
        check_reason(reason)

        def work(tx: Transaction) -> Reversal:
            payment = _find(tx, community_id, receipt_no)
            if payment.channel not in OVER_THE_COUNTER:
                raise NotReversible("线上收款和预存、押金抵扣不能冲红，请改走退款")
            if payment.taken_by_staff_id == staff_id:
                raise NotAllowed("不能冲红自己收的款，请另一位财务或经理办理")
            payment = lock_payment(tx, payment.id)
            if not is_open(tx, payment.shift_id):
                raise ShiftIsOver
            return _reverse(tx, actor, payment, receipt_no, reason.strip())

        return self.unit_of_work.run(work)


def _find(tx: Transaction, community_id: int, receipt_no: str) -> Payment:
    payment = tx.session.execute(
        select(Payment)
        .join(Receipt, Receipt.payment_id == Payment.id)
        .where(Receipt.receipt_no == receipt_no, Receipt.community_id == community_id)
    ).scalar_one_or_none()
    if payment is None:
        raise NotFound("没有这张收据")
    return payment


def _reverse(
    tx: Transaction, actor: Actor, payment: Payment, receipt_no: str, reason: str
) -> Reversal:
    refund = begin_refund(
        tx,
        payment,
        _all_parts(tx, payment),
        kind=RefundKind.REVERSAL,
        reason=reason,
        staff_id=actor.id,
        shift_id=payment.shift_id,
    )
    end_refund(tx, actor, refund.id, RefundState.SUCCEEDED)
    record(
        tx,
        actor,
        "money_reversed",
        subject_type="payment",
        subject_id=payment.id,
        community_id=payment.community_id,
        facts={
            "refund_no": refund.refund_no,
            "receipt_no": receipt_no,
            "amount_fen": refund.amount_fen,
            "reason": reason,
        },
    )
    return Reversal(refund.refund_no, receipt_no, refund.amount_fen)


def _all_parts(tx: Transaction, payment: Payment) -> list[Part]:
    """Find the whole payment where it was put.

    Raises:
        NotReversible: some of it is not there any more.
    """
    refunds = tx.session.scalars(
        select(Refund.id).where(Refund.payment_id == payment.id, Refund.state != RefundState.FAILED)
    ).all()
    if refunds:
        raise NotReversible("这笔收款已有退款或已冲红，不能再冲红")
    parts = find_parts(tx, payment, with_deposits=True)
    deposits = [part.deposit_id for part in parts if part.source is RefundSource.DEPOSIT]
    is_used = tx.session.scalars(
        select(Deposit.id)
        .where(Deposit.id.in_(deposits), Deposit.deducted_fen + Deposit.returned_fen > 0)
        .with_for_update()
    ).all()
    if is_used:
        raise NotReversible("押金已抵扣或退还过，不能冲红，请改走退款")
    if sum(part.amount_fen for part in parts) != payment.amount_fen:
        raise NotReversible("转入预存的钱已使用，不能冲红，请改走退款")
    return parts
