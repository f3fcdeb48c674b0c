"""Payments for chosen bills, and what their owner may ask of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from domain.actors import Actor, Permission
from domain.errors import InvalidInput, NotFound
from models import PaymentOrder
from services.pay_ports import PayChannels
from services.payments.opening import open_order
from services.payments.order_rows import (
    IN_THE_MINI_PROGRAM,
    HowToPay,
    TopUp,
    with_way_cleared,
)
from services.payments.sweep import PaymentSweep
from services.payments.tickets import OrderTickets
from services.payments.views import PaymentView, StartedPayment, read_payments
from services.unit_of_work import UnitOfWork

BILLS_CAP = 50
TOPUP_CAP_FEN = 10_000_000
"""The most that an owner may pay ahead at once: 100,000 yuan."""


@dataclass(frozen=True)
class PaymentOrders:
    """Owners' payments by WeChat Pay and Alipay."""

    unit_of_work: UnitOfWork
    channels: PayChannels
    tickets: OrderTickets
    sweep: PaymentSweep

    def start(
        self,
        *,
        actor: Actor,
        bill_ids: Sequence[int] = (),
        idempotency_key: str,
        topup_fen: int = 0,
        topup_house_id: int | None = None,
        how: HowToPay = IN_THE_MINI_PROGRAM,
    ) -> StartedPayment:
        """Open a payment for what the chosen bills cost today, or a top-up, or both.

        What it costs, with late fees and what goes off for paying early, is fixed for the
        payment's life; only what the payer gives on top is theirs to say. The same key with the
        same request gives the same payment, however often and from however many requests. The
        channel is called between two transactions; if it does not answer, the payment stays open
        and calling again with the same key goes on with the same order number. The payer's own
        payment of the same bills in another way gives way, and so does one that a stranger began
        at the door: it is closed with its channel first, or booked if it was paid.

        Raises:
            InvalidInput: nothing is to be paid, or the top-up cannot be taken.
            NotFound: a bill or house does not exist or is not this owner's.
            BillAlreadyPaid, BillInPayment, BillsOfTwoCommunities, WechatNeeded: as they say.
            ChannelNotOffered: the community takes no money in this way.
            KeyUsedForOther, PaymentEnded: the key cannot be used again.
            PlatformRefused: the channel said no; the bills are free again.
            PlatformUnavailable: the channel did not answer.
        """
        actor.must(Permission.PAY_OWN_BILLS)
        wanted = sorted(set(bill_ids))
        topup = _check_topup(topup_fen, topup_house_id)
        if len(wanted) > BILLS_CAP or not (wanted or topup):
            raise InvalidInput(fields={"bill_ids": [f"请选择 1 至 {BILLS_CAP} 张账单"]})
        order_id = with_way_cleared(
            self.sweep,
            lambda: self.unit_of_work.run(
                lambda tx: open_order(tx, actor, self.channels, wanted, idempotency_key, how, topup)
            ),
        )
        to_pay_with = self.tickets.get(order_id, return_url=how.return_url)
        return StartedPayment(self.show(actor=actor, payment_id=order_id), to_pay_with)

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
