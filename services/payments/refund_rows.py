"""Steps of a refund: what it may take, from where, and what it does to bills once it is paid.

Locks are taken in the order of everybody: bills by ascending id, then the payment, then the refund.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import ColumnElement, func, select, update

from domain.errors import Conflict, InvalidInput
from domain.money import show_yuan
from domain.payment_states import HELD_MONEY, ONLINE
from domain.prepaid import DepositMove, PrepaidMove
from domain.refund_states import RefundKind, RefundSource, RefundState, ResolutionKind
from domain.settling import AllocationKind
from models import (
    Allocation,
    Bill,
    DepositEntry,
    Payment,
    PrepaidAccount,
    PrepaidEntry,
    Refund,
    RefundPart,
    Suspense,
    SuspenseResolution,
)
from services.payments.taking import new_trade_no
from services.payments.uncrediting import Taken, take_back
from services.prepaid.deposit_ledger import spend
from services.prepaid.ledger import move
from services.unit_of_work import Transaction

_IN_FLIGHT = (RefundState.PROCESSING, RefundState.ABNORMAL)


class MoreThanRefundable(InvalidInput):
    """More is to be refunded than is left of the payment where it may be taken from."""

    code = "more_than_refundable"
    message = "金额超过这笔收款可退的余额"


class NotRefundable(Conflict):
    """Money that came from a prepaid account or a deposit goes back by their own ways."""

    code = "not_refundable"
    message = "预存和押金抵扣不是收款，不能退款"


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a payment that can be given back, and where it is now."""

    source: RefundSource
    amount_fen: int
    bill_id: int | None = None
    kind: AllocationKind | None = None
    suspense_id: int | None = None
    account_id: int | None = None
    deposit_id: int | None = None


