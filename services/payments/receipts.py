"""Receipts: a gapless number and an immutable snapshot, made with the booking; and the message."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, select

from domain.actors import Actor, Permission
from domain.errors import NotFound
from domain.houses import house_label
from domain.messages import Channel, MessageKind
from domain.money import format_yuan
from domain.payment_states import CHANNEL_SHOWN, PaymentChannel, PayWay
from domain.periods import SHANGHAI, Span, local_date
from domain.phones import CLOSED_PHONE, mask_phone
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
    Staff,
)
from services.numbers import take_numbers
from services.outbox import queue_message
from services.payments.crediting import Credit
from services.payments.receipt_marks import MarkView, read_marks
from services.recipients import official_openids, owner_openids
from services.unit_of_work import Transaction, UnitOfWork

PREPAID_ITEM = "预存"


class HeldFor(NamedTuple):
    """Money of a payment that no bill took: a top-up or a deposit of a house, by its name."""

    kind: str
    house_id: int
    item: str
    amount_fen: int


@dataclass(frozen=True, slots=True)
class ReceiptView:
    """A receipt as it was issued.

    ``payment_id`` is the owner's payment, None over the counter; ``taken_id`` the money itself.
    ``snapshot["lines"]``: house, item, period, bill_no, kind, amount_fen, discount_fen each.
    ``marks`` are what became of its money since, where that was asked for.
    """

    receipt_no: str
    issued_at: datetime
    amount_fen: int
    payment_id: int | None
    taken_id: int
    snapshot: dict[str, Any]
    marks: tuple[MarkView, ...] = ()


def topup_of(house_id: int, amount_fen: int) -> HeldFor:
    """Say that money went to the prepaid account of a house."""
    return HeldFor("prepaid", house_id, PREPAID_ITEM, amount_fen)


def issue_receipt(
    tx: Transaction,
    *,
    community_id: int,
    payment: Payment,
    credits: Sequence[Credit],
    held: Sequence[HeldFor] = (),
    order: PaymentOrder | None = None,
    remarks: Sequence[str] = (),
) -> Receipt:
    """Number a receipt for what was placed of a payment, and tell the payer.

    Online the payer is an account; over the counter it is a name, and the owners of the house who
    follow are told. Whoever pays by the code on a door may be anybody: they are told where they
    can be reached, and the owners are too. The series of numbers is locked until the commit, after
    bills and accounts.
    """
    community = tx.session.get_one(Community, community_id)
    phone = None
    account_id = order.account_id if order else None
    if account_id is not None:
        # None once they closed the account: the money is booked all the same.
        phone = tx.session.execute(
            select(Account.phone).where(
                Account.id == account_id, Account.phone.not_like(f"{CLOSED_PHONE}%")
            )
        ).scalar_one_or_none()
    lines = [*_bill_lines(tx, credits), *_held_lines(tx, held)]
    receipt = Receipt(
        community_id=community.id,
        payment_id=payment.id,
        receipt_no=_next_number(tx, community),
        amount_fen=sum(line["amount_fen"] for line in lines),
        issued_at=tx.now,
        snapshot={
            "community": community.name,
            "channel": CHANNEL_SHOWN[PaymentChannel(payment.channel)],
            "transaction_id": payment.provider_transaction_id,
            "out_trade_no": payment.out_trade_no,
            "payer_phone": mask_phone(phone) if phone else "",
            "payer_name": payment.payer_name,
            "voucher_no": payment.voucher_no,
            "cashier": _cashier(tx, payment),
            "paid_at": payment.paid_at.isoformat(),
            "lines": lines,
            "remarks": list(remarks),
        },
    )
    tx.session.add(receipt)
    recipients = _recipients(tx, payment, order, phone)
    _tell(tx, payment=payment, receipt=receipt, recipients=recipients, phone=phone)
    return receipt


def _next_number(tx: Transaction, community: Community) -> str:
    year = local_date(tx.now).year
    number = take_numbers(tx, community_id=community.id, series=f"receipt:{year}")
    return f"{community.code}-{year}-{number:07d}"


def _cashier(tx: Transaction, payment: Payment) -> str:
    if payment.taken_by_staff_id is None:
        return ""
    return tx.session.get_one(Staff, payment.taken_by_staff_id).name


def _bill_lines(tx: Transaction, credits: Sequence[Credit]) -> list[dict[str, Any]]:
    by_bill = {one.bill.id: one for one in credits}
    rows = tx.session.execute(
        select(Bill, FeeItem.name, Building.name, House.unit_no, House.room_no)
        .join(FeeItem, FeeItem.id == Bill.fee_item_id)
        .join(House, House.id == Bill.house_id)
        .join(Building, Building.id == House.building_id)
        .where(Bill.id.in_(by_bill))
        .order_by(Bill.due_date, Bill.id)
    ).all()
    lines = []
    for bill, item, building, unit_no, room_no in rows:
        one = by_bill[bill.id]
        for kind, name, amount_fen in (
            ("principal", item, one.principal_fen),
            ("late_fee", f"{item}滞纳金", one.late_fee_fen),
        ):
            if amount_fen:
                lines.append(
                    {
                        "house": house_label(building, unit_no, room_no),
                        "item": name,
                        "period": str(Span(bill.period_from, bill.period_until)),
                        "bill_no": bill.bill_no,
                        "kind": kind,
                        "amount_fen": amount_fen,
                        "discount_fen": one.discount_fen if kind == "principal" else 0,
                    }
                )
    return lines


def _held_lines(tx: Transaction, held: Sequence[HeldFor]) -> list[dict[str, Any]]:
    if not held:
        return []
    labels = {
        house_id: house_label(building, unit_no, room_no)
        for house_id, building, unit_no, room_no in tx.session.execute(
            select(House.id, Building.name, House.unit_no, House.room_no)
            .join(Building, Building.id == House.building_id)
            .where(House.id.in_({one.house_id for one in held}))
        )
    }
    return [
        {
            "house": labels[one.house_id],
            "item": one.item,
            "period": "",
            "bill_no": "",
            "kind": one.kind,
            "amount_fen": one.amount_fen,
            "discount_fen": 0,
        }
        for one in held
    ]


def _recipients(
    tx: Transaction, payment: Payment, order: PaymentOrder | None, phone: str | None
) -> list[tuple[Channel, str]]:
    told: list[tuple[Channel, str]] = []
    if order is not None and order.account_id is not None and phone is not None:
        openids = official_openids(tx, account_id=order.account_id)
        told = [(Channel.OFFICIAL_TEMPLATE, openid) for openid in openids] or [(Channel.SMS, phone)]
    elif order is not None and order.way == PayWay.JSAPI:
        told = [(Channel.OFFICIAL_TEMPLATE, order.openid)]
    if payment.house_id is not None:
        openids = owner_openids(tx, house_id=payment.house_id)
        told += [(Channel.OFFICIAL_TEMPLATE, openid) for openid in openids]
    return list(dict.fromkeys(told))


def _tell(
    tx: Transaction,
    *,
    payment: Payment,
    receipt: Receipt,
    recipients: Sequence[tuple[Channel, str]],
    phone: str | None,
) -> None:
    houses = sorted({line["house"] for line in receipt.snapshot["lines"]})
    payload = {
        "house": houses[0] if len(houses) == 1 else f"{houses[0]}等{len(houses)}处",
        "amount": format_yuan(receipt.amount_fen),
        "paid_at": payment.paid_at.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M"),
        "receipt_no": receipt.receipt_no,
    }
    for channel, recipient in recipients:
        queue_message(
            tx,
            kind=MessageKind.PAYMENT_RECEIVED,
            channel=channel,
            recipient=recipient,
            payload=payload,
            dedup_key=f"payment_received:{payment.id}:{recipient}",
            community_id=receipt.community_id,
            fallback_phone=phone,
        )


def read_receipt(
    receipt: Receipt, order_id: int | None, marks: tuple[MarkView, ...] = ()
) -> ReceiptView:
    """Show a receipt's row."""
    return ReceiptView(
        receipt_no=receipt.receipt_no,
        issued_at=receipt.issued_at,
        amount_fen=receipt.amount_fen,
        payment_id=order_id,
        taken_id=receipt.payment_id,
        snapshot=receipt.snapshot,
        marks=marks,
    )


