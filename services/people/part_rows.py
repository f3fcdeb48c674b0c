"""Parts of people in houses as rows: reading, writing and ending them; steps of many acts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from domain.actors import Actor
from domain.bill_states import OWNER_SEES
from domain.errors import InvalidInput
from domain.house_roles import NO_DECISION, OWNING_ROLES, ROLE_SHOWN, Rights, rights_of
from domain.periods import local_date
from domain.phones import mask_phone
from domain.transfers import check_shares
from models import Bill, HouseBinding, HousePerson, HouseTransfer, Owner, PersonRole
from services.people.endings import end_bindings
from services.people.rows import put_rights, rights_on
from services.unit_of_work import Transaction

_ROLE_ORDER = ("title_holder", "co_owner", "family", "tenant", "contact")


@dataclass(frozen=True, slots=True)
class PersonView:
    """Somebody's part in a house; ``rights`` is what they come to, owners' decisions included."""

    id: int
    owner_id: int
    name: str
    phone_masked: str
    role: str
    role_shown: str
    share_ratio: str | None
    person_from: date
    person_until: date | None
    rights: Rights
    is_bound: bool


@dataclass(frozen=True, slots=True)
class NewPart:
    """Who is to be what in a house, and when; without ``person_from`` since today."""

    owner_id: int
    role: PersonRole
    share_ratio: Decimal | None = None
    person_from: date | None = None
    person_until: date | None = None
    rights: Rights = NO_DECISION


def add_part(tx: Transaction, house_id: int, part: NewPart) -> HousePerson:
    """Write a part that was checked; a step."""
    row = HousePerson(
        house_id=house_id,
        owner_id=part.owner_id,
        role=part.role,
        share_ratio=part.share_ratio,
        person_from=part.person_from or local_date(tx.now),
        person_until=part.person_until,
    )
    put_rights(row, part.rights)
    tx.session.add(row)
    tx.session.flush()
    return row


def end_part(
    tx: Transaction, actor: Actor, row: HousePerson, until: date, *, because: str
) -> list[int]:
    """End a part from a day on, with its bindings; tell the ids of those ended now; a step."""
    row.person_until = until
    tx.session.flush()
    of_part = (HouseBinding.house_id == row.house_id) & (HouseBinding.owner_id == row.owner_id)
    if until <= local_date(tx.now):
        return [one.id for one in end_bindings(tx, actor, of_part, because=because)]
    tx.session.execute(
        update(HouseBinding)
        .where(of_part, HouseBinding.status == "active")
        .values(live_until=until)
    )
    return []


def owning_parts(tx: Transaction, house_id: int, day: date) -> Sequence[HousePerson]:
    """Read the parts of those who own a house on a day, by id."""
    return tx.session.scalars(
        select(HousePerson)
        .where(
            HousePerson.house_id == house_id,
            HousePerson.role.in_(OWNING_ROLES),
            HousePerson.person_from <= day,
            or_(HousePerson.person_until.is_(None), HousePerson.person_until > day),
        )
        .order_by(HousePerson.id)
    ).all()


def check_house_shares(tx: Transaction, house_id: int, day: date) -> None:
    """Refuse shares of a house that cannot be those of its owners on a day or today.

    Raises:
        SharesDoNotAddUp: they are above 1, or all given and below it.
    """
    for when in {day, local_date(tx.now)}:
        check_shares([row.share_ratio for row in owning_parts(tx, house_id, when)])


def check_part(part: NewPart) -> None:
    """Refuse a part that cannot be.

    Raises:
        InvalidInput: the days are not in order, or a share or right is not one of its role.
    """
    fields: dict[str, list[str]] = {}
    if part.share_ratio is not None:
        if part.role not in OWNING_ROLES:
            fields["share_ratio"] = ["只有产权人和共有人有份额"]
        elif not 0 < part.share_ratio <= 1:
            fields["share_ratio"] = ["应大于 0，不超过 1"]
    if part.person_from and part.person_until and part.person_until <= part.person_from:
        fields["person_until"] = ["应晚于开始日期"]
    if part.role in OWNING_ROLES and part.rights != Rights():
        fields["rights"] = ["业主本人拥有全部权限，不能限制"]
    if fields:
        raise InvalidInput(fields=fields)


def has_history(tx: Transaction, row: HousePerson) -> bool:
    """Tell whether bills, bindings or a transfer rest on a part."""
    billed = select(Bill.id).where(
        Bill.house_id == row.house_id,
        Bill.is_live,
        Bill.state.in_(OWNER_SEES),
        Bill.period_until > row.person_from,
        *([Bill.period_from < row.person_until] if row.person_until else []),
    )
    bound = select(HouseBinding.id).where(
        HouseBinding.house_id == row.house_id, HouseBinding.owner_id == row.owner_id
    )
    moved = select(HouseTransfer.id).where(
        HouseTransfer.house_id == row.house_id,
        HouseTransfer.undone_at.is_(None),
        HouseTransfer.cut_on.in_([row.person_from, row.person_until]),
    )
    asked = [query.limit(1) for query in (billed, bound, moved)]
    if row.role not in OWNING_ROLES:
        asked = asked[1:]
    return any(tx.session.scalars(query).first() is not None for query in asked)


def read_people(session: Session, house_id: int) -> list[PersonView]:
    """Read all who are, were or will be somebody to a house, owners first."""
    bound = (
        select(func.count())
        .select_from(HouseBinding)
        .where(
            HouseBinding.house_id == HousePerson.house_id,
            HouseBinding.owner_id == HousePerson.owner_id,
            HouseBinding.status == "active",
        )
        .scalar_subquery()
    )
    rows = session.execute(
        select(HousePerson, Owner.name, Owner.phone, bound)
        .join(Owner, Owner.id == HousePerson.owner_id)
        .where(HousePerson.house_id == house_id)
        .order_by(HousePerson.id)
    ).all()
    rows = sorted(rows, key=lambda found: _ROLE_ORDER.index(found[0].role))
    return [
        PersonView(
            row.id,
            row.owner_id,
            name,
            mask_phone(phone),
            row.role,
            ROLE_SHOWN[row.role],
            show_share(row.share_ratio),
            row.person_from,
            row.person_until,
            rights_of(row.role, rights_on(row)),
            bindings > 0,
        )
        for row, name, phone, bindings in rows
    ]


def show_share(share: Decimal | None) -> str | None:
    """Show a share as people write it, such as ``0.5``."""
    return None if share is None else f"{share.normalize():f}"


def part_facts(row: HousePerson) -> dict[str, Any]:
    """Tell what a part is, for the record."""
    return {
        "owner_id": row.owner_id,
        "role": row.role,
        "share_ratio": show_share(row.share_ratio),
        "person_from": row.person_from.isoformat(),
        "person_until": row.person_until.isoformat() if row.person_until else None,
        "may_see_bills": row.may_see_bills,
        "may_pay": row.may_pay,
        "may_report": row.may_report,
    }
