"""Personal data at the shell."""

import pytest

from domain.actors import system_actor
from domain.register import as_markdown
from services.sign_in_attempts import Visit
from tests import factories
from tests.panel.test_commands import ended


@pytest.fixture
def flask(app):
    runner = app.test_cli_runner()
    return lambda *words: runner.invoke(args=["privacy", *words])


@pytest.fixture
def owner(database, app):
    with database.session() as session:
        house = factories.make_house(session)
        put = factories.make_owner(session, house=house)
        factories.make_staff(session, login_name="cash", role="cashier")
        return factories.owner(factories.make_account(session, owner=put, houses=[house]))


def done(answer):
    ended(answer, 0)
    return answer.output


class TestRegister:
    def test_lists_every_line(self, flask):
        shown = done(flask("register"))

        assert "业主手机号 `owner_phone`" in shown
        assert "    用途：通知账单、联系业主、绑定房屋" in shown

    def test_writes_the_table_of_the_document(self, flask):
        assert done(flask("register", "--markdown")) == as_markdown()


class TestRequests:
    def test_nobody_asked(self, flask, owner):
        assert "没有申请" in done(flask("exports"))
        assert "没有申请" in done(flask("deletions"))

    def test_lists_copies(self, flask, owner, services):
        services.privacy_exports.ask(actor=owner)

        assert "199****0001" in done(flask("exports"))
        assert "正在准备" in done(flask("exports"))
        assert "没有申请" in done(flask("deletions"))

    def test_lists_closings(self, flask, owner, services, database, clock):
        services.account_deletions.send_code(actor=owner, visit=Visit("10.0.0.1"))
        code = database.value("SELECT payload ->> 'code' FROM outbox_message")
        services.account_deletions.ask(actor=owner, code=code, visit=Visit("10.0.0.1"))
        assert "冷静期，至 " in done(flask("deletions"))
        clock.advance(days=7)
        services.account_deletions.carry_out_due(actor=system_actor("x"))

        assert "已注销" in done(flask("deletions"))

    def test_a_cashier_may_not(self, flask, owner):
        ended(flask("deletions", "--as", "cash"), 1)


class TestErase:
    @pytest.fixture
    def old_code(self, database, owner):
        database.do(
            "INSERT INTO login_code (phone, purpose, code_hmac, ip, tries_left, created_at,"
            " expires_at) VALUES ('19900000001', 'x', '', '', 5, '2020-01-01', '2020-01-01')"
        )

    def test_a_dry_run_counts(self, flask, old_code, database):
        assert "验证码记录（login_code）：1 条到期" in done(flask("erase", "--dry-run"))

        assert database.value("SELECT count(*) FROM login_code") == 1

    def test_erases(self, flask, old_code, database):
        assert "已删除 1 条" in done(flask("erase"))

        assert database.value("SELECT count(*) FROM login_code") == 0

    def test_a_cashier_erases_nothing(self, flask, old_code, database):
        ended(flask("erase", "--as", "cash"), 1)

        assert database.value("SELECT count(*) FROM login_code") == 1
