from datetime import date
from decimal import Decimal

import pytest

from domain.house_sheet import SheetOwner, read_house_sheet
from domain.sheets import HeaderMissing

TODAY = date(2026, 11, 24)
HEADER = ["楼栋", "单元", "房号", "建筑面积", "交付日期", "业主姓名", "手机号", "产权份额"]
ROW = ["1栋", "1", "101", 89.37, "2020-06-01", "陈建", "19900000001", ""]


def row(**changes):
    values = dict(zip(HEADER, ROW, strict=True)) | changes
    return [values[title] for title in HEADER]


def other(number, **changes):
    return row(房号=str(100 + number), 手机号=f"199000000{number:02d}", **changes)


def read(*rows, header=HEADER):
    return read_house_sheet([header, *rows], today=TODAY)


def told(sheet):
    return [(problem.row, problem.column) for problem in sheet.problems]


class TestHeader:
    def test_it_is_found_below_titles(self):
        sheet = read_house_sheet([["登记表"], [], HEADER, ROW], today=TODAY)

        assert [house.row for house in sheet.houses] == [4]

    def test_columns_have_many_names_units_and_spaces(self):
        header = ["楼号", "单元号", "室 号", "面积(㎡)", "入伙时间", "姓名", "联系电话", "份额"]

        (house,) = read(ROW, header=header).houses

        assert (house.key, house.building_area) == (("1栋", "1", "101"), Decimal("89.37"))
        assert house.owners[0].phone == "19900000001"

    def test_problems_name_a_column_as_the_sheet_does(self):
        header = [*HEADER[:6], "联系电话", HEADER[7]]

        assert told(read(row(手机号="1990000"), header=header)) == [(2, "联系电话")]

    @pytest.mark.parametrize("missing", ["楼栋", "房号", "建筑面积"])
    def test_without_a_needed_column_there_is_none(self, missing):
        with pytest.raises(HeaderMissing):
            read(ROW, header=["别的" if title == missing else title for title in HEADER])

    def test_one_far_down_is_not_looked_for(self):
        with pytest.raises(HeaderMissing):
            read_house_sheet([[""]] * 10 + [HEADER, ROW], today=TODAY)

    def test_an_empty_sheet_has_none(self):
        with pytest.raises(HeaderMissing):
            read_house_sheet([], today=TODAY)


class TestRows:
    def test_a_house_with_its_owner(self):
        sheet = read(ROW)

        (house,) = sheet.houses
        assert house.key == ("1栋", "1", "101")
        assert house.handover_date == date(2020, 6, 1)
        assert house.state == "delivered"
        assert house.owners == [SheetOwner("陈建", "19900000001", "", None, 2)]
        assert (sheet.problems, sheet.row_count) == ((), 1)

    def test_blank_rows_and_totals_are_no_data(self):
        sheet = read(ROW, [], ["", " "], ["合计", "", "", "=SUM(D2:D3)"], other(2))

        assert [house.row for house in sheet.houses] == [2, 6]
        assert sheet.row_count == 2

    def test_short_rows_are_filled_with_nothing(self):
        (house,) = read(["1栋", "1", "101", 50]).houses

        assert (house.handover_date, house.owners) == (None, [])

    @pytest.mark.parametrize(
        ("column", "value", "attribute", "read_as"),
        [
            ("楼栋", 7, "building", "7栋"),
            ("楼栋", "7栋", "building", "7栋"),
            ("楼栋", "商业街", "building", "商业街"),
            ("单元", "2单元", "unit_no", "2"),
            ("单元", 2.0, "unit_no", "2"),
            ("单元", "", "unit_no", ""),
            ("房号", 303, "room_no", "303"),
            ("交付日期", "  ", "handover_date", None),
        ],
    )
    def test_usual_forms(self, column, value, attribute, read_as):
        (house,) = read(row(**{column: value})).houses

        assert getattr(house, attribute) == read_as

    @pytest.mark.parametrize(
        ("title", "value", "attribute", "read_as"),
        [
            ("楼层", "3层", "floor_no", 3),
            ("楼层", -1, "floor_no", -1),
            ("楼层", "", "floor_no", None),
            ("户型", "两室", "layout", "两室"),
            ("套内面积", 70.5, "inner_area", Decimal("70.5")),
            ("房屋状态", "装修中", "state", "renovating"),
            ("房屋状态", " ", "state", "delivered"),
            ("备注", " 角落 ", "note", "角落"),
        ],
    )
    def test_columns_that_may_be_missing(self, title, value, attribute, read_as):
        (house,) = read([*ROW, value], header=[*HEADER, title]).houses

        assert getattr(house, attribute) == read_as

    @pytest.mark.parametrize(
        ("column", "value"),
        [
            ("楼栋", ""),
            ("房号", ""),
            ("房号", date(2026, 3, 1)),
            ("建筑面积", ""),
            ("建筑面积", -3),
            ("建筑面积", 1e300),
            ("交付日期", "2020-02-30"),
            ("交付日期", "2026-11-25"),
            ("业主姓名", "=1+1"),
            ("业主姓名", ""),
            ("手机号", "1990000"),
            ("产权份额", "一半"),
        ],
    )
    def test_a_row_with_a_problem_takes_no_part_the_others_do(self, column, value):
        sheet = read(row(**{column: value}), other(2))

        assert told(sheet) == [(2, column)]
        assert [house.row for house in sheet.houses] == [3]

    @pytest.mark.parametrize(
        ("title", "value"),
        [
            ("楼层", "三"),
            ("楼层", 201),
            ("楼层", "-"),
            ("户型", "三" * 31),
            ("房屋状态", "不知道"),
            ("邮箱", "不是邮箱"),
            ("备注", "长" * 201),
        ],
    )
    def test_problems_of_columns_that_may_be_missing(self, title, value):
        assert told(read([*ROW, value], header=[*HEADER, title])) == [(2, title)]

    def test_a_house_handed_over_today_is_fine(self):
        assert read(row(交付日期="2026-11-24")).problems == ()

    def test_all_problems_of_a_row_are_told_at_once(self):
        sheet = read(row(房号="", 建筑面积=0, 手机号="1"))

        assert told(sheet) == [(2, "房号"), (2, "建筑面积"), (2, "手机号")]

    def test_what_is_shown_of_a_value_can_be_stored(self):
        (problem,) = read(row(业主姓名="a\x00b" + "长" * 99)).problems

        assert problem.value.startswith("a�b")
        assert len(problem.value) == 60

    @pytest.mark.parametrize("area", [1800, 4.4])
    def test_a_lost_decimal_point_is_seen_by_comparison(self, area):
        sheet = read(*(other(number) for number in range(2, 9)), row(建筑面积=area))

        assert told(sheet) == [(9, "建筑面积")]

    @pytest.mark.parametrize("area", [1700, 4.6])
    def test_shops_and_store_rooms_may_be_large_or_small(self, area):
        assert read(*(other(number) for number in range(2, 9)), row(建筑面积=area)).problems == ()


