"""Receipts: a gapless number and an immutable snapshot, made with the booking; and the message."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from domain.actors import Actor, Permission
from domain.errors import NotFound
from domain.houses import house_label
from domain.messages import Channel, MessageKind
from domain.money import format_yuan
from domain.periods import SHANGHAI, Span, local_date
from domain.phones import mask_phone
from models import (
    Account,
    Bill,
    Building,
    Community,
    FeeItem,
    House,
    Payment,
    PaymentOrder,
    Receipt,
)
from services.numbers import take_numbers
from services.outbox import queue_message
from services.recipients import official_openids
from services.unit_of_work import Transaction, UnitOfWork

CHANNEL_SHOWN = {"wechat": "微信支付"}


@dataclass(frozen=True, slots=True)
class ReceiptView:
    """A receipt as it was issued. ``lines``: house, item, period, bill_no, amount_fen each."""

    receipt_no: str
    issued_at: datetime
    amount_fen: int
    payment_id: int
    snapshot: dict[str, Any]


def issue_receipt(
    tx: Transaction, *, order: PaymentOrder, payment: Payment, placed: dict[int, int]
) -> None:
    """Number a receipt for what was placed, fen by bill id, and tell the payer."""
    community = tx.session.get_one(Community, order.community_id)
    phone = tx.session.execute(
        select(Account.phone).where(Account.id == order.account_id)
    ).scalar_one()
    lines = _lines(tx, placed)
    year = local_date(tx.now).year
    number = take_numbers(tx, community_id=community.id, series=f"receipt:{year}")
    receipt = Receipt(
        community_id=community.id,
        payment_id=payment.id,
        receipt_no=f"{community.code}-{year}-{number:07d}",
        amount_fen=sum(placed.values()),
        issued_at=tx.now,
        snapshot={
            "community": community.name,
            "channel": CHANNEL_SHOWN[order.channel],
            "transaction_id": payment.provider_transaction_id,
            "out_trade_no": order.out_trade_no,
            "payer_phone": mask_phone(phone),
            "paid_at": payment.paid_at.isoformat(),
            "lines": lines,
        },
    )
    tx.session.add(receipt)
    _tell_payer(tx, order=order, payment=payment, receipt=receipt, phone=phone, lines=lines)


def _lines(tx: Transaction, placed: dict[int, int]) -> list[dict[str, Any]]:
    rows = tx.session.execute(
        select(Bill, FeeItem.name, Building.name, House.unit_no, House.room_no)
        .join(FeeItem, FeeItem.id == Bill.fee_item_id)
        .join(House, House.id == Bill.house_id)
        .join(Building, Building.id == House.building_id)
        .where(Bill.id.in_(placed))
        .order_by(Bill.due_date, Bill.id)
    ).all()
    return [
        {
            "house": house_label(building, unit_no, room_no),
            "item": item,
            "period": str(Span(bill.period_from, bill.period_until)),
            "bill_no": bill.bill_no,
            "amount_fen": placed[bill.id],
        }
        for bill, item, building, unit_no, room_no in rows
    ]


def _tell_payer(
    tx: Transaction,
    *,
    order: PaymentOrder,
    payment: Payment,
    receipt: Receipt,
    phone: str,
    lines: list[dict[str, Any]],
) -> None:
    houses = sorted({line["house"] for line in lines})
    payload = {
        "house": houses[0] if len(houses) == 1 else f"{houses[0]}等{len(houses)}处",
        "amount": format_yuan(receipt.amount_fen),
        "paid_at": payment.paid_at.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M"),
        "receipt_no": receipt.receipt_no,
    }
    openids = official_openids(tx, account_id=order.account_id)
    recipients = [(Channel.OFFICIAL_TEMPLATE, openid) for openid in openids] or [
        (Channel.SMS, phone)
    ]
    for channel, recipient in recipients:
        queue_message(
            tx,
            kind=MessageKind.PAYMENT_RECEIVED,
            channel=channel,
            recipient=recipient,
            payload=payload,
            dedup_key=f"payment_received:{payment.id}:{recipient}",
            community_id=order.community_id,
            fallback_phone=phone,
        )


@dataclass(frozen=True)
class Receipts:
    """Receipts as their payer may see them."""

    unit_of_work: UnitOfWork

    def show(self, *, actor: Actor, receipt_no: str) -> ReceiptView:
        """Show a receipt of one of the actor's own payments.

        Raises:
            NotFound: none, or not theirs.
        """
        actor.must(Permission.PAY_OWN_BILLS)
        with self.unit_of_work.reading() as session:
            found = session.execute(
                select(Receipt, PaymentOrder.id)
                .join(Payment, Payment.id == Receipt.payment_id)
                .join(PaymentOrder, PaymentOrder.id == Payment.order_id)
                .where(
                    Receipt.receipt_no == receipt_no, PaymentOrder.account_id == actor.account_id
                )
            ).one_or_none()
        if found is None:
            raise NotFound
        receipt, order_id = found
        return ReceiptView(
            receipt.receipt_no, receipt.issued_at, receipt.amount_fen, order_id, receipt.snapshot
        )
