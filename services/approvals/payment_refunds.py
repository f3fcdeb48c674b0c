"""Refunds of money that was paid: asked for by one, decided by another above a small limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, or_, select

from domain.actors import Actor, Permission, staff_id_of
from domain.approvals import ApprovalKind, ApprovalState
from domain.errors import InvalidInput, NotFound
from domain.payment_states import HELD_MONEY, ONLINE, PaymentChannel
from domain.periods import local_date, start_of_local_day
from domain.refund_states import RefundKind, RefundSource, RefundState
from domain.settling import AllocationKind
from models import Allocation, ApprovalRequest, Bill, Community, Payment, Staff
from services.approvals.requests import Payout, ask_about, check_payout, run_request
from services.audit import record
from services.payments.numbers import has_number
from services.payments.refund_rows import (
    Part,
    begin_refund,
    choose_parts,
    find_parts,
    lock_payment,
)
from services.payments.refunds import end_refund
from services.reasons import check_amount_and_reason
from services.shifts import open_shift_id
from services.unit_of_work import Transaction, UnitOfWork

_SOURCE_SHOWN = {RefundSource.SUSPENSE: "暂存款", RefundSource.PREPAID: "预存余额"}


@dataclass(frozen=True, slots=True)
class RefundAsked:
    """A request for a refund; ``is_decided`` when it was small enough for one person alone."""

    request_id: int
    is_decided: bool


@dataclass(frozen=True, slots=True)
class RefundablePart:
    """Money of a payment where it is now: ``shown`` says where."""

    shown: str
    amount_fen: int


@dataclass(frozen=True, slots=True)
class RefundablePayment:
    """A payment and what of it can be given back now, in the order in which it would be taken."""

    payment_id: int
    out_trade_no: str
    channel: PaymentChannel
    amount_fen: int
    paid_at: datetime
    parts: tuple[RefundablePart, ...]

    @property
    def refundable_fen(self) -> int:
        """All that can be given back."""
        return sum(part.amount_fen for part in self.parts)


@dataclass(frozen=True)
class PaymentRefundRequests:
    """What staff ask to give back of a payment."""

    unit_of_work: UnitOfWork

    def look(self, *, actor: Actor, community_id: int, number: str) -> RefundablePayment:
        """Find a payment by its receipt's number, our order number or the channel's.

        Money whose order nobody knows is found in every community.

        Raises:
            NotFound: there is no such payment here.
        """
        actor.must(Permission.REQUEST_MONEY_OUT)
        actor.must_cover(community_id)

        def work(tx: Transaction) -> RefundablePayment:
            payment = tx.session.scalars(
                select(Payment)
                .where(
                    or_(Payment.community_id == community_id, Payment.community_id.is_(None)),
                    has_number(number),
                )
                .order_by(Payment.id)
                .limit(1)
            ).first()
            if payment is None:
                raise NotFound("没有这笔收款")
            is_money = payment.channel not in HELD_MONEY
            return RefundablePayment(
                payment_id=payment.id,
                out_trade_no=payment.out_trade_no,
                channel=PaymentChannel(payment.channel),
                amount_fen=payment.amount_fen,
                paid_at=payment.paid_at,
                parts=_show_parts(tx, find_parts(tx, payment) if is_money else []),
            )

        return self.unit_of_work.run(work)

    def ask(
        self,
        *,
        actor: Actor,
        community_id: int,
        payment_id: int,
        amount_fen: int,
        reason: str,
        bill_id: int | None = None,
        payout: Payout | None = None,
    ) -> RefundAsked:
        """Ask to give money of a payment back, by the way it came; all of it or a part.

        Without ``bill_id`` what fits nothing goes first, then what is still prepaid, then bills,
        the newest first. What was paid over the counter is paid out to a named payee. Another
        person decides, unless the community lets one alone refund so little, all of a day counted.

        Raises:
            NotFound: the community has no such payment, or the bill took none of it.
            MoreThanRefundable, NotRefundable: so much is not left, or it never was a payment.
            RequestPending: one is waiting to be decided for this payment.
            InvalidInput: no amount, no reason, or no payee where one is needed.

        Source: domain.md D5; reliability.md A5.
        """
        actor.must(Permission.REQUEST_MONEY_OUT)
        actor.must_cover(community_id)
        actor.must_be_fresh()
        check_amount_and_reason(amount_fen, reason)

        def work(tx: Transaction) -> RefundAsked:
            _find(tx, community_id, payment_id, bill_id)
            payment = lock_payment(tx, payment_id)
            facts = _facts(payment, bill_id, payout)
            choose_parts(find_parts(tx, payment, bill_id=bill_id), amount_fen)
            request_id = ask_about(
                tx,
                actor,
                ApprovalKind.PAYMENT_REFUND,
                subject=f"payment:{payment.id}",
                community_id=community_id,
                house_id=_house_of(tx, payment, bill_id),
                amount_fen=amount_fen,
                reason=reason,
                facts=facts,
                bill_id=bill_id,
            )
            return RefundAsked(request_id, _decide_alone(tx, actor, request_id))

        return run_request(self.unit_of_work, work)


def refund_payment(tx: Transaction, actor: Actor, request: ApprovalRequest) -> None:
    """Carry an approved refund out: what it takes is fixed now; the channel is called afterwards.

    Over the counter it is paid out with this.

    Raises:
        MoreThanRefundable: less is left than when it was asked for.
    """
    facts: dict[str, Any] = request.facts
    payment = lock_payment(tx, facts["payment_id"])
    parts = choose_parts(find_parts(tx, payment, bill_id=facts.get("bill_id")), request.amount_fen)
    values: dict[str, Any] = {
        "kind": RefundKind.PAYMENT,
        "approval_request_id": request.id,
        "reason": request.reason,
    }
    if payment.channel in ONLINE:
        begin_refund(tx, payment, parts, **values)
        return
    values |= {name: facts[name] for name in ("channel", "payee_name", "payee_phone", "voucher_no")}
    asked_by = request.requested_by_staff_id
    shift_id = open_shift_id(tx, payment.community_id, asked_by, staff_id_of(actor))
    values |= {"staff_id": asked_by, "shift_id": shift_id}
    refund = begin_refund(tx, payment, parts, **values)
    end_refund(tx, actor, refund.id, RefundState.SUCCEEDED)


def _show_parts(tx: Transaction, parts: Sequence[Part]) -> tuple[RefundablePart, ...]:
    found = select(Bill.id, Bill.bill_no).where(Bill.id.in_({part.bill_id for part in parts}))
    bill_nos: dict[int, str] = dict(tx.session.execute(found).all())
    return tuple(RefundablePart(_show_part(part, bill_nos), part.amount_fen) for part in parts)


def _show_part(part: Part, bill_nos: Mapping[int, str]) -> str:
    if part.bill_id is None:
        return _SOURCE_SHOWN[part.source]
    late_fee = "滞纳金" if part.kind is AllocationKind.LATE_FEE else ""
    return f"账单 {bill_nos[part.bill_id]}{late_fee}"


def _find(tx: Transaction, community_id: int, payment_id: int, bill_id: int | None) -> None:
    """Refuse a payment of another community; one that fits no order belongs to none."""
    payment = tx.session.get(Payment, payment_id)
    if payment is None or payment.community_id not in (None, community_id):
        raise NotFound("没有这笔收款")
    if (
        bill_id is not None
        and not tx.session.scalars(
            select(Allocation.id)
            .where(Allocation.payment_id == payment_id, Allocation.bill_id == bill_id)
            .limit(1)
        ).all()
    ):
        raise NotFound("这笔收款没有缴过这张账单")


def _facts(payment: Payment, bill_id: int | None, payout: Payout | None) -> dict[str, Any]:
    facts: dict[str, Any] = {"payment_id": payment.id}
    if bill_id is not None:
        facts["bill_id"] = bill_id
    if payment.channel in ONLINE:
        if payout is not None:
            raise InvalidInput(fields={"channel": ["线上收款只能原路退回"]})
        return facts
    if payout is None:
        raise InvalidInput(fields={"channel": ["柜台收款请写明退款方式和收款人"]})
    check_payout(payout)
    return facts | {name: value.strip() for name, value in asdict(payout).items()}


def _house_of(tx: Transaction, payment: Payment, bill_id: int | None) -> int | None:
    """Tell to which house the money goes back: the bill's, the payment's, or its first bill's."""
    if bill_id is None and payment.house_id is not None:
        return payment.house_id
    query = select(Bill.house_id).join(Allocation, Allocation.bill_id == Bill.id)
    query = query.where(Allocation.payment_id == payment.id)
    if bill_id is not None:
        query = query.where(Bill.id == bill_id)
    return tx.session.scalars(query.order_by(Allocation.id).limit(1)).first()


