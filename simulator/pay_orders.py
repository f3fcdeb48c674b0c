"""WeChat Pay's order endpoints: order, query, close.

Source: https://pay.weixin.qq.com/docs/merchant/products/jsapi-payment/apilist.html
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec

from flask import Blueprint, Response, request

from simulator.calls import this_call
from simulator.clock import beijing
from simulator.credentials import Merchant
from simulator.pay_checks import check_order
from simulator.pay_wire import (
    Refused,
    authenticate,
    bad_parameter,
    error,
    json_answer,
    prepay_number,
)
from simulator.state import Order, Prepay
from simulator.world import World, the_world

P = ParamSpec("P")

PREPAY_LIFETIME_S = 7200
STATE_WORDS = {
    "NOTPAY": "订单未支付",
    "SUCCESS": "支付成功",
    "REFUND": "订单发生过退款",
    "CLOSED": "订单已关闭",
}

bp = Blueprint("pay_orders", __name__, url_prefix="/pay/v3")


def merchant_call(view: Callable[P, Response]) -> Callable[P, Response]:
    """Turn `Refused` into WeChat Pay's error object."""

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> Response:
        try:
            return view(*args, **kwargs)
        except Refused as no:
            return error(no.status, no.code, no.message, no.field)

    return guarded


def transaction(order: Order) -> dict[str, Any]:
    """Return an order in the form of a query's answer, which a callback encloses too."""
    data: dict[str, Any] = {
        "amount": {"currency": order.currency, "total": order.total_fen},
        "appid": order.appid,
        "mchid": order.mchid,
        "out_trade_no": order.out_trade_no,
        "promotion_detail": [],
        "scene_info": {"device_id": ""},
        "trade_state": order.state,
        "trade_state_desc": STATE_WORDS[order.state],
    }
    if not order.is_paid:
        return data
    data["amount"] |= {"payer_currency": order.currency, "payer_total": order.total_fen}
    return data | {
        "attach": order.attach,
        "bank_type": "OTHERS",
        "payer": {"openid": order.openid},
        "success_time": beijing(order.success_at),
        "trade_type": order.trade_type,
        "transaction_id": order.transaction_id,
    }


def _refuse_if_taken(found: Order, asked: dict[str, Any], trade_type: str) -> None:
    if found.is_paid:
        raise Refused(400, "ORDERPAID", "该订单已支付")
    if found.state == "CLOSED":
        raise Refused(400, "ORDER_CLOSED", "该订单已关闭")
    if found.asked != asked or found.trade_type != trade_type:
        raise Refused(403, "OUT_TRADE_NO_USED", "商户订单号重复")


def _place(trade_type: str) -> tuple[World, Order]:
    """Check, then keep the order or find the same one."""
    world, merchant = the_world(), authenticate()
    data = this_call().json()
    if data is None:
        raise Refused(400, "PARAM_ERROR", "请求体不是JSON对象")
    openid, expires_at = check_order(world, merchant, data, trade_type)
    number = data["out_trade_no"]
    with world.lock:
        found = world.state.orders.get(f"{merchant.mchid}:{number}")
        if found is not None:
            _refuse_if_taken(found, data, trade_type)
            return world, found
        order = Order(
            mchid=merchant.mchid,
            appid=data["appid"],
            trade_type=trade_type,
            out_trade_no=number,
            description=data["description"],
            notify_url=data["notify_url"],
            total_fen=data["amount"]["total"],
            currency="CNY",
            openid=openid,
            attach=data.get("attach", ""),
            expires_at=expires_at,
            asked=data,
            made_at=world.clock.time(),
        )
        world.state.orders[f"{merchant.mchid}:{number}"] = order
        world.changed()
        return world, order


@bp.post("/pay/transactions/jsapi")
@merchant_call
def order_jsapi() -> Response:
    """Place an order for a person who pays inside WeChat; each call gives a new prepay_id."""
    world, order = _place("JSAPI")
    return json_answer({"prepay_id": _prepay(world, order, prepay_number(world))})


@bp.post("/pay/transactions/app")
@merchant_call
def order_app() -> Response:
    """Place an order for a person who pays from an app; each call gives a new prepay_id."""
    world, order = _place("APP")
    return json_answer({"prepay_id": _prepay(world, order, prepay_number(world))})


@bp.post("/pay/transactions/h5")
@merchant_call
def order_h5() -> Response:
    """Place an order for a person in a phone's browser; each call gives a new address."""
    # The interface is named h5, but the trade type of its orders is MWEB.
    world, order = _place("MWEB")
    token = _prepay(world, order, world.chance.text(32))
    query = f"prepay_id={prepay_number(world)}&package={world.chance.digits(10)}"
    return json_answer({"h5_url": f"{world.base_url}/pay/h5/{token}?{query}"})


def _prepay(world: World, order: Order, value: str) -> str:
    with world.lock:
        world.state.prepays[value] = Prepay(
            value, order.mchid, order.out_trade_no, world.clock.time(), order.trade_type
        )
        world.changed()
    return value


@bp.post("/pay/transactions/native")
@merchant_call
def order_native() -> Response:
    """Place an order anyone may pay by scanning its code."""
    world, order = _place("NATIVE")
    with world.lock:
        order.code_url = f"weixin://wxpay/bizpayurl?pr={world.chance.text(9)}"
        world.changed()
    return json_answer({"code_url": order.code_url})


def _check_mchid_query(merchant: Merchant) -> None:
    if not request.args.get("mchid"):
        raise bad_parameter("mchid", "输入源“/query/mchid”必填性规则校验失败")
    if request.args["mchid"] != merchant.mchid:
        raise bad_parameter("mchid", "商户号与Authorization中的商户号不一致")


def _own_order(merchant: Merchant, number: str) -> Order:
    order = the_world().state.orders.get(f"{merchant.mchid}:{number}")
    if order is None:
        raise Refused(404, "ORDER_NOT_EXIST", "订单不存在")
    return order


@bp.get("/pay/transactions/out-trade-no/<number>")
@merchant_call
def query_by_number(number: str) -> Response:
    """Describe an order by the merchant's number."""
    merchant = authenticate()
    _check_mchid_query(merchant)
    with the_world().lock:
        return json_answer(transaction(_own_order(merchant, number)))


@bp.get("/pay/transactions/id/<transaction_id>")
@merchant_call
def query_by_transaction(transaction_id: str) -> Response:
    """Describe a paid order by the platform's number."""
    merchant = authenticate()
    _check_mchid_query(merchant)
    world = the_world()
    with world.lock:
        order = world.order_by_transaction(merchant.mchid, transaction_id)
        if order is None:
            raise Refused(404, "ORDER_NOT_EXIST", "订单不存在")
        return json_answer(transaction(order))


@bp.post("/pay/transactions/out-trade-no/<number>/close")
@merchant_call
def close_order(number: str) -> Response:
    """Close an unpaid order for good; the answer is an empty, signed 204."""
    merchant = authenticate()
    data = this_call().json()
    if data is None or set(data) != {"mchid"} or data["mchid"] != merchant.mchid:
        raise bad_parameter("mchid", "请求体必须且只能有本商户的mchid")
    world = the_world()
    with world.lock:
        order = _own_order(merchant, number)
        if order.is_paid:
            raise Refused(400, "ORDERPAID", "该订单已支付，不能关闭")
        if order.state == "CLOSED":
            raise Refused(400, "ORDER_CLOSED", "该订单已关闭")
        order.state = "CLOSED"
        world.changed()
    return Response(status=204, mimetype="application/json")
