import io
import threading
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
import python_calamine

from domain.actors import Permission
from domain.errors import InvalidInput, NotAllowed, NotFound
from domain.reading_sheet import SHEET_NAME
from domain.sheets import HeaderMissing
from models import Building, Community
from services.imports import meter_readings
from services.imports.batches import ImportRunning
from tests import factories
from tests.factories import actor_without
from tests.services.imports.conftest import workbook
from tests.world import ROOT

HEADER = ["楼栋", "单元", "房号", "表号", "表类型", "抄表日期", "读数(吨)"]
AUGUST, SEPTEMBER, OCTOBER = date(2026, 8, 31), date(2026, 9, 30), date(2026, 10, 31)


def row(room_no="101", meter_no=None, day=AUGUST, reading=591.75, *, building="1栋", kind="冷水"):
    return [building, "1单元", room_no, meter_no or f"W{room_no}", kind, day, reading]


def sheet(*rows, header=HEADER, **more):
    return workbook(*rows, header=header, **{"title": SHEET_NAME} | more)


@pytest.fixture(autouse=True)
def today(clock):
    clock.set(datetime(2026, 11, 24, 4, tzinfo=UTC))


@pytest.fixture
def community_id(database):
    """A community with three houses in 1栋."""
    with database.session() as session:
        community = factories.make_community(session)
        building = factories.make_building(session, community=community, name="1栋")
        for room_no in ("101", "102", "103"):
            factories.make_house(session, building=building, room_no=room_no)
        return community.id


@pytest.fixture
def manager(database):
    with database.session() as session:
        return factories.staff(session, role="manager")


@pytest.fixture
def check(services, manager, community_id):
    def check(*rows, content=None, **more):
        values = {"actor": manager, "community_id": community_id} | more
        return services.meter_reading_import.check(content=content or sheet(*rows), **values)

    return check


@pytest.fixture
def commit(services, manager, community_id):
    def commit(*rows, content=None, **more):
        values = {"actor": manager, "community_id": community_id, "file_name": "水表.xlsx"} | more
        return services.meter_reading_import.carry_out(content=content or sheet(*rows), **values)

    return commit


@pytest.fixture
def contents(database):
    """Everything that an import of readings may write, for comparing."""
    return lambda: {
        table: database.rows(f"SELECT * FROM {table} ORDER BY id")
        for table in ("meter", "meter_reading")
    }


@pytest.fixture
def readings(database):
    """Live readings as (meter number, day, reading)."""

    def readings():
        rows = database.rows(
            "SELECT meter_no, read_on, reading FROM meter_reading"
            " JOIN meter ON meter.id = meter_id ORDER BY meter_no, read_on"
        )
        return [tuple(one.values()) for one in rows]

    return readings


def counts(report):
    return report.meters_new, report.readings_new, report.unchanged, len(report.problems)


def told(report):
    return [(one.row, one.column, one.value) for one in report.problems]


class TestSampleCommunity:
    """The readings of a whole community import in full, and again without a trace."""

    @pytest.fixture
    def content(self):
        return (ROOT / "sample" / "cuihu-garden.xlsx").read_bytes()

    @pytest.fixture
    def rows(self, content):
        """The sheet as somebody else reads it."""
        book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(content))
        return book.get_sheet_by_name(SHEET_NAME).to_python()[1:]

    @pytest.fixture
    def estate(self, services, content, database):
        """The sample's own houses in an own community; its id."""
        with database.session() as session:
            community_id = factories.make_community(session).id
            clerk = factories.staff(session)
        services.house_owner_import.carry_out(
            actor=clerk, community_id=community_id, content=content, file_name="x.xlsx"
        )
        return community_id

    def test_it_imports_in_full_and_again_changes_nothing(
        self, content, rows, estate, check, commit, contents, database, statements
    ):
        meters = {one[3] for one in rows}
        assert (len(rows), len(meters)) == (2541, 847)
        where = {"content": content, "community_id": estate}
        foretold = check(**where)
        statements.clear()

        report = commit(**where)

        assert len(statements) < 60
        assert counts(report) == counts(foretold) == (847, 2541 - 847, 0, 0)
        assert report.row_count == 2541
        assert report.warnings == []
        assert database.value("SELECT count(*) FROM meter") == 847
        assert database.value("SELECT count(*) FROM meter_reading") == 2541 - 847
        before = contents()

        again = commit(**where)

        assert counts(again) == (0, 0, 2541, 0)
        assert contents() == before

    def test_every_number_is_the_sheets(self, content, rows, estate, commit, database):
        commit(content=content, community_id=estate)

        kept = {
            (one["meter_no"], one["day"], one["reading"])
            for one in database.rows(
                "SELECT meter_no, opened_on AS day, opening_reading AS reading FROM meter"
                " UNION ALL SELECT meter_no, read_on, reading FROM meter_reading"
                " JOIN meter ON meter.id = meter_id"
            )
        }

        assert kept == {(one[3], one[5], Decimal(str(one[6]))) for one in rows}


