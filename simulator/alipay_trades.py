"""Alipay's trades: how one comes to be, is paid, closed, paid back and finished.

A trade exists only once a buyer has opened its QR code or cashier page; before that, query and
close know nothing of it although it can still be paid. States: WAIT_BUYER_PAY, TRADE_SUCCESS,
TRADE_FINISHED (not refundable), TRADE_CLOSED (timeout, close or full refund).

Source: platforms.md 4.7
"""

from typing import Any

from simulator import alipay_notices
from simulator.alipay_checks import Offer
from simulator.alipay_notices import refunded_fen
from simulator.alipay_wire import Asked, Refused
from simulator.clock import beijing_day
from simulator.outbox import Outbox
from simulator.paying import CannotPay
from simulator.state import Notice, Trade
from simulator.world import World

SOMEBODY = "13800000000"
REFUND_PAUSE_S = 3
PAID = ("TRADE_SUCCESS", "TRADE_FINISHED")


def _settle(world: World, trade: Trade) -> Trade:
    """Close a trade nobody paid in time."""
    if trade.status == "WAIT_BUYER_PAY" and trade.payable_until <= world.clock.time():
        trade.status, trade.closed_at = "TRADE_CLOSED", trade.payable_until
        world.changed()
    return trade


def find(world: World, app_id: str, number: str = "", trade_no: str = "") -> Trade | None:
    """Return a trade or offer by the merchant's number, or by the platform's."""
    trades = world.state.trades
    if trade_no:
        found = next(
            (t for t in trades.values() if (t.app_id, t.trade_no) == (app_id, trade_no)), None
        )
        # Both given: they have to belong together.
        if found is not None and number and found.out_trade_no != number:
            return None
    else:
        found = trades.get(f"{app_id}:{number}")
    return _settle(world, found) if found is not None else None


def find_any(world: World, number: str) -> Trade | None:
    """Return a trade or offer by its number, our app's first."""
    found = (find(world, app_id, number) for app_id in world.credentials.alipay)
    return next((trade for trade in found if trade is not None), None)


def by_door(world: World, door: str) -> Trade | None:
    """Return the trade or offer behind a QR code or a cashier page."""
    found = next((t for t in world.state.trades.values() if door in t.doors), None)
    return _settle(world, found) if found is not None else None


def all_trades(world: World) -> list[Trade]:
    """Return all trades and offers, oldest first."""
    return [_settle(world, trade) for trade in world.state.trades.values()]


def existing(world: World, asked: Asked) -> Trade:
    """Return the trade a request is about, by trade_no or out_trade_no.

    Raises:
        Refused: ACQ.INVALID_PARAMETER without a number, ACQ.TRADE_NOT_EXIST without a trade.
    """
    number, trade_no = (str(asked.biz.get(key) or "") for key in ("out_trade_no", "trade_no"))
    if not number and not trade_no:
        raise Refused("ACQ.INVALID_PARAMETER", "out_trade_no和trade_no不能同时为空")
    trade = find(world, asked.app.app_id, number, trade_no)
    if trade is None or not trade.status:
        raise Refused("ACQ.TRADE_NOT_EXIST", **({"out_trade_no": number} if number else {}))
    return trade


def offer(world: World, asked: Asked, offered: Offer, door: str) -> Trade:
    """Keep an offer behind a door; call it with the lock held.

    The same number may be offered again while it is not paid, with the same amount and subject.

    Raises:
        Refused: ACQ.TRADE_HAS_SUCCESS, ACQ.TRADE_HAS_CLOSE or ACQ.CONTEXT_INCONSISTENT.
    """
    trade = find(world, asked.app.app_id, offered.out_trade_no)
    if trade is None:
        trade = Trade(
            app_id=asked.app.app_id,
            method=asked.method,
            made_at=world.clock.time(),
            notify_url=asked.params.get("notify_url", ""),
            return_url=asked.params.get("return_url", ""),
            **vars(offered),
        )
        world.state.trades[f"{trade.app_id}:{trade.out_trade_no}"] = trade
    elif trade.status in PAID:
        raise Refused("ACQ.TRADE_HAS_SUCCESS")
    elif trade.status == "TRADE_CLOSED":
        raise Refused("ACQ.TRADE_HAS_CLOSE")
    elif (trade.total_fen, trade.subject) != (offered.total_fen, offered.subject):
        raise Refused("ACQ.CONTEXT_INCONSISTENT")
    elif not trade.status:
        trade.payable_until = offered.payable_until
    trade.doors.append(door)
    world.changed()
    return trade


