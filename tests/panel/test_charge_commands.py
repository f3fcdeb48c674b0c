"""``flask pool|one-off|discount|house``: from the words to the rows, and refusals in words."""

from datetime import UTC, datetime

import pytest

from domain.charges import ChargeMethod
from tests import factories
from tests.panel.test_commands import HUGE, ended

WHERE = ["--community", "CH", "--as", "li"]
HOUSE = ["--house", "1栋1单元101"]


@pytest.fixture
def flask(app):
    runner = app.test_cli_runner()
    return lambda *words: runner.invoke(args=list(words))


@pytest.fixture(autouse=True)
def here(database, clock):
    """Two houses of CH, an item of three methods each, a manager li and a cashier zhao."""
    clock.set(datetime(2026, 11, 2, 2, 0, tzinfo=UTC))
    with database.session() as session:
        community = factories.make_community(session, code="CH")
        building = factories.make_building(session, community=community, name="1栋")
        for room_no in ("101", "102"):
            factories.make_house(session, building=building, room_no=room_no)
        for code, method, price in (
            ("WY", ChargeMethod.AREA, "2.35"),
            ("GT", ChargeMethod.SHARE, None),
            ("LS", ChargeMethod.ONE_OFF, None),
        ):
            factories.make_item(
                session, community=community, code=code, charge_method=method, price=price
            )
        for login_name, role in (("li", "manager"), ("zhao", "cashier")):
            factories.make_staff(session, login_name=login_name, role=role)


@pytest.fixture
def count(database):
    return lambda table: database.value(f"SELECT count(*) FROM {table}")


class TestPool:
    @pytest.fixture
    def add(self, flask):
        return lambda *words, month="2026-10", code="GT", where=WHERE: flask(
            "pool", "add", code, "--month", month, *words, *where
        )

    def test_an_amount_is_put_on_file_listed_and_withdrawn(self, add, flask):
        ended(
            add("--amount", "300.00", "--document", "供电局 10 月账单"),
            0,
            "公摊总额 ¥300.00，编号 1",
        )
        ended(
            flask("pool", "list", *WHERE),
            0,
            "1 物业费 2026-10-01 ~ 2026-10-31 ¥300.00 按 area 供电局 10 月账单",
        )
        ended(flask("pool", "cancel", "1", "--reason", "录错", "--as", "li"), 0, "已撤销")
        ended(flask("pool", "list", *WHERE), 0, "按 area（已撤销）")
        ended(flask("pool", "cancel", "1", "--reason", "录错", "--as", "li"), 1, "没有找到")

    def test_units_times_a_price(self, add):
        ended(add("--units", "100.5", "--price", "0.5283"), 0, "公摊总额 ¥53.09")

    def test_own_weights_of_some_buildings(self, add, database):
        answer = add(
            *("--amount", "300", "--by", "custom", "--building", "1栋"),
            *("--weight", "1栋1单元101=2", "--weight", "1栋1单元102=0.5"),
        )

        ended(answer, 0, "编号 1")
        rows = database.rows("SELECT house_id, weight::text FROM share_pool_weight ORDER BY 1")
        assert [tuple(row.values()) for row in rows] == [(1, "2.0000"), (2, "0.5000")]
        assert database.value("SELECT building_ids FROM share_pool") == [1]

    @pytest.mark.parametrize(
        ("words", "sentence"),
        [
            ([], "金额：请填写总额"),
            (["--amount", ""], "金额格式不对"),
            (["--amount", "300.001"], "金额格式不对"),
            (["--amount", "-300"], "金额格式不对"),
            (["--amount", "1,000"], "金额格式不对"),
            (["--amount", "３００"], "金额格式不对"),
            (["--amount", "0"], "金额："),
            (["--units", "5"], "金额："),
            (["--amount", "5", "--units", ""], "用量：不是数字"),
            (["--units", "5", "--price", "1e2"], "单价：不是数字"),
            (["--amount", "5", "--units", "5", "--price", "1"], "金额："),
            (["--amount", "5", "--by", "custom"], "权重："),
            (["--amount", "5", "--weight", "1栋1单元101=2"], "权重："),
            (["--amount", "5", "--by", "custom", "--weight", "1栋1单元101"], "没有房屋"),
            (["--amount", "5", "--by", "custom", "--weight", "1栋1单元101="], "权重：不是数字"),
            (["--amount", "5", "--by", "custom", "--weight", "9栋1单元101=2"], "没有房屋 9栋"),
            (
                [
                    *("--amount", "5", "--by", "custom"),
                    *("--weight", "1栋1单元101=2", "--weight", "1栋1单元101=3"),
                ],
                "权重：1栋1单元101 写了两次",
            ),
            (["--amount", "5", "--building", "9栋"], "没有楼栋 9栋"),
        ],
    )
    def test_what_is_wrong_is_named(self, add, count, words, sentence):
        ended(add(*words), 1, sentence, "没有完成：")

        assert count("share_pool") == 0

    def test_items_that_are_not_shared(self, add):
        ended(add("--amount", "5", code="WY"), 1, "没有这个公摊项目")
        ended(add("--amount", "5", code="XX"), 1, "没有编号为 XX 的收费项目")

    def test_one_pool_per_period(self, add):
        ended(add("--amount", "5"), 0)
        ended(add("--amount", "5"), 1, "已有公摊总额")

    @pytest.mark.parametrize("month", ["2026-13", "0001-01", "9999-12", "2026", ""])
    def test_a_month_has_a_form(self, add, month):
        ended(add("--amount", "5", month=month), 2)

    @pytest.mark.parametrize("number", ["0", "-1", HUGE, "x"])
    def test_a_number_has_a_form(self, flask, number):
        ended(flask("pool", "cancel", "--reason", "x", "--as", "li", "--", number), 2)

    def test_an_empty_list_says_so(self, flask):
        ended(flask("pool", "list", *WHERE), 0, "还没有公摊总额")

    def test_only_whoever_may(self, add, flask, count):
        ended(add("--amount", "5", where=["--community", "CH", "--as", "zhao"]), 1, "没有权限")
        ended(add("--amount", "5"), 0)
        ended(flask("pool", "cancel", "1", "--reason", "x", "--as", "zhao"), 1, "没有权限")


