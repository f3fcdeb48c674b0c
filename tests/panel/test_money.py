"""The commands of money: counter, prepaid, deposits, late fees."""

import re
from datetime import timedelta

import pytest

from domain.periods import local_date
from tests import factories
from tests.panel.test_commands import ended


@pytest.fixture
def flask(app):
    runner = app.test_cli_runner()
    return lambda *words: runner.invoke(args=list(words))


@pytest.fixture
def here(database, clock):
    """Community CH with house 1栋1单元101, 47 days late with 1260.00, and staff."""
    due = local_date(clock.now()) - timedelta(days=47)
    with database.session() as session:
        for login_name, role in (("li", "manager"), ("zhao", "cashier")):
            factories.make_staff(session, login_name=login_name, role=role)
        community = factories.make_community(session, code="CH", name="翠湖花园")
        building = factories.make_building(session, community=community, name="1栋")
        for room_no in ("101", "102"):
            house = factories.make_house(session, building=building, room_no=room_no)
        item = factories.make_item(session, community=community, code="WY")
        house = session.get_one(factories.House, 1)
        factories.make_bill(
            session, house=house, item=item, lines=(126000,), due_date=due, issue_date=due
        )


HOUSE = ["--house", "1栋1单元101", "--community", "CH"]


@pytest.fixture
def take(flask, here):
    return lambda amount, *more: flask(
        *["counter", "take", *HOUSE, "--amount", amount, "--payer", "王五", "--as", "zhao", *more]
    )


class TestHelp:
    @pytest.mark.parametrize(
        "words",
        [
            "counter take",
            "counter preview",
            "prepaid show",
            "prepaid transfer",
            "prepaid offset",
            "deposit take",
            "deposit deduct",
            "deposit list",
            "late-fee set",
            "late-fee end",
            "late-fee pause",
            "late-fee preview",
            "late-fee list",
        ],
    )
    def test_every_command_has_one_in_chinese(self, flask, words):
        answer = flask(*words.split(), "--help")

        ended(answer, 0)
        assert re.search(r"[一-鿿]", answer.output)


class TestCounter:
    def test_preview_then_take(self, flask, take, database):
        flask(
            *["late-fee", "set", "WY", "--rate", "0.0005", "--from", "2020-01-01"],
            *["--community", "CH", "--as", "li"],
        )
        preview = flask("counter", "preview", *HOUSE, "--amount", "1300.00", "--as", "zhao")
        ended(
            preview,
            0,
            "今日应缴合计 ¥1,289.61",
            "¥1,260.00 + 滞纳金 ¥29.61",
            "先到期的账单先抵扣",
            "转入预存：¥10.39",
        )

        ended(take("1300.00"), 0, "收据 CH-", "物业费滞纳金", "预存：¥10.39")
        bill_no = database.value("SELECT bill_no FROM bill ORDER BY id LIMIT 1")
        ended(
            flask("late-fee", "preview", bill_no, "--community", "CH", "--as", "zhao"),
            0,
            "¥29.61（已定额）",
            "未缴 ¥0.00",
        )

    def test_the_same_key_takes_it_once(self, take, database):
        first = take("100.00", "--key", "key-00000001")

        assert take("100.00", "--key", "key-00000001").output == first.output
        assert database.value("SELECT count(*) FROM payment") == 1

    def test_a_named_bill(self, take, database):
        number = database.value("SELECT bill_no FROM bill")

        ended(take("1.00", "--bill", number), 0, number)
        ended(take("1.00", "--bill", "CH999"), 1, "没有待缴的账单 CH999")

    def test_a_bill_that_is_being_paid_online(self, flask, take, database):
        number = database.value("SELECT bill_no FROM bill")
        with database.session() as session:
            factories.make_account(session)
        database.do(
            "INSERT INTO payment_order (community_id, account_id, channel, mchid, appid, openid,"
            " out_trade_no, description, state, amount_fen, topup_fen, topup_house_id, created_at,"
            " expires_at) SELECT community_id, 1, 'wechat', 'm', 'a', 'o', 'P1', '物业费',"
            " 'prepaying', 1, 1, house_id, now(), now() FROM bill"
        )
        database.do("INSERT INTO bill_lock (bill_id, order_id) SELECT id, 1 FROM bill")

        ended(take("1.00", "--bill", number), 1, f"账单 {number} 正在线上支付")
        ended(
            flask("counter", "preview", *HOUSE, "--amount", "1.00", "--as", "zhao"),
            0,
            f"{number} 正在线上支付，不参与抵扣",
        )
        ended(take("1.00"), 0, f"账单 {number} 正在线上支付，本次没有抵扣")

    @pytest.mark.parametrize(
        ("amount", "more", "sentence"),
        [
            ("1,00", [], "金额格式不对"),
            ("1.00", ["--by", "支票"], "凭证号"),
            ("1.00", ["--house", "9栋101"], "没有房屋"),
        ],
    )
    def test_says_what_is_wrong(self, take, amount, more, sentence):
        ended(take(amount, *more), 1, sentence)

    def test_a_manager_takes_no_money(self, flask, here):
        answer = flask(
            *["counter", "take", *HOUSE, "--amount", "1", "--payer", "王五", "--as", "li"]
        )

        ended(answer, 1, "没有权限")


