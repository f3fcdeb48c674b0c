"""WeChat Pay's trade bill: what is read of it, and everything that must not pass for one."""

import base64
import gzip
import hashlib
import json
import time
import tracemalloc
from dataclasses import replace
from datetime import date, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from domain.errors import PlatformRefused
from domain.payment_states import PayWay
from gateways.alipay_calls import BEIJING
from gateways.downloads import gunzip
from gateways.merchant_accounts import read_accounts
from gateways.platform_keys import PlatformKey
from gateways.wechat_pay import WechatPay
from gateways.wechat_statements import check_sum, read_rows
from services.pay_ports import OrderToOpen, StatementBroken, StatementNotReady, StatementRow

MCHID = "1600000000"
NUMBER = "P20261123000001"
DAY = date(2026, 11, 23)
COLUMNS = (
    "交易时间",
    "商户号",
    "微信订单号",
    "商户订单号",
    "交易状态",
    "微信退款单号",
    "商户退款单号",
    "退款状态",
    "商品名称",
    "手续费",
    "订单金额",
    "申请退款金额",
)
PAYMENT = {
    "交易时间": "2026-11-23 09:00:00",
    "商户号": MCHID,
    "微信订单号": "4200000000000000000000000001",
    "商户订单号": NUMBER,
    "交易状态": "SUCCESS",
    "微信退款单号": "0",
    "商户退款单号": "0",
    "退款状态": "",
    "商品名称": "物业费,一月",
    "手续费": "0.74000",
    "订单金额": "123.45",
    "申请退款金额": "0.00",
}
REFUND = {
    **PAYMENT,
    "交易状态": "REFUND",
    "微信退款单号": "50300000000000000000000000001",
    "商户退款单号": "R1",
    "退款状态": "PROCESSING",
    "订单金额": "0.00",
    "申请退款金额": "23.45",
}
SUMS = {
    "总交易单数": "2",
    "应结订单总金额": "123.45",
    "订单总金额": "123.45",
    "申请退款总金额": "23.45",
}


def marked(values):
    return ",".join(f"`{value}" for value in values)


def sheet(*rows, columns=COLUMNS, sums=SUMS, end="\n", start=""):
    lines = [",".join(columns), *(marked(row[name] for name in columns) for row in rows)]
    lines += [",".join(sums), marked(sums.values())]
    return (start + "".join(line + end for line in lines)).encode()


def refusal(content):
    with pytest.raises(StatementBroken) as raised:
        read_rows(content, mchid=MCHID)
    return raised.value.reason


ROWS = (
    StatementRow(NUMBER, PAYMENT["微信订单号"], 12345, status="SUCCESS"),
    StatementRow(
        NUMBER,
        PAYMENT["微信订单号"],
        2345,
        refund_no="R1",
        provider_refund_id=REFUND["微信退款单号"],
        status="PROCESSING",
    ),
)


