from datetime import date
from decimal import Decimal

import pytest

from domain.house_sheet import read_house_sheet
from services.imports.plans import plan_import, read_on_file, report_plan
from tests import factories
from tests.services.imports.conftest import HEADER, numbered, row

TODAY = date(2026, 11, 24)


@pytest.fixture
def plan(unit_of_work, community_id):
    """Compare rows with what is on file."""

    def plan(*rows):
        cells = [["" if cell is None else cell for cell in one] for one in rows]
        sheet = read_house_sheet([HEADER, *cells], today=TODAY)
        on_file = unit_of_work.run(lambda tx: read_on_file(tx, community_id))
        return report_plan(sheet, plan_import(sheet, on_file)), plan_import(sheet, on_file)

    return plan


@pytest.fixture
def put(database, community_id):
    """Put the house of `row` on file, with its owner or another."""

    def put(owner_name="陈建", phone="19900000001", **house):
        with database.session() as session:
            community = session.get_one(factories.Community, community_id)
            building = factories.make_building(session, community=community, name="1栋")
            values = {
                "room_no": "101",
                "floor_no": 1,
                "layout": "两室",
                "building_area": Decimal("89.37"),
                "inner_area": Decimal("72.38"),
                "handover_date": date(2020, 6, 1),
            } | house
            kept = factories.make_house(session, building=building, **values)
            factories.make_owner(session, house=kept, name=owner_name, phone=phone)
            return kept.id

    return put


class TestReadOnFile:
    def test_only_what_the_community_has(self, unit_of_work, community_id, database):
        with database.session() as session:
            factories.make_owner(session, house=factories.make_house(session))

        found = unit_of_work.run(lambda tx: read_on_file(tx, community_id))

        assert not any((found.buildings, found.houses, found.owners, found.people))


class TestPlanImport:
    def test_everything_is_new_in_an_empty_community(self, plan):
        report, plan_ = plan(row(), numbered(2))

        assert (report.row_count, report.house_count) == (2, 2)
        assert (report.houses_new, report.owners_new, report.people_new) == (2, 2, 2)
        assert plan_.new == {("1栋", "1", "101"), ("1栋", "1", "102")}

    def test_what_is_on_file_as_it_is_costs_nothing(self, plan, put):
        put()

        report, _ = plan(row())

        assert (report.houses_new, report.houses_changed) == (0, 0)
        assert (report.owners_new, report.people_new) == (0, 0)

    @pytest.mark.parametrize(
        ("column", "value", "field", "before", "after"),
        [
            ("建筑面积", 99.37, "building_area", Decimal("89.37"), Decimal("99.37")),
            ("套内面积", 70, "inner_area", Decimal("72.38"), Decimal(70)),
            ("交付日期", "2021-06-01", "handover_date", date(2020, 6, 1), date(2021, 6, 1)),
            ("楼层", 2, "floor_no", 1, 2),
            ("户型", "三室", "layout", "两室", "三室"),
        ],
    )
    def test_what_differs_is_a_change(self, plan, put, column, value, field, before, after):
        put()

        report, plan_ = plan(row(**{column: value}))

        assert report.houses_changed == 1
        assert plan_.changed == {("1栋", "1", "101"): {field: (before, after)}}

    @pytest.mark.parametrize("column", ["套内面积", "交付日期", "楼层", "户型"])
    def test_an_empty_cell_wipes_nothing_off_the_file(self, plan, put, column):
        put()

        report, _ = plan(row(**{column: None}))

        assert report.houses_changed == 0

    def test_a_phone_on_file_under_another_name_keeps_the_whole_house_out(self, plan, put):
        put(owner_name="李涵")

        report, plan_ = plan(row(房号="102"), numbered(3))

        (problem,) = report.problems
        assert (problem.row, problem.column, problem.value) == (2, "手机号", "19900000001")
        assert "李涵" in problem.why
        assert [house.room_no for house in plan_.houses] == ["103"]

    def test_a_retired_house_is_neither_revived_nor_written_to(self, plan, put, database):
        put()
        database.do("UPDATE house SET retired_on = '2026-06-01'")

        report, plan_ = plan(row(建筑面积=100), numbered(3))

        (problem,) = report.problems
        assert (problem.row, problem.column, problem.value) == (2, "房号", "101")
        assert problem.why == "该房屋已于 2026-06-01 停用"
        assert [house.room_no for house in plan_.houses] == ["103"]
        assert plan_.changed == {}

    def test_nothing_new_comes_into_a_retired_building(self, plan, put, database):
        put()
        database.do("UPDATE building SET retired_on = '2026-06-01'")

        report, plan_ = plan(numbered(3))

        (problem,) = report.problems
        assert (problem.column, problem.why) == ("楼栋", "该楼栋已停用")
        assert plan_.new == set()

    def test_problems_of_sheet_and_file_are_told_in_the_order_of_rows(self, plan, put):
        put(owner_name="李涵")

        report, _ = plan(row(房号="102"), numbered(3, 建筑面积=0))

        assert [problem.row for problem in report.problems] == [2, 3]

    def test_an_owner_on_file_who_buys_another_house_is_new_only_there(self, plan, put):
        put()

        report, _ = plan(row(房号="102"))

        assert (report.houses_new, report.owners_new, report.people_new) == (1, 0, 1)

    def test_one_owner_of_two_new_houses_is_one_new_owner(self, plan):
        report, _ = plan(row(), row(房号="102"))

        assert (report.owners_new, report.people_new) == (1, 2)

    def test_two_of_a_name_without_phones_are_two_people(self, plan):
        report, _ = plan(row(手机号=None), row(房号="102", 手机号=None))

        assert report.owners_new == 2

    def test_an_owner_without_phone_is_found_again_in_their_house(self, plan, put):
        put(phone=None)

        report, _ = plan(row(手机号=None))

        assert (report.owners_new, report.people_new) == (0, 0)
