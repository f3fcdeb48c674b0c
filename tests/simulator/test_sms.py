"""SendSms by hand: signature, parameters, templates, inbox."""

import hashlib
import hmac
import json
from typing import Any

import pytest

from tests.simulator.platforms import Platforms


@pytest.fixture
def send(platforms: Platforms, settings: dict[str, str]) -> Any:
    def post(*, headers: dict[str, str] | None = None, age_s: int = 0, **more: Any) -> Any:
        form = {
            "PhoneNumberSet": ["+8619900000001"],
            "SmsSdkAppId": settings["SMS_APP_ID"],
            "SignName": settings["SMS_SIGN_NAME"],
            "TemplateId": settings["SMS_TEMPLATE_LOGIN_CODE"],
            "TemplateParamSet": ["123456", "5"],
            **more,
        }
        body = json.dumps({key: value for key, value in form.items() if value is not None})
        now = int(platforms.look("clock")["timestamp"]) - age_s
        sent = {
            "Content-Type": "application/json",
            "X-TC-Action": "SendSms",
            "X-TC-Version": "2021-01-11",
            "X-TC-Timestamp": str(now),
            "Authorization": authorization(platforms, settings, body, now),
            **(headers or {}),
        }
        answer = platforms.http.post(platforms.url + "/", data=body, headers=sent)
        assert answer.status_code == 200
        return answer.json()["Response"]

    return post


def authorization(platforms: Platforms, settings: dict[str, str], body: str, now: int) -> str:
    import datetime

    day = datetime.datetime.fromtimestamp(now, datetime.UTC).strftime("%Y-%m-%d")
    host = platforms.url.removeprefix("http://")
    digest = hashlib.sha256(body.encode()).hexdigest()
    canonical = (
        f"POST\n/\n\ncontent-type:application/json\nhost:{host}\n\ncontent-type;host\n{digest}"
    )
    scope = f"{day}/sms/tc3_request"
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    key = b"TC3" + settings["SMS_SECRET_KEY"].encode()
    for part in (day, "sms", "tc3_request", f"TC3-HMAC-SHA256\n{now}\n{scope}\n{hashed}"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return (
        f"TC3-HMAC-SHA256 Credential={settings['SMS_SECRET_ID']}/{scope}, "
        f"SignedHeaders=content-type;host, Signature={key.hex()}"
    )


class TestSending:
    @pytest.mark.parametrize(
        ("template", "params", "text"),
        [
            ("LOGIN_CODE", ["123456", "5"], "您的验证码是123456，5分钟内有效。请勿告诉他人。"),
            (
                "BILL_PUBLISHED",
                ["1-101", "123.45", "12月31日"],
                "您的房屋1-101有新账单，应缴123.45元，请于12月31日前缴纳。",
            ),
            (
                "PAYMENT_RECEIVED",
                ["1-101", "123.45", "SJ1"],
                "已收到您为1-101缴纳的123.45元，收据号SJ1。谢谢！",
            ),
        ],
    )
    def test_texts(
        self,
        platforms: Platforms,
        settings: dict[str, str],
        send: Any,
        template: str,
        params: list[str],
        text: str,
    ) -> None:
        answer = send(TemplateId=settings[f"SMS_TEMPLATE_{template}"], TemplateParamSet=params)

        assert answer["SendStatusSet"][0]["Code"] == "Ok"
        (sms,) = platforms.look("sms", phone="19900000001")
        assert (sms["text"], sms["sign_name"]) == (text, "安居物业")

    def test_the_inbox_is_newest_first(self, platforms: Platforms, send: Any) -> None:
        for code in ("111111", "222222"):
            send(TemplateParamSet=[code, "5"])
        send(PhoneNumberSet=["19900000002"])

        codes = [one["params"][0] for one in platforms.look("sms", phone="19900000001")]
        assert codes == ["222222", "111111"]
        assert len(platforms.look("sms")) == 3

    @pytest.mark.parametrize(
        ("more", "code"),
        [
            (
                {"TemplateParamSet": ["1"]},
                "FailedOperation.TemplateParamSetNotMatchApprovedTemplate",
            ),
            ({"TemplateId": "1"}, "FailedOperation.TemplateIncorrectOrUnapproved"),
            ({"SignName": "别家"}, "FailedOperation.SignatureIncorrectOrUnapproved"),
            ({"SmsSdkAppId": "1"}, "UnauthorizedOperation.SmsSdkAppIdVerifyFail"),
            ({"PhoneNumberSet": ["12"]}, "InvalidParameterValue.IncorrectPhoneNumber"),
        ],
    )
    def test_a_number_is_refused(
        self, platforms: Platforms, send: Any, more: dict[str, Any], code: str
    ) -> None:
        (status,) = send(**more)["SendStatusSet"]

        assert (status["Code"], status["Fee"]) == (code, 0)
        assert platforms.look("sms") == []

    @pytest.mark.parametrize(
        ("more", "code"),
        [
            ({"TemplateId": None}, "MissingParameter"),
            ({"PhoneNumbers": []}, "UnknownParameter"),
            ({"TemplateParamSet": [1, 2]}, "InvalidParameter"),
            ({"PhoneNumberSet": ["+8619900000001"] * 201}, "LimitExceeded.PhoneNumberCountLimit"),
            ({"headers": {"X-TC-Action": "Other"}}, "InvalidAction"),
            ({"headers": {"X-TC-Version": "2019-07-11"}}, "NoSuchVersion"),
            ({"headers": {"Authorization": "x"}}, "AuthFailure.SignatureFailure"),
            ({"headers": {"Content-Type": "text/plain"}}, "AuthFailure.SignatureFailure"),
            ({"age_s": 301}, "AuthFailure.SignatureExpire"),
        ],
    )
    def test_the_whole_is_refused(self, send: Any, more: dict[str, Any], code: str) -> None:
        assert send(**more)["Error"]["Code"] == code


class TestFaults:
    def test_a_daily_limit_for_one_number(self, platforms: Platforms, send: Any) -> None:
        code = "LimitExceeded.PhoneNumberDailyLimit"
        platforms.fault({"sms_code": code}, host="sms", phone="19900000001")

        assert send()["SendStatusSet"][0]["Code"] == code
        assert send(PhoneNumberSet=["+8619900000002"])["SendStatusSet"][0]["Code"] == "Ok"

    def test_an_internal_error_is_for_the_whole(self, platforms: Platforms, send: Any) -> None:
        platforms.fault({"sms_code": "InternalError.Timeout"}, host="sms", times=1)

        assert send()["Error"]["Code"] == "InternalError.Timeout"
