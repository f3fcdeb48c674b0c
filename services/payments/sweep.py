"""The truth loop: silent open orders are asked about, booked when paid, and closed in time."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, text, update

from domain.actors import Actor, Permission, system_actor
from domain.errors import PlatformRefused, PlatformUnavailable
from domain.payment_states import OPEN_ORDERS, OrderState
from models import BillLock, Payment, PaymentOrder
from services.audit import record
from services.pay_ports import ChannelTrade, PayChannel, PayChannels, TradeState
from services.payments.channel_calls import ChannelCalls
from services.payments.settle import Settlement
from services.tasks import open_task
from services.unit_of_work import Transaction, UnitOfWork

log = logging.getLogger(__name__)

FIRST_QUERY = timedelta(seconds=30)
_NEXT_QUERIES = (timedelta(minutes=2), timedelta(minutes=10))
"""After the first, counted from the order's birth; then at expiry and every minute after it.

Source: reliability.md, pattern 5.
"""
_AFTER_EXPIRY = timedelta(minutes=1)
LAST_LOOK = timedelta(minutes=1)
"""So long after its expiry an order that ended without the channel's CLOSED is asked about."""
_PAGE_GRACE = timedelta(minutes=2)
"""So long after its expiry a page or code that was handed out makes no trade any more."""
_CLAIM = text(
    """
    UPDATE payment_order SET query_at = :until, query_count = query_count + 1
     WHERE id = (SELECT id FROM payment_order WHERE query_at <= :now
                  ORDER BY query_at LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING id
    """
)
CLAIM_LIFE = timedelta(seconds=40)
"""Longer than query, close and query again may take; a worker that died is made up for after it."""
_AT_ONCE = 500
"""So many are looked at before the timetable has its next turn."""


