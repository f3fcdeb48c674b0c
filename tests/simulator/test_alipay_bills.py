"""Alipay's bills, read by code of the tests' own."""

import csv
import io
import zipfile
from decimal import Decimal
from typing import Any

import pytest

from tests.simulator.alipay_merchant import AlipayMerchant, Answer
from tests.simulator.platforms import Platforms

DAY = "2030-03-01"


@pytest.fixture
def day(alipay: AlipayMerchant, platforms: Platforms) -> None:
    """Two payments, one partial refund on DAY; it is now the morning after."""
    platforms.control("clock", {"set": f"{DAY}T02:00:00Z", "frozen": True})
    for number, amount in (("ALI000001", "123.45"), ("ALI000002", "10.00")):
        alipay.precreate(number, total_amount=amount)
        platforms.control(f"alipay/pay/{number}", {"by": "19900000001"})
        platforms.advance(60)
    alipay.refund("ALI000001", "23.45", "R1")
    # 23:30 in Beijing is still the same day although the UTC day would allow for more.
    platforms.control("clock", {"set": "2030-03-01T15:30:00Z"})
    alipay.precreate("ALI000003", total_amount="0.01")
    platforms.control("clock", {"set": "2030-03-01T16:00:00Z"})
    platforms.control("alipay/pay/ALI000003")
    platforms.control("clock", {"set": "2030-03-02T01:00:00Z"})


def ask(alipay: AlipayMerchant, date: str = DAY, kind: str = "trade") -> Answer:
    return alipay.call(
        "alipay.data.dataservice.bill.downloadurl.query", {"bill_type": kind, "bill_date": date}
    )


def download(alipay: AlipayMerchant, platforms: Platforms, **more: str) -> dict[str, str]:
    answer = platforms.http.get(ask(alipay, **more).data["bill_download_url"])
    assert answer.status_code == 200
    with zipfile.ZipFile(io.BytesIO(answer.content), metadata_encoding="gbk") as archive:
        return {name: archive.read(name).decode("gbk") for name in archive.namelist()}


def rows(text: str) -> list[dict[str, str]]:
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return [
        {key: value.strip() for key, value in row.items()}
        for row in csv.DictReader(io.StringIO("\n".join(lines)))
    ]


def details(alipay: AlipayMerchant, platforms: Platforms) -> list[dict[str, str]]:
    return rows(next(iter(download(alipay, platforms).values())))


