"""Alipay's trade bill: what is read of it, and everything that must not pass for one."""

import base64
import io
import json
import struct
import tracemalloc
import zipfile
from dataclasses import replace
from datetime import date, datetime, time, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from domain.errors import PlatformRefused
from domain.payment_states import PayWay
from gateways.alipay import Alipay
from gateways.alipay_calls import BEIJING
from gateways.alipay_statements import checked_address, read_rows, unpack
from gateways.merchant_accounts import read_accounts
from services.pay_ports import OrderToOpen, StatementBroken, StatementNotReady, StatementRow

SELLER = "2088000000000001"
NUMBER = "P20261123000001"
DAY = date(2026, 11, 23)
HEAD = [
    "#支付宝业务明细查询",
    f"#账号：[{SELLER}0156]",
    "#----业务明细列表----",
]
COLUMNS = (
    "支付宝交易号",
    "商户订单号",
    "业务类型",
    "商品名称",
    "订单金额（元）",
    "商家实收（元）",
    "退款批次号/请求号",
    "服务费（元）",
)
PAYMENT = {
    "支付宝交易号": "2026112322001400000001\t",
    "商户订单号": "P1\t",
    "业务类型": "交易\t",
    "商品名称": '物业费 "一月',
    "订单金额（元）": "123.45",
    "商家实收（元）": "123.45",
    "退款批次号/请求号": "\t",
    "服务费（元）": "-0.74",
}
REFUND = {
    **PAYMENT,
    "业务类型": "退款\t",
    "订单金额（元）": "-23.45",
    "商家实收（元）": "-23.45",
    "退款批次号/请求号": "R1\t",
}
PAID_SUM = "#交易合计：1笔，商家实收共123.45元，商家优惠共0.00元"
BACK_SUM = "#退款合计：1笔，商家实收退款共-23.45元，商家优惠退款共0.00元"


def sheet(*rows, columns=COLUMNS, head=HEAD, foot=(PAID_SUM, BACK_SUM)):
    lines = [*head, ",".join(columns), *(",".join(row[name] for name in columns) for row in rows)]
    return ("\r\n".join([*lines, "#----业务明细列表结束----", *foot]) + "\r\n").encode("gbk")


def refusal(content):
    with pytest.raises(StatementBroken) as raised:
        read_rows(content, seller_id=SELLER)
    return raised.value.reason


class TestReadRows:
    def test_payment_and_refund(self):
        number = "2026112322001400000001"

        assert read_rows(sheet(PAYMENT, REFUND), seller_id=SELLER) == (
            StatementRow("P1", number, 12345),
            StatementRow("P1", number, 2345, refund_no="R1"),
        )

    def test_columns_are_found_by_name(self):
        moved = sheet(PAYMENT, REFUND, columns=tuple(reversed(COLUMNS)))

        assert read_rows(moved, seller_id=SELLER) == read_rows(
            sheet(PAYMENT, REFUND), seller_id=SELLER
        )

    def test_refund_without_a_number_of_its_own_has_the_orders(self):
        whole = {**REFUND, "退款批次号/请求号": "\t"}

        assert read_rows(sheet(PAYMENT, whole), seller_id=SELLER)[1].refund_no == "P1"

    def test_amount_is_the_orders(self):
        """A coupon lowers what the seller receives, of which the sums are."""
        helped = {**PAYMENT, "订单金额（元）": "130.00"}

        assert read_rows(sheet(helped, REFUND), seller_id=SELLER)[0].amount_fen == 13000

    @pytest.mark.parametrize("name", [name for name in COLUMNS if name[:2] not in ("商品", "服务")])
    def test_column_is_missing(self, name):
        left = tuple(one for one in COLUMNS if one != name)

        assert refusal(sheet(PAYMENT, REFUND, columns=left)) == "layout"

    def test_column_comes_twice(self):
        assert refusal(sheet(PAYMENT, REFUND, columns=(*COLUMNS, "商户订单号"))) == "layout"

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            ({"业务类型": "转账"}, "layout"),
            ({"业务类型": ""}, "layout"),
            ({"商品名称": "a,b"}, "layout"),
            ({"商户订单号": "\t"}, "amount"),
            ({"订单金额（元）": "-123.45"}, "amount"),
            ({"订单金额（元）": "0.00"}, "amount"),
            ({"订单金额（元）": "1e2"}, "amount"),
            ({"订单金额（元）": "１２３.45"}, "amount"),
            ({"订单金额（元）": "123.456"}, "amount"),
            ({"商家实收（元）": "123.46"}, "sums"),
            ({"商家实收（元）": "NaN"}, "amount"),
        ],
        ids=str,
    )
    def test_row_does_not_fit(self, change, reason):
        assert refusal(sheet({**PAYMENT, **change}, REFUND)) == reason

    def test_refund_above_zero(self):
        odd = {**REFUND, "订单金额（元）": "23.45"}

        assert refusal(sheet(PAYMENT, odd)) == "amount"

    @pytest.mark.parametrize("rows", [(PAYMENT,), (REFUND,), (PAYMENT, REFUND, REFUND)])
    def test_row_is_missing_or_twice(self, rows):
        assert refusal(sheet(*rows)) == "sums"

    @pytest.mark.parametrize(
        "foot",
        [(), (PAID_SUM,), (BACK_SUM,), (PAID_SUM.replace("1笔", "9" * 5000 + "笔"), BACK_SUM)],
    )
    def test_sums_are_missing(self, foot):
        assert refusal(sheet(PAYMENT, REFUND, foot=foot)) == "sums"

    @pytest.mark.parametrize(
        "head", [HEAD[:1], [HEAD[0], "#账号：[20880000000000020156]"], [HEAD[0], "#账号：[]"]]
    )
    def test_another_sellers(self, head):
        assert refusal(sheet(PAYMENT, REFUND, head=head)) == "merchant"

    @pytest.mark.parametrize("content", [b"\xff\xff\xff", "物".encode("gbk")[:1]])
    def test_not_gbk(self, content):
        assert refusal(content) == "encoding"

    def test_cut_off(self):
        whole = sheet(PAYMENT, REFUND)
        rows_end = whole.index("#----业务明细列表结束".encode("gbk"))

        assert refusal(whole[: rows_end - 20]) in ("layout", "sums")
        assert refusal(whole[:rows_end]) == "sums"

    def test_line_of_two_hundred_thousand_characters(self):
        long = {**PAYMENT, "商品名称": "长" * 200_000}

        assert read_rows(sheet(long, REFUND), seller_id=SELLER)[0].amount_fen == 12345


