"""What happens around every platform request: facts, faults, signatures, journal, cut lines."""

import contextlib
import json
import socket
import struct
import time
from typing import Any

from flask import Flask, Response, g, request

from simulator import alipay_wire, pay_wire, sms_wire, wechat_wire
from simulator.calls import Call, current_call
from simulator.faults import Facts
from simulator.world import the_world

HTML_PAGE = (
    "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
)
_REFUSALS = ("errcode", "pay_error", "sms_code", "status", "html")


def split_path(path: str, method: str) -> tuple[str, str] | None:
    """Return which platform a path belongs to and its path there; None for our own pages."""
    for host in ("wx", "pay", "ali"):
        if path == f"/{host}" or path.startswith(f"/{host}/"):
            return host, path[len(host) + 1 :]
    if path == "/" and method == "POST":
        return "sms", path
    return None


def _gather(found: dict[str, set[str]], data: Any) -> None:
    if not isinstance(data, dict):
        return
    for key, value in data.items():
        if key in ("appid", "touser", "openid", "out_trade_no", "out_refund_no"):
            found.setdefault("openid" if key == "touser" else key, set()).add(str(value))
        elif key == "payer":
            _gather(found, value)
        elif key == "PhoneNumberSet" and isinstance(value, list):
            found.setdefault("phone", set()).update(str(n).removeprefix("+86") for n in value)


def _facts(host: str, path: str, body: bytes) -> Facts:
    values: dict[str, set[str]] = {}
    _gather(values, request.args.to_dict())
    with contextlib.suppress(ValueError):
        _gather(values, json.loads(body))
    token = the_world().state.tokens.get(request.args.get("access_token", ""))
    if token is not None:
        values.setdefault("appid", set()).add(token.appid)
    if host == "ali":
        _gather_alipay(values)
    if "/out-trade-no/" in path:
        values.setdefault("out_trade_no", set()).add(
            path.split("/out-trade-no/")[1].removesuffix("/close")
        )
    if "/refunds/" in path:
        values.setdefault("out_refund_no", set()).add(path.split("/refunds/")[1])
    return Facts(host, path, request.path, request.method, values)


def _gather_alipay(values: dict[str, set[str]]) -> None:
    params = alipay_wire.parameters()
    values.setdefault("method", set()).add(params.get("method", ""))
    values.setdefault("appid", set()).add(params.get("app_id", ""))
    with contextlib.suppress(ValueError):
        _gather(values, json.loads(params.get("biz_content", "")))


def _refusal(call: Call) -> Response | None:
    """Return the made-up answer of a fault rule, if it has one."""
    action = call.action
    if "errcode" in action:
        return wechat_wire.error(int(action["errcode"]))
    if "pay_error" in action:
        made_up = action["pay_error"]
        return pay_wire.error(
            int(made_up.get("status", 500)), made_up["code"], made_up.get("message", "系统异常")
        )
    if "alipay_error" in action:
        return alipay_wire.refusal(alipay_wire.Refused(action["alipay_error"]["sub_code"]))
    if "sms_code" in action:
        return sms_wire.refusal(str(action["sms_code"]), call.body)
    if "status" in action:
        call.verdict = f"fault: status {action['status']}"
        return Response(HTML_PAGE, int(action["status"]), mimetype="text/html")
    if "html" in action:
        call.verdict = "fault: html"
        return Response(HTML_PAGE, 200, mimetype="text/html")
    return None


def _is_when(action: dict[str, Any], when: str) -> bool:
    return bool(action.get("when", "before") == when)


def _sleep(action: dict[str, Any], when: str) -> None:
    if action.get("latency_ms") and _is_when(action, when):
        time.sleep(action["latency_ms"] / 1000)


def cut_line(*, hard: bool) -> None:
    """Drop the connection of this request without an answer; hard means with a TCP reset."""
    line = request.environ.get("werkzeug.socket")
    if not isinstance(line, socket.socket):
        return
    if hard:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    # The other side may have hung up already.
    with contextlib.suppress(OSError):
        line.shutdown(socket.SHUT_RDWR)


def before() -> Response | None:
    """Recognise a platform request and let the fault rules act before it has an effect."""
    place = split_path(request.path, request.method)
    if place is None:
        return None
    body = request.get_data(cache=True)
    world = the_world()
    call = Call(place[0], place[1], body, world.faults.pick(_facts(*place, body)))
    g.call = call
    _sleep(call.action, "before")
    if call.action.get("reset"):
        call.verdict, call.cut = "fault: reset before the effect", "hard"
        return Response("", 500)
    if _is_when(call.action, "before"):
        return _refusal(call)
    return None


def _spoil(action: dict[str, Any], response: Response) -> None:
    if action.get("unsigned"):
        for name in pay_wire.SIGNATURE_HEADERS:
            response.headers.pop(name, None)
    if action.get("badly_signed"):
        response.headers["Wechatpay-Signature"] = pay_wire.spoilt_signature(
            response.headers.get("Wechatpay-Signature", "")
        )
    if action.get("truncated_json"):
        response.set_data(response.get_data()[: len(response.get_data()) // 2])
    if action.get("wrong_content_type"):
        response.headers["Content-Type"] = "text/plain"


def after(response: Response) -> Response:
    """Let the fault rules act on the answer, sign it, and write the journal."""
    call = current_call()
    if call is None:
        return response
    if _is_when(call.action, "after"):
        response = _refusal(call) or response
    # A gateway's error page comes from in front of the platform, which has not signed it.
    if call.host == "pay" and call.is_signed and response.mimetype != "text/html":
        pay_wire.sign_answer(response, call.merchant_id)
    if call.host == "ali":
        alipay_wire.spoil(call.action, response)
    _spoil(call.action, response)
    _sleep(call.action, "after")
    if call.action.get("lost_answer"):
        call.verdict, call.cut = "fault: effect kept, answer lost", "soft"
    # The journal comes first: whoever sees the line drop may look at once.
    _record(call, response)
    if call.cut:
        cut_line(hard=call.cut == "hard")
    return response


def _text(raw: bytes) -> Any:
    text = raw.decode("utf-8", "replace")
    if text[:1] in ("{", "["):
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


def _answer(call: Call, response: Response) -> Any:
    # A bill is too long for the journal, and packed it is no text.
    raw = response.get_data()
    return _text(raw) if call.is_signed else f"a file of {len(raw)} bytes"


def _record(call: Call, response: Response) -> None:
    the_world().journal.record(
        {
            "host": call.host,
            "method": request.method,
            "path": call.path,
            "query": request.args.to_dict(),
            "headers": dict(request.headers),
            "body": _text(call.body),
            "verdict": call.verdict,
            "status": None if call.cut else response.status_code,
            "answer": None if call.cut else _answer(call, response),
        }
    )


def install(app: Flask) -> None:
    """Put these steps around every request of the app."""
    app.before_request(before)
    app.after_request(after)
