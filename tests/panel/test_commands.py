"""The commands of the shell: what they say, and how they end."""

import pytest
from click import Group

from tests import factories

COMMUNITY = ["community", "add", "CH", "--name", "翠湖花园", "--as", "li"]
FEE = ["fees", "add", "WY", "--name", "物业费", "--method", "area", "--price", "2.35"]
FEE += ["--from", "2020-01-01", "--community", "CH", "--as", "li"]
WORKBOOK = "sample/cuihu-garden.xlsx"
HUGE = str(2**63)


@pytest.fixture
def flask(app):
    runner = app.test_cli_runner()
    return lambda *words: runner.invoke(args=list(words))


@pytest.fixture
def staff(database):
    """A manager, another manager, and a cashier."""
    with database.session() as session:
        for login_name, role in (("li", "manager"), ("wang", "manager"), ("zhao", "cashier")):
            factories.make_staff(session, login_name=login_name, role=role)


@pytest.fixture
def community(staff, flask):
    assert flask(*COMMUNITY).exit_code == 0
    assert flask(*FEE).exit_code == 0


def commands(app):
    """Walk over all commands of ours, as words."""

    def walk(group, words):
        for name, command in group.commands.items():
            if isinstance(command, Group):
                yield [*words, name]
                yield from walk(command, [*words, name])
            else:
                yield [*words, name]

    ours = ("staff", "community", "fees", "import", "bills", "report", "verify", "doctor")
    return [words for words in walk(app.cli, []) if words[0] in ours]


def ended(answer, code, *sentences):
    """Check how a command ended and what it said; never with a traceback."""
    assert answer.exit_code == code, answer.output
    assert "Traceback" not in answer.output
    assert answer.exception is None or isinstance(answer.exception, SystemExit)
    for sentence in sentences:
        assert sentence in answer.output, answer.output


class TestHelp:
    def test_every_command_has_one_in_chinese(self, app, flask):
        found = commands(app)
        assert len(found) >= 15

        for words in found:
            answer = flask(*words, "--help")
            ended(answer, 0)
            assert any("一" <= letter <= "鿿" for letter in answer.output), words

    def test_a_misspelt_command_or_a_missing_option_ends_with_2(self, app, flask):
        ended(flask("bills", "nonsense"), 2)
        for words in commands(app):
            complete = (
                ["doctor"],
                ["verify", "ledger"],
                ["verify", "audit"],
                ["history"],
                ["staff", "list"],
                ["community", "list"],
                ["import", "list"],
            )
            if words not in complete and len(words) == 2:
                ended(flask(*words), 2)


class TestStaff:
    def test_creates(self, flask, database):
        answer = flask("staff", "create", "li", "--name", "李经理", "--role", "manager")

        ended(answer, 0, "已添加员工 li（李经理，经理）")
        assert database.value("SELECT role FROM staff WHERE login_name = 'li'") == "manager"

    def test_says_when_the_name_is_taken(self, flask, staff):
        answer = flask("staff", "create", "li", "--name", "李", "--role", "manager")

        ended(answer, 1, "没有完成：登录名已被使用")

    @pytest.mark.parametrize("login_name", ["", "x" * 41, "a\tb"])
    def test_says_which_field_is_wrong(self, flask, login_name):
        answer = flask("staff", "create", login_name, "--name", "李", "--role", "manager")

        ended(answer, 1, "登录名：", "没有完成：")

    def test_are_listed_for_whoever_must_say_who_acts(self, flask, staff, database):
        database.do("UPDATE staff SET is_active = false WHERE login_name = 'zhao'")

        answer = flask("staff", "list")

        ended(answer, 0, "li：", "，经理（manager）", "，收款员（cashier），已停用")
        assert [line[:2] for line in answer.output.splitlines()] == ["li", "wa", "zh"]

    def test_none_yet_says_how_to_begin(self, flask):
        ended(flask("staff", "list"), 0, "没有员工，可用 flask staff create 添加")

    def test_knows_only_the_roles(self, flask):
        ended(flask("staff", "create", "x", "--name", "x", "--role", "god"), 2)


