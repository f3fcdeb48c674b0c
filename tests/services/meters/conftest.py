"""A house with a cold water meter that began at 100, and who may do what with it."""

from datetime import UTC, date, datetime

import pytest
from sqlalchemy import select, text

from models import Building, House, Meter
from tests import factories

TODAY = datetime(2026, 11, 24, 4, tzinfo=UTC)
SEPTEMBER, OCTOBER = date(2026, 9, 30), date(2026, 10, 31)


@pytest.fixture(autouse=True)
def today(clock):
    clock.set(TODAY)


@pytest.fixture
def manager(database):
    with database.session() as session:
        return factories.staff(session, role="manager")


@pytest.fixture
def engineer(database):
    """Reads meters and may do nothing else."""
    with database.session() as session:
        return factories.staff(session, role="engineer")


@pytest.fixture
def house(database):
    with database.session() as session:
        return factories.make_house(session)


@pytest.fixture
def meter(database, house):
    with database.session() as session:
        return factories.make_meter(session, house=house, meter_no="W1")


@pytest.fixture
def put(database):
    """Put readings of a meter on file, as (day, reading) pairs."""

    def put(meter, *readings, **changes):
        with database.session() as session:
            for day, reading in readings:
                factories.make_reading(
                    session, meter=meter, read_on=day, reading=reading, **changes
                )

    return put


@pytest.fixture
def neighbour(database, house):
    """Another house of the building, with a meter of its own."""
    with database.session() as session:
        building = session.get_one(Building, house.building_id)
        other = factories.make_house(session, building=building)
        return factories.make_meter(session, house=other, meter_no="W2")


@pytest.fixture
def bill_water(database):
    """Publish October's water bill of a house; its line names the meters."""

    def bill_water(house_id, *meter_nos, kind="cold_water", **changes):
        with database.session() as session:
            house = session.get_one(House, house_id)
            item = factories.make_item(
                session,
                community=session.get_one(factories.Community, house.community_id),
                charge_method="meter",
                meter_kind=kind,
            )
            bill = factories.make_bill(session, house=house, item=item, **changes)
            bill_id, bill_no = bill.id, bill.bill_no
        segments = ", ".join(f'{{"meter_no": "{meter_no}"}}' for meter_no in meter_nos)
        with database.engine.begin() as connection:
            # A published line cannot be changed, but for setting a scene.
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
            connection.execute(
                text(
                    "UPDATE bill_line SET trace = (trace::jsonb || CAST(:more AS jsonb))::json"
                    " WHERE bill_id = :id"
                ),
                {"more": f'{{"segments": [{segments}]}}', "id": bill_id},
            )
        return bill_no

    return bill_water


@pytest.fixture
def live(database):
    """The live readings of a meter as (day, reading), oldest first."""

    def live(meter):
        rows = database.rows(
            "SELECT read_on, reading FROM meter_reading WHERE meter_id = :id"
            " AND superseded_at IS NULL ORDER BY read_on",
            id=meter.id,
        )
        return [(row["read_on"], row["reading"]) for row in rows]

    return live


@pytest.fixture
def on_file(database):
    """The row of a meter."""

    def on_file(meter_id):
        with database.session() as session:
            return session.execute(select(Meter).where(Meter.id == meter_id)).scalar_one()

    return on_file
