"""What a search shows of the owners it found: houses, arrears, bindings, phones masked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from domain.actors import Actor
from domain.bill_states import PAYABLE_BILLS
from domain.house_roles import OWNING_ROLES, ROLE_SHOWN
from domain.houses import HouseState, house_label
from domain.owner_search import BindingFilter
from domain.phones import mask_phone
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
from services.scopes import houses_in_scope


@dataclass(frozen=True, slots=True)
class FoundHouse:
    """A house of today of an owner; ``arrears_fen`` is what is past due, without late fees.

    Only owners owe: for family and tenants it is 0.
    """

    id: int
    label: str
    role: str
    role_shown: str
    state: HouseState | None
    arrears_fen: int


@dataclass(frozen=True, slots=True)
class FoundOwner:
    """An owner that was found."""

    id: int
    community_id: int
    name: str
    phones_masked: Sequence[str]
    houses: Sequence[FoundHouse]
    arrears_fen: int
    binding: BindingFilter


def overdue_bills(house_id: InstrumentedAttribute[int], today: date) -> Select[int]:
    """Select what is past due of a house's published bills, as one sum in fen."""
    return select(func.coalesce(func.sum(Bill.amount_fen - Bill.paid_fen), 0)).where(
        Bill.house_id == house_id,
        Bill.is_live,
        Bill.state.in_(PAYABLE_BILLS),
        Bill.due_date < today,
    )


def read_found(session: Session, actor: Actor, ids: Sequence[int], today: date) -> list[FoundOwner]:
    """Read what is shown of owners, in the order of their ids."""
    if not ids:
        return []
    owners = {
        row.id: row
        for row in session.execute(
            select(Owner.id, Owner.community_id, Owner.name).where(Owner.id.in_(ids))
        )
    }
    phones: dict[int, list[str]] = {}
    for owner_id, phone in session.execute(
        select(OwnerPhone.owner_id, OwnerPhone.phone)
        .where(OwnerPhone.owner_id.in_(ids))
        .order_by(OwnerPhone.is_primary.desc(), OwnerPhone.id)
    ):
        phones.setdefault(owner_id, []).append(mask_phone(phone))
    houses = _read_houses(session, actor, ids, today)
    bindings = _read_bindings(session, ids)
    return [
        FoundOwner(
            id_,
            owners[id_].community_id,
            owners[id_].name,
            tuple(phones.get(id_, ())),
            tuple(houses.get(id_, ())),
            sum(house.arrears_fen for house in houses.get(id_, ())),
            bindings.get(id_, BindingFilter.NOT_BOUND),
        )
        for id_ in ids
        if id_ in owners
    ]


def _read_houses(
    session: Session, actor: Actor, ids: Sequence[int], today: date
) -> dict[int, list[FoundHouse]]:
    state = (
        select(Occupancy.state)
        .where(
            Occupancy.house_id == House.id,
            Occupancy.occupied_from <= today,
            or_(Occupancy.occupied_until.is_(None), Occupancy.occupied_until > today),
        )
        .scalar_subquery()
    )
    owed = overdue_bills(House.id, today).scalar_subquery()
    rows = session.execute(
        select(
            HousePerson.owner_id,
            HousePerson.role,
            House.id,
            Building.name,
            House.unit_no,
            House.room_no,
            state,
            owed,
        )
        .join(House, House.id == HousePerson.house_id)
        .join(Building, Building.id == House.building_id)
        .where(
            HousePerson.owner_id.in_(ids),
            HousePerson.person_from <= today,
            or_(HousePerson.person_until.is_(None), HousePerson.person_until > today),
            houses_in_scope(actor),
        )
        .order_by(House.id)
    )
    houses: dict[int, list[FoundHouse]] = {}
    for owner_id, role, house_id, building, unit_no, room_no, use, owed_fen in rows:
        houses.setdefault(owner_id, []).append(
            FoundHouse(
                house_id,
                house_label(building, unit_no, room_no),
                role,
                ROLE_SHOWN[role],
                HouseState(use) if use else None,
                int(owed_fen) if role in OWNING_ROLES else 0,
            )
        )
    return houses


def _read_bindings(session: Session, ids: Sequence[int]) -> dict[int, BindingFilter]:
    found = dict.fromkeys(
        session.scalars(
            select(HousePerson.owner_id)
            .join(BindingApplication, BindingApplication.house_id == HousePerson.house_id)
            .where(HousePerson.owner_id.in_(ids), BindingApplication.state == "pending")
        ).all(),
        BindingFilter.PENDING,
    )
    found |= dict.fromkeys(
        session.scalars(
            select(HouseBinding.owner_id).where(
                HouseBinding.owner_id.in_(ids), HouseBinding.status == "active"
            )
        ).all(),
        BindingFilter.BOUND,
    )
    return found
