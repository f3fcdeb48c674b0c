"""Opening an owner's order: the steps inside the transaction that chooses and locks the bills."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from domain.actors import Actor
from domain.bill_states import PAYABLE_BILLS, BillState
from domain.errors import Conflict, InvalidInput, NotFound
from domain.payment_states import NEEDS_OPENID, PayWay
from domain.periods import local_date
from models import Bill, BillLock, Community, House, HouseBinding, PaymentOrder, WechatIdentity
from services.bindings import own_bill_ids, pays_bills_of
from services.keys import KeyUsedForOther as KeyUsedForOther
from services.keys import claim_key, keep_result
from services.pay_ports import PayChannels
from services.payments.order_rows import (
    HeldByOrders,
    HowToPay,
    TopUp,
    describe,
    find_channel,
    insert_order,
    new_order,
)
from services.payments.quotes import read_quotes
from services.payments.taking import BillAlreadyPaid as BillAlreadyPaid
from services.payments.taking import BillInPayment as BillInPayment
from services.retirement import hold_house
from services.unit_of_work import Transaction

_PAY = "pay"


class BillsOfTwoCommunities(InvalidInput):
    """One payment goes to one community."""

    code = "bills_of_two_communities"
    message = "不同小区的账单请分开支付"


class WechatNeeded(Conflict):
    """The account has no WeChat identity to pay with in this way."""

    code = "wechat_needed"
    message = "请在微信小程序中登录后支付"


_FOLLOW_FIRST = "请先在微信里关注公众号再支付，或换一种支付方式"


def open_order(
    tx: Transaction,
    actor: Actor,
    channels: PayChannels,
    bill_ids: list[int],
    key: str,
    how: HowToPay,
    topup: TopUp | None = None,
) -> int:
    """Write an order for what the bills cost today and lock them, or find the key's own order.

    What is quoted, late fees and discounts included, holds for the order's life. Returns the
    order's id; the channel is called after the commit.

    Raises:
        NotFound, BillAlreadyPaid, BillInPayment, BillsOfTwoCommunities, WechatNeeded,
        ChannelNotOffered, KeyUsedForOther: as they say.
        HeldByOrders: the bills are free once these orders have given way.
    """
    claim = claim_key(
        tx,
        subject=f"account:{actor.account_id}",
        action=_PAY,
        key=key,
        body=_body(bill_ids, how.way, topup),
    )
    if claim.order_id is not None:
        return claim.order_id
    bills = _lock_bills(tx, actor, bill_ids)
    community_id = _find_community(tx, actor, bills, topup)
    quotes = read_quotes(tx.session, bill_ids, local_date(tx.now))
    if any(not quote.amount_fen for quote in quotes.values()):
        raise BillAlreadyPaid
    channel = find_channel(tx, channels, community_id, how.way)
    openid = ""
    if how.way in NEEDS_OPENID:
        openid = _payer_openid(tx, actor, channel.appid_for(how.way))
        if not openid:
            raise WechatNeeded(_FOLLOW_FIRST if how.way is PayWay.JSAPI else None)
    order = new_order(tx, channel=channel, how=how, community_id=community_id, openid=openid)
    order.account_id = actor.account_id
    order_id = _open_order_for(tx, order, bill_ids, topup)
    if order_id is None:
        order.description = describe(tx, community_id, bills)
        order_id = insert_order(tx, actor, order, [quotes[bill.id] for bill in bills], topup)
    keep_result(tx, claim, order_id=order_id)
    return order_id


def _body(bill_ids: list[int], way: PayWay, topup: TopUp | None) -> object:
    """Tell what a key is for; a request of before there were ways is one in the mini-program."""
    body: list[object] = [] if way is PayWay.MINIAPP else [way.value]
    if topup is not None:
        body += [topup.house_id, topup.amount_fen]
    return (bill_ids, *body) if body else bill_ids


def _lock_bills(tx: Transaction, actor: Actor, bill_ids: list[int]) -> Sequence[Bill]:
    bills = (
        tx.session.execute(
            select(Bill)
            .join(Community, Community.id == Bill.community_id)
            .where(
                Bill.id.in_(bill_ids),
                Bill.id.in_(own_bill_ids(actor, local_date(tx.now), to_pay=True)),
                Bill.state.in_([*PAYABLE_BILLS, BillState.PAID]),
                Community.is_active,
            )
            .order_by(Bill.id)
            .with_for_update(of=Bill)
        )
        .scalars()
        .all()
    )
    if len(bills) != len(bill_ids):
        raise NotFound
    return bills


def _find_community(
    tx: Transaction, actor: Actor, bills: Sequence[Bill], topup: TopUp | None
) -> int:
    """Tell to which community the money goes; a top-up is for one of the payer's own houses."""
    communities = {bill.community_id for bill in bills}
    if topup is not None:
        of_topup = tx.session.scalars(
            select(House.community_id)
            .join(HouseBinding, pays_bills_of(House.id, actor, local_date(tx.now)))
            .join(Community, Community.id == House.community_id)
            .where(House.id == topup.house_id, Community.is_active)
        ).first()
        if of_topup is None:
            raise NotFound
        hold_house(tx, topup.house_id)
        communities.add(of_topup)
    if len(communities) > 1:
        raise BillsOfTwoCommunities
    return communities.pop()


def _payer_openid(tx: Transaction, actor: Actor, appid: str) -> str:
    """Tell with which WeChat to pay: the session's, else the last one seen; nothing if none."""
    openid = tx.session.execute(
        select(WechatIdentity.openid)
        .where(WechatIdentity.account_id == actor.account_id, WechatIdentity.appid == appid)
        .order_by(
            WechatIdentity.openid != actor.openid,
            WechatIdentity.seen_at.desc(),
            WechatIdentity.id.desc(),
        )
        .limit(1)
    ).scalar_one_or_none()
    return openid or ""


def _open_order_for(
    tx: Transaction, wanted: PaymentOrder, bill_ids: list[int], topup: TopUp | None
) -> int | None:
    """Find the payer's own open order for just this; None when the bills are free.

    Raises:
        HeldByOrders: all that hold the bills are the payer's own for the same bills in another
            way, or nobody's who is signed in.
        BillInPayment: another holds one.
    """
    holding = tx.session.scalars(
        select(PaymentOrder)
        .where(PaymentOrder.id.in_(select(BillLock.order_id).where(BillLock.bill_id.in_(bill_ids))))
        .order_by(PaymentOrder.id)
    ).all()
    if not holding:
        return None
    first = holding[0]
    is_same = len(holding) == 1 and _is_for_same(tx, first, wanted, bill_ids, topup)
    if is_same and (first.way, first.openid) == (wanted.way, wanted.openid):
        if first.expires_at > tx.now:
            return first.id
    elif all(one.account_id is None for one in holding) or (is_same and first.way != wanted.way):
        raise HeldByOrders([one.id for one in holding])
    raise BillInPayment


def _is_for_same(
    tx: Transaction,
    order: PaymentOrder,
    wanted: PaymentOrder,
    bill_ids: list[int],
    topup: TopUp | None,
) -> bool:
    held = tx.session.scalars(
        select(BillLock.bill_id).where(BillLock.order_id == order.id).order_by(BillLock.bill_id)
    ).all()
    topped = (order.topup_house_id, order.topup_fen)
    return (
        order.account_id == wanted.account_id
        and list(held) == bill_ids
        and topped == ((topup.house_id, topup.amount_fen) if topup else (None, 0))
    )