class TestCheck:
    def test_it_writes_nothing(self, check, contents, database):
        report = check(row(), row(day=SEPTEMBER, reading=597), row("102"))

        assert counts(report) == (2, 1, 0, 0)
        assert report.batch_id is None
        assert contents() == {"meter": [], "meter_reading": []}
        assert database.rows("SELECT * FROM import_batch") == []

    def test_no_such_community(self, check):
        with pytest.raises(NotFound):
            check(row(), community_id=404)

    def test_what_is_no_workbook_is_refused(self, check):
        with pytest.raises(InvalidInput):
            check(content=b"PDF")

    @pytest.mark.parametrize("name", [SHEET_NAME, "Sheet1"])
    def test_the_sheet_is_found_beside_others_also_when_nobody_named_it(self, check, name):
        assert check(content=sheet(row(), title=name, others=("说明",))).row_count == 1

    def test_a_workbook_of_other_sheets_is_told_which_is_wanted(self, check):
        with pytest.raises(InvalidInput, match=SHEET_NAME):
            check(content=sheet(row(), title="车位", others=("说明",)))

    def test_a_sheet_without_header_is_refused(self, check):
        with pytest.raises(HeaderMissing, match="表号"):
            check(content=sheet(header=["别的"]))

    def test_an_empty_sheet_is_nothing(self, check):
        assert counts(check()) == (0, 0, 0, 0)

    def test_only_with_the_permission(self, check):
        with pytest.raises(NotAllowed):
            check(row(), actor=actor_without(Permission.READ_METERS))


class TestNewMeters:
    def test_the_earliest_reading_is_the_opening_reading_whatever_the_order_of_rows(
        self, commit, contents, readings, database
    ):
        """A first reading billed as usage was ¥4,319 elsewhere."""
        report = commit(
            row(day=OCTOBER, reading=603.35),
            row(day=AUGUST, reading=591.75),
            row(day=SEPTEMBER, reading=597.72),
        )

        assert counts(report) == (1, 2, 0, 0)
        (meter,) = contents()["meter"]
        assert (meter["meter_no"], meter["kind"]) == ("W101", "cold_water")
        assert (meter["opened_on"], meter["opening_reading"]) == (AUGUST, Decimal("591.75"))
        assert (meter["multiplier"], meter["modulus"], meter["closed_on"]) == (1, None, None)
        assert meter["house_id"] == database.value("SELECT id FROM house WHERE room_no = '101'")
        assert readings() == [
            ("W101", SEPTEMBER, Decimal("597.72")),
            ("W101", OCTOBER, Decimal("603.35")),
        ]
        assert {one["source"] for one in contents()["meter_reading"]} == {"excel"}

    def test_two_new_ones_of_a_kind_on_one_house_are_two(self, commit):
        rows = (row(meter_no="厨房"), row(meter_no="卫生间"))

        assert counts(commit(*rows)) == (2, 0, 0, 0)
        assert counts(commit(*rows)) == (0, 0, 2, 0)

    def test_another_number_beside_one_on_file_is_more_likely_misspelt(self, commit, contents):
        commit(row())

        report = commit(row(meter_no="W1O1", day=SEPTEMBER))

        assert told(report) == [(2, "表号", "W1O1")]
        assert report.problems[0].why == "该房屋已有冷水表 W101"
        assert len(contents()["meter"]) == 1

    def test_not_where_it_is_of_another_kind_or_closed(self, commit, database):
        commit(row())
        assert counts(commit(row(meter_no="R101", kind="热水"))) == (1, 0, 0, 0)
        database.do("UPDATE meter SET closed_on = '2026-09-30', closing_reading = 600")

        assert counts(commit(row(meter_no="W1O1", day=OCTOBER))) == (1, 0, 0, 0)

    def test_a_house_that_is_not_on_file_is_told(self, commit, contents):
        report = commit(row("999"), row("101", building="9栋"), row("102"))

        assert told(report) == [(2, "房号", "999"), (3, "房号", "101")]
        assert report.problems[0].why == "档案中没有1栋1单元999"
        assert report.meters_new == 1

    def test_houses_of_another_community_are_not_on_file(self, commit, database):
        with database.session() as session:
            building = factories.make_building(session, name="1栋")
            factories.make_house(session, building=building, room_no="201")

        assert told(commit(row("201"))) == [(2, "房号", "201")]

    def test_a_number_of_another_community_is_new_here(self, commit, database, contents):
        with database.session() as session:
            factories.make_meter(session, house=factories.make_house(session), meter_no="W101")

        assert counts(commit(row())) == (1, 0, 0, 0)
        assert len(contents()["meter"]) == 2

    @pytest.mark.parametrize(
        ("bad", "column"),
        [
            (row(kind=""), "表类型"),
            (row(day=date(2026, 11, 25)), "抄表日期"),
            (row(day=date(1900, 1, 31)), "抄表日期"),
        ],
        ids=["no kind", "tomorrow", "long ago"],
    )
    def test_what_cannot_be_an_opening_reading_is_told(self, commit, contents, bad, column):
        report = commit(bad)

        assert [problem.column for problem in report.problems] == [column]
        assert contents()["meter"] == []

    def test_a_rollover_cannot_be_an_opening_reading(self, commit):
        report = commit(content=sheet([*row(), "是"], header=[*HEADER, "归零"]))

        assert "不能登记归零" in report.problems[0].why

    def test_without_a_house_only_meters_on_file_are_known(self, commit):
        header = ["表号", "抄表日期", "读数"]
        commit(row())

        report = commit(
            content=sheet(["W101", OCTOBER, 600], ["W102", OCTOBER, 600], header=header)
        )

        assert counts(report) == (0, 1, 0, 1)
        assert told(report) == [(3, "表号", "W102")]

    def test_who_may_only_read_meters_registers_none(self, commit, database, contents):
        commit(row())
        with database.session() as session:
            engineer = factories.staff(session, role="engineer")

        report = commit(row(day=OCTOBER, reading=600), row("102"), actor=engineer)

        assert counts(report) == (0, 1, 0, 1)
        assert len(contents()["meter"]) == 1
        assert contents()["meter_reading"][0]["read_by_staff_id"] == engineer.id


