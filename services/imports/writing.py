"""Writing what an import planned, chunk by chunk: rows by COPY, ids taken before."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from domain.actors import Actor
from domain.house_sheet import SheetHouse, SheetOwner
from domain.periods import local_date
from domain.sheets import HouseKey
from models import Building, House, PersonRole
from services.audit import record, sides_of
from services.imports.copying import copy_line, take_ids
from services.imports.plans import FIELDS, OnFile, Plan
from services.imports.steps import Step
from services.people.names import letters_of
from services.unit_of_work import Transaction

_HOUSE = (
    "id community_id building_id unit_no room_no note billing_area fee_coefficient "
    + " ".join(FIELDS)
)
_Identity = tuple[str | None, str, int]


def write_houses(
    tx: Transaction,
    actor: Actor,
    community_id: int,
    on_file: OnFile,
    plan: Plan,
    chunk: Sequence[SheetHouse],
    step: Step,
) -> dict[HouseKey, int]:
    """Insert and change the chunk's houses; tell the ids of all of them by key."""
    for name in sorted({house.building for house in chunk} - set(on_file.buildings)):
        on_file.buildings[name] = _add_building(tx, community_id, name, step)
    new = [house for house in chunk if house.key in plan.new]
    ids: dict[HouseKey, int] = {
        house.key: on_file.houses[house.key]["id"] for house in chunk if house.key not in plan.new
    }
    ids.update(zip([house.key for house in new], take_ids(tx, "house", len(new)), strict=True))
    if new:
        tx.copy_text("house", _HOUSE, [_house_line(community_id, on_file, ids, one) for one in new])
        occupancy_ids = take_ids(tx, "occupancy", len(new))
        today = local_date(tx.now)
        tx.copy_text(
            "occupancy",
            "id house_id state occupied_from",
            [
                copy_line((id_, ids[house.key], house.state, house.handover_date or today))
                for id_, house in zip(occupancy_ids, new, strict=True)
            ],
        )
        step.made["house"] += [ids[house.key] for house in new]
        step.made["occupancy"] += occupancy_ids
    for house in chunk:
        if changes := plan.changed.get(house.key):
            known = on_file.houses[house.key]
            _change_house(tx, actor, community_id, known, changes, step)
    return ids


def _add_building(tx: Transaction, community_id: int, name: str, step: Step) -> int:
    """Make a building, or find it where somebody added it meanwhile."""
    made = tx.session.scalar(
        upsert(Building)
        .values(community_id=community_id, name=name)
        .on_conflict_do_nothing(index_elements=["community_id", "name"])
        .returning(Building.id)
    )
    if made is not None:
        step.made["building"].append(made)
        return int(made)
    return tx.session.execute(
        select(Building.id).where(Building.community_id == community_id, Building.name == name)
    ).scalar_one()


def _house_line(
    community_id: int, on_file: OnFile, ids: dict[HouseKey, int], house: SheetHouse
) -> str:
    return copy_line(
        (
            ids[house.key],
            community_id,
            on_file.buildings[house.building],
            house.unit_no,
            house.room_no,
            house.note,
            house.building_area,
            1,
            *(getattr(house, name) for name in FIELDS),
        )
    )


def _change_house(
    tx: Transaction,
    actor: Actor,
    community_id: int,
    known: dict[str, Any],
    changes: dict[str, tuple[Any, Any]],
    step: Step,
) -> None:
    """Change a house on file; a new building area is also what is billed from now on."""
    told = dict(changes)
    if "building_area" in changes:
        told["billing_area"] = known["billing_area"], changes["building_area"][1]
    tx.session.execute(
        update(House)
        .where(House.id == known["id"])
        .values(**{name: after for name, (_, after) in told.items()})
    )
    facts = step.change("house", known["id"], told)
    record(
        tx,
        actor,
        "house_changed",
        subject_type="house",
        subject_id=known["id"],
        community_id=community_id,
        facts=sides_of({name: fact for name, fact in facts.items() if name in changes}),
    )


def write_people(
    tx: Transaction,
    community_id: int,
    on_file: OnFile,
    plan: Plan,
    chunk: Sequence[SheetHouse],
    house_ids: dict[HouseKey, int],
    step: Step,
) -> dict[str, tuple[int, str]]:
    """Put the chunk's new owners on file and tie new people to their houses.

    Returns id and name of the new owners by phone, for what comes after the chunk.
    """
    parts = [(house, owner) for house in chunk for owner in plan.people_new.get(house.key, ())]
    owner_ids = _add_owners(tx, community_id, on_file, [owner for _, owner in parts], step)
    if parts:
        part_ids = take_ids(tx, "house_person", len(parts))
        tx.copy_text(
            "house_person",
            "id house_id owner_id role share_ratio person_from",
            [
                copy_line(
                    (
                        part_id,
                        house_ids[house.key],
                        owner_ids[_identity(owner)],
                        PersonRole.TITLE_HOLDER
                        if owner is house.owners[0]
                        else PersonRole.CO_OWNER,
                        owner.share_ratio,
                        _person_from(tx, on_file, house, owner),
                    )
                )
                for part_id, (house, owner) in zip(part_ids, parts, strict=True)
            ],
        )
        step.made["house_person"] += part_ids
    return {
        phone: (owner_id, name)
        for (phone, name, _), owner_id in owner_ids.items()
        if phone is not None and phone not in on_file.owners
    }


def _add_owners(
    tx: Transaction,
    community_id: int,
    on_file: OnFile,
    owners: Sequence[SheetOwner],
    step: Step,
) -> dict[_Identity, int]:
    """Find the owners that are on file and add the others; tell the ids of all."""
    found: dict[_Identity, int] = {}
    missing: dict[_Identity, SheetOwner] = {}
    for owner in owners:
        known = on_file.owners.get(owner.phone) if owner.phone else None
        if known is None:
            missing[_identity(owner)] = owner
        else:
            found[_identity(owner)] = known[0]
    if missing:
        ids = take_ids(tx, "owner", len(missing))
        found.update(zip(missing, ids, strict=True))
        now = tx.now.isoformat()
        tx.copy_text(
            "owner",
            "id community_id name phone email created_at pinyin initials",
            [
                copy_line(
                    (
                        id_,
                        community_id,
                        owner.name,
                        owner.phone,
                        owner.email,
                        now,
                        *letters_of(owner.name).values(),
                    )
                )
                for id_, owner in zip(ids, missing.values(), strict=True)
            ],
        )
        step.made["owner"] += ids
    return found


def _person_from(tx: Transaction, on_file: OnFile, house: SheetHouse, owner: SheetOwner) -> date:
    """Tell since when somebody has their part: since hand-over, but who left returns today."""
    known = on_file.houses.get(house.key)
    has_left = known is not None and (owner.phone, owner.name) in on_file.left[known["id"]]
    today = local_date(tx.now)
    return today if has_left else house.handover_date or today


def _identity(owner: SheetOwner) -> _Identity:
    """Tell who an owner is: by phone; without one, by name and row."""
    return owner.phone, owner.name, 0 if owner.phone else owner.row
