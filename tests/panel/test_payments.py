"""The commands of merchants, door codes, rules of payment, and money in suspense."""

import re

import pypdfium2
import pytest
import zxingcpp

from services.pay_ports import ChannelTrade, TradeState
from tests import factories
from tests.panel import test_commands
from tests.services.payments.conftest import SYSTEM
from tests.world import merchant_of, miniapp_of


def ended(answer, code=0):
    """Check how a command ended and give what it said."""
    test_commands.ended(answer, code)
    return answer.output


@pytest.fixture
def flask(app, database):
    """Run a command about the community CH, where three houses stand in two buildings."""
    with database.session() as session:
        community = factories.make_community(session, code="CH", name="翠湖花园")
        for name, rooms in (("1栋", ("101", "102")), ("2栋", ("101",))):
            building = factories.make_building(session, community=community, name=name)
            for room_no in rooms:
                factories.make_house(session, building=building, room_no=room_no)
        factories.make_staff(session, login_name="wang", role="finance")
    runner = app.test_cli_runner()
    return lambda *words: runner.invoke(args=[*words, "--community", "CH"])


class TestPayCodes:
    def test_are_made_once_and_printed_so_that_a_phone_reads_them(self, flask, tmp_path, client):
        assert "3 处房屋都有收款码了，其中新生成 3 个" in ended(flask("pay-code", "make"))
        assert "其中新生成 0 个" in ended(flask("pay-code", "make"))
        sheet = tmp_path / "codes.pdf"

        ended(flask("pay-code", "sheet", "--out", str(sheet)))

        [page] = pypdfium2.PdfDocument(sheet)
        found = {code.text for code in zxingcpp.read_barcodes(page.render(scale=3).to_pil())}
        assert len(found) == 3
        one = ended(flask("pay-code", "show", "--house", "1栋1单元101")).strip()
        assert one in found
        assert client.get(re.sub(r"^https?://[^/]+", "", one)).status_code == 200

    def test_a_house_without_a_code_is_not_one_that_is_not_there(self, flask):
        assert "这处房屋没有收款码" in ended(flask("pay-code", "show", "--house", "1栋1单元101"), 1)
        assert "没有房屋" in ended(flask("pay-code", "show", "--house", "1栋1单元999"), 1)

    def test_of_one_building(self, flask, tmp_path):
        ended(flask("pay-code", "make", "--building", "1栋"))
        sheet = tmp_path / "codes.pdf"
        ended(flask("pay-code", "sheet", "--building", "1栋", "--out", str(sheet)))

        [page] = pypdfium2.PdfDocument(sheet)
        assert len(zxingcpp.read_barcodes(page.render(scale=3).to_pil())) == 2
        said = ended(
            flask("pay-code", "sheet", "--building", "2栋", "--out", str(tmp_path / "x.pdf")), 1
        )
        assert "没有可打印的收款码" in said
        assert not (tmp_path / "x.pdf").exists()

    def test_an_old_print_stops_working(self, flask, client):
        ended(flask("pay-code", "make"))
        house = ("--house", "1栋1单元101")
        old = ended(flask("pay-code", "show", *house)).strip()
        assert "旧码不能再用" in ended(flask("pay-code", "replace", *house))
        new = ended(flask("pay-code", "show", *house)).strip()

        assert old != new
        assert client.get("/p/" + old.rpartition("/")[2]).status_code == 404
        assert client.get("/p/" + new.rpartition("/")[2]).status_code == 200
        ended(flask("pay-code", "revoke", *house))
        assert client.get("/p/" + new.rpartition("/")[2]).status_code == 404
        ended(flask("pay-code", "show", *house), 1)

    def test_no_such_house(self, flask):
        assert "没有" in ended(flask("pay-code", "make", "--house", "9栋9单元999"), 1)


class TestMerchants:
    def test_a_community_may_have_its_own_and_go_back(self, flask, services, simulator):
        mchid = merchant_of(services)
        assert f"微信支付：{mchid}，默认" in ended(flask("merchant", "show"))

        words = ["merchant", "assign", "--channel", "微信支付"]
        assert "以后的订单收到" in ended(flask(*words, "--mchid", mchid))
        assert f"{mchid}，本小区指定" in ended(flask("merchant", "show"))
        assert "默认商户号" in ended(flask(*words))
        assert "，默认" in ended(flask("merchant", "show"))

    def test_one_without_keys_is_not_taken(self, flask):
        said = ended(
            flask("merchant", "assign", "--channel", "支付宝", "--mchid", "2088000000000000"), 1
        )

        assert "没有配置这个商户号的密钥" in said


class TestRules:
    def test_are_shown_and_changed(self, flask):
        said = ended(flask("community", "payments"))
        assert "转入该房屋预存" in said
        assert "没有，一律两人" in said

        said = ended(flask("community", "payments", "--surplus", "refund"))
        assert "自动原路退回" in said
        said = ended(flask("community", "payments", "--refund-alone", "50.00"))
        assert "自动原路退回" in said
        assert "¥50.00" in said

    @pytest.mark.parametrize("wrong", ["-1", "x", "0.001"])
    def test_an_amount_that_is_none(self, flask, wrong):
        ended(flask("community", "payments", "--refund-alone", wrong), 1)


class TestSuspense:
    @pytest.fixture
    def unknown(self, flask, services, clock):
        """Money for an order that we never made."""
        services.settlement.settle(
            actor=SYSTEM,
            trade=ChannelTrade(
                channel="wechat",
                mchid=merchant_of(services),
                appid=miniapp_of(services),
                out_trade_no="P0000000000000XXXXXXXXXXXX",
                state=TradeState.SUCCESS,
                transaction_id="4200009",
                amount_fen=12345,
                currency="CNY",
                paid_at=clock.now(),
            ),
        )

    def test_nothing_waits(self, flask):
        assert "没有待处理的暂存款" in ended(flask("suspense", "list", "--as", "wang"))

    def test_is_listed_and_put_where_it_belongs(self, flask, unknown, database):
        said = ended(flask("suspense", "list", "--as", "wang"))
        assert "没有对应的订单，不属于任何小区" in said
        assert "收到 ¥123.45，待处理 ¥123.45" in said

        words = ["suspense", "to-prepaid", "1", "--house", "1栋1单元101", "--as", "wang"]
        assert "已把 ¥123.45 转入" in ended(
            flask(*words, "--amount", "123.45", "--note", "业主来电")
        )

        assert "没有待处理的暂存款" in ended(flask("suspense", "list", "--as", "wang"))
        assert database.value("SELECT balance_fen FROM prepaid_account") == 12345
        again = ended(flask(*words, "--amount", "0.01", "--note", "再来"), 1)
        assert "可以处理" in again
