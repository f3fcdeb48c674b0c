"""Booking money: the one function for notices and queries. Nothing else credits a bill."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import case, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from domain.actors import Actor, Permission
from domain.bill_states import PAYABLE_BILLS, BillState
from domain.payment_states import OPEN_ORDERS, OrderState
from models import (
    Allocation,
    Bill,
    BillLine,
    BillLock,
    Payment,
    PaymentOrder,
    PaymentOrderBill,
    Suspense,
)
from services.audit import record
from services.payments.receipts import issue_receipt
from services.ports import ChannelTrade, TradeState
from services.tasks import open_task
from services.unit_of_work import Transaction, UnitOfWork

CURRENCY = "CNY"


class Verdict(StrEnum):
    """What became of a trade that the channel told of."""

    BOOKED = "booked"
    ALREADY_BOOKED = "already_booked"
    IN_SUSPENSE = "in_suspense"
    """Some or all of the money fits nothing and waits for a person."""


@dataclass(frozen=True, slots=True)
class _Surplus:
    amount_fen: int
    reason: str


@dataclass(frozen=True)
class Settlement:
    """Books each trade of a channel exactly once."""

    unit_of_work: UnitOfWork

    def settle(self, *, actor: Actor, trade: ChannelTrade) -> Verdict:
        """Book a successful trade: payment, allocations, receipt, audit and messages, or nothing.

        The unique insert of the provider's transaction comes first and alone decides whether this
        copy is the first. Money is put to the bills the order names, as far as they are open; what
        fits nothing goes to suspense with a task for a person. An order that was closed meanwhile
        stays closed, its money counts all the same.

        Raises:
            ValueError: the trade is no success, or the channel left out number or amount.

        Source: domain.md D5, D7; reliability.md pattern 2, M4-M8.
        """
        actor.must(Permission.RUN_PLATFORM_WORK)
        if trade.state is not TradeState.SUCCESS or not trade.transaction_id:
            raise ValueError("only a successful trade with its number can be booked")
        if not trade.amount_fen or trade.paid_at is None:
            raise ValueError("a successful trade has an amount and a time")
        return self.unit_of_work.run(lambda tx: self._settle(tx, actor, trade))

    def _settle(self, tx: Transaction, actor: Actor, trade: ChannelTrade) -> Verdict:
        payment = _insert_payment(tx, trade)
        if payment is None:
            return Verdict.ALREADY_BOOKED
        order, bills = _lock_order_and_bills(tx, trade.out_trade_no)
        if order is None:
            return self._keep(tx, actor, payment, [_Surplus(payment.amount_fen, "unknown_order")])
        mismatch = find_mismatch(
            trade, mchid=order.mchid, appid=order.appid, amount_fen=order.amount_fen
        )
        _end_order(tx, order, OrderState.CLOSED if mismatch else OrderState.SUCCEEDED)
        if mismatch:
            return self._keep(tx, actor, payment, [_Surplus(payment.amount_fen, mismatch)])
        placed, surpluses = _place(tx, payment, order, bills)
        if placed:
            issue_receipt(tx, order=order, payment=payment, placed=placed)
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
                "placed_fen": placed,
            },
        )
        if surpluses:
            return self._keep(tx, actor, payment, surpluses)
        return Verdict.BOOKED

    def _keep(
        self, tx: Transaction, actor: Actor, payment: Payment, surpluses: list[_Surplus]
    ) -> Verdict:
        for surplus in surpluses:
            tx.session.add(
                Suspense(
                    payment_id=payment.id,
                    amount_fen=surplus.amount_fen,
                    reason=surplus.reason,
                    created_at=tx.now,
                )
            )
        record(
            tx,
            actor,
            "payment_in_suspense",
            subject_type="payment",
            subject_id=payment.id,
            community_id=payment.community_id,
            facts={
                "out_trade_no": payment.out_trade_no,
                "reasons": [surplus.reason for surplus in surpluses],
            },
        )
        open_task(
            tx,
            kind="money_in_suspense",
            subject=f"payment:{payment.id}",
            title=f"收到一笔无法入账的款项（订单 {payment.out_trade_no}），请核实后处理",
            community_id=payment.community_id,
        )
        return Verdict.IN_SUSPENSE


def _insert_payment(tx: Transaction, trade: ChannelTrade) -> Payment | None:
    """Insert the provider's transaction, or tell that it is there already.

    Which order our number names never changes, so it is read here without a lock: the row is
    complete at once and never updated.
    """
    named = tx.session.execute(
        select(PaymentOrder.id, PaymentOrder.community_id).where(
            PaymentOrder.out_trade_no == trade.out_trade_no
        )
    ).one_or_none()
    return tx.session.execute(
        insert(Payment)
        .values(
            order_id=named.id if named else None,
            community_id=named.community_id if named else None,
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


def _lock_order_and_bills(
    tx: Transaction, out_trade_no: str
) -> tuple[PaymentOrder | None, dict[int, Bill]]:
    """Lock the bills by ascending id, then the order: the same order for everybody."""
    bills = tx.session.scalars(
        select(Bill)
        .join(PaymentOrderBill, PaymentOrderBill.bill_id == Bill.id)
        .join(PaymentOrder, PaymentOrder.id == PaymentOrderBill.order_id)
        .where(PaymentOrder.out_trade_no == out_trade_no)
        .order_by(Bill.id)
        .with_for_update(of=Bill)
    ).all()
    order = tx.session.execute(
        select(PaymentOrder).where(PaymentOrder.out_trade_no == out_trade_no).with_for_update()
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


def _place(
    tx: Transaction, payment: Payment, order: PaymentOrder, bills: dict[int, Bill]
) -> tuple[dict[int, int], list[_Surplus]]:
    """Put the order's money to its bills; tell fen by bill id, and what did not fit."""
    placed: dict[int, int] = {}
    surpluses: list[_Surplus] = []
    meant = tx.session.execute(
        select(PaymentOrderBill.bill_id, PaymentOrderBill.amount_fen)
        .where(PaymentOrderBill.order_id == order.id)
        .order_by(PaymentOrderBill.bill_id)
    ).all()
    for bill_id, meant_fen in meant:
        bill = bills[bill_id]
        payable = bill.state in PAYABLE_BILLS
        fits_fen = min(meant_fen, bill.amount_fen - bill.paid_fen) if payable else 0
        if fits_fen:
            _credit(tx, payment, bill_id, fits_fen)
            placed[bill_id] = fits_fen
        if meant_fen > fits_fen:
            reason = "bill_already_paid" if bill.state != BillState.VOIDED else "bill_voided"
            surpluses.append(_Surplus(meant_fen - fits_fen, reason))
    return placed, surpluses


