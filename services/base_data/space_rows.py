"""What parking spaces and cars refer to: a house and an owner of the same community."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from domain.errors import InvalidInput
from models import House, Owner, ParkingSpace
from services.retirement import hold_house
from services.unit_of_work import Transaction


def check_references(tx: Transaction, community_id: int, values: Mapping[str, Any]) -> None:
    """Refuse a house, owner or space that another community has, or that is no more.

    Raises:
        InvalidInput: ``fields`` says which.
        HouseRetired: the house is retired.
    """
    fields: dict[str, list[str]] = {}
    if (house_id := values.get("house_id")) and not _has_house(tx, community_id, house_id):
        fields["house_id"] = ["本小区没有这户房屋"]
    if (owner_id := values.get("owner_id")) and not _has_owner(tx, community_id, owner_id):
        fields["owner_id"] = ["本小区没有这位业主"]
    if (space_id := values.get("space_id")) and not _has_space(tx, community_id, space_id):
        fields["space_id"] = ["本小区没有这个车位，或它已停用"]
    if fields:
        raise InvalidInput(fields=fields)


def _has_house(tx: Transaction, community_id: int, house_id: int) -> bool:
    found = tx.session.scalars(
        select(House.id).where(House.id == house_id, House.community_id == community_id)
    ).first()
    if found is not None:
        hold_house(tx, house_id)
    return found is not None


def _has_owner(tx: Transaction, community_id: int, owner_id: int) -> bool:
    found = tx.session.scalars(
        select(Owner.id).where(
            Owner.id == owner_id, Owner.community_id == community_id, Owner.ended_on.is_(None)
        )
    ).first()
    return found is not None


def _has_space(tx: Transaction, community_id: int, space_id: int) -> bool:
    """Tell whether there is such a space in use, and keep it from being retired meanwhile."""
    found = tx.session.scalars(
        select(ParkingSpace.id)
        .where(
            ParkingSpace.id == space_id,
            ParkingSpace.community_id == community_id,
            ParkingSpace.retired_on.is_(None),
        )
        .with_for_update(read=True)
    ).first()
    return found is not None
