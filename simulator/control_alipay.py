"""The control interface of Alipay: buyers who scan and pay, trades, and notices made by hand."""

from typing import Any

from flask import Blueprint, Response, jsonify, request

from simulator import alipay_trades, craft_alipay
from simulator.alipay_notices import refunded_fen
from simulator.alipay_wire import Refused
from simulator.clock import beijing
from simulator.control import WAIT_S, the_outbox
from simulator.control_forms import BadAsk, ask, checked_phone, count
from simulator.paying import CALLBACKS, CannotPay
from simulator.state import Notice, Trade
from simulator.world import World, the_world

bp = Blueprint("control_alipay", __name__, url_prefix="/_sim")


def _at(instant: float) -> str | None:
    return beijing(instant) if instant else None


def _view(world: World, trade: Trade) -> dict[str, Any]:
    is_over = trade.status not in ("", "WAIT_BUYER_PAY")
    return {
        "app_id": trade.app_id,
        "out_trade_no": trade.out_trade_no,
        "trade_no": trade.trade_no or None,
        "trade_status": trade.status or None,
        "is_payable": not is_over and trade.payable_until > world.clock.time(),
        "method": trade.method,
        "subject": trade.subject,
        "amount_fen": trade.total_fen,
        "refunded_fen": refunded_fen(trade),
        "refunds": [{**one, "at": beijing(one["at"])} for one in trade.refunds],
        "phone": trade.buyer or None,
        "made_at": beijing(trade.made_at),
        "payable_until": beijing(trade.payable_until),
        "paid_at": _at(trade.paid_at),
        "closed_at": _at(trade.closed_at),
        "notify_url": trade.notify_url or None,
        "qr_code": next((one for one in trade.doors[::-1] if "://" in one), None),
    }


def _state(data: dict[str, Any]) -> str | None:
    """Return the outbox state the notices are to begin in; None leaves it to the setting."""
    if "callbacks" not in data:
        return None
    if data["callbacks"] not in CALLBACKS:
        raise BadAsk("callbacks is normal, hold or lost")
    return CALLBACKS[data["callbacks"]]


def _by(data: dict[str, Any]) -> str | None:
    return None if data.get("by") is None else checked_phone(data["by"])


def _named(number: str) -> Trade:
    trade = alipay_trades.find_any(the_world(), number)
    if trade is None:
        raise BadAsk("no such trade", 404)
    return trade


def _shown(trade: Trade, notice: Notice | None = None, *, wait: bool = False) -> Response:
    if wait:
        the_outbox().wait_until_idle(WAIT_S)
    notice_id = notice.id if notice is not None else None
    return jsonify({**_view(the_world(), trade), "notice_id": notice_id})


def _refused(cannot: CannotPay) -> BadAsk:
    return BadAsk(f"{cannot.code}: {cannot.message}", 409)


@bp.get("/alipay/trades")
def list_trades() -> Response:
    """List trades and what may become one, oldest first; `?out_trade_no=`, `?status=` narrow it.

    `trade_status` is null as long as nobody has opened the code or the page.
    """
    world, args = the_world(), request.args
    with world.lock:
        return jsonify(
            [
                _view(world, trade)
                for trade in alipay_trades.all_trades(world)
                if args.get("out_trade_no") in (None, trade.out_trade_no)
                and args.get("status") in (None, trade.status)
            ]
        )


@bp.post("/alipay/scan")
def scan() -> Response:
    """Have a buyer scan a code, or open a trade by its number; it exists from then on."""
    world, data = the_world(), ask("qr_code", "out_trade_no", "by")
    with world.lock:
        if "qr_code" in data:
            trade = alipay_trades.by_door(world, str(data["qr_code"]))
            if trade is None:
                raise BadAsk("no such code", 404)
        else:
            trade = _named(str(data.get("out_trade_no")))
        try:
            alipay_trades.scan(world, trade, _by(data))
        except CannotPay as cannot:
            raise _refused(cannot) from cannot
    return _shown(trade)


@bp.post("/alipay/pay/<out_trade_no>")
def pay(out_trade_no: str) -> Response:
    """Pay as if a buyer confirmed at the cashier; the notice is queued."""
    data = ask("by", "callbacks", "copies", "force", "wait")
    trade = _named(out_trade_no)
    try:
        notice = alipay_trades.pay(
            the_world(),
            the_outbox(),
            trade,
            by=_by(data),
            state=_state(data),
            copies=count(data, "copies"),
            force=bool(data.get("force", False)),
        )
    except CannotPay as cannot:
        raise _refused(cannot) from cannot
    return _shown(trade, notice, wait=bool(data.get("wait")))


@bp.post("/alipay/finish/<out_trade_no>")
def finish(out_trade_no: str) -> Response:
    """End the time in which a paid trade may be paid back; a notice says so."""
    data, trade = ask("wait"), _named(out_trade_no)
    try:
        notice = alipay_trades.finish(the_world(), the_outbox(), trade)
    except Refused as no:
        raise BadAsk(no.sub_code, 409) from no
    return _shown(trade, notice, wait=bool(data.get("wait")))


@bp.post("/alipay/callbacks")
def set_callbacks() -> Response:
    """Say how notices nobody gives an option for begin: of refunds, closes and the cashier."""
    world, data = the_world(), ask("callbacks")
    with world.lock:
        world.state.alipay_notices = _state(data) or "pending"
        world.changed()
    return jsonify({"state": world.state.alipay_notices})


@bp.post("/craft/alipay_notice")
def craft() -> Response:
    """Make a notice by hand, with the faults asked for; nobody sends it."""
    data = ask("out_trade_no", "overrides", "faults", "tenant", "refund")
    if data.get("tenant", "main") not in ("main", "foreign"):
        raise BadAsk("tenant is main or foreign")
    try:
        return jsonify(craft_alipay.notice(the_world(), data))
    except craft_alipay.UnknownFault as unknown:
        raise BadAsk(str(unknown)) from unknown
