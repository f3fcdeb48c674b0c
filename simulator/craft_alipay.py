"""Alipay notices made by hand for attack tests: right but for what one asks to be wrong."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa

from simulator import alipay_notices, alipay_trades, crypto
from simulator.alipay_accounts import AlipayApp
from simulator.alipay_notices import yuan
from simulator.state import Trade
from simulator.world import World


class UnknownFault(ValueError):
    """A fault the workshop cannot make."""


@cache
def _stranger_key() -> rsa.RSAPrivateKey:
    return crypto.new_rsa_key()


def _spoilt_signature(data: dict[str, str]) -> None:
    data["sign"] = data["sign"][:20][::-1] + data["sign"][20:]


def _tampered_amount(data: dict[str, str]) -> None:
    data["total_amount"] = "0.01" if data["total_amount"] != "0.01" else "0.02"


# What is changed after the signature was made.
_SPOILERS: dict[str, Callable[[dict[str, str]], object]] = {
    "bad_signature": _spoilt_signature,
    "tampered_amount": _tampered_amount,
    "tampered_status": lambda data: data.update(trade_status="TRADE_FINISHED"),
    "tampered_number": lambda data: data.update(out_trade_no=data["out_trade_no"] + "9"),
    "sign_type_rsa": lambda data: data.update(sign_type="RSA"),
    "no_sign": lambda data: data.pop("sign"),
    "no_sign_type": lambda data: data.pop("sign_type"),
    "empty_sign": lambda data: data.update(sign=""),
    "not_base64": lambda data: data.update(sign="*not base64*"),
}
# What is changed before it, so that the notice is rightly signed.
_BEFORE = ("foreign_app_id", "foreign_seller_id", "unknown_order", "wrong_key")
FAULTS = sorted([*_SPOILERS, *_BEFORE])


def _as_paid(world: World, app: AlipayApp, number: str | None) -> Trade:
    """Return a copy of the trade as if it were paid, whether or not it is, or exists."""
    found = alipay_trades.find(world, app.app_id, number) if number else None
    now = world.clock.time()
    base = found or Trade(
        app_id=app.app_id,
        out_trade_no=number or "SIM" + world.chance.digits(20),
        method="alipay.trade.precreate",
        product_code="FACE_TO_FACE_PAYMENT",
        subject="物业费",
        body="",
        passback_params="",
        total_fen=1,
        notify_url="",
        return_url="",
        made_at=now,
        payable_until=now,
    )
    return replace(
        base,
        status=base.status if base.paid_at else "TRADE_SUCCESS",
        trade_no=base.trade_no or "20260101" + "2200" + world.chance.digits(16),
        buyer=base.buyer or alipay_trades.SOMEBODY,
        created_at=base.created_at or now,
        paid_at=base.paid_at or now,
    )


def _override(data: dict[str, str], overrides: dict[str, Any]) -> None:
    for key, value in overrides.items():
        if value is None:
            data.pop(key, None)
        elif key == "amount_fen":
            paid = ("total_amount", "receipt_amount", "buyer_pay_amount", "invoice_amount")
            data.update(dict.fromkeys(paid, yuan(int(value))))
        else:
            data[key] = str(value)


def _fields(world: World, app: AlipayApp, asked: dict[str, Any]) -> dict[str, str]:
    trade = _as_paid(world, app, asked.get("out_trade_no"))
    refund = None
    if asked.get("refund"):
        refund = {"out_request_no": "CRAFTED", "at": world.clock.time(), **asked["refund"]}
        trade = replace(trade, refunds=[*trade.refunds, refund])
    data = alipay_notices.fields(world, app, trade, refund)
    foreign = world.credentials.alipay_app("foreign" if app.tenant == "main" else "main")
    faults = asked.get("faults") or []
    if "foreign_app_id" in faults:
        data |= {"app_id": foreign.app_id, "auth_app_id": foreign.app_id}
    if "foreign_seller_id" in faults:
        data |= {"seller_id": foreign.seller_id, "seller_email": foreign.seller_email}
    if "unknown_order" in faults:
        data["out_trade_no"] = "UNKNOWN" + world.chance.digits(12)
    _override(data, asked.get("overrides") or {})
    return data


def notice(world: World, asked: dict[str, Any]) -> dict[str, Any]:
    """Make a notice that nobody sends; the caller sends it.

    Args:
        world: the platform.
        asked: `out_trade_no`; `overrides` of fields, signed, where null leaves one out and
            `amount_fen` stands for all amounts; `refund` with `amount_fen` and
            `out_request_no` for a refund's notice; `faults`; `tenant`.

    Returns:
        `headers` and `body` to send, and `fields` as they stand in the body.

    Raises:
        UnknownFault: one of the faults is not known.
    """
    faults = list(asked.get("faults") or [])
    for fault in faults:
        if fault not in FAULTS:
            raise UnknownFault(f"unknown fault {fault}; known: {', '.join(FAULTS)}")
    app = world.credentials.alipay_app(asked.get("tenant", "main"))
    signer = replace(app, platform_key=_stranger_key()) if "wrong_key" in faults else app
    data = alipay_notices.signed(world, signer, _fields(world, app, asked))
    # Whatever needs the signature comes before what takes it away.
    for fault in sorted(faults, key=lambda one: one.startswith("no_")):
        if fault in _SPOILERS:
            _SPOILERS[fault](data)
    headers, body = alipay_notices.form(data)
    return {"headers": headers, "body": body, "fields": data}
