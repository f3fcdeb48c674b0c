from domain.sheets import Table, fill_merged

NAMES = {"room": ("房号", "室号"), "area": ("面积",)}


def table(*rows):
    return Table(rows, NAMES, ("room",))


def numbers(*rows):
    return [number for number, _ in table(*rows).data()]


class TestData:
    def test_the_header_may_stand_below_titles(self):
        assert table(["登记表"], [], ["序号", "室号"], [1, "101"]).header_row == 2

    def test_the_header_of_each_printed_page_is_no_data(self):
        header = ["房号", "面积"]

        assert numbers(header, ["101", 80], header, ["102", 80]) == [2, 4]

    def test_totals_of_any_name_are_no_data(self):
        totals = [[word, 5] for word in ("合计", "总计", "小计：", "共计 2 户")]

        assert numbers(["房号", "面积"], ["101", 5], *totals) == [2]

    def test_a_total_that_is_not_in_the_first_column_is_none_either(self):
        assert numbers(["房号", "面积"], ["", "合计"], ["101", 5]) == [3]

    def test_a_row_that_holds_only_what_we_said_of_it_is_blank(self):
        assert numbers(["房号", "面积", "问题"], ["", "", "房号：缺少"], ["101", 5, ""]) == [3]

    def test_a_total_is_one_also_behind_our_column(self):
        assert numbers(["问题", "房号", "面积"], ["", "合计", 5], ["好", "101", 5]) == [3]


class TestFillMerged:
    def test_what_is_merged_downwards_holds_for_each_row(self):
        rows = [["楼栋", "房号"], ["1栋", "101"], ["", "102"], ["", "103"], ["2栋", "101"]]

        filled = fill_merged(rows, [(1, 0, 3, 0)])

        assert [row[0] for row in filled] == ["楼栋", "1栋", "1栋", "1栋", "2栋"]

    def test_a_header_of_two_lines_becomes_one(self):
        rows = [["楼栋", "业主", ""], ["", "姓名", "电话"]]

        assert fill_merged(rows, [(0, 0, 1, 0)])[1] == ["楼栋", "姓名", "电话"]

    def test_what_is_not_there_is_not_filled(self):
        rows = [["1栋"], []]

        assert fill_merged(rows, [(0, 0, 9, 0), (5, 0, 6, 0), (0, 4, 1, 4)]) == rows

    def test_without_merged_cells_the_rows_are_as_they_were(self):
        rows = [["1栋"]]

        assert fill_merged(rows, []) is rows
