"""A house with its owner, an account that is bound to it, and staff who keep owners."""

from dataclasses import dataclass

import pytest

from domain.actors import Actor
from tests import factories


@dataclass
class Place:
    """Who and what there is."""

    community_id: int
    building_id: int
    house_id: int
    owner_id: int
    phone: str
    account_id: int
    owner: Actor
    clerk: Actor
    manager: Actor
    cashier: Actor


@pytest.fixture
def place(database, app):
    with database.session() as session:
        building = factories.make_building(session, name="3栋")
        house = factories.make_house(session, building=building, room_no="502")
        owner = factories.make_owner(
            session, house=house, name="王小明", pinyin="wangxiaoming", initials="wxm"
        )
        account = factories.make_account(session, owner=owner, houses=[house])
        return Place(
            community_id=house.community_id,
            building_id=building.id,
            house_id=house.id,
            owner_id=owner.id,
            phone=owner.phone,
            account_id=account.id,
            owner=factories.owner(account),
            clerk=factories.staff(session, role="customer_service"),
            manager=factories.staff(session, role="manager"),
            cashier=factories.staff(session, role="cashier"),
        )


@pytest.fixture
def sign_up(database):
    """An account of a phone, as somebody who acts."""

    def sign_up(phone):
        with database.session() as session:
            return factories.owner(factories.make_account(session, phone=phone))

    return sign_up


@pytest.fixture
def bindings(database):
    """House, role, status and end of every binding, oldest first."""
    return lambda: [
        (row["house_id"], row["account_id"], row["role"], row["status"], row["ended_because"])
        for row in database.rows("SELECT * FROM house_binding ORDER BY id")
    ]


@pytest.fixture
def last_code(queue, database, simulator):
    """The code that the last SMS to a phone brought."""

    def last_code(phone):
        return database.value(
            "SELECT payload ->> 'code' FROM outbox_message WHERE recipient = :phone"
            " ORDER BY id DESC LIMIT 1",
            phone=phone,
        )

    return last_code