def lock_payment(tx: Transaction, payment_id: int, *, bill_ids: Iterable[int] = ()) -> Payment:
    """Lock the bills that a payment went to, by ascending id, and then the payment itself.

    Raises:
        NotRefundable: it only moved money that we hold.
    """
    on_bills = select(Allocation.bill_id).where(Allocation.payment_id == payment_id)
    tx.session.scalars(
        select(Bill)
        .where(Bill.id.in_(on_bills) | Bill.id.in_(sorted(bill_ids)))
        .order_by(Bill.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    payment = tx.session.execute(
        select(Payment).where(Payment.id == payment_id).with_for_update()
    ).scalar_one()
    if payment.channel in HELD_MONEY:
        raise NotRefundable
    return payment


def find_parts(
    tx: Transaction, payment: Payment, *, bill_id: int | None = None, with_deposits: bool = False
) -> list[Part]:
    """Find what of a payment can be given back now, in the order in which it is taken.

    Money that fits nothing goes first, then what is still prepaid, then what bills took, the
    newest allocation first. Naming a bill leaves that one only. What refunds in flight will take
    is not there any more.
    """
    on_bills = _bill_parts(tx, payment, bill_id)
    if bill_id is not None:
        return on_bills
    parts = [*_suspense_parts(tx, payment), *_prepaid_parts(tx, payment), *on_bills]
    return [*parts, *_deposit_parts(tx, payment)] if with_deposits else parts


def choose_parts(parts: Sequence[Part], amount_fen: int) -> list[Part]:
    """Take so much from the parts in their order.

    Raises:
        MoreThanRefundable: they hold less.
    """
    chosen, left_fen = [], amount_fen
    for part in parts:
        taken_fen = min(part.amount_fen, left_fen)
        if taken_fen:
            chosen.append(replace(part, amount_fen=taken_fen))
            left_fen -= taken_fen
    if left_fen:
        there_fen = sum(part.amount_fen for part in parts)
        raise MoreThanRefundable(f"这笔收款现在最多可退 {show_yuan(there_fen)}")
    return chosen


def begin_refund(
    tx: Transaction, payment: Payment, parts: Sequence[Part], **values: object
) -> Refund:
    """Write a refund of a locked payment with its parts; prepaid money is set aside for it.

    Online it is to be sent; over the counter it is paid out at once, and done.
    """
    is_online = payment.channel in ONLINE and values.get("kind") == RefundKind.PAYMENT
    refund = Refund(
        community_id=payment.community_id,
        house_id=payment.house_id,
        payment_id=payment.id,
        refund_no=new_trade_no("R", tx.now),
        amount_fen=sum(part.amount_fen for part in parts),
        state=RefundState.PROCESSING,
        created_at=tx.now,
        query_at=tx.now if is_online else None,
        **{"channel": payment.channel, **values},
    )
    tx.session.add(refund)
    tx.session.flush()
    for number, part in enumerate(parts, start=1):
        tx.session.add(
            RefundPart(
                refund_id=refund.id,
                part_no=number,
                source=part.source,
                amount_fen=part.amount_fen,
                bill_id=part.bill_id,
                kind=part.kind,
                suspense_id=part.suspense_id,
                account_id=part.account_id,
                deposit_id=part.deposit_id,
            )
        )
        if part.source is RefundSource.PREPAID and part.account_id is not None:
            move(
                tx,
                account_id=part.account_id,
                kind=PrepaidMove.REFUND,
                amount_fen=-part.amount_fen,
                refund_id=refund.id,
                note=str(values.get("reason", "")),
            )
    tx.session.flush()
    if is_online:
        tx.wake("send_refunds")
    return refund


def carry_out_parts(tx: Transaction, refund: Refund) -> None:
    """Do what a refund that was paid out does: bills, suspense, deposits; all is locked."""
    parts = _read_parts(tx, refund)
    taken = [
        Taken(part.bill_id, AllocationKind(part.kind or ""), part.amount_fen)
        for part in parts
        if part.source == RefundSource.BILL and part.bill_id is not None
    ]
    if refund.payment_id is not None and taken:
        take_back(tx, payment_id=refund.payment_id, refund_id=refund.id, taken=taken)
    for part in parts:
        if part.source == RefundSource.SUSPENSE:
            tx.session.add(
                SuspenseResolution(
                    suspense_id=part.suspense_id,
                    kind=ResolutionKind.REFUND,
                    amount_fen=part.amount_fen,
                    refund_id=refund.id,
                    created_at=tx.now,
                )
            )
        elif part.source == RefundSource.DEPOSIT and part.deposit_id is not None:
            spend(
                tx,
                deposit_id=part.deposit_id,
                kind=DepositMove.RETURN,
                amount_fen=part.amount_fen,
                refund_id=refund.id,
                note=refund.reason,
                staff_id=refund.staff_id,
            )


def give_up_parts(tx: Transaction, refund: Refund) -> None:
    """Give prepaid money back that was set aside for a refund which failed."""
    for part in _read_parts(tx, refund):
        if part.source == RefundSource.PREPAID and part.account_id is not None:
            move(
                tx,
                account_id=part.account_id,
                kind=PrepaidMove.CORRECTION,
                amount_fen=part.amount_fen,
                refund_id=refund.id,
                note="退款未成功，退回预存",
            )


def move_refund(
    tx: Transaction, refund_id: int, old: Iterable[RefundState], **values: object
) -> Refund | None:
    """Move a refund on from one of some states, or tell that it is in none of them any more."""
    moved: Refund | None = tx.session.execute(
        update(Refund)
        .where(Refund.id == refund_id, Refund.state.in_(sorted(old)))
        .values(**values)
        .returning(Refund)
        .execution_options(synchronize_session=False, populate_existing=True)
    ).scalar_one_or_none()
    return moved


def _read_parts(tx: Transaction, refund: Refund) -> Sequence[RefundPart]:
    return tx.session.scalars(
        select(RefundPart).where(RefundPart.refund_id == refund.id).order_by(RefundPart.part_no)
    ).all()


def _bill_parts(tx: Transaction, payment: Payment, bill_id: int | None) -> list[Part]:
    rows = tx.session.execute(
        select(
            Allocation.bill_id,
            Allocation.kind,
            func.sum(Allocation.amount_fen),
        )
        .where(
            Allocation.payment_id == payment.id,
            Allocation.bill_id == bill_id if bill_id is not None else Allocation.id > 0,
        )
        .group_by(Allocation.bill_id, Allocation.kind)
        .order_by(func.max(Allocation.id).filter(Allocation.amount_fen > 0).desc())
    ).all()
    flying = {
        (row.bill_id, row.kind): int(row.amount_fen)
        for row in tx.session.execute(
            select(
                RefundPart.bill_id,
                RefundPart.kind,
                func.sum(RefundPart.amount_fen).label("amount_fen"),
            )
            .join(Refund, Refund.id == RefundPart.refund_id)
            .where(
                Refund.payment_id == payment.id,
                Refund.state.in_(_IN_FLIGHT),
                RefundPart.source == RefundSource.BILL,
            )
            .group_by(RefundPart.bill_id, RefundPart.kind)
        )
    }
    return _with_something(
        Part(
            RefundSource.BILL,
            int(amount_fen) - flying.get((on_bill, kind), 0),
            bill_id=on_bill,
            kind=AllocationKind(kind),
        )
        for on_bill, kind, amount_fen in rows
    )


def left_in_suspense() -> ColumnElement[int]:
    """What nobody has placed of a `Suspense` row and no refund on its way will take, as SQL."""
    resolved = (
        select(func.coalesce(func.sum(SuspenseResolution.amount_fen), 0))
        .where(SuspenseResolution.suspense_id == Suspense.id)
        .scalar_subquery()
    )
    flying = (
        select(func.coalesce(func.sum(RefundPart.amount_fen), 0))
        .join(Refund, Refund.id == RefundPart.refund_id)
        .where(RefundPart.suspense_id == Suspense.id, Refund.state.in_(_IN_FLIGHT))
        .scalar_subquery()
    )
    return Suspense.amount_fen - resolved - flying


def _suspense_parts(tx: Transaction, payment: Payment) -> list[Part]:
    rows = tx.session.execute(
        select(Suspense.id, left_in_suspense())
        .where(Suspense.payment_id == payment.id)
        .order_by(Suspense.id.desc())
    ).all()
    return _with_something(
        Part(RefundSource.SUSPENSE, int(amount_fen), suspense_id=suspense_id)
        for suspense_id, amount_fen in rows
    )


def _prepaid_parts(tx: Transaction, payment: Payment) -> list[Part]:
    """Find what the payment added to prepaid accounts, as far as they still hold it.

    What earlier refunds took of it is not there any more, even where the balance is high.
    """
    given = (
        select(func.coalesce(func.sum(RefundPart.amount_fen), 0))
        .join(Refund, Refund.id == RefundPart.refund_id)
        .where(
            Refund.payment_id == payment.id,
            Refund.state != RefundState.FAILED,
            RefundPart.account_id == PrepaidAccount.id,
        )
        .scalar_subquery()
    )
    rows = tx.session.execute(
        select(
            PrepaidAccount.id,
            PrepaidAccount.balance_fen,
            func.sum(PrepaidEntry.amount_fen) - given,
        )
        .join(PrepaidEntry, PrepaidEntry.account_id == PrepaidAccount.id)
        .where(PrepaidEntry.payment_id == payment.id, PrepaidEntry.kind == PrepaidMove.TOPUP)
        .group_by(PrepaidAccount.id)
        .order_by(PrepaidAccount.id)
    ).all()
    return _with_something(
        Part(RefundSource.PREPAID, min(balance_fen, int(added_fen)), account_id=account_id)
        for account_id, balance_fen, added_fen in rows
    )


def _deposit_parts(tx: Transaction, payment: Payment) -> list[Part]:
    rows = tx.session.execute(
        select(DepositEntry.deposit_id, DepositEntry.amount_fen)
        .where(DepositEntry.payment_id == payment.id, DepositEntry.kind == DepositMove.TAKE)
        .order_by(DepositEntry.id)
    ).all()
    return [
        Part(RefundSource.DEPOSIT, amount_fen, deposit_id=deposit_id)
        for deposit_id, amount_fen in rows
    ]


def _with_something(parts: Iterable[Part]) -> list[Part]:
    return [part for part in parts if part.amount_fen > 0]
