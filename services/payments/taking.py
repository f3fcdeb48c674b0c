"""Payments that no channel tells us of: over the counter, and from money that we hold already."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from domain.bill_states import BillState
from domain.errors import Conflict, NotFound
from domain.payment_states import PaymentChannel
from domain.periods import SHANGHAI
from domain.settling import AllocationKind, place
from models import Bill, BillLock, Payment
from services.payments.crediting import Credit
from services.payments.quotes import Quote, is_payable
from services.unit_of_work import Transaction

_PREFIXES = {PaymentChannel.PREPAID: "Y", PaymentChannel.DEPOSIT: "D"}
_OVER_THE_COUNTER = "C"


class BillAlreadyPaid(Conflict):
    """Nothing is left to pay."""

    code = "bill_already_paid"
    message = "账单已缴清，无需重复支付"


class BillInPayment(Conflict):
    """Another open payment holds one of the bills."""

    code = "bill_in_payment"
    message = "账单正在支付中，请先完成或取消那笔支付"


@dataclass(frozen=True, slots=True)
class OpenBills:
    """Bills that somebody may pay now, by id; and those that an open payment holds."""

    free: Mapping[int, Bill]
    held: Sequence[Bill]


def new_trade_no(prefix: str, now: datetime) -> str:
    """Make a letter + local time + 12 random base32 characters.

    Source: domain.md D0.
    """
    random = base64.b32encode(secrets.token_bytes(8)).decode()[:12]
    return f"{prefix}{now.astimezone(SHANGHAI):%Y%m%d%H%M%S}{random}"


def insert_payment(
    tx: Transaction,
    *,
    channel: PaymentChannel,
    community_id: int,
    house_id: int,
    amount_fen: int,
    paid_at: datetime | None = None,
    staff_id: int | None = None,
    shift_id: int | None = None,
    payer_name: str = "",
    voucher_no: str = "",
    note: str = "",
) -> Payment:
    """Write money that was taken now, or at ``paid_at``, under a number of our own."""
    number = new_trade_no(_PREFIXES.get(channel, _OVER_THE_COUNTER), tx.now)
    payment = Payment(
        community_id=community_id,
        channel=channel,
        mchid="",
        provider_transaction_id=number,
        out_trade_no=number,
        amount_fen=amount_fen,
        paid_at=paid_at or tx.now,
        booked_at=tx.now,
        house_id=house_id,
        taken_by_staff_id=staff_id,
        shift_id=shift_id,
        payer_name=payer_name,
        voucher_no=voucher_no,
        note=note,
    )
    tx.session.add(payment)
    tx.session.flush()
    return payment


def lock_open_bills(tx: Transaction, house_id: int) -> OpenBills:
    """Lock the bills of a house that leave something to pay, by ascending id."""
    return _read_open(tx.session, _open_of(house_id).with_for_update())


def read_open_bills(session: Session, house_id: int) -> OpenBills:
    """Read what `lock_open_bills` would lock."""
    return _read_open(session, _open_of(house_id))


def _open_of(house_id: int) -> Select[Bill]:
    return (
        select(Bill).where(Bill.house_id == house_id, Bill.is_live, is_payable()).order_by(Bill.id)
    )


def _read_open(session: Session, query: Select[Bill]) -> OpenBills:
    bills = session.scalars(query.execution_options(populate_existing=True)).all()
    held = set(
        session.scalars(
            select(BillLock.bill_id).where(BillLock.bill_id.in_([bill.id for bill in bills]))
        )
    )
    return OpenBills(
        {bill.id: bill for bill in bills if bill.id not in held},
        [bill for bill in bills if bill.id in held],
    )


def check_named(tx: Transaction, house_id: int, bills: OpenBills, named: Sequence[int]) -> None:
    """Refuse bills that the payer names and that cannot be paid now.

    Raises:
        BillInPayment: an open payment holds one.
        BillAlreadyPaid: nothing is left of one.
        NotFound: one is not a payable bill of the house.
    """
    missing = set(named) - set(bills.free)
    if missing & {bill.id for bill in bills.held}:
        raise BillInPayment
    if not missing:
        return
    states = tx.session.scalars(
        select(Bill.state).where(Bill.id.in_(missing), Bill.house_id == house_id)
    ).all()
    if len(states) == len(missing) and set(states) == {BillState.PAID}:
        raise BillAlreadyPaid
    raise NotFound("没有这张可缴的账单")


def plan_credits(
    *,
    amount_fen: int,
    bills: Mapping[int, Bill],
    quotes: Mapping[int, Quote],
    named: Sequence[int] = (),
    late_fee_first: bool = False,
) -> tuple[list[Credit], int]:
    """Spread money over bills as quoted; return also what is left of it.

    Whoever pays all of a bill's principal gets what goes off for paying early; a part of it is
    just a part.

    Raises:
        BillAlreadyPaid: a bill that was named leaves nothing to pay.

    Source: domain.md D7.
    """
    if any(not quotes[bill_id].amount_fen for bill_id in named):
        raise BillAlreadyPaid
    owing = [quotes[bill_id] for bill_id in bills if quotes[bill_id].amount_fen]
    placements, left_fen = place(
        amount_fen=amount_fen,
        bills=[quote.to_place() for quote in owing],
        named=named,
        late_fee_first=late_fee_first,
    )
    parts: dict[int, dict[AllocationKind, int]] = {}
    for one in placements:
        parts.setdefault(one.bill_id, {})[one.kind] = one.amount_fen
    credits = []
    for bill_id, part in parts.items():
        quote = quotes[bill_id]
        principal_fen = part.get(AllocationKind.PRINCIPAL, 0)
        pays_all = principal_fen == quote.principal_fen
        credits.append(
            Credit(
                bill=bills[bill_id],
                principal_fen=principal_fen,
                late_fee_fen=part.get(AllocationKind.LATE_FEE, 0),
                accrued=quote.accrued,
                discount=quote.discount if pays_all else None,
            )
        )
    return credits, left_fen
