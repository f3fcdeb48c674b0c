"""Rows of people that a member of staff may touch: what is out of scope is not there."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from domain.actors import Actor
from domain.errors import Conflict, InvalidInput, NotFound
from domain.house_roles import Rights
from models import Building, Community, House, HouseBinding, HouseInvitation, HousePerson, Owner
from services.scopes import houses_in_scope, in_scope
from services.unit_of_work import Transaction, UnitOfWork, violates

T = TypeVar("T")

_NAME_LENGTHS = range(1, 51)
_NOTE_LIMIT = 200
_PHONE_RULES = ("uq_owner_phone", "uq_owner_phone_community_id")


class PhoneTaken(Conflict):
    """Another owner of the community has the phone."""

    code = "phone_taken"
    message = "该手机号已登记在本小区另一位业主名下"


def owners_in_scope(actor: Actor) -> ColumnElement[bool]:
    """Hold rows of `Owner` to those in scope: of whole communities, or with a house in scope."""
    whole = in_scope(Owner.community_id, actor)
    if not actor.scope.building_ids:
        return whole
    has_house = (
        select(HousePerson.id)
        .join(House, House.id == HousePerson.house_id)
        .where(HousePerson.owner_id == Owner.id, houses_in_scope(actor))
        .exists()
    )
    return or_(whole, has_house)


def lock_owner(tx: Transaction, actor: Actor, owner_id: int) -> Owner:
    """Lock an owner in scope.

    Raises:
        NotFound: there is none.
    """
    owner = tx.session.execute(
        select(Owner)
        .where(Owner.id == owner_id, owners_in_scope(actor))
        .with_for_update()
        .execution_options(populate_existing=True)
    ).scalar_one_or_none()
    if owner is None:
        raise NotFound
    return owner


def check_community(session: Session, actor: Actor, community_id: int) -> None:
    """Refuse a community that is not wholly in scope.

    Raises:
        NotFound: there is none.
    """
    found = session.scalars(
        select(Community.id).where(Community.id == community_id, in_scope(Community.id, actor))
    ).first()
    if found is None:
        raise NotFound


def house_names() -> tuple[ColumnElement[str], ColumnElement[str], ColumnElement[str]]:
    """The columns that `domain.houses.house_label` makes a name of."""
    return Building.name, House.unit_no, House.room_no  # type: ignore[return-value]


def check_words(**words: str | None) -> None:
    """Refuse a name or notes that cannot be kept.

    Raises:
        InvalidInput: ``fields`` says which and why.
    """
    fields: dict[str, list[str]] = {}
    for field, text in words.items():
        if text is None:
            continue
        if not text.replace("\n", "").isprintable():
            fields[field] = ["含有不能显示的字符"]
        elif field == "name" and len(text.strip()) not in _NAME_LENGTHS:
            fields[field] = ["请填写姓名，50 字以内"]
        elif len(text) > _NOTE_LIMIT:
            fields[field] = [f"请在 {_NOTE_LIMIT} 个字以内"]
    if words.get("email") and "@" not in str(words["email"])[1:-1]:
        fields["email"] = ["邮箱格式不对"]
    if fields:
        raise InvalidInput(fields=fields)


def run_with_phone(unit_of_work: UnitOfWork, work: Callable[[Transaction], T]) -> T:
    """Run work that writes a phone.

    Raises:
        PhoneTaken: another owner of the community has it.
    """
    try:
        return unit_of_work.run(work)
    except IntegrityError as error:
        if any(violates(error, rule) for rule in _PHONE_RULES):
            raise PhoneTaken from error
        raise


_HasRights = HousePerson | HouseBinding | HouseInvitation


def rights_on(row: _HasRights) -> Rights:
    """Read the rights that somebody decided on a row."""
    return Rights(row.may_see_bills, row.may_pay, row.may_report)


def put_rights(row: _HasRights, rights: Rights) -> None:
    """Write decided rights on a row."""
    row.may_see_bills, row.may_pay, row.may_report = (
        rights.may_see_bills,
        rights.may_pay,
        rights.may_report,
    )
