"""The libraries the product uses, as peers that know nothing of the simulator."""

import json
from typing import Any
from urllib.parse import urlsplit

import pytest
from tencentcloud.common.credential import Credential
from tencentcloud.common.exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.sms.v20210111 import models
from tencentcloud.sms.v20210111.sms_client import SmsClient
from wechatpayv3 import WeChatPay, WeChatPayType
from wechatpy import parse_message
from wechatpy.crypto import WeChatCrypto
from wechatpy.replies import create_reply

from tests.simulator.conftest import Backend, Received
from tests.simulator.platforms import Platforms


@pytest.fixture
def sdk(settings: dict[str, str], backend: Backend) -> WeChatPay:
    sdk = WeChatPay(
        wechatpay_type=WeChatPayType.MINIPROG,
        mchid=settings["WECHATPAY_MCHID"],
        private_key=settings["WECHATPAY_PRIVATE_KEY"],
        cert_serial_no=settings["WECHATPAY_CERT_SERIAL"],
        apiv3_key=settings["WECHATPAY_APIV3_KEY"],
        appid=settings["WECHAT_MINIAPP_APPID"],
        notify_url=backend.url + "/pay/notify",
        public_key=settings["WECHATPAY_PUBLIC_KEY"],
        public_key_id=settings["WECHATPAY_PUBLIC_KEY_ID"],
        timeout=(3, 8),
    )
    sdk._core._gate_way = settings["WECHATPAY_API_BASE"]
    return sdk


def order(sdk: WeChatPay, owner: dict[str, Any], number: str) -> dict[str, Any]:
    status, text = sdk.pay(
        description="物业费",
        out_trade_no=number,
        amount={"total": 12345},
        payer={"openid": owner["openid_miniapp"]},
    )
    assert status == 200, text
    answer: dict[str, Any] = json.loads(text)
    return answer


class TestWechatpayv3:
    def test_orders_and_its_front_end_signature_pays(
        self, sdk: WeChatPay, owner: dict[str, Any], platforms: Platforms, settings: dict[str, str]
    ) -> None:
        prepay_id = order(sdk, owner, "SDK000001")["prepay_id"]
        appid, package = settings["WECHAT_MINIAPP_APPID"], f"prepay_id={prepay_id}"
        ticket = {
            "appId": appid,
            "timeStamp": "1700000000",
            "nonceStr": "abc",
            "package": package,
            "signType": "RSA",
            "paySign": sdk.sign([appid, "1700000000", "abc", package]),
        }

        paid = platforms.control("pay_ticket", {**ticket, "by": owner["phone"]})

        assert paid["errMsg"] == "requestPayment:ok"
        status, text = sdk.query(out_trade_no="SDK000001")
        assert (status, json.loads(text)["trade_state"]) == (200, "SUCCESS")

    def test_queries_by_transaction_id(
        self, sdk: WeChatPay, owner: dict[str, Any], platforms: Platforms
    ) -> None:
        order(sdk, owner, "SDK000002")
        paid = platforms.control("pay/SDK000002")

        status, text = sdk.query(transaction_id=paid["transaction_id"])

        assert (status, json.loads(text)["out_trade_no"]) == (200, "SDK000002")

    def test_closes(self, sdk: WeChatPay, owner: dict[str, Any]) -> None:
        order(sdk, owner, "SDK000003")

        status, _ = sdk.close("SDK000003")

        assert status == 204
        assert json.loads(sdk.query(out_trade_no="SDK000003")[1])["trade_state"] == "CLOSED"

    def test_accepts_our_callback(
        self, sdk: WeChatPay, owner: dict[str, Any], platforms: Platforms, backend: Backend
    ) -> None:
        order(sdk, owner, "SDK000004")

        platforms.control("pay/SDK000004", {"wait": True})

        (received,) = backend.received
        result = sdk.callback(received.headers, received.body)
        assert result["event_type"] == "TRANSACTION.SUCCESS"
        assert result["resource"]["payer"] == {"openid": owner["openid_miniapp"]}

    def test_places_native_orders(self, sdk: WeChatPay) -> None:
        status, text = sdk.pay(
            description="停车费",
            out_trade_no="SDK000005",
            amount={"total": 1},
            pay_type=WeChatPayType.NATIVE,
        )

        assert (status, json.loads(text)["code_url"][:9]) == (200, "weixin://")

    def test_notices_an_unsigned_answer(
        self, sdk: WeChatPay, owner: dict[str, Any], platforms: Platforms
    ) -> None:
        platforms.fault({"badly_signed": True}, host="pay")

        with pytest.raises(Exception, match="failed to verify the signature"):
            order(sdk, owner, "SDK000006")

    @pytest.mark.parametrize("fault", ["wrong_key", "tampered_body", "signtest", "bad_signature"])
    def test_rejects_a_forged_callback(
        self, sdk: WeChatPay, platforms: Platforms, fault: str
    ) -> None:
        forged = platforms.control("craft/pay_callback", {"faults": [fault]})

        assert sdk.callback(forged["headers"], forged["body"]) is None


