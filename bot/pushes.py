"""Verifying and opening what the platform pushes, and sealing the answer. Safe mode only."""

from __future__ import annotations

import hmac
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha1
from typing import Any

import xmltodict
from wechatpy.crypto import WeChatCrypto

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
MAX_AGE_S = 300
"""A push older or newer than this is a replay."""


class PushRefused(Exception):
    """Not what the platform would send; ``reason`` is a short English word for our records."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class PushAccount:
    """What the platform's console asks for when pushes are switched on, in safe mode."""

    appid: str
    token: str
    aes_key: str

    def __post_init__(self) -> None:
        if not self.token or len(self.aes_key) != 43:
            raise ValueError("an empty token makes signatures forgeable; the key has 43 characters")


def check_address(account: PushAccount, query: Mapping[str, str]) -> str:
    """Answer the platform's question whether this address is ours: its own ``echostr``.

    Raises:
        PushRefused: not signed with our token.

    Source: platforms.md 4.1.
    """
    parts = (account.token, query.get("timestamp", ""), query.get("nonce", ""))
    _compare(query.get("signature", ""), *parts)
    return query.get("echostr", "")


def open_push(
    account: PushAccount, query: Mapping[str, str], body: bytes, *, now: datetime
) -> dict[str, Any]:
    """Verify, decrypt and parse one push, XML or JSON; values are text, nested as sent.

    Raises:
        PushRefused: not signed by the platform for this account, too old, or not to be parsed.

    Source: platforms.md 1.3 B8, 4.1: only ``msg_signature`` counts; every parser error is caught.
    """
    timestamp, nonce = query.get("timestamp", ""), query.get("nonce", "")
    sealed = _parse(body).get("Encrypt")
    if not isinstance(sealed, str) or not sealed:
        raise PushRefused("not_encrypted")
    _compare(query.get("msg_signature", ""), account.token, timestamp, nonce, sealed)
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        raise PushRefused("bad_timestamp")
    if abs(now.timestamp() - int(timestamp)) > MAX_AGE_S:
        raise PushRefused("stale")
    try:
        opened = _crypto(account).decrypt_message(
            {"Encrypt": sealed}, query["msg_signature"], timestamp, nonce
        )
    except Exception as error:
        # The library lets at least five kinds of exception out here; none is a fault of ours.
        raise PushRefused("cannot_decrypt") from error
    return _parse(opened if isinstance(opened, bytes) else opened.encode())


def seal_reply(account: PushAccount, reply_xml: str, *, now: datetime) -> str:
    """Encrypt a passive reply."""
    sealed: str = _crypto(account).encrypt_message(
        reply_xml, secrets.token_hex(8), str(int(now.timestamp()))
    )
    return sealed


def text_reply(*, to_openid: str, from_id: str, content: str, now: datetime) -> str:
    """Write a text reply as XML. A CDATA end inside the text is split: it would end the field."""
    fields = {"ToUserName": to_openid, "FromUserName": from_id, "Content": content}
    inner = "".join(
        f"<{name}><![CDATA[{value.replace(']]>', ']]]]><![CDATA[>')}]]></{name}>"
        for name, value in fields.items()
    )
    created = f"<CreateTime>{int(now.timestamp())}</CreateTime>"
    return f"<xml>{inner}{created}<MsgType><![CDATA[text]]></MsgType></xml>"


def _crypto(account: PushAccount) -> WeChatCrypto:
    return WeChatCrypto(account.token, account.aes_key, account.appid)


def _compare(given: str, *parts: str) -> None:
    wanted = sha1("".join(sorted(parts)).encode()).hexdigest()  # noqa: S324 - the platform's rule
    if not hmac.compare_digest(given.encode(), wanted.encode()):
        raise PushRefused("bad_signature")


def _parse(body: bytes) -> dict[str, Any]:
    try:
        text = body.decode("utf-8").lstrip("\ufeff \r\n\t")
        parsed = json.loads(text) if text.startswith("{") else xmltodict.parse(text).get("xml")
    except Exception as error:
        # Broken, hostile or endless input raises anything from ExpatError to RecursionError.
        raise PushRefused("cannot_parse") from error
    if not isinstance(parsed, dict) or not _is_storable(parsed):
        raise PushRefused("cannot_parse")
    return parsed


def _is_storable(value: Any) -> bool:
    """Tell whether the database takes all text in it: no NUL and no half of a surrogate pair."""
    if isinstance(value, dict):
        return all(_is_storable(part) for pair in value.items() for part in pair)
    if isinstance(value, list):
        return all(_is_storable(part) for part in value)
    return not (isinstance(value, str) and _UNSTORABLE.search(value))