class TestOneOff:
    @pytest.fixture
    def add(self, flask):
        def add(amount="50", on="2026-10-09", code="LS", house=HOUSE, document="BX1", where=WHERE):
            words = ["one-off", "add", code, *house, "--amount", amount, "--on", on]
            return flask(*words, "--document", document, *where)

        return add

    def test_a_charge_is_put_on_file_listed_and_withdrawn(self, add, flask):
        ended(add(), 0, "已录入临时收费 1栋1单元101 50 元，编号 1")
        ended(flask("one-off", "list", *WHERE), 0, "1 2026-10-09 1栋1单元101 物业费 ¥50.00 BX1")
        ended(flask("one-off", "cancel", "1", "--reason", "录错", "--as", "li"), 0, "已撤销")
        ended(flask("one-off", "list", *WHERE), 0, "¥50.00（已撤销） BX1")
        ended(flask("one-off", "cancel", "1", "--reason", "录错", "--as", "li"), 1, "没有找到")

    @pytest.mark.parametrize(
        ("changes", "sentence"),
        [
            ({"amount": "50.001"}, "金额格式不对"),
            ({"amount": "5e1"}, "金额格式不对"),
            ({"amount": ""}, "金额格式不对"),
            ({"amount": "0"}, "金额：金额应大于 0"),
            ({"document": " "}, "依据：请填写收费依据"),
            ({"house": ["--house", "9栋101"]}, "没有房屋 9栋101"),
            ({"code": "XX"}, "没有编号为 XX 的收费项目"),
            ({"code": "WY"}, "没有这户房屋或这个临时收费项目"),
            ({"where": ["--community", "CH", "--as", "zhao"]}, "没有权限"),
        ],
    )
    def test_what_is_wrong_is_named(self, add, count, changes, sentence):
        ended(add(**changes), 1, sentence, "没有完成：")

        assert count("one_off_charge") == 0

    @pytest.mark.parametrize("day", ["2026-10-32", "20261009", "9999-12-31", "0001-01-01", ""])
    def test_a_day_has_a_form(self, add, count, day):
        ended(add(on=day), 2)

        assert count("one_off_charge") == 0

    def test_an_empty_list_says_so(self, flask):
        ended(flask("one-off", "list", *WHERE), 0, "还没有临时收费")

    def test_without_a_reason_it_stays(self, add, flask):
        add()

        ended(flask("one-off", "cancel", "1", "--reason", "", "--as", "li"), 1, "原因：")


