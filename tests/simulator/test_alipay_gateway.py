"""Alipay's gateway: who may ask, and what opens a trade."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.simulator.alipay_merchant import AlipayMerchant
from tests.simulator.conftest import Backend
from tests.simulator.platforms import Platforms

QUERY = "alipay.trade.query"


class TestWhoAsks:
    def test_a_right_request_is_answered_and_signed(self, alipay: AlipayMerchant) -> None:
        answer = alipay.precreate("ALI000001")

        assert answer.name == "alipay_trade_precreate_response"
        assert (answer.data["code"], answer.data["msg"]) == ("10000", "Success")
        assert answer.data["qr_code"].startswith("https://qr.alipay.com/")
        assert answer.is_signed
        assert r"https:\/\/qr.alipay.com" in answer.text

    def test_get_is_as_good_as_post(self, alipay: AlipayMerchant) -> None:
        params = alipay.params("alipay.trade.precreate", alipay.form("ALI000001"))

        assert alipay.send(params, "GET").data["code"] == "10000"

    @pytest.mark.parametrize(
        ("more", "code", "sub_code"),
        [
            ({"app_id": None}, "40001", "isv.missing-app-id"),
            ({"app_id": "2021000000000000"}, "40002", "isv.invalid-app-id"),
            ({"method": "alipay.trade.other"}, "40002", "isv.invalid-method"),
            ({"method": None}, "40001", "isv.missing-method"),
            ({"sign_type": "RSA"}, "40002", "isv.invalid-signature-type"),
            ({"sign_type": None}, "40001", "isv.missing-signature-type"),
            ({"version": "2.0"}, "40002", "isv.invalid-version"),
            ({"version": None}, "40001", "isv.missing-version"),
            ({"charset": "gbk"}, "40002", "isv.invalid-charset"),
            ({"charset": None}, "40001", "isv.missing-charset"),
            ({"format": "XML"}, "40002", "isv.invalid-format"),
            ({"timestamp": None}, "40001", "isv.missing-timestamp"),
            ({"timestamp": "2026-01-01T00:00:00"}, "40002", "isv.invalid-timestamp"),
            ({"timestamp": "2026-13-01 00:00:00"}, "40002", "isv.invalid-timestamp"),
            ({"sign": None}, "40001", "isv.missing-signature"),
            ({"sign": "AAAA"}, "40002", "isv.invalid-signature"),
            ({"sign": "签名"}, "40002", "isv.invalid-signature"),
            ({"notify_url": "ftp://a/b"}, "40002", "isv.invalid-parameter"),
            ({"return_url": "https://a/" + "b" * 250}, "40002", "isv.invalid-parameter"),
            ({"biz_content": "no json"}, "40002", "isv.invalid-parameter"),
            ({"biz_content": "[]"}, "40002", "isv.invalid-parameter"),
        ],
    )
    def test_refuses(
        self, alipay: AlipayMerchant, more: dict[str, str | None], code: str, sub_code: str
    ) -> None:
        answer = alipay.call(QUERY, {"out_trade_no": "ALI000001"}, **more)

        assert answer.error == (code, sub_code)
        # Nobody's key fits an unknown app.
        assert answer.is_signed is ("app_id" not in more)

    @pytest.mark.parametrize("name", ["app_id", "biz_content", "timestamp", "notify_url"])
    def test_refuses_what_was_changed_after_signing(
        self, alipay: AlipayMerchant, platforms: Platforms, name: str
    ) -> None:
        params = alipay.params(QUERY, {"out_trade_no": "A"}, notify_url="http://127.0.0.1/")
        foreign = platforms.settings("foreign")["ALIPAY_APP_ID"]
        later = platforms.look("clock")["now"][:17].replace("T", " ") + "00"
        changed = {
            "app_id": foreign,
            "biz_content": json.dumps({"out_trade_no": "B"}),
            "timestamp": later if later != params["timestamp"] else later[:-2] + "01",
            "notify_url": "http://127.0.0.1/other",
        }

        answer = alipay.send({**params, name: changed[name]})

        assert answer.error == ("40002", "isv.invalid-signature")

    def test_refuses_a_parameter_said_twice(
        self, alipay: AlipayMerchant, platforms: Platforms
    ) -> None:
        params = alipay.params(QUERY, {"out_trade_no": "A"})

        answer = platforms.http.post(
            alipay.settings["ALIPAY_API_BASE"], params={"version": "1.0"}, data=params
        )

        assert answer.json()["alipay_trade_query_response"]["sub_code"] == "isv.invalid-signature"

    @pytest.mark.parametrize(
        ("off_s", "is_fresh"), [(-590, True), (590, True), (-610, False), (610, False)]
    )
    def test_time_is_beijing_time(
        self, alipay: AlipayMerchant, platforms: Platforms, off_s: int, is_fresh: bool
    ) -> None:
        params = alipay.params(QUERY, {"out_trade_no": "A"})
        platforms.advance(off_s)

        assert (alipay.send(params).error[1] != "isv.invalid-timestamp") is is_fresh

    def test_utc_is_eight_hours_off(self, alipay: AlipayMerchant, platforms: Platforms) -> None:
        clock = platforms.look("clock")

        utc = datetime.fromtimestamp(clock["timestamp"], UTC).strftime("%Y-%m-%d %H:%M:%S")

        answer = alipay.call(QUERY, {"out_trade_no": "A"}, timestamp=utc)

        assert answer.error == ("40002", "isv.invalid-timestamp")


class TestOpening:
    @pytest.mark.parametrize(
        ("more", "sub_code"),
        [
            ({"out_trade_no": None}, "ACQ.INVALID_PARAMETER"),
            ({"out_trade_no": "A-1"}, "ACQ.INVALID_PARAMETER"),
            ({"out_trade_no": "A" * 65}, "ACQ.INVALID_PARAMETER"),
            ({"total_amount": None}, "ACQ.INVALID_PARAMETER"),
            ({"total_amount": "0.00"}, "ACQ.TOTAL_FEE_EXCEED"),
            ({"total_amount": "100000000.01"}, "ACQ.TOTAL_FEE_EXCEED"),
            ({"total_amount": "1.234"}, "ACQ.INVALID_PARAMETER"),
            ({"total_amount": "-1"}, "ACQ.INVALID_PARAMETER"),
            ({"total_amount": "1e3"}, "ACQ.INVALID_PARAMETER"),
            ({"subject": None}, "ACQ.INVALID_PARAMETER"),
            ({"subject": "a/b"}, "ACQ.INVALID_PARAMETER"),
            ({"subject": "a" * 257}, "ACQ.INVALID_PARAMETER"),
            ({"subject": "a=b"}, "ACQ.INVALID_PARAMETER"),
            ({"subject": "a&b"}, "ACQ.INVALID_PARAMETER"),
            ({"body": "a" * 129}, "ACQ.INVALID_PARAMETER"),
            ({"passback_params": "a" * 513}, "ACQ.INVALID_PARAMETER"),
            ({"product_code": "OTHER"}, "ACQ.INVALID_PARAMETER"),
            ({"timeout_express": "1.5h"}, "ACQ.INVALID_PARAMETER"),
            ({"timeout_express": "16d"}, "ACQ.INVALID_PARAMETER"),
            ({"time_expire": "2020-01-01 00:00:00"}, "ACQ.INVALID_PARAMETER"),
            ({"time_expire": "soon"}, "ACQ.INVALID_PARAMETER"),
            ({"seller_id": "2088000000000000"}, "ACQ.INVALID_PARAMETER"),
            ({"total_amout": "1.00"}, "ACQ.INVALID_PARAMETER"),
        ],
    )
    def test_refuses(self, alipay: AlipayMerchant, more: dict[str, Any], sub_code: str) -> None:
        answer = alipay.precreate("ALI000001", **more)

        assert answer.error == ("40004", sub_code)
        assert answer.is_signed

    @pytest.mark.parametrize("amount", ["0.01", "100000000", "88.8", 88.88, 5])
    def test_takes_amounts(
        self, alipay: AlipayMerchant, platforms: Platforms, amount: str | float
    ) -> None:
        assert alipay.precreate("ALI000001", total_amount=amount).data["code"] == "10000"
        (trade,) = platforms.look("alipay/trades")
        assert trade["amount_fen"] == round(float(amount) * 100)

    def test_takes_the_longest_texts_and_its_own_seller(self, alipay: AlipayMerchant) -> None:
        answer = alipay.precreate(
            "A" * 64,
            subject="物" * 256,
            body="a" * 128,
            passback_params="a" * 512,
            seller_id=alipay.settings["ALIPAY_SELLER_ID"],
        )

        assert answer.data["code"] == "10000"

    def test_a_number_is_of_one_amount_and_subject(self, alipay: AlipayMerchant) -> None:
        first = alipay.precreate("ALI000001")
        again = alipay.precreate("ALI000001")

        assert first.data["qr_code"] != again.data["qr_code"]
        for more in ({"total_amount": "1.00"}, {"subject": "水费"}):
            other = alipay.precreate("ALI000001", **more)
            assert other.error == ("40004", "ACQ.CONTEXT_INCONSISTENT")

    def test_a_paid_or_closed_number_is_used_up(
        self, alipay: AlipayMerchant, platforms: Platforms
    ) -> None:
        alipay.precreate("ALI000001")
        platforms.control("alipay/pay/ALI000001")
        alipay.precreate("ALI000002")
        platforms.control("alipay/scan", {"out_trade_no": "ALI000002"})
        alipay.close("ALI000002")

        assert alipay.precreate("ALI000001").error[1] == "ACQ.TRADE_HAS_SUCCESS"
        assert alipay.precreate("ALI000002").error[1] == "ACQ.TRADE_HAS_CLOSE"

    def test_the_tenants_do_not_see_each_other(
        self, alipay: AlipayMerchant, platforms: Platforms
    ) -> None:
        foreign = AlipayMerchant(platforms.settings("foreign"), platforms)
        alipay.precreate("ALI000001")
        platforms.control("alipay/pay/ALI000001")

        assert foreign.query("ALI000001").error[1] == "ACQ.TRADE_NOT_EXIST"
        assert foreign.precreate("ALI000001", total_amount="1.00").data["code"] == "10000"


class TestCashier:
    @pytest.mark.parametrize("kind", ["page", "wap"])
    def test_a_person_pays_and_goes_back(
        self, alipay: AlipayMerchant, platforms: Platforms, backend: Backend, kind: str
    ) -> None:
        page = alipay.page(
            "ALI000001",
            kind,
            notify_url=f"{backend.url}/alipay/notify",
            return_url=f"{backend.url}/back",
        )
        for words in ("安居物业", "¥123.45", "安居花园1-101 物业费", "ALI000001", "付款"):
            assert words in page.text
        assert alipay.query("ALI000001").error[1] == "ACQ.TRADE_NOT_EXIST"

        paid = self.press(platforms, page.text, phone="19900000001")

        assert "付款成功" in paid.text
        way_back = paid.text.split('href="' + backend.url)[1].split('"')[0].replace("&amp;", "&")
        path, _, query = way_back.partition("?")
        assert path == "/back"
        assert alipay.has_signed(query)
        assert f"method=alipay.trade.{kind}.pay.return" in query
        answer = alipay.query("ALI000001")
        assert answer.data["trade_status"] == "TRADE_SUCCESS"
        assert answer.data["buyer_logon_id"] == "199****0001"

    def press(self, platforms: Platforms, page: str, **form: str) -> Any:
        action = page.split('action="')[1].split('"')[0]
        return platforms.http.post(platforms.url + action, data=form)

    def test_says_why_it_cannot_be_paid(self, alipay: AlipayMerchant, platforms: Platforms) -> None:
        page = alipay.page("ALI000001").text
        assert "请填写 11 位手机号" in self.press(platforms, page, phone="12").text

        self.press(platforms, page)

        assert "该订单已支付" in self.press(platforms, page).text
        assert "无法支付" in self.press(platforms, page.replace("/pay", "x/pay")).text

    def test_shows_a_person_what_was_wrong(self, alipay: AlipayMerchant) -> None:
        page = alipay.page("ALI000001", sign="AAAA")

        assert "isv.invalid-signature" in page.text
        assert page.status_code == 200

    def test_escapes_what_the_merchant_wrote(
        self, alipay: AlipayMerchant, platforms: Platforms
    ) -> None:
        biz = alipay.form("ALI000001", product_code="FAST_INSTANT_TRADE_PAY", subject="<b>物业费")
        params = alipay.params("alipay.trade.page.pay", biz)

        page = platforms.http.get(alipay.settings["ALIPAY_API_BASE"], params=params)

        assert "&lt;b&gt;物业费" in page.text
        assert "<b>" not in page.text

    def test_the_product_must_fit_the_method(
        self, alipay: AlipayMerchant, platforms: Platforms
    ) -> None:
        biz = alipay.form("ALI000001", product_code="FACE_TO_FACE_PAYMENT")
        params = alipay.params("alipay.trade.wap.pay", biz)

        page = platforms.http.get(alipay.settings["ALIPAY_API_BASE"], params=params)

        assert "product_code应为QUICK_WAP_WAY" in page.text
