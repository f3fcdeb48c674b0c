"""Money that fits nothing (暂存款), for the people who place it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select

from domain.actors import Actor, Permission, staff_id_of
from domain.errors import Conflict, NotFound
from domain.money import show_yuan
from models import House, Payment, Suspense
from services.audit import record
from services.payments.refund_rows import left_in_suspense, lock_payment
from services.payments.surplus import resolve_to_prepaid
from services.reasons import check_amount_and_reason
from services.unit_of_work import Transaction, UnitOfWork

SUSPENSE_SHOWN = {
    "unknown_order": "没有对应的订单",
    "other_amount": "金额与订单不符",
    "other_merchant": "商户号与订单不符",
    "other_app": "应用与订单不符",
    "other_currency": "币种与订单不符",
    "bill_already_paid": "账单已缴清",
    "bill_voided": "账单已作废",
    "bill_written_off": "账单已核销",
    "late_fee_settled": "滞纳金已结清",
    "order_already_paid": "同一订单付了两次",
}


class LessInSuspense(Conflict):
    """Less is left of the money than is to be placed, or a refund of it is on its way."""

    code = "less_in_suspense"
    message = "这笔暂存款没有这么多可处理的余额"


@dataclass(frozen=True, slots=True)
class SuspenseView:
    """Money in suspense: why, how much came, and how much nobody has placed yet.

    ``open_fen`` leaves out what a refund on its way will take.
    """

    id: int
    payment_id: int
    out_trade_no: str
    transaction_id: str
    reason: str
    reason_shown: str
    amount_fen: int
    open_fen: int
    paid_at: datetime
    is_of_no_community: bool


@dataclass(frozen=True)
class SuspenseMoney:
    """Money that waits for a person: shown, and placed where it belongs.

    Giving it back to the payer is a refund of its payment, asked for like any other.
    """

    unit_of_work: UnitOfWork

    def list_open(self, *, actor: Actor, community_id: int) -> Sequence[SuspenseView]:
        """List what nobody has placed, of a community and of none, the oldest first."""
        actor.must(Permission.VIEW_HOUSE_MONEY)
        actor.must_cover(community_id)
        open_fen = left_in_suspense()
        query = (
            select(Suspense, Payment, open_fen)
            .join(Payment, Payment.id == Suspense.payment_id)
            .where(
                or_(Payment.community_id == community_id, Payment.community_id.is_(None)),
                open_fen > 0,
            )
            .order_by(Suspense.id)
        )
        with self.unit_of_work.reading() as session:
            return [
                SuspenseView(
                    id=suspense.id,
                    payment_id=payment.id,
                    out_trade_no=payment.out_trade_no,
                    transaction_id=payment.provider_transaction_id,
                    reason=suspense.reason,
                    reason_shown=SUSPENSE_SHOWN.get(suspense.reason, suspense.reason),
                    amount_fen=suspense.amount_fen,
                    open_fen=int(left_fen),
                    paid_at=payment.paid_at,
                    is_of_no_community=payment.community_id is None,
                )
                for suspense, payment, left_fen in session.execute(query)
            ]

    def to_prepaid(
        self,
        *,
        actor: Actor,
        community_id: int,
        suspense_id: int,
        house_id: int,
        amount_fen: int,
        note: str,
    ) -> None:
        """Put money from suspense into the prepaid account of the house that it belongs to.

        Money that fits no order may go to a house of any community.

        Raises:
            NotFound: no such money or house in the community.
            LessInSuspense: somebody placed it before, or it is being refunded.
            InvalidInput: no amount, or no word why.
        """
        actor.must(Permission.MOVE_PREPAID)
        actor.must_cover(community_id)
        check_amount_and_reason(amount_fen, note, field="note")
        staff_id = staff_id_of(actor)

        def work(tx: Transaction) -> None:
            suspense = tx.session.get(Suspense, suspense_id)
            if suspense is None:
                raise NotFound("没有这笔暂存款")
            payment = lock_payment(tx, suspense.payment_id)
            house = tx.session.get(House, house_id)
            if payment.community_id not in (None, community_id):
                raise NotFound("没有这笔暂存款")
            if house is None or house.community_id != community_id:
                raise NotFound("没有这个房屋")
            open_fen = tx.session.execute(
                select(left_in_suspense()).where(Suspense.id == suspense_id)
            ).scalar_one()
            if amount_fen > open_fen:
                raise LessInSuspense(f"这笔暂存款还有 {show_yuan(int(open_fen))} 可以处理")
            resolve_to_prepaid(
                tx,
                payment,
                suspense,
                house_id,
                amount_fen,
                community_id=community_id,
                staff_id=staff_id,
                note=note.strip(),
            )
            record(
                tx,
                actor,
                "suspense_to_prepaid",
                subject_type="payment",
                subject_id=payment.id,
                community_id=community_id,
                facts={"house_id": house_id, "amount_fen": amount_fen, "note": note.strip()},
            )

        self.unit_of_work.run(work)