class TestPrepaid:
    def test_show_transfer_offset(self, flask, take, database):
        ended(flask("prepaid", "show", *HOUSE, "--as", "zhao"), 0, "没有预存账户")
        database.do("UPDATE bill SET state = 'written_off'")
        take("2000.00")
        database.do("UPDATE bill SET state = 'published'")

        ended(flask("prepaid", "show", *HOUSE, "--as", "zhao"), 0, "余额 ¥2,000.00", "柜台收款")
        ended(
            flask(
                *["prepaid", "transfer", "1", "--to-house", "1栋1单元102", "--amount", "40.00"],
                *["--reason", "过户", "--community", "CH", "--as", "li"],
            ),
            0,
            "已转 ¥40.00 到账户 2",
        )
        ended(
            flask("prepaid", "offset", "--community", "CH", "--as", "li"),
            0,
            "已抵扣 1 户 1 张账单，合计 ¥1,260.00",
        )
        ended(flask("prepaid", "offset", *HOUSE, "--as", "li"), 0, "已抵扣 0 户")


class TestDeposit:
    def test_take_deduct_list(self, flask, here, database):
        number = database.value("SELECT bill_no FROM bill")
        ended(flask("deposit", "list", *HOUSE, "--as", "zhao"), 0, "没有押金")
        ended(
            flask(
                *["deposit", "take", "装修押金", *HOUSE, "--amount", "2000", "--payer", "王五"],
                *["--by", "刷卡", "--as", "zhao"],
            ),
            0,
            "装修押金：¥2,000.00",
        )
        ended(
            flask(
                *["deposit", "deduct", "1", "--bill", number, "--amount", "60.00"],
                *["--reason", "损坏", "--community", "CH", "--as", "li"],
            ),
            0,
            "余 ¥1,940.00",
        )
        ended(flask("deposit", "list", "--community", "CH", "--as", "zhao"), 0, "押金抵扣 ¥60.00")


class TestLateFee:
    def test_set_list_pause_end(self, flask, here):
        where = ["--community", "CH", "--as", "li"]
        ended(flask("late-fee", "list", *where), 0, "没有滞纳金规则")
        ended(
            flask(
                *["late-fee", "set", "WY", "--rate", "0.0005", "--grace", "5"],
                *["--from", "2020-01-01", *where],
            ),
            0,
            "已设定",
        )
        ended(
            flask(
                *["late-fee", "pause", "--from", "2026-02-01", "--to", "2026-02-07"],
                *["--reason", "春节", *where],
            ),
            0,
            "已暂停，编号 1",
        )
        ended(flask("late-fee", "end", "WY", "--on", "2030-01-01", *where), 0, "已停止")
        ended(
            flask("late-fee", "list", *where),
            0,
            "物业费：2020-01-01 至 2030-01-01 前，每日 0.05%，封顶本金的 30%，宽限 5 天",
            "暂停 1 全小区 2026-02-01 ~ 2026-02-07：春节",
        )

    def test_says_what_is_wrong(self, flask, here):
        where = ["--from", "2020-01-01", "--community", "CH", "--as", "li"]

        ended(flask("late-fee", "set", "WY", "--rate", "0.5", *where), 1, "每日比例")
        ended(flask("late-fee", "set", "WY", "--rate", "1e-4", *where), 1, "不是数字")
        ended(flask("late-fee", "set", "XX", "--rate", "0.0005", *where), 1, "没有编号为 XX")
