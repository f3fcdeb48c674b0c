"""The forms all WeChat endpoints share: error objects, methods, access tokens."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Response, jsonify, request

from simulator.calls import judge, this_call
from simulator.chance import HEX
from simulator.credentials import App
from simulator.world import the_world

MESSAGES = {
    -1: "system error",
    40001: "invalid credential, access_token is invalid or not latest",
    40002: "invalid grant_type",
    40003: "invalid openid",
    40013: "invalid appid",
    40029: "invalid code",
    40037: "invalid template_id",
    40125: "invalid appsecret",
    40163: "code been used",
    40164: "invalid ip 127.0.0.1, not in whitelist",
    40243: "AppSecret has been frozen",
    41001: "access_token missing",
    41002: "appid missing",
    41004: "appsecret missing",
    41008: "missing code",
    41030: "invalid page",
    42001: "access_token expired",
    43001: "require GET method",
    43002: "require POST method",
    43004: "require subscribe",
    43101: "user refuse to accept the msg",
    44002: "empty post data",
    45009: "reach max api daily quota limit",
    45011: "api minute-quota reach limit, must slower, retry next minute",
    45015: "response out of time limit or subscription is canceled",
    45047: "out of response count limit",
    46003: "menu no exist",
    47001: "data format error",
    47003: "argument invalid!",
    48001: "api unauthorized",
}


class Refused(Exception):
    """WeChat says no; the error code and what is put into errmsg."""

    def __init__(self, code: int, text: str | None = None) -> None:
        super().__init__(code, text)
        self.code = code
        self.text = text


def error(code: int, text: str | None = None) -> Response:
    """Return WeChat's error object; its HTTP status is 200."""
    chance = the_world().chance
    message = text or MESSAGES.get(code, "unknown error")
    rid = "-".join(chance.text(8, HEX) for _ in range(3))
    judge(f"errcode {code}: {message}")
    return jsonify({"errcode": code, "errmsg": f"{message} rid: {rid}"})


def body_json() -> dict[str, Any]:
    """Return the request's JSON object.

    Raises:
        Refused: the body is empty (44002) or no JSON object (47001).
    """
    call = this_call()
    if not call.body:
        raise Refused(44002)
    data = call.json()
    if data is None:
        raise Refused(47001)
    return data


def only_known(data: dict[str, Any], known: set[str]) -> None:
    """Refuse fields the platform does not document: there they would be lost without a word.

    Raises:
        Refused: 47001, naming them.
    """
    strange = set(data) - known
    if strange:
        raise Refused(47001, f"data format error, unknown field {', '.join(sorted(strange))}")


def app_of_token(*kinds: str) -> App:
    """Return the app whose access token the request carries.

    Raises:
        Refused: no token (41001), unknown or retired (40001), expired (42001), or of an app that
            has no such interface (48001).
    """
    world = the_world()
    value = request.args.get("access_token", "")
    if not value:
        raise Refused(41001)
    with world.lock:
        token = world.state.tokens.get(value)
        if token is None or token.revoked:
            raise Refused(40001)
        if token.expires_at <= world.clock.time():
            raise Refused(42001)
    app = world.credentials.apps[token.appid]
    if app.kind not in kinds:
        raise Refused(48001, f"api unauthorized: this interface belongs to {' or '.join(kinds)}")
    return app


def endpoint(method: str) -> Callable[[Callable[[], Response]], Callable[[], Response]]:
    """Answer a wrong method with 43001 or 43002 and turn `Refused` into an error object."""

    def decorate(view: Callable[[], Response]) -> Callable[[], Response]:
        @wraps(view)
        def guarded() -> Response:
            if request.method != method:
                return error(43001 if method == "GET" else 43002)
            try:
                return view()
            except Refused as refused:
                return error(refused.code, refused.text)

        return guarded

    return decorate