class TestCommunityAndFees:
    def test_are_put_on_file(self, flask, staff, database):
        ended(flask(*COMMUNITY), 0, "已添加小区 翠湖花园（CH）")
        ended(flask(*FEE), 0, "已添加收费项目 物业费（WY），单价 2.35 元")

        assert str(database.value("SELECT unit_price FROM fee_standard")).startswith("2.35")

    def test_are_listed(self, flask, staff):
        ended(flask("community", "list"), 0, "没有小区，可用 flask community add 添加")
        ended(flask(*COMMUNITY), 0)

        ended(flask("community", "list", "--as", "zhao"), 0, "CH：翠湖花园")

    def test_are_put_on_file_once(self, flask, community):
        ended(flask(*COMMUNITY), 1, "没有完成：")
        ended(flask(*FEE), 1, "没有完成：")

    def test_need_somebody_who_exists_and_may(self, flask, staff):
        ended(flask(*COMMUNITY[:-1], "nobody"), 1, "没有登录名为 nobody 的员工")
        ended(flask(*COMMUNITY[:-1], "zhao"), 1, "没有权限", "（可由系统管理员、经理办理）")

    @pytest.mark.parametrize("code", ["ch", "C", "C-H", "CHCHCHCHC", "翠湖", ""])
    def test_a_code_has_a_form(self, flask, staff, code):
        ended(flask("community", "add", code, "--name", "x", "--as", "li"), 1, "编号：")

    @pytest.mark.parametrize(
        "price",
        [
            "abc",
            "NaN",
            "Infinity",
            "1e5",
            "1_0",
            "１２",
            "-1",
            "0",
            "",
            "1E+400",
            "0.0000001",
        ],
    )
    def test_a_price_is_a_plain_positive_number(self, flask, community, price, database):
        words = [price if word == "2.35" else word for word in FEE]
        words[2] = "XX"

        ended(flask(*words), 1, "没有完成：")
        assert database.value("SELECT count(*) FROM fee_item") == 1

    @pytest.mark.parametrize("days", ["-1", "366", HUGE, "1.5", "x"])
    def test_days_have_a_range(self, flask, community, days, database):
        words = [*FEE, "--due-days", days]
        words[2] = "XX"

        assert flask(*words).exit_code in (1, 2)
        assert database.value("SELECT count(*) FROM fee_item") == 1


class TestImport:
    def test_a_dry_run_writes_nothing(self, flask, community, database):
        options = ["--community", "CH", "--as", "li", "--dry-run"]

        ended(flask("import", "owners", WORKBOOK, *options), 0, "检查完成：", "问题 0 处")

        assert database.value("SELECT count(*) FROM house") == 0

    def test_a_messy_list_ends_with_2_and_says_where(self, flask, community):
        options = ["--community", "CH", "--as", "li", "--dry-run"]

        answer = flask("import", "owners", "sample/clerk-list-messy.xlsx", *options)

        assert answer.exit_code in (1, 2)
        assert "Traceback" not in answer.output

    @pytest.mark.parametrize(
        "content", [b"", b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"a,b\n1,2\n"]
    )
    def test_what_is_no_workbook_is_refused(self, flask, community, tmp_path, content):
        file = tmp_path / "x.xlsx"
        file.write_bytes(content)

        answer = flask("import", "owners", str(file), "--community", "CH", "--as", "li")

        ended(answer, 1, "没有完成：")

    def test_a_file_that_is_not_there_ends_with_2(self, flask, community):
        ended(flask("import", "owners", "none.xlsx", "--community", "CH", "--as", "li"), 2)

    def test_an_unknown_community_is_named(self, flask, staff):
        answer = flask("import", "owners", WORKBOOK, "--community", "XX", "--as", "li")

        ended(answer, 1, "没有编号或名称为 XX 的小区")


@pytest.fixture
def batch(flask, community, database):
    """A batch of October's bills that waits for review; its number."""
    ended(flask("import", "owners", WORKBOOK, "--community", "CH", "--as", "li"), 0, "导入完成")
    answer = flask("bills", "generate", "--community", "CH", "--as", "li", "--month", "2026-10")
    ended(answer, 0, "批次 1：", "张账单，合计 ¥", "物业费：")
    return "1"


@pytest.mark.slow
class TestBills:
    def test_go_from_draft_to_the_owners(self, flask, batch, database):
        ended(flask("bills", "show", batch, "--as", "wang"), 0, "批次 1：")
        ended(flask("bills", "approve", batch, "--as", "wang"), 0, "已审核，内容指纹 ")
        ended(flask("bills", "publish", batch, "--as", "li"), 0, "已发布 ", " 条")

        states = database.rows("SELECT DISTINCT state FROM bill")
        assert states == [{"state": "published"}]
        ended(flask("verify", "ledger"), 0, "条承诺全部成立")

    def test_nobody_reviews_their_own(self, flask, batch):
        ended(flask("bills", "approve", batch, "--as", "li"), 1, "没有完成：")

    def test_nothing_is_published_before_its_review(self, flask, batch):
        ended(flask("bills", "publish", batch, "--as", "li"), 1, "没有完成：")

    def test_can_be_sent_back_and_made_again(self, flask, batch):
        ended(flask("bills", "send-back", batch, "--reason", "单价", "--as", "wang"), 0, "已退回")
        ended(flask("bills", "approve", batch, "--as", "wang"), 1, "没有完成：")
        ended(flask("bills", "resume", batch, "--as", "li"), 0, "批次 1：")

    def test_can_be_cancelled_once(self, flask, batch):
        ended(flask("bills", "cancel", batch, "--reason", "重复", "--as", "li"), 0, "已取消")
        ended(flask("bills", "cancel", batch, "--reason", "重复", "--as", "li"), 1, "没有完成：")


