from datetime import date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.cells import (
    BadCell,
    read_area,
    read_date,
    read_email,
    read_phone,
    read_reading,
    read_share,
    read_text,
)

A_DAY = datetime(2020, 6, 1, 12, 30)  # noqa: DTZ001 - a cell has no time zone


class TestReadText:
    @pytest.mark.parametrize(
        ("cell", "text"),
        [
            ("  唐一涛 ", "唐一涛"),
            ("４１０４", "4104"),
            (101, "101"),
            (101.0, "101"),
            (1.5, "1.5"),
            ("", ""),
            ("A－１（东）", "A-1(东)"),
        ],
        ids=repr,
    )
    def test_what_people_see_is_what_is_read(self, cell, text):
        assert read_text(cell, limit=20) == text

    @pytest.mark.parametrize(
        "cell",
        [
            "长" * 21,
            True,
            "a\x00b",
            "a\nb",
            "a​b",
            "‮abc",
            "\ue000",
            "\ud800",
            '=HYPERLINK("x")',
            "＝1+1",
            "@SUM(A1)",
            date(2026, 3, 1),
            A_DAY,
        ],
        ids=repr,
    )
    def test_the_rest_is_refused_not_repaired(self, cell):
        with pytest.raises(BadCell) as refusal:
            read_text(cell, limit=20)

        assert refusal.value.why
        assert refusal.value.suggestion


class TestReadArea:
    @pytest.mark.parametrize(
        ("cell", "area"),
        [
            (89.37, "89.37"),
            (81, "81"),
            ("101.36㎡", "101.36"),
            ("101.36 平方米", "101.36"),
            ("101.36m2", "101.36"),
            ("１０１．３６", "101.36"),
            ("0.0001", "0.0001"),
            (0.1 + 0.2, "0.3"),
            (81.7 * 1.1, "89.87"),
            (999999.9999, "999999.9999"),
        ],
        ids=repr,
    )
    def test_usual_forms(self, cell, area):
        assert read_area(cell) == Decimal(area)

    @pytest.mark.parametrize(
        "cell",
        [
            0,
            -3,
            "-3",
            0.0,
            "0",
            "",
            "约100",
            "1,260",
            "1e3",
            "١٢",
            True,
            "NaN",
            float("nan"),
            float("inf"),
            float("-inf"),
            1e300,
            -1e300,
            1e-300,
            10**30,
            1_000_000,
            "1000000",
            "89.37001",
            89.37012,
            date(2020, 6, 1),
        ],
        ids=repr,
    )
    def test_the_rest_is_refused(self, cell):
        with pytest.raises(BadCell):
            read_area(cell)

    @given(st.decimals("0.0001", "999999.9999", places=4))
    def test_an_area_survives_the_spreadsheet_s_floats(self, area):
        assert read_area(float(area)) == area
        assert read_area(f"{area}㎡") == area

    @given(st.one_of(st.floats(), st.integers(), st.text(), st.booleans()))
    def test_any_cell_is_an_area_that_the_table_takes_or_a_bad_cell(self, cell):
        try:
            area = read_area(cell)
        except BadCell:
            return
        assert 0 < area < 1_000_000
        assert area == round(area, 4)


class TestReadDate:
    @pytest.mark.parametrize(
        "cell",
        [
            date(2020, 6, 1),
            A_DAY,
            "2020-06-01",
            "2020.6.1",
            "2020/6/1",
            "2020年6月1日",
            "2020年6月1",
            "20200601",
            "２０２０－０６－０１",
            " 2020-06-01 ",
            43983,
            43983.0,
            20200601,
            20200601.0,
            "2020-06-01 00:00:00",
            "2020/6/1 0:00",
        ],
        ids=repr,
    )
    def test_usual_forms(self, cell):
        assert read_date(cell) == date(2020, 6, 1)

    @pytest.mark.parametrize(
        "cell",
        [
            "2020-02-30",
            "2020-13-01",
            "06-01-2020",
            "去年",
            "",
            True,
            43983.5,
            1,
            999_999,
            20201301,
            "2020-06-01 08:30",
            "2020-6",
            "٢٠٢٠-٠٦-٠١",
        ],
        ids=repr,
    )
    def test_the_rest_is_refused(self, cell):
        with pytest.raises(BadCell):
            read_date(cell)

    @given(st.dates(date(1950, 1, 1), date(2099, 12, 31)))
    def test_every_day_in_every_form(self, day):
        serial = (day - date(1899, 12, 30)).days

        assert read_date(serial) == read_date(day.isoformat()) == read_date(f"{day:%Y%m%d}") == day