class TestOwners:
    @pytest.mark.parametrize("mark", ["、", ",", "，", ";", "；", "/", "\n", "\r\n"])
    def test_two_in_one_cell_become_two(self, mark):
        sheet = read(row(业主姓名=f"胡红英{mark}李涵", 手机号=f"19900000001{mark}19900000002"))

        (house,) = sheet.houses
        assert sheet.problems == ()
        assert [(owner.name, owner.phone, owner.share_ratio) for owner in house.owners] == [
            ("胡红英", "19900000001", Decimal("0.5")),
            ("李涵", "19900000002", Decimal("0.5")),
        ]

    def test_a_cell_of_digits_is_a_name_too(self):
        (house,) = read(row(业主姓名=9527)).houses

        assert [owner.name for owner in house.owners] == ["9527"]

    def test_two_without_phones_are_taken(self):
        (house,) = read(row(业主姓名="胡红英、李涵", 手机号="")).houses

        assert [owner.phone for owner in house.owners] == [None, None]

    def test_two_names_and_one_phone_are_a_problem(self):
        assert told(read(row(业主姓名="胡红英、李涵"))) == [(2, "手机号")]

    def test_a_house_without_owner_is_taken(self):
        (house,) = read(row(业主姓名="", 手机号="")).houses

        assert house.owners == []

    def test_co_owners_may_have_a_row_each(self):
        sheet = read(
            row(产权份额="60%"), row(业主姓名="李涵", 手机号="19900000002", 产权份额="40%")
        )

        (house,) = sheet.houses
        assert [owner.row for owner in house.owners] == [2, 3]
        assert sheet.problems == ()

    def test_shares_above_the_whole_stop_the_house(self):
        sheet = read(
            row(产权份额="60%"), row(业主姓名="李涵", 手机号="19900000002", 产权份额="41%")
        )

        assert (sheet.houses, told(sheet)) == ((), [(3, "产权份额")])

    def test_the_email_is_the_first_owner_s(self):
        (house,) = read(
            [*row(业主姓名="胡、李", 手机号="19900000001、19900000002"), "a@example.com"],
            header=[*HEADER, "邮箱"],
        ).houses

        assert [owner.email for owner in house.owners] == ["a@example.com", ""]

    def test_one_phone_under_two_names_is_a_problem(self):
        sheet = read(ROW, row(房号="102", 业主姓名="李涵"))

        assert told(sheet) == [(3, "手机号")]
        assert "陈建" in sheet.problems[0].why

    def test_one_person_may_own_two_houses(self):
        sheet = read(ROW, row(房号="102"))

        assert (len(sheet.houses), sheet.problems) == (2, ())


class TestRepeats:
    def test_the_same_row_twice_is_told(self):
        sheet = read(ROW, ROW)

        assert told(sheet) == [(3, "房号")]
        assert len(sheet.houses) == 1

    @pytest.mark.parametrize(("column", "value"), [("建筑面积", 99.37), ("交付日期", "2021-06-01")])
    def test_the_same_house_with_other_facts_is_told(self, column, value):
        sheet = read(ROW, row(业主姓名="李涵", 手机号="19900000002", **{column: value}))

        assert told(sheet) == [(3, column)]
        assert [owner.name for owner in sheet.houses[0].owners] == ["陈建"]

    def test_the_same_room_in_another_unit_is_another_house(self):
        assert len(read(ROW, row(单元="2", 手机号="")).houses) == 2
