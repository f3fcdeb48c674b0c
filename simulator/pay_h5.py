"""The page behind an h5_url: what a phone's browser shows before it hands over to WeChat.

Source: https://pay.weixin.qq.com/docs/merchant/products/h5-payment/apilist.html
"""

from urllib.parse import urlsplit

from flask import Blueprint, Response, make_response, redirect, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from simulator.calls import judge
from simulator.control import the_outbox
from simulator.paying import CannotPay, pay
from simulator.state import Order
from simulator.world import World, the_world

URL_LIFETIME_S = 300

bp = Blueprint("pay_h5", __name__, url_prefix="/pay/h5")


def _page(order: Order | None, *, note: str = "", status: int = 200) -> Response:
    response = make_response(render_template("pay_h5.html", order=order, note=note), status)
    response.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'"
    return response


def _order(world: World, token: str) -> Order:
    """Return the order of an address.

    Raises:
        CannotPay: the address is none of ours, or older than five minutes.
    """
    prepay = world.state.prepays.get(token)
    if prepay is None or prepay.trade_type != "MWEB":
        raise CannotPay("BAD_URL", "支付链接无效")
    if world.clock.time() - prepay.made_at > URL_LIFETIME_S:
        raise CannotPay("URL_EXPIRED", "支付链接已过期，请回到商户页面重新发起支付")
    return world.state.orders[f"{prepay.mchid}:{prepay.out_trade_no}"]


def _way_back() -> str | None:
    """Return where the merchant wants the person back, when that is a web address."""
    url = request.args.get("redirect_url", "")
    parts = urlsplit(url)
    return url if parts.scheme in ("http", "https") and parts.hostname else None


@bp.get("/<token>")
def show(token: str) -> Response:
    """Show what is to be paid, with a button."""
    try:
        order = _order(the_world(), token)
    except CannotPay as cannot:
        return _refused(cannot)
    if order.is_paid:
        return _page(order, note="该订单已支付")
    return _page(order)


@bp.post("/<token>")
def confirm(token: str) -> BaseResponse:
    """Pay, then go back to the merchant's page if it named one."""
    world = the_world()
    try:
        order = _order(world, token)
        pay(world, the_outbox(), order)
    except CannotPay as cannot:
        return _refused(cannot)
    back = _way_back()
    return redirect(back, 303) if back else _page(order, note="支付成功")


def _refused(cannot: CannotPay) -> Response:
    judge(f"{cannot.code}: {cannot.message}")
    return _page(None, note=cannot.message, status=400)
