"""A published bill of a house, people who ask and people who decide."""

from dataclasses import dataclass
from datetime import UTC, date, datetime

import pytest

from domain.actors import Actor, Role
from domain.payment_states import PaymentChannel
from domain.periods import add_months
from services.approvals.requests import Payout
from services.payments.money_in import MoneyIn
from tests import factories

PAYOUT = Payout("cash", "陈建", "19900000001")


@dataclass
class Scene:
    """A house that owes 210.02 since October."""

    community_id: int
    house_id: int
    item_id: int
    bill_id: int
    asker: Actor
    manager: Actor
    accountant: Actor


@pytest.fixture(autouse=True)
def november(clock):
    clock.set(datetime(2026, 11, 20, 2, 0, tzinfo=UTC))


@pytest.fixture
def scene(database):
    with database.session() as session:
        community = factories.make_community(session)
        building = factories.make_building(session, community=community)
        house = factories.make_house(session, building=building)
        item = factories.make_item(session, community=community)
        bill = factories.make_bill(session, house=house, item=item, bill_no="OLD000001")
        return Scene(
            community_id=community.id,
            house_id=house.id,
            item_id=item.id,
            bill_id=bill.id,
            asker=factories.staff(session, Role.CUSTOMER_SERVICE),
            manager=factories.staff(session, Role.MANAGER),
            accountant=factories.staff(session, Role.FINANCE),
        )


@pytest.fixture
def ask(services, scene):
    """Ask for something about the bill and give the request's id."""

    def ask(kind, actor=None, bill_id=None, reason="业主申诉", **more):
        request = getattr(services.money_requests, f"request_{kind}")
        return request(
            actor=actor or scene.asker, bill_id=bill_id or scene.bill_id, reason=reason, **more
        )

    return ask


@pytest.fixture
def approve(services, scene):
    return lambda request_id, actor=None, **more: services.money_decisions.approve(
        actor=actor or scene.manager, request_id=request_id, **more
    )


@pytest.fixture
def bill(database, scene):
    def bill():
        return database.rows("SELECT * FROM bill WHERE id = :id", id=scene.bill_id)[0]

    return bill


@pytest.fixture
def pay(services, scene, database):
    """Take cash for the house over the counter."""

    def pay(amount_fen, key="pay-0001"):
        with database.session() as session:
            cashier = factories.staff(session, Role.CASHIER)
        return services.counter.take(
            actor=cashier,
            community_id=scene.community_id,
            house_id=scene.house_id,
            money=MoneyIn(PaymentChannel.CASH, amount_fen, "陈建"),
            client_key=key,
        )

    return pay


@pytest.fixture
def late_fee_rule(database, scene):
    """Half a per mille a day from the day after the due date, 1 December."""
    with database.session() as session:
        item = session.get_one(factories.FeeItem, scene.item_id)
        factories.make_late_fee_rule(session, item=item)
    return date(2026, 12, 1)


@pytest.fixture
def next_month(services, scene, clock, database):
    """Bill, review and publish November; tell the bills of it."""

    def next_month(before_approval=lambda: None):
        clock.set(datetime(2026, 12, 2, 2, 0, tzinfo=UTC))
        batch_id = services.batches.draft(
            actor=scene.accountant, community_id=scene.community_id, month=date(2026, 11, 1)
        )
        services.generation.generate(actor=scene.accountant, batch_id=batch_id)
        for one in services.bill_findings.list_findings(actor=scene.manager, batch_id=batch_id):
            services.bill_findings.tick(
                actor=scene.manager,
                batch_id=batch_id,
                kind=one.kind,
                fee_item_id=one.fee_item_id,
                row_count=one.row_count,
            )
        before_approval()
        services.batches.approve(actor=scene.manager, batch_id=batch_id)
        services.publication.publish(actor=scene.manager, batch_id=batch_id)
        return database.rows("SELECT * FROM bill WHERE batch_id = :id", id=batch_id)

    return next_month


@pytest.fixture
def another_bill(database, scene):
    """Bill the house for an earlier month as well and give the bill's id."""

    def another_bill(amount_fen, since=date(2026, 9, 1)):
        with database.session() as session:
            return factories.make_bill(
                session,
                house=session.get_one(factories.House, scene.house_id),
                item=session.get_one(factories.FeeItem, scene.item_id),
                lines=(amount_fen,),
                period_from=since,
                period_until=add_months(since, 1),
            ).id

    return another_bill
