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
    Chinese how it stands, for whoever waits. ``refunded_fen`` is of the money that ``receipt_no``
    is for: where it came twice, what the second gave back is only told of.
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
        select(PaymentOrder, Payment.id, Payment.paid_at, Receipt.receipt_no)
        .outerjoin(Payment, Payment.order_id == PaymentOrder.id)
        .outerjoin(Receipt, Receipt.payment_id == Payment.id)
        .where(*conditions)
        .order_by(PaymentOrder.id.desc(), Receipt.receipt_no.is_(None), Payment.id)
    ).all()
    order_ids = [order.id for order, *_ in orders]
    refunds = _read_refunds(session, order_ids)
    parts: dict[int, list[PaymentOrderBill]] = {}
    for part in session.scalars(
        select(PaymentOrderBill)
        .where(PaymentOrderBill.order_id.in_(order_ids))
        .order_by(PaymentOrderBill.bill_id)
    ):
        parts.setdefault(part.order_id, []).append(part)
    views: dict[int, PaymentView] = {}
    for order, payment_id, paid_at, receipt_no in orders:
        # Two payments on one order are possible; the one with a receipt comes first.
        came = _Came(paid_at, receipt_no, refunds.get(order.id, {}), payment_id)
        views.setdefault(
            order.id,
            PaymentView(
                id=order.id,
                out_trade_no=order.out_trade_no,
                way=PayWay(order.way),
                state=OrderState(order.state),
                progress=_say_progress(order, came),
                amount_fen=order.amount_fen,
                late_fee_fen=sum(part.late_fee_fen for part in parts.get(order.id, ())),
                discount_fen=sum(part.discount_fen for part in parts.get(order.id, ())),
                topup_fen=order.topup_fen,
                description=order.description,
                bill_ids=tuple(part.bill_id for part in parts.get(order.id, ())),
                created_at=order.created_at,
                expires_at=order.expires_at,
                paid_at=paid_at,
                refunded_fen=came.fen(RefundState.SUCCEEDED),
                receipt_no=receipt_no,
            ),
        )
    return list(views.values())


_Refunds = Mapping[tuple[int, str], int]
"""What goes back of an order's payments, by the payment and the state of its refunds."""


@dataclass(frozen=True, slots=True)
class _Came:
    """The money of an order that counts, and what of all its money goes back."""

    paid_at: datetime | None
    receipt_no: str | None
    refunds: _Refunds
    payment_id: int | None

    def fen(self, *states: RefundState) -> int:
        """Tell what of the money that counts is in these states."""
        return sum(
            fen
            for (payment_id, state), fen in self.refunds.items()
            if payment_id == self.payment_id and state in states
        )

    def doubled_fen(self, *states: RefundState) -> int:
        """Tell what of money that came once more is in these states."""
        return sum(fen for (_, state), fen in self.refunds.items() if state in states) - self.fen(
            *states
        )


def _read_refunds(session: Session, order_ids: Sequence[int]) -> dict[int, _Refunds]:
    """Add up the refunds of each order by its payments and their state."""
    sums: dict[int, dict[tuple[int, str], int]] = {}
    for order_id, payment_id, state, amount_fen in session.execute(
        select(Payment.order_id, Payment.id, Refund.state, func.sum(Refund.amount_fen))
        .join(Refund, Refund.payment_id == Payment.id)
        .where(Payment.order_id.in_(order_ids))
        .group_by(Payment.id, Refund.state)
    ):
        if order_id is not None:
            sums.setdefault(order_id, {})[payment_id, state] = int(amount_fen)
    return dict(sums)


def _say_progress(order: PaymentOrder, came: _Came) -> str:
    """Say how a payment stands in the words of its payer, never more than is known."""
    shown = "支付宝" if order.channel == PaymentChannel.ALIPAY else "微信"
    if came.paid_at is None:
        if order.paid_seen_at is not None:
            return f"{shown}已扣款，正在入账"
        return _NOT_PAID[OrderState(order.state)]
    if moving_fen := came.fen(*_MOVING):
        return f"{show_yuan(moving_fen)} 正在退款，原路退回"
    if refunded_fen := came.fen(RefundState.SUCCEEDED):
        words = "已全额退款" if refunded_fen >= order.amount_fen else "已退款"
        return f"{words} {show_yuan(refunded_fen)}"
    if came.receipt_no is None and order.state != OrderState.SUCCEEDED:
        return f"{shown}已扣款，订单已先关闭，款项正在处理"
    if moving_fen := came.doubled_fen(*_MOVING):
        return f"已入账，重复支付的 {show_yuan(moving_fen)} 正在退款，原路退回"
    if doubled_fen := came.doubled_fen(RefundState.SUCCEEDED):
        return f"已入账，重复支付的 {show_yuan(doubled_fen)} 已退回"
    return "已入账"


_MOVING = (RefundState.PROCESSING, RefundState.ABNORMAL)
_NOT_PAID = {
    OrderState.CREATED: "正在下单",
    OrderState.UNKNOWN: "正在下单",
    OrderState.PREPAYING: "等待支付",
    OrderState.SUCCEEDED: "正在入账",
    OrderState.CLOSED: "已关闭，未扣款",
    OrderState.FAILED: "下单失败，未扣款",
}
