"""Looking at houses: page by page, by any part of their name, and one in full."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import Session

from domain.actors import Actor, Permission
from domain.errors import InvalidInput, NotFound
from domain.houses import house_label
from domain.owner_search import read_house
from domain.periods import local_date
from models import Building, Community, House, Occupancy
from services.estate import house_label_column
from services.people.search import is_called
from services.scopes import houses_in_scope
from services.unit_of_work import UnitOfWork

PAGE_LIMIT = 101
"""A page of 100 and the row that tells whether there is another."""
_TEXT_LIMIT = 60


@dataclass(frozen=True, slots=True)
class HouseView:
    """A house on file, areas in ㎡; ``state`` is how it is used today, None where nobody said."""

    id: int
    community_id: int
    community: str
    building_id: int
    building: str
    unit_no: str
    room_no: str
    label: str
    floor_no: int | None
    layout: str
    building_area: Decimal
    inner_area: Decimal | None
    billing_area: Decimal
    fee_coefficient: Decimal
    handover_date: date | None
    household_size: int | None
    note: str
    state: str | None
    retired_on: date | None


@dataclass(frozen=True, slots=True)
class HouseFilter:
    """Which houses; ``text`` is part of a name such as ``1栋1单元101``, or ``1-1-101``."""

    community_id: int | None = None
    building_id: int | None = None
    text: str = ""
    is_retired: bool | None = None


@dataclass(frozen=True)
class HouseLists:
    """What there is to see of houses."""

    unit_of_work: UnitOfWork

    def find(
        self,
        *,
        actor: Actor,
        which: HouseFilter,
        before_id: int | None = None,
        limit: int = 50,
    ) -> Sequence[HouseView]:
        """Find houses, newest first, from below ``before_id``.

        Raises:
            InvalidInput: the text or the limit is too long.
        """
        actor.must(Permission.VIEW_ESTATE)
        if not 1 <= limit <= PAGE_LIMIT:
            raise InvalidInput(fields={"limit": [f"应为 1 至 {PAGE_LIMIT - 1}"]})
        with self.unit_of_work.reading() as session:
            query = _houses(self._today()).where(houses_in_scope(actor), *_wanted(session, which))
            if before_id is not None:
                query = query.where(House.id < before_id)
            rows = session.execute(query.order_by(House.id.desc()).limit(limit)).all()
        return [_view(*row) for row in rows]

    def show(self, *, actor: Actor, house_id: int) -> HouseView:
        """Show a house.

        Raises:
            NotFound: no such house.
        """
        actor.must(Permission.VIEW_ESTATE)
        with self.unit_of_work.reading() as session:
            row = session.execute(
                _houses(self._today()).where(House.id == house_id, houses_in_scope(actor))
            ).one_or_none()
        if row is None:
            raise NotFound
        return _view(*row)

    def _today(self) -> date:
        return local_date(self.unit_of_work.clock.now())


def _wanted(session: Session, which: HouseFilter) -> Iterator[ColumnElement[bool]]:
    if which.community_id is not None:
        yield House.community_id == which.community_id
    if which.building_id is not None:
        yield House.building_id == which.building_id
    if which.is_retired is not None:
        yield House.retired_on.is_not(None) == which.is_retired
    text = which.text.strip()
    if len(text) > _TEXT_LIMIT:
        raise InvalidInput(fields={"text": [f"请在 {_TEXT_LIMIT} 个字以内"]})
    if text:
        named = [func.strpos(house_label_column(), text) > 0]
        # What is no whole name may still be a part of one.
        with suppress(InvalidInput):
            named.append(is_called(session, read_house(text)))
        yield or_(*named)


def _houses(today: date) -> Select[Any]:
    state = (
        select(Occupancy.state)
        .where(
            Occupancy.house_id == House.id,
            Occupancy.occupied_from <= today,
            or_(Occupancy.occupied_until.is_(None), Occupancy.occupied_until > today),
        )
        .scalar_subquery()
    )
    return (
        select(House, Building.name, Community.code, state)
        .join(Building, Building.id == House.building_id)
        .join(Community, Community.id == House.community_id)
    )


def _view(house: House, building: str, community: str, state: str | None) -> HouseView:
    return HouseView(
        house.id,
        house.community_id,
        community,
        house.building_id,
        building,
        house.unit_no,
        house.room_no,
        house_label(building, house.unit_no, house.room_no),
        house.floor_no,
        house.layout,
        house.building_area,
        house.inner_area,
        house.billing_area,
        house.fee_coefficient,
        house.handover_date,
        house.household_size,
        house.note,
        state,
        house.retired_on,
    )
