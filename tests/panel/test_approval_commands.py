"""``flask approvals``: asking for every money act and deciding it, in words."""

from datetime import UTC, date, datetime

import pytest

from domain.payment_states import PaymentChannel
from services.payments.money_in import MoneyIn
from tests import factories
from tests.panel.test_commands import HUGE, ended

BILL = "CH202610WY000001"
WHERE = ["--community", "CH", "--as", "kefu"]


@pytest.fixture
def flask(app):
    runner = app.test_cli_runner()
    return lambda *words: runner.invoke(args=list(words))


@pytest.fixture(autouse=True)
def here(database, clock):
    """A bill of 210.02 that is late; kefu asks, li and wang manage, zhao is a cashier."""
    clock.set(datetime(2026, 11, 24, 2, 0, tzinfo=UTC))
    with database.session() as session:
        community = factories.make_community(session, code="CH")
        building = factories.make_building(session, community=community, name="1栋")
        house = factories.make_house(session, building=building, room_no="101")
        item = factories.make_item(session, community=community, code="WY")
        factories.make_late_fee_rule(session, item=item, daily_rate="0.01")
        factories.make_bill(
            session, house=house, item=item, bill_no=BILL, due_date=date(2026, 11, 14)
        )
        for login_name, role in (
            ("kefu", "customer_service"),
            ("li", "manager"),
            ("wang", "manager"),
            ("zhao", "cashier"),
        ):
            factories.make_staff(session, login_name=login_name, role=role)


@pytest.fixture
def ask(flask):
    """Ask for something about the bill."""

    def ask(command, *words, bill_no=BILL, where=WHERE):
        return flask("approvals", command, bill_no, "--reason", "漏水", *words, *where)

    return ask


@pytest.fixture
def approve(flask):
    return lambda number="1", by="li": flask("approvals", "approve", number, "--as", by)


@pytest.fixture
def bill(database):
    return lambda: tuple(
        database.rows("SELECT state, amount_fen, paid_fen FROM bill ORDER BY id")[0].values()
    )


@pytest.fixture
def requests(database):
    return lambda: [
        tuple(row.values())
        for row in database.rows("SELECT kind, state, amount_fen FROM approval_request ORDER BY id")
    ]


@pytest.fixture
def held(services, database):
    """Money on the prepaid account 1 of the house, and a deposit 1 of 9.00."""
    here = {
        "actor": services.staff.act_as(login_name="zhao"),
        "community_id": 1,
        "house_id": 1,
    }

    def cash(amount_fen):
        return MoneyIn(channel=PaymentChannel.CASH, amount_fen=amount_fen, payer_name="王五")

    services.counter.take(**here, money=cash(50_000), client_key="ahead-0001")
    services.deposits.take(**here, money=cash(900), name="装修押金", client_key="deposit-0001")


PAYEE = ["--payee", "王五", "--phone", "19900000001"]


