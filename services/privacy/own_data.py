"""All that is held about one account, as the register of personal data says.

Every exported line of the register names columns of a table; here stands which of its rows are
about the account. Nothing is about it only because of its house: money and houses are told for the
days in which its owner held them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select, text
from sqlalchemy.orm import Session

from domain.bill_states import OWNER_SEES
from domain.house_roles import ROLE_SHOWN
from domain.houses import house_label
from domain.periods import SHANGHAI
from domain.personal_data import Held
from domain.register import REGISTER
from models import Building, House
from services.logs import mask

_OWN_PHONE = "(SELECT phone FROM account WHERE id = :account_id)"
_SINCE = "(SELECT created_at - interval '5 minutes' FROM account WHERE id = :account_id)"
"""The phone was somebody else's before; the code of the first sign-in came just before it."""
_OWNERS = f"(SELECT owner_id FROM owner_phone WHERE opens_houses AND phone = {_OWN_PHONE})"  # noqa: S608
_NAMES = f"(SELECT name FROM owner WHERE id IN {_OWNERS})"  # noqa: S608
_ORDERS = "(SELECT id FROM payment_order WHERE account_id = :account_id)"
_PAYMENTS = f"(SELECT id FROM payment WHERE order_id IN {_ORDERS})"  # noqa: S608
_PHONES = {"phone", "payee_phone", "recipient"}
_OPENIDS = "(SELECT openid FROM wechat_identity WHERE account_id = :account_id)"


def _held(house: str, first: str, last: str) -> str:
    """Hold to what lies in the days in which the owner held a house."""
    return (
        f"EXISTS (SELECT FROM house_person part WHERE part.house_id = {house}"
        f" AND part.owner_id IN {_OWNERS} AND part.role IN ('title_holder', 'co_owner')"
        f" AND part.person_from <= {last}"
        f" AND (part.person_until IS NULL OR part.person_until > {first}))"
    )


def _day(column: str) -> str:
    return f"(t.{column} AT TIME ZONE 'Asia/Shanghai')::date"


_STATES = ", ".join(f"'{state}'" for state in sorted(OWNER_SEES))
WHOSE: Mapping[str, str] = {
    "account": "t.id = :account_id",
    "wechat_identity": "t.account_id = :account_id",
    "stored_file": "t.account_id = :account_id",
    "session_token": "t.account_id = :account_id",
    "login_code": f"t.phone = {_OWN_PHONE} AND t.created_at >= {_SINCE}",
    "consent": "t.account_id = :account_id",
    "owner": f"t.id IN {_OWNERS}",
    "owner_phone": f"t.owner_id IN {_OWNERS}",
    "house_person": f"t.owner_id IN {_OWNERS}",
    "house": f"t.id IN (SELECT house_id FROM house_person WHERE owner_id IN {_OWNERS})",  # noqa: S608
    "house_binding": "t.account_id = :account_id",
    "binding_application": "t.account_id = :account_id",
    "house_invitation": (
        f"t.invited_by_account_id = :account_id"
        f" OR t.phone = {_OWN_PHONE} AND t.created_at >= {_SINCE}"
    ),
    "phone_reveal": f"t.owner_id IN {_OWNERS}",
    "car": f"t.owner_id IN {_OWNERS}",
    "parking_space": f"t.owner_id IN {_OWNERS}",
    "bill": (
        f"t.is_live AND t.state IN ({_STATES})"
        f" AND {_held('t.house_id', 't.period_from', 't.period_until - 1')}"
    ),
    "payment_order": "t.account_id = :account_id",
    "payment": f"t.order_id IN {_ORDERS}",
    "receipt": f"t.payment_id IN {_PAYMENTS}",
    "prepaid_entry": (
        "EXISTS (SELECT FROM prepaid_account a WHERE a.id = t.account_id"
        f" AND {_held('a.house_id', _day('created_at'), _day('created_at'))})"
    ),
    "deposit": (
        f"t.payer_name IN {_NAMES}"
        f" AND {_held('t.house_id', _day('created_at'), _day('created_at'))}"
    ),
    "refund": f"t.payment_id IN {_PAYMENTS}",
    "outbox_message": (
        f"(t.recipient = {_OWN_PHONE} OR t.recipient IN {_OPENIDS} OR t.account_id = :account_id)"
        f" AND t.created_at >= {_SINCE}"
    ),
}
"""Which rows of a table, as ``t``, are about ``:account_id``."""


@dataclass(frozen=True, slots=True)
class Part:
    """One table of a copy: its columns with what they are, and its rows in that order."""

    table: str
    title: str
    columns: Mapping[str, str]
    rows: Sequence[Sequence[Any]]


def exported_columns(register: Sequence[Held] = REGISTER) -> dict[str, tuple[str, dict[str, str]]]:
    """Tell of each exported table its title and columns, in the register's order."""
    found: dict[str, tuple[str, dict[str, str]]] = {}
    for held in register:
        if held.exported:
            _, columns = found.setdefault(held.table, (held.title, {}))
            columns.update(held.columns)
            columns.update(held.facts)
    return found


def gather(session: Session, account_id: int) -> list[Part]:
    """Read every exported table of the register for one account.

    Phones that are not the account's own are masked: a second phone of an owner may be another's.
    """
    values = {"account_id": account_id}
    own_phone = session.execute(text(f"SELECT {_OWN_PHONE}"), values).scalar_one()
    found = [
        (table, title, columns, _read(session, table, columns, values))
        for table, (title, columns) in exported_columns().items()
    ]
    houses = _name_houses(session, [(columns, rows) for _, _, columns, rows in found])
    return [
        Part(
            table,
            title,
            columns,
            [
                [_tell(*cell, own_phone, houses) for cell in zip(columns, row, strict=True)]
                for row in rows
            ],
        )
        for table, title, columns, rows in found
    ]


def _read(
    session: Session, table: str, columns: Mapping[str, str], values: Mapping[str, int]
) -> Sequence[Row[Any]]:
    names = ", ".join(f"t.{column}" for column in columns)
    # All of it is from the register and the table above.
    query = f"SELECT {names} FROM {table} t WHERE {WHOSE[table]} ORDER BY 1"  # noqa: S608
    return session.execute(text(query), values).all()


def _name_houses(
    session: Session, found: Sequence[tuple[Mapping[str, str], Sequence[Row[Any]]]]
) -> dict[int, str]:
    ids = {
        row[list(columns).index("house_id")]
        for columns, rows in found
        if "house_id" in columns
        for row in rows
    }
    return {
        house_id: house_label(building, unit_no, room_no)
        for house_id, building, unit_no, room_no in session.execute(
            select(House.id, Building.name, House.unit_no, House.room_no)
            .join(Building, Building.id == House.building_id)
            .where(House.id.in_(ids))
        )
    }


def _tell(column: str, value: Any, own_phone: str, houses: Mapping[int, str]) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(SHANGHAI).isoformat(timespec="seconds")
    if column == "house_id":
        return houses.get(value, "")
    if column == "role":
        return ROLE_SHOWN.get(value, value)
    if column in _PHONES and value and value != own_phone:
        return mask(value)
    return value