@dataclass(frozen=True)
class PaymentSweep:
    """Asks the channel, books what was paid, and closes what expired."""

    unit_of_work: UnitOfWork
    channels: PayChannels
    calls: ChannelCalls
    settlement: Settlement

    def sweep(self, *, actor: Actor) -> int:
        """Ask about every open order that is due and return how many were.

        One order that cannot be asked stops no other; it is due again soon.
        """
        actor.must(Permission.RUN_PLATFORM_WORK)
        for count in range(_AT_ONCE):
            order_id = self.unit_of_work.run(
                lambda tx: tx.session.scalar(_CLAIM, {"now": tx.now, "until": tx.now + CLAIM_LIFE})
            )
            if order_id is None:
                return count
            try:
                self.ask(order_id=order_id)
            except (PlatformRefused, PlatformUnavailable):
                log.warning("channel did not tell", extra={"order_id": order_id})
            except Exception:
                log.exception("an order could not be asked about", extra={"order_id": order_id})
        return _AT_ONCE

    def ask(self, *, order_id: int, and_close: bool = False) -> None:
        """Bring one order up to what the channel says; a paid one is left alone.

        An unpaid order is closed when it has expired or ended or when ``and_close`` says so: asked,
        closed, and asked again, because a payer may have been faster. Bills become free only after
        that. Money for an order that has ended is booked all the same.

        Raises:
            PlatformRefused, PlatformUnavailable: the channel did not tell; nothing changed.
        """
        with self.unit_of_work.reading() as session:
            order = session.get_one(PaymentOrder, order_id)
            paid = session.execute(
                select(Payment.id).where(Payment.order_id == order_id).limit(1)
            ).scalar_one_or_none()
        if paid is not None:
            return
        channel = self.channels.of(order.channel, order.mchid)
        trade = self._query(channel, order)
        now = self.unit_of_work.clock.now()
        give_up = order.state not in OPEN_ORDERS or order.expires_at <= now or and_close
        # An order that the channel never saw and never will has no ticket out: nobody can pay it.
        is_dead = channel.is_absent_final or order.expires_at + _PAGE_GRACE <= now
        if (give_up and trade.state is TradeState.NOTPAY) or (
            give_up and trade.state is TradeState.ABSENT and is_dead
        ):
            trade = self._close(channel, order)
        # What was paid and given back with the channel cannot be paid again either.
        gone = trade.state in (TradeState.CLOSED, TradeState.REFUND) or (
            give_up and trade.state is TradeState.ABSENT and is_dead
        )
        self._apply(order, trade, gone=gone)

    def _query(self, channel: PayChannel, order: PaymentOrder) -> ChannelTrade:
        with self.calls.noting("query", order_id=order.id) as said:
            trade = channel.query(out_trade_no=order.out_trade_no)
            said.outcome = trade.state
        return trade

    def _close(self, channel: PayChannel, order: PaymentOrder) -> ChannelTrade:
        try:
            with self.calls.noting("close", order_id=order.id):
                channel.close(out_trade_no=order.out_trade_no)
        except PlatformRefused as refusal:
            if refusal.vendor_code != "ORDERPAID":
                raise
        return self._query(channel, order)

    def _apply(self, order: PaymentOrder, trade: ChannelTrade, *, gone: bool) -> None:
        actor = system_actor("支付查询")
        if trade.state is TradeState.SUCCESS:
            self.unit_of_work.run(lambda tx: _note_paid(tx, order))
            self.settlement.settle(actor=actor, trade=trade)
        elif gone:
            self.unit_of_work.run(lambda tx: self._mark_closed(tx, actor, order, trade))
        else:
            self.unit_of_work.run(lambda tx: self._ask_later(tx, order))

    def _mark_closed(
        self, tx: Transaction, actor: Actor, order: PaymentOrder, trade: ChannelTrade
    ) -> None:
        if trade.state is TradeState.REFUND and not _is_booked(tx, order):
            _tell_of_refund(tx, order)
        tx.session.execute(
            update(PaymentOrder)
            .where(PaymentOrder.id == order.id)
            .values(query_at=_last_look(order, trade, tx.now))
        )
        closed = tx.session.execute(
            update(PaymentOrder)
            .where(PaymentOrder.id == order.id, PaymentOrder.state.in_(OPEN_ORDERS))
            .values(state=OrderState.CLOSED, ended_at=tx.now)
            .returning(PaymentOrder.id)
        ).scalar_one_or_none()
        if closed is None:
            return
        tx.session.execute(delete(BillLock).where(BillLock.order_id == order.id))
        record(
            tx,
            actor,
            "payment_closed",
            subject_type="payment_order",
            subject_id=order.id,
            community_id=order.community_id,
        )

    def _ask_later(self, tx: Transaction, order: PaymentOrder) -> None:
        tx.session.execute(
            update(PaymentOrder)
            .where(PaymentOrder.id == order.id)
            .values(query_at=_next_query(order, tx.now))
        )


def _note_paid(tx: Transaction, order: PaymentOrder) -> None:
    """Note since when it should be booked, before anything can go wrong with that."""
    tx.session.execute(
        update(PaymentOrder)
        .where(PaymentOrder.id == order.id, PaymentOrder.paid_seen_at.is_(None))
        .values(paid_seen_at=tx.now)
    )


def _is_booked(tx: Transaction, order: PaymentOrder) -> bool:
    """Tell whether a notice was faster than the channel's answer."""
    found = select(Payment.id).where(Payment.order_id == order.id).limit(1)
    return tx.session.execute(found).first() is not None


def _tell_of_refund(tx: Transaction, order: PaymentOrder) -> None:
    open_task(
        tx,
        kind="order_refunded_elsewhere",
        subject=order.out_trade_no,
        title=f"订单 {order.out_trade_no} 未入账就已在商户平台退款，订单已关闭；"
        "若只退了一部分，请核实余款",
        community_id=order.community_id,
    )


def _next_query(order: PaymentOrder, now: datetime) -> datetime:
    for wait in _NEXT_QUERIES:
        if order.created_at + wait > now:
            return order.created_at + wait
    return max(order.expires_at, now + _AFTER_EXPIRY)


def _last_look(order: PaymentOrder, trade: ChannelTrade, now: datetime) -> datetime | None:
    """Tell when to ask again about an order that has ended: never, once its trade has too."""
    if trade.state in (TradeState.CLOSED, TradeState.REFUND) or order.expires_at + LAST_LOOK <= now:
        return None
    return order.expires_at + LAST_LOOK
