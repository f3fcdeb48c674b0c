"""Opening payments for chosen bills, and what their owner may ask of them."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert

from domain.actors import Actor, Permission
from domain.bill_states import PAYABLE_BILLS, BillState
from domain.errors import Conflict, InvalidInput, NotFound, PlatformRefused, PlatformUnavailable
from domain.payment_states import OPEN_ORDERS, OrderState
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
from services.payments.sweep import FIRST_QUERY, PaymentSweep
from services.payments.views import PaymentView, StartedPayment, read_payments
from services.ports import OrderToOpen, PayChannel
from services.unit_of_work import Transaction, UnitOfWork

CHANNEL = "wechat"
ORDER_LIFE = timedelta(minutes=15)
"""How long the pay sheet stays payable; the bills are locked meanwhile."""
BILLS_CAP = 50
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


class PaymentEnded(Conflict):
    """The payment that this key opened was closed or refused: start again with a new key."""

    code = "payment_ended"
    message = "这笔支付已结束，请重新发起"


@dataclass(frozen=True)
class PaymentOrders:
    """Owners' payments by WeChat Pay."""

    unit_of_work: UnitOfWork
    channel: PayChannel
    sweep: PaymentSweep

    def start(
        self, *, actor: Actor, bill_ids: Sequence[int], idempotency_key: str
    ) -> StartedPayment:
        """Open a payment for the unpaid rest of the chosen bills.

        The same key with the same bills gives the same payment, however often and from however
        many requests. The channel is called between two transactions; if it does not answer, the
        payment stays open and calling again with the same key goes on with the same order number.

        Raises:
            NotFound: a bill does not exist or is not this owner's.
            BillAlreadyPaid, BillInPayment, BillsOfTwoCommunities, WechatNeeded: as they say.
            KeyUsedForOther, PaymentEnded: the key cannot be used again.
            PlatformRefused: WeChat Pay said no; the bills are free again.
            PlatformUnavailable: WeChat Pay did not answer.
        """
        actor.must(Permission.PAY_OWN_BILLS)
        wanted = sorted(set(bill_ids))
        if not wanted or len(wanted) > BILLS_CAP:
            raise InvalidInput(fields={"bill_ids": [f"请选择 1 至 {BILLS_CAP} 张账单"]})
        order_id = self.unit_of_work.run(lambda tx: self._open(tx, actor, wanted, idempotency_key))
        return self._ticket(actor, order_id)

    def _open(self, tx: Transaction, actor: Actor, bill_ids: list[int], key: str) -> int:
        key_id, known_order_id = self._take_key(tx, actor, bill_ids, key)
        if known_order_id is not None:
            return known_order_id
        bills = self._lock_bills(tx, actor, bill_ids)
        openid = self._payer_openid(tx, actor)
        order_id = self._open_order_for(tx, actor, openid, bill_ids)
        if order_id is None:
            order_id = self._insert_order(tx, actor, openid, bills)
        tx.session.execute(
            update(IdempotencyKey).where(IdempotencyKey.id == key_id).values(order_id=order_id)
        )
        return order_id

    def _insert_order(
        self, tx: Transaction, actor: Actor, openid: str, bills: Sequence[Bill]
    ) -> int:
        order = PaymentOrder(
            community_id=bills[0].community_id,
            account_id=actor.account_id,
            channel=CHANNEL,
            mchid=self.channel.mchid,
            appid=self.channel.appid,
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
        self, tx: Transaction, actor: Actor, bill_ids: list[int], key: str
    ) -> tuple[int, int | None]:
        """Claim the key and give its id, or find the order that it opened before.

        A second request with the key waits in the insert until the first has committed.
        """
        body_sha256 = hashlib.sha256(repr(bill_ids).encode()).hexdigest()
        subject = f"account:{actor.account_id}"
        key_id = tx.session.execute(
            insert(IdempotencyKey)
            .values(
                subject=subject, action=_PAY, key=key, body_sha256=body_sha256, created_at=tx.now
            )
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

    def _lock_bills(self, tx: Transaction, actor: Actor, bill_ids: list[int]) -> Sequence[Bill]:
        bills = (
            tx.session.execute(
                select(Bill)
                .join(
                    HouseBinding,
                    (HouseBinding.house_id == Bill.house_id)
                    & (HouseBinding.account_id == actor.account_id)
                    & (HouseBinding.status == "active"),
                )
                .join(Community, Community.id == Bill.community_id)
                .where(
                    Bill.id.in_(bill_ids),
                    Bill.state.in_([*PAYABLE_BILLS, BillState.PAID]),
                    HouseBinding.role != "tenant",
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

    def _payer_openid(self, tx: Transaction, actor: Actor) -> str:
        openid = tx.session.execute(
            select(WechatIdentity.openid)
            .where(
                WechatIdentity.account_id == actor.account_id,
                WechatIdentity.appid == self.channel.appid,
            )
            .order_by(WechatIdentity.seen_at.desc(), WechatIdentity.id.desc())
            .limit(1)
        ).scalar_one_or_none()
        if openid is None:
            raise WechatNeeded
        return openid

    def _open_order_for(
        self, tx: Transaction, actor: Actor, openid: str, bill_ids: list[int]
    ) -> int | None:
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

    def _ticket(self, actor: Actor, order_id: int) -> StartedPayment:
        order = self._show_order(actor, order_id)
        if order.state == OrderState.SUCCEEDED:
            return StartedPayment(self.show(actor=actor, payment_id=order_id), None)
        if order.state not in OPEN_ORDERS or order.expires_at <= self.unit_of_work.clock.now():
            raise PaymentEnded
        prepay_id = order.prepay_id or self._call_channel(order)
        ticket = self.channel.ticket(prepay_id=prepay_id, now=self.unit_of_work.clock.now())
        return StartedPayment(self.show(actor=actor, payment_id=order_id), ticket)

    def _call_channel(self, order: PaymentOrder) -> str:
        try:
            prepay_id = self.channel.open_jsapi_order(
                OrderToOpen(
                    out_trade_no=order.out_trade_no,
                    amount_fen=order.amount_fen,
                    description=order.description,
                    expires_at=order.expires_at,
                    openid=order.openid,
                )
            )
        except PlatformUnavailable:
            self._move(order.id, {OrderState.CREATED}, state=OrderState.UNKNOWN)
            raise
        except PlatformRefused as refusal:
            if refusal.vendor_code == "ORDERPAID":
                # The order exists and is paid: the sweep's query will book it.
                self._move(order.id, {OrderState.CREATED}, state=OrderState.UNKNOWN)
                raise PlatformUnavailable from refusal
            self._fail(order.id, refusal.vendor_code)
            raise
        # A ticket for an order that ended meanwhile must never reach a payer.
        if not self._move(order.id, OPEN_ORDERS, state=OrderState.PREPAYING, prepay_id=prepay_id):
            raise PaymentEnded
        return prepay_id

    def _move(self, order_id: int, old: Collection[OrderState], **values: object) -> bool:
        def work(tx: Transaction) -> bool:
            moved = tx.session.execute(
                update(PaymentOrder)
                .where(PaymentOrder.id == order_id, PaymentOrder.state.in_(old))
                .values(**values)
                .returning(PaymentOrder.id)
            ).scalar_one_or_none()
            return moved is not None

        return self.unit_of_work.run(work)

    def _fail(self, order_id: int, vendor_code: str) -> None:
        def work(tx: Transaction) -> None:
            failed = tx.session.execute(
                update(PaymentOrder)
                .where(PaymentOrder.id == order_id, PaymentOrder.state.in_(OPEN_ORDERS))
                .values(state=OrderState.FAILED, refused_because=vendor_code, ended_at=tx.now)
                .returning(PaymentOrder.id)
            ).scalar_one_or_none()
            if failed is not None:
                tx.session.execute(delete(BillLock).where(BillLock.order_id == order_id))

        self.unit_of_work.run(work)

    def show(self, *, actor: Actor, payment_id: int) -> PaymentView:
        """Show one of the actor's own payments.

        Raises:
            NotFound: none, or not theirs.
        """
        actor.must(Permission.PAY_OWN_BILLS)
        with self.unit_of_work.reading() as session:
            found = read_payments(
                session, PaymentOrder.id == payment_id, PaymentOrder.account_id == actor.account_id
            )
        if not found:
            raise NotFound
        return found[0]

    def list_own(self, *, actor: Actor, before_id: int | None, limit: int) -> Sequence[PaymentView]:
        """List the actor's own payments, newest first, from below ``before_id``."""
        actor.must(Permission.PAY_OWN_BILLS)
        with self.unit_of_work.reading() as session:
            ids = session.scalars(
                select(PaymentOrder.id)
                .where(
                    PaymentOrder.account_id == actor.account_id,
                    PaymentOrder.id < before_id if before_id else PaymentOrder.id > 0,
                )
                .order_by(PaymentOrder.id.desc())
                .limit(limit)
            ).all()
            return read_payments(session, PaymentOrder.id.in_(ids))

    def refresh(self, *, actor: Actor, payment_id: int) -> PaymentView:
        """Ask the channel about one's own open payment, book what it says, and show it.

        Raises:
            NotFound: none, or not theirs.
            PlatformUnavailable: the channel did not answer; nothing changed.
        """
        self._show_order(actor, payment_id)
        self.sweep.ask(order_id=payment_id)
        return self.show(actor=actor, payment_id=payment_id)

    def cancel(self, *, actor: Actor, payment_id: int) -> PaymentView:
        """Give one's own open payment up: asked first, closed with the channel, bills set free.

        If it was paid meanwhile it is booked instead, and the view says so.

        Raises:
            NotFound: none, or not theirs.
            PlatformUnavailable: the channel did not answer; nothing changed.
        """
        self._show_order(actor, payment_id)
        self.sweep.ask(order_id=payment_id, and_close=True)
        return self.show(actor=actor, payment_id=payment_id)

    def _show_order(self, actor: Actor, order_id: int) -> PaymentOrder:
        actor.must(Permission.PAY_OWN_BILLS)
        with self.unit_of_work.reading() as session:
            order = session.execute(
                select(PaymentOrder).where(
                    PaymentOrder.id == order_id, PaymentOrder.account_id == actor.account_id
                )
            ).scalar_one_or_none()
        if order is None:
            raise NotFound
        return order


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
