"""Letting repairs go on whose charge is paid; a step of whoever credits bills."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, and_, or_, select

from domain.actors import system_actor
from domain.bill_states import BillState
from domain.repair_states import RepairAct, RepairSide, RepairState
from models import Bill, OneOffCharge, RepairOrder
from services.repair_moves import move
from services.unit_of_work import Transaction

_DONE = (BillState.PAID, BillState.WRITTEN_OFF)


def settle_paid_bills(tx: Transaction, bill_ids: Sequence[int]) -> int:
    """Let the repairs go on that waited for these bills, which are paid and locked; count them."""
    return _settle(tx, Bill.id.in_(sorted(bill_ids)), Bill.state == BillState.PAID)


def settle_what_waits(tx: Transaction) -> int:
    """Let all repairs go on whose bill is paid or written off, or whose charge was cancelled.

    What a payment does at once is done here for waivers and charges that people took back.
    """
    return _settle(tx, or_(Bill.state.in_(_DONE), OneOffCharge.state == "cancelled"))


def _settle(tx: Transaction, *where: ColumnElement[bool]) -> int:
    of_charge = and_(
        Bill.house_id == OneOffCharge.house_id,
        Bill.fee_item_id == OneOffCharge.fee_item_id,
        Bill.period_from == OneOffCharge.charged_on,
        Bill.sequence == OneOffCharge.sequence,
        Bill.is_live,
    )
    waiting = tx.session.scalars(
        select(RepairOrder)
        .join(OneOffCharge, OneOffCharge.id == RepairOrder.one_off_charge_id)
        .outerjoin(Bill, of_charge)
        .where(RepairOrder.state == RepairState.AWAITING_PAYMENT, *where)
        .order_by(RepairOrder.id)
        .with_for_update(of=RepairOrder)
        .execution_options(populate_existing=True)
    ).all()
    for repair in waiting:
        move(
            tx,
            system_actor("报修收费"),
            repair,
            RepairAct.SETTLE,
            RepairSide.SYSTEM,
            values={"confirm_from_at": tx.now},
        )
    return len(waiting)
