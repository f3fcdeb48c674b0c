"""What an owner is shown of a payment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from domain.money import show_yuan
from domain.payment_states import OrderState, PaymentChannel, PayWay
from domain.refund_states import RefundState
from models import Payment, PaymentOrder, PaymentOrderBill, Receipt, Refund
from services.pay_ports import PrepayTicket
from services.payments.tickets import ToPayWith


@dataclass(frozen=True, slots=True)
class PaymentView:
    """One payment of an owner; ``receipt_no`` is set once the money was booked.

    ``amount_fen`` has late fees and the top-up in it, and the discounts off. ``progress`` says in
    Chinese how it stands, for whoever waits.
    """

    id: int
    out_trade_no: str
    way: PayWay
    state: OrderState
    progress: str
    amount_fen: int
    late_fee_fen: int
    discount_fen: int
    topup_fen: int
    description: str
    bill_ids: tuple[int, ...]
    created_at: datetime
    expires_at: datetime
    paid_at: datetime | None
    refunded_fen: int
    receipt_no: str | None


@dataclass(frozen=True, slots=True)
class StartedPayment:
    """A payment and, while it waits for money, what to pay it with."""

    payment: PaymentView
    to_pay_with: ToPayWith

    @property
    def ticket(self) -> PrepayTicket | None:
        """What opens WeChat's pay sheet inside WeChat."""
        return self.to_pay_with.ticket

    @property
    def code_url(self) -> str:
        """The text of the QR code to scan."""
        return self.to_pay_with.code_url

    @property
    def page_url(self) -> str:
        """The page to open."""
        return self.to_pay_with.page_url


def read_payments(session: Session, *conditions: ColumnElement[bool]) -> Sequence[PaymentView]:
    """Read payments, newest first; the caller's conditions carry the scope."""
    orders = session.execute(
        select(PaymentOrder, Payment.paid_at, Receipt.receipt_no)
        .outerjoin(Payment, Payment.order_id == PaymentOrder.id)
        .outerjoin(Receipt, Receipt.payment_id == Payment.id)
        .where(*conditions)
        .order_by(PaymentOrder.id.desc(), Receipt.receipt_no.is_(None), Payment.id)
    ).all()
    refunds = _read_refunds(session, [order.id for order, _, _ in orders])
    parts: dict[int, list[PaymentOrderBill]] = {}
    for part in session.scalars(
        select(PaymentOrderBill)
        .where(PaymentOrderBill.order_id.in_([order.id for order, _, _ in orders]))
        .order_by(PaymentOrderBill.bill_id)
    ):
        parts.setdefault(part.order_id, []).append(part)
    views: dict[int, PaymentView] = {}
    for order, paid_at, receipt_no in orders:
        # Two payments on one order are possible; the one with a receipt comes first.
        views.setdefault(
            order.id,
            PaymentView(
                id=order.id,
                out_trade_no=order.out_trade_no,
                way=PayWay(order.way),
                state=OrderState(order.state),
                progress=say_progress(order, paid_at, refunds.get(order.id, {})),
                amount_fen=order.amount_fen,
                late_fee_fen=sum(part.late_fee_fen for part in parts.get(order.id, ())),
                discount_fen=sum(part.discount_fen for part in parts.get(order.id, ())),
                topup_fen=order.topup_fen,
                description=order.description,
                bill_ids=tuple(part.bill_id for part in parts.get(order.id, ())),
                created_at=order.created_at,
                expires_at=order.expires_at,
                paid_at=paid_at,
                refunded_fen=refunds.get(order.id, {}).get(RefundState.SUCCEEDED, 0),
                receipt_no=receipt_no,
            ),
        )
    return list(views.values())


def _read_refunds(session: Session, order_ids: Sequence[int]) -> dict[int, dict[str, int]]:
    """Add up the refunds of each order by their state."""
    sums: dict[int, dict[str, int]] = {}
    for order_id, state, amount_fen in session.execute(
        select(Payment.order_id, Refund.state, func.sum(Refund.amount_fen))
        .join(Refund, Refund.payment_id == Payment.id)
        .where(Payment.order_id.in_(order_ids))
        .group_by(Payment.order_id, Refund.state)
    ):
        if order_id is not None:
            sums.setdefault(order_id, {})[state] = int(amount_fen)
    return sums


def say_progress(order: PaymentOrder, paid_at: datetime | None, refunds: Mapping[str, int]) -> str:
    """Say how a payment stands in the words of its payer, never more than is known."""
    shown = "支付宝" if order.channel == PaymentChannel.ALIPAY else "微信"
    if paid_at is None:
        if order.paid_seen_at is not None:
            return f"{shown}已扣款，正在入账"
        return _NOT_PAID[OrderState(order.state)]
    if moving_fen := refunds.get(RefundState.PROCESSING, 0) + refunds.get(RefundState.ABNORMAL, 0):
        return f"{show_yuan(moving_fen)} 正在退款，原路退回"
    if refunded_fen := refunds.get(RefundState.SUCCEEDED, 0):
        words = "已全额退款" if refunded_fen >= order.amount_fen else "已退款"
        return f"{words} {show_yuan(refunded_fen)}"
    if order.state != OrderState.SUCCEEDED:
        return f"{shown}已扣款，订单已先关闭，款项正在处理"
    return "已入账"


_NOT_PAID = {
    OrderState.CREATED: "正在下单",
    OrderState.UNKNOWN: "正在下单",
    OrderState.PREPAYING: "等待支付",
    OrderState.SUCCEEDED: "正在入账",
    OrderState.CLOSED: "已关闭，未扣款",
    OrderState.FAILED: "下单失败，未扣款",
}