class TestKnownMeters:
    @pytest.fixture(autouse=True)
    def on_file(self, commit):
        commit(row(), row("102", reading=10))

    def test_readings_are_added_and_what_is_there_stays(self, commit, readings):
        report = commit(row(), row(day=OCTOBER, reading=603.35))

        assert counts(report) == (0, 1, 1, 0)
        assert readings() == [("W101", OCTOBER, Decimal("603.35"))]

    def test_one_that_contradicts_what_is_on_file_is_told(self, commit, readings):
        commit(row(day=OCTOBER, reading=603.35))

        report = commit(row(day=OCTOBER, reading=604), row(reading=590))

        assert told(report) == [(2, "读数(吨)", "604"), (3, "读数(吨)", "590")]
        assert report.problems[0].why == "该表在 2026-10-31 已有读数 603.35，请用更正"
        assert readings() == [("W101", OCTOBER, Decimal("603.35"))]

    def test_a_meter_that_is_of_another_house_may_be_wired_wrong(self, commit, readings):
        report = commit(row("102", meter_no="W101", day=OCTOBER, reading=600))

        assert told(report) == [(2, "房号", "102")]
        assert report.problems[0].why == "表 W101 在档案中属于1栋1单元101"
        assert readings() == []

    def test_a_public_meter_is_of_no_house(self, commit, database):
        database.do("UPDATE meter SET house_id = NULL WHERE meter_no = 'W101'")

        assert "公共表" in commit(row(day=OCTOBER, reading=600)).problems[0].why

    def test_a_meter_of_another_kind_is_told(self, commit):
        report = commit(row(kind="热水", day=OCTOBER, reading=600))

        assert told(report) == [(2, "表类型", "热水")]

    @pytest.mark.parametrize(
        ("changes", "column"),
        [
            ({"day": OCTOBER, "reading": 500}, "读数(吨)"),
            ({"day": date(2026, 11, 25), "reading": 600}, "抄表日期"),
            ({"day": date(2026, 8, 1), "reading": 600}, "抄表日期"),
        ],
    )
    def test_what_cannot_be_is_told_where_it_stands(self, commit, changes, column):
        report = commit(row(**changes), row("102", day=OCTOBER, reading=12))

        assert [(one.row, one.column) for one in report.problems] == [(2, column)]
        assert report.problems[0].suggestion
        assert report.readings_new == 1

    def test_readings_below_a_published_bill_are_told(self, commit, database, readings):
        with database.session() as session:
            (house,) = session.query(factories.House).filter_by(room_no="101")
            item = factories.make_item(
                session,
                community=session.get_one(Community, house.community_id),
                charge_method="meter",
                meter_kind="cold_water",
            )
            factories.make_bill(session, house=house, item=item)

        report = commit(row(day=OCTOBER, reading=600), row("102", day=OCTOBER, reading=12))

        assert [one.why for one in report.problems] == ["该月冷水费已出账，请用账单调整更正"]
        assert [one[0] for one in readings()] == ["W102"]

    def test_unusual_usage_is_told_and_taken(self, commit):
        commit(row("103", day=date(2026, 5, 31), reading=100))
        months = [(6, 30), (7, 31), (8, 31), (9, 30)]

        report = commit(
            *(
                row("103", day=date(2026, month, day), reading=102 + 2 * number)
                for number, (month, day) in enumerate(months)
            ),
            row("103", day=OCTOBER, reading=200),
        )

        assert counts(report) == (0, 5, 0, 0)
        (warning,) = report.warnings
        assert (warning.row, warning.meter_no) == (6, "W103")


