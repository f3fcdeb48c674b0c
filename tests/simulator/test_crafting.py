"""Each crafted attack is what it says, by an independent check."""

import base64
import json
from typing import Any
from urllib.parse import urlencode

import pytest
from cryptography.exceptions import InvalidTag
from wechatpy.crypto import WeChatCrypto
from wechatpy.exceptions import InvalidAppIdException, InvalidSignatureException

from tests.simulator.conftest import Backend
from tests.simulator.merchant import Merchant
from tests.simulator.platforms import Platforms


def craft(platforms: Platforms, *faults: str, **more: Any) -> dict[str, Any]:
    data = {"faults": list(faults), **more}
    crafted: dict[str, Any] = platforms.control("craft/pay_callback", data)
    return crafted


class TestPayCallback:
    def test_without_faults_is_right(
        self,
        platforms: Platforms,
        merchant: Merchant,
        owner: dict[str, Any],
        backend: Backend,
    ) -> None:
        merchant.order(merchant.form(owner["openid_miniapp"], "CRAFT0001", backend.url))

        made = craft(platforms, out_trade_no="CRAFT0001")

        assert merchant.has_signed(made["headers"], made["body"])
        opened = merchant.open(made["body"])
        assert opened == made["resource"]
        assert (opened["trade_state"], opened["amount"]["total"]) == ("SUCCESS", 12345)
        assert backend.received == []
        assert merchant.query("CRAFT0001").data["trade_state"] == "NOTPAY"

    def test_overrides_change_the_contents(self, platforms: Platforms, merchant: Merchant) -> None:
        made = craft(
            platforms,
            overrides={
                "amount_fen": 1,
                "currency": "USD",
                "mchid": "1600000000",
                "appid": "wx0",
                "trade_state": "REFUND",
                "transaction_id": "42",
                "out_trade_no": "OTHER0001",
                "openid": "o1",
                "extra": {"unknown_field": 1},
                "success_time": None,
            },
            event_type="TRANSACTION.OTHER",
        )

        assert merchant.has_signed(made["headers"], made["body"])
        opened = merchant.open(made["body"])
        assert (opened["amount"]["total"], opened["amount"]["currency"]) == (1, "USD")
        assert (opened["mchid"], opened["appid"]) == ("1600000000", "wx0")
        assert (opened["payer"], opened["unknown_field"]) == ({"openid": "o1"}, 1)
        assert "success_time" not in opened
        assert json.loads(made["body"])["event_type"] == "TRANSACTION.OTHER"

    @pytest.mark.parametrize(
        "fault",
        [
            "wrong_key",
            "tampered_body",
            "missing_headers",
            "foreign_pub_key_id",
            "signtest",
            "bad_signature",
            "not_base64",
            "empty_signature",
            "no_nonce",
            "no_timestamp",
        ],
    )
    def test_does_not_verify(self, platforms: Platforms, merchant: Merchant, fault: str) -> None:
        made = craft(platforms, fault)

        assert not merchant.has_signed(made["headers"], made["body"])

    @pytest.mark.parametrize(
        ("fault", "header", "begins"),
        [
            ("unknown_serial", "Wechatpay-Serial", ""),
            ("empty_serial", "Wechatpay-Serial", ""),
            ("other_algorithm", "Wechatpay-Signature-Type", "WECHATPAY2-SM2"),
            ("signtest", "Wechatpay-Signature", "WECHATPAY/SIGNTEST/"),
        ],
    )
    def test_changes_one_header(
        self,
        platforms: Platforms,
        settings: dict[str, str],
        fault: str,
        header: str,
        begins: str,
    ) -> None:
        value = craft(platforms, fault)["headers"][header]

        assert value.startswith(begins)
        assert value != settings["WECHATPAY_PUBLIC_KEY_ID"]

    def test_headers_can_be_absent(self, platforms: Platforms) -> None:
        assert "Wechatpay-Signature-Type" not in craft(platforms, "no_signature_type")["headers"]
        headers = craft(platforms, "missing_headers")["headers"]
        assert not [name for name in headers if name.startswith("Wechatpay-")]

    @pytest.mark.parametrize("age_s", [301, 3600, -301])
    def test_stale_is_signed_rightly(
        self, platforms: Platforms, merchant: Merchant, age_s: int
    ) -> None:
        made = craft(platforms, f"stale:{age_s}")

        assert merchant.has_signed(made["headers"], made["body"])
        now = platforms.look("clock")["timestamp"]
        assert abs(now - int(made["headers"]["Wechatpay-Timestamp"]) - age_s) < 5

    def test_the_wrong_aes_key_does_not_open(
        self, platforms: Platforms, merchant: Merchant
    ) -> None:
        made = craft(platforms, "wrong_aes_key")

        assert merchant.has_signed(made["headers"], made["body"])
        with pytest.raises(InvalidTag):
            merchant.open(made["body"])

    def test_the_foreign_key_signs_with_its_own_id(self, platforms: Platforms) -> None:
        foreign = Merchant(platforms.settings("foreign"), platforms)

        made = craft(platforms, "foreign_pub_key_id")

        assert foreign.has_signed(made["headers"], made["body"])
        assert made["headers"]["Wechatpay-Serial"] == foreign.settings["WECHATPAY_PUBLIC_KEY_ID"]

    @pytest.mark.parametrize("fault", ["not_json", "no_resource", "array_body"])
    def test_strange_bodies_are_signed_rightly(
        self, platforms: Platforms, merchant: Merchant, fault: str
    ) -> None:
        made = craft(platforms, fault)

        assert merchant.has_signed(made["headers"], made["body"])

    def test_an_unknown_fault_is_refused(self, platforms: Platforms) -> None:
        answer = platforms.control("craft/pay_callback", {"faults": ["x"]}, status=400)

        assert "unknown fault" in answer["error"]


