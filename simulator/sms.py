"""Tencent SMS: the SendSms action with its signature, and an inbox for every number.

Source: https://cloud.tencent.com/document/product/382/55981
"""

import hashlib
import hmac
import re
from typing import Any

from flask import Blueprint, Response, request

from simulator import sms_wire
from simulator.calls import judge, this_call
from simulator.clock import beijing_ms, utc_day
from simulator.credentials import SIGN_NAME, Credentials
from simulator.crypto import tc3_signature
from simulator.state import remember
from simulator.world import World, the_world

VERSION = "2021-01-11"
FRESH_S = 300
_FIELDS = {
    "PhoneNumberSet",
    "SmsSdkAppId",
    "TemplateId",
    "SignName",
    "TemplateParamSet",
    "ExtendCode",
    "SessionContext",
    "SenderId",
}
_AUTHORIZATION = re.compile(
    r"TC3-HMAC-SHA256 Credential=(?P<id>[^/,]+)/(?P<day>[\d-]+)/(?P<service>\w+)/tc3_request, ?"
    r"SignedHeaders=(?P<headers>[\w;-]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)
_NUMBER = re.compile(r"(?:\+86|0086|86)?(1\d{10})")

bp = Blueprint("sms", __name__)


class Refused(Exception):
    """Tencent Cloud says no to the whole request."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message


def texts(credentials: Credentials) -> dict[str, str]:
    """Return the approved template texts by template id."""
    ids = credentials.templates
    return {
        ids["sms_login_code"]: "您的验证码是{1}，{2}分钟内有效。请勿告诉他人。",
        ids["sms_bill_published"]: "您的房屋{1}有新账单，应缴{2}元，请于{3}前缴纳。",
        ids["sms_payment_received"]: "已收到您为{1}缴纳的{2}元，收据号{3}。谢谢！",
        ids["sms_house_registered"]: "您已登记为{1}{2}的业主，请在微信中用本手机号登录查看账单。",
        ids["sms_bill_reminder"]: "您的房屋{1}有未缴账单{2}元，缴费截止{3}，请及时缴纳。",
        ids["sms_progress"]: "您提交的“{1}”有新进展：{2}。",
        ids["sms_notice"]: "小区公告“{1}”已发布，请在微信中查看。（{2}）",
        ids["sms_work"]: "您有新的待办：{1}，地点{2}。",
    }


def _check_signature(world: World, body: bytes) -> None:
    found = _AUTHORIZATION.fullmatch(request.headers.get("Authorization", ""))
    stamp = request.headers.get("X-TC-Timestamp", "")
    if found is None or not stamp.isdigit():
        raise Refused("AuthFailure.SignatureFailure", "Authorization or X-TC-Timestamp malformed")
    account = world.credentials.sms
    if found["id"] != account.secret_id:
        raise Refused("AuthFailure.SecretIdNotFound", "The SecretId is not found")
    if abs(world.clock.time() - int(stamp)) > FRESH_S:
        raise Refused("AuthFailure.SignatureExpire", "The signature has expired")
    names = found["headers"].split(";")
    if not {"content-type", "host"} <= set(names) or names != sorted(names):
        raise Refused("AuthFailure.SignatureFailure", "content-type and host must be signed")
    if found["day"] != utc_day(int(stamp)) or found["service"] != "sms":
        raise Refused("AuthFailure.SignatureFailure", "the credential scope is another one")
    values = {name: request.headers.get(name, "").strip() for name in names}
    if "x-tc-action" in values:
        values["x-tc-action"] = values["x-tc-action"].lower()
    head = "".join(f"{name}:{value}\n" for name, value in values.items())
    canonical = "\n".join(
        ["POST", "/", "", head, found["headers"], hashlib.sha256(body).hexdigest()]
    )
    expected = tc3_signature(
        secret_key=account.secret_key,
        canonical_request=canonical.encode(),
        timestamp=int(stamp),
        day=found["day"],
        service="sms",
    )
    if not hmac.compare_digest(expected, found["signature"]):
        raise Refused("AuthFailure.SignatureFailure", "The provided credentials do not match")


def _strings(data: dict[str, Any], key: str) -> list[str]:
    value = data.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise Refused("InvalidParameter", f"{key} must be an array of strings")
    return value


def _read_body() -> dict[str, Any]:
    data = this_call().json()
    if data is None:
        raise Refused("InvalidParameter", "the body is no JSON object")
    for key in sorted(set(data) - _FIELDS):
        raise Refused("UnknownParameter", f"The parameter `{key}` is not recognized.")
    for key in ("PhoneNumberSet", "SmsSdkAppId", "TemplateId"):
        if not data.get(key):
            raise Refused(
                "MissingParameter", f"The request is missing a required parameter `{key}`."
            )
    numbers = _strings(data, "PhoneNumberSet")
    if len(numbers) > 200:
        raise Refused("LimitExceeded.PhoneNumberCountLimit", "more than 200 numbers")
    return data


def _obstacle(world: World, data: dict[str, Any], params: list[str]) -> tuple[str, str] | None:
    """Return code and message of what is wrong for every number alike."""
    if data["SmsSdkAppId"] != world.credentials.sms.app_id:
        return "UnauthorizedOperation.SmsSdkAppIdVerifyFail", "Verification fails for SmsSdkAppId"
    text = texts(world.credentials).get(str(data["TemplateId"]))
    if text is None:
        return (
            "FailedOperation.TemplateIncorrectOrUnapproved",
            "template is not approved or not exist",
        )
    if data.get("SignName") != SIGN_NAME:
        return (
            "FailedOperation.SignatureIncorrectOrUnapproved",
            "signature is not approved or not exist",
        )
    if len(params) != len(set(re.findall(r"\{\d\}", text))) or not all(params):
        return (
            "FailedOperation.TemplateParamSetNotMatchApprovedTemplate",
            "template params do not match the approved template",
        )
    return None


def _deliver(world: World, number: str, data: dict[str, Any], params: list[str]) -> dict[str, Any]:
    found = _NUMBER.fullmatch(number)
    session = str(data.get("SessionContext", ""))
    if found is None:
        judge("InvalidParameterValue.IncorrectPhoneNumber")
        return sms_wire.number_status(
            number,
            code="InvalidParameterValue.IncorrectPhoneNumber",
            message="incorrect phone number",
            session=session,
        )
    text = texts(world.credentials)[data["TemplateId"]]
    for place, value in enumerate(params, start=1):
        text = text.replace(f"{{{place}}}", value)
    with world.lock:
        serial_no = f"{world.chance.digits(4)}:{world.chance.digits(18)}"
        remember(
            world.state.sms,
            {
                "phone": found[1],
                "sign_name": SIGN_NAME,
                "text": text,
                "template_id": data["TemplateId"],
                "params": params,
                "at": beijing_ms(world.clock.time()),
                "serial_no": serial_no,
            },
        )
        world.changed()
    return sms_wire.number_status(
        number, code="Ok", message="send success", session=session, serial_no=serial_no
    )


@bp.post("/")
def send_sms() -> Response:
    """Check the signature and send one text to up to 200 numbers."""
    world = the_world()
    try:
        _check_signature(world, this_call().body)
        if request.headers.get("X-TC-Action") != "SendSms":
            raise Refused("InvalidAction", "The request action is invalid.")
        if request.headers.get("X-TC-Version") != VERSION:
            raise Refused("NoSuchVersion", "The version is invalid.")
        data = _read_body()
        params = _strings(data, "TemplateParamSet")
    except Refused as refused:
        return sms_wire.error(refused.code, refused.message)
    numbers = data["PhoneNumberSet"]
    obstacle = _obstacle(world, data, params)
    if obstacle is not None:
        code, message = obstacle
        judge(f"{code}: {message}")
        session = str(data.get("SessionContext", ""))
        statuses = [
            sms_wire.number_status(n, code=code, message=message, session=session) for n in numbers
        ]
    else:
        statuses = [_deliver(world, n, data, params) for n in numbers]
    return sms_wire.answer({"SendStatusSet": statuses})
