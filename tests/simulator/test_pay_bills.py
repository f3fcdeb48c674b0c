"""Bills: what is in them, when they are there, how they are fetched, and how they are wrong."""

import gzip
import hashlib
from typing import Any

import pytest
import requests

from tests.simulator.conftest import Backend
from tests.simulator.merchant import Merchant
from tests.simulator.platforms import Platforms

# As on https://pay.weixin.qq.com/docs/merchant/products/bill-download/format-trade.html.
HEADS = {
    "ALL": (
        "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,"
        "交易状态,付款银行,货币种类,应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,"
        "充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,"
        "费率备注"
    ),
    "SUCCESS": (
        "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,"
        "交易状态,付款银行,货币种类,应结订单金额,代金券金额,商品名称,商户数据包,手续费,费率,"
        "订单金额,费率备注"
    ),
    "REFUND": (
        "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,"
        "交易状态,付款银行,货币种类,应结订单金额,代金券金额,退款申请时间,退款成功时间,微信退款单号,"
        "商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,"
        "订单金额,申请退款金额,费率备注"
    ),
}
FUND_HEAD = (
    "记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额(元),账户结余(元),"
    "资金变更提交申请人,备注,业务凭证号"
)
DAY = "2027-03-09"


def at(platforms: Platforms, moment: str) -> None:
    platforms.control("clock", {"set": f"{moment}+08:00", "frozen": True})


def pay(platforms: Platforms, merchant: Merchant, backend: Backend, number: str) -> dict[str, Any]:
    owner = platforms.control("people", {"phone": "19900000001"})
    answer = merchant.order(merchant.form(owner["openid_miniapp"], number, backend.url))
    assert answer.status == 200, answer.data
    paid: dict[str, Any] = platforms.control(f"pay/{number}", {"wait": True})
    return paid


@pytest.fixture
def day(platforms: Platforms, merchant: Merchant, backend: Backend) -> dict[str, Any]:
    """A day with two payments and one refund; it is noon of the next day now."""
    at(platforms, f"{DAY}T00:00:00")
    first = pay(platforms, merchant, backend, "BILL000001")
    at(platforms, f"{DAY}T12:30:00")
    pay(platforms, merchant, backend, "BILL000002")
    at(platforms, f"{DAY}T23:59:57")
    merchant.refund("BILL000001", "R-1", 5000)
    at(platforms, f"{DAY}T23:59:59")
    at(platforms, "2027-03-10T12:00:00")
    return first


def file_of(merchant: Merchant, date: str = DAY, **query: str) -> str:
    asked = merchant.ask_bill(date, **query)
    assert asked.status == 200, asked.data
    raw = merchant.fetch(asked.data["download_url"]).content
    assert asked.data["hash_type"] == "SHA1"
    assert hashlib.sha1(raw).hexdigest() == asked.data["hash_value"]
    return raw.decode()


def table(text: str) -> tuple[list[dict[str, str]], dict[str, str]]:
    """Rows and sums of a file, by an own reading of the format."""
    lines = text.splitlines()

    def row(head: str, line: str) -> dict[str, str]:
        assert line[0] == "`"
        values = line[1:].split(",`")
        return dict(zip(head.split(","), values, strict=True))

    return [row(lines[0], one) for one in lines[1:-2]], row(lines[-2], lines[-1])


