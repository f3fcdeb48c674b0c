"""``flask fees``: items of every method, prices, trials, and what is refused in words."""

from datetime import UTC, datetime

import pytest

from tests import factories
from tests.panel.test_commands import HUGE, ended

WHERE = ["--community", "CH", "--as", "li"]


@pytest.fixture
def flask(app):
    runner = app.test_cli_runner()
    return lambda *words: runner.invoke(args=list(words))


@pytest.fixture(autouse=True)
def here(database, clock):
    """1栋1单元101 and 102 of CH on 2 November 2026; a manager li and a cashier zhao."""
    clock.set(datetime(2026, 11, 2, 2, 0, tzinfo=UTC))
    with database.session() as session:
        community = factories.make_community(session, code="CH")
        building = factories.make_building(session, community=community, name="1栋")
        factories.make_house(session, building=building, room_no="101", floor_no=4)
        factories.make_house(session, building=building, room_no="102")
        for login_name, role in (("li", "manager"), ("zhao", "cashier")):
            factories.make_staff(session, login_name=login_name, role=role)


@pytest.fixture
def add(flask):
    def add(method, *options, code="SF", where=WHERE):
        words = ["fees", "add", code, "--name", "项目", "--method", method, "--from", "2020-01-01"]
        return flask(*words, *options, *where)

    return add


@pytest.fixture
def item(database):
    return lambda *columns: tuple(
        database.rows(f"SELECT {', '.join(columns)} FROM fee_item")[0].values()
    )


@pytest.fixture
def count(database):
    return lambda table: database.value(f"SELECT count(*) FROM {table}")


