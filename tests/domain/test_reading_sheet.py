from datetime import date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.cells import BadCell
from domain.meters import MeterKind
from domain.reading_sheet import NOTE_LIMIT, SheetReading, read_reading_sheet, tidy_meter_no
from domain.sheets import HeaderMissing

HEADER = ["楼栋", "单元", "房号", "表号", "表类型", "抄表日期", "读数(吨)", "归零", "备注"]
ROW = ["1栋", "1单元", "101", "W011", "冷水", date(2026, 8, 31), 591.75, "", ""]
A_MOMENT = datetime(2026, 8, 31, 9, 30)  # noqa: DTZ001 - a cell has no time zone


def row(**changes):
    values = dict(zip([title.split("(")[0] for title in HEADER], ROW, strict=True)) | changes
    return list(values.values())


def read(*rows, header=HEADER):
    return read_reading_sheet([header, *rows])


def told(sheet):
    return [(problem.row, problem.column) for problem in sheet.problems]


class TestHeader:
    def test_it_is_found_below_titles(self):
        sheet = read_reading_sheet([["翠湖花园抄表"], [], HEADER, ROW])

        assert [reading.row for reading in sheet.readings] == [4]

    @pytest.mark.parametrize(
        "header",
        [
            ["楼号", "单元号", "室 号", "水表号", "类型", "抄表时间", "本期读数"],
            ["幢", "单元", "房间号", "表具编号", "表具类型", "日期", "止码（吨）"],
            ["栋", "单元", "门牌号", "表编号", "表种类", "读表日期", "本次读数"],
        ],
        ids=lambda header: header[0],
    )
    def test_columns_have_many_names_units_and_spaces(self, header):
        (reading,) = read(ROW, header=header).readings

        assert reading == read(ROW).readings[0]

    def test_the_reading_before_is_not_taken_for_the_reading(self):
        header = ["表号", "抄表日期", "上期读数", "本期读数"]

        (reading,) = read(["W1", "2026-10-31", 5, 7], header=header).readings

        assert reading.reading == 7

    @pytest.mark.parametrize("missing", ["表号", "抄表日期", "读数(吨)"])
    def test_without_a_needed_column_there_is_none(self, missing):
        with pytest.raises(HeaderMissing, match="表号、抄表日期、读数"):
            read(ROW, header=["别的" if title == missing else title for title in HEADER])

    def test_a_sheet_of_meters_alone_needs_no_house(self):
        (reading,) = read(["W1", "2026-10-31", 5], header=["表号", "抄表日期", "读数"]).readings

        assert (reading.house, reading.kind, reading.note) == (None, None, "")


class TestRows:
    def test_a_reading_with_all_that_the_row_says(self):
        sheet = read(row(备注="锁门，隔窗看"))

        assert sheet.readings == (
            SheetReading(
                meter_no="W011",
                kind=MeterKind.COLD_WATER,
                house=("1栋", "1", "101"),
                read_on=date(2026, 8, 31),
                reading=Decimal("591.75"),
                is_rollover=False,
                note="锁门,隔窗看",
                row=2,
            ),
        )
        assert (sheet.problems, sheet.row_count) == ((), 1)

    def test_blank_rows_and_totals_are_no_data(self):
        sheet = read(ROW, [], ["", " "], ["合计", "", "", "", "", "", 591.75], row(表号="W012"))

        assert [reading.row for reading in sheet.readings] == [2, 6]
        assert sheet.row_count == 2

    def test_full_width_digits_and_bare_buildings_are_read(self):
        (reading,) = read(
            row(楼栋="１", 单元=1.0, 房号=101.0, 表号="Ｗ０１１", 读数="５９１．７５")
        ).readings

        assert reading == read(ROW).readings[0]

    @pytest.mark.parametrize(
        "day",
        ["2026-08-31", "2026/8/31", "2026年8月31日", "20260831", "2026.8.31", A_MOMENT, 46265],
        ids=repr,
    )
    def test_dates_come_in_any_usual_form(self, day):
        assert read(row(抄表日期=day)).readings[0].read_on == date(2026, 8, 31)

    @pytest.mark.parametrize(
        "reading", [591.75, "591.75", "591.75吨", " 591.7500 ", "591.75 m³"], ids=repr
    )
    def test_readings_come_with_units(self, reading):
        assert read(row(读数=reading)).readings[0].reading == Decimal("591.75")

    @pytest.mark.parametrize("reading", [0, "0", 9999999999.9999], ids=repr)
    def test_readings_reach_from_nothing_to_ten_digits(self, reading):
        assert read(row(读数=reading)).readings[0].reading == Decimal(str(reading))

    @pytest.mark.parametrize(
        ("word", "kind"),
        [
            ("冷水", "cold_water"),
            ("水表", "cold_water"),
            ("热水表", "hot_water"),
            ("电", "electricity"),
            ("燃气表", "gas"),
            ("天然气", "gas"),
            ("暖气", "heat"),
        ],
    )
    def test_kinds_are_called_as_clerks_call_them(self, word, kind):
        assert read(row(表类型=word)).readings[0].kind == kind

    @pytest.mark.parametrize(
        ("word", "is_rollover"), [("是", True), ("√", True), ("否", False), ("", False)]
    )
    def test_a_rollover_is_declared(self, word, is_rollover):
        assert read(row(归零=word)).readings[0].is_rollover is is_rollover

    def test_the_same_row_twice_is_the_same_reading(self):
        assert len(read(ROW, ROW).readings) == 2