class TestBatchNumbers:
    @pytest.mark.parametrize("command", ["show", "approve", "publish", "resume"])
    def test_a_batch_that_is_not_there_is_not_found(self, flask, community, command):
        ended(flask("bills", command, "999", "--as", "li"), 1, "没有找到")

    @pytest.mark.parametrize("number", ["0", "-1", HUGE, str(2**64), "1.0", "x", "1 OR 1=1"])
    @pytest.mark.parametrize("command", ["show", "approve", "publish", "resume"])
    def test_what_can_be_no_number_ends_with_2(self, flask, community, command, number):
        ended(flask("bills", command, "--as", "li", "--", number), 2)

    @pytest.mark.parametrize("month", ["2026-13", "2026", "2026-10-01", "9999-12", "0001-01"])
    def test_a_month_has_a_form(self, flask, community, month):
        options = ["--community", "CH", "--as", "li", "--month", month]

        ended(flask("bills", "generate", *options), 2)

    @pytest.mark.parametrize("month", ["2099-01", "2999-12"])
    def test_a_month_that_is_not_over_has_no_bills(self, flask, community, month):
        options = ["--community", "CH", "--as", "li", "--month", month]

        ended(flask("bills", "generate", *options), 1, "没有完成：")


class TestVerify:
    def test_says_of_every_promise_that_it_holds(self, flask, app):
        answer = flask("verify", "ledger")

        ended(answer, 0, "成立", "条承诺全部成立")
        assert "不成立" not in answer.output

    @pytest.mark.breaks_promises
    def test_names_the_promise_that_is_broken(self, flask, database):
        with database.session() as session:
            bill = factories.make_bill(session, house=factories.make_house(session))
            bill.paid_fen, bill.state = 5, "partially_paid"

        ended(flask("verify", "ledger"), 1, "不成立", "请立即停止收款")


class TestDoctor:
    def test_says_of_every_link_whether_it_works(self, flask, app, simulator):
        flask("jobs", "tick", "--once")

        answer = flask("doctor")

        ended(answer, 0, "正常 数据库", "正常 Redis 队列", "正常 定时任务")
        assert "异常" not in answer.output

    def test_ends_with_1_and_says_what_to_do(self, flask, app, simulator):
        answer = flask("doctor")

        ended(answer, 1, "异常 定时任务", "flask jobs tick")

    def test_no_secret_is_told(self, flask, settings, simulator):
        told = flask("doctor").output

        for secret in (settings.wechatpay_apiv3_key, settings.wechat_official_secret):
            assert secret not in told


class TestNothingToBill:
    def test_a_second_run_says_so_and_leaves_no_batch_to_review(self, flask, batch, database):
        answer = flask("bills", "generate", "--community", "CH", "--as", "li")

        ended(answer, 0, "没有需要生成的账单")
        assert database.value("SELECT state FROM bill_batch ORDER BY id DESC LIMIT 1") == (
            "cancelled"
        )


class TestOperator:
    """Whoever holds the shell may set a community up, but no bills without a name."""

    def test_sets_a_community_up_without_a_staff_account(self, app, flask, database):
        ended(flask("community", "add", "CH", "--name", "翠湖花园"), 0, "已添加小区")
        ended(flask("import", "owners", WORKBOOK, "--community", "翠湖花园"), 0, "864 户")
        ended(flask(*FEE[:-2]), 0, "已添加收费项目")

        assert database.value("SELECT actor_name FROM audit_entry LIMIT 1") == "命令行"

    def test_makes_no_bills(self, community, flask):
        ended(flask("bills", "generate", "--community", "CH"), 2, "--as")


class TestSetPrice:
    def test_lets_a_new_price_hold_from_a_day_on(self, community, flask, database):
        answer = flask(
            *("fees", "set-price", "WY", "--price", "2.50", "--from", "2026-06-16"),
            *("--community", "CH", "--as", "li"),
        )

        ended(answer, 0, "物业费 自 2026-06-16 起单价 2.50 元")
        assert database.value("SELECT count(*) FROM fee_standard") == 2

    @pytest.mark.parametrize(
        ("words", "sentence"),
        [
            (["XX", "--price", "2.50", "--from", "2026-06-16"], "没有编号为 XX 的收费项目"),
            (["WY", "--price", "abc", "--from", "2026-06-16"], "不是数字"),
            (["WY", "--price", "0", "--from", "2026-06-16"], "单价应大于 0"),
            (["WY", "--price", "2.50", "--from", "2019-01-01"], "必须晚于"),
        ],
    )
    def test_says_why_not(self, community, flask, words, sentence):
        ended(flask("fees", "set-price", *words, "--community", "CH", "--as", "li"), 1, sentence)