class TestWechatpy:
    def crypto(self, settings: dict[str, str]) -> WeChatCrypto:
        return WeChatCrypto(
            settings["WECHAT_OFFICIAL_TOKEN"],
            settings["WECHAT_OFFICIAL_AES_KEY"],
            settings["WECHAT_OFFICIAL_APPID"],
        )

    def test_opens_our_pushes_and_we_open_its_replies(
        self,
        platforms: Platforms,
        settings: dict[str, str],
        owner: dict[str, Any],
        backend: Backend,
    ) -> None:
        crypto, texts = self.crypto(settings), []

        def answer(received: Received) -> tuple[int, bytes]:
            query = received.query
            plain = crypto.decrypt_message(
                received.body, query["msg_signature"], query["timestamp"], query["nonce"]
            )
            message = parse_message(plain)
            if message.type != "text":
                return 200, b"success"
            texts.append(message.content)
            reply = create_reply("收到：" + message.content, message).render()
            return 200, crypto.encrypt_message(reply, "nonce", "1700000000").encode()

        backend.answer = answer
        platforms.control(f"people/{owner['phone']}/follow")

        result = platforms.control(
            f"people/{owner['phone']}/text", {"content": "查账单😀 <b>&amp;]]></b>"}
        )

        assert texts == ["查账单😀 <b>&amp;]]></b>"]
        assert result["error"] is not None  # wechatpy does not escape ]]> (platforms.md, B7)

    def test_shows_a_reply_in_the_chat(
        self,
        platforms: Platforms,
        settings: dict[str, str],
        owner: dict[str, Any],
        backend: Backend,
    ) -> None:
        crypto = self.crypto(settings)

        def answer(received: Received) -> tuple[int, bytes]:
            query = received.query
            message = parse_message(
                crypto.decrypt_message(
                    received.body, query["msg_signature"], query["timestamp"], query["nonce"]
                )
            )
            reply = create_reply("您好，请问需要什么？", message).render()
            return 200, crypto.encrypt_message(reply, "nonce", "1700000000").encode()

        backend.answer = answer
        result = platforms.control(f"people/{owner['phone']}/follow")

        assert result["reply"]["Content"] == "您好，请问需要什么？"
        last = platforms.look(f"people/{owner['phone']}/chat")[-1]
        assert (last["side"], last["text"]) == ("account", "您好，请问需要什么？")


class TestTencentSdk:
    def send(self, settings: dict[str, str], *, key: str | None = None, **more: Any) -> Any:
        profile = ClientProfile(
            httpProfile=HttpProfile(
                protocol="http", endpoint=urlsplit(settings["SMS_API_BASE"]).netloc, reqTimeout=3
            )
        )
        credential = Credential(settings["SMS_SECRET_ID"], key or settings["SMS_SECRET_KEY"])
        request = models.SendSmsRequest()
        request.from_json_string(
            json.dumps(
                {
                    "PhoneNumberSet": ["+8619900000001"],
                    "SmsSdkAppId": settings["SMS_APP_ID"],
                    "SignName": settings["SMS_SIGN_NAME"],
                    "TemplateId": settings["SMS_TEMPLATE_LOGIN_CODE"],
                    "TemplateParamSet": ["123456", "5"],
                    "SessionContext": "m-1",
                    **more,
                }
            )
        )
        return SmsClient(credential, "ap-guangzhou", profile).SendSms(request)

    def test_is_accepted(self, settings: dict[str, str], platforms: Platforms) -> None:
        (status,) = self.send(settings).SendStatusSet

        assert (status.Code, status.SessionContext, status.Fee) == ("Ok", "m-1", 1)
        (text,) = platforms.look("sms", phone="19900000001")
        assert text["text"] == "您的验证码是123456，5分钟内有效。请勿告诉他人。"
        assert (text["params"], text["serial_no"]) == (["123456", "5"], status.SerialNo)

    def test_is_refused_with_another_key(self, settings: dict[str, str]) -> None:
        with pytest.raises(TencentCloudSDKException) as refused:
            self.send(settings, key="x" * 32)

        assert refused.value.get_code() == "AuthFailure.SignatureFailure"

    def test_sees_a_code_for_each_number(self, settings: dict[str, str]) -> None:
        answer = self.send(settings, PhoneNumberSet=["+8619900000001", "12"])

        assert [one.Code for one in answer.SendStatusSet] == [
            "Ok",
            "InvalidParameterValue.IncorrectPhoneNumber",
        ]
