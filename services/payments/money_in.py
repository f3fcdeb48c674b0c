"""What a cashier writes down of money that was handed over, and whether it can be used."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple, dataclass
from datetime import date, datetime, time, timedelta

from sqlalchemy.orm import Session

from domain.actors import Actor, Permission, staff_id_of
from domain.errors import InvalidInput, NotFound
from domain.money import MAX_FEN
from domain.payment_states import OVER_THE_COUNTER, PaymentChannel
from domain.periods import SHANGHAI, local_date
from models import Community, House, Payment
from services.keys import Claim, check_key, claim_key, staff_subject
from services.payments.taking import insert_payment
from services.scopes import must_see
from services.shifts import shift_to_take
from services.unit_of_work import Transaction

_WITH_VOUCHER = frozenset({PaymentChannel.BANK_TRANSFER, PaymentChannel.CHEQUE})
_NAME_LENGTHS = range(1, 41)
_VOUCHER_LENGTHS = range(65)
_NOTE_LENGTHS = range(201)
_BACK_DAYS_LIMIT = 60
"""How far back money may be entered; a policy of ours, so that closed quarters stay as they are."""


@dataclass(frozen=True, slots=True)
class MoneyIn:
    """Money over the counter: how it came, how much, from whom, and on which voucher.

    ``received_on`` is the local day on which it was handed over, if that was not today; ``note``
    then says why it is entered only now.
    """

    channel: PaymentChannel
    amount_fen: int
    payer_name: str
    voucher_no: str = ""
    note: str = ""
    received_on: date | None = None


@dataclass(frozen=True, slots=True)
class Received:
    """When money came: bills are reckoned as of ``on``; ``is_late`` if it is entered afterwards."""

    at: datetime
    on: date
    is_late: bool


def received(actor: Actor, money: MoneyIn, now: datetime) -> Received:
    """Tell when money came; of an earlier day nobody knows the hour, so that it is noon.

    Raises:
        InvalidInput: the day is to come or more than 60 days ago, or nobody says why it is late.
        NotAllowed: the actor may only enter what comes today.
    """
    today = local_date(now)
    day = money.received_on or today
    if day == today:
        return Received(now, today, is_late=False)
    actor.must(Permission.BACKDATE_MONEY)
    problems = {}
    if not today - timedelta(days=_BACK_DAYS_LIMIT) <= day < today:
        problems["received_on"] = [f"收款日期不能晚于今天，也不能早于 {_BACK_DAYS_LIMIT} 天前"]
    if not money.note.strip():
        problems["note"] = ["补录请在备注写明原因"]
    if problems:
        raise InvalidInput(fields=problems)
    return Received(datetime.combine(day, time(12), SHANGHAI), day, is_late=True)


def late_facts(came: Received, now: datetime) -> dict[str, str]:
    """Say for the record that money was entered after its day; nothing if it was not."""
    if not came.is_late:
        return {}
    return {"received_on": came.on.isoformat(), "entered_on": local_date(now).isoformat()}


def late_remarks(came: Received, now: datetime) -> list[str]:
    """Say on the receipt that money was entered after its day; nothing if it was not."""
    return [f"补录：{came.on} 收款，{local_date(now)} 录入"] if came.is_late else []


def check_money(money: MoneyIn, client_key: str) -> None:
    """Refuse what cannot be booked.

    Raises:
        InvalidInput: a field cannot be used; ``fields`` says which and why.
    """
    check_key(client_key)
    if problems := {field: [why] for field, why in _find_problems(money)}:
        raise InvalidInput(fields=problems)


def claim_money(
    tx: Transaction, actor: Actor, action: str, client_key: str, money: MoneyIn, *more: object
) -> Claim:
    """Claim a cashier's key for money and what it is for."""
    channel, *rest, received_on = astuple(money)
    day = [received_on.isoformat()] if received_on else []
    body = (str(channel), *rest, *day, *more)
    return claim_key(tx, subject=staff_subject(actor), action=action, key=client_key, body=body)


def find_house(
    session: Session, actor: Actor, community_id: int, house_id: int
) -> tuple[Community, House]:
    """Find a house of the actor's scope in a community that still works here.

    Raises:
        NotFound: no such community, it was switched off, or the house is not one of it.
    """
    community = session.get(Community, community_id)
    house = session.get(House, house_id)
    if community is None or not community.is_active or house is None:
        raise NotFound
    if house.community_id != community_id:
        raise NotFound
    must_see(session, actor, community_id=community_id, house_id=house_id)
    return community, house


def take_money(
    tx: Transaction, actor: Actor, house: House, money: MoneyIn, came: Received
) -> Payment:
    """Write the payment of money that was handed over for a house, into the cashier's shift.

    Raises:
        ShiftClosing: the cashier counts their drawer.
    """
    staff_id = staff_id_of(actor)
    return insert_payment(
        tx,
        channel=money.channel,
        community_id=house.community_id,
        house_id=house.id,
        amount_fen=money.amount_fen,
        paid_at=came.at,
        staff_id=staff_id,
        shift_id=shift_to_take(tx, actor, house.community_id, staff_id),
        payer_name=money.payer_name.strip(),
        voucher_no=money.voucher_no.strip(),
        note=money.note.strip(),
    )


def _find_problems(money: MoneyIn) -> Iterator[tuple[str, str]]:
    if money.channel not in OVER_THE_COUNTER:
        yield "channel", "收款方式应为现金、刷卡、银行转账或支票"
    if not 1 <= money.amount_fen <= MAX_FEN:
        yield "amount_fen", "金额应大于 0 且不超过 999,999,999.99 元"
    if len(money.payer_name.strip()) not in _NAME_LENGTHS:
        yield "payer_name", "请填写付款人，40 字以内"
    if money.channel in _WITH_VOUCHER and not money.voucher_no.strip():
        yield "voucher_no", "银行转账和支票请填写凭证号"
    if len(money.voucher_no.strip()) not in _VOUCHER_LENGTHS:
        yield "voucher_no", "凭证号最多 64 个字"
    if len(money.note.strip()) not in _NOTE_LENGTHS:
        yield "note", "备注最多 200 字"