class TestBills:
    def test_a_waiver(self, ask, approve, bill, requests):
        ended(ask("waive", "--amount", "10.02"), 0, "已提交申请 1", "flask approvals approve 1")
        assert bill() == ("published", 21002, 0)

        ended(approve(), 0, "申请 1 已通过并执行")

        assert bill() == ("published", 20000, 0)
        assert requests() == [("waiver", "approved", 1002)]

    def test_a_void(self, ask, approve, bill):
        where = ["--community", "CH", "--as", "wang"]
        ended(ask("void", where=where), 0, "已提交申请 1")

        ended(approve(), 0)

        assert bill()[0] == "voided"

    def test_a_write_off(self, ask, approve, bill):
        ended(ask("write-off"), 0)

        ended(approve(), 0)

        assert bill()[0] == "written_off"

    def test_a_late_fee_waiver(self, ask, approve, database):
        ended(ask("waive-late-fee", "--amount", "1.50"), 0)

        ended(approve(), 0)

        assert database.value("SELECT waived_fen FROM bill_late_fee") == 150

    @pytest.mark.parametrize(("amount", "fen"), [("12.50", 1250), ("-12.50", -1250)])
    def test_an_adjustment_up_or_down(self, ask, approve, database, amount, fen):
        ended(ask("adjust", "--amount", amount), 0)

        ended(approve(), 0)

        assert database.value("SELECT amount_fen FROM bill_adjustment") == fen

    @pytest.mark.parametrize(
        ("command", "amount"),
        [
            ("waive", ""),
            ("waive", "-5"),
            ("waive", "5.001"),
            ("waive", "1e3"),
            ("waive", "５"),
            ("waive-late-fee", "1,000"),
            ("adjust", ""),
            ("adjust", "-"),
            ("adjust", "--5"),
            ("adjust", "+5"),
            ("adjust", "- 5"),
            ("adjust", "－5"),
        ],
    )
    def test_an_amount_is_read_strictly(self, ask, requests, command, amount):
        ended(ask(command, "--amount", amount), 1, "金额格式不对")

        assert requests() == []

    @pytest.mark.parametrize(
        ("command", "words", "sentence"),
        [
            ("waive", ["--amount", "0"], "没有完成："),
            ("waive", ["--amount", "210.03"], "没有完成："),
            ("waive-late-fee", ["--amount", "999"], "滞纳金未缴部分不足"),
            ("adjust", ["--amount", "0"], "没有完成："),
            ("adjust", ["--amount", "-210.03"], "调减金额超过原账单金额"),
            ("void", [], "没有权限"),
        ],
    )
    def test_what_cannot_be_asked(self, ask, requests, command, words, sentence):
        ended(ask(command, *words), 1, sentence)

        assert requests() == []

    @pytest.mark.parametrize("command", ["waive", "write-off", "waive-late-fee", "adjust"])
    @pytest.mark.parametrize(
        ("bill_no", "sentence"),
        [("CH202610WY000404", "没有账单号为"), ("账单一", "账单号：账单号不对")],
    )
    def test_a_bill_that_is_not_there(self, ask, command, bill_no, sentence):
        words = [] if command == "write-off" else ["--amount", "1"]

        ended(ask(command, *words, bill_no=bill_no), 1, sentence)

    def test_not_without_a_reason(self, flask, requests):
        words = ["approvals", "waive", BILL, "--amount", "1", "--reason", " ", *WHERE]

        ended(flask(*words), 1, "原因：")

        assert requests() == []

    def test_the_same_is_asked_once(self, ask):
        ended(ask("waive", "--amount", "1"), 0)
        ended(ask("waive", "--amount", "2"), 1, "正在等待审批")

    def test_only_whoever_may(self, ask):
        where = ["--community", "CH", "--as", "zhao"]

        ended(ask("waive", "--amount", "1", where=where), 1, "没有权限")


