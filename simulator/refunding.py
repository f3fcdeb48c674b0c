"""What becomes of a refund: by itself after a while, or as a hand decides."""

from typing import Any

from simulator.clock import beijing
from simulator.outbox import Outbox
from simulator.state import Notice, Refund
from simulator.world import World

ENDS = ("SUCCESS", "ABNORMAL", "CLOSED")
RECEIVED_BY = "支付用户零钱"


def key(refund: Refund) -> str:
    """Return under which key the state keeps a refund."""
    return f"{refund.mchid}:{refund.out_refund_no}"


def live(world: World, refund: Refund) -> list[Refund]:
    """Return the refunds of the same trade that hold its money, oldest first."""
    return [
        one
        for one in world.state.refunds.values()
        if (one.mchid, one.out_trade_no) == (refund.mchid, refund.out_trade_no)
        and one.state != "CLOSED"
    ]


def resource(refund: Refund) -> dict[str, Any]:
    """Return what the callback about a refund encloses.

    Source: https://pay.weixin.qq.com/doc/v3/merchant/4012082053
    """
    data = {
        "mchid": refund.mchid,
        "out_trade_no": refund.out_trade_no,
        "transaction_id": refund.transaction_id,
        "out_refund_no": refund.out_refund_no,
        "refund_id": refund.refund_id,
        "refund_status": refund.state,
        "success_time": beijing(refund.settled_at),
        "user_received_account": RECEIVED_BY,
        "amount": {
            "total": refund.total_fen,
            "refund": refund.refund_fen,
            "payer_total": refund.total_fen,
            "payer_refund": refund.refund_fen,
        },
    }
    if refund.state != "SUCCESS":
        del data["success_time"]
    return data


def _give_back(world: World, refund: Refund) -> None:
    """Undo a refund's hold on the merchant's balance and on the trade's state."""
    if refund.mchid in world.state.balances_fen:
        world.state.balances_fen[refund.mchid] += refund.refund_fen
    if not live(world, refund):
        world.state.orders[f"{refund.mchid}:{refund.out_trade_no}"].state = "SUCCESS"


def settle(
    world: World, outbox: Outbox, refund: Refund, end: str, *, notice_state: str = "pending"
) -> Notice:
    """Bring a refund to its end and queue the callback, to its own address or the payment's."""
    with world.lock:
        refund.state = end
        refund.settled_at = world.clock.time()
        world.state.refunds_due.pop(key(refund), None)
        if end == "CLOSED":
            _give_back(world, refund)
        world.changed()
        order = world.state.orders[f"{refund.mchid}:{refund.out_trade_no}"]
        return outbox.put(
            world.credentials.merchants[refund.mchid],
            resource(refund),
            out_trade_no=refund.out_trade_no,
            out_refund_no=refund.out_refund_no,
            url=refund.notify_url or order.notify_url,
            state=notice_state,
            copies=1,
            kind=f"REFUND.{end}",
        )


def plan(world: World, refund: Refund) -> None:
    """Let a new refund succeed by itself after the delay, unless refunds are decided by hand."""
    mode = world.state.refund_mode
    if mode["mode"] == "auto":
        world.state.refunds_due[key(refund)] = refund.made_at + mode["delay_s"]


def settle_due(world: World, outbox: Outbox) -> float | None:
    """Let succeed what is due, and return when the next one will be; None for none."""
    with world.lock:
        now = world.clock.time()
        for name, due in list(world.state.refunds_due.items()):
            if due <= now:
                settle(world, outbox, world.state.refunds[name], "SUCCESS")
        return min(world.state.refunds_due.values(), default=None)
