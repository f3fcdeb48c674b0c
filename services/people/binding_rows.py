"""Bindings as rows: what shows of one, and making one for somebody on file; steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from domain.actors import Actor
from domain.errors import Conflict
from domain.house_roles import NO_DECISION, OWNING_ROLES, ROLE_SHOWN, Rights, rights_of
from domain.houses import house_label
from domain.periods import local_date
from domain.phones import mask_phone
from models import (
    Account,
    Building,
    Community,
    House,
    HouseBinding,
    HousePerson,
    Owner,
    OwnerPhone,
    PersonRole,
)
from services.audit import record
from services.people.owners import OwnerWords, add_owner
from services.people.part_rows import NewPart, add_part
from services.people.rows import put_rights, rights_on
from services.unit_of_work import Transaction


class AlreadyBound(Conflict):
    """The account is bound to the house already."""

    code = "already_bound"
    message = "该账号已绑定此房屋"


@dataclass(frozen=True, slots=True)
class BindingView:
    """A live binding; ``rights`` is what it comes to."""

    id: int
    house_id: int
    community: str
    house: str
    name: str
    phone_masked: str
    role: str
    role_shown: str
    because: str
    rights: Rights
    live_until: date | None
    created_at: datetime
    is_own: bool


def read_bindings(
    session: Session,
    *where: ColumnElement[bool],
    account_id: int | None = None,
    limit: int = 200,
) -> list[BindingView]:
    """Read live bindings, newest first; ``account_id`` is whose are their own."""
    rows = session.execute(
        select(
            HouseBinding,
            Community.name,
            Building.name,
            House.unit_no,
            House.room_no,
            Owner.name,
            Account.phone,
        )
        .join(House, House.id == HouseBinding.house_id)
        .join(Building, Building.id == House.building_id)
        .join(Community, Community.id == House.community_id)
        .join(Owner, Owner.id == HouseBinding.owner_id)
        .join(Account, Account.id == HouseBinding.account_id)
        .where(HouseBinding.status == "active", *where)
        .order_by(HouseBinding.id.desc())
        .limit(limit)
    ).all()
    return [
        BindingView(
            row.id,
            row.house_id,
            community,
            house_label(building, unit_no, room_no),
            name,
            mask_phone(phone),
            row.role,
            ROLE_SHOWN[row.role],
            row.because,
            rights_of(row.role, rights_on(row)),
            row.live_until,
            row.created_at,
            row.account_id == account_id,
        )
        for row, community, building, unit_no, room_no, name, phone in rows
    ]


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Who is to be bound: the account, and as what with which rights until when."""

    account: Account
    name: str
    role: str
    rights: Rights = NO_DECISION
    until: date | None = None


def find_person(tx: Transaction, house: House, phone: str) -> Owner | None:
    """Find who has a phone in the community of a house.

    A phone whose account was closed is nobody's here: it may be in other hands.
    """
    return tx.session.execute(
        select(Owner)
        .join(OwnerPhone, OwnerPhone.owner_id == Owner.id)
        .where(
            OwnerPhone.community_id == house.community_id,
            OwnerPhone.phone == phone,
            OwnerPhone.opens_houses,
        )
    ).scalar_one_or_none()


def present_part(tx: Transaction, house_id: int, owner_id: int) -> HousePerson | None:
    """Find what an owner is to a house today."""
    today = local_date(tx.now)
    return tx.session.execute(
        select(HousePerson).where(
            HousePerson.house_id == house_id,
            HousePerson.owner_id == owner_id,
            HousePerson.person_from <= today,
            or_(HousePerson.person_until.is_(None), HousePerson.person_until > today),
        )
    ).scalar_one_or_none()


def put_newcomer_on_file(
    tx: Transaction, actor: Actor, house: House, newcomer: Newcomer
) -> tuple[Owner, HousePerson]:
    """Find or write the person of an account and their part as family or tenant of a house.

    Whoever is an owner of the house already stays one.
    """
    person = find_person(tx, house, newcomer.account.phone)
    if person is None:
        person = add_owner(
            tx,
            actor,
            community_id=house.community_id,
            words=OwnerWords(name=newcomer.name),
            phone=newcomer.account.phone,
        )
    part = present_part(tx, house.id, person.id)
    if part is None:
        part = add_part(
            tx,
            house.id,
            NewPart(
                person.id,
                PersonRole(newcomer.role),
                person_until=newcomer.until,
                rights=newcomer.rights,
            ),
        )
    elif part.role == PersonRole.CONTACT:
        part.role, part.person_until = newcomer.role, newcomer.until
        put_rights(part, newcomer.rights)
        tx.session.flush()
    return person, part


def bind(tx: Transaction, actor: Actor, *, account_id: int, part: HousePerson, because: str) -> int:
    """Bind an account as whom a part names and return the binding's id.

    Raises:
        AlreadyBound: it is bound to the house.
    """
    role = "owner" if part.role in OWNING_ROLES else part.role
    binding_id = tx.session.execute(
        insert(HouseBinding)
        .values(
            account_id=account_id,
            house_id=part.house_id,
            owner_id=part.owner_id,
            role=role,
            status="active",
            because=because,
            may_see_bills=part.may_see_bills,
            may_pay=part.may_pay,
            may_report=part.may_report,
            live_until=part.person_until,
            created_at=tx.now,
        )
        .on_conflict_do_nothing()
        .returning(HouseBinding.id)
    ).scalar_one_or_none()
    if binding_id is None:
        raise AlreadyBound
    record(
        tx,
        actor,
        "house_bound",
        subject_type="house",
        subject_id=part.house_id,
        facts={"account_id": account_id, "because": because},
    )
    return binding_id


def owner_house_ids(tx_session: Session, account_id: int, today: date) -> Sequence[int]:
    """List the houses to which an account is bound as an owner today."""
    return tx_session.scalars(
        select(HouseBinding.house_id).where(
            HouseBinding.account_id == account_id,
            HouseBinding.status == "active",
            HouseBinding.role == "owner",
            or_(HouseBinding.live_until.is_(None), HouseBinding.live_until > today),
        )
    ).all()
