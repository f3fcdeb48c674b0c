"""The truth loop: silent open orders are asked about, booked when paid, and closed in time."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update

from domain.actors import Actor, Permission, system_actor
from domain.errors import PlatformRefused, PlatformUnavailable
from domain.payment_states import OPEN_ORDERS, OrderState
from models import Bill, BillLock, Payment, PaymentOrder
from services.audit import record
from services.claims import claim_each, claim_of
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
LAST_LOOK = timedelta(minutes=2)
"""So long after its expiry no page or code that was handed out makes a trade any more: then an
order that ended without the channel's CLOSED is asked about for the last time."""
_CLAIM = claim_of("payment_order")


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
        count = 0
        for order_id in claim_each(self.unit_of_work, _CLAIM):
            count += 1
            try:
                self.ask(order_id=order_id)
            except (PlatformRefused, PlatformUnavailable):
                log.warning("channel did not tell", extra={"order_id": order_id})
            except Exception:
                log.exception("an order could not be asked about", extra={"order_id": order_id})
        return count

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
        gives_up = order.state not in OPEN_ORDERS or order.expires_at <= now or and_close
        # One that the channel never saw has no ticket out, or nobody can use it any more; what was
        # begun at a door gives way though its page may be paid yet: that is surplus.
        ends_unseen = gives_up and (
            channel.is_absent_final
            or order.expires_at + LAST_LOOK <= now
            or (and_close and order.account_id is None)
        )
        if (gives_up and trade.state is TradeState.NOTPAY) or (
            ends_unseen and trade.state is TradeState.ABSENT
        ):
            trade = self._close(channel, order)
        # What was paid and given back with the channel cannot be paid again either.
        gone = trade.state in (TradeState.CLOSED, TradeState.REFUND) or (
            ends_unseen and trade.state is TradeState.ABSENT
        )
        self._apply(order, trade, gone=gone)

    def clear_door(self, *, community_id: int, house_id: int) -> None:
        """Close what was begun at a house's door and holds its bills, as far as channels answer.

        Staff who take money of the house come first: nobody can hold bills by scanning a code.
        """
        with self.unit_of_work.reading() as session:
            order_ids = session.scalars(
                select(PaymentOrder.id)
                .distinct()
                .join(BillLock, BillLock.order_id == PaymentOrder.id)
                .join(Bill, Bill.id == BillLock.bill_id)
                .where(
                    Bill.house_id == house_id,
                    Bill.community_id == community_id,
                    PaymentOrder.account_id.is_(None),
                )
                .order_by(PaymentOrder.id)
            ).all()
        for order_id in order_ids:
            try:
                self.ask(order_id=order_id, and_close=True)
            except (PlatformRefused, PlatformUnavailable):
                log.warning("a door's order stays", extra={"order_id": order_id})

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
