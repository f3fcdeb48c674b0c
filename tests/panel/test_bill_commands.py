"""``flask bills``: a review with its findings, corrections, and bills explained."""

from datetime import UTC, datetime

import pytest

from domain.charges import ChargeMethod
from tests import factories
from tests.panel.test_commands import HUGE, ended

WHERE = ["--community", "CH", "--as", "li"]


@pytest.fixture
def flask(app):
    runner = app.test_cli_runner()
    return lambda *words: runner.invoke(args=list(words))


@pytest.fixture(autouse=True)
def here(database, clock):
    """Two houses of CH, li and wang manage, zhao is a cashier, qian an engineer."""
    clock.set(datetime(2026, 11, 2, 2, 0, tzinfo=UTC))
    with database.session() as session:
        community = factories.make_community(session, code="CH")
        building = factories.make_building(session, community=community, name="1栋")
        for room_no in ("101", "102"):
            factories.make_house(session, building=building, room_no=room_no)
        factories.make_item(session, community=community, code="WY")
        for login_name, role in (
            ("li", "manager"),
            ("wang", "manager"),
            ("zhao", "cashier"),
            ("qian", "engineer"),
        ):
            factories.make_staff(session, login_name=login_name, role=role)


@pytest.fixture
def generate(flask):
    def generate(*words, month="2026-10"):
        return flask("bills", "generate", "--month", month, *words, *WHERE)

    return generate


@pytest.fixture
def september(flask, generate):
    """September is published; October can be compared with it."""
    ended(generate(month="2026-09"), 0)
    ended(flask("bills", "approve", "1", "--as", "wang"), 0)
    ended(flask("bills", "publish", "1", "--as", "li"), 0)


@pytest.fixture
def bigger(september, database, generate):
    """One house is half as large again; batch 2 waits for its review."""
    database.do("UPDATE house SET billing_area = 134.055 WHERE id = 1")
    ended(generate(), 0, "批次 2：")


class TestGenerate:
    def test_says_what_was_made_and_what_comes_next(self, generate):
        ended(
            generate(),
            0,
            "批次 1：待审核，2026-10-01 ~ 2026-10-31，2 张账单，合计 ¥420.04",
            "物业费：2 张，¥420.04",
            "下一步：由另一位员工查看差异 flask bills review 1",
        )

    def test_only_the_named_items(self, generate, database):
        with database.session() as session:
            factories.make_item(
                session,
                community=session.get_one(factories.Community, 1),
                code="CW",
                charge_method=ChargeMethod.FIXED,
                price="80",
            )

        ended(generate("--item", "CW"), 0, "2 张账单，合计 ¥160.00")
        ended(generate("--item", "WY", "--item", "CW"), 0, "2 张账单，合计 ¥420.04")

    def test_an_item_that_is_not_there(self, generate, database):
        ended(generate("--item", "XX"), 1, "没有编号为 XX 的收费项目")

        assert database.value("SELECT count(*) FROM bill_batch") == 0

    def test_houses_that_cannot_be_charged_are_named(self, generate, database):
        database.do("UPDATE house SET handover_date = NULL WHERE id = 2")

        ended(generate(), 0, "未生成 1栋1单元102 物业费：没有交付日期，无法确定起费日")

    def test_several_buildings_are_summed_one_by_one(self, generate, database):
        with database.session() as session:
            community = session.get_one(factories.Community, 1)
            building = factories.make_building(session, community=community, name="2栋")
            factories.make_house(session, building=building)

        ended(generate(), 0, "1栋：2 张，¥420.04", "2栋：1 张，¥210.02")