def packed(*files, kind=zipfile.ZIP_DEFLATED):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", kind) as archive:
        for place, content in enumerate(files):
            archive.writestr(f"{place}.csv", content)
    return target.getvalue()


def broken(archive):
    with pytest.raises(StatementBroken) as raised:
        unpack(archive)
    return raised.value.reason


class TestUnpack:
    def test_finds_the_file_of_single_trades(self):
        whole = sheet(PAYMENT, REFUND)

        assert unpack(packed("汇总".encode("gbk"), whole)) == whole

    def test_none_or_two_of_them(self):
        whole = sheet(PAYMENT, REFUND)

        assert broken(packed(b"nothing")) == "layout"
        assert broken(packed()) == "layout"
        assert broken(packed(whole, whole)) == "layout"

    @pytest.mark.parametrize("archive", [b"", b"PK", b"<html></html>", b"\x1f\x8b\x08" + b"0" * 50])
    def test_no_zip(self, archive):
        assert broken(archive) == "zip"

    def test_cut_off_or_damaged(self):
        whole = packed(sheet(PAYMENT, REFUND), kind=zipfile.ZIP_STORED)
        place = whole.index("交易合计".encode("gbk"))

        assert broken(whole[:-10]) == "zip"
        assert broken(whole[:place] + b"\x00" + whole[place + 1 :]) == "zip"

    def test_locked_with_a_password(self):
        whole = bytearray(packed(sheet(PAYMENT, REFUND)))
        for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
            whole[whole.index(mark) + place] |= 1

        assert broken(bytes(whole)) == "zip"

    def test_too_many_files(self):
        assert broken(packed(*[b"x"] * 21)) == "too_large"

    def test_packed_too_tightly(self):
        assert broken(packed(b"\x00" * 3_000_000)) == "too_large"

    def test_says_it_is_too_large(self):
        whole = bytearray(packed(b"x", kind=zipfile.ZIP_STORED))
        struct.pack_into("<I", whole, whole.index(b"PK\x01\x02") + 24, 200 * 1024 * 1024)

        assert broken(bytes(whole)) == "too_large"

    @pytest.mark.parametrize("kind", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
    def test_bomb_that_says_it_is_small(self, kind):
        whole = bytearray(packed(b"\x00" * 64_000_000, kind=kind))
        struct.pack_into("<I", whole, whole.index(b"PK\x01\x02") + 24, 100)

        tracemalloc.start()
        reason = broken(bytes(whole))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

        assert reason == "zip"
        assert peak < 8_000_000


class TestAddress:
    @pytest.mark.parametrize(
        "address",
        [
            "http://169.254.169.254/latest",
            "https://alipay.com.evil.example/x",
            "https://evilalipay.com/x",
            "https://dwbillcenter.alipay.com@evil.example/x",
            "https://evil.example/?x=.alipay.com",
            "http://127.0.0.1:81/x",
            "ftp://dwbillcenter.alipay.com/x",
            "file:///etc/passwd",
            "None",
            "",
        ],
    )
    def test_elsewhere(self, address):
        with pytest.raises(StatementBroken) as raised:
            checked_address(address, "http://127.0.0.1:80/gateway.do")

        assert raised.value.reason == "address"

    @pytest.mark.parametrize(
        "address",
        [
            "https://dwbillcenter.alipay.com/downloadBillFile.resource?fileId=1",
            "http://mdn.alipayobjects.com/x",
            "http://127.0.0.1:80/ali/bill/download?fileId=1",
        ],
    )
    def test_alipays(self, address):
        assert checked_address(address, "http://127.0.0.1:80/gateway.do") == address


@pytest.fixture
def alipay(settings, clock):
    return Alipay(account=read_accounts(settings).alipay[0], clock=clock)


@pytest.fixture
def paid_day(alipay, simulator, clock):
    """A day with one payment, some days ago as the platform sees it."""
    order = OrderToOpen(
        out_trade_no=NUMBER,
        amount_fen=500,
        description="物业费",
        way=PayWay.ALIPAY_QR,
        expires_at=clock.now() + timedelta(minutes=30),
    )
    alipay.open_order(order)
    simulator.post(f"alipay/pay/{NUMBER}", {"callbacks": "hold"})
    simulator.post("clock", {"advance": 3 * 86_400, "callers": "real"})
    return clock.now().astimezone(BEIJING).date()


class TestReadStatement:
    def test_address_elsewhere_is_not_fetched(self, settings, clock, odd_platform):
        """Though Alipay itself says so."""
        platform = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        account = replace(
            read_accounts(settings).alipay[0],
            api_base=f"{odd_platform.url}/gateway.do",
            public_key=platform.public_key(),
        )
        said = json.dumps({"code": "10000", "bill_download_url": "http://127.0.0.1:9/metadata"})
        sign = base64.b64encode(platform.sign(said.encode(), PKCS1v15(), SHA256())).decode()
        name = "alipay_data_dataservice_bill_downloadurl_query_response"
        odd_platform.answer = (200, {}, f'{{"{name}":{said},"sign":"{sign}"}}'.encode())

        with pytest.raises(StatementBroken) as raised:
            Alipay(account=account, clock=clock).read_statement(DAY)

        assert raised.value.reason == "address"
        assert len(odd_platform.seen) == 1

    @pytest.mark.parametrize(
        ("hour", "minute", "is_ready"), [(11, 59, False), (12, 0, True)], ids=str
    )
    def test_nothing_before_noon_in_beijing_may_still_come(
        self, alipay, clock, hour, minute, is_ready
    ):
        yesterday = clock.now().astimezone(BEIJING).date() - timedelta(days=1)
        after = yesterday + timedelta(days=1)
        clock.offset += datetime.combine(after, time(hour, minute), BEIJING) - clock.now()

        if is_ready:
            assert alipay.read_statement(yesterday).content == b""
        else:
            with pytest.raises(StatementNotReady):
                alipay.read_statement(yesterday)

    def test_today_is_refused(self, alipay, clock):
        with pytest.raises(PlatformRefused) as raised:
            alipay.read_statement(clock.now().astimezone(BEIJING).date())

        assert raised.value.vendor_code == "invalid_arguments"

    @pytest.mark.parametrize(
        ("kind", "expected"),
        [
            ("extra_row", [(NUMBER, 500), ("NOT_OURS", 100)]),
            ("amount_off", [(NUMBER, 501)]),
            ("duplicate_row", [(NUMBER, 500)] * 2),
            ("missing_row", []),
        ],
    )
    def test_rows_that_differ_from_ours_are_for_the_caller(
        self, alipay, simulator, paid_day, kind, expected
    ):
        """Its sums agree with its rows, so that only the ledger can tell."""
        simulator.fault(host="ali", alipay_bill=kind)

        rows = alipay.read_statement(paid_day).rows

        assert [(row.out_trade_no, row.amount_fen) for row in rows] == expected
