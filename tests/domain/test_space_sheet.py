from decimal import Decimal

import pytest

from domain.houses import SpaceRight
from domain.sheets import HeaderMissing
from domain.space_sheet import read_space_sheet

HEADER = ["车位号", "区域", "面积(㎡)", "性质", "使用人", "手机号", "车牌号"]
ROW = ["B1-001", "地下", 12.72, "产权", "陈建", "19900000001", "粤B96741"]


def row(**changes):
    values = dict(zip(HEADER, ROW, strict=True)) | changes
    return [values[title] for title in HEADER]


def read(*rows, header=HEADER):
    return read_space_sheet([header, *rows])


def told(sheet):
    return [(problem.row, problem.column, problem.why) for problem in sheet.problems]


class TestRows:
    def test_a_space_with_its_user_and_car(self):
        (space,) = read(row()).spaces

        assert (space.space_no, space.zone, space.area) == ("B1-001", "地下", Decimal("12.72"))
        assert (space.right_kind, space.user_name) == (SpaceRight.OWNED, "陈建")
        assert (space.phone, space.plates) == ("19900000001", ("粤B96741",))

    def test_columns_have_many_names_and_stand_below_titles(self):
        header = ["车位编号", "位置", "车位面积", "车位性质", "车主", "联系电话", "车牌"]

        sheet = read_space_sheet([["车位登记表"], [], header, row(), ["合计", "", 12.72]])

        assert [space.row for space in sheet.spaces] == [4]
        assert (sheet.row_count, sheet.header_row) == (1, 2)

    @pytest.mark.parametrize(
        ("word", "right"),
        [
            ("产权车位", SpaceRight.OWNED),
            ("租赁", SpaceRight.RENTED),
            ("公共", SpaceRight.PUBLIC),
            ("人防车位", SpaceRight.CIVIL_DEFENCE),
        ],
    )
    def test_rights_have_their_words(self, word, right):
        assert read(row(性质=word)).spaces[0].right_kind is right

    @pytest.mark.parametrize("joint", ["、", ",", "，", ";", "；", "/", "\n"])
    def test_several_plates_in_a_cell(self, joint):
        (space,) = read(row(车牌号=f"粤B96741{joint}粤BD12345")).spaces

        assert space.plates == ("粤B96741", "粤BD12345")

    def test_the_phone_may_be_a_number(self):
        assert read(row(手机号=19900000001.0)).spaces[0].phone == "19900000001"

    def test_a_space_may_stand_empty(self):
        (space,) = read(row(使用人="", 手机号="", 车牌号="", 区域="")).spaces

        assert (space.user_name, space.phone, space.plates) == ("", None, ())


class TestProblems:
    @pytest.mark.parametrize(
        ("changes", "column", "why"),
        [
            ({"车位号": ""}, "车位号", "缺少车位号"),
            ({"性质": ""}, "性质", "缺少车位性质"),
            ({"性质": "送的"}, "性质", "车位性质看不懂"),
            ({"面积(㎡)": 0}, "面积(㎡)", "面积必须大于 0"),
            ({"手机号": "199"}, "手机号", "手机号格式不对，应为 11 位数字"),
            ({"手机号": ""}, "手机号", "有使用人而缺少手机号"),
            ({"车牌号": "粤B9674"}, "车牌号", "车牌 粤B9674 看不懂"),
        ],
    )
    def test_a_cell_that_cannot_be_read(self, changes, column, why):
        sheet = read(row(**changes))

        assert told(sheet) == [(2, column, why)]
        assert sheet.spaces == ()

    def test_a_space_twice(self):
        sheet = read(row(), row(车牌号=""))

        assert told(sheet) == [(3, "车位号", "与第 2 行重复")]
        assert len(sheet.spaces) == 1

    def test_a_plate_on_two_spaces(self):
        sheet = read(row(), row(车位号="B1-002"))

        assert told(sheet) == [(3, "车牌号", "车牌 粤B96741 已在第 2 行的车位上")]

    def test_very_many_plates(self):
        plates = "、".join(f"粤B{10000 + number}" for number in range(11))

        assert told(read(row(车牌号=plates)))[0][2] == "一个车位超过 10 个车牌"

    def test_all_problems_of_a_row_are_told(self):
        assert len(told(read(row(性质="?", 手机号="1", 车牌号="?")))) == 3

    def test_without_the_header_nothing_is_read(self):
        with pytest.raises(HeaderMissing, match="车位号、性质"):
            read(row(), header=["别的"])