class TestReview:
    def test_a_batch_without_surprises(self, september, flask, generate):
        generate()

        ended(
            flask("bills", "review", "2", "--as", "wang"),
            0,
            "没有需要确认的差异",
            "下一步：审核 flask bills approve 2",
        )

    def test_differences_are_told_ticked_and_then_approved(self, bigger, flask):
        ended(flask("bills", "approve", "2", "--as", "wang"), 1, "还有差异没有确认：物业费")
        ended(
            flask("bills", "review", "2", "--as", "wang"),
            0,
            "[待确认] 物业费 金额变化较大：1 户",
            "1栋1单元101：上期 ¥210.02，本期 ¥315.03",
            "[待确认] 物业费 面积或系数变化：1 户",
            "（89.37 × 1 → 134.055 × 1）",
        )
        ended(flask("bills", "review", "2", "--tick", "--as", "wang"), 0, "已全部确认")
        ended(flask("bills", "review", "2", "--as", "wang"), 0, "[已确认] 物业费 金额变化较大")
        ended(flask("bills", "approve", "2", "--as", "wang"), 0, "已审核，内容指纹 ")

    def test_looking_alone_confirms_nothing(self, bigger, flask, database):
        flask("bills", "review", "2", "--as", "wang")

        assert database.value("SELECT count(*) FROM bill_batch_tick") == 0

    def test_a_house_that_has_no_bill_now(self, september, generate, flask, database):
        database.do("UPDATE house SET handover_date = '2027-01-01' WHERE id = 2")
        generate()

        ended(
            flask("bills", "review", "2", "--as", "wang"),
            0,
            "上期有、本期没有：1 户",
            "1栋1单元102：上期 ¥210.02，本期 无",
        )

    def test_only_so_many_rows(self, september, generate, flask, database):
        database.do("UPDATE house SET billing_area = 50")
        generate()

        answer = flask("bills", "review", "2", "--rows", "1", "--as", "wang")

        ended(answer, 0, "金额变化较大：2 户", "1栋1单元101")
        assert "1栋1单元102" not in answer.output

    @pytest.mark.parametrize("rows", ["-1", "1001", HUGE, "x", "1.5"])
    def test_a_number_of_rows_has_a_range(self, bigger, flask, rows):
        ended(flask("bills", "review", "2", "--rows", rows, "--as", "wang"), 2)

    def test_a_batch_that_is_not_there(self, flask):
        ended(flask("bills", "review", "999", "--as", "wang"), 1, "没有找到")

    def test_only_whoever_may(self, bigger, flask):
        ended(flask("bills", "review", "2", "--as", "qian"), 1, "没有权限")
        ended(flask("bills", "review", "2", "--tick", "--as", "zhao"), 1, "没有权限")
        ended(flask("bills", "approve", "2", "--as", "wang"), 1, "还有差异没有确认")


class TestRegenerate:
    def test_only_what_was_corrected_is_made_again(self, generate, flask):
        generate()
        correct = ["house", "change-area", "--house", "1栋1单元101", "--area", "100"]
        ended(flask(*correct, "--reason", "录错", *WHERE), 0)

        ended(
            flask("bills", "regenerate", "1", "--as", "li"),
            0,
            "不变 1 张，变更 1 张，新增 0 张，取消 0 张",
            "2 张账单，合计 ¥445.02",
        )

    def test_not_what_was_approved(self, generate, flask):
        generate()
        flask("bills", "approve", "1", "--as", "wang")

        ended(flask("bills", "regenerate", "1", "--as", "li"), 1, "批次当前为“已审核”")

    def test_a_batch_that_is_not_there(self, flask):
        ended(flask("bills", "regenerate", "999", "--as", "li"), 1, "没有找到")

    @pytest.mark.parametrize("number", ["0", "-1", HUGE, "x"])
    def test_a_number_has_a_form(self, flask, number):
        ended(flask("bills", "regenerate", "--as", "li", "--", number), 2)
        ended(flask("bills", "review", "--as", "li", "--", number), 2)

    def test_only_whoever_may(self, generate, flask):
        generate()

        ended(flask("bills", "regenerate", "1", "--as", "zhao"), 1, "没有权限")


class TestExplain:
    def test_says_where_an_amount_comes_from(self, generate, flask):
        generate()

        ended(
            flask("bills", "explain", "CH202610WY000001", *WHERE),
            0,
            "2026-10-01 ~ 2026-10-31：89.37 ㎡ × 2.35 元/㎡·月 = 210.02 元",
        )

    @pytest.mark.parametrize("bill_no", ["CH202610WY999999", "账单", "' OR 1=1", ""])
    def test_a_bill_that_is_not_there(self, generate, flask, bill_no):
        generate()

        ended(flask("bills", "explain", bill_no, *WHERE), 1, f"没有账单号为 {bill_no} 的账单")

    def test_only_whoever_may(self, generate, flask):
        generate()
        words = ["bills", "explain", "CH202610WY000001", "--community", "CH"]

        ended(flask(*words, "--as", "qian"), 1, "没有权限")
