"""Passive replies, opened and checked: what WeChat would not show is refused."""

import json
from typing import Any

from simulator import xml_form
from simulator.credentials import App
from simulator.crypto import Undecipherable, decrypt_push, push_signature

TEXT_BYTES = 2048  # a longer text is not shown

_CONTENT = {
    "text": "Content",
    "image": "Image",
    "voice": "Voice",
    "video": "Video",
    "music": "Music",
    "news": "Articles",
}


class BadReply(ValueError):
    """A reply WeChat would answer to the person with "service unavailable"."""


def read_reply(body: bytes, *, app: App, openid: str) -> dict[str, Any] | None:
    """Open the backend's answer to a push; None if it is empty or `success`.

    Raises:
        BadReply: it is not encrypted, wrongly signed, or not of WeChat's form.
    """
    if body in (b"", b"success"):
        return None
    outer = _read(body)
    missing = {"Encrypt", "MsgSignature", "TimeStamp", "Nonce"} - set(outer)
    if missing:
        raise BadReply(f"not a safe-mode reply, without {', '.join(sorted(missing))}")
    encrypted = str(outer["Encrypt"])
    expected = push_signature(app.token, str(outer["TimeStamp"]), str(outer["Nonce"]), encrypted)
    if expected != outer["MsgSignature"]:
        raise BadReply("MsgSignature does not fit")
    try:
        inner = _read(decrypt_push(encrypted, aes_key=app.aes_key, appid=app.appid))
    except Undecipherable as error:
        raise BadReply(str(error)) from error
    _check(inner, app=app, openid=openid)
    return inner


def _read(raw: bytes) -> dict[str, Any]:
    try:
        if raw.lstrip()[:1] == b"{":
            data = json.loads(raw)
            return data if isinstance(data, dict) else {}
        return xml_form.parse(raw)
    except ValueError as error:
        raise BadReply(f"unreadable: {error}") from error


def _check(inner: dict[str, Any], *, app: App, openid: str) -> None:
    if inner.get("ToUserName") != openid:
        raise BadReply("ToUserName is not who wrote")
    if inner.get("FromUserName") != app.original_id:
        raise BadReply("FromUserName is not the account")
    if not str(inner.get("CreateTime", "")).isdigit():
        raise BadReply("CreateTime is no number")
    kind = str(inner.get("MsgType", ""))
    if kind == "transfer_customer_service":
        return
    if kind not in _CONTENT or not inner.get(_CONTENT[kind]):
        raise BadReply(f"MsgType {kind!r} without its content")
    if kind == "text" and len(str(inner["Content"]).encode()) > TEXT_BYTES:
        raise BadReply(f"the text is longer than {TEXT_BYTES} bytes")
    if kind == "news" and not isinstance(inner["Articles"], dict):
        raise BadReply("Articles without item")