class TestReadPhone:
    @pytest.mark.parametrize(
        "cell",
        ["19900000001", 19900000001, 19900000001.0, "+86 199 0000 0001", "199-0000-0001"],
        ids=repr,
    )
    def test_usual_forms(self, cell):
        assert read_phone(cell) == "19900000001"

    @pytest.mark.parametrize("cell", ["1990000", "", "12900000001", True, 1.5, "无"], ids=repr)
    def test_the_rest_is_refused(self, cell):
        with pytest.raises(BadCell):
            read_phone(cell)

    @pytest.mark.parametrize("cell", ["1.99E+10", "1.99e+10"], ids=repr)
    def test_lost_digits_are_named(self, cell):
        with pytest.raises(BadCell, match="科学计数法"):
            read_phone(cell)


class TestReadEmail:
    @pytest.mark.parametrize("cell", ["", "a@example.com", " a@example.com "], ids=repr)
    def test_an_address_or_nothing(self, cell):
        assert read_email(cell) == cell.strip()

    @pytest.mark.parametrize("cell", ["不是邮箱", "a@b", "a b@example.com", "x" * 101], ids=repr)
    def test_the_rest_is_refused(self, cell):
        with pytest.raises(BadCell):
            read_email(cell)


class TestReadShare:
    @pytest.mark.parametrize(
        ("cell", "share"),
        [
            ("50%", "0.5"),
            ("５０％", "0.5"),
            ("33.333333%", "0.33333333"),
            ("100%", "1"),
            (0.5, "0.5"),
            (1, "1"),
            ("1/3", "0.33333333"),
            ("1/1", "1"),
        ],
        ids=repr,
    )
    def test_usual_forms(self, cell, share):
        assert read_share(cell) == Decimal(share)

    def test_nothing_is_no_share(self):
        assert read_share("") is None

    @pytest.mark.parametrize(
        "cell",
        [
            "0",
            "0%",
            "101%",
            "2",
            "-50%",
            "1/0",
            "3/2",
            "0/3",
            "一半",
            "1/999999999",
            "1/" + "9" * 5000,
            "9" * 5000 + "/1",
            "١/٣",
        ],
        ids=repr,
    )
    def test_the_rest_is_refused(self, cell):
        with pytest.raises(BadCell):
            read_share(cell)

    @given(st.one_of(st.text("0123456789/%.", max_size=12), st.floats(), st.integers()))
    def test_any_cell_is_a_share_that_the_table_takes_or_a_bad_cell(self, cell):
        try:
            share = read_share(cell)
        except BadCell:
            return
        assert share is None or 0 < share <= 1


class TestReadReading:
    @pytest.mark.parametrize(
        ("cell", "reading"),
        [
            (591.75, "591.75"),
            ("591.75", "591.75"),
            ("５９１", "591"),
            (0, "0"),
            ("0", "0"),
            ("12度", "12"),
            ("12.5 kWh", "12.5"),
            (9_999_999_999.9999, "9999999999.9999"),
            (0.1 + 0.2, "0.3"),
        ],
        ids=repr,
    )
    def test_a_number_from_nothing_on_with_or_without_its_unit(self, cell, reading):
        assert read_reading(cell) == Decimal(reading)

    @pytest.mark.parametrize(
        "cell",
        [
            *(-1, "-1", -0.5, 1e10, "10000000000", -1e300, 1e300, "1.00001", 1.00001),
            *(True, "", "x", "1,000", "1e3", "NaN", "12吨吨", "12㎡"),
        ],
        ids=repr,
    )
    def test_the_rest_is_refused(self, cell):
        with pytest.raises(BadCell):
            read_reading(cell)
