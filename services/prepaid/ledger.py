"""The only place that changes a prepaid balance: steps inside a transaction."""

from __future__ import annotations

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from domain.errors import Conflict
from domain.prepaid import PrepaidMove
from models import PrepaidAccount, PrepaidEntry
from services.unit_of_work import Transaction


class BalanceTooLow(Conflict):
    """The prepaid account holds less than is to be taken from it."""

    code = "balance_too_low"
    message = "预存余额不足"


def account_of(
    tx: Transaction, *, community_id: int, house_id: int, fee_item_id: int | None = None
) -> int:
    """Find the account of a house, for one item or for all, or open it; return its id."""
    tx.session.execute(
        insert(PrepaidAccount)
        .values(community_id=community_id, house_id=house_id, fee_item_id=fee_item_id)
        .on_conflict_do_nothing()
    )
    return tx.session.execute(
        select(PrepaidAccount.id).where(
            PrepaidAccount.house_id == house_id,
            PrepaidAccount.fee_item_id.is_not_distinct_from(fee_item_id),
        )
    ).scalar_one()


def move(
    tx: Transaction,
    *,
    account_id: int,
    kind: PrepaidMove,
    amount_fen: int,
    payment_id: int | None = None,
    refund_id: int | None = None,
    other_account_id: int | None = None,
    note: str = "",
    staff_id: int | None = None,
) -> int:
    """Add to an account, or take from it with an amount below zero; return the new balance.

    The balance changes by a conditional update, so that it never falls below zero however many
    do this at once, and its row stays locked until the commit: entries are numbered in the order
    in which they happened. Whoever locks bills too does that before.

    Raises:
        BalanceTooLow: the account holds less.

    Source: domain.md D3.
    """
    balance_fen = tx.session.execute(
        update(PrepaidAccount)
        .where(PrepaidAccount.id == account_id, PrepaidAccount.balance_fen + amount_fen >= 0)
        .values(balance_fen=PrepaidAccount.balance_fen + amount_fen)
        .returning(PrepaidAccount.balance_fen)
        .execution_options(synchronize_session=False)
    ).scalar_one_or_none()
    if balance_fen is None:
        raise BalanceTooLow
    tx.session.execute(
        insert(PrepaidEntry).values(
            account_id=account_id,
            kind=kind,
            amount_fen=amount_fen,
            balance_fen=balance_fen,
            payment_id=payment_id,
            refund_id=refund_id,
            other_account_id=other_account_id,
            note=note,
            staff_id=staff_id,
            created_at=tx.now,
        )
    )
    return balance_fen
