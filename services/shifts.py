"""Which drawer money goes into or comes out of: steps about the open shift of a cashier."""

from __future__ import annotations

from sqlalchemy import select

from domain.shifts import ShiftState
from models import CashierShift
from services.unit_of_work import Transaction


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
