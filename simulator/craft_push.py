"""Pushes made by hand for attack tests: right but for what one asks to be wrong."""

import base64
import secrets
from dataclasses import replace
from typing import Any

from simulator import push
from simulator.craft_pay import UnknownFault
from simulator.credentials import App
from simulator.crypto import encrypt_push, push_signature
from simulator.push import Parcel, Push
from simulator.world import World

FAULTS = (
    "wrong_token",
    "foreign_appid",
    "foreign_account",
    "bad_msg_signature",
    "no_msg_signature",
    "plain_signature_only",
    "stale",
    "stale:SECONDS",
    "garbage_cipher",
    "not_base64",
    "xml_entity",
    "inner_xml_entity",
    "not_xml",
    "empty_body",
    "huge_body",
    "missing_params",
)
_BOMB = '<!DOCTYPE xml [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
HUGE = 2_000_000


def _message(world: World, app: App, asked: dict[str, Any]) -> Push:
    person = world.person(str(asked.get("phone") or "19900000000"))
    kind = asked.get("kind", "text")
    more = dict(asked.get("extra") or {})
    if app.kind == "miniapp":
        event = str(asked.get("event", "subscribe_msg_popup_event"))
        return push.miniapp_event(world, person, event, list(asked.get("list") or []), more)
    if kind == "text":
        text = str(asked.get("content", "你好"))
        return push.official_text(world, app, person, text, asked.get("msg_id"))
    if "event_key" in asked:
        more["EventKey"] = str(asked["event_key"])
    return push.official_event(world, app, person, str(asked.get("event", "subscribe")), more)


def _inner(message: Push, asked: dict[str, Any], faults: set[str]) -> bytes:
    if asked.get("kind") == "raw":
        return str(asked.get("raw", "")).encode()
    if "foreign_account" in faults:
        message = replace(message, fields=message.fields | {"ToUserName": "gh_ffffffffffff"})
    plain = message.plain()
    if "inner_xml_entity" in faults:
        return _BOMB.encode() + plain.replace(b"</xml>", b"<Extra>&b;</Extra></xml>")
    return plain


def _encrypted(world: World, app: App, plain: bytes, faults: set[str]) -> str:
    if "garbage_cipher" in faults:
        return base64.b64encode(secrets.token_bytes(96)).decode()
    if "not_base64" in faults:
        return "这不是 base64 !!"
    appid = app.appid
    if "foreign_appid" in faults:
        appid = world.credentials.app(app.kind, "foreign").appid
    return encrypt_push(plain, aes_key=app.aes_key, appid=appid)


def _timestamp(world: World, faults: set[str]) -> str:
    age_s = 0
    for fault in faults:
        if fault.startswith("stale"):
            age_s = int(fault.partition(":")[2] or 3600)
    return str(int(world.clock.time()) - age_s)


def _spoil(parcel: Parcel, plain: bytes, faults: set[str]) -> Parcel:
    query, body = dict(parcel.query), parcel.body
    if "bad_msg_signature" in faults:
        query["msg_signature"] = push_signature("x", query["msg_signature"])
    if "no_msg_signature" in faults:
        del query["msg_signature"]
    if "plain_signature_only" in faults:
        query = {key: query[key] for key in ("signature", "timestamp", "nonce", "openid")}
        body = plain.decode()
    if "missing_params" in faults:
        query = {}
    if "xml_entity" in faults:
        body = _BOMB + body.replace("</xml>", "<Extra>&b;</Extra></xml>")
    if "not_xml" in faults:
        body = "this is neither XML nor JSON"
    if "empty_body" in faults:
        body = ""
    return Parcel(query, parcel.headers, body)


def craft(world: World, asked: dict[str, Any]) -> dict[str, Any]:
    """Make a push that nobody sends; the caller sends it.

    Args:
        world: the platform.
        asked: `account`, `phone`, `kind` with `content`, `event`, `event_key`, `list`, `raw`,
            `extra`, and `faults`, as in the contract.

    Returns:
        `query`, `headers` and `body` to send, and `plain`, the message in clear.

    Raises:
        UnknownFault: one of the faults is not known.
    """
    faults = set(asked.get("faults") or [])
    strange = {f for f in faults if f not in FAULTS and not f.startswith("stale")}
    if strange:
        raise UnknownFault(f"unknown faults {sorted(strange)}; known: {', '.join(FAULTS)}")
    app = world.credentials.app(asked.get("account", "official"))
    if "huge_body" in faults:
        asked = {**asked, "kind": "text", "content": "大" * HUGE}
    message = _message(world, app, asked)
    plain = _inner(message, asked, faults)
    parcel = push.sign(
        _encrypted(world, app, plain, faults),
        app=app,
        token="someone-elses-token" if "wrong_token" in faults else app.token,
        form=message.form,
        openid=message.openid,
        timestamp=_timestamp(world, faults),
    )
    parcel = _spoil(parcel, plain, faults)
    return {**vars(parcel), "plain": plain.decode("utf-8", "replace")}
