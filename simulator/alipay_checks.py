"""What opens a trade: each parameter, and the refusal Alipay makes of it.

Source: https://opendocs.alipay.com/open/028r8t (page.pay), /open/29ae8cb6 (wap.pay),
/open/8ad49e4a (precreate); amounts and characters as those pages give them.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from simulator.alipay_wire import Asked, Refused, read_instant
from simulator.clock import BEIJING

QR_LIFETIME_S = 2 * 3600
TRADE_LIFETIME_S = 15 * 86_400
MOST_FEN = 10_000_000_000

# The wap product has two spellings: the page's, and an older one that SDKs still send.
PRODUCT_CODES = {
    "alipay.trade.page.pay": ("FAST_INSTANT_TRADE_PAY",),
    "alipay.trade.wap.pay": ("QUICK_WAP_WAY", "QUICK_WAP_PAY"),
    "alipay.trade.precreate": ("FACE_TO_FACE_PAYMENT", "QR_CODE_OFFLINE"),
}
_KNOWN = {
    "out_trade_no",
    "total_amount",
    "subject",
    "body",
    "product_code",
    "timeout_express",
    "time_expire",
    "qr_code_timeout_express",
    "passback_params",
    "seller_id",
    "quit_url",
    "qr_pay_mode",
    "qrcode_width",
    "goods_detail",
    "goods_type",
    "store_id",
    "operator_id",
    "terminal_id",
    "integration_type",
    "extend_params",
    "business_params",
    "discountable_amount",
    "merchant_order_no",
    "enable_pay_channels",
    "disable_pay_channels",
    "request_from_url",
    "query_options",
}
_NUMBER = re.compile(r"[0-9A-Za-z_]{1,64}")
_AMOUNT = re.compile(r"\d{1,9}(\.\d{1,2})?")
_SPAN = re.compile(r"([1-9]\d{0,4})([mhdc])")
_SPAN_S = {"m": 60, "h": 3600, "d": 86_400}


@dataclass(frozen=True)
class Offer:
    """What a merchant asks to be paid, checked; until when is an instant."""

    out_trade_no: str
    product_code: str
    total_fen: int
    subject: str
    body: str
    passback_params: str
    payable_until: float


def bad(about: str) -> Refused:
    """Return the refusal of one parameter."""
    return Refused("ACQ.INVALID_PARAMETER", about)


def text(biz: dict[str, Any], name: str, longest: int, *, needed: bool = True) -> str:
    """Return a text parameter, empty if it is absent and need not be there.

    Raises:
        Refused: it is absent, no text, or too long.
    """
    value = biz.get(name, "")
    if not isinstance(value, str) or (needed and not value) or len(value) > longest:
        raise bad(f"{name}：必填，且不超过{longest}个字符" if needed else f"{name}过长")
    return value


def fen(biz: dict[str, Any], name: str) -> int:
    """Return an amount in fen, from yuan with at most two decimals.

    Raises:
        Refused: it is none, below 0.01 or above 100000000.
    """
    value = biz.get(name, "")
    if not isinstance(value, str) or not _AMOUNT.fullmatch(value):
        raise bad(f"{name}单位为元，精确到小数点后两位")
    whole, _, part = value.partition(".")
    amount = int(whole) * 100 + int(part.ljust(2, "0") or 0)
    if not 1 <= amount <= MOST_FEN:
        raise Refused("ACQ.TOTAL_FEE_EXCEED", name)
    return amount


def strange(biz: dict[str, Any], known: set[str]) -> None:
    """Refuse a parameter the interface does not have, since the caller has misspelt it.

    Raises:
        Refused: there is one.
    """
    for name in sorted(set(biz) - known):
        raise bad(f"接口没有参数{name}")


def _span_s(biz: dict[str, Any], name: str, now: float) -> float:
    value = text(biz, name, 6)
    found = _SPAN.fullmatch(value)
    if found is None:
        raise bad(f"{name}取值如90m，不接受小数")
    if found[2] == "c":
        # 1c: the trade closes at the end of the day, whenever it was made.
        midnight = datetime.fromtimestamp(now + 86_400, BEIJING).replace(
            hour=0, minute=0, second=0, microsecond=0
        )
        return midnight.timestamp() - now
    span_s = int(found[1]) * _SPAN_S[found[2]]
    if span_s > TRADE_LIFETIME_S:
        raise bad(f"{name}范围为1m到15d")
    return float(span_s)


def _time_expire(biz: dict[str, Any], now: float) -> float:
    value = text(biz, "time_expire", 19)
    try:
        until = read_instant(value + ":00" * (len(value) == 16))
    except ValueError as error:
        raise bad("time_expire格式为yyyy-MM-dd HH:mm:ss") from error
    if until <= now:
        raise bad("time_expire早于当前时间")
    return until


def _payable_until(method: str, biz: dict[str, Any], now: float) -> float:
    if method == "alipay.trade.precreate" and "qr_code_timeout_express" in biz:
        return now + _span_s(biz, "qr_code_timeout_express", now)
    if "time_expire" in biz:
        return _time_expire(biz, now)
    if "timeout_express" in biz:
        return now + _span_s(biz, "timeout_express", now)
    return now + (QR_LIFETIME_S if method == "alipay.trade.precreate" else TRADE_LIFETIME_S)


def _product_code(method: str, biz: dict[str, Any]) -> str:
    known = PRODUCT_CODES[method]
    is_needed = method != "alipay.trade.precreate"
    code = text(biz, "product_code", 64, needed=is_needed) or known[0]
    if code not in known:
        raise bad(f"product_code应为{known[0]}")
    return code


def check_offer(asked: Asked, now: float) -> Offer:
    """Check the parameters of page.pay, wap.pay or precreate.

    Raises:
        Refused: ACQ.INVALID_PARAMETER or ACQ.TOTAL_FEE_EXCEED with the parameter at fault.
    """
    biz = asked.biz
    strange(biz, _KNOWN)
    number = text(biz, "out_trade_no", 64)
    if not _NUMBER.fullmatch(number):
        raise bad("out_trade_no仅支持字母、数字、下划线")
    subject = text(biz, "subject", 256)
    if any(mark in subject for mark in "/=&"):
        raise bad("subject不可使用特殊字符，如 /，=，& 等")
    if biz.get("seller_id") not in (None, "", asked.app.seller_id):
        raise bad("seller_id不是本应用的签约账号")
    return Offer(
        out_trade_no=number,
        product_code=_product_code(asked.method, biz),
        total_fen=fen(biz, "total_amount"),
        subject=subject,
        body=text(biz, "body", 128, needed=False),
        passback_params=text(biz, "passback_params", 512, needed=False),
        payable_until=_payable_until(asked.method, biz, now),
    )
