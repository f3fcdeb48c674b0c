"""Paying at the door: whoever scans a house's code may pay what it owes, and sees no more of it."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from domain.actors import Actor, Permission
from domain.errors import NotFound
from domain.pay_codes import mask_house
from domain.payment_states import NEEDS_OPENID, OPEN_ORDERS, PaymentChannel, PayWay
from domain.periods import local_date
from domain.tokens import hash_of_token
from models import (
    Bill,
    BillLock,
    Building,
    Community,
    House,
    PaymentOrder,
    Receipt,
)
from services.keys import check_key, claim_key, keep_result
from services.pay_ports import PayChannels
from services.payments.merchants import ChannelNotOffered, channel_for
from services.payments.opening import WechatNeeded
from services.payments.order_rows import (
    SHORT_LIFE,
    HeldByOrders,
    HowToPay,
    describe,
    find_channel,
    insert_order,
    new_order,
    with_way_cleared,
)
from services.payments.pay_codes import find_live
from services.payments.quotes import read_quotes
from services.payments.sweep import PaymentSweep
from services.payments.taking import (
    BillAlreadyPaid,
    BillInPayment,
    OpenBills,
    lock_open_bills,
    read_open_bills,
)
from services.payments.tickets import OrderTickets, ToPayWith
from services.payments.views import PaymentView, read_payments
from services.unit_of_work import Transaction, UnitOfWork

_PAY = "pay_at_door"


@dataclass(frozen=True, slots=True)
class DoorView:
    """What a stranger may see of a house: its masked name and what it owes in all today.

    ``is_held`` while an owner's payment holds some of it; ``channels`` that take its money.
    """

    community: str
    house: str
    amount_fen: int
    is_held: bool
    channels: tuple[PaymentChannel, ...]


@dataclass(frozen=True, slots=True)
class DoorPayment:
    """A payment that was begun at a door, for whoever holds its ``visit`` token.

    ``verify_token`` opens the page that says the receipt is true, once there is one.
    """

    visit: str
    payment: PaymentView
    is_open: bool
    verify_token: str | None
    to_pay_with: ToPayWith


@dataclass(frozen=True)
class DoorPayments:
    """Payments by the code on a door, by anybody."""

    unit_of_work: UnitOfWork
    channels: PayChannels
    tickets: OrderTickets
    sweep: PaymentSweep
    key: bytes

    def show(self, *, actor: Actor, token: str) -> DoorView:
        """Show what is to be paid behind a door.

        Raises:
            NotFound: no such code, or it was revoked.
        """
        actor.must(Permission.PAY_AT_DOOR)
        with self.unit_of_work.reading() as session:
            code = find_live(session, token)
            community = session.get_one(Community, code.community_id)
            bills = read_open_bills(session, code.house_id)
            owed = {**bills.free, **{bill.id: bill for bill in bills.held}}
            quotes = read_quotes(session, owed, local_date(self.unit_of_work.clock.now()))
            return DoorView(
                community=community.name,
                house=_mask(session, code.house_id),
                amount_fen=sum(quote.amount_fen for quote in quotes.values()),
                is_held=_is_held(session, bills),
                channels=self._offered(session, code.community_id),
            )

    def start(
        self,
        *,
        actor: Actor,
        token: str,
        how: HowToPay,
        openid: str = "",
        client_key: str,
    ) -> DoorPayment:
        """Open a payment of all that the house owes and return it with what to pay it with.

        ``how.return_url`` is the address below which payments are shown: the channel sends the
        browser back to it with the payment's ``visit`` behind it.
        ``openid`` is what WeChat said of the payer under the app of the way, never what a client
        says. The same key gives the same payment. Another payment that was begun at the door gives
        way; an owner's own does not.

        Raises:
            NotFound: no such code, or it was revoked.
            BillAlreadyPaid: nothing is owed. BillInPayment: an owner is paying it.
            ChannelNotOffered, WechatNeeded, PaymentEnded, KeyUsedForOther: as they say.
            PlatformRefused, PlatformUnavailable: as in `PaymentOrders.start`.
        """
        actor.must(Permission.PAY_AT_DOOR)
        check_key(client_key)
        if how.way is PayWay.MINIAPP:
            raise ChannelNotOffered
        if how.way in NEEDS_OPENID and not openid:
            raise WechatNeeded("请在微信中扫码支付")
        order_id = with_way_cleared(
            self.sweep,
            lambda: self.unit_of_work.run(
                lambda tx: self._open(tx, actor, token, how, openid, client_key)
            ),
        )
        return_url = how.return_url and how.return_url + self._visit_of(order_id)
        return self._read(order_id, self.tickets.get(order_id, return_url=return_url))

    def show_payment(self, *, actor: Actor, visit: str) -> DoorPayment:
        """Show a payment to whoever began it.

        Raises:
            NotFound: no such payment.
        """
        actor.must(Permission.PAY_AT_DOOR)
        order_id = self._find(visit)
        return self._read(order_id, self.tickets.look(order_id))

    def refresh(self, *, actor: Actor, visit: str) -> DoorPayment:
        """Ask the channel about a payment, book what it says, and show it.

        Raises:
            NotFound: no such payment.
            PlatformUnavailable: the channel did not answer; nothing changed.
        """
        actor.must(Permission.PAY_AT_DOOR)
        order_id = self._find(visit)
        self.sweep.ask(order_id=order_id)
        return self._read(order_id, self.tickets.look(order_id))

    def _open(
        self,
        tx: Transaction,
        actor: Actor,
        token: str,
        how: HowToPay,
        openid: str,
        client_key: str,
    ) -> int:
        code = find_live(tx.session, token)
        claim = claim_key(
            tx,
            subject=f"door:{code.id}",
            action=_PAY,
            key=client_key,
            body=(how.way.value, openid),
        )
        if claim.order_id is not None:
            return claim.order_id
        bills = lock_open_bills(tx, code.house_id)
        _check_free(tx, bills)
        quotes = read_quotes(tx.session, bills.free, local_date(tx.now))
        owed = [quote for quote in quotes.values() if quote.amount_fen]
        if not owed:
            raise BillAlreadyPaid("没有待缴的账单")
        channel = find_channel(tx, self.channels, code.community_id, how.way)
        order = new_order(
            tx,
            channel=channel,
            how=how,
            community_id=code.community_id,
            openid=openid,
            life=SHORT_LIFE,
        )
        order.pay_code_id = code.id
        order.description = describe(
            tx, code.community_id, [bills.free[quote.bill_id] for quote in owed]
        )
        order.visit_sha256 = hash_of_token(self._visit(order.out_trade_no))
        order_id = insert_order(tx, actor, order, owed)
        keep_result(tx, claim, order_id=order_id)
        return order_id

    def _visit_of(self, order_id: int) -> str:
        with self.unit_of_work.reading() as session:
            return self._visit(session.get_one(PaymentOrder, order_id).out_trade_no)

    def _visit(self, out_trade_no: str) -> str:
        """Derive what the payer holds to see their payment: not guessable from the number."""
        digest = hmac.digest(self.key, f"visit:{out_trade_no}".encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(digest[:16]).decode().rstrip("=")

    def _find(self, visit: str) -> int:
        with self.unit_of_work.reading() as session:
            order_id = session.execute(
                select(PaymentOrder.id).where(PaymentOrder.visit_sha256 == hash_of_token(visit))
            ).scalar_one_or_none()
        if order_id is None:
            raise NotFound("没有这笔支付")
        return order_id

    def _read(self, order_id: int, to_pay_with: ToPayWith) -> DoorPayment:
        with self.unit_of_work.reading() as session:
            view = read_payments(session, PaymentOrder.id == order_id)[0]
            verify_token = None
            if view.receipt_no is not None:
                verify_token = session.execute(
                    select(Receipt.verify_token)
                    .join(PaymentOrder, PaymentOrder.community_id == Receipt.community_id)
                    .where(PaymentOrder.id == order_id, Receipt.receipt_no == view.receipt_no)
                ).scalar_one()
        return DoorPayment(
            visit=self._visit(view.out_trade_no),
            payment=view,
            is_open=view.state in OPEN_ORDERS and _is_before(self.unit_of_work, view.expires_at),
            verify_token=verify_token,
            to_pay_with=to_pay_with,
        )

    def _offered(self, session: Session, community_id: int) -> tuple[PaymentChannel, ...]:
        found = []
        for channel in (PaymentChannel.WECHAT, PaymentChannel.ALIPAY):
            try:
                channel_for(session, self.channels, community_id=community_id, channel=channel)
            except ChannelNotOffered:
                continue
            found.append(channel)
        return tuple(found)


def _is_before(unit_of_work: UnitOfWork, instant: datetime) -> bool:
    return unit_of_work.clock.now() < instant


def _mask(session: Session, house_id: int) -> str:
    building, unit_no, room_no = session.execute(
        select(Building.name, House.unit_no, House.room_no)
        .join(House, House.building_id == Building.id)
        .where(House.id == house_id)
    ).one()
    return mask_house(building, unit_no, room_no)


def _holders(session: Session, bills: Sequence[Bill]) -> Sequence[PaymentOrder]:
    return session.scalars(
        select(PaymentOrder)
        .distinct()
        .join(BillLock, BillLock.order_id == PaymentOrder.id)
        .where(BillLock.bill_id.in_([bill.id for bill in bills]))
        .order_by(PaymentOrder.id)
    ).all()


def _is_held(session: Session, bills: OpenBills) -> bool:
    return bool(bills.held) and any(
        order.account_id is not None for order in _holders(session, bills.held)
    )


def _check_free(tx: Transaction, bills: OpenBills) -> None:
    """Refuse while others hold some of the bills.

    Raises:
        HeldByOrders: all of them were begun at the door, and give way.
        BillInPayment: an owner's payment holds one.
    """
    if not bills.held:
        return
    holders = _holders(tx.session, bills.held)
    if any(order.account_id is not None for order in holders):
        raise BillInPayment("业主正在支付这些账单，请稍后再试")
    raise HeldByOrders([order.id for order in holders])