@pytest.mark.usefixtures("day")
class TestTradeBill:
    def test_names_two_files_in_gbk(self, alipay: AlipayMerchant, platforms: Platforms) -> None:
        seller = alipay.settings["ALIPAY_SELLER_ID"]

        named = download(alipay, platforms)

        assert list(named) == [
            f"{seller}0156_20300301_业务明细.csv",
            f"{seller}0156_20300301_业务明细(汇总).csv",
        ]

    def test_lists_payments_and_refunds_of_the_beijing_day(
        self, alipay: AlipayMerchant, platforms: Platforms
    ) -> None:
        found = details(alipay, platforms)

        shown = [
            (one["商户订单号"], one["业务类型"], one["订单金额（元）"], one["退款批次号/请求号"])
            for one in found
        ]
        assert shown == [
            ("ALI000001", "交易", "123.45", ""),
            ("ALI000002", "交易", "10.00", ""),
            ("ALI000001", "退款", "-23.45", "R1"),
        ]
        assert len(found[0]) == 25
        assert found[0]["对方账户"] == "*某(199****0001)"
        assert [one["服务费（元）"] for one in found] == ["-0.74", "-0.06", "0.14"]
        assert found[2]["完成时间"] == "2030-03-01 10:02:00"
        assert found[0]["支付宝交易号"] == alipay.query("ALI000001").data["trade_no"]

    def test_has_the_comments_around_it(self, alipay: AlipayMerchant, platforms: Platforms) -> None:
        text, summary = download(alipay, platforms).values()

        head = text.splitlines()[:4]
        assert head[0] == "#支付宝业务明细查询"
        assert head[1] == f"#账号：[{alipay.settings['ALIPAY_SELLER_ID']}0156]"
        assert head[2] == (
            "#起始日期：[2030年03月01日 00:00:00]   终止日期：[2030年03月02日 00:00:00]"
        )
        assert "业务明细列表" in head[3]
        assert text.splitlines()[-3:-1] == [
            "#交易合计：2笔，商家实收共133.45元，商家优惠共0.00元",
            "#退款合计：1笔，商家实收退款共-23.45元，商家优惠退款共0.00元",
        ]
        total = rows(summary)[-1]
        assert (total["门店编号"], total["交易订单总笔数"]) == ("合计", "2")
        assert (total["订单金额（元）"], total["实收净额（元）"]) == ("110.00", "109.34")

    def test_commas_and_emoji_do_not_break_a_row(
        self, alipay: AlipayMerchant, platforms: Platforms
    ) -> None:
        platforms.control("clock", {"set": f"{DAY}T08:00:00Z"})
        alipay.precreate("ALI000009", subject="水费,电费😀")
        platforms.control("alipay/pay/ALI000009")
        platforms.control("clock", {"set": "2030-03-02T01:00:00Z"})

        found = {one["商户订单号"]: one for one in details(alipay, platforms)}

        assert found["ALI000009"]["商品名称"] == "水费，电费?"
        assert found["ALI000009"]["订单金额（元）"] == "123.45"

    def test_of_a_month_has_all_days(self, alipay: AlipayMerchant, platforms: Platforms) -> None:
        assert ask(alipay, "2030-03").error == ("40004", "invalid_arguments")
        platforms.control("clock", {"set": "2030-04-01T00:00:00Z"})

        text = next(iter(download(alipay, platforms, date="2030-03").values()))

        assert len(rows(text)) == 4
        assert "终止日期：[2030年04月01日 00:00:00]" in text

    def test_of_the_balance_adds_up(self, alipay: AlipayMerchant, platforms: Platforms) -> None:
        (text,) = download(alipay, platforms, kind="signcustomer").values()

        found = rows(text)
        moved = [Decimal(one["收入金额（+元）"]) + Decimal(one["支出金额（-元）"]) for one in found]
        assert sum(moved) == Decimal(found[-1]["账户余额（元）"]) == Decimal("109.34")
        assert [one["业务类型"] for one in found][:2] == ["在线支付", "收费"]

    def test_the_link_lives_thirty_seconds(
        self, alipay: AlipayMerchant, platforms: Platforms
    ) -> None:
        url = ask(alipay).data["bill_download_url"]
        platforms.advance(30)
        assert platforms.http.get(url).status_code == 200

        platforms.advance(1)

        assert platforms.http.get(url).status_code == 403
        assert platforms.http.get(url + "x").status_code == 403

    @pytest.mark.parametrize(
        ("date", "kind", "sub_code"),
        [
            ("2030-03-02", "trade", "invalid_arguments"),
            ("2030-03-03", "trade", "invalid_arguments"),
            ("20300301", "trade", "invalid_arguments"),
            (DAY, "other", "invalid_arguments"),
            ("2030-02-28", "trade", "isp.bill_not_exist"),
        ],
    )
    def test_refuses(self, alipay: AlipayMerchant, date: str, kind: str, sub_code: str) -> None:
        assert ask(alipay, date, kind).error == ("40004", sub_code)

    @pytest.mark.parametrize(
        ("fault", "numbers", "off"),
        [
            ("missing_row", ["ALI000002", "ALI000001"], "-123.45"),
            ("extra_row", ["ALI000001", "ALI000002", "ALI000001", "NOT_OURS"], "1.00"),
            ("amount_off", ["ALI000001", "ALI000002", "ALI000001"], "0.01"),
            ("duplicate_row", ["ALI000001", "ALI000001", "ALI000002", "ALI000001"], "123.45"),
        ],
    )
    def test_faults_spoil_one_row(
        self,
        alipay: AlipayMerchant,
        platforms: Platforms,
        fault: str,
        numbers: list[str],
        off: str,
    ) -> None:
        platforms.fault({"alipay_bill": fault}, times=1, host="ali")

        found = details(alipay, platforms)

        assert [one["商户订单号"] for one in found] == numbers
        total = sum(Decimal(one["订单金额（元）"]) for one in found)
        assert total == Decimal("110.00") + Decimal(off)
        assert len(details(alipay, platforms)) == 3

    def test_it_may_still_be_in_the_making(
        self, alipay: AlipayMerchant, platforms: Platforms
    ) -> None:
        platforms.fault({"alipay_bill": "creating"}, times=1, host="ali")

        assert ask(alipay).error == ("40004", "isp.bill_not_exist")
        assert ask(alipay).data["code"] == "10000"

    def test_is_the_tenants_own(self, platforms: Platforms) -> None:
        foreign = AlipayMerchant(platforms.settings("foreign"), platforms)

        assert ask(foreign).error[1] == "isp.bill_not_exist"


class TestUnknownFault:
    def test_is_refused(self, platforms: Platforms) -> None:
        rule: dict[str, Any] = {"match": {}, "action": {"alipay_bill": "wrong"}}

        platforms.control("faults", [rule], status=400)
