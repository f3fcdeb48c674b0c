"""Short messages by Tencent Cloud."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import requests
from tencentcloud.common.credential import Credential
from tencentcloud.common.exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.sms.v20210111.sms_client import SmsClient

from domain.errors import PlatformRefused, PlatformUnavailable
from domain.message_fields import fit_field
from domain.messages import MESSAGES, MessageKind
from gateways.message_templates import no_template

_log = logging.getLogger(__name__)

_REGION = "ap-guangzhou"
_TIMEOUT_S = (3, 5)
_OK = "Ok"
_UNAVAILABLE = ("ClientNetworkError", "ServerNetworkError", "InternalError", "ServiceUnavailable")
_TOO_FREQUENT = "RequestLimitExceeded"
_TOO_FREQUENT_S = 5
_NEEDED = (
    MessageKind.LOGIN_CODE,
    MessageKind.BILL_PUBLISHED,
    MessageKind.PAYMENT_RECEIVED,
    MessageKind.HOUSE_REGISTERED,
)
"""What nobody works without; the others may be sent by WeChat alone."""


@dataclass(frozen=True, slots=True)
class SmsAccount:
    """The application at Tencent Cloud that sends; ``template_ids`` by message kind."""

    secret_id: str = field(repr=False)
    secret_key: str = field(repr=False)
    app_id: str
    sign_name: str
    template_ids: Mapping[MessageKind, str]


class TencentSms:
    """Sends one short message to one number.

    Source: platforms.md 6; Tencent Cloud API SendSms, version 2021-01-11.
    """

    def __init__(self, *, account: SmsAccount, base_url: str) -> None:
        self._account = account
        address = urlsplit(base_url)
        profile = ClientProfile(
            httpProfile=HttpProfile(
                protocol=address.scheme, endpoint=address.netloc, reqTimeout=_TIMEOUT_S
            )
        )
        credential = Credential(account.secret_id, account.secret_key)
        self._client = SmsClient(credential, _REGION, profile)
        # At DEBUG the SDK prints whole requests: numbers, codes and signatures.
        logging.getLogger("tencentcloud_sdk_common").setLevel(logging.WARNING)

    def send(self, *, phone: str, kind: MessageKind, payload: Mapping[str, str]) -> str:
        """Send to 11 digits and return the provider's serial number.

        Raises:
            PlatformRefused: ``vendor_code`` such as ``LimitExceeded.PhoneNumberDailyLimit``, or
                ``no_template`` if none is chosen for the kind.
            PlatformUnavailable: no usable answer; the message may have gone out.
            KeyError: the payload lacks a key: our mistake.
        """
        template_id = self._account.template_ids.get(kind)
        if not template_id:
            raise no_template(kind)
        body = {
            "PhoneNumberSet": [f"+86{phone}"],
            "SmsSdkAppId": self._account.app_id,
            "SignName": self._account.sign_name,
            "TemplateId": template_id,
            "TemplateParamSet": [fit_field(key, payload[key]) for key in MESSAGES[kind].sms_params],
        }
        try:
            content = self._client.call("SendSms", body)
        except TencentCloudSDKException as error:
            raise _translated(str(error.code)) from None
        except (requests.RequestException, ValueError, KeyError, TypeError) as error:
            # The SDK reads the body outside its own guard, and trusts its shape.
            raise _translated("ClientNetworkError", why=type(error).__name__) from None
        return _serial_number(content)


def _serial_number(content: bytes) -> str:
    answer = _response(content)
    # The SDK looks for errors only under one exact Content-Type.
    if isinstance(answer.get("Error"), dict):
        raise _translated(str(answer["Error"].get("Code")))
    statuses = answer.get("SendStatusSet")
    if not isinstance(statuses, list) or not statuses or not isinstance(statuses[0], dict):
        raise PlatformUnavailable
    code, serial = statuses[0].get("Code"), statuses[0].get("SerialNo")
    if not isinstance(code, str):
        raise PlatformUnavailable
    if code != _OK:
        raise _translated(code)
    return str(serial or "")


def _response(content: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(content)["Response"]
    except (ValueError, KeyError, TypeError):
        raise PlatformUnavailable from None
    if not isinstance(answer, dict):
        raise PlatformUnavailable
    return answer


def _translated(code: str, *, why: str = "") -> PlatformRefused | PlatformUnavailable:
    _log.warning("sms: %s %s", code, why)
    if code.startswith(_TOO_FREQUENT):
        return PlatformUnavailable("短信平台要求放慢，请稍后再试", retry_after_s=_TOO_FREQUENT_S)
    if code.startswith(_UNAVAILABLE):
        return PlatformUnavailable("短信平台暂时没有响应，请稍后再试")
    return PlatformRefused(f"短信平台拒绝了这次发送（{code}）", vendor_code=code)


@dataclass(frozen=True, slots=True)
class SmsProbe:
    """Looks whether the SMS settings are complete; a real test would cost money."""

    account: SmsAccount

    name = "短信"

    def check(self) -> str:
        """Say what is configured.

        Raises:
            PlatformRefused: something is missing.
        """
        missing = [kind.value for kind in _NEEDED if not self.account.template_ids.get(kind)]
        if missing:
            raise PlatformRefused("短信缺少模板：" + "、".join(missing))
        return f"腾讯云短信已配置，签名「{self.account.sign_name}」；没有试发"