class TestReadRows:
    @pytest.mark.parametrize("end", ["\n", "\r\n"])
    @pytest.mark.parametrize("start", ["", "\ufeff"], ids=["plain", "bom"])
    def test_payment_and_refund(self, end, start):
        assert read_rows(sheet(PAYMENT, REFUND, end=end, start=start), mchid=MCHID) == ROWS

    def test_columns_are_found_by_name(self):
        moved = sheet(PAYMENT, REFUND, columns=tuple(reversed(COLUMNS)))

        assert read_rows(moved, mchid=MCHID) == ROWS

    @pytest.mark.parametrize("mark", ["\u2028", "\x0b", "\x85", '"', "'", ",", "`"])
    def test_marks_in_a_description_break_no_line(self, mark):
        odd = {**PAYMENT, "商品名称": f"物业{mark}费"}

        assert read_rows(sheet(odd, REFUND), mchid=MCHID) == ROWS

    @pytest.mark.parametrize("name", ["商户号", "商户订单号", "商户退款单号", "订单金额"])
    def test_column_is_missing(self, name):
        left = tuple(one for one in COLUMNS if one != name)

        assert refusal(sheet(PAYMENT, REFUND, columns=left)) == "layout"

    def test_column_comes_twice(self):
        assert refusal(sheet(PAYMENT, REFUND, columns=(*COLUMNS, "订单金额"))) == "layout"

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            ({"商户号": "1900000000"}, "merchant"),
            ({"商户订单号": ""}, "amount"),
            ({"订单金额": "0.00"}, "sums"),
            ({"订单金额": "123.46"}, "sums"),
            ({"订单金额": "-123.45"}, "amount"),
            ({"订单金额": "1.2345e2"}, "amount"),
            ({"订单金额": "１２３.45"}, "amount"),
            ({"订单金额": "123.45000"}, "amount"),
            ({"订单金额": ""}, "amount"),
            ({"申请退款金额": "0.01"}, "sums"),
            ({"商品名称": "物业`,`费,`"}, "layout"),
            ({"商品名称": "物业\n费"}, "layout"),
        ],
        ids=str,
    )
    def test_row_does_not_fit(self, change, reason):
        assert refusal(sheet({**PAYMENT, **change}, REFUND)) == reason

    def test_payment_of_nothing(self):
        sums = {**SUMS, "订单总金额": "0.00"}

        assert refusal(sheet({**PAYMENT, "订单金额": "0.00"}, REFUND, sums=sums)) == "amount"

    @pytest.mark.parametrize("rows", [(), (PAYMENT,), (REFUND,), (PAYMENT, REFUND, REFUND)])
    def test_row_is_missing_or_twice(self, rows):
        assert refusal(sheet(*rows)) == "sums"

    @pytest.mark.parametrize("name", ["总交易单数", "订单总金额", "申请退款总金额"])
    @pytest.mark.parametrize("value", ["3", "0", "2.00"])
    def test_sum_does_not_fit(self, name, value):
        assert refusal(sheet(PAYMENT, REFUND, sums={**SUMS, name: value})) == "sums"

    @pytest.mark.parametrize("name", ["总交易单数", "订单总金额", "申请退款总金额"])
    def test_sum_is_missing(self, name):
        left = {one: value for one, value in SUMS.items() if one != name}

        assert refusal(sheet(PAYMENT, REFUND, sums=left)) == "layout"

    @pytest.mark.parametrize("kept", range(4))
    def test_lines_are_missing_at_the_end(self, kept):
        lines = sheet(PAYMENT, REFUND).split(b"\n")[:kept]

        assert refusal(b"\n".join(lines)) == "layout"

    @pytest.mark.parametrize("content", [b"", b"\n\n\n", b"<html></html>", b"a,b\n`1,`2\n"])
    def test_no_bill(self, content):
        assert refusal(content) == "layout"

    def test_not_utf8(self):
        assert refusal(sheet(PAYMENT, REFUND).decode().encode("gbk")) == "encoding"


class TestGunzip:
    def test_whole_member(self):
        assert gunzip(gzip.compress(b"a bill"), limit=6) == b"a bill"

    @pytest.mark.parametrize(
        "packed",
        [
            b"",
            b"a bill",
            b"<html></html>",
            gzip.compress(b"a bill")[:-1],
            gzip.compress(b"a bill")[:-8] + b"\x00" * 8,
            gzip.compress(b"a bill") + b"more",
            gzip.compress(b"a bill") * 2,
        ],
        ids=["empty", "plain", "html", "cut", "sum", "tail", "twice"],
    )
    def test_anything_else(self, packed):
        with pytest.raises(StatementBroken) as raised:
            gunzip(packed, limit=100)

        assert raised.value.reason == "gzip"

    def test_bomb(self):
        bomb = gzip.compress(b"\x00" * 64_000_000)

        tracemalloc.start()
        with pytest.raises(StatementBroken) as raised:
            gunzip(bomb, limit=1_000_000)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

        assert raised.value.reason == "too_large"
        assert peak < 8_000_000


@pytest.fixture
def wechat(settings, clock):
    return WechatPay(account=read_accounts(settings).wechat[0], clock=clock)


@pytest.fixture
def paid_day(wechat, simulator, clock):
    """A day with one payment, some days ago as the platform sees it."""
    order = OrderToOpen(
        out_trade_no=NUMBER,
        amount_fen=500,
        description="物业费",
        way=PayWay.NATIVE,
        expires_at=clock.now() + timedelta(minutes=30),
    )
    wechat.open_order(order)
    simulator.post(f"pay/{NUMBER}", {"callbacks": "hold"})
    simulator.post("clock", {"advance": 3 * 86_400, "callers": "real"})
    return clock.now().astimezone(BEIJING).date()