class TestTradeBill:
    def test_tells_payments_and_refunds_by_time(
        self, merchant: Merchant, day: dict[str, Any]
    ) -> None:
        text = file_of(merchant)

        assert text.splitlines()[0] == HEADS["ALL"]
        rows, sums = table(text)
        assert [(one["商户订单号"], one["交易状态"]) for one in rows] == [
            ("BILL000001", "SUCCESS"),
            ("BILL000002", "SUCCESS"),
            ("BILL000001", "REFUND"),
        ]
        assert sums == {
            "总交易单数": "3",
            "应结订单总金额": "246.90",
            "退款总金额": "50.00",
            "充值券退款总金额": "0.00",
            "手续费总金额": "1.18000",
            "订单总金额": "246.90",
            "申请退款总金额": "50.00",
        }

    def test_a_payments_row(
        self,
        merchant: Merchant,
        day: dict[str, Any],
        settings: dict[str, str],
    ) -> None:
        row = table(file_of(merchant))[0][0]

        assert row == {
            "交易时间": f"{DAY} 00:00:00",
            "公众账号ID": settings["WECHAT_MINIAPP_APPID"],
            "商户号": merchant.mchid,
            "特约商户号": "0",
            "设备号": "",
            "微信订单号": day["transaction_id"],
            "商户订单号": "BILL000001",
            "用户标识": day["payer"]["openid"],
            "交易类型": "JSAPI",
            "交易状态": "SUCCESS",
            "付款银行": "OTHERS",
            "货币种类": "CNY",
            "应结订单金额": "123.45",
            "代金券金额": "0.00",
            "微信退款单号": "0",
            "商户退款单号": "0",
            "退款金额": "0.00",
            "充值券退款金额": "0.00",
            "退款类型": "",
            "退款状态": "",
            "商品名称": "安居花园1-101 物业费",
            "商户数据包": "",
            "手续费": "0.74000",
            "费率": "0.60%",
            "订单金额": "123.45",
            "申请退款金额": "0.00",
            "费率备注": "",
        }

    def test_a_refunds_row(self, merchant: Merchant, day: dict[str, Any]) -> None:
        row = table(file_of(merchant))[0][2]

        assert row["微信退款单号"] == merchant.query_refund("R-1").data["refund_id"]
        assert (row["商户退款单号"], row["退款金额"], row["申请退款金额"]) == (
            "R-1",
            "50.00",
            "50.00",
        )
        assert (row["交易时间"], row["退款类型"]) == (f"{DAY} 23:59:57", "ORIGINAL")
        assert (row["订单金额"], row["应结订单金额"], row["手续费"]) == ("0.00", "0.00", "-0.30000")
        assert row["退款状态"] == "SUCCESS"

    def test_of_payments_only(self, merchant: Merchant, day: dict[str, Any]) -> None:
        text = file_of(merchant, bill_type="SUCCESS")

        assert text.splitlines()[0] == HEADS["SUCCESS"]
        rows, sums = table(text)
        assert [one["商户订单号"] for one in rows] == ["BILL000001", "BILL000002"]
        assert list(sums) == ["总交易单数", "应结订单总金额", "手续费总金额", "订单总金额"]

    def test_of_refunds_only(self, merchant: Merchant, day: dict[str, Any]) -> None:
        text = file_of(merchant, bill_type="REFUND")

        assert text.splitlines()[0] == HEADS["REFUND"]
        (row,), _ = table(text)
        assert (row["交易时间"], row["退款申请时间"]) == (f"{DAY} 00:00:00", f"{DAY} 23:59:57")
        assert row["退款成功时间"] == f"{DAY} 23:59:59"

    def test_refunds_keep_the_state_of_their_day(
        self, platforms: Platforms, merchant: Merchant, backend: Backend
    ) -> None:
        platforms.control("refund_mode", {"mode": "manual"})
        at(platforms, f"{DAY}T12:00:00")
        pay(platforms, merchant, backend, "BILL000001")
        merchant.refund("BILL000001", "R-1", 5000)
        at(platforms, "2027-03-10T00:00:00")
        platforms.control("refund/R-1", {"state": "SUCCESS"})
        at(platforms, "2027-03-10T10:00:00")

        rows, _ = table(file_of(merchant))

        assert rows[1]["退款状态"] == "PROCESSING"
        assert merchant.query_refund("R-1").data["status"] == "SUCCESS"

    def test_days_part_at_beijing_midnight(
        self, platforms: Platforms, merchant: Merchant, backend: Backend
    ) -> None:
        at(platforms, f"{DAY}T23:59:59")
        pay(platforms, merchant, backend, "BILL000001")
        at(platforms, "2027-03-10T00:00:00")
        pay(platforms, merchant, backend, "BILL000002")
        at(platforms, "2027-03-11T10:00:00")

        first, second = (table(file_of(merchant, date))[0] for date in (DAY, "2027-03-10"))

        assert [one["商户订单号"] for one in first] == ["BILL000001"]
        assert [one["商户订单号"] for one in second] == ["BILL000002"]

    def test_line_breaks_of_the_merchant_do_not_break_it(
        self, platforms: Platforms, merchant: Merchant, backend: Backend, owner: dict[str, Any]
    ) -> None:
        at(platforms, f"{DAY}T12:00:00")
        merchant.order(
            merchant.form(owner["openid_miniapp"], "BILL000001", backend.url, attach="a\nb,c")
        )
        platforms.control("pay/BILL000001")
        at(platforms, "2027-03-10T10:00:00")

        (row,), _ = table(file_of(merchant))

        assert row["商户数据包"] == "a\\nb,c"


