"""What an owner is shown of a payment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from domain.payment_states import OrderState
from models import Payment, PaymentOrder, PaymentOrderBill, Receipt
from services.pay_ports import PrepayTicket


@dataclass(frozen=True, slots=True)
class PaymentView:
    """One payment of an owner; ``receipt_no`` is set once the money was booked.

    ``amount_fen`` has late fees and the top-up in it, and the discounts off.
    """

    id: int
    out_trade_no: str
    state: OrderState
    amount_fen: int
    late_fee_fen: int
    discount_fen: int
    topup_fen: int
    description: str
    bill_ids: tuple[int, ...]
    created_at: datetime
    expires_at: datetime
    paid_at: datetime | None
    receipt_no: str | None


@dataclass(frozen=True, slots=True)
class StartedPayment:
    """A payment and, while it waits for money, the ticket that opens WeChat's pay sheet."""

    payment: PaymentView
    ticket: PrepayTicket | None


def read_payments(session: Session, *conditions: ColumnElement[bool]) -> Sequence[PaymentView]:
    """Read payments, newest first; the caller's conditions carry the scope."""
    orders = session.execute(
        select(PaymentOrder, Payment.paid_at, Receipt.receipt_no)
        .outerjoin(Payment, Payment.order_id == PaymentOrder.id)
        .outerjoin(Receipt, Receipt.payment_id == Payment.id)
        .where(*conditions)
        .order_by(PaymentOrder.id.desc(), Receipt.receipt_no.is_(None), Payment.id)
    ).all()
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
                state=OrderState(order.state),
                amount_fen=order.amount_fen,
                late_fee_fen=sum(part.late_fee_fen for part in parts.get(order.id, ())),
                discount_fen=sum(part.discount_fen for part in parts.get(order.id, ())),
                topup_fen=order.topup_fen,
                description=order.description,
                bill_ids=tuple(part.bill_id for part in parts.get(order.id, ())),
                created_at=order.created_at,
                expires_at=order.expires_at,
                paid_at=paid_at,
                receipt_no=receipt_no,
            ),
        )
    return list(views.values())
