"""Messages and events pushed to the backend in safe mode: three tries, five seconds each."""

import json
import secrets
from dataclasses import dataclass
from typing import Any, Literal

from simulator import outbound, xml_form
from simulator.chat import add_bubble
from simulator.clock import beijing_ms
from simulator.credentials import App
from simulator.crypto import encrypt_push, push_signature
from simulator.push_replies import BadReply, read_reply
from simulator.state import Person, remember
from simulator.world import World

TRIES = 3
PATHS = {"official": "/wechat/official", "miniapp": "/wechat/miniapp"}


@dataclass(frozen=True)
class Push:
    """One message on its way from a person, or from the platform, to the backend."""

    app: App
    phone: str
    openid: str
    fields: dict[str, Any]
    form: Literal["xml", "json"]

    def plain(self) -> bytes:
        """Return the message as it is inside the encryption."""
        if self.form == "xml":
            return xml_form.build(self.fields)
        return json.dumps(self.fields, ensure_ascii=False).encode()


@dataclass(frozen=True)
class Parcel:
    """One signed and encrypted HTTP request."""

    query: dict[str, str]
    headers: dict[str, str]
    body: str


def wrap(world: World, push: Push) -> Parcel:
    """Encrypt and sign a push, with a new nonce each time."""
    encrypted = encrypt_push(push.plain(), aes_key=push.app.aes_key, appid=push.app.appid)
    return sign(
        encrypted,
        app=push.app,
        token=push.app.token,
        form=push.form,
        openid=push.openid,
        timestamp=str(int(world.clock.time())),
    )


def sign(encrypted: str, *, app: App, token: str, form: str, openid: str, timestamp: str) -> Parcel:
    """Put the envelope and both signatures round an encrypted message."""
    nonce = str(secrets.randbelow(10**10))
    outer = {"ToUserName": app.original_id, "Encrypt": encrypted}
    is_xml = form == "xml"
    return Parcel(
        query={
            "signature": push_signature(token, timestamp, nonce),
            "timestamp": timestamp,
            "nonce": nonce,
            "openid": openid,
            "encrypt_type": "aes",
            "msg_signature": push_signature(token, timestamp, nonce, encrypted),
        },
        headers={"Content-Type": "text/xml" if is_xml else "application/json"},
        body=xml_form.build(outer).decode() if is_xml else json.dumps(outer),
    )


def _message(world: World, app: App, person: Person, kind: str, **more: Any) -> Push:
    fields = {
        "ToUserName": app.original_id,
        "FromUserName": person.openids[app.appid],
        "CreateTime": int(world.clock.time()),
        "MsgType": kind,
        **more,
    }
    return Push(app, person.phone, person.openids[app.appid], fields, "xml")


def official_text(
    world: World, app: App, person: Person, content: str, msg_id: int | None = None
) -> Push:
    """Return a text someone wrote to the account."""
    number = msg_id or int("2" + world.chance.digits(17))
    return _message(world, app, person, "text", Content=content, MsgId=number)


def official_event(
    world: World, app: App, person: Person, event: str, more: dict[str, Any]
) -> Push:
    """Return an event of the account, such as `subscribe` or `CLICK`."""
    return _message(world, app, person, "event", Event=event, **more)


def miniapp_event(
    world: World,
    person: Person,
    event: str,
    entries: list[dict[str, Any]],
    more: dict[str, Any],
) -> Push:
    """Return an event of the mini-program in JSON.

    `List` is an object when there is one entry and an array when there are several, as on the
    platform.
    """
    app = world.credentials.app("miniapp")
    fields: dict[str, Any] = {
        "ToUserName": app.original_id,
        "FromUserName": person.openids[app.appid],
        "CreateTime": int(world.clock.time()),
        "MsgType": "event",
        "Event": event,
    }
    if entries:
        fields["List"] = entries[0] if len(entries) == 1 else entries
    return Push(app, person.phone, person.openids[app.appid], {**fields, **more}, "json")