def scan(world: World, trade: Trade, by: str | None = None, *, force: bool = False) -> Trade:
    """Have a buyer open the trade, which thereby exists; call it with the lock held.

    Raises:
        CannotPay: it is paid or closed, its code has expired, or another buyer has opened it.
    """
    now = world.clock.time()
    if trade.status in PAID:
        raise CannotPay("ACQ.TRADE_HAS_SUCCESS", "该订单已支付")
    # Forced: the buyer confirmed at the very moment the merchant closed the trade.
    if trade.status == "TRADE_CLOSED" and not (force and not trade.paid_at):
        raise CannotPay("ACQ.TRADE_HAS_CLOSE", "交易已经关闭")
    if trade.payable_until <= now and not force:
        raise CannotPay("ACQ.TRADE_HAS_CLOSE", "订单已过期，请重新下单")
    if trade.buyer and by and trade.buyer != by:
        raise CannotPay("ACQ.TRADE_BUYER_NOT_MATCH", "交易买家不匹配")
    trade.buyer = trade.buyer or by or SOMEBODY
    if not trade.status:
        trade.trade_no = beijing_day(now) + "2200" + world.chance.digits(16)
        trade.status, trade.created_at = "WAIT_BUYER_PAY", now
    world.changed()
    return trade


def announce(
    world: World,
    outbox: Outbox,
    trade: Trade,
    *,
    state: str | None = None,
    copies: int = 1,
    refund: dict[str, Any] | None = None,
) -> Notice | None:
    """Queue a notice of the trade as it is; none without a notify_url."""
    if not trade.notify_url:
        return None
    notice = alipay_notices.make(
        world,
        world.credentials.alipay[trade.app_id],
        trade,
        state=state or world.state.alipay_notices,
        copies=copies,
        refund=refund,
    )
    outbox.add(notice)
    return notice


def pay(
    world: World,
    outbox: Outbox,
    trade: Trade,
    *,
    by: str | None = None,
    state: str | None = None,
    copies: int = 1,
    force: bool = False,
) -> Notice | None:
    """Take the money and queue the notice, in that outbox state.

    Raises:
        CannotPay: it is paid or closed, its code has expired, or another buyer has opened it.
    """
    with world.lock:
        scan(world, trade, by, force=force)
        trade.status, trade.paid_at, trade.closed_at = "TRADE_SUCCESS", world.clock.time(), 0.0
        world.changed()
        return announce(world, outbox, trade, state=state, copies=copies)


def close(world: World, outbox: Outbox, trade: Trade) -> None:
    """Close an unpaid trade.

    Raises:
        Refused: ACQ.TRADE_STATUS_ERROR, it is paid or closed.
    """
    with world.lock:
        if trade.status != "WAIT_BUYER_PAY":
            raise Refused("ACQ.TRADE_STATUS_ERROR")
        trade.status, trade.closed_at = "TRADE_CLOSED", world.clock.time()
        world.changed()
        announce(world, outbox, trade)


def finish(world: World, outbox: Outbox, trade: Trade) -> Notice | None:
    """End the time in which the trade may be paid back.

    Raises:
        Refused: ACQ.TRADE_STATUS_ERROR, it is not paid.
    """
    with world.lock:
        if trade.status != "TRADE_SUCCESS":
            raise Refused("ACQ.TRADE_STATUS_ERROR")
        trade.status = "TRADE_FINISHED"
        world.changed()
        return announce(world, outbox, trade)


def _check_refund(world: World, trade: Trade, amount_fen: int, *, is_named: bool) -> None:
    if trade.status == "TRADE_FINISHED":
        raise Refused("ACQ.TRADE_HAS_FINISHED")
    if trade.status != "TRADE_SUCCESS":
        raise Refused("ACQ.TRADE_STATUS_ERROR")
    if not is_named and amount_fen != trade.total_fen:
        raise Refused("ACQ.REFUND_AMT_NOT_EQUAL_TOTAL")
    if refunded_fen(trade) + amount_fen > trade.total_fen:
        raise Refused("ACQ.REASON_TRADE_REFUND_FEE_ERR")
    if trade.refunds and world.clock.time() - trade.refunds[-1]["at"] < REFUND_PAUSE_S:
        raise Refused("ACQ.SYSTEM_ERROR", "同一笔交易的退款至少间隔3秒")


def refund(
    world: World, outbox: Outbox, trade: Trade, amount_fen: int, request_no: str, reason: str
) -> tuple[dict[str, Any], bool]:
    """Pay a trade back, in part or whole; without a request number only the whole.

    The same request number with the same amount changes nothing.

    Returns:
        The refund, and whether money moved now.

    Raises:
        Refused: the state, the amount, the pause or a request number used for another amount.
    """
    with world.lock:
        # Without a request number the platform takes the merchant's order number for one.
        name = request_no or trade.out_trade_no
        found = next((one for one in trade.refunds if one["out_request_no"] == name), None)
        if found is not None:
            if found["amount_fen"] != amount_fen:
                raise Refused("ACQ.DISCORDANT_REPEAT_REQUEST")
            return found, False
        _check_refund(world, trade, amount_fen, is_named=bool(request_no))
        now = world.clock.time()
        made = {"out_request_no": name, "amount_fen": amount_fen, "reason": reason, "at": now}
        trade.refunds.append(made)
        if refunded_fen(trade) == trade.total_fen:
            trade.status, trade.closed_at = "TRADE_CLOSED", now
        world.changed()
        announce(world, outbox, trade, refund=made)
        return made, True