def _credit(tx: Transaction, payment: Payment, bill_id: int, amount_fen: int) -> None:
    """Raise what is paid of a bill by a conditional update, and allocate it to its lines.

    The bill is locked, so the update cannot miss; if it ever does, nothing of all this commits.
    """
    credited = tx.session.execute(
        update(Bill)
        .where(
            Bill.id == bill_id,
            Bill.state.in_(PAYABLE_BILLS),
            Bill.paid_fen + amount_fen <= Bill.amount_fen,
        )
        .values(
            paid_fen=Bill.paid_fen + amount_fen,
            state=case(
                (Bill.paid_fen + amount_fen == Bill.amount_fen, BillState.PAID.value),
                else_=BillState.PARTIALLY_PAID.value,
            ),
        )
        .returning(Bill.id)
        .execution_options(synchronize_session=False)
    ).scalar_one_or_none()
    if credited is None:
        raise RuntimeError(f"bill {bill_id} changed under its lock")
    left_fen = amount_fen
    for line_no, open_fen in _open_lines(tx, bill_id):
        part_fen = min(left_fen, open_fen)
        if part_fen > 0:
            left_fen -= part_fen
            tx.session.add(
                Allocation(
                    payment_id=payment.id,
                    bill_id=bill_id,
                    line_no=line_no,
                    kind="principal",
                    amount_fen=part_fen,
                    created_at=tx.now,
                )
            )
    if left_fen:
        raise RuntimeError(f"lines of bill {bill_id} hold {left_fen} fen less than the bill")


def _open_lines(tx: Transaction, bill_id: int) -> list[tuple[int, int]]:
    paid = (
        select(func.coalesce(func.sum(Allocation.amount_fen), 0))
        .where(Allocation.bill_id == BillLine.bill_id, Allocation.line_no == BillLine.line_no)
        .scalar_subquery()
    )
    rows: Any = tx.session.execute(
        select(BillLine.line_no, BillLine.amount_fen - paid)
        .where(BillLine.bill_id == bill_id)
        .order_by(BillLine.line_no)
    ).all()
    return [(int(line_no), int(open_fen)) for line_no, open_fen in rows]
