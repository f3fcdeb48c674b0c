"""Opening an order: the steps inside the transaction that chooses and locks the bills."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select

from domain.actors import Actor
from domain.bill_states import PAYABLE_BILLS, BillState
from domain.errors import Conflict, InvalidInput, NotFound
from domain.payment_states import OrderState
from domain.periods import local_date
from models import (
    Bill,
    BillLock,
    Community,
    FeeItem,
    House,
    HouseBinding,
    PaymentOrder,
    PaymentOrderBill,
    WechatIdentity,
)
from services.audit import record
from services.bindings import sees_bills_of
from services.keys import KeyUsedForOther as KeyUsedForOther
from services.keys import claim_key, keep_result
from services.pay_ports import PayChannel
from services.payments.quotes import Quote, read_quotes
from services.payments.sweep import FIRST_QUERY
from services.payments.taking import BillAlreadyPaid as BillAlreadyPaid
from services.payments.taking import BillInPayment as BillInPayment
from services.payments.taking import new_trade_no
from services.unit_of_work import Transaction

CHANNEL = "wechat"
ORDER_LIFE = timedelta(minutes=15)
"""How long the pay sheet stays payable; the bills are locked meanwhile."""
_PAY = "pay"


class BillsOfTwoCommunities(InvalidInput):
    """One payment goes to one community."""

    code = "bills_of_two_communities"
    message = "不同小区的账单请分开支付"


class WechatNeeded(Conflict):
    """The account has no mini-program identity to pay with."""

    code = "wechat_needed"
    message = "请在微信小程序中登录后支付"


@dataclass(frozen=True, slots=True)
class TopUp:
    """What a payer gives beyond bills, to the prepaid account of one of their houses."""

    house_id: int
    amount_fen: int


def open_order(
    tx: Transaction,
    actor: Actor,
    channel: PayChannel,
    bill_ids: list[int],
    key: str,
    topup: TopUp | None = None,
) -> int:
    """Write an order for what the bills cost today and lock them, or find the key's own order.

    What is quoted, late fees and discounts included, holds for the order's life. Returns the
    order's id; the channel is called after the commit.

    Raises:
        NotFound, BillAlreadyPaid, BillInPayment, BillsOfTwoCommunities, WechatNeeded,
        KeyUsedForOther: as they say.
    """
    claim = claim_key(
        tx,
        subject=f"account:{actor.account_id}",
        action=_PAY,
        key=key,
        body=bill_ids if topup is None else (bill_ids, topup.house_id, topup.amount_fen),
    )
    if claim.order_id is not None:
        return claim.order_id
    bills = _lock_bills(tx, actor, bill_ids)
    community_id = _find_community(tx, actor, bills, topup)
    quotes = read_quotes(tx.session, bill_ids, local_date(tx.now))
    if any(not quote.amount_fen for quote in quotes.values()):
        raise BillAlreadyPaid
    openid = _payer_openid(tx, actor, channel)
    order_id = _open_order_for(tx, actor, openid, bill_ids, topup)
    if order_id is None:
        order = _new_order(tx, actor, channel, openid, community_id)
        order.description = _describe(tx, community_id, bills)
        order_id = _insert_order(tx, actor, order, [quotes[bill.id] for bill in bills], topup)
    keep_result(tx, claim, order_id=order_id)
    return order_id


def _new_order(
    tx: Transaction, actor: Actor, channel: PayChannel, openid: str, community_id: int
) -> PaymentOrder:
    return PaymentOrder(
        community_id=community_id,
        account_id=actor.account_id,
        channel=CHANNEL,
        mchid=channel.mchid,
        appid=channel.appid,
        openid=openid,
        out_trade_no=new_trade_no("P", tx.now),
        state=OrderState.CREATED,
        created_at=tx.now,
        # The channel takes whole seconds, and a re-order must repeat the same instant.
        expires_at=(tx.now + ORDER_LIFE).replace(microsecond=0),
        query_at=tx.now + FIRST_QUERY,
    )


def _insert_order(
    tx: Transaction,
    actor: Actor,
    order: PaymentOrder,
    quotes: Sequence[Quote],
    topup: TopUp | None,
) -> int:
    """Insert an order over what was quoted, with a lock on each bill."""
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
            "amount_fen": order.amount_fen,
            "late_fee_fen": sum(quote.late_fee_fen for quote in quotes),
            "discount_fen": sum(quote.discount_fen for quote in quotes),
            "topup_fen": order.topup_fen,
        },
    )
    return order.id


def _lock_bills(tx: Transaction, actor: Actor, bill_ids: list[int]) -> Sequence[Bill]:
    bills = (
        tx.session.execute(
            select(Bill)
            .join(HouseBinding, sees_bills_of(Bill.house_id, actor))
            .join(Community, Community.id == Bill.community_id)
            .where(
                Bill.id.in_(bill_ids),
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
            .join(HouseBinding, sees_bills_of(House.id, actor))
            .join(Community, Community.id == House.community_id)
            .where(House.id == topup.house_id, Community.is_active)
        ).first()
        if of_topup is None:
            raise NotFound
        communities.add(of_topup)
    if len(communities) > 1:
        raise BillsOfTwoCommunities
    return communities.pop()


def _payer_openid(tx: Transaction, actor: Actor, channel: PayChannel) -> str:
    """Tell with which WeChat to pay: the one that holds the session, else the last one seen."""
    openid = tx.session.execute(
        select(WechatIdentity.openid)
        .where(
            WechatIdentity.account_id == actor.account_id,
            WechatIdentity.appid == channel.appid,
        )
        .order_by(
            WechatIdentity.openid != actor.openid,
            WechatIdentity.seen_at.desc(),
            WechatIdentity.id.desc(),
        )
        .limit(1)
    ).scalar_one_or_none()
    if openid is None:
        raise WechatNeeded
    return openid


def _open_order_for(
    tx: Transaction, actor: Actor, openid: str, bill_ids: list[int], topup: TopUp | None
) -> int | None:
    """Find the payer's own open order for just this; None when the bills are free."""
    locked = tx.session.execute(
        select(BillLock.order_id).where(BillLock.bill_id.in_(bill_ids)).distinct()
    ).all()
    if not locked:
        return None
    own = tx.session.execute(
        select(PaymentOrder.id).where(
            PaymentOrder.id == locked[0].order_id,
            PaymentOrder.account_id == actor.account_id,
            PaymentOrder.openid == openid,
            PaymentOrder.expires_at > tx.now,
            PaymentOrder.topup_fen == (topup.amount_fen if topup else 0),
            PaymentOrder.topup_house_id.is_not_distinct_from(topup.house_id if topup else None),
        )
    ).scalar_one_or_none()
    held = tx.session.scalars(
        select(BillLock.bill_id).where(BillLock.order_id == own).order_by(BillLock.bill_id)
    ).all()
    if own is None or len(locked) > 1 or list(held) != bill_ids:
        raise BillInPayment
    return own


def _describe(tx: Transaction, community_id: int, bills: Sequence[Bill]) -> str:
    """Say on the pay sheet what is paid."""
    community = tx.session.get_one(Community, community_id)
    if not bills:
        return f"{community.name[:20]} 预存"
    item = tx.session.get_one(FeeItem, bills[0].fee_item_id)
    more = f"等{len(bills)}项" if len(bills) > 1 else ""
    return f"{community.name[:20]} {item.name[:10]}{more}"