class TestFundFlow:
    def test_tells_each_movement(self, merchant: Merchant, day: dict[str, Any]) -> None:
        text = file_of(merchant, bill="fundflow")

        assert text.splitlines()[0] == FUND_HEAD
        rows, sums = table(text)
        kept = ("业务类型", "收支类型", "收支金额(元)", "账户结余(元)", "业务凭证号")
        assert [tuple(one[column] for column in kept) for one in rows] == [
            ("交易", "收入", "123.45", "123.45", "BILL000001"),
            ("扣除交易手续费", "支出", "0.74", "122.71", "BILL000001"),
            ("交易", "收入", "123.45", "246.16", "BILL000002"),
            ("扣除交易手续费", "支出", "0.74", "245.42", "BILL000002"),
            ("退款", "支出", "50.00", "195.42", "R-1"),
            ("退还交易手续费", "收入", "0.30", "195.72", "R-1"),
        ]
        assert rows[0]["微信支付业务单号"] == day["transaction_id"]
        assert len({one["资金流水单号"] for one in rows}) == 6
        assert sums == {
            "资金流水总笔数": "6",
            "收入笔数": "3",
            "收入金额": "247.20",
            "支出笔数": "3",
            "支出金额": "51.48",
        }

    def test_a_closed_refund_comes_back(
        self, platforms: Platforms, merchant: Merchant, backend: Backend
    ) -> None:
        platforms.control("refund_mode", {"mode": "manual"})
        at(platforms, f"{DAY}T12:00:00")
        pay(platforms, merchant, backend, "BILL000001")
        merchant.refund("BILL000001", "R-1", 5000)
        platforms.control("refund/R-1", {"state": "CLOSED"})
        at(platforms, "2027-03-10T10:00:00")

        rows, _ = table(file_of(merchant, bill="fundflow"))

        assert [one["业务类型"] for one in rows][4:] == ["退款关闭", "扣除交易手续费"]
        assert rows[-1]["账户结余(元)"] == "122.71"

    def test_the_other_accounts_have_none(self, merchant: Merchant, day: dict[str, Any]) -> None:
        for account in ("OPERATION", "FEES"):
            answer = merchant.ask_bill(DAY, bill="fundflow", account_type=account)
            assert (answer.status, answer.data["code"]) == (400, "NO_STATEMENT_EXIST")


class TestAsking:
    @pytest.mark.parametrize(
        ("now", "code"),
        [
            (f"{DAY}T13:00:00", "STATEMENT_CREATING"),
            ("2027-03-10T00:00:00", "STATEMENT_CREATING"),
            ("2027-03-10T09:59:59", "STATEMENT_CREATING"),
            ("2027-03-10T10:00:00", None),
            ("2027-06-09T10:00:00", None),
            ("2027-06-10T10:00:00", "PARAM_ERROR"),
        ],
    )
    def test_from_ten_for_three_months(
        self,
        platforms: Platforms,
        merchant: Merchant,
        backend: Backend,
        now: str,
        code: str | None,
    ) -> None:
        at(platforms, f"{DAY}T12:00:00")
        pay(platforms, merchant, backend, "BILL000001")
        at(platforms, now)

        answer = merchant.ask_bill(DAY)

        assert answer.data.get("code") == code
        assert answer.status == (400 if code else 200)
        assert answer.is_signed

    def test_a_day_without_trade_has_none(self, merchant: Merchant, day: dict[str, Any]) -> None:
        for bill in ("trade", "fundflow"):
            answer = merchant.ask_bill("2027-03-08", bill=bill)
            assert (answer.status, answer.data["code"]) == (400, "NO_STATEMENT_EXIST")

    def test_another_merchants_trade_is_not_in_it(
        self, platforms: Platforms, day: dict[str, Any]
    ) -> None:
        foreign = Merchant(platforms.settings("foreign"), platforms)

        assert foreign.ask_bill(DAY).data["code"] == "NO_STATEMENT_EXIST"

    @pytest.mark.parametrize(
        ("query", "field"),
        [
            ({"bill_date": ""}, "bill_date"),
            ({"bill_date": "20270309"}, "bill_date"),
            ({"bill_date": "2027-3-9"}, "bill_date"),
            ({"bill_date": "2027-02-30"}, "bill_date"),
            ({"bill_date": "2027-03-11"}, "bill_date"),
            ({"bill_type": "REVOKED"}, "bill_type"),
            ({"tar_type": "ZIP"}, "tar_type"),
        ],
    )
    def test_is_strict(
        self, merchant: Merchant, day: dict[str, Any], query: dict[str, str], field: str
    ) -> None:
        answer = merchant.ask_bill(DAY, **query)

        assert (answer.status, answer.data["code"]) == (400, "PARAM_ERROR")
        assert answer.data["detail"]["field"] == field

    def test_knows_three_accounts(self, merchant: Merchant, day: dict[str, Any]) -> None:
        answer = merchant.ask_bill(DAY, bill="fundflow", account_type="OTHER")

        assert answer.data["detail"]["field"] == "account_type"


