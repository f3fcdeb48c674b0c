"""Payments for chosen bills, and what their owner may ask of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, select, update

from domain.actors import Actor, Permission
from domain.errors import Conflict, InvalidInput, NotFound, PlatformRefused, PlatformUnavailable
from domain.payment_states import OPEN_ORDERS, OrderState
from models import BillLock, PaymentOrder
from services.pay_ports import OrderToOpen, PayChannel
from services.payments.opening import TopUp, open_order
from services.payments.sweep import LAST_LOOK, PaymentSweep
from services.payments.views import PaymentView, StartedPayment, read_payments
from services.unit_of_work import Transaction, UnitOfWork

BILLS_CAP = 50
TOPUP_CAP_FEN = 10_000_000
"""The most that an owner may pay ahead at once: 100,000 yuan."""


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
        self,
        *,
        actor: Actor,
        bill_ids: Sequence[int] = (),
        idempotency_key: str,
        topup_fen: int = 0,
        topup_house_id: int | None = None,
    ) -> StartedPayment:
        """Open a payment for what the chosen bills cost today, or a top-up, or both.

        What it costs, with late fees and what goes off for paying early, is fixed for the
        payment's life; only what the payer gives on top is theirs to say. The same key with the
        same request gives the same payment, however often and from however many requests. The
        channel is called between two transactions; if it does not answer, the payment stays open
        and calling again with the same key goes on with the same order number.

        Raises:
            InvalidInput: nothing is to be paid, or the top-up cannot be taken.
            NotFound: a bill or house does not exist or is not this owner's.
            BillAlreadyPaid, BillInPayment, BillsOfTwoCommunities, WechatNeeded: as they say.
            KeyUsedForOther, PaymentEnded: the key cannot be used again.
            PlatformRefused: WeChat Pay said no; the bills are free again.
            PlatformUnavailable: WeChat Pay did not answer.
        """
        actor.must(Permission.PAY_OWN_BILLS)
        wanted = sorted(set(bill_ids))
        topup = _check_topup(topup_fen, topup_house_id)
        if len(wanted) > BILLS_CAP or not (wanted or topup):
            raise InvalidInput(fields={"bill_ids": [f"请选择 1 至 {BILLS_CAP} 张账单"]})
        order_id = self.unit_of_work.run(
            lambda tx: open_order(tx, actor, self.channel, wanted, idempotency_key, topup)
        )
        return self._ticket(actor, order_id)

    def _ticket(self, actor: Actor, order_id: int) -> StartedPayment:
        order = self._show_order(actor, order_id)
        if order.state in OPEN_ORDERS and not order.prepay_id and not self._has_expired(order):
            self._call_channel(order)
            # Looked at again: the same key may have been used twice, or the payer was very fast.
            order = self._show_order(actor, order_id)
        if order.state == OrderState.SUCCEEDED:
            return StartedPayment(self.show(actor=actor, payment_id=order_id), None)
        if order.state not in OPEN_ORDERS or not order.prepay_id or self._has_expired(order):
            raise PaymentEnded
        ticket = self.channel.ticket(prepay_id=order.prepay_id, now=self.unit_of_work.clock.now())
        return StartedPayment(self.show(actor=actor, payment_id=order_id), ticket)

    def _has_expired(self, order: PaymentOrder) -> bool:
        return order.expires_at <= self.unit_of_work.clock.now()

    def _call_channel(self, order: PaymentOrder) -> None:
        """Open the order with the channel and note what it said.

        Only what is noted counts: a ticket is made from the row, so none goes out for an order
        that has ended meanwhile, and a refusal ends no order that has a ticket out.
        """
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
            if self._fail(order, refusal.vendor_code):
                raise
        else:
            self._move(order.id, OPEN_ORDERS, state=OrderState.PREPAYING, prepay_id=prepay_id)

    def _move(self, order_id: int, old: Collection[OrderState], **values: object) -> None:
        self.unit_of_work.run(
            lambda tx: tx.session.execute(
                update(PaymentOrder)
                .where(PaymentOrder.id == order_id, PaymentOrder.state.in_(old))
                .values(**values)
            )
        )

    def _fail(self, order: PaymentOrder, vendor_code: str) -> bool:
        """End an order that the channel refused and that has no ticket; tell whether it ended.

        It is looked at once more when it would have expired, like every order of which the
        channel's last word could be older than something we did.
        """

        def work(tx: Transaction) -> bool:
            failed = tx.session.execute(
                update(PaymentOrder)
                .where(
                    PaymentOrder.id == order.id,
                    PaymentOrder.state.in_(OPEN_ORDERS),
                    PaymentOrder.prepay_id.is_(None),
                )
                .values(
                    state=OrderState.FAILED,
                    refused_because=vendor_code,
                    ended_at=tx.now,
                    query_at=order.expires_at + LAST_LOOK,
                )
                .returning(PaymentOrder.id)
            ).scalar_one_or_none()
            if failed is not None:
                tx.session.execute(delete(BillLock).where(BillLock.order_id == order.id))
            return failed is not None

        return self.unit_of_work.run(work)

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
        """Ask the channel about one's own unpaid payment, book what it says, and show it.

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


def _check_topup(topup_fen: int, topup_house_id: int | None) -> TopUp | None:
    if topup_fen == 0 and topup_house_id is None:
        return None
    if not 1 <= topup_fen <= TOPUP_CAP_FEN:
        raise InvalidInput(fields={"topup_fen": ["预存金额应为 0.01 至 100000.00 元"]})
    if topup_house_id is None:
        raise InvalidInput(fields={"topup_house_id": ["请选择为哪处房屋预存"]})
    return TopUp(topup_house_id, topup_fen)
