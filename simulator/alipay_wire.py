"""Alipay's request check, its signed answers and its error codes.

Source: https://opendocs.alipay.com/common/02km9f (codes), platforms.md 4.7 and 7.4. That the
platform takes a timestamp within ten minutes of Beijing time is its observed, not its written rule.
"""

import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from flask import Response, request

from simulator import crypto
from simulator.alipay_accounts import AlipayApp
from simulator.calls import judge
from simulator.clock import BEIJING
from simulator.world import World, the_world

FRESH_S = 600
METHODS = (
    "alipay.trade.page.pay",
    "alipay.trade.wap.pay",
    "alipay.trade.precreate",
    "alipay.trade.query",
    "alipay.trade.close",
    "alipay.trade.cancel",
    "alipay.trade.refund",
    "alipay.trade.fastpay.refund.query",
    "alipay.data.dataservice.bill.downloadurl.query",
)
_MESSAGES = {
    "10000": "Success",
    "20000": "Service Currently Unavailable",
    "40001": "Missing Required Arguments",
    "40002": "Invalid Arguments",
    "40004": "Business Failed",
}
_SUB_MESSAGES = {
    "ACQ.CONTEXT_INCONSISTENT": "交易信息被篡改",
    "ACQ.DISCORDANT_REPEAT_REQUEST": "请求信息不一致",
    "ACQ.INVALID_PARAMETER": "参数无效",
    "ACQ.REASON_TRADE_REFUND_FEE_ERR": "退款金额无效",
    "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL": "撤销或退款金额与订单金额不一致",
    "ACQ.SELLER_BALANCE_NOT_ENOUGH": "商户余额不足",
    "ACQ.SYSTEM_ERROR": "系统错误",
    "ACQ.TOTAL_FEE_EXCEED": "订单总金额不在允许范围内",
    "ACQ.TRADE_HAS_CLOSE": "交易已经关闭",
    "ACQ.TRADE_HAS_FINISHED": "交易已经完结",
    "ACQ.TRADE_HAS_SUCCESS": "交易已被支付",
    "ACQ.TRADE_NOT_EXIST": "交易不存在",
    "ACQ.TRADE_STATUS_ERROR": "交易状态不合法",
    "isp.bill_not_exist": "入参日期不存在账单",
    "isp.unknow-error": "系统繁忙",
    "isv.invalid-app-id": "无效的AppID参数",
    "isv.invalid-charset": "字符集错误",
    "isv.invalid-format": "无效的数据格式",
    "isv.invalid-method": "不存在的方法名",
    "isv.invalid-signature": "验签出错，请确认charset、sign_type和待签名串是否正确",
    "isv.invalid-signature-type": "无效的签名类型",
    "isv.invalid-timestamp": "非法的时间戳参数",
    "isv.invalid-version": "无效的版本",
    "isv.missing-signature": "缺少签名参数",
}
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
_REQUIRED = ("app_id", "method", "sign_type", "timestamp", "version", "charset")


class Refused(Exception):
    """Alipay says no: the sub-code, what it is about, and what stands in the answer beside it."""

    def __init__(self, sub_code: str, about: str = "", **fields: str) -> None:
        super().__init__(sub_code, about)
        self.sub_code = sub_code
        self.about = about
        self.fields = fields


@dataclass(frozen=True)
class Asked:
    """A request that passed the gateway's checks; numbers in `biz` are text as they were sent."""

    app: AlipayApp
    method: str
    params: dict[str, str]
    biz: dict[str, Any]


def now_text(world: World) -> str:
    """Return the virtual instant in Alipay's form, in Beijing time."""
    return instant_text(world.clock.time())


def instant_text(instant: float) -> str:
    """Write an instant in Alipay's form, in Beijing time."""
    return datetime.fromtimestamp(instant, BEIJING).strftime("%Y-%m-%d %H:%M:%S")


def read_instant(text: str) -> float:
    """Read an instant in Alipay's form.

    Raises:
        ValueError: it is none.
    """
    if not _TIMESTAMP.fullmatch(text):
        raise ValueError(text)
    return datetime.fromisoformat(text).replace(tzinfo=BEIJING).timestamp()


def content(params: dict[str, str], *left_out: str) -> bytes:
    """Return what is signed: the parameters with a value, sorted, `k=v` joined by `&`."""
    chosen = sorted((k, v) for k, v in params.items() if v != "" and k not in left_out)
    return "&".join(f"{key}={value}" for key, value in chosen).encode()


def sign(app: AlipayApp, message: bytes) -> str:
    """Sign for this app with the platform's key."""
    return crypto.rsa_sign(app.platform_key, message)


def parameters() -> dict[str, str]:
    """Return the parameters of the request, from its query and its form together."""
    return {**request.args.to_dict(), **request.form.to_dict()}


