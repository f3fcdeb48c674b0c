"""Verifying and reading what WeChat Pay signs: notices, and the trades in them and in answers.

All of it is our own: the SDK's `callback` accepts old notices, and asks the network about a serial
it does not know. Nothing here can call anybody.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NoReturn

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256

from gateways.platform_keys import PlatformKey
from services.pay_ports import (
    ChannelRefund,
    ChannelTrade,
    NoticeRefused,
    RefundWord,
    TradeState,
)

CHANNEL = "wechat"

_AGE_LIMIT_S = 300
"""Source: platforms.md 4.6, freshness: the official validators reject at 5 minutes."""
BODY_LIMIT = 64 * 1024
_SIGNATURE_TYPE = "WECHATPAY2-SHA256-RSA2048"
_CIPHER = "AEAD_AES_256_GCM"
_PAID_EVENT = "TRANSACTION.SUCCESS"
_REFUND_EVENT = "REFUND."
_HEADER_NAMES = ("timestamp", "nonce", "signature", "serial", "signature-type")
_HEADER_FORM = re.compile(r"[!-~]{1,1024}", re.ASCII)
_TIMESTAMP_FORM = re.compile(r"[0-9]{1,12}", re.ASCII)
_FIRST_YEAR, _LAST_YEAR = 2000, 2999
_PAID = frozenset({TradeState.SUCCESS, TradeState.REFUND})


class SignatureCheck:
    """Checks that the platform signed some bytes, with the keys on our allow-list only."""

    def __init__(self, *, keys: Mapping[str, PlatformKey]) -> None:
        self._keys = dict(keys)

    def knows(self, serial: str) -> bool:
        """Whether a serial or key id is on the list."""
        return self._find(serial) is not None

    def verify(
        self, *, headers: Mapping[str, str], body: bytes, at: datetime, is_answer: bool = False
    ) -> None:
        """Check header form, serial, age and signature, in this order.

        Args:
            headers: of any case; other headers are ignored.
            body: the raw bytes as they came.
            at: when they came.
            is_answer: they came on our own connection, so that their age says nothing.

        Raises:
            NoticeRefused: one of the checks fails.
        """
        found = signature_headers(headers)
        known = self._find(found["serial"])
        if known is None:
            raise NoticeRefused("serial_unknown")
        if not known.is_valid_at(at):
            raise NoticeRefused("certificate_expired")
        if not _TIMESTAMP_FORM.fullmatch(found["timestamp"]):
            raise NoticeRefused("timestamp_form")
        if not is_answer and abs(at.timestamp() - int(found["timestamp"])) > _AGE_LIMIT_S:
            raise NoticeRefused("stale")
        signature = from_base64(found["signature"], reason="signature_form")
        signed = f"{found['timestamp']}\n{found['nonce']}\n".encode("ascii") + body + b"\n"
        try:
            known.key.verify(signature, signed, PKCS1v15(), SHA256())
        except InvalidSignature:
            raise NoticeRefused("signature") from None

    def _find(self, serial: str) -> PlatformKey | None:
        for known, key in self._keys.items():
            if hmac.compare_digest(known.encode(), serial.encode()):
                return key
        return None


def read_notice(
    *,
    headers: Mapping[str, str],
    body: bytes,
    received_at: datetime,
    signatures: SignatureCheck,
    cipher: AESGCM,
) -> ChannelTrade | ChannelRefund:
    """Verify, decrypt and read a notice of a payment or of a refund.

    Raises:
        NoticeRefused: any check fails.
    """
    if len(body) > BODY_LIMIT:
        raise NoticeRefused("too_large")
    signatures.verify(headers=headers, body=body, at=received_at)
    notice = read_json(body)
    event, resource = notice.get("event_type"), notice.get("resource")
    if event == _PAID_EVENT:
        trade = read_trade(read_json(_decrypted(resource, cipher, original="transaction")))
        if trade.state is not TradeState.SUCCESS:
            raise NoticeRefused("trade_state")
        return trade
    if isinstance(event, str) and event.startswith(_REFUND_EVENT):
        data = read_json(_decrypted(resource, cipher, original="refund"))
        if event != f"{_REFUND_EVENT}{data.get('refund_status')}":
            raise NoticeRefused("refund_status")
        return read_refund(data, mchid=_text(data, "mchid"), status="refund_status")
    raise NoticeRefused("event_type")


def read_refund(data: Mapping[str, Any], *, mchid: str, status: str) -> ChannelRefund:
    """Read a refund in the platform's words; ``status`` is the name of the field of its state.

    Raises:
        NoticeRefused: a field is absent or of another type.

    Source: WeChat Pay, refund, refund query and refund notice (platforms.md 4.6).
    """
    word = _word(_text(data, status))
    is_done = word is RefundWord.SUCCESS
    return ChannelRefund(
        channel=CHANNEL,
        mchid=mchid,
        out_trade_no=_text(data, "out_trade_no"),
        refund_no=_text(data, "out_refund_no"),
        word=word,
        provider_refund_id=_text(data, "refund_id"),
        amount_fen=_fen(_part(data, "amount"), "refund"),
        refunded_at=_instant(_text(data, "success_time")) if is_done else None,
    )


def read_trade(data: Mapping[str, Any]) -> ChannelTrade:
    """Read a trade in the platform's words; compare nothing.

    Raises:
        NoticeRefused: a field is absent or of another type.

    Source: WeChat Pay, order query and payment notice (platforms.md 4.6).
    """
    trade = ChannelTrade(
        channel=CHANNEL,
        mchid=_text(data, "mchid"),
        appid=_text(data, "appid"),
        out_trade_no=_text(data, "out_trade_no"),
        state=_state(_text(data, "trade_state")),
    )
    if trade.state not in _PAID:
        return trade
    amount, payer = _part(data, "amount"), _part(data, "payer")
    return replace(
        trade,
        transaction_id=_text(data, "transaction_id"),
        amount_fen=_fen(amount),
        currency=_text(amount, "currency"),
        payer_openid=_text(payer, "openid"),
        paid_at=_instant(_text(data, "success_time")),
    )


def read_json(raw: bytes) -> dict[str, Any]:
    """Read a JSON object strictly: UTF-8, no repeated keys, no NaN.

    Raises:
        NoticeRefused: it is anything else.
    """
    try:
        value = json.loads(
            raw.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant
        )
    except (ValueError, RecursionError):
        raise NoticeRefused("json") from None
    if not isinstance(value, dict):
        raise NoticeRefused("json")
    return value


def signature_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Pick the five headers of the signature, by their short names in small letters.

    Raises:
        NoticeRefused: one is absent, twice there or malformed, or the algorithm is another.
    """
    found: dict[str, str] = {}
    for name, value in headers.items():
        short = name.lower().removeprefix("wechatpay-")
        if short not in _HEADER_NAMES or short == name.lower():
            continue
        if short in found or not _HEADER_FORM.fullmatch(value):
            raise NoticeRefused("header_form")
        found[short] = value
    if len(found) < len(_HEADER_NAMES):
        raise NoticeRefused("header_missing")
    if found["signature-type"] != _SIGNATURE_TYPE:
        raise NoticeRefused("signature_type")
    return found


