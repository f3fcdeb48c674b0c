"""Alipay's cashier: the page a person pays on, and the way back to the merchant."""

import re
from urllib.parse import urlencode

from flask import Blueprint, Response, make_response, render_template, request

from simulator import alipay_trades, alipay_wire
from simulator.alipay_notices import yuan
from simulator.alipay_wire import Refused, now_text, parameters
from simulator.calls import judge
from simulator.control import the_outbox
from simulator.paying import CannotPay
from simulator.state import Trade
from simulator.world import World, the_world

_METHODS = ("alipay.trade.page.pay", "alipay.trade.wap.pay")
_PHONE = re.compile(r"1\d{10}")

bp = Blueprint("alipay_cashier", __name__, url_prefix="/ali/cashier")


def is_asked() -> bool:
    """Tell whether the request is for a page and not for JSON."""
    return parameters().get("method") in _METHODS


def _html(**what: object) -> Response:
    response = make_response(render_template("alipay.html", **what))
    response.headers["Content-Security-Policy"] = "default-src 'self'; img-src 'self' data:"
    return response


def page(world: World, trade: Trade, door: str, problem: str = "") -> Response:
    """Show whom, what and how much, with the button that pays."""
    app = world.credentials.alipay[trade.app_id]
    return _html(
        merchant=app.seller_name,
        subject=trade.subject,
        amount=yuan(trade.total_fen),
        number=trade.out_trade_no,
        action=f"/ali/cashier/{door}/pay",
        problem=problem,
    )


def problem(no: Refused) -> Response:
    """Show a person the error of a page that could not be opened."""
    return _html(error=no.sub_code, about=no.about or "请返回商家重新下单")


def _way_back(world: World, trade: Trade) -> str:
    """Return the merchant's address with the parameters of a paid trade; it proves nothing."""
    app = world.credentials.alipay[trade.app_id]
    data = {
        "charset": "utf-8",
        "out_trade_no": trade.out_trade_no,
        "method": f"{trade.method}.return",
        "total_amount": yuan(trade.total_fen),
        "trade_no": trade.trade_no,
        "auth_app_id": app.app_id,
        "version": "1.0",
        "app_id": app.app_id,
        "seller_id": app.seller_id,
        "timestamp": now_text(world),
        "sign_type": "RSA2",
    }
    data["sign"] = alipay_wire.sign(app, alipay_wire.content(data, "sign_type"))
    mark = "&" if "?" in trade.return_url else "?"
    return f"{trade.return_url}{mark}{urlencode(data)}"


@bp.post("/<door>/pay")
def pay(door: str) -> Response:
    """Pay as the person whose phone number was filled in."""
    world = the_world()
    trade = alipay_trades.by_door(world, door)
    if trade is None:
        return _html(error="TRADE_NOT_EXIST", about="请返回商家重新下单")
    phone = request.form.get("phone", "").strip()
    if phone and not _PHONE.fullmatch(phone):
        return page(world, trade, door, "请填写 11 位手机号")
    try:
        alipay_trades.pay(world, the_outbox(), trade, by=phone or None)
    except CannotPay as cannot:
        judge(f"{cannot.code}: {cannot.message}")
        return page(world, trade, door, cannot.message)
    return _html(
        merchant=world.credentials.alipay[trade.app_id].seller_name,
        amount=yuan(trade.total_fen),
        way_back=_way_back(world, trade) if trade.return_url else "",
        is_paid=True,
    )