def main_code(sub_code: str) -> str:
    """Return the code that goes with a sub-code."""
    if sub_code == "isp.bill_not_exist" or not sub_code.startswith(("isv.", "isp.", "aop.")):
        return "40004"
    if sub_code.startswith("isv.missing"):
        return "40001"
    return "40002" if sub_code.startswith("isv.") else "20000"


def answer(asked: Asked, fields: dict[str, Any]) -> Response:
    """Return a signed success."""
    data = {"code": "10000", "msg": _MESSAGES["10000"], **fields}
    return _envelope(asked.method, data, asked.app)


def refusal(no: Refused) -> Response:
    """Return an error; it is signed when the app is known, since only then there is a key."""
    params = parameters()
    sub_msg = _SUB_MESSAGES.get(no.sub_code, no.sub_code)
    about = f"{sub_msg}（{no.about}）" if no.about else sub_msg
    judge(f"{no.sub_code}: {about}")
    code = main_code(no.sub_code)
    data = {"code": code, "msg": _MESSAGES[code], "sub_code": no.sub_code, "sub_msg": about}
    app = the_world().credentials.alipay.get(params.get("app_id", ""))
    return _envelope(params.get("method", ""), {**data, **no.fields}, app)


def _envelope(method: str, data: dict[str, Any], app: AlipayApp | None) -> Response:
    # The real gateway escapes slashes; whoever verifies over re-encoded JSON fails on them.
    inner = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("/", "\\/")
    name = method.replace(".", "_") + "_response" if method in METHODS else "error_response"
    tail = f',"sign":"{sign(app, inner.encode())}"' if app is not None else ""
    return Response(f'{{"{name}":{inner}{tail}}}', content_type="text/html;charset=utf-8")


def spoil(action: dict[str, Any], response: Response) -> None:
    """Take the signature out of an answer, or make it one that does not fit."""
    if not (action.get("unsigned") or action.get("badly_signed")):
        return
    head, mark, tail = response.get_data().partition(b',"sign":"')
    if not mark:
        return
    kept = b"}" if action.get("unsigned") else mark + tail[:20][::-1] + tail[20:]
    response.set_data(head + kept)


def authenticate() -> Asked:
    """Check who asks: app, common parameters, freshness in Beijing time, RSA2 signature.

    Raises:
        Refused: the `isv.` sub-code of the first thing that is wrong.
    """
    world, params = the_world(), parameters()
    for name in _REQUIRED:
        if not params.get(name):
            word = {"sign_type": "signature-type", "app_id": "app-id"}.get(name, name)
            raise Refused(f"isv.missing-{word}", f"缺少{name}")
    app = world.credentials.alipay.get(params["app_id"])
    if app is None:
        raise Refused("isv.invalid-app-id")
    if params["method"] not in METHODS:
        raise Refused("isv.invalid-method", params["method"])
    _check_common(world, params)
    _check_signature(app, params)
    return Asked(app, params["method"], params, _biz(params))


def _check_common(world: World, params: dict[str, str]) -> None:
    if params["sign_type"] != "RSA2":
        raise Refused("isv.invalid-signature-type", "只支持RSA2")
    if params["version"] != "1.0":
        raise Refused("isv.invalid-version")
    if params["charset"].lower() != "utf-8":
        raise Refused("isv.invalid-charset")
    if params.get("format", "JSON").upper() != "JSON":
        raise Refused("isv.invalid-format")
    try:
        sent_at = read_instant(params["timestamp"])
    except ValueError as error:
        raise Refused("isv.invalid-timestamp") from error
    if abs(world.clock.callers_time() - sent_at) > FRESH_S:
        raise Refused("isv.invalid-timestamp", f"北京时间为{now_text(world)}")
    for name in ("notify_url", "return_url"):
        _check_url(name, params.get(name, ""))


def _check_url(name: str, url: str) -> None:
    parts = urlsplit(url)
    if url and (len(url) > 256 or parts.scheme not in ("http", "https") or not parts.hostname):
        raise Refused("isv.invalid-parameter", name)


def _check_signature(app: AlipayApp, params: dict[str, str]) -> None:
    if not params.get("sign"):
        raise Refused("isv.missing-signature")
    is_repeated = any(
        len(values) > 1 or (key in request.args and key in request.form)
        for values_of in (request.args, request.form)
        for key, values in values_of.lists()
    )
    message = content(params, "sign")
    public_key = app.key.public_key()
    if is_repeated or not crypto.is_rsa_signature(public_key, message, params["sign"]):
        raise Refused("isv.invalid-signature")


def _biz(params: dict[str, str]) -> dict[str, Any]:
    try:
        # Prices come as text or as numbers; a number read as a float would lose its cents.
        data = json.loads(params.get("biz_content", ""), parse_float=str, parse_int=str)
    except ValueError as error:
        raise Refused("isv.invalid-parameter", "biz_content不是JSON") from error
    if not isinstance(data, dict):
        raise Refused("isv.invalid-parameter", "biz_content不是JSON对象")
    return data
