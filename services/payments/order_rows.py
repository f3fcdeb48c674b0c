"""Writing an order: how it is to be paid, its parts as quoted, and the locks on its bills."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol, TypeVar

from domain.actors import Actor
from domain.errors import PlatformRefused, PlatformUnavailable
from domain.payment_states import OrderState, PaymentChannel, PayWay
from models import Bill, BillLock, Community, FeeItem, PaymentOrder, PaymentOrderBill
from services.audit import record
from services.pay_ports import PayChannel, PayChannels
from services.payments.merchants import ChannelNotOffered, channel_for
from services.payments.quotes import Quote
from services.payments.sweep import FIRST_QUERY
from services.payments.taking import BillInPayment, new_trade_no
from services.unit_of_work import Transaction

T = TypeVar("T")

ORDER_LIFE = timedelta(minutes=15)
"""How long WeChat's pay sheet stays payable; the bills are locked meanwhile."""
SHORT_LIFE = timedelta(minutes=10)
"""The same for Alipay, which cannot close what nobody has opened yet, and at the door."""


@dataclass(frozen=True, slots=True)
class HowToPay:
    """In which way, and what the channel needs to know of the payer's browser for it."""

    way: PayWay
    payer_ip: str = ""
    return_url: str = ""


IN_THE_MINI_PROGRAM = HowToPay(PayWay.MINIAPP)


@dataclass(frozen=True, slots=True)
class TopUp:
    """What a payer gives beyond bills, to the prepaid account of one of their houses."""

    house_id: int
    amount_fen: int


class HeldByOrders(Exception):
    """Orders that may give way to this one hold the bills: to be closed first, then tried again.

    Not a `PropertyError`: `with_way_cleared` turns it into one when they do not give way.
    """

    def __init__(self, order_ids: Collection[int]) -> None:
        super().__init__(order_ids)
        self.order_ids = order_ids


class Asks(Protocol):
    """What asks the channel about an order and closes it."""

    def ask(self, *, order_id: int, and_close: bool = False) -> None:
        """Bring an order up to what the channel says."""
        ...


def with_way_cleared(sweep: Asks, work: Callable[[], T]) -> T:
    """Do the work; where orders stand in its way that may be closed, close them and try once more.

    Each is asked about before and after, so that one that was paid meanwhile is booked.

    Raises:
        BillInPayment: they could not be closed, or others took their place.
    """
    try:
        return work()
    except HeldByOrders as held:
        for order_id in held.order_ids:
            try:
                sweep.ask(order_id=order_id, and_close=True)
            except (PlatformRefused, PlatformUnavailable) as silent:
                raise BillInPayment from silent
    try:
        return work()
    except HeldByOrders as still_held:
        raise BillInPayment from still_held


def find_channel(
    tx: Transaction, channels: PayChannels, community_id: int, way: PayWay
) -> PayChannel:
    """Find the account that takes a community's money in a way.

    Raises:
        ChannelNotOffered: there is none, or it does not offer the way.
    """
    found = channel_for(
        tx.session, channels, community_id=community_id, channel=PaymentChannel(way.channel)
    )
    if way not in found.ways:
        raise ChannelNotOffered
    return found


def new_order(
    tx: Transaction,
    *,
    channel: PayChannel,
    how: HowToPay,
    community_id: int,
    openid: str,
    life: timedelta = ORDER_LIFE,
) -> PaymentOrder:
    """Begin an order, with no payer, parts or amount yet."""
    if how.way.channel is PaymentChannel.ALIPAY:
        life = min(life, SHORT_LIFE)
    return PaymentOrder(
        community_id=community_id,
        channel=channel.channel,
        way=how.way,
        mchid=channel.mchid,
        appid=channel.appid_for(how.way),
        openid=openid,
        payer_ip=how.payer_ip,
        out_trade_no=new_trade_no("P", tx.now),
        state=OrderState.CREATED,
        created_at=tx.now,
        # The channel takes whole seconds, and a re-order must repeat the same instant.
        expires_at=(tx.now + life).replace(microsecond=0),
        query_at=tx.now + FIRST_QUERY,
    )


def insert_order(
    tx: Transaction,
    actor: Actor,
    order: PaymentOrder,
    quotes: Sequence[Quote],
    topup: TopUp | None = None,
) -> int:
    """Insert an order over what was quoted, with a lock on each bill, and return its id."""
    order.topup_fen = topup.amount_fen if topup else 0
    order.topup_house_id = topup.house_id if topup else None
    order.amount_fen = sum(quote.amount_fen for quote in quotes) + order.topup_fen
    tx.session.add(order)
    tx.session.flush()
    for quote in quotes:
        tx.session.add(
            PaymentOrderBill(
                order_id=order.id,
                bill_id=quote.bill_id,
                amount_fen=quote.principal_fen,
                late_fee_fen=quote.late_fee_fen,
                discount_fen=quote.discount_fen,
                discount_rule_id=quote.discount.rule_id if quote.discount else None,
            )
        )
        tx.session.add(BillLock(bill_id=quote.bill_id, order_id=order.id))
    record(
        tx,
        actor,
        "payment_started",
        subject_type="payment_order",
        subject_id=order.id,
        community_id=order.community_id,
        facts={
            "out_trade_no": order.out_trade_no,
            "way": order.way,
            "amount_fen": order.amount_fen,
            "late_fee_fen": sum(quote.late_fee_fen for quote in quotes),
            "discount_fen": sum(quote.discount_fen for quote in quotes),
            "topup_fen": order.topup_fen,
        },
    )
    return order.id


def describe(tx: Transaction, community_id: int, bills: Sequence[Bill]) -> str:
    """Say on the pay sheet what is paid."""
    community = tx.session.get_one(Community, community_id)
    if not bills:
        return f"{community.name[:20]} 预存"
    item = tx.session.get_one(FeeItem, bills[0].fee_item_id)
    more = f"等{len(bills)}项" if len(bills) > 1 else ""
    return f"{community.name[:20]} {item.name[:10]}{more}"
