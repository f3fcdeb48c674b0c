"""The life of a payment: everything on record about it, in one timeline, by any of its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import ColumnElement, or_, select, true
from sqlalchemy.orm import InstrumentedAttribute, Session

from domain.actors import Actor, Permission
from domain.errors import NotFound
from models import Payment, PaymentOrder, PlatformNotice, ReconciliationCase, Refund
from services.payments.life_lines import LifeLine, Traced, read_lines
from services.payments.numbers import has_number
from services.payments.order_rows import Asks
from services.payments.views import read_payments
from services.unit_of_work import UnitOfWork


class Pushes(Protocol):
    """What asks the channel about a refund."""

    def push(self, *, refund_id: int) -> None:
        """Bring one refund on."""
        ...


@dataclass(frozen=True, slots=True)
class PaymentLifeView:
    """A life: ``progress`` is what its payer is told; empty when there is no order of ours."""

    number: str
    progress: str
    lines: Sequence[LifeLine]


@dataclass(frozen=True)
class PaymentLife:
    """Tells what happened to a payment, from the bill to the reconciliation."""

    unit_of_work: UnitOfWork
    sweep: Asks
    refunds: Pushes

    def show(
        self, *, actor: Actor, number: str, community_id: int | None = None
    ) -> PaymentLifeView:
        """Tell a life by an order's, transaction's, receipt's or refund's number.

        Within one community; without one, all of the company's money is looked through, also what
        belongs to no order of ours, by whoever may reconcile.

        Raises:
            NotFound: nothing on record has the number, or it is another community's.

        Source: domain.md, idea 4.
        """
        actor.must(Permission.VIEW_HOUSE_MONEY)
        actor.must_cover(community_id)
        if community_id is None:
            actor.must(Permission.RECONCILE)
        with self.unit_of_work.reading() as session:
            traced = _trace(session, number, community_id)
            lines = read_lines(session, traced)
            shown = read_payments(session, PaymentOrder.id.in_(traced.order_ids))
        return PaymentLifeView(number, shown[0].progress if shown else "", lines)

    def ask_now(
        self, *, actor: Actor, number: str, community_id: int | None = None
    ) -> PaymentLifeView:
        """Ask the channel about the order and its refunds, book what it says, and tell the life.

        Raises:
            NotFound: as for `show`.
            PlatformRefused, PlatformUnavailable: the channel did not tell; that is on record too.
        """
        actor.must(Permission.VIEW_HOUSE_MONEY)
        actor.must_cover(community_id)
        if community_id is None:
            actor.must(Permission.RECONCILE)
        with self.unit_of_work.reading() as session:
            traced = _trace(session, number, community_id)
        for order_id in traced.order_ids:
            self.sweep.ask(order_id=order_id)
        for refund_id in traced.refund_ids:
            self.refunds.push(refund_id=refund_id)
        return self.show(actor=actor, number=number, community_id=community_id)


def _trace(session: Session, number: str, community_id: int | None) -> Traced:
    """Find everything that belongs together with a number.

    Raises:
        NotFound: nothing has it.
    """
    order_ids, payment_ids, refund_ids = _find_roots(session, number, community_id)
    found = session.execute(
        select(Payment.id, Payment.order_id).where(
            or_(
                Payment.id.in_(payment_ids),
                Payment.id.in_(select(Refund.payment_id).where(Refund.id.in_(refund_ids))),
            )
        )
    ).all()
    order_ids += [order_id for _, order_id in found if order_id is not None]
    payment_ids = [payment_id for payment_id, _ in found]
    orders = session.scalars(
        select(PaymentOrder).where(PaymentOrder.id.in_(order_ids)).order_by(PaymentOrder.id)
    ).all()
    # Money may have come twice for one order: either is part of the other's life.
    payments = session.scalars(
        select(Payment)
        .where(or_(Payment.id.in_(payment_ids), Payment.order_id.in_(order_ids)))
        .order_by(Payment.id)
    ).all()
    refunds = session.scalars(
        select(Refund)
        .where(
            or_(
                Refund.id.in_(refund_ids),
                Refund.payment_id.in_([payment.id for payment in payments]),
            )
        )
        .order_by(Refund.id)
    ).all()
    numbers = {order.out_trade_no for order in orders} | {one.out_trade_no for one in payments}
    if not numbers and not refunds:
        if community_id is not None or not _is_heard_of(session, number):
            raise NotFound("没有找到这个编号")
        numbers = {number}
    return Traced(tuple(sorted(numbers)), orders, payments, refunds)


def _find_roots(
    session: Session, number: str, community_id: int | None
) -> tuple[list[int], list[int], list[int]]:
    def within(column: InstrumentedAttribute[Any]) -> ColumnElement[bool]:
        return true() if community_id is None else column == community_id

    orders = select(PaymentOrder.id).where(
        PaymentOrder.out_trade_no == number, within(PaymentOrder.community_id)
    )
    payments = select(Payment.id).where(has_number(number), within(Payment.community_id))
    refunds = select(Refund.id).where(Refund.refund_no == number, within(Refund.community_id))
    return (
        list(session.scalars(orders)),
        list(session.scalars(payments)),
        list(session.scalars(refunds)),
    )


def _is_heard_of(session: Session, number: str) -> bool:
    """Tell whether a channel named the number, though nothing of ours has it."""
    named = select(PlatformNotice.id).where(PlatformNotice.out_trade_no == number)
    differs = select(ReconciliationCase.id).where(ReconciliationCase.key == number)
    return (
        session.scalars(named.limit(1)).first() is not None
        or session.scalars(differs.limit(1)).first() is not None
    )
