"""A cashier's day at the shell: shift, money, reversal, refund, receipts, count, hand-over."""

import io
import re
from datetime import timedelta

import pytest
from pypdf import PdfReader

from domain.periods import local_date
from tests import factories
from tests.panel.test_commands import ended

HOUSE = ["--house", "1栋1单元101", "--community", "CH"]


@pytest.fixture
def flask(app):
    runner = app.test_cli_runner()
    return lambda *words: runner.invoke(args=list(words))


@pytest.fixture
def here(database):
    """Community CH with house 1栋1单元101, a manager, finance and a cashier."""
    with database.session() as session:
        for login_name, role in (("li", "manager"), ("qian", "finance"), ("zhao", "cashier")):
            factories.make_staff(session, login_name=login_name, role=role)
        community = factories.make_community(session, code="CH", name="翠湖花园")
        building = factories.make_building(session, community=community, name="1栋")
        house = factories.make_house(session, building=building, room_no="101")
        item = factories.make_item(session, community=community, code="WY")
        factories.make_bill(session, house=house, item=item, lines=(126000,), bill_no="CH1")


@pytest.fixture
def shift(flask, here):
    return lambda word, *more, by="zhao": flask(
        "shift", word, *more, "--community", "CH", "--as", by
    )


@pytest.fixture
def take(flask, here, database):
    """Take money and give the receipt's number."""

    def take(amount, *more, by="zhao"):
        answer = flask(
            *["money", "take", *HOUSE, "--amount", amount, "--payer", "王五", "--as", by, *more]
        )
        ended(answer, 0)
        return re.search(r"收据 (\S+)：", answer.output)[1]

    return take


@pytest.fixture
def money(flask):
    return lambda *words, by="li": flask("money", *words, "--community", "CH", "--as", by)


class TestHelp:
    @pytest.mark.parametrize(
        "words",
        [
            *(f"shift {word}" for word in ("open", "close", "reopen", "count", "explain")),
            *(f"shift {word}" for word in ("hand-over", "list", "show")),
            *(f"money {word}" for word in ("take", "reverse", "refund", "refundable")),
            *(f"receipts {word}" for word in ("show", "pdf", "print")),
            "report offline",
        ],
    )
    def test_every_command_has_one_in_chinese(self, flask, words):
        answer = flask(*words.split(), "--help")

        ended(answer, 0)
        assert re.search(r"[一-鿿]", answer.output)


class TestShift:
    def test_a_day(self, shift, take):
        ended(shift("open", "--float", "200.00"), 0, "备用金 ¥200.00")
        number = take("50.00")
        take("7.00", "--by", "刷卡")
        ended(shift("show", "1"), 0, "当班", "日结后显示收付明细和应有金额")
        ended(shift("close"), 0, "已停止收款")
        ended(shift("reopen"), 0, "恢复收款")
        ended(shift("close"), 0)
        ended(
            shift("count", "--cash", "245.00", "--card", "7.00"),
            0,
            "现金：应有 ¥250.00，清点 ¥245.00，差额 -¥5.00",
            "刷卡：应有 ¥7.00，清点 ¥7.00，差额 ¥0.00",
            "flask shift explain 1",
        )
        ended(shift("hand-over", "1", "--cash", "245.00", by="qian"), 1, "先写明原因")
        ended(shift("explain", "1", "--note", "找零多给"), 0, "已说明")
        ended(shift("hand-over", "1", "--cash", "250.00", by="qian"), 1, "不一致")
        ended(shift("hand-over", "1", "--cash", "245.00", by="qian"), 0, "接收现金 ¥245.00")
        ended(shift("show", "1"), 0, "已交款", number, "收款 现金 ¥50.00", "差额说明：找零多给")

    def test_lists(self, shift, take, clock):
        ended(shift("list", "--own"), 0, "没有班次")
        take("50.00")
        day = local_date(clock.now())

        ended(shift("list", "--own", "--day", str(day)), 0, "班次 1", "当班")
        ended(shift("list", by="qian"), 0, "班次 1")
        ended(shift("list", "--day", str(day - timedelta(days=1)), by="qian"), 0, "没有班次")
        ended(shift("list"), 1, "没有权限进行此操作（可由经理、财务、审计办理）")

    def test_refusals_are_sentences(self, shift):
        ended(shift("close"), 1, "没有当班的班次")
        ended(shift("count", "--cash", "1"), 1, "先停止收款再清点")
        ended(shift("show", "9"), 1, "没有这个班次")
        ended(shift("open", "--float", "x"), 1)


