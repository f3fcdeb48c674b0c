"""The commands about meters, their readings and the keys of reading systems."""

import openpyxl
import pytest

from domain.reading_sheet import SHEET_NAME
from models import Community
from tests import factories
from tests.panel.test_commands import ended

WHERE = ["--community", "CH"]
WORKBOOK = "sample/cuihu-garden.xlsx"


@pytest.fixture
def flask(app):
    runner = app.test_cli_runner()
    return lambda *words: runner.invoke(args=list(words))


@pytest.fixture
def house(database):
    """1栋1单元101 of CH; a manager li and an engineer qian work there."""
    with database.session() as session:
        community = factories.make_community(session, code="CH")
        building = factories.make_building(session, community=community, name="1栋")
        factories.make_staff(session, login_name="li", role="manager")
        factories.make_staff(session, login_name="qian", role="engineer")
        return factories.make_house(session, building=building, room_no="101")


@pytest.fixture
def meter(database, house):
    with database.session() as session:
        return factories.make_meter(session, house=house, meter_no="W1")


@pytest.fixture
def other(database, house):
    """A meter of the house next door."""
    with database.session() as session:
        community = session.get_one(Community, house.community_id)
        building = factories.make_building(session, community=community)
        next_door = factories.make_house(session, building=building)
        return factories.make_meter(session, house=next_door, meter_no="W2")


@pytest.fixture
def file(tmp_path):
    """Make a workbook of readings of 1栋1单元101."""

    def file(*rows):
        book = openpyxl.Workbook()
        book.active.title = SHEET_NAME
        book.active.append(["楼栋", "单元", "房号", "表号", "表类型", "抄表日期", "读数(吨)"])
        for cells in rows:
            book.active.append(["1栋", "1", "101", *cells])
        book.save(tmp_path / "readings.xlsx")
        return str(tmp_path / "readings.xlsx")

    return file


class TestHelp:
    @pytest.mark.parametrize(
        "command", ["register", "replace", "read", "correct", "swap", "list", "show", "unread"]
    )
    def test_every_command_has_one_in_chinese(self, flask, command):
        answer = flask("meters", command, "--help")

        ended(answer, 0, "小区编号或名称")
        ended(flask("meters", command), 2)


class TestRegister:
    WORDS = ("--opening", "12.5", "--on", "2026-09-30", *WHERE)

    def test_a_meter_of_a_house(self, flask, house, database):
        words = ("--kind", "冷水", "--house", "1栋1单元101", "--modulus", "100000")

        answer = flask("meters", "register", "W9", *words, *self.WORDS)

        ended(answer, 0, "已登记表 W9（1栋1单元101），起始读数 12.5")
        (row,) = database.rows("SELECT house_id, kind, modulus FROM meter")
        assert tuple(row.values()) == (house.id, "cold_water", 100_000)

    def test_a_public_meter(self, flask, house, database):
        answer = flask(
            "meters", "register", "P1", "--kind", "electricity", "--multiplier", "40", *self.WORDS
        )

        ended(answer, 0, "已登记表 P1（公共表）")
        assert database.value("SELECT multiplier FROM meter") == 40

    def test_says_what_is_wrong(self, flask, meter):
        words = ("--kind", "冷水", *self.WORDS)

        ended(flask("meters", "register", "W1", *words), 1, "没有完成：表号已被使用")
        ended(flask("meters", "register", "W9", *words, "--house", "1栋999"), 1, "没有房屋 1栋999")
        ended(flask("meters", "register", "W9", *words, "--multiplier", "x"), 1, "倍率：")
        ended(flask("meters", "register", "W9", *words, "--as", "qian"), 1, "没有权限")
        ended(flask("meters", "register", "W9", "--kind", "油", *self.WORDS), 2)


class TestReplace:
    def test_says_where_one_ends_and_the_other_begins(self, flask, meter, database):
        words = ("--closing", "110", "--opening", "0", "--on", "2026-10-31", *WHERE)

        ended(flask("meters", "replace", "W1", "W9", *words), 0, "表 W1 止于 110，由表 W9 从 0")

        assert database.value("SELECT count(*) FROM meter WHERE closed_on IS NOT NULL") == 1
        ended(flask("meters", "replace", "W1", "W10", *words), 1, "没有完成：该表已停用")
        ended(flask("meters", "replace", "W8", "W10", *words), 1, "没有表号为 W8 的表")


