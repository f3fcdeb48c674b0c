"""For which communities and buildings a member of staff works, named as people name them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session

from domain.actors import Actor
from domain.errors import NotFound
from models import Building, Community, Staff, StaffScope
from services.audit import record
from services.unit_of_work import Transaction


@dataclass(frozen=True, slots=True)
class Reach:
    """Codes or names of whole communities, and (community, building) of single buildings.

    Empty is the whole company.
    """

    communities: tuple[str, ...] = ()
    buildings: tuple[tuple[str, str], ...] = ()


def pieces_of(session: Session, staff: Staff) -> tuple[str, ...]:
    """Tell a scope in words: ``翠湖花园``, ``翠湖花园/3栋``; nothing for the whole company."""
    if staff.sees_all:
        return ()
    rows = session.execute(
        select(Community.name, Building.name)
        .select_from(StaffScope)
        .join(Community, Community.id == StaffScope.community_id)
        .outerjoin(Building, Building.id == StaffScope.building_id)
        .where(StaffScope.staff_id == staff.id)
        .order_by(Community.code, Building.name)
    ).all()
    return tuple("/".join(part for part in row if part) for row in rows)


def set_scope(tx: Transaction, actor: Actor, staff: Staff, reach: Reach) -> None:
    """Give a locked member of staff a scope; sessions go on and act within it at once.

    Raises:
        NotFound: no such community or building, or it is not in the actor's own scope.
    """
    communities = {_community_id(tx, actor, word) for word in reach.communities}
    buildings = {_building_id(tx, actor, community, name) for community, name in reach.buildings}
    sees_all = not communities and not buildings
    if sees_all and actor.scope.community_ids is not None:
        raise NotFound("只能分配自己范围内的小区")
    before = pieces_of(tx.session, staff)
    tx.session.execute(delete(StaffScope).where(StaffScope.staff_id == staff.id))
    staff.sees_all = sees_all
    for community_id in sorted(communities):
        tx.session.add(StaffScope(staff_id=staff.id, community_id=community_id))
    for building_id, community_id in sorted(buildings):
        if community_id not in communities:
            tx.session.add(
                StaffScope(staff_id=staff.id, community_id=community_id, building_id=building_id)
            )
    tx.session.flush()
    record(
        tx,
        actor,
        "staff_scope_set",
        subject_type="staff",
        subject_id=staff.id,
        facts={"before": list(before), "after": list(pieces_of(tx.session, staff))},
    )


def _community_id(tx: Transaction, actor: Actor, word: str) -> int:
    found = tx.session.scalars(
        select(Community.id).where(or_(Community.code == word, Community.name == word))
    ).all()
    if len(found) != 1 or not actor.scope.covers(found[0]):
        raise NotFound(f"没有小区 {word}")
    return found[0]


def _building_id(tx: Transaction, actor: Actor, community: str, name: str) -> tuple[int, int]:
    row = tx.session.execute(
        select(Building.id, Building.community_id)
        .join(Community, Community.id == Building.community_id)
        .where(or_(Community.code == community, Community.name == community), Building.name == name)
    ).one_or_none()
    if row is None or not (
        actor.scope.covers(row.community_id) or row.id in actor.scope.building_ids
    ):
        raise NotFound(f"{community} 没有楼栋 {name}")
    return row.id, row.community_id
