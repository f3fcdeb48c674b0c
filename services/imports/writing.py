"""Writing what an import planned, chunk by chunk."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import insert, update
from sqlalchemy.dialects.postgresql import insert as upsert

from domain.actors import Actor
from domain.house_sheet import SheetHouse, SheetOwner
from domain.periods import local_date
from models import Building, House, HousePerson, Occupancy, Owner, PersonRole
from services.audit import record
from services.imports.plans import FIELDS, OnFile, Plan
from services.people.names import letters_of
from services.unit_of_work import Transaction


def write_houses(
    tx: Transaction,
    actor: Actor,
    community_id: int,
    on_file: OnFile,
    plan: Plan,
    chunk: Sequence[SheetHouse],
) -> dict[tuple[str, str, str], int]:
    """Insert and change the chunk's houses; tell the ids of all of them by key."""
    for name in sorted({house.building for house in chunk} - set(on_file.buildings)):
        on_file.buildings[name] = tx.session.execute(
            upsert(Building)
            .values(community_id=community_id, name=name)
            .on_conflict_do_update(index_elements=["community_id", "name"], set_={"name": name})
            .returning(Building.id)
        ).scalar_one()
    new = [house for house in chunk if house.key in plan.new]
    ids: dict[tuple[str, str, str], int] = {
        house.key: on_file.houses[house.key]["id"] for house in chunk if house.key not in plan.new
    }
    if new:
        inserted = tx.session.scalars(
            insert(House).returning(House.id, sort_by_parameter_order=True),
            [
                {
                    "community_id": community_id,
                    "building_id": on_file.buildings[house.building],
                    "unit_no": house.unit_no,
                    "room_no": house.room_no,
                    "note": house.note,
                    "billing_area": house.building_area,
                    "fee_coefficient": Decimal(1),
                    **{name: getattr(house, name) for name in FIELDS},
                }
                for house in new
            ],
        ).all()
        ids.update(zip([house.key for house in new], inserted, strict=True))
        tx.session.execute(
            insert(Occupancy),
            [
                {
                    "house_id": ids[house.key],
                    "state": house.state,
                    "occupied_from": house.handover_date or local_date(tx.now),
                }
                for house in new
            ],
        )
    for house in chunk:
        changes = plan.changed.get(house.key)
        if changes:
            _change_house(tx, actor, community_id, ids[house.key], changes)
    return ids


def _change_house(
    tx: Transaction,
    actor: Actor,
    community_id: int,
    house_id: int,
    changes: dict[str, tuple[Any, Any]],
) -> None:
    """Change a house on file; a new building area is also what is billed from now on."""
    values = {name: after for name, (_, after) in changes.items()}
    if "building_area" in values:
        values["billing_area"] = values["building_area"]
    tx.session.execute(update(House).where(House.id == house_id).values(**values))
    record(
        tx,
        actor,
        "house_changed",
        subject_type="house",
        subject_id=house_id,
        community_id=community_id,
        facts={
            name: {"before": None if before is None else str(before), "after": str(after)}
            for name, (before, after) in changes.items()
        },
    )


def write_people(
    tx: Transaction,
    community_id: int,
    on_file: OnFile,
    plan: Plan,
    chunk: Sequence[SheetHouse],
    house_ids: dict[tuple[str, str, str], int],
) -> None:
    """Put the chunk's new owners on file and tie new people to their houses."""
    parts = [(house, owner) for house in chunk for owner in plan.people_new.get(house.key, ())]
    missing: dict[tuple[str | None, str, int], SheetOwner] = {}
    for _, owner in parts:
        if owner.phone is None or owner.phone not in on_file.owners:
            missing[_identity(owner)] = owner
    owner_ids: dict[tuple[str | None, str, int], int] = {}
    if missing:
        inserted = tx.session.scalars(
            insert(Owner).returning(Owner.id, sort_by_parameter_order=True),
            [
                {
                    "community_id": community_id,
                    "name": owner.name,
                    "phone": owner.phone,
                    "email": owner.email,
                    "created_at": tx.now,
                    **letters_of(owner.name),
                }
                for owner in missing.values()
            ],
        ).all()
        for (identity, owner), owner_id in zip(missing.items(), inserted, strict=True):
            owner_ids[identity] = owner_id
            if owner.phone:
                on_file.owners[owner.phone] = (owner_id, owner.name)
    if not parts:
        return
    tx.session.execute(
        insert(HousePerson),
        [
            {
                "house_id": house_ids[house.key],
                "owner_id": on_file.owners[owner.phone][0]
                if owner.phone
                else owner_ids[_identity(owner)],
                "role": PersonRole.TITLE_HOLDER
                if owner is house.owners[0]
                else PersonRole.CO_OWNER,
                "share_ratio": owner.share_ratio,
                "person_from": _person_from(tx, on_file, house, owner),
            }
            for house, owner in parts
        ],
    )


def _person_from(tx: Transaction, on_file: OnFile, house: SheetHouse, owner: SheetOwner) -> date:
    """Tell since when somebody has their part: since hand-over, but who left returns today."""
    known = on_file.houses.get(house.key)
    has_left = known is not None and (owner.phone, owner.name) in on_file.left[known["id"]]
    today = local_date(tx.now)
    return today if has_left else house.handover_date or today


def _identity(owner: SheetOwner) -> tuple[str | None, str, int]:
    """Tell who an owner is: by phone; without one, by name and row."""
    return owner.phone, owner.name, 0 if owner.phone else owner.row
