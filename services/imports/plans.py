"""What an import has to do: the sheet compared with what is on file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from domain.house_sheet import HouseSheet, SheetHouse, SheetOwner
from domain.periods import local_date
from domain.sheets import Problem
from models import Building, House, HousePerson, Owner, OwnerPhone
from services.unit_of_work import Transaction

FIELDS = (
    "floor_no",
    "layout",
    "building_area",
    "inner_area",
    "handover_date",
)
"""What a repeated import may change of a house on file; an empty cell changes nothing."""


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import does, or in a dry run would do, and every problem of the sheet."""

    row_count: int
    house_count: int
    houses_new: int
    houses_changed: int
    owners_new: int
    people_new: int
    problems: tuple[Problem, ...]
    people_changed: int = 0
    """Houses that stay as they are and get people."""
    batch_id: int | None = None

    @property
    def foreseen(self) -> dict[str, int]:
        """What it comes to; ``new``, ``changed`` and ``unchanged`` are houses."""
        changed = self.houses_changed + self.people_changed
        return {
            "rows": self.row_count,
            "new": self.houses_new,
            "changed": changed,
            "unchanged": self.house_count - self.houses_new - changed,
            "owners_new": self.owners_new,
            "people_new": self.people_new,
        }


@dataclass(slots=True)
class OnFile:
    """What the community has: by natural keys."""

    buildings: dict[str, int] = field(default_factory=dict)
    buildings_retired: set[str] = field(default_factory=set)
    houses: dict[tuple[str, str, str], dict[str, Any]] = field(default_factory=dict)
    owners: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Id and name by phone."""
    people: dict[int, set[tuple[str | None, str]]] = field(default_factory=dict)
    """Phone and name of present and future people by house id."""
    left: dict[int, set[tuple[str | None, str]]] = field(default_factory=dict)
    """Phone and name of those whose part in the house has ended."""


@dataclass(slots=True)
class Plan:
    """What has to be done for a sheet, split by house."""

    houses: list[SheetHouse] = field(default_factory=list)
    """Every house that takes part, also those that are on file just so."""
    problems: list[Problem] = field(default_factory=list)
    new: set[tuple[str, str, str]] = field(default_factory=set)
    changed: dict[tuple[str, str, str], dict[str, tuple[Any, Any]]] = field(default_factory=dict)
    owners_new: set[tuple[str | None, str, int]] = field(default_factory=set)
    people_new: dict[tuple[str, str, str], list[SheetOwner]] = field(default_factory=dict)


def read_on_file(tx: Transaction, community_id: int) -> OnFile:
    """Read what the community has."""
    found = OnFile()
    for row in tx.session.execute(
        select(Building.id, Building.name, Building.retired_on).where(
            Building.community_id == community_id
        )
    ):
        found.buildings[row.name] = row.id
        if row.retired_on is not None:
            found.buildings_retired.add(row.name)
    columns = [getattr(House, name) for name in FIELDS]
    keys: dict[int, tuple[str, str, str]] = {}
    for house in tx.session.execute(
        select(
            House.id,
            House.billing_area,
            House.retired_on,
            Building.name,
            House.unit_no,
            House.room_no,
            *columns,
        )
        .join(Building, Building.id == House.building_id)
        .where(House.community_id == community_id)
    ).mappings():
        key = (house["name"], house["unit_no"], house["room_no"])
        found.houses[key] = dict(house)
        keys[house["id"]] = key
        found.people[house["id"]] = set()
        found.left[house["id"]] = set()
    today = local_date(tx.now)
    for owner in tx.session.execute(
        select(Owner.id, OwnerPhone.phone, Owner.name)
        .join(OwnerPhone, OwnerPhone.owner_id == Owner.id)
        .where(Owner.community_id == community_id)
    ):
        found.owners[str(owner.phone)] = (owner.id, owner.name)
    for part in tx.session.execute(
        select(HousePerson.house_id, HousePerson.person_until, OwnerPhone.phone, Owner.name)
        .join(Owner, Owner.id == HousePerson.owner_id)
        .outerjoin(OwnerPhone, OwnerPhone.owner_id == Owner.id)
        .where(Owner.community_id == community_id)
    ):
        has_left = part.person_until is not None and part.person_until <= today
        people = found.left if has_left else found.people
        people[part.house_id].add((part.phone, part.name))
    return found


def plan_import(sheet: HouseSheet, on_file: OnFile) -> Plan:
    """Compare a sheet with what is on file.

    A phone that belongs to somebody else is a problem, and so is what was retired: an import
    neither takes that back nor writes there.
    """
    plan = Plan(problems=list(sheet.problems))
    for house in sheet.houses:
        key = house.key
        known = on_file.houses.get(key)
        if doubt := _doubt_retired(house, known, on_file) or _doubt_owners(house, on_file):
            plan.problems.append(doubt)
            continue
        plan.houses.append(house)
        if known is None:
            plan.new.add(key)
            present: set[tuple[str | None, str]] = set()
        else:
            present = on_file.people[known["id"]]
            changes = {
                name: (known[name], getattr(house, name))
                for name in FIELDS
                if getattr(house, name) not in (None, "") and known[name] != getattr(house, name)
            }
            if changes:
                plan.changed[key] = changes
        people = [owner for owner in house.owners if (owner.phone, owner.name) not in present]
        if people:
            plan.people_new[key] = people
        for owner in people:
            if owner.phone is None or owner.phone not in on_file.owners:
                row = owner.row if owner.phone is None else 0
                plan.owners_new.add((owner.phone, owner.name, row))
    plan.problems.sort(key=lambda problem: problem.row)
    return plan


def _doubt_owners(house: SheetHouse, on_file: OnFile) -> Problem | None:
    clash = next((owner for owner in house.owners if _is_of_other(owner, on_file)), None)
    if clash is None:
        return None
    name = on_file.owners[str(clash.phone)][1]
    return Problem(
        clash.row,
        "手机号",
        str(clash.phone),
        f"这个手机号在档案中属于{name}",
        "请核对姓名，或先办理业主变更",
    )


def _doubt_retired(
    house: SheetHouse, known: Mapping[str, Any] | None, on_file: OnFile
) -> Problem | None:
    if known is not None and known["retired_on"] is not None:
        why = f"该房屋已于 {known['retired_on']} 停用"
        return Problem(house.row, "房号", house.room_no, why, "请先恢复房屋，或删除此行")
    if house.building in on_file.buildings_retired:
        why = "该楼栋已停用"
        return Problem(house.row, "楼栋", house.building, why, "请先恢复楼栋，或删除此行")
    return None


def has_work(plan: Plan, house: SheetHouse) -> bool:
    """Tell whether anything has to be written for a house."""
    key = house.key
    return key in plan.new or key in plan.changed or key in plan.people_new


def _is_of_other(owner: SheetOwner, on_file: OnFile) -> bool:
    known = on_file.owners.get(owner.phone or "")
    return known is not None and known[1] != owner.name


def report_plan(sheet: HouseSheet, plan: Plan, batch_id: int | None = None) -> ImportReport:
    """Sum a plan up for people."""
    return ImportReport(
        row_count=sheet.row_count,
        house_count=len(plan.houses),
        houses_new=len(plan.new),
        houses_changed=len(plan.changed),
        owners_new=len(plan.owners_new),
        people_new=sum(len(people) for people in plan.people_new.values()),
        problems=tuple(plan.problems),
        people_changed=len(plan.people_new.keys() - plan.new - plan.changed.keys()),
        batch_id=batch_id,
    )
