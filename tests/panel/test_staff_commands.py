import re

import pytest

from domain.actors import visitor
from services.sign_in_attempts import Visit
from tests import factories
from tests.panel.test_commands import ended

_PASSWORD = re.compile(r"^([a-z2-9]{5}-){3}[a-z2-9]{5}$", re.MULTILINE)


@pytest.fixture
def flask(app):
    runner = app.test_cli_runner()
    return lambda *words: runner.invoke(args=list(words))


@pytest.fixture
def made(flask):
    """The one-time password of a member of staff who was made at the shell."""
    answer = flask("staff", "create", "qian", "--name", "钱工", "--role", "engineer")
    ended(answer, 0, "一次性密码只显示这一次")
    return _PASSWORD.search(answer.output)[0]


@pytest.fixture
def sign_in(services):
    def sign_in(password, login_name="qian"):
        return services.staff_sessions.sign_in(
            actor=visitor(), login_name=login_name, password=password, visit=Visit("10.0.0.1")
        )

    return sign_in


class TestPasswords:
    def test_what_is_printed_opens_the_door_once_changed(self, made, sign_in):
        assert sign_in(made).must_first == "change_password"

    def test_a_reset_prints_another(self, flask, made, sign_in):
        answer = flask("staff", "reset-password", "qian")

        ended(answer, 0, "首次登录后必须修改")
        again = _PASSWORD.search(answer.output)[0]
        assert again != made
        assert sign_in(again).token

    def test_nobody_of_this_name(self, flask):
        for words in (
            ("reset-password", "nobody"),
            ("disable", "nobody"),
            ("enable", "nobody"),
            ("edit", "nobody", "--name", "x"),
            ("scope", "nobody"),
        ):
            ended(flask("staff", *words), 1, "没有登录名为 nobody 的员工")


class TestAccounts:
    def test_disable_and_enable(self, flask, made, database):
        ended(flask("staff", "disable", "qian"), 0, "已停用员工 qian")
        ended(flask("staff", "list"), 0, "，已停用")
        ended(flask("staff", "enable", "qian"), 0, "已启用员工 qian")
        assert database.value("SELECT is_active FROM staff") is True

    def test_edit(self, flask, made, database):
        answer = flask(
            "staff",
            "edit",
            "qian",
            "--name",
            "钱师傅",
            "--phone",
            "19900000001",
            "--role",
            "auditor",
        )

        ended(answer, 0, "已修改员工 qian")
        (row,) = database.rows("SELECT name, phone, role FROM staff")
        assert tuple(row.values()) == ("钱师傅", "19900000001", "auditor")
        ended(flask("staff", "edit", "qian", "--email", "x"), 1, "邮箱：邮箱格式不对")

    def test_scope_is_the_whole_company_unless_narrowed(self, flask, made, database):
        with database.session() as session:
            community = factories.make_community(session, code="CH", name="翠湖花园")
            factories.make_building(session, community=community, name="3栋")

        ended(flask("staff", "scope", "qian", "--building", "CH/3栋"), 0, "CH/3栋")
        ended(flask("staff", "list"), 0, "仅 翠湖花园/3栋")
        ended(flask("staff", "scope", "qian", "--community", "CH"), 0)
        ended(flask("staff", "list"), 0, "仅 翠湖花园")
        ended(flask("staff", "scope", "qian"), 0, "全部小区")
        ended(flask("staff", "scope", "qian", "--building", "3栋"), 1, "小区/楼栋")
        ended(flask("staff", "scope", "qian", "--community", "NONE"), 1, "没有小区 NONE")

    def test_made_for_one_community(self, flask, database):
        with database.session() as session:
            factories.make_community(session, code="CH", name="翠湖花园")

        answer = flask(
            "staff", "create", "x", "--name", "x", "--role", "engineer", "--community", "CH"
        )

        ended(answer, 0)
        assert database.value("SELECT sees_all FROM staff") is False


class TestGrants:
    @pytest.fixture
    def asked(self, flask):
        for name, role in (("admin", "administrator"), ("li", "manager")):
            ended(flask("staff", "create", name, "--name", name, "--role", role), 0)
        answer = flask(
            "staff", "create", "sun", "--name", "孙", "--role", "cashier", "--as", "admin"
        )
        ended(answer, 0, "要由另一人同意后生效")

    def test_are_listed_and_granted_by_another(self, flask, asked, database):
        ended(flask("staff", "grants", "--as", "li"), 0, "sun（孙）申请 收款员", "共 1 个")
        ended(
            flask("staff", "grants", "--grant", "1", "--as", "admin"), 1, "不能审批自己提交的申请"
        )

        ended(flask("staff", "grants", "--grant", "1", "--as", "li"), 0, "已同意")

        assert database.value("SELECT is_active FROM staff WHERE login_name = 'sun'") is True

    def test_are_refused(self, flask, asked, database):
        ended(flask("staff", "grants", "--refuse", "1", "--as", "li"), 0, "已拒绝")
        ended(flask("staff", "grants", "--refuse", "1", "--as", "li"), 1, "已经处理过")
        both = flask("staff", "grants", "--grant", "1", "--refuse", "1", "--as", "li")
        ended(both, 1, "一次只能")


class TestOwnerAccount:
    def test_prints_the_password_of_an_owner(self, flask, database):
        with database.session() as session:
            factories.make_owner(session, phone="19900000001")

        answer = flask("staff", "owner-account", "19900000001", "yezhu101")

        ended(answer, 0, "已为业主账号 yezhu101")
        assert _PASSWORD.search(answer.output)
        ended(flask("staff", "owner-account", "19900000009", "y"), 1, "没有业主登记了这个手机号")