class TestPush:
    @pytest.fixture
    def crypto(self, settings: dict[str, str]) -> WeChatCrypto:
        return WeChatCrypto(
            settings["WECHAT_OFFICIAL_TOKEN"],
            settings["WECHAT_OFFICIAL_AES_KEY"],
            settings["WECHAT_OFFICIAL_APPID"],
        )

    def make(self, platforms: Platforms, *faults: str, **more: Any) -> dict[str, Any]:
        made: dict[str, Any] = platforms.control("craft/push", {"faults": list(faults), **more})
        return made

    def open(self, crypto: WeChatCrypto, made: dict[str, Any]) -> str:
        query = made["query"]
        return str(
            crypto.decrypt_message(
                made["body"], query["msg_signature"], query["timestamp"], query["nonce"]
            )
        )

    def test_without_faults_is_right(self, platforms: Platforms, crypto: WeChatCrypto) -> None:
        made = self.make(platforms, kind="text", content="你好", phone="19900000002")

        assert "<Content><![CDATA[你好]]></Content>" in self.open(crypto, made)

    def test_events_and_raw_texts(self, platforms: Platforms, crypto: WeChatCrypto) -> None:
        event = self.make(platforms, kind="event", event="CLICK", event_key="BILLS")
        raw = self.make(platforms, kind="raw", raw="<xml><A>1</A></xml>")

        assert "<EventKey><![CDATA[BILLS]]></EventKey>" in self.open(crypto, event)
        assert self.open(crypto, raw) == "<xml><A>1</A></xml>"

    @pytest.mark.parametrize("fault", ["wrong_token", "bad_msg_signature"])
    def test_does_not_verify(self, platforms: Platforms, crypto: WeChatCrypto, fault: str) -> None:
        with pytest.raises(InvalidSignatureException):
            self.open(crypto, self.make(platforms, fault))

    def test_a_foreign_appid_is_inside(self, platforms: Platforms, crypto: WeChatCrypto) -> None:
        with pytest.raises(InvalidAppIdException):
            self.open(crypto, self.make(platforms, "foreign_appid"))

    def test_stale_is_signed_rightly(self, platforms: Platforms, crypto: WeChatCrypto) -> None:
        made = self.make(platforms, "stale:7200")

        assert self.open(crypto, made)
        age_s = platforms.look("clock")["timestamp"] - int(made["query"]["timestamp"])
        assert abs(age_s - 7200) < 5

    def test_garbage_is_signed_rightly(self, platforms: Platforms, crypto: WeChatCrypto) -> None:
        with pytest.raises(Exception) as failed:  # noqa: PT011
            self.open(crypto, self.make(platforms, "garbage_cipher"))

        assert not isinstance(failed.value, InvalidSignatureException)

    def test_plain_has_neither_encryption_nor_its_signature(self, platforms: Platforms) -> None:
        made = self.make(platforms, "plain_signature_only")

        assert set(made["query"]) == {"signature", "timestamp", "nonce", "openid"}
        assert "Encrypt" not in made["body"]

    def test_entities_are_declared(self, platforms: Platforms) -> None:
        assert "<!ENTITY" in self.make(platforms, "xml_entity")["body"]
        assert "<!ENTITY" in self.make(platforms, "inner_xml_entity")["plain"]

    def test_huge_is_huge(self, platforms: Platforms) -> None:
        assert len(self.make(platforms, "huge_body")["body"]) > 5_000_000

    def test_mini_program_events_are_json(self, platforms: Platforms) -> None:
        entries = [{"TemplateId": "a"}, {"TemplateId": "b"}]
        one = self.make(platforms, account="miniapp", kind="event", list=entries[:1])
        two = self.make(platforms, account="miniapp", kind="event", list=entries)

        assert json.loads(one["plain"])["List"] == entries[0]
        assert json.loads(two["plain"])["List"] == entries
        assert base64.b64decode(json.loads(two["body"])["Encrypt"])

    def test_an_unknown_fault_is_refused(self, platforms: Platforms) -> None:
        platforms.control("craft/push", {"faults": ["x"]}, status=400)

    def test_can_be_sent(self, platforms: Platforms, backend: Backend) -> None:
        made = self.make(platforms)
        url = f"{backend.url}/wechat/official?{urlencode(made['query'])}"

        platforms.http.post(url, data=made["body"].encode(), headers=made["headers"])

        assert backend.received[0].query == made["query"]
