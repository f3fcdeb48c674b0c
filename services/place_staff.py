"""Which members of staff serve a place: those of a role in whose scope it is."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, and_, exists, or_, select
from sqlalchemy.orm import Session

from domain.permissions import Role
from models import Staff, StaffScope


def serves(role: Role, community_id: int, building_id: int | None) -> ColumnElement[bool]:
    """Hold rows of `Staff` to active ones of a role in whose scope a place is.

    A place that is no building's is in the scope of those who have the whole community.
    """
    pieces: ColumnElement[bool] = StaffScope.building_id.is_(None)
    if building_id is not None:
        pieces = or_(pieces, StaffScope.building_id == building_id)
    in_scope = exists().where(
        StaffScope.staff_id == Staff.id, StaffScope.community_id == community_id, pieces
    )
    return and_(Staff.is_active, Staff.role == role, or_(Staff.sees_all, in_scope))


def ids_of_those_who_serve(
    session: Session, role: Role, community_id: int, building_id: int | None = None
) -> Sequence[int]:
    """List the staff of a role who serve a place."""
    return session.scalars(
        select(Staff.id).where(serves(role, community_id, building_id)).order_by(Staff.id)
    ).all()
