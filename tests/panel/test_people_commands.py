"""Owners, bindings and transfers at the shell."""

import pytest

from tests import factories
from tests.panel.test_commands import ended

HERE = ["--community", "CH", "--as", "wang"]


def done(answer, code):
    """Check how a command ended; give all that it said."""
    ended(answer, code)
    return answer.output


@pytest.fixture
def flask(app):
    runner = app.test_cli_runner()
    return lambda *words: runner.invoke(args=list(words))


@pytest.fixture
def here(database):
    with database.session() as session:
        factories.make_staff(session, login_name="wang", role="customer_service")
        community = factories.make_community(session, code="CH", name="翠湖花园")
        building = factories.make_building(session, community=community, name="1栋")
        house = factories.make_house(session, building=building, room_no="101")
        factories.make_bill(session, house=house, bill_no="CH1")
        return factories.make_owner(
            session, house=house, name="王小明", phone="19900000001", initials="wxm"
        )


class TestOwners:
    def test_a_clerks_morning(self, flask, here, database):
        found = flask("owners", "search", "wxm", *HERE)
        assert "王小明  199****0001  1栋1单元101（产权人）  未绑定" in done(found, 0)

        added = flask("owners", "add", "--name", "李四", "--phone", "18800000001", *HERE)
        assert "已登记业主 2" in done(added, 0)
        edited = flask(
            *["owners", "edit", "2", "--wechat", "老李", "--reason", "补充", "--as", "wang"]
        )
        done(edited, 0)
        changed = flask(
            *["owners", "phone", "2", "--to", "18800000002", "--paper", "身份证"],
            *["--reason", "换号", "--as", "wang"],
        )
        done(changed, 0)
        shown = flask("owners", "show", "2", "--as", "wang")
        assert "188****0002  主号" in done(shown, 0)
        assert "拼音" in done(flask("owners", "letters"), 0)

    def test_nobody_is_found(self, flask, here):
        found = flask("owners", "search", "没有", "--arrears", "0.01", "--house", "9", *HERE)

        assert "没有找到" in done(found, 0)

    def test_what_is_wrong_is_told(self, flask, here):
        answer = flask("owners", "add", "--name", "长" * 100, *HERE)

        assert "姓名，50 字以内" in done(answer, 1)

    def test_what_a_person_may_not_do(self, flask, here, database):
        with database.session() as session:
            tenant = factories.make_owner(
                session, house=session.get_one(factories.House, 1), role="tenant", name="房客"
            )

        shown = flask("owners", "show", str(tenant.id))

        assert "租客  2020-01-01 至 今，不能看账单、缴费" in done(shown, 0)


class TestBindings:
    @pytest.fixture
    def apply(self, database, here):
        def apply(house_id=1, role="family"):
            with database.session() as session:
                account = factories.make_account(session)
            database.do(
                "INSERT INTO binding_application (account_id, community_id, house_text, house_id,"
                " name, role, proof, state, created_at) SELECT :account, id, '101', :house_id,"
                " '王太太', :role, '户口本', 'pending', now() FROM community",
                account=account.id,
                house_id=house_id,
                role=role,
            )

        return apply

    def test_approved(self, flask, apply, database):
        apply()
        listed = flask("bindings", "list", *HERE)
        assert "王太太 198****0001  申请为家庭成员  101（即 1栋1单元101）" in done(listed, 0)

        done(flask("bindings", "approve", "1", "--reason", "属实", *HERE), 0)

        assert database.value("SELECT role FROM house_binding") == "family"
        assert "没有等待审核" in done(flask("bindings", "list", *HERE), 0)

    def test_a_house_and_owner_are_chosen(self, flask, apply, here, database):
        apply(house_id=None, role="owner")
        assert "--house" in done(flask("bindings", "list", *HERE), 0)

        answer = flask(
            *["bindings", "approve", "1", "--house", "1栋1单元101"],
            *["--owner", str(here.id), "--reason", "属实", *HERE],
        )

        done(answer, 0)
        assert database.value("SELECT owner_id FROM house_binding") == here.id

    def test_rejected(self, flask, apply, database):
        apply()

        done(flask("bindings", "reject", "1", "--reason", "不清楚", "--as", "wang"), 0)

        assert database.value("SELECT state FROM binding_application") == "rejected"


class TestTransfer:
    RUN = (
        *("transfer", "run", "1栋1单元101", "--on", "2026-10-15", "--key", "key-00000001"),
        *("--reason", "买卖", *HERE),
    )

    def test_previewed_and_carried_out(self, flask, here, database):
        seen = done(flask("transfer", "preview", "1栋1单元101", "--on", "2026-10-15", *HERE), 0)
        assert "原业主：王小明" in seen
        assert "原业主 14 天 ¥94.85，新业主 17 天 ¥115.17" in seen

        answer = flask(*self.RUN, "--buyer", "赵买,18800000001,0.5", "--buyer", "钱买,,0.5")

        assert "未缴账单原业主继续承担，预存随房屋留给新业主" in done(answer, 0)
        assert "过户 1 已办理" in done(
            flask(*self.RUN, "--buyer", "赵买,18800000001,0.5", "--buyer", "钱买,,0.5"), 0
        )
        assert database.value("SELECT count(*) FROM house_person WHERE person_until IS NULL") == 2

    @pytest.mark.parametrize(
        "buyer", ["赵买,18800000001,一半", "赵买,18800000001,1,什么", "赵买,188", "赵,,nan", ""]
    )
    def test_buyers_that_cannot_be_read(self, flask, here, database, buyer):
        done(flask(*self.RUN, "--buyer", buyer), 1)

        assert database.value("SELECT count(*) FROM house_transfer") == 0

    def test_prepaid_money_goes_back_to_somebody(self, flask, here):
        answer = flask(*self.RUN, "--buyer", "赵买", "--refund-to", "王小明,19900000001")

        assert "预存退还原业主" in done(answer, 0)
