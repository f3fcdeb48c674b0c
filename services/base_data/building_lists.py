"""Looking at buildings and their units."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import func, select

from domain.actors import Actor, Permission
from domain.errors import NotFound
from models import Building, BuildingUnit, Community, House
from services.scopes import buildings_in_scope, communities_reached
from services.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True)
class UnitView:
    """A unit of a building: of its houses, or written by hand."""

    unit_no: str
    floor_count: int | None
    lift_count: int | None
    note: str
    house_count: int


@dataclass(frozen=True, slots=True)
class BuildingView:
    """A building on file; ``house_count`` is of houses that are not retired."""

    id: int
    community_id: int
    name: str
    building_type: str
    floor_count: int | None
    note: str
    retired_on: date | None
    house_count: int


@dataclass(frozen=True, slots=True)
class BuildingDetail:
    """A building with its units, in the order of their numbers."""

    building: BuildingView
    units: Sequence[UnitView]


@dataclass(frozen=True)
class BuildingLists:
    """What there is to see of buildings."""

    unit_of_work: UnitOfWork

    def list_buildings(self, *, actor: Actor, community_id: int) -> Sequence[BuildingView]:
        """List the buildings of a community that are in scope, as they came on file.

        Raises:
            NotFound: no such community.
        """
        actor.must(Permission.VIEW_ESTATE)
        with self.unit_of_work.reading() as session:
            known = session.scalars(
                select(Community.id).where(Community.id == community_id, communities_reached(actor))
            ).one_or_none()
            if known is None:
                raise NotFound
            rows = session.execute(
                select(Building, _kept_houses())
                .where(Building.community_id == community_id, buildings_in_scope(actor))
                .order_by(Building.id)
            ).all()
        return [_view(*row) for row in rows]

    def show(self, *, actor: Actor, building_id: int) -> BuildingDetail:
        """Show a building with its units.

        Raises:
            NotFound: no such building.
        """
        actor.must(Permission.VIEW_ESTATE)
        with self.unit_of_work.reading() as session:
            row = session.execute(
                select(Building, _kept_houses()).where(
                    Building.id == building_id, buildings_in_scope(actor)
                )
            ).one_or_none()
            if row is None:
                raise NotFound
            counts = Counter(
                session.scalars(
                    select(House.unit_no).where(
                        House.building_id == building_id, House.retired_on.is_(None)
                    )
                )
            )
            written = {
                unit.unit_no: unit
                for unit in session.scalars(
                    select(BuildingUnit).where(BuildingUnit.building_id == building_id)
                )
            }
        units = [
            _unit(unit_no, written.get(unit_no), counts[unit_no])
            for unit_no in sorted(counts.keys() | written.keys(), key=lambda no: (len(no), no))
        ]
        return BuildingDetail(_view(*row), tuple(units))


def _kept_houses() -> Any:
    return (
        select(func.count())
        .select_from(House)
        .where(House.building_id == Building.id, House.retired_on.is_(None))
        .correlate(Building)
        .scalar_subquery()
    )


def _view(row: Building, house_count: int) -> BuildingView:
    return BuildingView(
        row.id,
        row.community_id,
        row.name,
        row.building_type,
        row.floor_count,
        row.note,
        row.retired_on,
        house_count,
    )


def _unit(unit_no: str, row: BuildingUnit | None, house_count: int) -> UnitView:
    if row is None:
        return UnitView(unit_no, None, None, "", house_count)
    return UnitView(unit_no, row.floor_count, row.lift_count, row.note, house_count)
