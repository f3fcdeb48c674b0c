"""Opening an order with its channel, and what the payer's client gets to pay with."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import delete, update

from domain.errors import Conflict, PlatformRefused, PlatformUnavailable
from domain.payment_states import NEEDS_OPENID, OPEN_ORDERS, SCANNED, OrderState, PayWay
from models import BillLock, PaymentOrder
from services.pay_ports import OrderToOpen, PayChannels, PrepayTicket
from services.payments.channel_calls import ChannelCalls
from services.payments.sweep import LAST_LOOK
from services.unit_of_work import Transaction, UnitOfWork


class PaymentEnded(Conflict):
    """The payment that this key opened was closed or refused: start again with a new key."""

    code = "payment_ended"
    message = "这笔支付已结束，请重新发起"


@dataclass(frozen=True, slots=True)
class ToPayWith:
    """One of three: WeChat's ticket, the text of a QR code, or a page to open; none once paid."""

    ticket: PrepayTicket | None = None
    code_url: str = ""
    page_url: str = ""


@dataclass(frozen=True)
class OrderTickets:
    """Gets for an open order what it is paid with."""

    unit_of_work: UnitOfWork
    channels: PayChannels
    calls: ChannelCalls

    def get(self, order_id: int, *, return_url: str = "") -> ToPayWith:
        """Open the order with its channel if nobody has, and tell how to pay it.

        If the channel does not answer the order stays open, and calling again goes on with the
        same number. Of an order that is paid already there is nothing to pay with.

        Raises:
            PaymentEnded: it was closed, refused or has expired.
            PlatformRefused: the channel said no; the bills are free again.
            PlatformUnavailable: the channel did not answer.
        """
        order = self._read(order_id)
        if order.state in OPEN_ORDERS and not order.ticket and not self._has_expired(order):
            self._call_channel(order, return_url)
            # Looked at again: the same key may have been used twice, or the payer was very fast.
            order = self._read(order_id)
        if order.state == OrderState.SUCCEEDED:
            return ToPayWith()
        found = self._found(order)
        if found is None:
            raise PaymentEnded
        return found

    def look(self, order_id: int) -> ToPayWith:
        """Tell how to pay an order again; nothing when it has ended. Calls nobody."""
        return self._found(self._read(order_id)) or ToPayWith()

    def _found(self, order: PaymentOrder) -> ToPayWith | None:
        if order.state not in OPEN_ORDERS or not order.ticket or self._has_expired(order):
            return None
        way = PayWay(order.way)
        if way in NEEDS_OPENID:
            channel = self.channels.of(order.channel, order.mchid)
            now = self.unit_of_work.clock.now()
            return ToPayWith(channel.sign_ticket(way=way, prepay_id=order.ticket, now=now))
        if way in SCANNED:
            return ToPayWith(code_url=order.ticket)
        return ToPayWith(page_url=order.ticket)

    def _read(self, order_id: int) -> PaymentOrder:
        with self.unit_of_work.reading() as session:
            return session.get_one(PaymentOrder, order_id)

    def _has_expired(self, order: PaymentOrder) -> bool:
        return order.expires_at <= self.unit_of_work.clock.now()

    def _call_channel(self, order: PaymentOrder, return_url: str) -> None:
        """Open the order with the channel and note what it said.

        Only what is noted counts: a ticket is made from the row, so none goes out for an order
        that has ended meanwhile, and a refusal ends no order that has a ticket out.
        """
        channel = self.channels.of(order.channel, order.mchid)
        to_open = OrderToOpen(
            out_trade_no=order.out_trade_no,
            amount_fen=order.amount_fen,
            description=order.description,
            way=PayWay(order.way),
            expires_at=order.expires_at,
            openid=order.openid,
            payer_ip=order.payer_ip,
            return_url=return_url,
        )
        try:
            with self.calls.noting("open", order_id=order.id):
                ticket = channel.open_order(to_open)
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
            self._move(order.id, OPEN_ORDERS, state=OrderState.PREPAYING, ticket=ticket)

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
                    PaymentOrder.ticket.is_(None),
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