def _try(world: World, push: Push) -> tuple[list[dict[str, Any]], outbound.Outcome]:
    attempts: list[dict[str, Any]] = []
    while True:
        parcel = wrap(world, push)
        at = beijing_ms(world.clock.time())
        outcome = outbound.send(
            "POST",
            world.backend + PATHS[push.app.kind],
            params=parcel.query,
            headers=parcel.headers,
            data=parcel.body.encode(),
        )
        attempts.append(outcome.as_attempt(at))
        if outcome.status == 200 or len(attempts) == TRIES:
            return attempts, outcome


def deliver(world: World, push: Push) -> dict[str, Any]:
    """Push until the backend answers 200, read its reply, and show it to the person.

    Returns:
        `status` of the last try (None without an answer), `reply` in clear or None, `attempts` as
        a list of `{at, status, ms, error}`, and `error` saying what was wrong with the reply.
    """
    attempts, outcome = _try(world, push)
    reply: dict[str, Any] | None = None
    problem: str | None = outcome.error
    if outcome.status == 200:
        try:
            reply = read_reply(outcome.body, app=push.app, openid=push.openid)
        except BadReply as bad:
            problem = str(bad)
    elif outcome.status is not None:
        problem = f"status {outcome.status}"
    result = {
        "status": outcome.status,
        "reply": reply,
        "attempts": attempts,
        "error": problem,
    }
    with world.lock:
        record = {"account": push.app.kind, "phone": push.phone, "message": push.fields}
        remember(world.state.pushes, {**record, **result})
        _show(world, push, reply, problem)
        world.changed()
    return result


def _show(world: World, push: Push, reply: dict[str, Any] | None, problem: str | None) -> None:
    person = world.state.people.get(push.phone)
    if person is None or push.app.kind != "official":
        return
    event = push.fields.get("Event")
    if reply is not None and event != "unsubscribe":
        add_bubble(
            world,
            person,
            side="account",
            kind=str(reply["MsgType"]),
            text=_reply_text(reply),
            reply=reply,
        )
    elif problem is not None and event in (None, "CLICK"):
        add_bubble(
            world,
            person,
            side="system",
            kind="notice",
            text="该公众号提供的服务出现故障，请稍后再试",
        )


def _reply_text(reply: dict[str, Any]) -> str:
    if reply["MsgType"] == "text":
        return str(reply["Content"])
    if reply["MsgType"] == "news":
        items = reply["Articles"]["item"]
        listed = items if isinstance(items, list) else [items]
        return "\n".join(str(item.get("Title", "")) for item in listed)
    return f"[{reply['MsgType']}]"


def send_later(world: World, push: Push) -> None:
    """Push in the background; the result is found under `/_sim/pushes`."""
    outbound.in_background(lambda: deliver(world, push), "push")


def send_copies(world: World, push: Push, copies: int) -> list[dict[str, Any]]:
    """Push the same message several times at the same instant."""
    return outbound.all_at_once([lambda: deliver(world, push)] * copies)


def verify_url(world: World, app: App) -> dict[str, Any]:
    """Check the backend's URL as the console does when one saves it.

    Returns:
        `ok` if the answer is the echostr and nothing else, and `status`, `answer`, `expected`.
    """
    timestamp, nonce = str(int(world.clock.time())), str(secrets.randbelow(10**10))
    echo = world.chance.digits(19)
    outcome = outbound.send(
        "GET",
        world.backend + PATHS[app.kind],
        params={
            "signature": push_signature(app.token, timestamp, nonce),
            "timestamp": timestamp,
            "nonce": nonce,
            "echostr": echo,
        },
    )
    answer = outcome.body.decode("utf-8", "replace")
    return {
        "ok": outcome.status == 200 and answer == echo,
        "status": outcome.status,
        "answer": answer,
        "expected": echo,
        "error": outcome.error,
    }
