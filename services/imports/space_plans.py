"""What an import of parking spaces has to do: rows compared with what is on file, then written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import insert, select, update

from domain.actors import Actor
from domain.phones import mask_phone
from domain.sheets import Problem
from domain.space_sheet import SheetSpace, SpaceSheet
from models import Car, Owner, ParkingSpace
from services.audit import record, sides_of
from services.imports.steps import Step
from services.unit_of_work import Transaction

FIELDS = ("zone", "area", "right_kind", "owner_id", "note")
"""What a repeated import may change of a space on file; an empty cell changes nothing."""


@dataclass(slots=True)
class SpacesOnFile:
    """What the community has: by natural keys."""

    spaces: dict[str, dict[str, Any]] = field(default_factory=dict)
    owners: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Id and name by phone."""
    cars: dict[str, dict[str, Any]] = field(default_factory=dict)
    space_numbers: dict[int, str] = field(default_factory=dict)


@dataclass(slots=True)
class SpacePlan:
    """What has to be done for a sheet; all of a row or nothing of it."""

    spaces: list[SheetSpace] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    new: set[str] = field(default_factory=set)
    changed: dict[str, dict[str, tuple[Any, Any]]] = field(default_factory=dict)
    cars_new: dict[str, list[str]] = field(default_factory=dict)
    """Plates by space."""
    cars_moved: dict[str, list[str]] = field(default_factory=dict)
    """Plates on file that stood nowhere."""

    def has_work(self, space: SheetSpace) -> bool:
        """Tell whether anything has to be written for a space."""
        no = space.space_no
        return any(no in part for part in (self.new, self.changed, self.cars_new, self.cars_moved))


def read_spaces_on_file(tx: Transaction, community_id: int) -> SpacesOnFile:
    """Read what the community has."""
    found = SpacesOnFile()
    for space in tx.session.execute(
        select(
            ParkingSpace.id,
            ParkingSpace.space_no,
            ParkingSpace.retired_on,
            *(getattr(ParkingSpace, f) for f in FIELDS),
        ).where(ParkingSpace.community_id == community_id)
    ).mappings():
        found.spaces[space["space_no"]] = dict(space)
        found.space_numbers[space["id"]] = space["space_no"]
    for owner in tx.session.execute(
        select(Owner.id, Owner.phone, Owner.name).where(
            Owner.community_id == community_id, Owner.phone.is_not(None)
        )
    ):
        found.owners[str(owner.phone)] = (owner.id, owner.name)
    for car in tx.session.execute(
        select(Car.id, Car.plate_no, Car.space_id, Car.owner_id).where(
            Car.community_id == community_id
        )
    ).mappings():
        found.cars[car["plate_no"]] = dict(car)
    return found


def plan_spaces(sheet: SpaceSheet, on_file: SpacesOnFile) -> SpacePlan:
    """Compare a sheet with what is on file; an unknown phone or a plate elsewhere is a problem."""
    plan = SpacePlan(problems=list(sheet.problems))
    for space in sheet.spaces:
        blame = (
            _doubt_retired(space, on_file)
            or _doubt_user(space, on_file)
            or _doubt_plates(space, on_file)
        )
        if blame:
            plan.problems.append(sheet.table.blame(space.row, *blame))
            continue
        plan.spaces.append(space)
        known = on_file.spaces.get(space.space_no)
        if known is None:
            plan.new.add(space.space_no)
        elif changes := _compare(known, wanted(space, on_file)):
            plan.changed[space.space_no] = changes
        _plan_cars(plan, space, on_file)
    plan.problems.sort(key=lambda problem: problem.row)
    return plan


def wanted(space: SheetSpace, on_file: SpacesOnFile) -> dict[str, Any]:
    """Tell what a row says of the columns of a space; None where it says nothing."""
    owner = on_file.owners.get(space.phone or "")
    return {
        "zone": space.zone or None,
        "area": space.area,
        "right_kind": str(space.right_kind),
        "owner_id": owner[0] if owner else None,
        "note": space.note or None,
    }


