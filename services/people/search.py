"""Finding owners by any combination of what is known of them, page by page, phones masked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Select, Text, cast, func, or_, select
from sqlalchemy.dialects.postgresql import ARRAY

from domain.actors import Actor, Permission
from domain.errors import InvalidInput
from domain.houses import HouseState
from domain.money import MAX_FEN
from domain.owner_search import BindingFilter, HouseWords, read_house, read_search
from domain.periods import local_date
from models import (
    BindingApplication,
    Building,
    House,
    HouseBinding,
    HousePerson,
    Occupancy,
    Owner,
    OwnerPhone,
)
from services.people.found_owners import FoundOwner, overdue_bills, read_found
from services.people.rows import owners_in_scope
from services.scopes import houses_in_scope
from services.unit_of_work import UnitOfWork

PAGE_LIMIT = 100
_SHORTEST_PART = 3
"""Trigrams know no shorter part inside a word."""


@dataclass(frozen=True, slots=True)
class OwnerFilter:
    """What is known of the owners that are looked for; all of it must hold.

    ``text`` mixes names, letters of names, parts of phones and houses. What is asked of houses
    must hold of one and the same house, of today.
    """

    community_id: int | None = None
    text: str = ""
    house: str = ""
    building_id: int | None = None
    state: HouseState | None = None
    has_arrears: bool | None = None
    arrears_from_fen: int | None = None
    binding: BindingFilter | None = None
    with_ended: bool = False


@dataclass(frozen=True)
class OwnerSearch:
    """Finds owners."""

    unit_of_work: UnitOfWork

    def find(
        self,
        *,
        actor: Actor,
        which: OwnerFilter,
        before_id: int | None = None,
        limit: int = 50,
    ) -> Sequence[FoundOwner]:
        """Find owners, newest first, from below ``before_id``.

        Raises:
            InvalidInput: what was typed cannot be read.
        """
        actor.must(Permission.VIEW_OWNERS)
        if not 1 <= limit <= PAGE_LIMIT:
            raise InvalidInput(fields={"limit": [f"应为 1 至 {PAGE_LIMIT}"]})
        today = local_date(self.unit_of_work.clock.now())
        query = find_query(actor, which, today).order_by(Owner.id.desc()).limit(limit)
        if before_id is not None:
            query = query.where(Owner.id < before_id)
        with self.unit_of_work.reading() as session:
            ids = session.scalars(query).all()
            return read_found(session, actor, ids, today)


def find_query(actor: Actor, which: OwnerFilter, today: date) -> Select[int]:
    """Select the ids of the owners that match, in no order.

    Raises:
        InvalidInput: what was typed cannot be read.
    """
    words = read_search(which.text)
    query = select(Owner.id).where(owners_in_scope(actor))
    if which.community_id is not None:
        query = query.where(Owner.community_id == which.community_id)
    if not which.with_ended:
        query = query.where(Owner.ended_on.is_(None))
    query = query.where(
        *(_has_name(name) for name in words.names),
        *(_has_letters(letters) for letters in words.letters),
        *(_has_phone(part) for part in words.phones),
    )
    houses = [*words.houses, *([read_house(which.house)] if which.house.strip() else [])]
    conditions = _of_house(which, houses, today)
    if conditions:
        query = query.where(_has_house(actor, today, conditions))
    if which.has_arrears is False:
        query = query.where(~_has_house(actor, today, [_is_owing(today)]))
    if which.binding is not None:
        query = query.where(_has_binding(which.binding))
    return query


def _has_name(name: str) -> ColumnElement[bool]:
    """Tell whether a name contains what was typed, by the index of its parts."""
    size = min(len(name), 2)
    parts = sorted({name[at : at + size] for at in range(len(name) - size + 1)})
    grams: ColumnElement[Any] = func.name_grams(Owner.name)
    return grams.op("@>")(cast(parts, ARRAY(Text))) & (
        func.strpos(func.lower(Owner.name), name) > 0
    )


def _has_letters(letters: str) -> ColumnElement[bool]:
    inside = f"%{letters}%" if len(letters) >= _SHORTEST_PART else f"{letters}%"
    return or_(Owner.pinyin.like(inside), Owner.initials.like(f"{letters}%"))


def _has_phone(part: str) -> ColumnElement[bool]:
    return Owner.id.in_(
        select(OwnerPhone.owner_id).where(
            OwnerPhone.phone == part if len(part) == 11 else OwnerPhone.phone.like(f"%{part}%")
        )
    )


def _of_house(
    which: OwnerFilter, houses: Sequence[HouseWords], today: date
) -> list[ColumnElement[bool]]:
    conditions = [_is_called(house) for house in houses]
    if which.building_id is not None:
        conditions.append(House.building_id == which.building_id)
    if which.state is not None:
        conditions.append(
            select(Occupancy.id)
            .where(
                Occupancy.house_id == House.id,
                Occupancy.state == which.state,
                Occupancy.occupied_from <= today,
                or_(Occupancy.occupied_until.is_(None), Occupancy.occupied_until > today),
            )
            .exists()
        )
    if which.has_arrears:
        conditions.append(_is_owing(today))
    if which.arrears_from_fen is not None:
        if not 1 <= which.arrears_from_fen <= MAX_FEN:
            raise InvalidInput(fields={"arrears_from_fen": ["金额应大于 0"]})
        owed = overdue_bills(House.id, today).scalar_subquery()
        conditions += [_is_owing(today), owed >= which.arrears_from_fen]
    return conditions


def _is_called(house: HouseWords) -> ColumnElement[bool]:
    if not house.building:
        return House.room_no.like(f"{_escape(house.room)}%", escape="\\")
    names = [house.building, *(house.building + mark for mark in ("栋", "幢", "号楼", "座", "号"))]
    unit = [House.unit_no == house.unit] if house.unit else []
    buildings = select(Building.id).where(func.lower(Building.name).in_(names))
    return (
        House.building_id.in_(buildings)
        & (func.lower(House.room_no) == house.room)
        & (unit[0] if unit else House.id.is_not(None))
    )


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _is_owing(today: date) -> ColumnElement[bool]:
    return overdue_bills(House.id, today).with_only_columns(1, maintain_column_froms=True).exists()


def _has_house(
    actor: Actor, today: date, conditions: Sequence[ColumnElement[bool]]
) -> ColumnElement[bool]:
    """Tell whether an owner is somebody today to a house of which all this holds."""
    return (
        select(HousePerson.id)
        .join(House, House.id == HousePerson.house_id)
        .where(
            HousePerson.owner_id == Owner.id,
            HousePerson.person_from <= today,
            or_(HousePerson.person_until.is_(None), HousePerson.person_until > today),
            houses_in_scope(actor),
            *conditions,
        )
        .exists()
    )


def _has_binding(binding: BindingFilter) -> ColumnElement[bool]:
    if binding is BindingFilter.PENDING:
        return (
            select(BindingApplication.id)
            .join(HousePerson, HousePerson.house_id == BindingApplication.house_id)
            .where(BindingApplication.state == "pending", HousePerson.owner_id == Owner.id)
            .exists()
        )
    is_bound = (
        select(HouseBinding.id)
        .where(HouseBinding.owner_id == Owner.id, HouseBinding.status == "active")
        .exists()
    )
    return is_bound if binding is BindingFilter.BOUND else ~is_bound