def _decide_alone(tx: Transaction, actor: Actor, request_id: int) -> bool:
    """Approve a small refund with the request, if the community lets one person do that.

    All that a person refunded alone on a local day counts together, or large ones could be cut up.
    """
    request = tx.session.get_one(ApprovalRequest, request_id)
    if Permission.APPROVE_MONEY_OUT not in actor.permissions or request.community_id is None:
        return False
    limit_fen = tx.session.get_one(Community, request.community_id).refund_alone_fen
    staff_id = staff_id_of(actor)
    tx.session.execute(select(Staff.id).where(Staff.id == staff_id).with_for_update(key_share=True))
    alone_fen = tx.session.execute(
        select(func.coalesce(func.sum(ApprovalRequest.amount_fen), 0)).where(
            ApprovalRequest.is_alone,
            ApprovalRequest.decided_by_staff_id == staff_id,
            ApprovalRequest.decided_at >= start_of_local_day(local_date(tx.now)),
        )
    ).scalar_one()
    if int(alone_fen) + request.amount_fen > limit_fen:
        return False
    refund_payment(tx, actor, request)
    request.state = ApprovalState.APPROVED
    request.is_alone = True
    request.decided_by_staff_id = staff_id
    request.decided_at = tx.now
    record(
        tx,
        actor,
        "refund_decided_alone",
        subject_type="approval_request",
        subject_id=request.id,
        community_id=request.community_id,
        facts={"amount_fen": request.amount_fen, "limit_fen": limit_fen},
    )
    return True
