"""The control interface of WeChat Pay: people who pay, orders, and the outbox of callbacks."""

from typing import Any

from flask import Blueprint, Response, jsonify, request

from simulator import craft_pay, deliveries
from simulator.clock import beijing
from simulator.control import WAIT_S, the_outbox
from simulator.control_forms import BadAsk, ask, checked_phone, count
from simulator.outbox import Outbox
from simulator.pay_orders import STATE_WORDS, transaction
from simulator.paying import CALLBACKS, CannotPay, order_of_ticket, pay
from simulator.state import Notice, Order
from simulator.world import World, the_world

bp = Blueprint("control_pay", __name__, url_prefix="/_sim")

_OPTIONS = ("by", "callbacks", "copies", "force", "wait")
# Which states each action takes its notices from when it is not told one.
_WAITING = {
    "run": ("pending",),
    "drop": ("pending", "held"),
    "duplicate": ("pending", "done"),
    "shuffle": ("pending", "held"),
    "hold": ("pending",),
    "release": ("held",),
}
_TICKET = ("appId", "timeStamp", "nonceStr", "package", "signType", "paySign")


def _view(world: World, order: Order) -> dict[str, Any]:
    person = world.person_by_openid(order.appid, order.openid)
    is_expired = order.state == "NOTPAY" and order.expires_at <= world.clock.time()
    return {
        "mchid": order.mchid,
        "appid": order.appid,
        "out_trade_no": order.out_trade_no,
        "trade_type": order.trade_type,
        "description": order.description,
        "attach": order.attach,
        "amount_fen": order.total_fen,
        "trade_state": order.state,
        "trade_state_desc": STATE_WORDS[order.state],
        "is_expired": is_expired,
        "time_expire": beijing(order.expires_at),
        "created_at": beijing(order.made_at),
        "success_time": beijing(order.success_at) if order.is_paid else None,
        "transaction_id": order.transaction_id or None,
        "openid": order.openid,
        "phone": person.phone if person else None,
        "notify_url": order.notify_url,
        "code_url": order.code_url or None,
    }


def _pay(order: Order, data: dict[str, Any]) -> Notice:
    callbacks = data.get("callbacks", "normal")
    if callbacks not in CALLBACKS:
        raise BadAsk("callbacks is normal, hold or lost")
    by = data.get("by")
    outbox = the_outbox()
    notice = pay(
        the_world(),
        outbox,
        order,
        by=None if by is None else checked_phone(by),
        callbacks=callbacks,
        copies=count(data, "copies"),
        force=bool(data.get("force", False)),
    )
    if data.get("wait"):
        outbox.wait_until_idle(WAIT_S)
    return notice


@bp.post("/pay/<out_trade_no>")
def pay_order(out_trade_no: str) -> Response:
    """Pay as if the person confirmed the pay sheet; the callback is queued."""
    world, data = the_world(), ask(*_OPTIONS)
    order = world.order(out_trade_no)
    if order is None:
        raise BadAsk("no such order", 404)
    try:
        notice = _pay(order, data)
    except CannotPay as cannot:
        raise BadAsk(f"{cannot.code}: {cannot.message}", 409) from cannot
    return jsonify({**transaction(order), "notice_id": notice.id})


@bp.post("/pay_ticket")
def pay_ticket() -> Response:
    """Do wx.requestPayment with the ticket the mini-program got, then pay."""
    world, data = the_world(), ask(*_TICKET, *_OPTIONS)
    try:
        order = order_of_ticket(world, data)
        notice = _pay(order, data)
    except CannotPay as cannot:
        failed = jsonify({"errMsg": f"requestPayment:fail {cannot.message}", "code": cannot.code})
        failed.status_code = 400
        return failed
    return jsonify({"errMsg": "requestPayment:ok", **transaction(order), "notice_id": notice.id})


@bp.get("/orders")
def list_orders() -> Response:
    """List the orders, oldest first; `?out_trade_no=` and `?state=` narrow it."""
    world, args = the_world(), request.args
    with world.lock:
        return jsonify(
            [
                _view(world, order)
                for order in world.state.orders.values()
                if args.get("out_trade_no") in (None, order.out_trade_no)
                and args.get("state") in (None, order.state)
            ]
        )


@bp.get("/outbox")
def list_outbox() -> Response:
    """List the callbacks, oldest first, each with a fresh signature to replay it with.

    `?out_trade_no=`, `?out_refund_no=`, `?id=` and `?state=` narrow it, `?last=` keeps so many of
    the newest.
    """
    world, args = the_world(), request.args
    with world.lock:
        chosen = [
            notice
            for notice in world.state.notices.values()
            if args.get("out_trade_no") in (None, notice.out_trade_no)
            and args.get("out_refund_no") in (None, notice.out_refund_no)
            and args.get("id") in (None, notice.id)
            and args.get("state") in (None, notice.state)
        ]
    last = args.get("last", "0")
    if not last.isdigit():
        raise BadAsk("last is a number")
    if int(last):
        chosen = chosen[-int(last) :]
    return jsonify([deliveries.signed_view(world, notice) for notice in chosen])


@bp.post("/outbox/<what>")
def handle_outbox(what: str) -> Response:
    """Run, drop, duplicate, shuffle, hold or release callbacks: one by id, or all that wait."""
    data = ask("id", "times", "out_trade_no")
    if what not in _WAITING:
        raise BadAsk(f"one of {', '.join(_WAITING)}", 404)
    outbox = the_outbox()
    chosen = outbox.chosen(data.get("id"), _WAITING[what])
    if "out_trade_no" in data:
        chosen = [one for one in chosen if one.out_trade_no == data["out_trade_no"]]
    if "id" in data and not chosen:
        raise BadAsk("no such notice", 404)
    _do(outbox, what, chosen, count(data, "times"))
    listed = [{"id": n.id, "state": n.state, "attempts": list(n.attempts)} for n in chosen]
    return jsonify({"count": len(chosen), "notices": listed})


def _do(outbox: Outbox, what: str, chosen: list[Notice], times: int) -> None:
    if what == "run":
        outbox.run(chosen, times)
    elif what == "drop":
        outbox.drop(chosen)
    elif what == "hold":
        outbox.hold(chosen)
    elif what == "release":
        outbox.release(chosen)
        outbox.wait_until_idle(WAIT_S)
    elif what == "shuffle":
        for notice in the_world().chance.shuffled(chosen):
            outbox.run([notice], 1)
    else:
        # Extra copies, all at the same instant, whatever has become of the first.
        for notice in chosen:
            outbox.deliver(notice, copies=times)


@bp.post("/craft/pay_callback")
def craft() -> Response:
    """Make a callback by hand, with the faults asked for; nobody sends it."""
    data = ask("out_trade_no", "overrides", "event_type", "faults", "tenant")
    if data.get("tenant", "main") not in ("main", "foreign"):
        raise BadAsk("tenant is main or foreign")
    try:
        return jsonify(craft_pay.pay_callback(the_world(), data))
    except craft_pay.UnknownFault as unknown:
        raise BadAsk(str(unknown)) from unknown