class TestCommit:
    def test_the_file_the_counts_and_the_problems_are_kept(self, commit, database, audit):
        report = commit(row(), row(day=OCTOBER, reading=600), row("999"), row(reading="x"))

        (batch,) = database.rows("SELECT * FROM import_batch")
        assert (batch["id"], batch["sheet"], batch["state"]) == (
            report.batch_id,
            SHEET_NAME,
            "finished",
        )
        assert (batch["rows_total"], batch["rows_done"]) == (3, 3)
        assert batch["counts"] == {
            "meters_new": 1,
            "readings_new": 1,
            "unchanged": 0,
            "warnings": 0,
        }
        assert [problem["row"] for problem in batch["problems"]] == [4, 5]
        assert audit() == ["import_started", "import_finished"]

    def test_progress_is_told_and_houses_stay_together(self, commit, database, monkeypatch):
        monkeypatch.setattr(meter_readings, "CHUNK_ROWS", 2)
        told = []

        commit(
            row(meter_no="A"),
            row("102"),
            row(meter_no="B"),
            row("103"),
            row(meter_no="A", day=OCTOBER, reading=600),
            progress=lambda done, total: told.append(
                (done, total, database.value("SELECT rows_done FROM import_batch"))
            ),
        )

        assert told == [(3, 5, 3), (5, 5, 5)]

    def test_an_import_that_died_between_chunks_is_simply_started_again(
        self, commit, contents, database, monkeypatch
    ):
        monkeypatch.setattr(meter_readings, "CHUNK_ROWS", 2)
        rows = [
            row(room, f"{kitchen}{room}", day, reading)
            for room in ("101", "102", "103")
            for kitchen in "AB"
            for day, reading in ((AUGUST, 1), (SEPTEMBER, 2))
        ]

        def die(done, total):
            if done == 8:
                raise MemoryError

        with pytest.raises(MemoryError):
            commit(*rows, progress=die)
        assert len(contents()["meter"]) == 4

        report = commit(*rows)

        assert counts(report) == (2, 2, 8, 0)
        states = database.rows("SELECT state FROM import_batch ORDER BY id")
        assert [batch["state"] for batch in states] == ["failed", "finished"]

    def test_no_such_community(self, commit):
        with pytest.raises(NotFound):
            commit(row(), community_id=404)

    def test_only_with_the_permission(self, commit, contents):
        with pytest.raises(NotAllowed):
            commit(row(), actor=actor_without(Permission.READ_METERS))

        assert contents()["meter"] == []


class TestAtOnce:
    def test_a_second_import_of_the_community_is_refused(self, commit, check, contents):
        refused = []

        def try_too():
            try:
                commit(row())
            except ImportRunning:
                refused.append("import")
            check(row())

        def look(done, total):
            thread = threading.Thread(target=try_too)
            thread.start()
            thread.join()

        commit(row(), progress=look)

        assert refused == ["import"]
        assert len(contents()["meter"]) == 1


class TestHowMuchIsAsked:
    def test_many_rows_take_as_many_statements_as_few(
        self, commit, database, community_id, statements
    ):
        with database.session() as session:
            (building,) = session.query(Building).filter_by(community_id=community_id)
            for number in range(200, 260):
                factories.make_house(session, building=building, room_no=str(number))
        commit(row(), row(day=SEPTEMBER, reading=600))
        few = len(statements)
        statements.clear()

        commit(
            *(
                row(str(number), day=day, reading=reading)
                for number in range(200, 260)
                for day, reading in ((AUGUST, 1), (SEPTEMBER, 2))
            )
        )

        assert len(statements) <= few + 1
