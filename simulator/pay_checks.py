"""The parameters of an order: each refusal WeChat Pay would make, in its words.

Source: https://pay.weixin.qq.com/docs/merchant/apis/jsapi-payment/direct-jsons/jsapi-prepay.html
and https://pay.weixin.qq.com/docs/merchant/products/h5-payment/apilist.html
"""

import re
from datetime import datetime
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from simulator.credentials import Merchant
from simulator.outbound import is_loopback
from simulator.pay_wire import Refused, bad_parameter
from simulator.world import World

ORDER_LIFETIME_S = 7 * 86_400
SHORTEST_S = 60
LONGEST_S = 90 * 86_400
H5_TYPES = ("iOS", "Android", "Wap")
MOST_FEN = 10_000_000_000

_OUT_TRADE_NO = re.compile(r"[0-9A-Za-z_\-|*]{6,32}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:Z|[+-]\d\d:\d\d)")
_KNOWN = {
    "appid",
    "mchid",
    "description",
    "out_trade_no",
    "time_expire",
    "attach",
    "notify_url",
    "goods_tag",
    "support_fapiao",
    "amount",
    "detail",
    "scene_info",
    "settle_info",
}


def text_field(data: dict[str, Any], field: str, longest: int) -> str:
    """Return a text that must be there and not too long.

    Raises:
        Refused: 400 with the field.
    """
    value = data.get(field)
    if not isinstance(value, str) or not value:
        raise bad_parameter(field, f"输入源“/body/{field}”映射到值字段“{field}”必填性规则校验失败")
    if len(value) > longest:
        raise bad_parameter(field, f"输入源“/body/{field}”字符串长度不得超过{longest}")
    return value


def refuse_unknown(data: dict[str, Any], known: set[str], where: str = "") -> None:
    """Refuse what the interface has no parameter for.

    Raises:
        Refused: 400 with the first such field.
    """
    for key in sorted(set(data) - known):
        raise bad_parameter(where + key, f"输入源“/body/{where + key}”不是接口的参数")


def group_field(data: dict[str, Any], field: str) -> dict[str, Any]:
    """Return an object that must be there.

    Raises:
        Refused: 400 with the field.
    """
    value = data.get(field)
    if not isinstance(value, dict):
        raise bad_parameter(field, f"输入源“/body/{field}”映射到值字段“{field}”必填性规则校验失败")
    return value


def whole_fen(amount: dict[str, Any], key: str) -> int:
    """Return a sum in whole fen.

    Raises:
        Refused: 400, it is absent or no integer.
    """
    value = amount.get(key)
    # In JSON true is no number, but in Python it is an int.
    if isinstance(value, bool) or not isinstance(value, int):
        raise bad_parameter(f"amount.{key}", f"输入源“/body/amount/{key}”必须是整数，单位为分")
    return value


def _check_amount(amount: dict[str, Any]) -> None:
    refuse_unknown(amount, {"total", "currency"}, "amount.")
    if not 1 <= whole_fen(amount, "total") <= MOST_FEN:
        raise bad_parameter("amount.total", "订单总金额不得小于1分，也不得超过上限")
    if amount.get("currency", "CNY") != "CNY":
        raise bad_parameter("amount.currency", "境内商户号仅支持人民币CNY")


def check_notify_url(url: str) -> None:
    """Check that a callback may be sent there.

    Raises:
        Refused: 400, it is no https address, or it carries parameters.
    """
    parts = urlsplit(url)
    # The real platform wants https; a test's backend has no certificate, so loopback may be http.
    is_allowed = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(url))
    if not is_allowed or not parts.hostname:
        raise bad_parameter("notify_url", "notify_url必须是https地址")
    if "?" in url or "#" in url:
        raise bad_parameter("notify_url", "notify_url不能携带参数")


def _expiry(data: dict[str, Any], now: float) -> float:
    text = data.get("time_expire")
    if text is None:
        return now + ORDER_LIFETIME_S
    if not isinstance(text, str) or not _TIME.fullmatch(text):
        raise bad_parameter("time_expire", "time_expire不符合rfc3339格式")
    try:
        instant = datetime.fromisoformat(text).timestamp()
    except ValueError as error:
        raise bad_parameter("time_expire", "time_expire不是一个时间") from error
    if instant < now + SHORTEST_S:
        raise bad_parameter("time_expire", "time_expire距下单时间不得少于1分钟")
    if instant > now + LONGEST_S:
        raise bad_parameter("time_expire", "time_expire距下单时间不得超过90天")
    return instant


def _check_payer(world: World, data: dict[str, Any], appid: str) -> str:
    payer = group_field(data, "payer")
    refuse_unknown(payer, {"openid"}, "payer.")
    openid = payer.get("openid")
    if not isinstance(openid, str) or not openid:
        raise bad_parameter("payer.openid", "输入源“/body/payer/openid”必填")
    if world.person_by_openid(appid, openid) is None:
        raise bad_parameter("payer.openid", "无效的openid，appid和openid不匹配")
    return openid


def _check_h5_scene(data: dict[str, Any]) -> None:
    scene = group_field(data, "scene_info")
    address = scene.get("payer_client_ip")
    if not isinstance(address, str) or not _is_address(address):
        raise bad_parameter("scene_info.payer_client_ip", "用户终端IP必填，支持IPv4和IPv6")
    h5_info = scene.get("h5_info")
    if not isinstance(h5_info, dict):
        raise bad_parameter("scene_info.h5_info", "H5支付必须填写h5_info")
    if h5_info.get("type") not in H5_TYPES:
        raise bad_parameter("scene_info.h5_info.type", "场景类型只能是iOS、Android、Wap")


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def check_order(
    world: World, merchant: Merchant, data: dict[str, Any], trade_type: str
) -> tuple[str, float]:
    """Check the body of an order.

    Returns:
        The payer's openid, empty unless the order is for JSAPI, and the instant the order expires.

    Raises:
        Refused: 400 with the field at fault.
    """
    refuse_unknown(data, _KNOWN | ({"payer"} if trade_type == "JSAPI" else set()))
    if text_field(data, "mchid", 32) != merchant.mchid:
        raise bad_parameter("mchid", "商户号与Authorization中的商户号不一致")
    appid = text_field(data, "appid", 32)
    if appid not in merchant.appids:
        raise Refused(400, "APPID_MCHID_NOT_MATCH", "appid和mch_id不匹配", "appid")
    text_field(data, "description", 127)
    if not _OUT_TRADE_NO.fullmatch(text_field(data, "out_trade_no", 32)):
        raise bad_parameter("out_trade_no", "商户订单号只能是6到32位的数字、大小写字母或_-|*")
    check_notify_url(text_field(data, "notify_url", 255))
    if "attach" in data:
        text_field(data, "attach", 128)
    _check_amount(group_field(data, "amount"))
    if trade_type == "MWEB":
        _check_h5_scene(data)
    openid = _check_payer(world, data, appid) if trade_type == "JSAPI" else ""
    return openid, _expiry(data, world.clock.time())
