"""A community with staff, and the steps of a batch as the people who take them would say them."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from sqlalchemy import text

from domain.actors import Actor
from tests import factories

MONTH = date(2026, 10, 1)


@dataclass
class Desk:
    """Who works at a community: one makes, another reviews and publishes."""

    community_id: int
    maker: Actor
    reviewer: Actor


@pytest.fixture(autouse=True)
def november(clock):
    clock.set(datetime(2026, 11, 2, 2, 0, tzinfo=UTC))


@pytest.fixture
def make_desk(database):
    def make_desk(**community):
        with database.session() as session:
            return Desk(
                community_id=factories.make_community(session, **community).id,
                maker=factories.staff(session),
                reviewer=factories.staff(session),
            )

    return make_desk


@pytest.fixture
def desk(make_desk):
    return make_desk()


@pytest.fixture
def make_houses(database, desk):
    """Put houses of some areas into the community and give their ids."""

    def make_houses(*areas, **changes):
        with database.session() as session:
            community = session.get_one(factories.Community, desk.community_id)
            building = factories.make_building(session, community=community)
            return [
                factories.make_house(
                    session,
                    building=building,
                    building_area=Decimal(area),
                    billing_area=Decimal(area),
                    **changes,
                ).id
                for area in areas
            ]

    return make_houses


@pytest.fixture
def make_item(database, desk):
    def make_item(**changes):
        with database.session() as session:
            community = session.get_one(factories.Community, desk.community_id)
            return factories.make_item(session, community=community, **changes).id

    return make_item


@pytest.fixture
def draft(services, desk):
    def draft(month=MONTH, **more):
        values = {"actor": desk.maker, "community_id": desk.community_id} | more
        return services.batches.draft(month=month, **values)

    return draft


@pytest.fixture
def generate(services, desk):
    return lambda batch_id, **more: services.generation.generate(
        **{"actor": desk.maker, "batch_id": batch_id, **more}
    )


@pytest.fixture
def tick_all(services, desk):
    """Look at every finding of a batch, as a reviewer must before approving it."""

    def tick_all(batch_id):
        findings = services.bill_findings
        found = findings.list_findings(actor=desk.reviewer, batch_id=batch_id)
        for one in found:
            findings.tick(
                actor=desk.reviewer,
                batch_id=batch_id,
                kind=one.kind,
                fee_item_id=one.fee_item_id,
                row_count=one.row_count,
            )
        return [(one.kind, one.item, one.row_count) for one in found]

    return tick_all


@pytest.fixture
def approve(services, desk):
    return lambda batch_id, **more: services.batches.approve(
        **{"actor": desk.reviewer, "batch_id": batch_id, **more}
    )


@pytest.fixture
def publish(services, desk):
    return lambda batch_id, **more: services.publication.publish(
        **{"actor": desk.reviewer, "batch_id": batch_id, **more}
    )


@pytest.fixture
def generated(draft, generate):
    """A batch that waits for its review."""

    def generated(**more):
        batch_id = draft(**more)
        generate(batch_id)
        return batch_id

    return generated


@pytest.fixture
def approved(generated, approve):
    def approved(**more):
        batch_id = generated(**more)
        approve(batch_id)
        return batch_id

    return approved


@pytest.fixture
def bills(database):
    """All bills in the order of their numbers."""
    return lambda: database.rows("SELECT * FROM bill ORDER BY bill_no")


@pytest.fixture
def state(database):
    return lambda batch_id: database.value(
        "SELECT state FROM bill_batch WHERE id = :id", id=batch_id
    )


@pytest.fixture
def tamper(database):
    """Change rows behind the triggers, as somebody with the database's password could."""

    def tamper(sql, **values):
        with database.session() as session:
            session.execute(text("SET LOCAL session_replication_role = replica"))
            changed = session.execute(text(sql), values).rowcount
        assert changed == 1

    return tamper