class TestDiscount:
    @pytest.fixture
    def add(self, flask):
        def add(kind, *words, since="2020-01-01", items=("WY",), where=WHERE):
            chosen = [word for code in items for word in ("--item", code)]
            return flask(
                *("discount", "add", "优惠", "--kind", kind, *chosen, "--from", since),
                *words,
                *where,
            )

        return add

    @pytest.mark.parametrize(
        ("kind", "words", "columns", "values"),
        [
            ("percentage", ["--percent", "5.5"], "percent::text", ("5.5000",)),
            ("fixed", ["--amount", "10.50"], "amount_fen", (1050,)),
            (
                "free_months",
                ["--buy-months", "11", "--free-months", "1"],
                "buy_months, free_months",
                (11, 1),
            ),
            (
                "early_payment",
                ["--percent", "5", "--early-days", "30"],
                "percent::text, early_days",
                ("5.0000", 30),
            ),
            (
                "vacancy",
                ["--percent", "30", "--cap", "99.99", "--priority", "7", "--stackable"],
                "cap_fen, priority, is_stackable",
                (9999, 7, True),
            ),
        ],
    )
    def test_every_kind_is_put_on_file(self, add, database, kind, words, columns, values):
        ended(add(kind, *words), 0, "已添加优惠“优惠”，编号 1")

        row = database.rows(f"SELECT kind, {columns} FROM discount_rule")[0]
        assert tuple(row.values()) == (kind, *values)

    def test_for_some_houses_until_a_day_listed_and_stopped(self, add, flask, database):
        houses = [*HOUSE, "--house", "1栋1单元102"]

        ended(add("percentage", "--percent", "5", "--until", "2027-01-01", *houses), 0, "编号 1")
        ended(flask("discount", "list", *WHERE), 0, "1 优惠 percentage 2 户 自 2020-01-01")
        ended(flask("discount", "stop", "1", "--reason", "结束", "--as", "li"), 0, "已停用")
        ended(flask("discount", "list", *WHERE), 0, "（已停用）")
        ended(flask("discount", "stop", "1", "--reason", "结束", "--as", "li"), 1, "没有找到")
        assert str(database.value("SELECT ends_on FROM discount_rule")) == "2027-01-01"

    @pytest.mark.parametrize(
        ("kind", "words", "sentence"),
        [
            ("percentage", [], "优惠比例：请填写"),
            ("percentage", ["--percent", ""], "优惠比例：不是数字"),
            ("percentage", ["--percent", "5%"], "优惠比例：不是数字"),
            ("percentage", ["--percent", "101"], "优惠比例：优惠比例"),
            ("percentage", ["--percent", "5", "--cap", ""], "金额格式不对"),
            ("percentage", ["--percent", "5", "--cap", "1.234"], "金额格式不对"),
            ("percentage", ["--percent", "5", "--priority", "1000"], "优先级："),
            ("percentage", ["--percent", "5", "--amount", "10"], "金额：这类优惠不用填写"),
            ("percentage", ["--percent", "5", "--until", "2020-01-01"], "停用日期："),
            ("percentage", ["--percent", "5", "--house", "9栋"], "没有房屋 9栋"),
            ("fixed", ["--amount", ""], "金额格式不对"),
            ("fixed", ["--amount", "0"], "金额："),
            ("free_months", ["--buy-months", "11"], "赠送月数：请填写"),
            ("early_payment", ["--percent", "5", "--early-days", HUGE], "早缴天数："),
        ],
    )
    def test_what_is_wrong_is_named(self, add, count, kind, words, sentence):
        ended(add(kind, *words), 1, sentence, "没有完成：")

        assert count("discount_rule") == 0

    def test_items_that_are_not_there(self, add):
        ended(add("percentage", "--percent", "5", items=["WY", "XX"]), 1, "没有编号为 XX")

    @pytest.mark.parametrize("day", ["2026-02-30", "9999-12-31", ""])
    def test_a_day_has_a_form(self, add, day):
        ended(add("percentage", "--percent", "5", since=day), 2)
        ended(add("percentage", "--percent", "5", "--until", day), 2)

    def test_an_empty_list_says_so(self, flask):
        ended(flask("discount", "list", *WHERE), 0, "还没有优惠规则")

    def test_only_whoever_may(self, add, count):
        where = ["--community", "CH", "--as", "zhao"]

        ended(add("percentage", "--percent", "5", where=where), 1, "没有权限")

        assert count("discount_rule") == 0


