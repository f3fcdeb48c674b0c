"""WeChat Pay's request and answer signatures, and its error objects.

Source: https://pay.weixin.qq.com/docs/merchant/development/interface-rules/signature-verification.html
"""

import json
import re
import threading
from typing import Any

from flask import Response, request

from simulator import crypto, pay_keys
from simulator.calls import judge, this_call
from simulator.chance import ALNUM, HEX
from simulator.credentials import Merchant
from simulator.pay_keys import Signer
from simulator.world import World, the_world

ALGORITHM = "WECHATPAY2-SHA256-RSA2048"
FRESH_S = 300
SIGNATURE_HEADERS = (
    "Wechatpay-Timestamp",
    "Wechatpay-Nonce",
    "Wechatpay-Signature",
    "Wechatpay-Serial",
    "Wechatpay-Signature-Type",
)
_PAIR = re.compile(r'(mchid|nonce_str|signature|timestamp|serial_no)="([^"]*)"')

_nonces: dict[tuple[str, str], float] = {}
_nonces_lock = threading.Lock()


class Refused(Exception):
    """WeChat Pay says no: HTTP status, code, message, and the field it is about."""

    def __init__(self, status: int, code: str, message: str, field: str = "") -> None:
        super().__init__(code, message)
        self.status = status
        self.code = code
        self.message = message
        self.field = field


def bad_parameter(field: str, message: str) -> Refused:
    """Return the refusal of one parameter."""
    return Refused(400, "PARAM_ERROR", message, field)


def json_answer(data: dict[str, Any], status: int = 200) -> Response:
    """Return JSON in the platform's compact form."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return Response(text, status, content_type="application/json; charset=utf-8")


def error(status: int, code: str, message: str, field: str = "") -> Response:
    """Return an error object; it is signed like any answer."""
    judge(f"{code}: {message}" + (f" ({field})" if field else ""))
    data: dict[str, Any] = {"code": code, "message": message}
    if field:
        data["detail"] = {"field": field, "issue": message, "location": "body"}
    return json_answer(data, status)


def signature_headers(
    world: World,
    body: bytes,
    *,
    signer: Signer,
    timestamp: int | None = None,
) -> dict[str, str]:
    """Sign a body with a key of the platform, with a new nonce."""
    stamp = str(int(world.clock.time()) if timestamp is None else timestamp)
    nonce = world.chance.text(32)
    return {
        "Wechatpay-Timestamp": stamp,
        "Wechatpay-Nonce": nonce,
        "Wechatpay-Signature": crypto.rsa_sign(signer.key, crypto.lines(stamp, nonce, body)),
        "Wechatpay-Serial": signer.serial,
        "Wechatpay-Signature-Type": ALGORITHM,
    }


def sign_answer(response: Response, mchid: str) -> None:
    """Sign an answer, errors and 204 included; an unknown caller's with our merchant's key."""
    world = the_world()
    merchant = world.credentials.merchants.get(mchid) or world.credentials.merchant()
    signer = pay_keys.for_answer(world, merchant, request.headers.get("Wechatpay-Serial"))
    response.headers.update(signature_headers(world, response.get_data(), signer=signer))
    response.headers["Request-ID"] = world.chance.text(40, HEX).upper()


def spoilt_signature(signature: str) -> str:
    """Return a signature of the same form that does not fit."""
    return signature[:20][::-1] + signature[20:]


def _sign_error(message: str) -> Refused:
    return Refused(401, "SIGN_ERROR", message)


def _authorization() -> dict[str, str]:
    scheme, _, rest = request.headers.get("Authorization", "").partition(" ")
    if scheme != ALGORITHM:
        raise _sign_error("Http头Authorization值格式错误，认证类型不正确")
    pairs = dict(_PAIR.findall(rest))
    if len(pairs) != 5 or not all(pairs.values()):
        raise _sign_error("Http头Authorization值格式错误，请参考《微信支付商户REST API签名规则》")
    return pairs


def _check_nonce(now: float, mchid: str, nonce: str) -> None:
    with _nonces_lock:
        if len(_nonces) > 10_000:
            for key in [k for k, at in _nonces.items() if abs(now - at) > 2 * FRESH_S]:
                del _nonces[key]
        if (mchid, nonce) in _nonces and abs(now - _nonces[mchid, nonce]) <= 2 * FRESH_S:
            raise _sign_error("随机串nonce_str已经用过")
        _nonces[mchid, nonce] = now


def authenticate() -> Merchant:
    """Check who asks: merchant, serial, freshness, signature over the exact bytes, nonce.

    The signed path is the real platform's, which has no `/pay` in front.

    Raises:
        Refused: 401 SIGN_ERROR, or 400 PARAM_ERROR when Wechatpay-Serial names no key in use.
    """
    world, call = the_world(), this_call()
    said = _authorization()
    merchant = world.credentials.merchants.get(said["mchid"])
    if merchant is None:
        raise _sign_error("商户号不存在")
    call.merchant_id = merchant.mchid
    if said["serial_no"] != merchant.serial:
        raise _sign_error("商户证书序列号有误。请使用签名私钥匹配的证书序列号")
    stamp = said["timestamp"]
    if not stamp.isdigit() or abs(world.clock.callers_time() - int(stamp)) > FRESH_S:
        raise _sign_error("Http头Authorization中的timestamp与发起请求的时间不得超过5分钟")
    # The raw query must be signed as it was sent, before anything decodes it.
    query = request.environ.get("QUERY_STRING", "")
    target = _raw_path() + (f"?{query}" if query else "")
    message = crypto.lines(request.method, target, stamp, said["nonce_str"], call.body)
    if not crypto.is_rsa_signature(merchant.key.public_key(), message, said["signature"]):
        raise _sign_error("签名错误，请检查后再试")
    _check_nonce(world.clock.time(), merchant.mchid, said["nonce_str"])
    _check_headers(merchant)
    return merchant


def _raw_path() -> str:
    raw = str(request.environ.get("REQUEST_URI") or request.path)
    return raw.partition("?")[0].removeprefix("/pay")


def _check_headers(merchant: Merchant) -> None:
    asked = request.headers.get("Wechatpay-Serial")
    known = [signer.serial for signer in pay_keys.known(the_world(), merchant)]
    if asked is not None and asked not in known:
        raise bad_parameter(
            "Wechatpay-Serial", "Wechatpay-Serial不是本商户可用的微信支付公钥ID或平台证书序列号"
        )
    if not request.headers.get("User-Agent"):
        raise Refused(403, "INVALID_REQUEST", "Http头缺少User-Agent")
    if not request.accept_mimetypes.accept_json:
        raise Refused(406, "INVALID_REQUEST", "Http头Accept必须接受application/json")
    if request.method == "POST" and request.mimetype != "application/json":
        raise Refused(415, "INVALID_REQUEST", "Http头Content-Type必须是application/json")


def forget_nonces() -> None:
    """Forget which nonces were seen, for a reset."""
    with _nonces_lock:
        _nonces.clear()


def transaction_number(world: World) -> str:
    """Return a transaction_id: 28 digits that begin with 4200."""
    return "4200" + world.chance.digits(24)


def prepay_number(world: World) -> str:
    """Return a prepay_id as the platform makes them."""
    return "wx" + world.chance.digits(20) + world.chance.text(14, ALNUM)
