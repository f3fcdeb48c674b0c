"""A person at the WeChat Pay sheet: what may be paid, by whom, and what follows."""

from typing import Any

from simulator import crypto
from simulator.outbox import Outbox
from simulator.pay_orders import PREPAY_LIFETIME_S, transaction
from simulator.pay_wire import transaction_number
from simulator.state import Notice, Order
from simulator.world import World

CALLBACKS = {"normal": "pending", "hold": "held", "lost": "lost"}


class CannotPay(Exception):
    """The sheet shows an error instead of taking the money."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message


def _check_payable(world: World, order: Order, *, force: bool) -> None:
    if order.is_paid:
        raise CannotPay("ORDERPAID", "该订单已支付")
    # Forced: the person confirmed at the very moment the merchant closed the order.
    if order.state == "CLOSED" and not force:
        raise CannotPay("ORDER_CLOSED", "该订单已关闭")
    if order.expires_at <= world.clock.time() and not force:
        raise CannotPay("ORDER_EXPIRED", "该订单已过期")


def _payer_openid(world: World, order: Order, by: str | None) -> str:
    if by is None:
        return order.openid or world.identity(order.appid, "a passer-by with a camera")
    openid = world.person(by).openids[order.appid]
    if order.openid and openid != order.openid:
        raise CannotPay("NOT_THE_PAYER", "只能由下单的微信用户支付")
    return openid


def pay(
    world: World,
    outbox: Outbox,
    order: Order,
    *,
    by: str | None = None,
    callbacks: str = "normal",
    copies: int = 1,
    force: bool = False,
) -> Notice:
    """Take the money and queue the callback.

    Raises:
        CannotPay: the order is paid, closed or expired, or it is another person's.
    """
    if callbacks not in CALLBACKS:
        raise CannotPay("BAD_OPTION", "callbacks is normal, hold or lost")
    with world.lock:
        _check_payable(world, order, force=force)
        order.openid = _payer_openid(world, order, by)
        order.state = "SUCCESS"
        order.transaction_id = transaction_number(world)
        order.success_at = world.clock.time()
        if order.mchid in world.state.balances_fen:
            world.state.balances_fen[order.mchid] += order.total_fen
        world.changed()
        paid = transaction(order)
    return outbox.put(
        world.credentials.merchants[order.mchid],
        paid,
        out_trade_no=order.out_trade_no,
        url=order.notify_url,
        state=CALLBACKS[callbacks],
        copies=copies,
    )


def _text(ticket: dict[str, Any], key: str) -> str:
    value = ticket.get(key)
    if not isinstance(value, str) or not value:
        raise CannotPay("BAD_TICKET", f"parameter {key} should be String")
    return value


def order_of_ticket(world: World, ticket: dict[str, Any]) -> Order:
    """Check the ticket handed to wx.requestPayment and return the order it is for.

    Raises:
        CannotPay: a field is no text, the prepay_id is unknown or two hours old, the appid is
            another one, or paySign is not the merchant's.
    """
    package = _text(ticket, "package")
    if _text(ticket, "signType") != "RSA":
        raise CannotPay("BAD_TICKET", "signType must be RSA")
    prepay = world.state.prepays.get(package.removeprefix("prepay_id="))
    is_known = prepay is not None and prepay.trade_type == "JSAPI"
    if prepay is None or not is_known or not package.startswith("prepay_id="):
        raise CannotPay("BAD_TICKET", "prepay_id无效")
    if world.clock.time() - prepay.made_at > PREPAY_LIFETIME_S:
        raise CannotPay("PREPAY_EXPIRED", "prepay_id已过期")
    order = world.state.orders[f"{prepay.mchid}:{prepay.out_trade_no}"]
    if _text(ticket, "appId") != order.appid:
        raise CannotPay("BAD_TICKET", "下单appid与支付appid不一致")
    message = crypto.lines(
        order.appid, _text(ticket, "timeStamp"), _text(ticket, "nonceStr"), package
    )
    merchant = world.credentials.merchants[order.mchid]
    if not crypto.is_rsa_signature(merchant.key.public_key(), message, _text(ticket, "paySign")):
        raise CannotPay("BAD_TICKET", "支付验证签名失败")
    return order
