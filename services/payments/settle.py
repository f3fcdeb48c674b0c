"""Booking what a channel took: the one function for notices and queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.dialects.postgresql import insert

from domain.actors import Actor, Permission
from domain.payment_states import OPEN_ORDERS, OrderState
from domain.prepaid import PrepaidMove
from models import (
    Bill,
    BillLock,
    PayCode,
    Payment,
    PaymentOrder,
    PaymentOrderBill,
    Receipt,
)
from services.audit import record
from services.inbox import judge_with
from services.pay_ports import ChannelTrade, TradeState
from services.payments.crediting import Credit, credit
from services.payments.meant import Surplus, fit, quoted_on
from services.payments.receipts import HeldFor, issue_receipt, topup_of
from services.payments.surplus import keep_surplus, tell_of_surplus
from services.prepaid.ledger import account_of, move
from services.unit_of_work import Transaction, UnitOfWork

CURRENCY = "CNY"


class Verdict(StrEnum):
    """What became of a trade that the channel told of."""

    BOOKED = "booked"
    ALREADY_BOOKED = "already_booked"
    IN_SUSPENSE = "in_suspense"
    """Some or all of the money fits nothing and waits for a person."""


@dataclass(frozen=True)
class Settlement:
    """Books each trade of a channel exactly once."""

    unit_of_work: UnitOfWork

    def settle(self, *, actor: Actor, trade: ChannelTrade, notice_id: int | None = None) -> Verdict:
        """Book a successful trade: payment, allocations, receipt, audit and messages, or nothing.

        With ``notice_id`` the notice that told of it gets its verdict in the same transaction.

        The unique insert of the provider's transaction comes first and alone decides whether this
        copy is the first. Money is put to the bills the order names, as far as they are open; what
        fits nothing goes to suspense with a task for a person, and from there to prepaid or back
        by the community's policy. An order that was closed meanwhile stays closed, its money
        counts all the same.

        Raises:
            ValueError: the trade is no success, or the channel left out number or amount.

        Source: domain.md D5, D7; reliability.md pattern 2, M4-M8.
        """
        actor.must(Permission.RUN_PLATFORM_WORK)
        if trade.state is not TradeState.SUCCESS or not trade.transaction_id:
            raise ValueError("only a successful trade with its number can be booked")
        if not trade.amount_fen or trade.paid_at is None:
            raise ValueError("a successful trade has an amount and a time")

        def work(tx: Transaction) -> Verdict:
            verdict = self._settle(tx, actor, trade)
            if notice_id is not None:
                judge_with(
                    tx, notice_id=notice_id, verdict=verdict, out_trade_no=trade.out_trade_no
                )
            return verdict

        return self.unit_of_work.run(work)

    def _settle(self, tx: Transaction, actor: Actor, trade: ChannelTrade) -> Verdict:
        payment = _insert_payment(tx, trade)
        if payment is None:
            return Verdict.ALREADY_BOOKED
        order, bills = _lock_order_and_bills(tx, trade)
        if order is None:
            return _keep(tx, actor, payment, [Surplus(payment.amount_fen, "unknown_order")])
        mismatch = find_mismatch(
            trade, mchid=order.mchid, appid=order.appid, amount_fen=order.amount_fen
        )
        _end_order(tx, order, OrderState.CLOSED if mismatch else OrderState.SUCCEEDED)
        if mismatch:
            return _keep(tx, actor, payment, [Surplus(payment.amount_fen, mismatch)])
        credits: Sequence[Credit] = ()
        held: list[HeldFor] = []
        if _is_booked(tx, order):
            house_id = _house_of(order, bills)
            surpluses = [Surplus(payment.amount_fen, "order_already_paid", house_id)]
        else:
            credits, surpluses = fit(tx, order, bills)
            credit(tx, payment_id=payment.id, credits=credits, paid_on=quoted_on(order))
            held += _top_up(tx, payment, order)
        placed = keep_surplus(tx, payment, surpluses)
        held += placed.held
        if credits or held:
            issue_receipt(
                tx,
                community_id=order.community_id,
                payment=payment,
                credits=credits,
                held=held,
                order=order,
            )
        record(
            tx,
            actor,
            "payment_booked",
            subject_type="payment",
            subject_id=payment.id,
            community_id=order.community_id,
            facts={
                "out_trade_no": order.out_trade_no,
                "transaction_id": trade.transaction_id,
                "amount_fen": payment.amount_fen,
                "placed_fen": {one.bill.id: one.amount_fen for one in credits},
                "topup_fen": order.topup_fen,
            },
        )
        if surpluses:
            tell_of_surplus(tx, actor, payment, surpluses, placed)
            return Verdict.IN_SUSPENSE
        return Verdict.BOOKED


def _keep(tx: Transaction, actor: Actor, payment: Payment, surpluses: Sequence[Surplus]) -> Verdict:
    placed = keep_surplus(tx, payment, surpluses)
    tell_of_surplus(tx, actor, payment, surpluses, placed)
    return Verdict.IN_SUSPENSE


def _house_of(order: PaymentOrder, bills: Mapping[int, Bill]) -> int | None:
    return next((bill.house_id for bill in bills.values()), order.topup_house_id)


def _insert_payment(tx: Transaction, trade: ChannelTrade) -> Payment | None:
    """Insert the provider's transaction, or tell that it is there already.

    Which order our number names never changes, so it is read here without a lock: the row is
    complete at once and never updated. A number is ours within a channel only.
    """
    named = tx.session.execute(
        select(PaymentOrder.id, PaymentOrder.community_id, PayCode.house_id)
        .outerjoin(PayCode, PayCode.id == PaymentOrder.pay_code_id)
        .where(*_named_by(trade))
    ).one_or_none()
    return tx.session.execute(
        insert(Payment)
        .values(
            order_id=named.id if named else None,
            community_id=named.community_id if named else None,
            house_id=named.house_id if named else None,
            channel=trade.channel,
            mchid=trade.mchid,
            provider_transaction_id=trade.transaction_id,
            out_trade_no=trade.out_trade_no,
            amount_fen=trade.amount_fen,
            paid_at=trade.paid_at,
            booked_at=tx.now,
        )
        .on_conflict_do_nothing(constraint="uq_payment_provider_transaction_id")
        .returning(Payment)
    ).scalar_one_or_none()


def _named_by(trade: ChannelTrade) -> tuple[ColumnElement[bool], ...]:
    """Tell in SQL which order a trade pays: money of one channel never ends an order of another."""
    return PaymentOrder.out_trade_no == trade.out_trade_no, PaymentOrder.channel == trade.channel


def _lock_order_and_bills(
    tx: Transaction, trade: ChannelTrade
) -> tuple[PaymentOrder | None, dict[int, Bill]]:
    """Lock the bills by ascending id, then the order: the same order for everybody."""
    bills = tx.session.scalars(
        select(Bill)
        .join(PaymentOrderBill, PaymentOrderBill.bill_id == Bill.id)
        .join(PaymentOrder, PaymentOrder.id == PaymentOrderBill.order_id)
        .where(*_named_by(trade))
        .order_by(Bill.id)
        .with_for_update(of=Bill)
        .execution_options(populate_existing=True)
    ).all()
    order = tx.session.execute(
        select(PaymentOrder).where(*_named_by(trade)).with_for_update()
    ).scalar_one_or_none()
    return order, {bill.id: bill for bill in bills}


def _end_order(tx: Transaction, order: PaymentOrder, state: OrderState) -> None:
    """End the order if it is still open, and set its bills free either way."""
    tx.session.execute(
        update(PaymentOrder)
        .where(PaymentOrder.id == order.id, PaymentOrder.state.in_(OPEN_ORDERS))
        .values(state=state, ended_at=tx.now)
    )
    tx.session.execute(
        update(PaymentOrder).where(PaymentOrder.id == order.id).values(query_at=None)
    )
    tx.session.execute(delete(BillLock).where(BillLock.order_id == order.id))


def find_mismatch(trade: ChannelTrade, *, mchid: str, appid: str, amount_fen: int | None) -> str:
    """Tell what of a trade is not ours or not what we asked for, or nothing.

    All of it are facts that never change, so they may be looked at before a trade is booked too.
    """
    for reason, ours, theirs in (
        ("other_merchant", mchid, trade.mchid),
        ("other_app", appid, trade.appid),
        ("other_currency", CURRENCY, trade.currency),
        ("other_amount", amount_fen, trade.amount_fen),
    ):
        if ours != theirs:
            return reason
    return ""


def _is_booked(tx: Transaction, order: PaymentOrder) -> bool:
    """Tell whether other money was placed for the order, which is locked, before."""
    return (
        tx.session.execute(
            select(Receipt.id)
            .join(Payment, Payment.id == Receipt.payment_id)
            .where(Payment.order_id == order.id)
        ).first()
        is not None
    )


def _top_up(tx: Transaction, payment: Payment, order: PaymentOrder) -> list[HeldFor]:
    """Put what the payer gave beyond bills to the house's prepaid account."""
    if not order.topup_fen or order.topup_house_id is None:
        return []
    account_id = account_of(tx, community_id=order.community_id, house_id=order.topup_house_id)
    move(
        tx,
        account_id=account_id,
        kind=PrepaidMove.TOPUP,
        amount_fen=order.topup_fen,
        payment_id=payment.id,
        note="线上预存",
    )
    return [topup_of(order.topup_house_id, order.topup_fen)]