class TestAdd:
    def test_by_area_with_every_option(self, add, item, database):
        answer = add(
            *("area", "--price", "2.35", "--surcharge", "5.5", "--due-day", "15"),
            *("--rounding", "jiao", "--proration", "days_30", "--cycle", "3"),
            *("--cycle-from-month", "2", "--timing", "in_advance", "--vacancy-rate", "0.7"),
            *("--issue-offset-days", "4", "--due-days", "20", "--anchor", "calendar"),
        )

        ended(answer, 0, "已添加收费项目 项目（SF），单价 2.35 元")
        assert item("charge_method", "rounding", "proration", "due_day") == (
            "area",
            "jiao",
            "days_30",
            15,
        )
        assert item("cycle_months", "cycle_from_month", "billing_timing", "cycle_anchor") == (
            3,
            2,
            "in_advance",
            "calendar",
        )
        assert item("issue_offset_days", "due_days", "vacancy_rate::text") == (4, 20, "0.70000000")
        row = database.rows("SELECT unit_price::text, surcharge::text FROM fee_standard")[0]
        assert tuple(row.values()) == ("2.350000", "5.500000")

    def test_fixed_per_period(self, add, item):
        ended(add("fixed", "--price", "80", "--per-period", "--cycle", "12"), 0, "已添加")

        assert item("is_per_period", "cycle_months") == (True, 12)

    def test_metered_by_tiers(self, add, item, flask, database):
        answer = add(
            *("meter", "--meter", "cold_water", "--tiers", "180:5, 260:7,:9"),
            *("--tier-window", "year", "--tier-from-month", "7", "--tier-per-person"),
            "--tier-per-house",
        )

        ended(answer, 0, "已添加收费项目 项目（SF）")
        assert item("tier_window", "tier_from_month", "is_tier_per_person") == ("year", 7, True)
        assert database.value("SELECT tiers FROM fee_standard") == [
            ["180", "5"],
            ["260", "7"],
            [None, "9"],
        ]
        ended(
            flask("fees", "list", *WHERE),
            0,
            "SF 项目（meter，2020-01-01 起）",
            "2020-01-01 起 至 180 5 元；至 260 7 元；以上 9 元",
        )

    def test_by_formula_it_is_tried_at_once(self, add, flask):
        answer = add("formula", "--formula", "max(area*rate, 20)*months", "--constant", "rate=0.5")

        ended(
            answer,
            0,
            "试算 2 户：",
            "1栋1单元101：¥44.69",
            "公式 max(area*rate, 20)*months（计费面积 89.37，月数 1） = 44.69 元",
        )
        ended(flask("fees", "list", *WHERE), 0, "公式 max(area*rate, 20)*months")

    def test_a_formula_that_fails_somewhere_says_where(self, add):
        answer = add("formula", "--formula", "100 / floor")

        ended(answer, 0, "1栋1单元101：¥25.00", "1栋1单元102：不能计费，公式需要楼层，但没有填写")

    def test_a_formula_that_fails_everywhere_is_refused(self, add, count):
        ended(add("formula", "--formula", "100 / usage"), 1, "公式：公式需要用量", "没有完成：")

        assert count("fee_item") == 0

    @pytest.mark.parametrize("method", ["share", "one_off"])
    def test_without_a_price(self, add, count, method):
        ended(add(method), 0, "已添加")

        assert count("fee_standard") == 0

    @pytest.mark.parametrize(
        ("words", "sentence"),
        [
            (["area"], "单价：请填写价格"),
            (["area", "--price", ""], "单价：不是数字"),
            (["area", "--price", "2,35"], "单价：不是数字"),
            (["area", "--price", "2.35", "--surcharge", ""], "附加费：不是数字"),
            (["area", "--price", "2.35", "--surcharge", "-1"], "附加费：不是数字"),
            (["area", "--price", "2.35", "--vacancy-rate", "70%"], "空置收费比例：不是数字"),
            (["area", "--price", "2.35", "--vacancy-rate", "1.5"], "空置收费比例：应在 0 与 1"),
            (["area", "--price", "2.35", "--due-day", "32"], "到期日：应为 1 至 31 日"),
            (["area", "--price", "2.35", "--due-day", HUGE], "到期日：应为 1 至 31 日"),
            (["area", "--price", "2.35", "--per-period"], "按期计：只有固定金额"),
            (["area", "--price", "2.35", "--cycle-from-month", "13"], "周期起始月："),
            (["area", "--tiers", ":5"], "阶梯：按面积收费不使用这一项"),
            (["meter", "--tiers", ":5"], "表类型：抄表收费需要选择表类型"),
            (["meter", "--meter", "gas", "--tiers", ""], "阶梯：第 1 档的单价不是数字"),
            (["meter", "--meter", "gas", "--tiers", "180;5"], "阶梯：第 1 档"),
            (["meter", "--meter", "gas", "--tiers", "180:5:6,:7"], "阶梯：第 1 档的单价"),
            (["meter", "--meter", "gas", "--tiers", "180:5"], "阶梯：第 1 档是最后一档"),
            (["meter", "--meter", "gas", "--tiers", ":5", "--price", "3"], "只能填一种"),
            (["formula", "--formula", "area +"], "公式："),
            (["formula", "--formula", "area", "--constant", "rate"], "公式常量：应写作"),
            (["formula", "--formula", "area", "--constant", "rate=1.2.3"], "公式常量：不是数字"),
            (
                ["formula", "--formula", "area*r", "--constant", "r=1", "--constant", "r=2"],
                "公式常量：同一个常量写了两次",
            ),
            (["share", "--price", "1"], "单价：公摊收费不使用这一项"),
        ],
    )
    def test_what_is_wrong_is_named(self, add, count, words, sentence):
        ended(add(*words), 1, sentence, "没有完成：")

        assert count("fee_item") == 0

    @pytest.mark.parametrize(
        "words",
        [
            ["by_mood", "--price", "1"],
            ["area", "--price", "1", "--cycle", "4"],
            ["area", "--price", "1", "--rounding", "cent"],
            ["area", "--price", "1", "--due-days", "1.5"],
            ["area", "--price", "1", "--meter", "steam"],
        ],
    )
    def test_unknown_words_end_with_2(self, add, count, words):
        ended(add(*words), 2)

        assert count("fee_item") == 0

    @pytest.mark.parametrize(
        "day", ["2020-13-01", "2020-02-30", "0001-01-01", "9999-12-31", "昨天", "2020-1-1x", ""]
    )
    def test_a_day_has_a_form(self, flask, count, day):
        words = ["fees", "add", "SF", "--name", "项目", "--method", "formula"]

        ended(flask(*words, "--formula", "area", "--from", day, *WHERE), 2)

        assert count("fee_item") == 0

    def test_only_whoever_may(self, add, count):
        where = ["--community", "CH", "--as", "zhao"]

        ended(add("area", "--price", "1", where=where), 1, "没有权限")

        assert count("fee_item") == 0


