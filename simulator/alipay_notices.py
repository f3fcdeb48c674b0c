"""Alipay's notices: what stands in one, and the signed form that is posted.

A refund has no address of its own: its notice goes to the trade's, looks like a payment's and
has `refund_fee`, `gmt_refund` and `out_biz_no` besides.

Source: https://opendocs.alipay.com/open/270/105902, platforms.md 4.7
"""

import json
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from simulator import alipay_wire
from simulator.alipay_accounts import AlipayApp
from simulator.alipay_wire import instant_text, now_text
from simulator.chance import HEX
from simulator.clock import BEIJING
from simulator.state import Notice, Trade
from simulator.world import World


def yuan(fen: int) -> str:
    """Write an amount in yuan with two decimals, a minus sign in front if it is negative."""
    sign = "-" if fen < 0 else ""
    return f"{sign}{abs(fen) // 100}.{abs(fen) % 100:02d}"


def buyer_id(world: World, phone: str) -> str:
    """Return the 16-digit user id of a phone; the same after a reset."""
    digest = world.identity("alipay", phone).encode().hex()
    return "2088" + str(int(digest, 16))[-12:]


def masked(phone: str) -> str:
    """Return a login name as merchants see it."""
    return f"{phone[:3]}****{phone[-4:]}"


def refunded_fen(trade: Trade) -> int:
    """Return how much of a trade has been paid back, in fen."""
    return int(sum(one["amount_fen"] for one in trade.refunds))


def fund_bills(trade: Trade) -> list[dict[str, str]]:
    """Return what the money was taken from: here always the balance."""
    return [{"amount": yuan(trade.total_fen), "fundChannel": "ALIPAYACCOUNT"}]


def _paid_fields(world: World, trade: Trade) -> dict[str, str]:
    amount = yuan(trade.total_fen)
    return {
        "buyer_id": buyer_id(world, trade.buyer),
        "buyer_logon_id": masked(trade.buyer),
        "receipt_amount": amount,
        "invoice_amount": amount,
        "buyer_pay_amount": amount,
        "point_amount": "0.00",
        "gmt_payment": instant_text(trade.paid_at),
        "fund_bill_list": json.dumps(fund_bills(trade), separators=(",", ":")),
    }


def _refund_fields(trade: Trade, refund: dict[str, Any]) -> dict[str, str]:
    at = datetime.fromtimestamp(refund["at"], BEIJING)
    return {
        "out_biz_no": refund["out_request_no"],
        # All that has been paid back so far, not this refund alone.
        "refund_fee": yuan(refunded_fen(trade)),
        "gmt_refund": at.strftime("%Y-%m-%d %H:%M:%S.") + f"{at.microsecond // 1000:03d}",
    }


def fields(
    world: World, app: AlipayApp, trade: Trade, refund: dict[str, Any] | None = None
) -> dict[str, str]:
    """Return the fields of a notice of the trade as it is, without time and signature."""
    data = {
        "notify_type": "trade_status_sync",
        "notify_id": world.chance.text(34, HEX),
        "app_id": app.app_id,
        "auth_app_id": app.app_id,
        "charset": "utf-8",
        "version": "1.0",
        "trade_no": trade.trade_no,
        "out_trade_no": trade.out_trade_no,
        "seller_id": app.seller_id,
        "seller_email": app.seller_email,
        "trade_status": trade.status,
        "total_amount": yuan(trade.total_fen),
        "subject": trade.subject,
        "body": trade.body,
        "gmt_create": instant_text(trade.created_at),
        "passback_params": trade.passback_params,
    }
    if trade.paid_at:
        data |= _paid_fields(world, trade)
    if trade.closed_at:
        data["gmt_close"] = instant_text(trade.closed_at)
    if refund is not None:
        data |= _refund_fields(trade, refund)
    return {key: value for key, value in data.items() if value}


def signed(world: World, app: AlipayApp, data: dict[str, str]) -> dict[str, str]:
    """Return the fields as they are sent now, with time, kind of signature and signature."""
    full = {"notify_time": now_text(world), **data, "sign_type": "RSA2"}
    message = alipay_wire.content(full, "sign", "sign_type")
    return {**full, "sign": alipay_wire.sign(app, message)}


def make(
    world: World,
    app: AlipayApp,
    trade: Trade,
    *,
    state: str,
    copies: int = 1,
    refund: dict[str, Any] | None = None,
) -> Notice:
    """Make a notice of the trade as it is now; its notify_id stays through all deliveries."""
    data = fields(world, app, trade, refund)
    return Notice(
        id=data["notify_id"],
        kind=f"refund {trade.status}" if refund is not None else trade.status,
        mchid=app.app_id,
        out_trade_no=trade.out_trade_no,
        url=trade.notify_url,
        body=json.dumps(data, ensure_ascii=False),
        state=state,
        next_at=None,
        made_at=world.clock.time(),
        copies=copies,
        wire="ali",
    )


def seal(world: World, notice: Notice) -> tuple[dict[str, str], str]:
    """Return the headers and the form of one delivery, signed now."""
    app = world.credentials.alipay[notice.mchid]
    return form(signed(world, app, json.loads(notice.body)))


def form(data: dict[str, str]) -> tuple[dict[str, str], str]:
    """Return the headers and the body that carry these fields."""
    content_type = "application/x-www-form-urlencoded; charset=utf-8"
    return {"Content-Type": content_type, "User-Agent": "Mozilla/4.0"}, urlencode(data)
