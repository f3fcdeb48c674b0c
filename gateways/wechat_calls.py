"""Calls to WeChat Pay for one merchant: built and signed by wechatpayv3, believed only by us."""

from __future__ import annotations

import json
import logging
import re
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any

import requests
from wechatpayv3 import WeChatPay as Sdk
from wechatpayv3 import WeChatPayType

from domain.errors import PlatformRefused, PlatformUnavailable
from gateways.downloads import Download, fetch
from gateways.merchant_accounts import WechatAccount
from gateways.platform_keys import private_pem, public_pem
from gateways.wechat_notices import SignatureCheck, read_json
from services.pay_ports import NoticeRefused
from services.ports import Clock

_log = logging.getLogger(__name__)

TIMEOUT_S = (3, 8)
ABSENT_ORDER = "ORDER_NOT_EXIST"
ABSENT_REFUND = "RESOURCE_NOT_EXISTS"
_CODE_FORM = re.compile(r"[A-Z0-9_]{1,64}", re.ASCII)
_SLOW_DOWN_S = 60
_PRIVATE_NAMES = ("_gate_way", "_verify_signature", "_update_certificates", "_public_key_id")


class WechatCalls:
    """The SDK, kept from the network where it would ask for certificates, and its answers.

    Source: platforms.md 2.2 and 2.3.
    """

    def __init__(self, *, account: WechatAccount, clock: Clock) -> None:
        self.account = account
        self.signatures = SignatureCheck(keys=account.platform_keys)
        self._clock = clock
        # With a key the SDK fetches no certificates when it is made; any of ours will do, since
        # it verifies nothing. Never a logger: it would write whole requests and notices to it.
        any_key = next(iter(account.platform_keys.values())).key
        self.sdk = Sdk(
            wechatpay_type=WeChatPayType.MINIPROG,
            mchid=account.mchid,
            private_key=private_pem(account.private_key),
            cert_serial_no=account.cert_serial,
            appid=account.miniapp_appid,
            apiv3_key=account.apiv3_key,
            notify_url=account.notify_url,
            timeout=TIMEOUT_S,
            public_key=public_pem(any_key),
            public_key_id=account.public_key_id or "none",
        )
        self._take_over(self.sdk._core)

    def _take_over(self, core: Any) -> None:
        for name in _PRIVATE_NAMES:
            if not hasattr(core, name):
                raise RuntimeError(f"wechatpayv3 has changed: Core.{name} is gone")
        core._gate_way = self.account.api_base
        core._verify_signature = self._verify_answer
        core._update_certificates = _no_certificates
        # Whoever names a key in Wechatpay-Serial is answered by it; a certificate is the default.
        core._public_key_id = self.account.public_key_id or None

    def call(self, what: str, send: Callable[..., Any], **kwargs: Any) -> dict[str, Any]:
        """Send by one of the SDK's methods and return the verified answer, empty for none.

        Raises:
            PlatformRefused: a plain no; ``vendor_code`` is the platform's word.
            PlatformUnavailable: no usable answer, whether or not there was an effect.
        """
        try:
            status, content = send(**kwargs)
        except (requests.RequestException, NoticeRefused) as error:
            reason = error.reason if isinstance(error, NoticeRefused) else type(error).__name__
            _log.warning("wechat pay %s: no usable answer (%s)", what, reason)
            raise PlatformUnavailable from None
        raw = content.encode() if isinstance(content, str) else content
        if 200 <= status < 300:
            return _verified_object(raw)
        raise _refusal(what, status, raw)

    def download(self, path: str, *, limit: int) -> Download:
        """Fetch a file; the request is signed, the answer is not, and is cut off at the limit.

        Raises:
            PlatformUnavailable: no answer, or it is longer.
        """
        return fetch(
            "GET",
            self.account.api_base + path,
            headers={"Authorization": self._authorization(path), "Accept": "*/*"},
            timeout_s=TIMEOUT_S,
            limit=limit,
        )

    def _authorization(self, path: str) -> str:
        # The platform compares with its own clock, so that this is real time, as in the SDK.
        stamp, nonce = str(int(time.time())), secrets.token_hex(16)
        signature = self.sdk.sign(["GET", path, stamp, nonce, ""])
        return (
            f'WECHATPAY2-SHA256-RSA2048 mchid="{self.account.mchid}",nonce_str="{nonce}",'
            f'signature="{signature}",timestamp="{stamp}",serial_no="{self.account.cert_serial}"'
        )

    def _verify_answer(self, headers: Mapping[str, str], body: str) -> bool:
        """Stand in for the SDK's check of answers, which would fetch certificates."""
        self.signatures.verify(
            headers=headers, body=body.encode(), at=self._clock.now(), is_answer=True
        )
        return True


def answer_text(answer: Mapping[str, Any], name: str) -> str:
    """Pick a text of an answer.

    Raises:
        PlatformUnavailable: it is absent: the answer is not usable.
    """
    value = answer.get(name)
    if not isinstance(value, str) or not value:
        raise PlatformUnavailable
    return value


def _error_code(raw: bytes) -> str:
    try:
        code = json.loads(raw)["code"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    return code if isinstance(code, str) and _CODE_FORM.fullmatch(code) else ""


def _verified_object(raw: bytes) -> dict[str, Any]:
    if not raw:
        return {}
    try:
        return read_json(raw)
    except NoticeRefused:
        raise PlatformUnavailable from None


def _refusal(what: str, status: int, raw: bytes) -> PlatformRefused | PlatformUnavailable:
    """Decide between no and unknown; nothing else is believed of an answer we did not verify."""
    code = _error_code(raw)
    # What is not there is an answer, not trouble: a query turns it into ABSENT.
    is_plain = code in (ABSENT_ORDER, ABSENT_REFUND)
    _log.log(
        logging.INFO if is_plain else logging.WARNING,
        "wechat pay %s: HTTP %s %s",
        what,
        status,
        code,
    )
    if status == 429:
        return PlatformUnavailable("微信支付要求放慢，请稍后再试", retry_after_s=_SLOW_DOWN_S)
    if 400 <= status < 500 and code:
        return PlatformRefused(f"微信支付拒绝了这次请求（{code}）", vendor_code=code)
    return PlatformUnavailable()


def _no_certificates() -> None:
    raise NoticeRefused("serial_unknown")