class TestPayouts:
    def test_a_prepaid_balance_is_paid_back(self, held, flask, approve, database):
        before = database.value("SELECT balance_fen FROM prepaid_account")
        answer = flask(
            *("approvals", "refund-prepaid", "1", "--amount", "20", *PAYEE),
            *("--by", "bank_transfer", "--voucher", "T1", "--reason", "卖房", "--as", "kefu"),
        )
        ended(answer, 0, "已提交申请 1")

        ended(approve(), 0)

        assert database.value("SELECT balance_fen FROM prepaid_account") == before - 2000
        row = database.rows("SELECT channel, payee_name, voucher_no FROM refund")[0]
        assert tuple(row.values()) == ("bank_transfer", "王五", "T1")

    def test_a_deposit_is_paid_back(self, held, flask, approve, database):
        words = ["approvals", "return-deposit", "1", "--amount", "9", *PAYEE]
        ended(flask(*words, "--reason", "验收", "--as", "kefu"), 0, "已提交申请 1")

        ended(approve(), 0)

        assert database.value("SELECT returned_fen FROM deposit") == 900

    @pytest.mark.parametrize("command", ["refund-prepaid", "return-deposit"])
    @pytest.mark.parametrize(
        ("words", "sentence"),
        [
            (["1", "--amount", "9999", *PAYEE], "不足"),
            (["1", "--amount", "1.234", *PAYEE], "金额格式不对"),
            (["1", "--amount", "", *PAYEE], "金额格式不对"),
            (["404", "--amount", "1", *PAYEE], "没有找到"),
            (["1", "--amount", "1", "--payee", " ", "--phone", "19900000001"], "没有完成："),
            (["1", "--amount", "1", "--payee", "王五", "--phone", "123"], "没有完成："),
        ],
    )
    def test_what_cannot_be_asked(self, held, flask, requests, command, words, sentence):
        answer = flask("approvals", command, *words, "--reason", "退", "--as", "kefu")

        ended(answer, 1, sentence)
        assert requests() == []

    @pytest.mark.parametrize("command", ["refund-prepaid", "return-deposit"])
    def test_unknown_numbers_and_ways_end_with_2(self, flask, command):
        more = ["--amount", "1", *PAYEE, "--reason", "退", "--as", "kefu"]

        for number in ("0", HUGE, "x"):
            ended(flask("approvals", command, number, *more), 2)
        ended(flask("approvals", command, "1", "--by", "wechat", *more), 2)


class TestDecisions:
    @pytest.fixture
    def asked(self, ask):
        ended(ask("waive", "--amount", "10.02"), 0)

    def test_a_request_may_be_rejected_with_a_reason(self, asked, flask, bill, requests):
        answer = flask("approvals", "reject", "1", "--note", "无据", "--as", "li")

        ended(answer, 0, "申请 1 已驳回")
        assert bill() == ("published", 21002, 0)
        assert requests() == [("waiver", "rejected", 1002)]

    def test_not_without_one(self, asked, flask, requests):
        ended(flask("approvals", "reject", "1", "--note", " ", "--as", "li"), 1, "没有完成：")

        assert requests() == [("waiver", "requested", 1002)]

    def test_nobody_decides_what_they_asked_for(self, ask, approve, requests):
        ended(ask("waive", "--amount", "1", where=["--community", "CH", "--as", "li"]), 0)

        ended(approve(by="li"), 1, "不能审批自己提交的申请")
        ended(approve(by="wang"), 0)

    def test_it_is_decided_once(self, asked, approve, flask):
        ended(approve(), 0)
        ended(approve(by="wang"), 1, "已经处理过")
        ended(flask("approvals", "reject", "1", "--note", "x", "--as", "li"), 1, "已经处理过")

    def test_only_by_whoever_may(self, asked, approve, requests):
        for login_name in ("kefu", "zhao"):
            ended(approve(by=login_name), 1, "没有权限")
        assert requests() == [("waiver", "requested", 1002)]

    def test_a_request_that_is_not_there(self, approve):
        ended(approve("404"), 1, "没有找到")

    @pytest.mark.parametrize("number", ["0", HUGE, "x"])
    def test_a_number_has_a_form(self, approve, number):
        ended(approve(number), 2)


class TestList:
    def test_tells_who_asked_for_what_and_what_became_of_it(self, ask, approve, flask):
        ask("waive", "--amount", "10.02")
        approve()
        ask("write-off")

        where = ["--community", "CH", "--as", "li"]
        answer = flask("approvals", "list", *where)
        ended(
            answer,
            0,
            "[已通过，员工",
            f"减免 1栋1单元101 {BILL} ¥10.02",
            "2026-11-24：漏水",
            f"2 [待审批] 核销 1栋1单元101 {BILL} ¥200.00",
        )
        only_open = flask("approvals", "list", "--open", *where).output
        assert "核销" in only_open
        assert "减免" not in only_open

    def test_an_empty_list_says_so(self, flask):
        ended(flask("approvals", "list", "--community", "CH", "--as", "li"), 0, "没有申请")