def _decrypted(resource: Any, cipher: AESGCM, *, original: str) -> bytes:
    if not isinstance(resource, dict) or resource.get("original_type", original) != original:
        raise NoticeRefused("resource")
    if resource.get("algorithm") != _CIPHER:
        raise NoticeRefused("algorithm")
    bound_to = resource.get("associated_data") or ""
    if not isinstance(bound_to, str):
        raise NoticeRefused("resource")
    nonce, sealed = _text(resource, "nonce"), _text(resource, "ciphertext")
    try:
        return cipher.decrypt(
            nonce.encode(), from_base64(sealed, reason="ciphertext_form"), bound_to.encode()
        )
    except (InvalidTag, ValueError):
        # ValueError: a nonce of a length that AES-GCM does not take.
        raise NoticeRefused("decryption") from None


def from_base64(text: str, *, reason: str) -> bytes:
    """Read base64 strictly.

    Raises:
        NoticeRefused: it is anything else; with this reason.
    """
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise NoticeRefused(reason) from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("repeated key")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _state(word: str) -> TradeState:
    known = {state.value: state for state in TradeState if state is not TradeState.ABSENT}
    return known.get(word, TradeState.OTHER)


def _word(text: str) -> RefundWord:
    known = {word.value: word for word in RefundWord if word is not RefundWord.ABSENT}
    if text not in known:
        raise NoticeRefused("refund_status")
    return known[text]


def _part(data: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = data.get(name)
    if not isinstance(value, dict):
        raise NoticeRefused("shape")
    return value


def _text(data: Mapping[str, Any], name: str) -> str:
    value = data.get(name)
    if not isinstance(value, str) or not value or not value.isprintable():
        raise NoticeRefused("shape")
    return value


def _fen(amount: Mapping[str, Any], name: str = "total") -> int:
    total = amount.get(name)
    if type(total) is not int or total <= 0:
        raise NoticeRefused("shape")
    return total


def _instant(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise NoticeRefused("shape") from None
    if moment.tzinfo is None or not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        raise NoticeRefused("shape")
    return moment.astimezone(UTC)