class TestMoney:
    def test_of_an_earlier_day(self, take, flask, clock, database):
        day = local_date(clock.now()) - timedelta(days=2)

        take("50.00", "--received-on", str(day), "--note", "手工收据", by="qian")

        assert database.value("SELECT paid_at::date = :day FROM payment", day=day)
        ended(
            flask(
                *["money", "take", *HOUSE, "--amount", "1", "--payer", "王五", "--as", "zhao"],
                *["--received-on", str(day), "--note", "手工收据"],
            ),
            1,
            "没有权限",
        )

    def test_a_deposit_of_an_earlier_day(self, flask, here, clock):
        day = local_date(clock.now()) - timedelta(days=2)

        answer = flask(
            *["deposit", "take", "装修押金", *HOUSE, "--amount", "500", "--payer", "王五"],
            *["--as", "qian", "--received-on", str(day), "--note", "手工收据"],
        )

        ended(answer, 0, f"补录：{day} 收款")

    def test_reverse(self, take, money, flask):
        number = take("50.00")

        ended(money("reverse", number, "--reason", "录错", by="zhao"), 1, "没有权限")
        ended(money("reverse", number, "--reason", "录错"), 0, "已冲红", "收据作废")
        ended(money("reverse", number, "--reason", "录错"), 1, "不能再冲红")
        show = ["receipts", "show", number, "--community", "CH", "--as", "zhao"]
        ended(flask(*show), 0, "已冲红 ¥50.00（收据作废）")

    def test_refund(self, take, money, flask, database):
        number = take("1300.00")

        ended(
            money("refundable", number),
            0,
            "收款 ¥1,300.00，可退 ¥1,300.00",
            "预存余额：¥40.00",
            "账单 CH1：¥1,260.00",
        )
        payee = ["--by", "cash", "--payee", "王五", "--phone", "19900000001"]
        asked = money("refund", number, "--amount", "45.00", "--reason", "多收", *payee)
        ended(asked, 0, "可退 ¥1,300.00", "已提交申请 1")
        ended(flask("approvals", "approve", "1", "--as", "qian"), 0, "已通过并执行")
        order_no = database.value("SELECT out_trade_no FROM payment")
        ended(money("refundable", order_no), 0, "可退 ¥1,255.00", "账单 CH1：¥1,255.00")

    def test_refund_of_a_bill_or_of_all(self, take, money, flask):
        number = take("1300.00")
        payee = ["--by", "cash", "--payee", "王五", "--phone", "19900000001", "--reason", "多收"]

        ended(money("refund", number, "--bill", "CH1", *payee), 1, "请写明金额")
        ended(money("refund", number, "--bill", "CH1", "--amount", "10.00", *payee), 0)
        ended(flask("approvals", "approve", "1", "--as", "qian"), 0)
        ended(money("refundable", number), 0, "预存余额：¥40.00", "账单 CH1：¥1,250.00")
        ended(money("refund", number, *payee), 0, "已提交申请 2")
        ended(flask("approvals", "approve", "2", "--as", "qian"), 0)
        ended(money("refundable", number), 0, "可退 ¥0.00")

    def test_refusals_are_sentences(self, take, money):
        number = take("50.00")

        ended(money("refundable", "nothing"), 1, "没有这笔收款")
        ended(money("refund", number, "--reason", "多收"), 1, "请写明退款方式")
        ended(money("refundable", number, by="zhao"), 1, "没有权限")


class TestReceipts:
    def test_print(self, take, flask, tmp_path):
        first, second = take("50.00"), take("60.00")
        file = tmp_path / "receipts.pdf"
        by = ["--out", str(file), "--community", "CH", "--as", "zhao"]

        def pages():
            return [
                "".join(page.extract_text().split())
                for page in PdfReader(io.BytesIO(file.read_bytes())).pages
            ]

        ended(flask("receipts", "pdf", first, *by), 0, "已写好")
        assert len(pages()) == 1
        ended(flask("receipts", "print", "--shift", "1", *by), 0)
        assert ["补打第2次" in page for page in pages()] == [True, False]
        ended(flask("receipts", "print", "--no", second, "--cashier", "zhao", *by), 0)
        assert [second in page for page in pages()] == [True]
        ended(flask("receipts", "print", *by), 1, "请写明收据号")
        ended(flask("receipts", "pdf", "CH-1", *by), 1, "没有这张收据：CH-1")

    def test_of_a_day(self, take, flask, tmp_path, clock):
        take("50.00")
        by = ["--out", str(tmp_path / "a.pdf"), "--community", "CH", "--as", "zhao"]
        day = local_date(clock.now())

        ended(flask("receipts", "print", "--day", str(day), *by), 0)
        ended(flask("receipts", "print", "--day", str(day - timedelta(days=1)), *by), 1, "没有符合")
