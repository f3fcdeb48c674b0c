"""Who of the engineers is given a repair: those who may, and the fairest of them.

Source: domain.md idea 15: least open load, skill, shift and last-assigned time.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, exists, func, or_, select
from sqlalchemy.orm import Session

from domain.errors import InvalidInput
from domain.periods import SHANGHAI
from domain.permissions import Role
from domain.repair_states import WORKED_ON
from models import RepairEvent, RepairOrder, Staff, StaffDuty, StaffSkill
from services.place_staff import serves
from services.unit_of_work import Transaction


def check_assignee(session: Session, repair: RepairOrder, staff_id: int) -> None:
    """Refuse to give a repair to somebody who cannot work on it.

    Raises:
        InvalidInput: they are no active engineer in whose scope it is.
    """
    known = session.execute(
        select(Staff.id).where(
            Staff.id == staff_id, serves(Role.ENGINEER, repair.community_id, repair.building_id)
        )
    ).first()
    if known is None:
        raise InvalidInput(fields={"staff_id": ["请选择负责此处的在岗工程人员"]})


def choose_engineer(tx: Transaction, repair: RepairOrder) -> int | None:
    """Choose who is next for a repair, or nobody where none is on duty who can do it.

    Choices in a community are made one after another, so that each sees the load of the others.
    """
    tx.hold(f"repair rotation of community {repair.community_id}")
    load = (
        select(func.count())
        .where(
            RepairOrder.assignee_staff_id == Staff.id,
            RepairOrder.state.in_(sorted(WORKED_ON)),
        )
        .scalar_subquery()
    )
    last_given = (
        select(func.max(RepairEvent.id))
        .where(RepairEvent.assignee_staff_id == Staff.id)
        .scalar_subquery()
    )
    return tx.session.execute(
        select(Staff.id)
        .where(
            serves(Role.ENGINEER, repair.community_id, repair.building_id),
            _can_do(repair.category),
            _is_on_duty(tx),
        )
        .order_by(load, last_given.asc().nulls_first(), Staff.id)
        .limit(1)
    ).scalar_one_or_none()


def _can_do(category: str) -> ColumnElement[bool]:
    has_any = exists().where(StaffSkill.staff_id == Staff.id)
    has_this = exists().where(StaffSkill.staff_id == Staff.id, StaffSkill.category == category)
    return or_(has_this, ~has_any)


def _is_on_duty(tx: Transaction) -> ColumnElement[bool]:
    now = tx.now.astimezone(SHANGHAI)
    minute = now.hour * 60 + now.minute
    has_any = exists().where(StaffDuty.staff_id == Staff.id)
    has_now = exists().where(
        StaffDuty.staff_id == Staff.id,
        StaffDuty.weekday == now.weekday(),
        StaffDuty.from_minute <= minute,
        StaffDuty.until_minute > minute,
    )
    return or_(has_now, ~has_any)
