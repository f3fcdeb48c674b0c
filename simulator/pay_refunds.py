"""WeChat Pay's refund endpoints: apply and query.

Source: https://pay.weixin.qq.com/doc/v3/merchant/4012556457
"""

import re
from typing import Any

from flask import Blueprint, Response

from simulator import refunding
from simulator.calls import this_call
from simulator.clock import beijing
from simulator.control import the_outbox
from simulator.credentials import Merchant
from simulator.pay_checks import (
    check_notify_url,
    group_field,
    refuse_unknown,
    text_field,
    whole_fen,
)
from simulator.pay_orders import merchant_call
from simulator.pay_wire import Refused, authenticate, bad_parameter, json_answer
from simulator.state import Order, Refund
from simulator.world import World, the_world

REFUNDABLE_S = 365 * 86_400
PAUSE_S = 60
MOST_REFUNDS = 50

bp = Blueprint("pay_refunds", __name__, url_prefix="/pay/v3/refund/domestic")

_NUMBER = re.compile(r"[0-9A-Za-z_\-|*@]{1,64}")
_KNOWN = {
    "transaction_id",
    "out_trade_no",
    "out_refund_no",
    "reason",
    "notify_url",
    "funds_account",
    "amount",
    "goods_detail",
}


def _against_the_rules(message: str) -> Refused:
    return Refused(400, "INVALID_REQUEST", message)


def view(refund: Refund) -> dict[str, Any]:
    """Return a refund in the form of the answers to apply and query."""
    data: dict[str, Any] = {
        "amount": {
            "currency": "CNY",
            "discount_refund": 0,
            "from": [],
            "payer_refund": refund.refund_fen,
            "payer_total": refund.total_fen,
            "refund": refund.refund_fen,
            "settlement_refund": refund.refund_fen,
            "settlement_total": refund.total_fen,
            "total": refund.total_fen,
        },
        "channel": "ORIGINAL",
        "create_time": beijing(refund.made_at),
        "funds_account": "UNSETTLED",
        "out_refund_no": refund.out_refund_no,
        "out_trade_no": refund.out_trade_no,
        "promotion_detail": [],
        "refund_id": refund.refund_id,
        "status": refund.state,
        "transaction_id": refund.transaction_id,
        "user_received_account": refunding.RECEIVED_BY,
    }
    if refund.state == "SUCCESS":
        data["success_time"] = beijing(refund.settled_at)
    return data


def _check_form(data: dict[str, Any]) -> None:
    refuse_unknown(data, _KNOWN)
    if not _NUMBER.fullmatch(text_field(data, "out_refund_no", 64)):
        raise bad_parameter("out_refund_no", "商户退款单号只能是1到64位的数字、大小写字母或_-|*@")
    if "reason" in data:
        text_field(data, "reason", 80)
    if "notify_url" in data:
        check_notify_url(text_field(data, "notify_url", 256))
    amount = group_field(data, "amount")
    refuse_unknown(amount, {"refund", "total", "currency", "from"}, "amount.")
    for field in ("refund", "total"):
        if whole_fen(amount, field) < 1:
            raise bad_parameter(f"amount.{field}", "金额不得小于1分")
    if amount.get("currency") != "CNY":
        raise bad_parameter("amount.currency", "退款币种必填，目前只支持人民币CNY")


def _order_of(world: World, merchant: Merchant, data: dict[str, Any]) -> Order:
    """Return the paid order meant; the transaction_id counts first when both are there."""
    if "transaction_id" in data:
        found = world.order_by_transaction(merchant.mchid, text_field(data, "transaction_id", 32))
    elif "out_trade_no" in data:
        found = world.state.orders.get(f"{merchant.mchid}:{text_field(data, 'out_trade_no', 32)}")
    else:
        raise bad_parameter("transaction_id", "transaction_id与out_trade_no二选一必填")
    if found is None:
        raise Refused(404, "RESOURCE_NOT_EXISTS", "订单号不存在")
    if data.get("out_trade_no", found.out_trade_no) != found.out_trade_no:
        raise _against_the_rules("transaction_id和out_trade_no不是同一笔订单")
    if not found.is_paid:
        raise _against_the_rules("订单未支付，不能退款")
    return found


def _check_allowed(world: World, order: Order, refund: Refund) -> None:
    """Refuse what the rules of refunds do not allow."""
    if refund.total_fen != order.total_fen:
        raise _against_the_rules("订单金额或退款金额与之前请求不一致，请核实后再试")
    if refund.made_at > order.success_at + REFUNDABLE_S:
        raise _against_the_rules("交易时间超过一年的订单无法提交退款")
    live = refunding.live(world, refund)
    if refund.refund_fen + sum(one.refund_fen for one in live) > order.total_fen:
        raise _against_the_rules("退款金额大于可退金额")
    if len(live) >= MOST_REFUNDS:
        raise _against_the_rules("每个支付订单的部分退款次数不能超过50次")
    if live and refund.made_at - max(one.made_at for one in live) < PAUSE_S:
        raise Refused(429, "FREQUENCY_LIMITED", "同一笔订单多次退款的请求需相隔1分钟")
    if refund.refund_fen > world.state.balances_fen.get(order.mchid, refund.refund_fen):
        raise Refused(403, "NOT_ENOUGH", "基本账户余额不足，请充值后重新发起")


def _new(world: World, merchant: Merchant, order: Order, data: dict[str, Any]) -> Refund:
    return Refund(
        mchid=merchant.mchid,
        out_refund_no=data["out_refund_no"],
        refund_id="503" + world.chance.digits(26),
        out_trade_no=order.out_trade_no,
        transaction_id=order.transaction_id,
        total_fen=data["amount"]["total"],
        refund_fen=data["amount"]["refund"],
        reason=data.get("reason", ""),
        notify_url=data.get("notify_url", ""),
        asked=data,
        made_at=world.clock.time(),
    )


def _accept(world: World, order: Order, refund: Refund) -> None:
    world.state.refunds[refunding.key(refund)] = refund
    order.state = "REFUND"
    if order.mchid in world.state.balances_fen:
        world.state.balances_fen[order.mchid] -= refund.refund_fen
    refunding.plan(world, refund)
    world.changed()


@bp.post("/refunds")
@merchant_call
def apply() -> Response:
    """Accept a refund; the same number with the same parameters is the same refund."""
    world, merchant = the_world(), authenticate()
    data = this_call().json()
    if data is None:
        raise Refused(400, "PARAM_ERROR", "请求体不是JSON对象")
    _check_form(data)
    with world.lock:
        found = world.state.refunds.get(f"{merchant.mchid}:{data['out_refund_no']}")
        if found is not None:
            if found.asked != data:
                raise _against_the_rules("订单金额或退款金额与之前请求不一致，请核实后再试")
            return json_answer(view(found))
        order = _order_of(world, merchant, data)
        refund = _new(world, merchant, order, data)
        _check_allowed(world, order, refund)
        _accept(world, order, refund)
        answer = json_answer(view(refund))
    the_outbox().wake()
    return answer


@bp.get("/refunds/<out_refund_no>")
@merchant_call
def query(out_refund_no: str) -> Response:
    """Describe a refund by the merchant's number, as it stands by the clock."""
    merchant, world = authenticate(), the_world()
    with world.lock:
        refunding.settle_due(world, the_outbox())
        refund = world.state.refunds.get(f"{merchant.mchid}:{out_refund_no}")
        if refund is None:
            raise Refused(404, "RESOURCE_NOT_EXISTS", "退款单不存在")
        return json_answer(view(refund))