class TestFetching:
    def test_is_not_signed_but_must_be_asked_for_by_signature(
        self, merchant: Merchant, day: dict[str, Any]
    ) -> None:
        url = merchant.ask_bill(DAY).data["download_url"]

        right = merchant.fetch(url)
        wrong = merchant.fetch(url, Authorization=merchant.authorization("GET", "/v3/x", ""))

        assert right.status_code == 200
        assert not [name for name in right.headers if name.startswith("Wechatpay-")]
        assert (wrong.status_code, wrong.json()["code"]) == (401, "SIGN_ERROR")

    def test_packed_on_request(self, merchant: Merchant, day: dict[str, Any]) -> None:
        plain = merchant.ask_bill(DAY).data
        packed = merchant.ask_bill(DAY, tar_type="GZIP").data

        raw = merchant.fetch(packed["download_url"]).content

        assert raw[:2] == b"\x1f\x8b"
        assert gzip.decompress(raw) == merchant.fetch(plain["download_url"]).content
        # The sum is of what comes out of the packing.
        assert packed["hash_value"] == plain["hash_value"]

    def test_leaves_its_size_in_the_journal(
        self, merchant: Merchant, day: dict[str, Any], platforms: Platforms
    ) -> None:
        raw = merchant.fetch(merchant.ask_bill(DAY).data["download_url"]).content

        entry = platforms.look("journal", path="billdownload")["requests"][-1]
        assert (entry["status"], entry["answer"]) == (200, f"a file of {len(raw)} bytes")

    def test_the_address_lasts_five_minutes(
        self, merchant: Merchant, day: dict[str, Any], platforms: Platforms
    ) -> None:
        url = merchant.ask_bill(DAY).data["download_url"]

        platforms.advance(300)
        assert merchant.fetch(url).status_code == 200
        platforms.advance(1)
        late = merchant.fetch(url)
        assert (late.status_code, late.json()["code"]) == (400, "PARAM_ERROR")

    def test_the_address_is_the_merchants_own(
        self, merchant: Merchant, day: dict[str, Any], platforms: Platforms
    ) -> None:
        url = merchant.ask_bill(DAY).data["download_url"]
        foreign = Merchant(platforms.settings("foreign"), platforms)

        assert foreign.fetch(url).status_code == 400
        assert merchant.fetch(url[:-1]).status_code == 400

    def test_a_cut_line_can_be_asked_again(
        self, merchant: Merchant, day: dict[str, Any], platforms: Platforms
    ) -> None:
        url = merchant.ask_bill(DAY).data["download_url"]
        platforms.fault({"lost_answer": True}, path="billdownload", times=1)

        with pytest.raises(requests.ConnectionError):
            merchant.fetch(url)

        assert merchant.fetch(url).status_code == 200

    @pytest.mark.parametrize("path", ["tradebill", "billdownload"])
    def test_errors_of_the_platform(
        self, merchant: Merchant, day: dict[str, Any], platforms: Platforms, path: str
    ) -> None:
        url = merchant.ask_bill(DAY).data["download_url"]
        platforms.fault({"pay_error": {"status": 500, "code": "SYSTEM_ERROR"}}, path=path)

        answers = (merchant.ask_bill(DAY).status, merchant.fetch(url).status_code)

        assert answers == ((500, 200) if path == "tradebill" else (200, 500))