class TestHouse:
    @pytest.fixture
    def area(self, flask):
        return lambda *words, where=WHERE: flask(
            "house", "change-area", *HOUSE, "--reason", "更正", *words, *where
        )

    @pytest.fixture
    def use(self, flask):
        return lambda state, day="2026-06-01", where=WHERE: flask(
            *("house", "change-use", *HOUSE, "--state", state, "--from", day),
            *("--reason", "申报", *where),
        )

    def test_another_area_from_a_day_on(self, area, database):
        answer = area("--area", "92.1", "--coefficient", "0.8", "--from", "2026-06-01")

        ended(answer, 0, "1栋1单元101 自 2026-06-01 起计费面积 92.1 ㎡，系数 0.8")
        assert str(database.value("SELECT measured_until FROM house_measure")) == "2026-06-01"

    def test_a_correction(self, area, database, count):
        ended(area("--area", "92.1"), 0, "1栋1单元101 更正为计费面积 92.1 ㎡，系数 1")

        assert count("house_measure") == 0
        assert str(database.value("SELECT billing_area FROM house WHERE id = 1")) == "92.1000"

    @pytest.mark.parametrize(
        ("words", "sentence"),
        [
            (["--area", "0"], "计费面积：应大于 0"),
            (["--area", ""], "计费面积：不是数字"),
            (["--area", "-5"], "计费面积：不是数字"),
            (["--area", "8 9"], "计费面积：不是数字"),
            (["--area", "89.37001"], "计费面积：应大于 0，最多 4 位小数"),
            (["--area", "100000"], "计费面积："),
            (["--area", "5", "--coefficient", "0"], "收费系数：应大于 0"),
            (["--area", "5", "--coefficient", ""], "收费系数：不是数字"),
        ],
    )
    def test_what_is_no_area_is_named(self, area, database, words, sentence):
        ended(area(*words), 1, sentence, "没有完成：")

        assert str(database.value("SELECT billing_area FROM house WHERE id = 1")) == "89.3700"

    def test_history_is_not_rewritten(self, area, use):
        ended(area("--area", "92.1", "--from", "2026-06-01"), 0)
        ended(area("--area", "93", "--from", "2026-06-01"), 1, "开始日期必须晚于上一次变更")
        ended(use("vacant"), 0)
        ended(use("rented"), 1, "开始日期必须晚于上一次变更")

    def test_another_use_from_a_day_on(self, use, database):
        ended(use("vacant"), 0, "1栋1单元101 自 2026-06-01 起为 vacant")

        assert database.value("SELECT state FROM occupancy") == "vacant"

    def test_unknown_uses_and_days_end_with_2(self, use, area, count):
        ended(use("haunted"), 2)
        ended(use("vacant", "0001-01-01"), 2)
        ended(area("--area", "92.1", "--from", "2026-06-31"), 2)
        assert count("occupancy") == 0

    def test_a_house_that_is_not_there(self, flask):
        words = ["house", "change-area", "--house", "9栋", "--area", "5", "--reason", "x"]

        ended(flask(*words, *WHERE), 1, "没有房屋 9栋")

    def test_only_whoever_may(self, area, use, count):
        where = ["--community", "CH", "--as", "zhao"]

        ended(area("--area", "5", where=where), 1, "没有权限")
        ended(use("vacant", where=where), 1, "没有权限")