class TestReadStatement:
    @pytest.mark.parametrize(
        ("kind", "expected"),
        [
            ("bom", [500]),
            ("crlf", [500]),
            ("amount_off", [501]),
            ("duplicate_row", [500, 500]),
            ("missing_row", []),
        ],
    )
    def test_rows_that_differ_from_ours_are_for_the_caller(
        self, wechat, simulator, paid_day, kind, expected
    ):
        """Its sums agree with its rows, so that only the ledger can tell."""
        simulator.post("bill_faults", {"kind": kind})

        rows = wechat.read_statement(paid_day).rows

        assert [row.amount_fen for row in rows] == expected

    def test_order_that_is_not_ours(self, wechat, simulator, paid_day):
        simulator.post("bill_faults", {"kind": "extra_row"})

        assert len({row.out_trade_no for row in wechat.read_statement(paid_day).rows}) == 2

    def test_checksum_does_not_fit(self, wechat, simulator, paid_day):
        simulator.post("bill_faults", {"kind": "wrong_hash"})

        with pytest.raises(StatementBroken) as raised:
            wechat.read_statement(paid_day)

        assert raised.value.reason == "checksum"

    def test_no_statement(self, wechat, simulator, paid_day):
        simulator.post("bill_faults", {"kind": "NO_STATEMENT_EXIST"})

        statement = wechat.read_statement(paid_day)

        assert (statement.rows, statement.content, statement.day) == ((), b"", paid_day)

    def test_being_made(self, wechat, simulator, paid_day):
        simulator.post("bill_faults", {"kind": "STATEMENT_CREATING"})

        with pytest.raises(StatementNotReady):
            wechat.read_statement(paid_day)

    def test_day_too_long_ago(self, wechat, paid_day):
        with pytest.raises(PlatformRefused):
            wechat.read_statement(paid_day - timedelta(days=200))


class OddMerchant:
    """A merchant whose platform says what the test wants, and signs it."""

    def __init__(self, account, clock, platform):
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.platform = platform
        self.channel = WechatPay(
            account=replace(
                account,
                api_base=platform.url,
                public_key_id="PUB_KEY_ID_1",
                platform_keys={"PUB_KEY_ID_1": PlatformKey(self.key.public_key())},
            ),
            clock=clock,
        )

    def says(self, offer):
        body = json.dumps(offer)
        stamp = str(int(time.time()))
        signed = self.key.sign(f"{stamp}\nnonce\n{body}\n".encode(), PKCS1v15(), SHA256())
        headers = {
            "Wechatpay-Timestamp": stamp,
            "Wechatpay-Nonce": "nonce",
            "Wechatpay-Signature": base64.b64encode(signed).decode(),
            "Wechatpay-Serial": "PUB_KEY_ID_1",
            "Wechatpay-Signature-Type": "WECHATPAY2-SHA256-RSA2048",
            "Content-Type": "application/json",
        }
        self.platform.answer = (200, headers, body.encode())

    def refusal(self):
        with pytest.raises(StatementBroken) as raised:
            self.channel.read_statement(DAY)
        return raised.value.reason


@pytest.fixture
def odd(settings, clock, odd_platform):
    return OddMerchant(read_accounts(settings).wechat[0], clock, odd_platform)


class TestOffer:
    @pytest.mark.parametrize(
        "address",
        [
            "http://169.254.169.254/v3/billdownload/file?token=1",
            "https://api.mch.weixin.qq.com.evil.example/v3/billdownload/file?token=1",
            "https://api.mch.weixin.qq.com@evil.example/v3/billdownload/file?token=1",
            "https://api.mch.weixin.qq.com/v3/refund/domestic/refunds?token=1",
            "/v3/billdownload/file?token=1",
        ],
    )
    def test_address_elsewhere_is_not_fetched(self, odd, address):
        """Though the platform itself says so: it would get a signed request of ours."""
        odd.says({"download_url": address, "hash_type": "SHA1", "hash_value": "0" * 40})

        assert odd.refusal() == "address"
        assert len(odd.platform.seen) == 1

    def test_file_that_is_no_gzip(self, odd):
        address = f"{odd.platform.url}/v3/billdownload/file?token=1"
        odd.says({"download_url": address, "hash_type": "SHA1", "hash_value": "0" * 40})

        assert odd.refusal() == "gzip"
        assert odd.platform.seen[1] == "/v3/billdownload/file?token=1"


class TestChecksum:
    @pytest.mark.parametrize(
        "offer",
        [
            {"hash_type": "SHA1", "hash_value": hashlib.sha1(b"y").hexdigest()},
            {"hash_type": "MD5", "hash_value": hashlib.sha1(b"x").hexdigest()},
            {"hash_type": "SHA1", "hash_value": ""},
            {"hash_type": "SHA1", "hash_value": "号"},
            {"hash_type": "SHA1"},
            {},
        ],
        ids=str,
    )
    def test_does_not_fit(self, offer):
        with pytest.raises(StatementBroken) as raised:
            check_sum(b"x", offer)

        assert raised.value.reason == "checksum"
