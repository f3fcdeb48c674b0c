"""Opening an order: the steps inside the transaction that chooses and locks the bills."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from domain.actors import Actor
from domain.bill_states import PAYABLE_BILLS, BillState
from domain.errors import Conflict, InvalidInput, NotFound
from domain.payment_states import OrderState
from domain.periods import SHANGHAI
from models import (
    Bill,
    BillLock,
    Community,
    FeeItem,
    HouseBinding,
    IdempotencyKey,
    PaymentOrder,
    PaymentOrderBill,
    WechatIdentity,
)
from services.audit import record
from services.bindings import sees_bills_of
from services.payments.sweep import FIRST_QUERY
from services.ports import PayChannel
from services.unit_of_work import Transaction

CHANNEL = "wechat"
ORDER_LIFE = timedelta(minutes=15)
"""How long the pay sheet stays payable; the bills are locked meanwhile."""
_PAY = "pay"


class BillAlreadyPaid(Conflict):
    """Nothing is left to pay."""

    code = "bill_already_paid"
    message = "账单已缴清，无需重复支付"


class BillInPayment(Conflict):
    """Another open payment holds one of the bills."""

    code = "bill_in_payment"
    message = "账单正在支付中，请先完成或取消那笔支付"


class BillsOfTwoCommunities(InvalidInput):
    """One payment goes to one community."""

    code = "bills_of_two_communities"
    message = "不同小区的账单请分开支付"


class WechatNeeded(Conflict):
    """The account has no mini-program identity to pay with."""

    code = "wechat_needed"
    message = "请在微信小程序中登录后支付"


class KeyUsedForOther(InvalidInput):
    """The idempotency key came before with other bills."""

    code = "key_used_for_other"
    message = "请求编号已用于另一笔支付，请重新发起"


def open_order(
    tx: Transaction, actor: Actor, channel: PayChannel, bill_ids: list[int], key: str
) -> int:
    """Write an order for what the bills leave open and lock them, or find the key's own order.

    Returns the order's id; the channel is called after the commit.

    Raises:
        NotFound, BillAlreadyPaid, BillInPayment, BillsOfTwoCommunities, WechatNeeded,
        KeyUsedForOther: as they say.
    """
    key_id, known_order_id = _take_key(tx, actor, bill_ids, key)
    if known_order_id is not None:
        return known_order_id
    bills = _lock_bills(tx, actor, bill_ids)
    openid = _payer_openid(tx, actor, channel)
    order_id = _open_order_for(tx, actor, openid, bill_ids)
    if order_id is None:
        order_id = _insert_order(tx, actor, channel, openid, bills)
    tx.session.execute(
        update(IdempotencyKey).where(IdempotencyKey.id == key_id).values(order_id=order_id)
    )
    return order_id


def _insert_order(
    tx: Transaction, actor: Actor, channel: PayChannel, openid: str, bills: Sequence[Bill]
) -> int:
    order = PaymentOrder(
        community_id=bills[0].community_id,
        account_id=actor.account_id,
        channel=CHANNEL,
        mchid=channel.mchid,
        appid=channel.appid,
        openid=openid,
        out_trade_no=_new_out_trade_no(tx.now),
        description=_describe(tx, bills),
        state=OrderState.CREATED,
        amount_fen=sum(bill.amount_fen - bill.paid_fen for bill in bills),
        created_at=tx.now,
        # The channel takes whole seconds, and a re-order must repeat the same instant.
        expires_at=(tx.now + ORDER_LIFE).replace(microsecond=0),
        query_at=tx.now + FIRST_QUERY,
    )
    tx.session.add(order)
    tx.session.flush()
    for bill in bills:
        tx.session.add(
            PaymentOrderBill(
                order_id=order.id, bill_id=bill.id, amount_fen=bill.amount_fen - bill.paid_fen
            )
        )
        tx.session.add(BillLock(bill_id=bill.id, order_id=order.id))
    record(
        tx,
        actor,
        "payment_started",
        subject_type="payment_order",
        subject_id=order.id,
        community_id=order.community_id,
        facts={"out_trade_no": order.out_trade_no, "amount_fen": order.amount_fen},
    )
    return order.id


def _take_key(
    tx: Transaction, actor: Actor, bill_ids: list[int], key: str
) -> tuple[int, int | None]:
    """Claim the key and give its id, or find the order that it opened before.

    A second request with the key waits in the insert until the first has committed.
    """
    body_sha256 = hashlib.sha256(repr(bill_ids).encode()).hexdigest()
    subject = f"account:{actor.account_id}"
    key_id = tx.session.execute(
        insert(IdempotencyKey)
        .values(subject=subject, action=_PAY, key=key, body_sha256=body_sha256, created_at=tx.now)
        .on_conflict_do_nothing()
        .returning(IdempotencyKey.id)
    ).scalar_one_or_none()
    if key_id is not None:
        return key_id, None
    known = tx.session.execute(
        select(IdempotencyKey).where(
            IdempotencyKey.subject == subject,
            IdempotencyKey.action == _PAY,
            IdempotencyKey.key == key,
        )
    ).scalar_one()
    if known.body_sha256 != body_sha256:
        raise KeyUsedForOther
    return known.id, known.order_id


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
    if any(bill.state == BillState.PAID for bill in bills):
        raise BillAlreadyPaid
    if len({bill.community_id for bill in bills}) > 1:
        raise BillsOfTwoCommunities
    return bills


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


def _open_order_for(tx: Transaction, actor: Actor, openid: str, bill_ids: list[int]) -> int | None:
    """Find the payer's own open order for just these bills; None when the bills are free."""
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
        )
    ).scalar_one_or_none()
    held = tx.session.scalars(
        select(BillLock.bill_id).where(BillLock.order_id == own).order_by(BillLock.bill_id)
    ).all()
    if own is None or len(locked) > 1 or list(held) != bill_ids:
        raise BillInPayment
    return own


def _new_out_trade_no(now: datetime) -> str:
    """Make ``P`` + local time + 12 random base32 characters.

    Source: domain.md D0.
    """
    random = base64.b32encode(secrets.token_bytes(8)).decode()[:12]
    return f"P{now.astimezone(SHANGHAI):%Y%m%d%H%M%S}{random}"


def _describe(tx: Transaction, bills: Sequence[Bill]) -> str:
    community, items = tx.session.execute(
        select(Community.name, FeeItem.name)
        .join(Community, Community.id == FeeItem.community_id)
        .where(FeeItem.id == bills[0].fee_item_id)
    ).one()
    more = f"等{len(bills)}项" if len(bills) > 1 else ""
    return f"{community[:20]} {items[:10]}{more}"
