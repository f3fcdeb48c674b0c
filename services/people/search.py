"""Finding owners by any combination of what is known of them, page by page, phones masked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    Text,
    and_,
    any_,
    cast,
    func,
    literal_column,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from domain.actors import Actor, Permission
from domain.errors import InvalidInput
from domain.houses import HouseState
from domain.money import MAX_FEN
from domain.owner_search import BindingFilter, HouseWords, SearchWords, read_house, read_search
from domain.periods import local_date
from models import (
    Bill,
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

PAGE_LIMIT = 101
"""A page of 100 and the row that tells whether there is another."""
_LOOKED_UP = 3_000
"""Ids from the newest on that are looked at one by one for a sum."""
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
            raise InvalidInput(fields={"limit": [f"应为 1 至 {PAGE_LIMIT - 1}"]})
        today = local_date(self.unit_of_work.clock.now())
        with self.unit_of_work.reading() as session:
            ids = _find_ids(session, actor, which, today, before_id=before_id, limit=limit)
            return read_found(session, actor, ids, today)


def _find_ids(
    session: Session,
    actor: Actor,
    which: OwnerFilter,
    today: date,
    *,
    before_id: int | None,
    limit: int,
) -> Sequence[int]:
    """Find a page. A sum that few owe would have every owner looked up: past some, add up all."""

    def page(query: Select[int]) -> Sequence[int]:
        if before_id is not None:
            query = query.where(Owner.id < before_id)
        return session.scalars(query.order_by(Owner.id.desc()).limit(limit)).all()

    query = find_query(session, actor, which, today)
    if which.arrears_from_fen is None:
        return page(query)
    newest = before_id or session.scalar(select(func.max(Owner.id))) or 0
    near = page(query.where(Owner.id > newest - _LOOKED_UP))
    if len(near) == limit:
        return near
    return page(find_query(session, actor, which, today, sums_all=True))


def find_query(
    session: Session, actor: Actor, which: OwnerFilter, today: date, *, sums_all: bool = False
) -> Select[int]:
    """Select the ids of the owners that match, in no order.

    What names few houses leads to their owners; what many houses have, such as arrears, is looked
    up owner by owner, newest first, until the page is full. With ``sums_all`` the arrears of all
    houses are added up first, and name the houses that owe as much as is looked for.

    Raises:
        InvalidInput: what was typed cannot be read.
    """
    words = read_search(which.text)
    query = select(Owner.id).where(owners_in_scope(actor), *_of_owner(which, words))
    houses = [*words.houses, *([read_house(which.house)] if which.house.strip() else [])]
    named = [is_called(session, house) for house in houses]
    if which.building_id is not None:
        named.append(House.building_id == which.building_id)
    looked_up = _of_house(which, today)
    if which.arrears_from_fen is not None:
        (named if sums_all else looked_up).append(_owes(which.arrears_from_fen, today, sums_all))
    if named:
        houses_named = select(House.id).where(houses_in_scope(actor), *named, *looked_up)
        query = query.where(Owner.id.in_(_people_of(houses_named, today)))
    elif looked_up:
        of_house = _houses_of(actor, today).where(*looked_up, HousePerson.owner_id == Owner.id)
        query = query.where(_each(of_house))
    if which.has_arrears is False:
        owing = _houses_of(actor, today).where(HousePerson.owner_id == Owner.id, _is_owing(today))
        query = query.where(~_each(owing))
    if which.binding is not None:
        query = query.where(_has_binding(which.binding))
    return query


def _of_owner(which: OwnerFilter, words: SearchWords) -> list[ColumnElement[bool]]:
    """Tell what must hold of the owners themselves."""
    conditions = [
        *(_has_name(name) for name in words.names),
        *(_has_letters(letters) for letters in words.letters),
        *(_has_phone(part) for part in words.phones),
    ]
    if which.community_id is not None:
        conditions.append(Owner.community_id == which.community_id)
    if not which.with_ended:
        conditions.append(Owner.ended_on.is_(None))
    return conditions


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


def _of_house(which: OwnerFilter, today: date) -> list[ColumnElement[bool]]:
    """Tell what must hold of a house, apart from which one it is."""
    conditions: list[ColumnElement[bool]] = []
    if which.state is not None:
        conditions.append(
            _each(
                select(Occupancy.id).where(
                    Occupancy.house_id == House.id,
                    Occupancy.state == which.state,
                    Occupancy.occupied_from <= today,
                    or_(Occupancy.occupied_until.is_(None), Occupancy.occupied_until > today),
                )
            )
        )
    if which.has_arrears:
        conditions.append(_is_owing(today))
    return conditions


def is_called(session: Session, house: HouseWords) -> ColumnElement[bool]:
    """Hold rows of `House` to those that may be called so, whatever marks their names carry."""
    if not house.building:
        return House.room_no.like(f"{_escape(house.room)}%", escape="\\")
    names = [house.building, *(house.building + mark for mark in ("栋", "幢", "号楼", "座", "号"))]
    buildings = session.scalars(select(Building.id).where(func.lower(Building.name).in_(names)))
    unit = [House.unit_no == house.unit] if house.unit else []
    return and_(
        House.building_id.in_(buildings.all()),
        House.room_no.in_([house.room, house.room.upper()]),
        *unit,
    )


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _is_owing(today: date) -> ColumnElement[bool]:
    return _each(overdue_bills(House.id, today).with_only_columns(1, maintain_column_froms=True))


def _owes(fen: int, today: date, sums_all: bool) -> ColumnElement[bool]:
    """Tell whether a house owes so much: asked of each, or by one look at all bills."""
    if not 1 <= fen <= MAX_FEN:
        raise InvalidInput(fields={"arrears_from_fen": ["金额应大于 0"]})
    if not sums_all:
        return overdue_bills(House.id, today).scalar_subquery() >= fen
    sums = overdue_bills(Bill.house_id, today).with_only_columns(Bill.house_id)
    owing = sums.group_by(Bill.house_id).having(func.sum(Bill.amount_fen - Bill.paid_fen) >= fen)
    return House.id == any_(func.array(owing.scalar_subquery()))


def _each(query: Select[Any]) -> ColumnElement[bool]:
    """Tell whether there is a row, asked of each row outside by its index.

    Without the offset the planner would join, and so read all bills to fill one page.
    """
    return query.offset(literal_column("0")).exists()


def _people_of(houses: Select[int], today: date) -> Select[int]:
    """Select the owners who are somebody today to some houses.

    As an array the houses are found first and their people by index. Joined, the planner goes
    through all owners in the order of the page, and asks of each which house is his.
    """
    ids = func.array(houses.scalar_subquery())
    return select(HousePerson.owner_id).where(HousePerson.house_id == any_(ids), _is_part_of(today))


def _houses_of(actor: Actor, today: date) -> Select[int]:
    """Select the owners who are somebody today to houses in scope, by house."""
    return (
        select(HousePerson.owner_id)
        .join(House, House.id == HousePerson.house_id)
        .where(_is_part_of(today), houses_in_scope(actor))
    )


def _is_part_of(today: date) -> ColumnElement[bool]:
    return and_(
        HousePerson.person_from <= today,
        or_(HousePerson.person_until.is_(None), HousePerson.person_until > today),
    )


def _has_binding(binding: BindingFilter) -> ColumnElement[bool]:
    if binding is BindingFilter.PENDING:
        return Owner.id.in_(
            select(HousePerson.owner_id)
            .join(BindingApplication, BindingApplication.house_id == HousePerson.house_id)
            .where(BindingApplication.state == "pending")
        )
    bound = select(HouseBinding.owner_id).where(HouseBinding.status == "active")
    if binding is BindingFilter.BOUND:
        return Owner.id.in_(bound)
    return ~_each(bound.where(HouseBinding.owner_id == Owner.id))