class TestReadAndCorrect:
    ON = ("--on", "2026-10-31", *WHERE)

    def test_a_reading_is_entered_once(self, flask, meter, database):
        words = ("meters", "read", "W1", "110", *self.ON, "--as", "qian")

        ended(flask(*words), 0, "已录入表 W1 在 2026-10-31 的读数 110")
        ended(flask(*words), 0, "已有相同读数，没有变化")

        assert database.value("SELECT count(*) FROM meter_reading") == 1

    def test_what_cannot_be_taken_ends_with_2(self, flask, meter):
        ended(flask("meters", "read", "W1", "99", *self.ON), 2, "没有录入：读数小于上次的 100")
        ended(flask("meters", "read", "W1", "x", *self.ON), 1, "读数：")
        ended(flask("meters", "read", "W9", "9", *self.ON), 2, "没有这只表")

    def test_a_rollover_and_a_note(self, flask, meter, database):
        database.do("UPDATE meter SET modulus = 1000")
        words = ("--rollover", "--note", "换了", *self.ON)

        ended(flask("meters", "read", "W1", "5", *words), 0)

        assert database.rows("SELECT is_rollover, note FROM meter_reading") == [
            {"is_rollover": True, "note": "换了"}
        ]

    def test_a_wrong_one_is_corrected_with_a_reason(self, flask, meter):
        flask("meters", "read", "W1", "210", *self.ON)

        answer = flask("meters", "correct", "W1", "120", *self.ON, "--reason", "看错")

        ended(answer, 0, "的读数由 210 更正为 120")
        shown = flask("meters", "show", "W1", *WHERE)
        ended(shown, 0, "2026-10-31 120", "2026-10-31 210 已更正：看错", "100（起始）", "用量")
        ended(flask("meters", "correct", "W1", "120", *self.ON), 2)

    def test_unusual_usage_is_told(self, flask, meter):
        for month in range(5, 10):
            flask("meters", "read", "W1", f"{100 + month}", "--on", f"2026-0{month}-28", *WHERE)

        ended(flask("meters", "read", "W1", "500", *self.ON), 0, "提醒：2026-10 用量", "已录入")
        answer = flask("meters", "correct", "W1", "501", *self.ON, "--reason", "看错")
        ended(answer, 0, "提醒：2026-10 用量")


class TestSwap:
    def test_says_which_bills_are_to_be_adjusted(self, flask, meter, other, database, house):
        with database.session() as session:
            bill = factories.make_bill(session, house=house)
        with database.engine.begin() as connection:
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
            connection.exec_driver_sql(
                "UPDATE bill_line SET trace ="
                ' (trace::jsonb || \'{"segments": [{"meter_no": "W1"}]}\')::json'
            )

        answer = flask("meters", "swap", "W1", "W2", "--reason", "接反", *WHERE)

        ended(answer, 0, "已互换表 W1 与表 W2", "以下 1 张已发布的账单", bill.bill_no)

    def test_says_why_it_cannot_be(self, flask, meter):
        ended(flask("meters", "swap", "W1", "W1", "--reason", "x", *WHERE), 1, "只能互换")
        ended(flask("meters", "swap", "W1", "W1", "--reason", "", *WHERE), 1, "原因：")


class TestLists:
    def test_meters_with_their_last_reading(self, flask, meter, other, database):
        flask("meters", "read", "W1", "110", "--on", "2026-10-31", *WHERE)
        database.do(
            "UPDATE meter SET closed_on = '2026-10-31', closing_reading = 110 WHERE meter_no = 'W2'"
        )

        answer = flask("meters", "list", *WHERE, "--as", "qian")

        ended(
            answer,
            0,
            "W1 冷水 1栋1单元101：2026-10-31 110",
            "还没有抄过，2026-10-31 停用",
            "共 2 只",
        )
        ended(flask("meters", "list", "--search", "W2", *WHERE), 0, "共 1 只")

    def test_meters_that_are_still_to_be_read(self, flask, meter, other):
        flask("meters", "read", "W1", "110", "--on", "2026-10-31", *WHERE)
        words = ("meters", "unread", "--month", "2026-10", *WHERE)

        ended(flask(*words, "--kind", "冷水"), 0, "W2", "2026-10 还有 1 只没有抄")
        ended(flask(*words, "--kind", "gas"), 0, "还有 0 只")
        ended(flask("meters", "unread", "--month", "2026-13", "--kind", "冷水", *WHERE), 2)

    @pytest.mark.parametrize("month", ["9999-12", "0001-01", "1999-12"])
    def test_a_month_of_a_year_that_cannot_be(self, flask, meter, month):
        answer = flask("meters", "unread", "--month", month, "--kind", "冷水", *WHERE)

        ended(answer, 2, "年份应在 2000 至 2999 之间")

    @pytest.mark.parametrize("day", ["9999-12-31", "0001-01-01"])
    def test_a_day_of_a_year_that_cannot_be(self, flask, meter, day):
        for command in ("read", "correct"):
            words = ("meters", command, "W1", "110", "--on", day, *WHERE)
            ended(flask(*words), 2, "年份应在 1950 至 2999 之间")

    def test_bytes_that_are_not_utf_8(self, flask, meter):
        ended(flask("meters", "show", "W\udcff", *WHERE), 1, "不是 UTF-8")
        ended(flask("meters", "list", "--search", "\udcff", *WHERE), 1, "不是 UTF-8")

    def test_an_unknown_community_is_named(self, flask, house):
        ended(flask("meters", "list", "--community", "XX"), 1, "没有编号或名称为 XX 的小区")


