"""Finding equipment: by the code of its label, and within a data scope."""

from __future__ import annotations

import re

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from domain.actors import Actor
from domain.equipment import CODE_PATTERN
from domain.errors import NotFound
from models import Equipment
from services.scopes import places_in_scope
from services.unit_of_work import Transaction


def equipment_by_code(tx: Transaction, code: str) -> Equipment | None:
    """Find equipment by what its label says, in capitals or not; nothing that was scrapped."""
    typed = code.strip().upper()
    if not re.fullmatch(CODE_PATTERN, typed):
        return None
    return tx.session.execute(
        select(Equipment).where(Equipment.code == typed, Equipment.state != "scrapped")
    ).scalar_one_or_none()


def equipment_in_scope(actor: Actor) -> ColumnElement[bool]:
    """Hold rows of `Equipment` to those in scope; what serves a whole community needs all of it."""
    return places_in_scope(Equipment.community_id, Equipment.building_id, actor)


def find_equipment(session: Session, actor: Actor, equipment_id: int) -> Equipment:
    """Find equipment in scope.

    Raises:
        NotFound: there is none.
    """
    row = session.execute(
        select(Equipment).where(Equipment.id == equipment_id, equipment_in_scope(actor))
    ).scalar_one_or_none()
    if row is None:
        raise NotFound
    return row


def lock_equipment(tx: Transaction, actor: Actor, equipment_id: int) -> Equipment:
    """Lock equipment in scope.

    Raises:
        NotFound: there is none.
    """
    row = tx.session.execute(
        select(Equipment)
        .where(Equipment.id == equipment_id, equipment_in_scope(actor))
        .with_for_update()
        .execution_options(populate_existing=True)
    ).scalar_one_or_none()
    if row is None:
        raise NotFound
    return row


def must_stand_in(tx: Transaction, community_id: int, equipment_id: int | None) -> None:
    """Refuse equipment that is none of a community, or was scrapped; None is no equipment.

    Raises:
        NotFound: it is not there.
    """
    if equipment_id is None:
        return
    found = tx.session.scalars(
        select(Equipment.id).where(
            Equipment.id == equipment_id,
            Equipment.community_id == community_id,
            Equipment.state != "scrapped",
        )
    ).one_or_none()
    if found is None:
        raise NotFound
