"""``flask report`` and ``flask statement``: aligned, in Chinese, and equal to the files."""

import io
import unicodedata
from datetime import date, datetime

import pytest
from python_calamine import CalamineWorkbook

from domain.periods import SHANGHAI
from tests import factories
from tests.panel.test_commands import ended


@pytest.fixture
def flask(app):
    runner = app.test_cli_runner()
    return lambda *words: runner.invoke(args=list(words))


@pytest.fixture(autouse=True)
def scene(services, database):
    """Two houses with overdue bills; today is 24 November 2026."""
    services.clock.set(datetime(2026, 11, 24, 12, tzinfo=SHANGHAI))
    with database.session() as session:
        community = factories.make_community(session, code="CH", name="翠湖花园")
        item = factories.make_item(session, community=community)
        for name, fen in (("1栋", 123_456), ("2栋", 10)):
            building = factories.make_building(session, community=community, name=name)
            house = factories.make_house(session, building=building, room_no="101")
            factories.make_bill(
                session,
                house=house,
                item=item,
                lines=(fen,),
                due_date=date(2026, 11, 1),
                published_at=datetime(2026, 10, 31, 17, tzinfo=SHANGHAI),
            )
        factories.make_staff(session, login_name="zhao", role="cashier")


def told(answer):
    assert answer.exit_code == 0, answer.output
    return answer.output


def width(text):
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text)


class TestReports:
    def test_collection_says_what_how_much_and_why(self, flask):
        said = told(flask("report", "collection", "--community", "CH", "--from", "2026-10"))

        assert "翠湖花园 收缴情况表" in said
        assert "账期：2026-10" in said
        assert "1,234.66" in said
        assert "0.00%" in said
        assert "口径：应收＝" in said
        assert "截至 2026-11-24 12:00（北京时间）" in said

    @pytest.mark.parametrize("by", ["building", "item", "house"])
    def test_columns_stand_below_each_other(self, flask, by):
        said = told(flask("report", "arrears", "--community", "CH", "--by", by))

        lines = said.splitlines()
        head = next(number for number, line in enumerate(lines) if set(line) == {"─"})
        table = lines[head - 1 : head + 1] + [line for line in lines[head + 1 :] if "0.00" in line]
        assert len({width(line) for line in table}) == 1
        assert "1,234.66" in table[-1]

    @pytest.mark.parametrize("by", ["month", "building", "item"])
    def test_recovery_and_collection_take_every_by(self, flask, by):
        for report in ("collection", "recovery"):
            words = ["report", report, "--community", "CH", "--from", "2026-10", "--until"]
            told(flask(*words, "2026-11", "--by", by))

    @pytest.mark.parametrize("by", ["day", "channel", "cashier"])
    def test_cash_of_some_days(self, flask, by):
        words = ["report", "cash", "--community", "CH", "--from", "2026-11-01"]
        said = told(flask(*words, "--until", "2026-11-24", "--by", by))

        assert "收款日期：2026-11-01 ~ 2026-11-24" in said
        assert "没有符合条件的记录" in said

    @pytest.mark.parametrize("by", ["day", "channel", "cashier", "building"])
    def test_the_counter_of_some_days(self, flask, by):
        words = ["report", "offline", "--community", "CH", "--from", "2026-11-01"]
        said = told(flask(*words, "--until", "2026-11-24", "--by", by))

        assert "柜台收款统计表" in said
        assert "净额＝收款−冲红−退款" in said

    def test_narrows_by_names_and_as_of(self, flask):
        words = ["report", "arrears", "--community", "CH", "--building", "2栋", "--item", "物业费"]

        said = told(flask(*words, "--as-of", "2026-11-02"))

        assert "楼栋：2栋" in said
        assert "0.10" in said
        assert "1,234" not in said
        assert "截至 2026-11-03 00:00" in said

    def test_files_say_the_same(self, flask, tmp_path):
        xlsx, pdf = tmp_path / "a.xlsx", tmp_path / "a.pdf"

        words = ["report", "arrears", "--community", "CH", "--xlsx", str(xlsx), "--pdf", str(pdf)]
        said = told(flask(*words))

        assert str(xlsx) in said
        assert pdf.read_bytes()[:5] == b"%PDF-"
        sheet = CalamineWorkbook.from_filelike(io.BytesIO(xlsx.read_bytes())).get_sheet_by_index(0)
        totals = next(row for row in sheet.to_python() if row[0] == "合计")
        assert totals[1] == 1234.66

    @pytest.mark.parametrize(
        ("words", "why"),
        [
            (["collection"], "请选择起止时间"),
            (["collection", "--from", "2026-10-02"], "应为整月"),
            (["cash", "--from", "2026-11", "--until", "2026-10"], "请选择起止时间"),
            (["cash", "--from", "2026-11", "--building", "1栋"], "不能按楼栋"),
            (["offline", "--from", "2026-11", "--item", "物业费"], "不能按收费项目"),
            (["offline"], "请选择起止时间"),
            (["arrears", "--as-of", "2026-11-25"], "不能晚于今天"),
            (["arrears", "--building", "9栋"], "没有名为 9栋 的楼栋"),
            (["arrears", "--as", "zhao"], "没有权限"),
        ],
    )
    def test_a_refusal_is_a_sentence(self, flask, words, why):
        answer = flask("report", *words, "--community", "CH")

        assert answer.exit_code == 1
        assert why in answer.output

    @pytest.mark.parametrize("word", ["2026-13", "2026", "昨天", "2026-02-30"])
    def test_what_is_no_month_is_said_to_be_none(self, flask, word):
        answer = flask("report", "cash", "--community", "CH", "--from", word)

        assert answer.exit_code == 2
        assert "应为月份或日期" in answer.output


