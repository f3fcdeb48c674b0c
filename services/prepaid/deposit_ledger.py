"""The only place that takes from a deposit: a step inside a transaction."""

from __future__ import annotations

from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert

from domain.errors import Conflict
from domain.prepaid import DepositMove
from models import Deposit, DepositEntry
from services.unit_of_work import Transaction


class DepositTooLow(Conflict):
    """Less is left of the deposit than is to be taken from it."""

    code = "deposit_too_low"
    message = "押金余额不足"


def spend(
    tx: Transaction,
    *,
    deposit_id: int,
    kind: DepositMove,
    amount_fen: int,
    payment_id: int | None = None,
    refund_id: int | None = None,
    note: str = "",
    staff_id: int | None = None,
) -> int:
    """Take from a deposit, ``deduct`` with a payment or ``return`` with a refund; tell the rest.

    A step; a conditional update sees to it that never more is spent than was taken.

    Raises:
        DepositTooLow: less is left.
        ValueError: the kind does not spend.
    """
    if kind is DepositMove.TAKE or amount_fen <= 0:
        raise ValueError("only a deduction or return of something spends a deposit")
    column = Deposit.deducted_fen if kind is DepositMove.DEDUCT else Deposit.returned_fen
    left_fen = Deposit.amount_fen - Deposit.deducted_fen - Deposit.returned_fen
    left = tx.session.execute(
        update(Deposit)
        .where(Deposit.id == deposit_id, left_fen >= amount_fen)
        .values({column: column + amount_fen})
        .returning(left_fen)
        .execution_options(synchronize_session=False)
    ).scalar_one_or_none()
    if left is None:
        raise DepositTooLow
    tx.session.execute(
        insert(DepositEntry).values(
            deposit_id=deposit_id,
            kind=kind,
            amount_fen=amount_fen,
            payment_id=payment_id,
            refund_id=refund_id,
            note=note,
            staff_id=staff_id,
            created_at=tx.now,
        )
    )
    return left
