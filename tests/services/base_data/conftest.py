"""A manager, a house of a community with a property fee, and the steps of changing it."""

from datetime import UTC, date, datetime

import pytest

from tests import factories

DAY = date(2026, 11, 2)
RETIRED_ON = date(2026, 11, 16)


@pytest.fixture(autouse=True)
def november(clock):
    clock.set(datetime(2026, 11, 2, 2, 0, tzinfo=UTC))


@pytest.fixture
def manager(database):
    with database.session() as session:
        return factories.staff(session)


@pytest.fixture
def house(database):
    with database.session() as session:
        building = factories.make_building(session, name="3栋")
        return factories.make_house(session, building=building, unit_no="1", room_no="502")


@pytest.fixture
def item(database, house):
    """A property fee of 2.35 yuan for each ㎡ and month."""
    with database.session() as session:
        community = session.get_one(factories.Community, house.community_id)
        return factories.make_item(session, community=community, billing_timing="in_arrears")


@pytest.fixture
def edit(services, manager, house):
    def edit(changes, seen, reason="房产证更正", **more):
        values = {"actor": manager, "house_id": house.id} | more
        services.house_register.edit(changes=changes, seen=seen, reason=reason, **values)

    return edit


@pytest.fixture
def retire(services, manager, house):
    def retire(retired_on=RETIRED_ON, reason="两户合并", **more):
        values = {"actor": manager, "house_id": house.id} | more
        services.house_register.retire(retired_on=retired_on, reason=reason, **values)

    return retire


@pytest.fixture
def on_file(database, house):
    """The house as it is on file now."""

    def on_file():
        [row] = database.rows("SELECT * FROM house WHERE id = :id", id=house.id)
        return row

    return on_file


@pytest.fixture
def run_month(services, manager, house, database):
    """Draft and generate a month's bills; tell period and amount of the house's, by bill."""

    def run_month(month=date(2026, 10, 1)):
        batch_id = services.batches.draft(
            actor=manager, community_id=house.community_id, month=month
        )
        services.generation.generate(actor=manager, batch_id=batch_id)
        return batch_id, [
            tuple(row.values())
            for row in database.rows(
                "SELECT period_from, amount_fen FROM bill WHERE batch_id = :id"
                " AND house_id = :house AND is_live ORDER BY id",
                id=batch_id,
                house=house.id,
            )
        ]

    return run_month
