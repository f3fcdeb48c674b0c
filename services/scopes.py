"""The data scope of staff: read with the account, and asked in every query of theirs."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, exists, or_, select, true
from sqlalchemy.orm import InstrumentedAttribute, Session

from domain.actors import EVERYWHERE, Actor, DataScope
from domain.errors import NotFound
from models import BillBatch, Building, Community, House, Staff, StaffScope
from services.unit_of_work import Transaction


def scope_of(session: Session, *, staff_id: int, sees_all: bool) -> DataScope:
    """Read which communities and buildings a member of staff works for."""
    if sees_all:
        return EVERYWHERE
    pieces = session.execute(
        select(StaffScope.community_id, StaffScope.building_id).where(
            StaffScope.staff_id == staff_id
        )
    ).all()
    whole = frozenset(community_id for community_id, building_id in pieces if building_id is None)
    parts = [piece for piece in pieces if piece.building_id and piece.community_id not in whole]
    return DataScope(
        whole,
        frozenset(piece.community_id for piece in parts),
        frozenset(piece.building_id for piece in parts),
    )


def in_scope(
    community_id: InstrumentedAttribute[int] | InstrumentedAttribute[int | None], actor: Actor
) -> ColumnElement[bool]:
    """Hold rows to the communities that are in scope as a whole."""
    if actor.scope.community_ids is None:
        return true()
    return community_id.in_(sorted(actor.scope.community_ids))


def places_in_scope(
    community_id: InstrumentedAttribute[int],
    building_id: InstrumentedAttribute[int] | InstrumentedAttribute[int | None],
    actor: Actor,
) -> ColumnElement[bool]:
    """Hold rows to whole communities and single buildings in scope.

    What is no building's is in the scope of those who have the whole community.
    """
    whole = in_scope(community_id, actor)
    if not actor.scope.building_ids:
        return whole
    return or_(whole, building_id.in_(sorted(actor.scope.building_ids)))


def houses_in_scope(actor: Actor) -> ColumnElement[bool]:
    """Hold rows of `House` to those in scope: of whole communities and of single buildings."""
    return places_in_scope(House.community_id, House.building_id, actor)


def buildings_in_scope(actor: Actor) -> ColumnElement[bool]:
    """Hold rows of `Building` to those in scope."""
    return places_in_scope(Building.community_id, Building.id, actor)


def communities_reached(actor: Actor) -> ColumnElement[bool]:
    """Hold rows of `Community` to those of which at least a building is in scope."""
    if actor.scope.community_ids is None:
        return true()
    return Community.id.in_(sorted(actor.scope.community_ids | actor.scope.part_community_ids))


def find_batch(session: Session, actor: Actor, batch_id: int) -> BillBatch:
    """Find a batch of a community that is in scope.

    Raises:
        NotFound: there is none.
    """
    batch = session.execute(
        select(BillBatch).where(BillBatch.id == batch_id, in_scope(BillBatch.community_id, actor))
    ).scalar_one_or_none()
    if batch is None:
        raise NotFound
    return batch


def staff_in_scope(actor: Actor) -> ColumnElement[bool]:
    """Hold rows of `Staff` to those who work within the actor's own scope, and nowhere else.

    A building counts with its community as well as by itself. Nobody changes whoever sees more.
    """
    own = actor.scope
    if own.community_ids is None:
        return true()
    is_ours = or_(
        StaffScope.community_id.in_(sorted(own.community_ids)),
        and_(
            StaffScope.building_id.is_not(None),
            StaffScope.building_id.in_(sorted(own.building_ids)),
        ),
    )
    beyond = exists().where(StaffScope.staff_id == Staff.id, ~is_ours)
    return and_(~Staff.sees_all, ~beyond)


def lock_house(tx: Transaction, actor: Actor, house_id: int) -> House:
    """Lock a house in scope: whoever changes it or its people does so, one after another.

    Raises:
        NotFound: there is none.
    """
    house = tx.session.execute(
        select(House)
        .where(House.id == house_id, houses_in_scope(actor))
        .with_for_update()
        .execution_options(populate_existing=True)
    ).scalar_one_or_none()
    if house is None:
        raise NotFound
    return house


def must_see(
    session: Session, actor: Actor, *, community_id: int | None, house_id: int | None = None
) -> None:
    """Refuse a row of a community, or of one house of it, that is out of scope.

    Raises:
        NotFound: out of scope answers exactly as what does not exist.
    """
    if actor.scope.covers(community_id):
        return
    if house_id is not None and actor.scope.building_ids:
        seen = session.execute(
            select(House.id).where(House.id == house_id, houses_in_scope(actor))
        ).first()
        if seen:
            return
    raise NotFound
