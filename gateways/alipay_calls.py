"""Calls to Alipay's gateway for one app: signed by python-alipay-sdk, sent and believed by us.

The SDK would send everything in the address, where proxies log it, and its check of answers
counts braces without regard to strings (platforms.md 3).
"""

from __future__ import annotations

import base64
import json
import logging
import re
import time
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qsl, urlencode

from alipay import AliPay as Sdk
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from domain.errors import PlatformRefused, PlatformUnavailable
from gateways.downloads import Download, fetch
from gateways.merchant_accounts import AlipayAccount
from gateways.platform_keys import private_pem, public_pem

_log = logging.getLogger(__name__)

BEIJING = timezone(timedelta(hours=8))
TIME_FORM = "%Y-%m-%d %H:%M:%S"
TIMEOUT_S = (3, 8)
_ANSWER_LIMIT = 256 * 1024
_DONE = "10000"
_UNKNOWN = "20000"
"""The gateway does not know what came of it."""
_PASSING = frozenset({"ACQ.SYSTEM_ERROR", "SYSTEM_ERROR", "isp.unknow-error", "aop.unknow-error"})
_CODE_FORM = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_SPACE = re.compile(r"[ \t\r\n]*")


class AlipayCalls:
    """Signs, sends, and verifies what is answered.

    Source: https://opendocs.alipay.com/common/02km9f (codes), platforms.md 3 and 4.7.
    """

    def __init__(self, *, account: AlipayAccount) -> None:
        self.account = account
        self._timeout_s: tuple[float, float] = TIMEOUT_S
        self._sdk = Sdk(
            appid=account.app_id,
            app_private_key_string=private_pem(account.private_key),
            alipay_public_key_string=public_pem(account.public_key),
            sign_type="RSA2",
        )

    def signed(self, method: str, biz: Mapping[str, Any], **common: str) -> str:
        """Sign a request and return it as a query string; empty common parameters are left out."""
        # Beijing time whatever the process has, and real: the gateway compares with its own clock.
        now = datetime.fromtimestamp(time.time(), BEIJING)
        given = {name: value for name, value in common.items() if value}
        body = self._sdk.build_body(method, dict(biz), timestamp=now.strftime(TIME_FORM), **given)
        return str(self._sdk.sign_data(body))

    def call(self, method: str, biz: Mapping[str, Any], **common: str) -> dict[str, Any]:
        """Send a request and return the verified answer of a success; numbers in it are text.

        Raises:
            PlatformRefused: a plain no; ``vendor_code`` is the sub_code.
            PlatformUnavailable: no usable answer, whether or not there was an effect.
        """
        query = dict(parse_qsl(self.signed(method, biz, **common), keep_blank_values=True))
        form = {"biz_content": query.pop("biz_content")}
        sent = fetch(
            "POST",
            f"{self.account.api_base}?{urlencode(query)}",
            form=form,
            timeout_s=self._timeout_s,
            limit=_ANSWER_LIMIT,
        )
        if sent.status != 200:
            _log.warning("alipay %s: HTTP %s", method, sent.status)
            raise PlatformUnavailable
        return self._believed(method, sent.body)

    def download(self, url: str, *, limit: int) -> Download:
        """Fetch a file that a verified answer named, cut off at the limit.

        Raises:
            PlatformUnavailable: no answer, or it is longer.
        """
        return fetch("GET", url, timeout_s=self._timeout_s, limit=limit)

    def _believed(self, method: str, raw: bytes) -> dict[str, Any]:
        name = method.replace(".", "_") + "_response"
        try:
            parts = split_answer(raw.decode("utf-8"))
            answer = _object(parts.get(name) or parts["error_response"])
            signature = json.loads(parts["sign"]) if "sign" in parts else ""
        except (ValueError, KeyError, RecursionError):
            _log.warning("alipay %s: the answer is not Alipay's", method)
            raise PlatformUnavailable from None
        is_signed = name in parts and is_signature(
            self.account.public_key, parts[name].encode(), signature
        )
        if not is_signed:
            raise _unsigned(method, answer)
        if answer.get("code") != _DONE:
            raise _refusal(method, answer)
        return answer


def split_answer(text: str) -> dict[str, str]:
    """Cut an answer into its members, each value exactly as it was written, for it is signed so.

    Raises:
        ValueError: it is no JSON object, or a key comes twice.
    """
    decoder = json.JSONDecoder()
    parts: dict[str, str] = {}
    at = _after(text, "{", 0)
    while True:
        key, at = decoder.raw_decode(text, _skip(text, at))
        start = _after(text, ":", at)
        _, end = decoder.raw_decode(text, start)
        if not isinstance(key, str) or key in parts:
            raise ValueError("not a key")
        parts[key] = text[start:end]
        at = _skip(text, end)
        if text[at : at + 1] == "}":
            break
        at = _after(text, ",", at)
    if text[at + 1 :].strip():
        raise ValueError("more than an object")
    return parts


def is_signature(key: RSAPublicKey, message: bytes, signature: Any) -> bool:
    """Whether base64 text is an RSA2 signature of the message."""
    if not isinstance(signature, str):
        return False
    try:
        key.verify(base64.b64decode(signature, validate=True), message, PKCS1v15(), SHA256())
    except (ValueError, InvalidSignature):
        return False
    return True


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _after(text: str, mark: str, at: int) -> int:
    at = _skip(text, at)
    if text[at : at + 1] != mark:
        raise ValueError("not JSON")
    return _skip(text, at + 1)


def _object(text: str) -> dict[str, Any]:
    # Prices may be numbers; read as floats they would lose their cents.
    value = json.loads(text, parse_float=str, parse_int=str, object_pairs_hook=_unique)
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("repeated key")
    return found


def _word(answer: Mapping[str, Any]) -> str:
    word = answer.get("sub_code") or answer.get("code")
    return word if isinstance(word, str) and _CODE_FORM.fullmatch(word) else ""


def _unsigned(method: str, answer: Mapping[str, Any]) -> PlatformRefused | PlatformUnavailable:
    """Believe of an unsigned answer only that our own request was not even read."""
    word = _word(answer)
    _log.warning("alipay %s: an answer without a fitting signature (%s)", method, word)
    if answer.get("code") != _DONE and word.startswith("isv."):
        return _refused(word)
    return PlatformUnavailable()


def _refusal(method: str, answer: Mapping[str, Any]) -> PlatformRefused | PlatformUnavailable:
    word = _word(answer)
    _log.info("alipay %s: %s", method, word)
    if not word or answer.get("code") == _UNKNOWN or word in _PASSING:
        return PlatformUnavailable()
    return _refused(word)


def _refused(word: str) -> PlatformRefused:
    return PlatformRefused(f"支付宝拒绝了这次请求（{word}）", vendor_code=word)
