"""The data scope of staff: read with the account, and asked in every query of theirs."""

from __future__ import annotations

from sqlalchemy import ColumnElement, or_, select, true
from sqlalchemy.orm import InstrumentedAttribute, Session

from domain.actors import EVERYWHERE, Actor, DataScope
from models import House, StaffScope


def scope_of(session: Session, *, staff_id: int, sees_all: bool) -> DataScope:
    """Read which communities and buildings a member of staff works for."""
    if sees_all:
        return EVERYWHERE
    pieces = session.execute(
        select(StaffScope.community_id, StaffScope.building_id).where(
            StaffScope.staff_id == staff_id
        )
    ).all()
    return DataScope(
        frozenset(community_id for community_id, building_id in pieces if building_id is None),
        frozenset(building_id for _, building_id in pieces if building_id is not None),
    )


def in_scope(community_id: InstrumentedAttribute[int], actor: Actor) -> ColumnElement[bool]:
    """Hold rows to the communities that are in scope as a whole."""
    if actor.scope.community_ids is None:
        return true()
    return community_id.in_(sorted(actor.scope.community_ids))


def houses_in_scope(actor: Actor) -> ColumnElement[bool]:
    """Hold rows of `House` to those in scope: of whole communities and of single buildings."""
    whole = in_scope(House.community_id, actor)
    if not actor.scope.building_ids:
        return whole
    return or_(whole, House.building_id.in_(sorted(actor.scope.building_ids)))
