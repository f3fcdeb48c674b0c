"""Which drawer money goes into or comes out of: steps about the open shift of a cashier.

A shift is locked after bills and payments, and before receipts are numbered. Whoever moves money
through it shares its row, so that it cannot begin to close before they have committed.
"""

from __future__ import annotations

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert

from domain.actors import Actor
from domain.errors import Conflict
from domain.shifts import ShiftState
from models import CashierShift
from services.audit import record
from services.unit_of_work import Transaction

ONGOING = (ShiftState.OPEN, ShiftState.CLOSING)
"""States in which a cashier has a drawer; of one cashier in one community at most one shift."""
_IS_ONGOING = text("state IN ('open', 'closing')")


class ShiftClosing(Conflict):
    """The cashier counts: the drawer takes no more money."""

    code = "shift_closing"
    message = "正在清点交班，暂不能收款；请先完成清点，或撤销清点后再收"


def open_shift_id(tx: Transaction, community_id: int | None, *staff_ids: int) -> int | None:
    """Find the open shift of the first of these people who has one in the community."""
    for staff_id in staff_ids:
        found = tx.session.execute(
            select(CashierShift.id)
            .where(
                CashierShift.community_id == community_id,
                CashierShift.staff_id == staff_id,
                CashierShift.state == ShiftState.OPEN,
            )
            .with_for_update(read=True)
        ).scalar_one_or_none()
        if found is not None:
            return found
    return None


def is_open(tx: Transaction, shift_id: int | None) -> bool:
    """Tell whether money may still move through a shift, and keep it so until the commit."""
    if shift_id is None:
        return False
    state = tx.session.execute(
        select(CashierShift.state).where(CashierShift.id == shift_id).with_for_update(read=True)
    ).scalar_one()
    return state == ShiftState.OPEN


def shift_to_take(tx: Transaction, actor: Actor, community_id: int, staff_id: int) -> int:
    """Find the shift that money goes into; one without float is opened if there is none.

    Raises:
        ShiftClosing: the cashier counts their drawer.
    """
    while True:
        found = tx.session.execute(
            select(CashierShift.id, CashierShift.state)
            .where(
                CashierShift.community_id == community_id,
                CashierShift.staff_id == staff_id,
                CashierShift.state.in_(ONGOING),
            )
            .with_for_update(read=True)
        ).one_or_none()
        if found is None:
            shift_id = insert_shift(tx, actor, community_id, staff_id, float_fen=0)
            if shift_id is None:
                continue  # another take of theirs has just opened it
            return shift_id
        if found.state == ShiftState.CLOSING:
            raise ShiftClosing
        return int(found.id)


def insert_shift(
    tx: Transaction, actor: Actor, community_id: int, staff_id: int, *, float_fen: int
) -> int | None:
    """Open a shift and return its id; None if the cashier has one in the community."""
    shift_id = tx.session.execute(
        insert(CashierShift)
        .values(
            community_id=community_id,
            staff_id=staff_id,
            state=ShiftState.OPEN,
            opened_at=tx.now,
            float_fen=float_fen,
        )
        .on_conflict_do_nothing(
            index_elements=["community_id", "staff_id"], index_where=_IS_ONGOING
        )
        .returning(CashierShift.id)
    ).scalar_one_or_none()
    if shift_id is not None:
        record(
            tx,
            actor,
            "shift_opened",
            subject_type="cashier_shift",
            subject_id=shift_id,
            community_id=community_id,
            facts={"float_fen": float_fen},
        )
    return shift_id
