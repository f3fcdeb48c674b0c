"""The commands of reconciliation, lives of payments and tasks."""

import pytest

from tests import factories
from tests.panel import test_commands
from tests.services.payments.conftest import make_payer  # noqa: F401 - who pays
from tests.services.reconciliation.conftest import DAY, days  # noqa: F401 - a day of payments

RUN = ["reconcile", "run", "--day", str(DAY), "--channel", "微信支付"]


def ended(answer, code=0):
    """Check how a command ended and give what it said."""
    test_commands.ended(answer, code)
    return answer.output


@pytest.fixture
def flask(app):
    runner = app.test_cli_runner()
    return lambda *words: runner.invoke(args=list(words))


@pytest.fixture
def paid(days, database):  # noqa: F811
    """A payment of yesterday, and people who look at it."""
    with database.session() as session:
        for login_name, role in (("wang", "finance"), ("zhao", "cashier")):
            factories.make_staff(session, login_name=login_name, role=role)
    paid = days.pay()
    days.morning_after()
    return paid


class TestReconcile:
    def test_a_day_that_agrees(self, flask, paid):
        said = ended(flask(*RUN, "--as", "wang"))

        assert "已核对" in said
        assert "系统 1 笔：收款 ¥10.00" in said
        assert "渠道 1 笔：收款 ¥10.00" in said
        assert "没有待处理的差异" in said
        assert "共 0 条" in ended(flask("reconcile", "list"))

    def test_the_days_that_were_compared(self, flask, paid):
        assert "还没有核对过" in ended(flask("reconcile", "days", "--as", "wang"))
        ended(flask(*RUN, "--as", "wang"))

        [line] = ended(flask("reconcile", "days", "--as", "wang")).splitlines()
        assert line.startswith(f"{DAY} 微信支付 ")
        assert line.endswith("：已核对，没有待处理的差异")
        assert "还没有" in ended(flask("reconcile", "days", "--channel", "支付宝", "--as", "wang"))

    def test_both_channels_without_a_word(self, flask, paid):
        said = ended(flask(*RUN[:4]))

        assert said.count("已核对") == 2

    def test_a_difference_from_finding_to_settling(self, flask, paid, days):  # noqa: F811
        days.spoil("missing_row")
        assert "待处理差异 1 条" in ended(flask(*RUN), 1)

        said = ended(flask("reconcile", "list", "--channel", "微信支付", "--day", str(DAY)), 1)
        assert f"系统有、渠道无 {paid.out_trade_no} 系统 ¥10.00 渠道 无 待处理" in said
        ended(flask("reconcile", "assign", "1", "--to", "wang"))
        ended(flask("reconcile", "escalate", "1", "--note", "金额较大", "--as", "wang"))
        assert "已上报" in ended(flask("reconcile", "show", "1"))
        ended(flask("reconcile", "handle", "1", "--note", "渠道更正", "--as", "wang"))

        assert "处理情况：渠道更正" in ended(flask("reconcile", "show", "1"))
        assert "共 0 条" in ended(flask("reconcile", "list"))
        assert "已处理" in ended(flask("reconcile", "list", "--all"))

    def test_a_statement_that_was_not_read_is_no_success(self, flask, paid, days):  # noqa: F811
        days.spoil("wrong_hash")

        assert "未核对（broken:checksum）" in ended(flask(*RUN), 1)

    def test_is_not_for_cashiers(self, flask, paid):
        for words in (RUN, ["reconcile", "list"], ["tasks", "list"]):
            assert "没有权限" in ended(flask(*words, "--as", "zhao"), 1)


class TestMoneyLife:
    def test_tells_it_and_asks(self, flask, days, database):  # noqa: F811
        lost = days.pay(is_heard=False)
        code = database.value("SELECT code FROM community")
        said = ended(flask("money", "life", lost.out_trade_no, "--community", code))
        assert "现状：等待支付" in said
        assert "下单 ¥10.00" in said

        said = ended(flask("money", "life", lost.out_trade_no, "--ask"))

        assert "现状：已入账" in said
        assert "微信支付收款 ¥10.00 入账（付款时间 2026-11-20 10:00:00）" in said

    def test_an_unknown_number(self, flask, app):
        assert "没有找到这个编号" in ended(flask("money", "life", "P1"), 1)


class TestTasks:
    def test_what_waits_is_told_and_done(self, flask, paid, days, database):  # noqa: F811
        days.spoil("missing_row")
        days.reconcile()

        said = ended(flask("tasks", "list"), 1)
        assert "对账有差异" in said
        assert "共 1 件" in said
        ended(flask("tasks", "done", "1", "--as", "wang"))

        assert "共 0 件" in ended(flask("tasks", "list"))
        assert "没有这件待办" in ended(flask("tasks", "done", "1"), 1)
        assert database.value("SELECT count(*) FROM audit_entry WHERE action = 'task_done'") == 1
