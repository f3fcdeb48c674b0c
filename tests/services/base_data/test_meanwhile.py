"""What is added or changed while somebody else changes what it belongs to."""

import threading
import time

import pytest
from sqlalchemy import text

from domain.errors import NotFound
from services.base_data.changes import IsRetired
from tests import factories


@pytest.fixture
def while_open(database):
    """Begin acts while a change of the database is open; give what each raised after its end."""

    def while_open(sql, acts, **values):
        raised = [None] * len(acts)

        def run(number, act):
            try:
                act()
            except Exception as error:  # noqa: BLE001 - handed to the test
                raised[number] = error

        with database.engine.connect() as slow:
            slow.execute(text(sql), values)
            threads = [
                threading.Thread(target=run, args=(number, act)) for number, act in enumerate(acts)
            ]
            for thread in threads:
                thread.start()
            deadline = time.monotonic() + 10
            waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            while database.value(waiting) < len(acts) and any(
                map(threading.Thread.is_alive, threads)
            ):
                assert time.monotonic() < deadline
                time.sleep(0.01)
            slow.commit()
        for thread in threads:
            thread.join()
        return raised

    return while_open


def test_nothing_is_added_to_a_community_that_is_being_retired(
    services, manager, house, while_open, database
):
    where = {"actor": manager, "community_id": house.community_id}

    raised = while_open(
        "UPDATE community SET is_active = false, retired_on = '2026-11-01' WHERE id = :id",
        [
            lambda: services.car_register.add(car={"plate_no": "粤B96741"}, **where),
            lambda: services.space_register.add(
                space={"space_no": "B1-001", "right_kind": "owned"}, **where
            ),
            lambda: services.building_register.add(building={"name": "9栋"}, **where),
        ],
        id=house.community_id,
    )

    assert [type(error) for error in raised] == [IsRetired] * 3
    for table in ("car", "parking_space"):
        assert database.value(f"SELECT count(*) FROM {table}") == 0


def test_whoever_worked_for_its_building_of_before_changes_a_moved_house_no_more(
    services, house, while_open, database, on_file
):
    with database.session() as session:
        community = session.get_one(factories.Community, house.community_id)
        other = factories.make_building(session, community=community, name="8栋").id
        building = session.get_one(factories.Building, house.building_id)
        near = factories.staff(session, scope=factories.scope_of_building(building))

    raised = while_open(
        "UPDATE house SET building_id = :other WHERE id = :id",
        [
            lambda: services.house_register.edit(
                actor=near,
                house_id=house.id,
                changes={"note": "x"},
                seen={"note": ""},
                reason="x",
            )
        ],
        other=other,
        id=house.id,
    )

    assert [type(error) for error in raised] == [NotFound]
    assert on_file()["note"] == ""