def _compare(known: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    return {
        name: (known[name], value)
        for name, value in said.items()
        if value is not None and known[name] != value
    }


def _doubt_retired(space: SheetSpace, on_file: SpacesOnFile) -> tuple[str, str, str, str] | None:
    known = on_file.spaces.get(space.space_no)
    if known is None or known["retired_on"] is None:
        return None
    why = f"该车位已于 {known['retired_on']} 停用"
    return "space_no", space.space_no, why, "请先恢复车位，或删除此行"


def _doubt_user(space: SheetSpace, on_file: SpacesOnFile) -> tuple[str, str, str, str] | None:
    if space.phone is None:
        return None
    known = on_file.owners.get(space.phone)
    if known is None:
        why = "业主档案中没有这个手机号"
        return "phone", space.phone, why, "请核对手机号，或先导入房屋业主"
    if space.user_name and space.user_name != known[1]:
        why = f"手机号 {mask_phone(space.phone)} 在档案中属于{known[1]}"
        return "user_name", space.user_name, why, "请核对使用人与手机号"
    return None


def _doubt_plates(space: SheetSpace, on_file: SpacesOnFile) -> tuple[str, str, str, str] | None:
    for plate in space.plates:
        car = on_file.cars.get(plate)
        at = on_file.space_numbers.get(car["space_id"]) if car and car["space_id"] else None
        if at is not None and at != space.space_no:
            why = f"车牌 {plate} 在档案中属于车位 {at}"
            return "plates", plate, why, "请核对车牌，或先解除原来的登记"
    return None


def _plan_cars(plan: SpacePlan, space: SheetSpace, on_file: SpacesOnFile) -> None:
    for plate in space.plates:
        car = on_file.cars.get(plate)
        if car is None:
            plan.cars_new.setdefault(space.space_no, []).append(plate)
        elif car["space_id"] is None:
            plan.cars_moved.setdefault(space.space_no, []).append(plate)


def write_spaces(
    tx: Transaction,
    actor: Actor,
    community_id: int,
    on_file: SpacesOnFile,
    plan: SpacePlan,
    chunk: Sequence[SheetSpace],
    step: Step,
) -> None:
    """Write the chunk's spaces with their cars."""
    ids = {no: known["id"] for no, known in on_file.spaces.items()}
    new = [space for space in chunk if space.space_no in plan.new]
    if new:
        made = tx.session.scalars(
            insert(ParkingSpace).returning(ParkingSpace.id, sort_by_parameter_order=True),
            [
                {
                    "community_id": community_id,
                    "space_no": space.space_no,
                    "created_at": tx.now,
                    **wanted(space, on_file),
                    "zone": space.zone,
                    "note": space.note,
                }
                for space in new
            ],
        ).all()
        ids.update(zip([space.space_no for space in new], made, strict=True))
        step.made["parking_space"] += made
    for space in chunk:
        if changes := plan.changed.get(space.space_no):
            _change(tx, actor, community_id, ids[space.space_no], changes, step)
        for plate in plan.cars_moved.get(space.space_no, ()):
            car = on_file.cars[plate]
            values = {"space_id": (None, ids[space.space_no])}
            step.change("car", car["id"], values)
            tx.session.execute(
                update(Car).where(Car.id == car["id"]).values(space_id=ids[space.space_no])
            )
    _add_cars(tx, community_id, on_file, plan, chunk, ids, step)


def _change(
    tx: Transaction,
    actor: Actor,
    community_id: int,
    space_id: int,
    changes: dict[str, tuple[Any, Any]],
    step: Step,
) -> None:
    tx.session.execute(
        update(ParkingSpace)
        .where(ParkingSpace.id == space_id)
        .values(**{name: after for name, (_, after) in changes.items()})
    )
    record(
        tx,
        actor,
        "space_changed",
        subject_type="parking_space",
        subject_id=space_id,
        community_id=community_id,
        facts=sides_of(step.change("parking_space", space_id, changes)),
    )


def _add_cars(
    tx: Transaction,
    community_id: int,
    on_file: SpacesOnFile,
    plan: SpacePlan,
    chunk: Sequence[SheetSpace],
    ids: Mapping[str, int],
    step: Step,
) -> None:
    rows = [
        {
            "community_id": community_id,
            "plate_no": plate,
            "space_id": ids[space.space_no],
            "owner_id": wanted(space, on_file)["owner_id"],
            "created_at": tx.now,
        }
        for space in chunk
        for plate in plan.cars_new.get(space.space_no, ())
    ]
    if rows:
        step.made["car"] += tx.session.scalars(insert(Car).returning(Car.id), rows).all()
