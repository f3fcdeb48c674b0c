"""Owners who are signed in, and what the payment platform tells us about them."""

from dataclasses import dataclass
from typing import Any

import pytest

from models import Building
from tests import factories
from tests.world import miniapp_of

PHONE = "19900000001"
KEY = "key-00000001"


@dataclass
class SignedIn:
    """An owner on their device."""

    client: Any
    token: str
    phone: str
    account_id: int
    house_id: int
    community_id: int
    bill_ids: list[int]

    def call(self, method, path, *, headers=None, **more):
        headers = {"Authorization": f"Bearer {self.token}"} | (headers or {})
        return self.client.open(f"/api/v1{path}", method=method, headers=headers, **more)

    def get(self, path, **more):
        return self.call("GET", path, **more)

    def start(self, bill_ids=None, *, key=KEY):
        body = {"bill_ids": bill_ids or self.bill_ids}
        return self.call("POST", "/payments", json=body, headers={"Idempotency-Key": key})

    def started(self, bill_ids=None, *, key=KEY):
        answer = self.start(bill_ids, key=key)
        assert answer.status_code == 201, answer.text
        return answer.json["payment"]


@pytest.fixture
def make_signed_in(database, client, services, simulator):
    """Make an owner with a house, bills and a WeChat, signed in on one device."""

    def make(
        *amounts_fen,
        phone=PHONE,
        building_id=None,
        binding_role="owner",
        owner_name="王小明",
        **changes,
    ):
        person = simulator.person(phone)
        with database.session() as session:
            building = session.get(Building, building_id) if building_id else None
            house = factories.make_house(session, building=building)
            owner = factories.make_owner(session, house=house, phone=phone, name=owner_name)
            account = factories.make_account(
                session, owner=owner, houses=[house], binding_role=binding_role
            )
            factories.make_identity(
                session,
                account=account,
                appid=miniapp_of(services),
                openid=person["openid_miniapp"],
            )
            return SignedIn(
                client=client,
                token=factories.make_session(session, account=account),
                phone=phone,
                account_id=account.id,
                house_id=house.id,
                community_id=house.community_id,
                bill_ids=[
                    factories.make_bill(session, house=house, lines=(fen,), **changes).id
                    for fen in amounts_fen
                ],
            )

    return make


@pytest.fixture
def owner(make_signed_in):
    return make_signed_in(21002, 1200)


@pytest.fixture
def staff_key(database):
    """The key of a program that belongs to an engineer."""
    with database.session() as session:
        staff = factories.make_staff(session, role="engineer")
        return factories.make_staff_token(session, staff=staff)


@pytest.fixture
def craft(simulator):
    """Make a payment notice that nobody sends; `faults` spoil it."""

    def craft(out_trade_no=None, **asked):
        return simulator.post("craft/pay_callback", out_trade_no=out_trade_no, **asked)

    return craft


@pytest.fixture
def notify(client):
    """Post a notice as the platform would."""

    def notify(crafted):
        return client.post("/notify/wechatpay", data=crafted["body"], headers=crafted["headers"])

    return notify


@pytest.fixture
def money(database):
    """All that a notice may change, as it stands."""

    def money():
        return {
            table: database.rows(f"SELECT * FROM {table} ORDER BY 1, 2")
            for table in (
                "allocation",
                "bill",
                "bill_lock",
                "outbox_message",
                "payment",
                "payment_order",
                "receipt",
                "suspense",
            )
        }

    return money