class TestFaults:
    def numbers(self, merchant: Merchant, **query: str) -> list[str]:
        rows, sums = table(file_of(merchant, **query))
        assert sums["总交易单数"] == str(len(rows))
        return [one["商户订单号"] for one in rows]

    def test_a_missing_row(
        self, merchant: Merchant, day: dict[str, Any], platforms: Platforms
    ) -> None:
        platforms.control("bill_faults", {"kind": "missing_row", "out_trade_no": "BILL000002"})

        assert self.numbers(merchant) == ["BILL000001", "BILL000001"]

    def test_a_row_twice(
        self, merchant: Merchant, day: dict[str, Any], platforms: Platforms
    ) -> None:
        platforms.control("bill_faults", {"kind": "duplicate_row", "out_trade_no": "BILL000002"})

        assert self.numbers(merchant, bill_type="SUCCESS") == [
            "BILL000001",
            "BILL000002",
            "BILL000002",
        ]

    def test_a_row_nobody_knows(
        self, merchant: Merchant, day: dict[str, Any], platforms: Platforms
    ) -> None:
        platforms.control("bill_faults", {"kind": "extra_row"})

        rows, sums = table(file_of(merchant))
        assert rows[-1]["商户订单号"].startswith("SIMEXTRA")
        assert (rows[-1]["订单金额"], sums["订单总金额"]) == ("88.88", "335.78")
        assert len(table(file_of(merchant, bill="fundflow"))[0]) == 7

    def test_a_cent_too_much(
        self, merchant: Merchant, day: dict[str, Any], platforms: Platforms
    ) -> None:
        platforms.control("bill_faults", {"kind": "amount_off", "out_trade_no": "BILL000002"})

        rows, sums = table(file_of(merchant))
        assert [one["订单金额"] for one in rows] == ["123.45", "123.46", "0.00"]
        assert sums["订单总金额"] == "246.91"
        flows, _ = table(file_of(merchant, bill="fundflow"))
        assert flows[2]["收支金额(元)"] == "123.46"

    def test_a_cent_too_much_refunded(
        self, merchant: Merchant, day: dict[str, Any], platforms: Platforms
    ) -> None:
        platforms.control("bill_faults", {"kind": "amount_off", "bill": "trade"})

        (row,), _ = table(file_of(merchant, bill_type="REFUND"))
        assert (row["退款金额"], row["申请退款金额"]) == ("50.01", "50.01")
        assert table(file_of(merchant, bill="fundflow"))[0][0]["收支金额(元)"] == "123.45"

    def test_a_wrong_sum(
        self, merchant: Merchant, day: dict[str, Any], platforms: Platforms
    ) -> None:
        platforms.control("bill_faults", {"kind": "wrong_hash"})

        asked = merchant.ask_bill(DAY).data

        raw = merchant.fetch(asked["download_url"]).content
        assert len(asked["hash_value"]) == 40
        assert hashlib.sha1(raw).hexdigest() != asked["hash_value"]

    def test_a_byte_order_mark_and_other_line_ends(
        self, merchant: Merchant, day: dict[str, Any], platforms: Platforms
    ) -> None:
        platforms.control("bill_faults", [{"kind": "bom"}, {"kind": "crlf"}])

        text = file_of(merchant)

        assert text.startswith("\ufeff交易时间,")
        assert text.count("\r\n") == text.count("\n") == 6

    @pytest.mark.parametrize("code", ["STATEMENT_CREATING", "NO_STATEMENT_EXIST"])
    def test_not_there_so_many_times(
        self, merchant: Merchant, day: dict[str, Any], platforms: Platforms, code: str
    ) -> None:
        platforms.control("bill_faults", {"kind": code, "times": 2, "bill": "trade"})

        answers = [merchant.ask_bill(DAY) for _ in range(3)]

        assert [one.status for one in answers] == [400, 400, 200]
        assert answers[0].data["code"] == code
        assert merchant.ask_bill(DAY, bill="fundflow").status == 200

    def test_are_listed_and_lifted(
        self, merchant: Merchant, day: dict[str, Any], platforms: Platforms
    ) -> None:
        platforms.control("bill_faults", {"kind": "NO_STATEMENT_EXIST"})
        (listed,) = platforms.look("bill_faults")["faults"]
        assert (listed["kind"], listed["times"]) == ("NO_STATEMENT_EXIST", None)

        platforms.http.delete(f"{platforms.url}/_sim/bill_faults")

        assert merchant.ask_bill(DAY).status == 200

    def test_are_one_tenants(
        self, merchant: Merchant, day: dict[str, Any], platforms: Platforms
    ) -> None:
        platforms.control("bill_faults", {"kind": "NO_STATEMENT_EXIST", "tenant": "foreign"})

        assert merchant.ask_bill(DAY).status == 200

    @pytest.mark.parametrize(
        "fault",
        [
            {"kind": "lost_row"},
            {"kind": "bom", "when": "now"},
            {"kind": "bom", "bill": "all"},
            {"kind": "bom", "times": 0},
            {"kind": "bom", "tenant": "x"},
            "bom",
        ],
    )
    def test_nonsense_is_refused(self, platforms: Platforms, fault: Any) -> None:
        platforms.control("bill_faults", fault, status=400)
