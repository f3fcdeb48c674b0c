"""A house that owes money, and a cashier."""

from dataclasses import dataclass, field
from datetime import date, timedelta

import pytest

from domain.actors import Actor
from domain.payment_states import PaymentChannel
from domain.periods import local_date
from services.payments.money_in import MoneyIn
from tests import factories


@dataclass
class Scene:
    """A house of a community with one item, and staff; bills are added by the tests."""

    community_id: int
    house_id: int
    item_id: int
    cashier: Actor
    manager: Actor
    numbers: list[date] = field(default_factory=list)


@pytest.fixture
def today(clock):
    return lambda: local_date(clock.now())


@pytest.fixture
def scene(database, app):
    with database.session() as session:
        house = factories.make_house(session)
        community = session.get_one(factories.Community, house.community_id)
        item = factories.make_item(session, community=community)
        return Scene(
            community_id=community.id,
            house_id=house.id,
            item_id=item.id,
            cashier=factories.staff(session, role="cashier"),
            manager=factories.staff(session, role="manager"),
        )


@pytest.fixture
def add_bill(database, scene, today):
    """Add a bill of the house, so many days late; days below zero are still to come."""

    def add_bill(*lines, days_late=0, item_id=None, house_id=None, **changes):
        with database.session() as session:
            due = today() - timedelta(days=days_late)
            first = due.replace(day=1) - timedelta(days=len(scene.numbers) * 40)
            scene.numbers.append(first)
            return factories.make_bill(
                session,
                house=session.get_one(factories.House, house_id or scene.house_id),
                item=session.get_one(factories.FeeItem, item_id or scene.item_id),
                lines=lines,
                **(
                    {
                        "due_date": due,
                        "issue_date": due - timedelta(days=30),
                        "period_from": first,
                        "period_until": first + timedelta(days=30),
                    }
                    | changes
                ),
            ).id

    return add_bill


@pytest.fixture
def charge_late(database, scene):
    """Let the item have a late fee."""

    def charge_late(item_id=None, **changes):
        with database.session() as session:
            item = session.get_one(factories.FeeItem, item_id or scene.item_id)
            return factories.make_late_fee_rule(session, item=item, **changes).id

    return charge_late


@pytest.fixture
def take(services, scene):
    """Take cash over the counter for the house."""
    keys = iter(range(1000))

    def take(amount_fen, named=(), key=None, house_id=None, **changes):
        money = {"channel": PaymentChannel.CASH, "amount_fen": amount_fen, "payer_name": "王五"}
        return services.counter.take(
            actor=scene.cashier,
            community_id=scene.community_id,
            house_id=house_id or scene.house_id,
            money=MoneyIn(**(money | changes)),
            named_bill_ids=named,
            client_key=key or f"counter-{next(keys):04d}",
        )

    return take


@pytest.fixture
def bill(database):
    """State, amount and paid fen of a bill."""

    def bill(bill_id):
        [row] = database.rows(
            "SELECT state, amount_fen, paid_fen FROM bill WHERE id = :id", id=bill_id
        )
        return tuple(row.values())

    return bill


@pytest.fixture
def late_fee(database):
    """What is stored of a bill's late fee: paid, waived, frozen."""

    def late_fee(bill_id):
        rows = database.rows(
            "SELECT paid_fen, waived_fen, frozen_fen FROM bill_late_fee WHERE bill_id = :id",
            id=bill_id,
        )
        return tuple(rows[0].values()) if rows else None

    return late_fee


@pytest.fixture
def balance(database, scene):
    """Balances of the house's prepaid accounts by item."""

    def balance(house_id=None):
        return {
            row["fee_item_id"]: row["balance_fen"]
            for row in database.rows(
                "SELECT fee_item_id, balance_fen FROM prepaid_account WHERE house_id = :id",
                id=house_id or scene.house_id,
            )
        }

    return balance