class TestImport:
    ROWS = (("W1", "冷水", "2026-09-30", 100), ("W1", "冷水", "2026-10-31", 105))

    def test_a_dry_run_writes_nothing(self, flask, house, file, database):
        answer = flask("import", "readings", file(*self.ROWS), *WHERE, "--dry-run")

        ended(answer, 0, "新表 1 只，首次读数作为起始读数", "检查完成：2 行，新读数 1 条")
        assert database.rows("SELECT * FROM meter") == []

    def test_a_file_goes_in_once(self, flask, house, file, database):
        path = file(*self.ROWS)

        ended(flask("import", "readings", path, *WHERE), 0, "已处理行 2/2", "导入完成：2 行")

        ended(flask("import", "readings", path, *WHERE), 0, "新读数 0 条，已有 2 条")
        assert database.value("SELECT count(*) FROM meter_reading") == 1

    def test_rows_that_were_left_out_end_with_2(self, flask, house, file):
        answer = flask(
            "import", "readings", file(*self.ROWS, ("W1", "冷水", "2026-11-01", 99)), *WHERE
        )

        ended(answer, 2, "第 4 行 读数(吨)“99”：读数小于上次的 105", "问题 1 处")

    def test_unusual_usage_is_told_and_goes_in(self, flask, house, file):
        rows = [("W1", "冷水", f"2026-0{month}-28", 100 + month) for month in range(4, 10)]

        answer = flask("import", "readings", file(*rows, ("W1", "冷水", "2026-10-31", 500)), *WHERE)

        ended(answer, 0, "提醒：第 8 行 表 W1：2026-10 用量", "提醒 1 条，问题 0 处")

    def test_the_wrong_sheet_is_refused(self, flask, house):
        answer = flask("import", "readings", "sample/clerk-list-messy.xlsx", *WHERE)

        ended(answer, 1, "没有完成：")

    @pytest.mark.slow
    def test_the_sample_goes_in(self, flask, database):
        with database.session() as session:
            factories.make_community(session, code="CH")
        ended(flask("import", "owners", WORKBOOK, *WHERE), 0)

        answer = flask("import", "readings", WORKBOOK, *WHERE)

        ended(answer, 0, "新表 847 只", "2541 行，新读数 1694 条", "问题 0 处")


class TestTokens:
    def test_a_key_is_shown_once_and_can_be_revoked(self, flask, house, client):
        made = flask("staff", "token", "create", "qian", "--name", "抄表系统")
        ended(made, 0, "已为 qian 生成密钥（抄表系统），编号 1")
        token = made.output.strip().splitlines()[-1]
        listed = flask("staff", "token", "list", "qian")
        ended(listed, 0, "1 抄表系统", "使用中", "共 1 个")
        assert token not in listed.output
        body = {
            "community": "CH",
            "readings": [{"meter_no": "W1", "read_on": "2026-10-31", "reading": "1"}],
        }

        def ask():
            headers = {"Authorization": f"Bearer {token}"}
            return client.post("/api/v1/staff/meter-readings", json=body, headers=headers)

        assert ask().status_code == 200
        ended(flask("staff", "token", "revoke", "1"), 0, "已停用密钥 1")
        assert ask().status_code == 401
        ended(flask("staff", "token", "list", "qian"), 0, "已停用")

    def test_says_why_it_cannot_be(self, flask, house):
        ended(flask("staff", "token", "create", "nobody", "--name", "x"), 1, "没有登录名为 nobody")
        ended(flask("staff", "token", "create", "qian", "--name", " "), 1, "名称：")
        ended(flask("staff", "token", "revoke", "404"), 1, "没有找到")
        ended(flask("staff", "token", "revoke", "0"), 2)

    @pytest.mark.parametrize("command", ["create", "revoke", "list"])
    def test_every_command_has_help_in_chinese(self, flask, command):
        ended(flask("staff", "token", command, "--help"), 0, "密钥")
