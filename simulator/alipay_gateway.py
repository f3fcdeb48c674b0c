"""Alipay's one gateway: every method comes in here, signed, and goes out signed.

Source: https://opendocs.alipay.com/open/028woa (query), /open/028wob (close), /open/028woc
(cancel), /open/028wod (refund), /open/028woe (refund query); platforms.md 3, 4.7, 7.4.
"""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response

from simulator import alipay_bills, alipay_cashier, alipay_trades
from simulator.alipay_checks import bad, check_offer, fen, strange, text
from simulator.alipay_notices import buyer_id, masked, refunded_fen, yuan
from simulator.alipay_wire import Asked, Refused, answer, authenticate, instant_text, refusal
from simulator.control import the_outbox
from simulator.state import Trade
from simulator.world import World, the_world

QR_BASE = "https://qr.alipay.com/"

_NUMBERS = {"out_trade_no", "trade_no"}

bp = Blueprint("alipay_gateway", __name__, url_prefix="/ali")


@bp.route("/gateway.do", methods=["GET", "POST"])
def gateway() -> Response:
    """Serve one method; an error of a page is shown to the person, all others are JSON."""
    try:
        asked = authenticate()
        return _SERVICES[asked.method](the_world(), asked)
    except Refused as no:
        response = refusal(no)
        return alipay_cashier.problem(no) if alipay_cashier.is_asked() else response


def _page(world: World, asked: Asked) -> Response:
    offered = check_offer(asked, world.clock.time())
    with world.lock:
        door = world.chance.text(32)
        trade = alipay_trades.offer(world, asked, offered, door)
    return alipay_cashier.page(world, trade, door)


def _precreate(world: World, asked: Asked) -> Response:
    offered = check_offer(asked, world.clock.time())
    with world.lock:
        code = f"{QR_BASE}bax0{world.chance.text(16)}"
        trade = alipay_trades.offer(world, asked, offered, code)
    return answer(asked, {"out_trade_no": trade.out_trade_no, "qr_code": code})


def _existing(world: World, asked: Asked, *more: str) -> Trade:
    strange(asked.biz, _NUMBERS | set(more))
    return alipay_trades.existing(world, asked)


def _buyer(world: World, trade: Trade) -> dict[str, Any]:
    return {
        "buyer_logon_id": masked(trade.buyer),
        "buyer_user_id": buyer_id(world, trade.buyer),
    }


def _names(trade: Trade) -> dict[str, str]:
    return {"trade_no": trade.trade_no, "out_trade_no": trade.out_trade_no}


def _query(world: World, asked: Asked) -> Response:
    with world.lock:
        trade = _existing(world, asked, "query_options", "org_pid")
        is_paid = bool(trade.paid_at)
        paid = yuan(trade.total_fen) if is_paid else "0.00"
        data: dict[str, Any] = {
            **_names(trade),
            **_buyer(world, trade),
            "trade_status": trade.status,
            "total_amount": yuan(trade.total_fen),
            "receipt_amount": paid,
            "buyer_pay_amount": paid,
            "invoice_amount": paid,
            "point_amount": "0.00",
        }
        if is_paid:
            data["send_pay_date"] = instant_text(trade.paid_at)
            data["fund_bill_list"] = [{"amount": paid, "fund_channel": "ALIPAYACCOUNT"}]
    return answer(asked, data)


def _close(world: World, asked: Asked) -> Response:
    with world.lock:
        trade = _existing(world, asked, "operator_id")
        alipay_trades.close(world, the_outbox(), trade)
    return answer(asked, _names(trade))


def _cancel(world: World, asked: Asked) -> Response:
    """Close an unpaid trade or pay a paid one back.

    For a code nobody has scanned there is nothing to cancel: the answer is a success without
    an action, and the code stays payable.
    """
    strange(asked.biz, {*_NUMBERS, "operator_id"})
    try:
        with world.lock:
            trade = alipay_trades.existing(world, asked)
            action = _undo(world, trade)
    except Refused as no:
        if no.sub_code != "ACQ.TRADE_NOT_EXIST":
            raise
        return answer(asked, {**no.fields, "retry_flag": "N"})
    return answer(asked, {**_names(trade), "retry_flag": "N", "action": action})


def _undo(world: World, trade: Trade) -> str:
    if trade.status == "WAIT_BUYER_PAY":
        alipay_trades.close(world, the_outbox(), trade)
    elif trade.status != "TRADE_CLOSED":
        rest = trade.total_fen - refunded_fen(trade)
        name = "" if rest == trade.total_fen else f"{trade.out_trade_no}_cancel"
        alipay_trades.refund(world, the_outbox(), trade, rest, name, "撤销")
    return "refund" if trade.refunds else "close"


_REFUND_EXTRAS = (
    "refund_amount",
    "refund_reason",
    "out_request_no",
    "refund_currency",
    "operator_id",
    "store_id",
    "terminal_id",
    "query_options",
    "refund_goods_detail",
)


def _refund(world: World, asked: Asked) -> Response:
    none = {"refund_fee": "0.00", "send_back_fee": "0.00"}
    try:
        with world.lock:
            trade = _existing(world, asked, *_REFUND_EXTRAS)
            request_no = text(asked.biz, "out_request_no", 64, needed=False)
            reason = text(asked.biz, "refund_reason", 256, needed=False)
            amount_fen = fen(asked.biz, "refund_amount")
            made, is_new = alipay_trades.refund(
                world, the_outbox(), trade, amount_fen, request_no, reason
            )
            data = {
                **_names(trade),
                **_buyer(world, trade),
                "fund_change": "Y" if is_new else "N",
                # All that has been paid back so far; send_back_fee is this refund alone.
                "refund_fee": yuan(refunded_fen(trade)),
                "send_back_fee": yuan(made["amount_fen"] if is_new else 0),
                "gmt_refund_pay": instant_text(made["at"]),
            }
    except Refused as no:
        raise Refused(no.sub_code, no.about, **no.fields, **none) from no
    return answer(asked, data)


def _refund_query(world: World, asked: Asked) -> Response:
    with world.lock:
        trade = _existing(world, asked, "out_request_no", "query_options")
        name = text(asked.biz, "out_request_no", 64)
        found = next((one for one in trade.refunds if one["out_request_no"] == name), None)
    if found is None:
        # A refund that was never made is a success with nothing in it.
        return answer(asked, {})
    data = {
        **_names(trade),
        "out_request_no": name,
        "refund_reason": found["reason"],
        "total_amount": yuan(trade.total_fen),
        "refund_amount": yuan(found["amount_fen"]),
        "refund_status": "REFUND_SUCCESS",
    }
    if "gmt_refund_pay" in _options(asked):
        data["gmt_refund_pay"] = instant_text(found["at"])
    return answer(asked, data)


def _options(asked: Asked) -> list[Any]:
    options = asked.biz.get("query_options", [])
    if not isinstance(options, list):
        raise bad("query_options是数组")
    return options


def _bill_url(world: World, asked: Asked) -> Response:
    return answer(asked, {"bill_download_url": alipay_bills.link(world, asked)})


_SERVICES: dict[str, Callable[[World, Asked], Response]] = {
    "alipay.trade.page.pay": _page,
    "alipay.trade.wap.pay": _page,
    "alipay.trade.precreate": _precreate,
    "alipay.trade.query": _query,
    "alipay.trade.close": _close,
    "alipay.trade.cancel": _cancel,
    "alipay.trade.refund": _refund,
    "alipay.trade.fastpay.refund.query": _refund_query,
    "alipay.data.dataservice.bill.downloadurl.query": _bill_url,
}