class TestStatement:
    def test_shows_opening_moves_and_closing(self, flask):
        words = ["statement", "--community", "CH", "--house", "1栋1单元101", "--as", "zhao"]

        said = told(flask(*words, "--from", "2026-10-31"))

        assert "翠湖花园 对账单" in said
        assert "2026-10-31 至 2026-11-24" in said
        assert "【应缴费用】期初余额" in said
        assert "物业费 2026-10" in said
        assert said.count("1,234.56") >= 3

    def test_writes_both_files(self, flask, tmp_path):
        xlsx, pdf = tmp_path / "a.xlsx", tmp_path / "a.pdf"
        words = ["statement", "--community", "CH", "--house", "1栋1单元101"]

        told(flask(*words, "--xlsx", str(xlsx), "--pdf", str(pdf)))

        assert pdf.read_bytes()[:5] == b"%PDF-"
        assert xlsx.read_bytes()[:2] == b"PK"

    def test_an_unknown_house_is_said_to_be_none(self, flask):
        answer = flask("statement", "--community", "CH", "--house", "9栋")

        assert answer.exit_code == 1
        assert "没有这个房屋" in answer.output


FAR = [
    (["report", "cash", "--from", "9999-12-31"], 2),
    (["report", "collection", "--from", "9999-12-31"], 2),
    (["report", "recovery", "--from", "0001-01-01"], 2),
    (["report", "cash", "--from", "0001-01-01"], 2),
    (["report", "cash", "--from", "1949-12-31"], 2),
    (["report", "cash", "--from", "2026-11", "--until", "3000-01-01"], 2),
    (["report", "arrears", "--as-of", "0001-01-01"], 2),
    (["report", "arrears", "--as-of", "9999-12-31"], 2),
    (["statement", "--house", "1栋1单元101", "--until", "0001-01-01"], 2),
    (["statement", "--house", "1栋1单元101", "--from", "9999-12-31"], 2),
]
REPORTS = [
    ["report", "collection", "--from", "2026-10"],
    ["report", "arrears"],
    ["report", "recovery", "--from", "2026-10"],
    ["report", "cash", "--from", "2026-10"],
    ["statement", "--house", "1栋1单元101"],
]


class TestNeverATraceback:
    @pytest.mark.parametrize(("words", "code"), FAR)
    def test_years_that_dates_cannot_be_reckoned_with(self, flask, words, code):
        ended(flask(*words, "--community", "CH"), code, "年份应在 1950 至 2999 之间")

    @pytest.mark.parametrize("day", ["1950-01-01", "2999-12-31"])
    def test_the_first_and_the_last_day_can_be_asked_for(self, flask, day):
        ended(flask("report", "cash", "--from", day, "--community", "CH"), 0)
        for words in (["report", "arrears", "--as-of", day], [*REPORTS[-1], "--until", day]):
            answer = flask(*words, "--community", "CH")
            ended(answer, 0 if day < "2000" and words[0] == "report" else 1)

    @pytest.mark.parametrize("words", REPORTS)
    @pytest.mark.parametrize("form", ["--xlsx", "--pdf"])
    def test_a_folder_that_is_not_there(self, flask, tmp_path, words, form):
        for folder in (tmp_path / "none", tmp_path / ("x" * 300)):
            answer = flask(*words, "--community", "CH", form, str(folder / "a"))
            ended(answer, 2, f"没有文件夹 {folder}")

    def test_a_file_that_cannot_be_written(self, flask, tmp_path):
        name = "x" * 300
        answer = flask(*REPORTS[0], "--community", "CH", "--xlsx", str(tmp_path / name))
        ended(answer, 1, "不能写入文件")

    @pytest.mark.parametrize("option", ["--building", "--item", "--community", "--as", "--xlsx"])
    def test_bytes_that_are_not_utf_8(self, flask, tmp_path, option):
        value = f"{tmp_path}/\udcff" if option == "--xlsx" else "\udcff"
        words = ["report", "cash", "--from", "2026-11", "--community", "CH", option, value]
        ended(flask(*words), 1, "不是 UTF-8")

    def test_a_house_that_is_not_utf_8(self, flask):
        answer = flask("statement", "--community", "CH", "--house", "1\udce5\udcff")
        ended(answer, 1, "不是 UTF-8")

    @pytest.mark.parametrize("option", ["--from", "--as-of"])
    def test_a_day_that_is_not_utf_8(self, flask, option):
        ended(flask("report", "cash", "--community", "CH", option, "\udcff"), 2, "日期，例如")