class TestProblems:
    @pytest.mark.parametrize(
        ("column", "cell"),
        [
            ("表号", ""),
            ("表号", "W" * 41),
            ("表号", "=A1"),
            ("表类型", "油表"),
            ("抄表日期", ""),
            ("抄表日期", "2026-02-30"),
            ("抄表日期", "昨天"),
            ("读数", ""),
            ("读数", "五百"),
            ("读数", -1),
            ("读数", "-1"),
            ("读数", 10**10),
            ("读数", "1.00001"),
            ("读数", True),
            ("归零", "也许"),
            ("房号", "1" * 21),
            ("楼栋", ""),
            ("备注", "字" * (NOTE_LIMIT + 1)),
        ],
        ids=repr,
    )
    def test_name_row_column_and_reason_and_take_no_other_row_along(self, column, cell):
        sheet = read(row(**{column: cell}), row(表号="W012"))

        (problem,) = sheet.problems
        assert (problem.row, problem.column) == (2, "读数(吨)" if column == "读数" else column)
        assert problem.why
        assert problem.suggestion
        assert [reading.meter_no for reading in sheet.readings] == ["W012"]

    def test_a_building_without_a_room_is_half_a_house(self):
        assert told(read(row(房号=""))) == [(2, "房号")]

    def test_all_of_a_row_are_told(self):
        assert told(read(row(抄表日期="x", 读数="y"))) == [(2, "抄表日期"), (2, "读数(吨)")]

    @pytest.mark.parametrize(
        ("changes", "column", "shown"),
        [
            ({"读数": 592}, "读数(吨)", "592"),
            ({"归零": "是"}, "读数(吨)", "591.75"),
            ({"房号": "102"}, "房号", "102"),
            ({"表类型": "热水", "抄表日期": "2026-09-30"}, "表类型", "热水"),
        ],
    )
    def test_a_row_that_contradicts_an_earlier_one_of_its_meter(self, changes, column, shown):
        sheet = read(ROW, row(**changes))

        (problem,) = sheet.problems
        assert (problem.row, problem.column, problem.value) == (3, column, shown)
        assert "第 2 行" in problem.why
        assert len(sheet.readings) == 1


class TestMeterNo:
    def test_is_written_the_way_it_is_on_file(self):
        assert tidy_meter_no("Ｗ０１ ") == "W01"

    @pytest.mark.parametrize("text", ["", " ", "W" * 41, "W\x00", "=1"])
    def test_what_cannot_stand_on_a_meter_is_none(self, text):
        with pytest.raises(BadCell):
            tidy_meter_no(text)


@given(st.lists(st.lists(st.one_of(st.text(max_size=5), st.floats(), st.dates()), max_size=9)))
def test_any_sheet_is_readings_and_problems_of_its_rows(rows):
    sheet = read(*rows)

    with_problem = {problem.row for problem in sheet.problems}
    assert len(sheet.readings) + len(with_problem) == sheet.row_count
    assert not with_problem & {reading.row for reading in sheet.readings}
