"""F36: an import is killed in mid-chunk, goes on by itself, and ends like one left in peace."""

import io
import os
import signal
import time
from datetime import datetime

import pytest
import xlsxwriter

from domain.actors import Role
from domain.imports import ImportKind
from jobs.worker import Ticker
from services.imports.house_owners import CHUNK_HOUSES
from services.timetable import TIMETABLE
from tests import factories
from tests.faults.rig import IS_FULL, children_of, report, sized, until
from tests.services.imports.conftest import HEADER

ROWS = sized(3 * CHUNK_HOUSES, 50_000)
ROOMS_OF_A_BUILDING = 200
TAKEN_OVER_WITHIN_S = 60

pytestmark = [pytest.mark.fault, pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def content():
    """A sheet in which every third house has two owners and every seventh row an error."""
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"constant_memory": True}) as book:
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        sheet = book.add_worksheet("房屋业主")
        sheet.write_row(0, 0, HEADER)
        for number in range(ROWS):
            line = one(number)
            sheet.write_row(number + 1, 0, line)
            sheet.write_datetime(number + 1, HEADER.index("交付日期"), datetime(2020, 6, 1), day)  # noqa: DTZ001  # a cell has no time zone
    return out.getvalue()


def one(number):
    building, room = divmod(number, ROOMS_OF_A_BUILDING)
    names, phones = [f"业主{number}"], [f"1990{number:07d}"]
    if number % 3 == 0:
        names.append(f"共有{number}")
        phones.append(f"1880{number:07d}")
    area = 0 if number % 7 == 0 else 80 + number % 40
    line = [f"{building + 1}栋", "1", 1, str(room + 101), "两室", area, 60, None]
    return [*line, "、".join(names), "、".join(phones), None]


@pytest.fixture
def hand_in(services, database, content):
    """Hand the sheet in for a community of its own, and have it imported; gives both ids."""

    def hand_in(run):
        with database.session() as session:
            community = factories.make_community(session)
            clerk = factories.staff(session, role=Role.CUSTOMER_SERVICE)
        desk = services.import_workbench
        batch_id = desk.upload(
            actor=clerk,
            community_id=community.id,
            kind=ImportKind.OWNERS,
            content=content,
            file_name="业主.xlsx",
        )
        run()
        desk.carry_out(actor=clerk, batch_id=batch_id)
        return community.id, batch_id

    return hand_in


@pytest.fixture
def outcome(database):
    """All that an import leaves, by what people would call it: ids differ from run to run."""

    def outcome(community_id):
        return database.rows(
            "SELECT building.name AS building, unit_no, room_no, floor_no, layout, building_area,"
            " inner_area, billing_area, handover_date, state, occupied_from, owner.name, phone,"
            " role, share_ratio, person_from"
            " FROM house JOIN building ON building.id = building_id"
            " JOIN occupancy ON occupancy.house_id = house.id"
            " JOIN house_person ON house_person.house_id = house.id"
            " JOIN owner ON owner.id = owner_id"
            " WHERE house.community_id = :id ORDER BY 1, 2, 3, phone",
            id=community_id,
        )

    return outcome


@pytest.fixture
def half_done(database):
    """Houses that lack what came with them."""
    return lambda: database.value(
        "SELECT count(*) FROM house"
        " WHERE NOT EXISTS (SELECT FROM house_person WHERE house_id = house.id)"
        " OR NOT EXISTS (SELECT FROM occupancy WHERE house_id = house.id)"
    )


def test_it_goes_on_by_itself_and_ends_like_one_left_in_peace(
    app, hand_in, outcome, half_done, database, queue, start, enqueue, clock
):
    peaceful_id, _ = hand_in(queue.run)
    queue.run()
    community_id, batch_id = hand_in(queue.run)

    def look(column):
        return database.value(f"SELECT {column} FROM import_batch WHERE id = :id", id=batch_id)

    enqueue("work_imports")
    worker = start("jobs", "work")
    until(lambda: look("rows_done") > 0, every_s=0.002)
    with database.engine.connect() as connection:
        # The chunk that runs now has written houses and waits for its owners when it is killed.
        connection.exec_driver_sql("BEGIN; LOCK TABLE owner IN SHARE ROW EXCLUSIVE MODE")
        [horse] = until(lambda: children_of(worker.pid))
        until(
            lambda: database.value(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE wait_event_type = 'Lock' AND query LIKE 'COPY owner %'"
            )
        )
        for pid in (worker.pid, horse):
            os.kill(pid, signal.SIGKILL)
        worker.wait()
        connection.rollback()
    cut_off_at = look("rows_done")
    assert 0 < cut_off_at < look("rows_total")
    assert look("state") == "importing"
    assert half_done() == 0

    began = time.monotonic()
    if IS_FULL:
        start("jobs", "tick")
    else:
        clock.advance(seconds=60)
        ticker = Ticker(app)
        for entry in TIMETABLE:
            ticker.tick(entry)
    until(lambda: look("state") != "importing", within_s=600)
    report("F36", rows=ROWS, cut_off_at=cut_off_at, ended_after_s=time.monotonic() - began)

    assert look("state") == "finished"
    assert half_done() == 0
    assert len(outcome(community_id)) > ROWS
    assert outcome(community_id) == outcome(peaceful_id)
    twin = database.rows("SELECT counts, problems, rows_done FROM import_batch ORDER BY id")
    assert twin[0] == twin[1]