def read_known(tx: Transaction, payment_id: int | None) -> ReceiptView:
    """Show again the receipt of money that was booked under a known key."""
    receipt = tx.session.execute(
        select(Receipt).where(Receipt.payment_id == payment_id)
    ).scalar_one()
    return read_receipt(receipt, None)


@dataclass(frozen=True)
class Receipts:
    """Receipts as their payer and the staff may see them."""

    unit_of_work: UnitOfWork

    def show(self, *, actor: Actor, receipt_no: str) -> ReceiptView:
        """Show a receipt of one of the actor's own payments.

        Raises:
            NotFound: none, or not theirs.
        """
        actor.must(Permission.PAY_OWN_BILLS)
        return self._read(
            Receipt.receipt_no == receipt_no, PaymentOrder.account_id == actor.account_id
        )

    def show_any(self, *, actor: Actor, community_id: int, receipt_no: str) -> ReceiptView:
        """Show staff any receipt of a community.

        Raises:
            NotFound: none.
        """
        actor.must(Permission.VIEW_HOUSE_MONEY)
        actor.must_cover(community_id)
        return self._read(Receipt.receipt_no == receipt_no, Receipt.community_id == community_id)

    def _read(self, *which: ColumnElement[bool]) -> ReceiptView:
        with self.unit_of_work.snapshot() as session:
            found = session.execute(
                select(Receipt, Payment.order_id)
                .join(Payment, Payment.id == Receipt.payment_id)
                .outerjoin(PaymentOrder, PaymentOrder.id == Payment.order_id)
                .where(*which)
            ).one_or_none()
            if found is None:
                raise NotFound
            receipt, order_id = found
            marks = read_marks(session, [receipt.id]).get(receipt.id, ())
            return read_receipt(receipt, order_id, marks)
