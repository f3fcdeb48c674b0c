"""The control interface of refunds: what becomes of them, and the merchant's balance."""

from flask import Blueprint, Response, jsonify, request

from simulator import craft_pay, pay_refunds, refunding
from simulator.control import the_outbox
from simulator.control_forms import BadAsk, ask, merchant_of, number
from simulator.paying import CALLBACKS
from simulator.state import Refund
from simulator.world import World, the_world

bp = Blueprint("control_refunds", __name__, url_prefix="/_sim")


def _refund(world: World, out_refund_no: str) -> Refund:
    for mchid in world.credentials.merchants:
        found = world.state.refunds.get(f"{mchid}:{out_refund_no}")
        if found is not None:
            return found
    raise BadAsk("no such refund", 404)


@bp.get("/refunds")
def list_refunds() -> Response:
    """List the refunds, oldest first; `?out_trade_no=`, `?out_refund_no=`, `?state=` narrow it."""
    world, args = the_world(), request.args
    with world.lock:
        return jsonify(
            [
                {
                    **pay_refunds.view(one),
                    "mchid": one.mchid,
                    "reason": one.reason,
                    "notify_url": one.notify_url or None,
                    "amount_fen": one.refund_fen,
                    "state": one.state,
                }
                for one in world.state.refunds.values()
                if args.get("out_trade_no") in (None, one.out_trade_no)
                and args.get("out_refund_no") in (None, one.out_refund_no)
                and args.get("state") in (None, one.state)
            ]
        )


@bp.post("/refund/<out_refund_no>")
def decide(out_refund_no: str) -> Response:
    """Bring a refund under way to its end: SUCCESS, ABNORMAL or CLOSED."""
    world, data = the_world(), ask("state", "callbacks")
    if data.get("state") not in refunding.ENDS:
        raise BadAsk(f"state is one of {', '.join(refunding.ENDS)}")
    callbacks = data.get("callbacks", "normal")
    if callbacks not in CALLBACKS:
        raise BadAsk("callbacks is normal, hold or lost")
    with world.lock:
        refund = _refund(world, out_refund_no)
        if not _may_become(refund.state, data["state"]):
            raise BadAsk(f"the refund is {refund.state} already", 409)
        notice = refunding.settle(
            world, the_outbox(), refund, data["state"], notice_state=CALLBACKS[callbacks]
        )
        return jsonify({**pay_refunds.view(refund), "notice_id": notice.id})


def _may_become(state: str, end: str) -> bool:
    # An abnormal one waits for the merchant to have the money sent elsewhere.
    return state == "PROCESSING" or (state == "ABNORMAL" and end != "ABNORMAL")


@bp.get("/refund_mode")
def show_mode() -> Response:
    """Tell whether refunds succeed by themselves, and after how long."""
    return jsonify(the_world().state.refund_mode)


@bp.post("/refund_mode")
def set_mode() -> Response:
    """Let refunds from now on succeed by themselves after a delay, or wait for a hand."""
    world, data = the_world(), ask("mode", "delay_s")
    if data.get("mode", "auto") not in ("auto", "manual"):
        raise BadAsk("mode is auto or manual")
    delay_s = number(data, "delay_s") if "delay_s" in data else 1.0
    if delay_s < 0:
        raise BadAsk("delay_s is not negative")
    with world.lock:
        world.state.refund_mode = {"mode": data.get("mode", "auto"), "delay_s": delay_s}
        world.changed()
    return jsonify(world.state.refund_mode)


@bp.post("/balance")
def set_balance() -> Response:
    """Set what a merchant's account holds; `fen` null means more than anyone refunds."""
    world, data = the_world(), ask("fen", "tenant")
    mchid = merchant_of(world, data).mchid
    if "fen" not in data:
        raise BadAsk("fen is a whole number or null")
    fen = data["fen"]
    if fen is not None and (isinstance(fen, bool) or not isinstance(fen, int) or fen < 0):
        raise BadAsk("fen is a whole number or null")
    with world.lock:
        if fen is None:
            world.state.balances_fen.pop(mchid, None)
        else:
            world.state.balances_fen[mchid] = fen
        world.changed()
    return jsonify({"mchid": mchid, "fen": fen})


@bp.get("/balance")
def show_balance() -> Response:
    """Show what the merchants' accounts hold; one that is not there has no limit."""
    return jsonify(the_world().state.balances_fen)


@bp.post("/craft/refund_callback")
def craft() -> Response:
    """Make a refund callback by hand, with the faults asked for; nobody sends it."""
    world = the_world()
    data = ask("out_trade_no", "out_refund_no", "overrides", "event_type", "faults", "tenant")
    merchant_of(world, data)
    try:
        return jsonify(craft_pay.refund_callback(world, data))
    except craft_pay.UnknownFault as unknown:
        raise BadAsk(str(unknown)) from unknown