class TestSetPrice:
    @pytest.fixture
    def set_price(self, flask):
        return lambda *words: flask(
            "fees", "set-price", "SF", "--from", "2026-06-16", *words, *WHERE
        )

    def test_tiers_and_a_surcharge_after_a_unit_price(self, add, set_price, flask):
        add("meter", "--meter", "gas", "--price", "3")

        ended(
            set_price("--tiers", "100:2,:3", "--surcharge", "1.5"),
            0,
            "项目 自 2026-06-16 起新价格",
        )
        ended(
            flask("fees", "list", *WHERE),
            0,
            "2020-01-01 起 3 元",
            "2026-06-16 起 至 100 2 元；以上 3 元 + 附加费 1.5 元/月",
        )

    @pytest.mark.parametrize(
        ("words", "sentence"),
        [
            ([], "单价：请填写价格"),
            (["--price", ""], "单价：不是数字"),
            (["--formula", "area"], "公式：按面积收费不使用这一项"),
            (["--price", "1", "--constant", "x"], "公式常量：应写作"),
        ],
    )
    def test_says_why_not(self, add, set_price, count, words, sentence):
        add("area", "--price", "2.35")

        ended(set_price(*words), 1, sentence)

        assert count("fee_standard") == 1

    def test_a_formula_that_fails_everywhere_is_refused(self, add, set_price, count):
        add("formula", "--formula", "area")

        ended(set_price("--formula", "100 / usage"), 1, "公式：公式需要用量")

        assert count("fee_standard") == 1

    def test_an_item_without_prices(self, add, set_price):
        add("share")

        ended(set_price("--price", "1"), 1, "这个收费项目没有单价")


class TestEnd:
    def test_ends_an_item(self, add, flask):
        add("area", "--price", "1")

        answer = flask("fees", "end", "SF", "--from", "2026-12-01", "--reason", "停收", *WHERE)

        ended(answer, 0, "项目 自 2026-12-01 起停收")
        ended(flask("fees", "list", *WHERE), 0, "（area，2020-01-01 起，2026-12-01 起停收）")

    @pytest.mark.parametrize(
        ("code", "day", "reason", "sentence"),
        [
            ("XX", "2026-12-01", "停收", "没有编号为 XX 的收费项目"),
            ("SF", "2026-12-01", " ", "原因：请填写原因"),
        ],
    )
    def test_says_why_not(self, add, flask, item, code, day, reason, sentence):
        add("area", "--price", "1")

        ended(flask("fees", "end", code, "--from", day, "--reason", reason, *WHERE), 1, sentence)

        assert item("ends_on") == (None,)


class TestList:
    def test_says_that_there_are_none(self, flask):
        ended(flask("fees", "list", *WHERE), 0, "还没有收费项目")

    def test_of_a_community_that_is_there(self, flask):
        ended(flask("fees", "list", "--community", "XX", "--as", "li"), 1, "没有编号或名称为 XX")


class TestTry:
    def test_tells_what_some_houses_would_owe_and_writes_nothing(self, add, flask, count):
        add("area", "--price", "2.35")

        answer = flask("fees", "try", "SF", "--month", "2026-10", *WHERE)

        ended(
            answer,
            0,
            "试算 2 户：",
            "1栋1单元102：¥210.02",
            "2026-10-01 ~ 2026-10-31：89.37 ㎡ × 2.35 元/㎡·月 = 210.02 元",
        )
        assert count("bill") == 0

    def test_an_item_that_is_not_there(self, flask):
        ended(flask("fees", "try", "XX", "--month", "2026-10", *WHERE), 1, "没有编号为 XX")

    @pytest.mark.parametrize("month", ["2026-13", "2026", "0001-01", "1999-12", "9999-12", ""])
    def test_a_month_has_a_form(self, add, flask, month):
        add("area", "--price", "2.35")

        ended(flask("fees", "try", "SF", "--month", month, *WHERE), 2)
