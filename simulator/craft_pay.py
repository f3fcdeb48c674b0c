"""Callbacks made by hand for attack tests: right but for what one asks to be wrong."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa

from simulator import crypto, pay_callbacks, pay_keys, refunding
from simulator.chance import HEX
from simulator.clock import beijing
from simulator.credentials import Merchant
from simulator.pay_keys import Signer
from simulator.pay_orders import STATE_WORDS, transaction
from simulator.pay_wire import spoilt_signature, transaction_number
from simulator.state import Refund
from simulator.world import World


class UnknownFault(ValueError):
    """A fault the workshop cannot make."""


@cache
def _stranger_key() -> rsa.RSAPrivateKey:
    return crypto.new_rsa_key()


@dataclass
class Draft:
    """A callback on the bench."""

    world: World
    merchant: Merchant
    signer: Signer
    headers: dict[str, str]
    body: str

    def sign_with(self, key: rsa.RSAPrivateKey) -> None:
        """Sign again with another key."""
        message = crypto.lines(
            self.headers["Wechatpay-Timestamp"], self.headers["Wechatpay-Nonce"], self.body
        )
        self.headers["Wechatpay-Signature"] = crypto.rsa_sign(key, message)

    def replace_body(self, body: str) -> None:
        """Take another body and sign it rightly."""
        self.body = body
        self.sign_with(self.signer.key)


def _tampered_body(draft: Draft) -> None:
    draft.body = draft.body.replace("encrypt-resource", "encrypt-resourcE", 1)


def _missing_headers(draft: Draft) -> None:
    for name in [name for name in draft.headers if name.startswith("Wechatpay-")]:
        del draft.headers[name]


def _unknown_serial(draft: Draft) -> None:
    draft.headers["Wechatpay-Serial"] = draft.world.chance.text(40, HEX).upper()


def _foreign_pub_key_id(draft: Draft) -> None:
    foreign = draft.world.credentials.merchant("foreign")
    draft.headers["Wechatpay-Serial"] = foreign.public_key_id
    draft.sign_with(foreign.platform_key)


def _by_certificate(draft: Draft) -> None:
    newest = pay_keys.live_certificates(draft.world, draft.merchant)[-1]
    draft.signer = Signer(newest.serial, newest.key)
    draft.headers["Wechatpay-Serial"] = newest.serial
    draft.sign_with(newest.key)


def _signtest(draft: Draft) -> None:
    signature = draft.headers["Wechatpay-Signature"]
    draft.headers["Wechatpay-Signature"] = "WECHATPAY/SIGNTEST/" + signature


def _without(name: str) -> Callable[[Draft], None]:
    def spoil(draft: Draft) -> None:
        del draft.headers[name]

    return spoil


def _with(name: str, value: str) -> Callable[[Draft], None]:
    def spoil(draft: Draft) -> None:
        draft.headers[name] = value

    return spoil


def _body(text: str) -> Callable[[Draft], None]:
    return lambda draft: draft.replace_body(text)


_SPOILERS: dict[str, Callable[[Draft], None]] = {
    "wrong_key": lambda draft: draft.sign_with(_stranger_key()),
    "tampered_body": _tampered_body,
    "missing_headers": _missing_headers,
    "unknown_serial": _unknown_serial,
    "foreign_pub_key_id": _foreign_pub_key_id,
    "by_certificate": _by_certificate,
    "signtest": _signtest,
    "bad_signature": lambda draft: draft.headers.update(
        {"Wechatpay-Signature": spoilt_signature(draft.headers["Wechatpay-Signature"])}
    ),
    "not_base64": _with("Wechatpay-Signature", "*not base64*"),
    "empty_signature": _with("Wechatpay-Signature", ""),
    "empty_serial": _with("Wechatpay-Serial", ""),
    "no_serial": _without("Wechatpay-Serial"),
    "no_nonce": _without("Wechatpay-Nonce"),
    "no_timestamp": _without("Wechatpay-Timestamp"),
    "no_signature_type": _without("Wechatpay-Signature-Type"),
    "bad_timestamp": _with("Wechatpay-Timestamp", "soon"),
    "other_algorithm": _with("Wechatpay-Signature-Type", "WECHATPAY2-SM2-WITH-SM3"),
    "not_json": _body("this is no JSON"),
    "no_resource": _body('{"id":"x","event_type":"TRANSACTION.SUCCESS"}'),
    "array_body": _body("[]"),
}
FAULTS = sorted([*_SPOILERS, "wrong_aes_key", "stale:SECONDS"])


def _resource(world: World, merchant: Merchant, number: str | None) -> dict[str, Any]:
    """Return the transaction as if it were paid, whether or not it is, or exists."""
    order = world.order(number, None) if number else None
    data: dict[str, Any] = transaction(order) if order is not None else {}
    paid = {
        "appid": world.credentials.app("miniapp", merchant.tenant).appid,
        "mchid": merchant.mchid,
        "out_trade_no": number or "SIM" + world.chance.digits(20),
        "transaction_id": transaction_number(world),
        "trade_type": "JSAPI",
        "bank_type": "OTHERS",
        "attach": "",
        "success_time": beijing(world.clock.time()),
        "payer": {"openid": order.openid if order else world.identity(merchant.mchid, "nobody")},
        "amount": {"total": 1, "payer_total": 1, "currency": "CNY", "payer_currency": "CNY"},
        **data,
        "trade_state": "SUCCESS",
        "trade_state_desc": STATE_WORDS["SUCCESS"],
    }
    total = paid["amount"]["total"]
    paid["amount"] = {
        "total": total,
        "payer_total": total,
        "currency": "CNY",
        "payer_currency": "CNY",
    }
    return paid


def _override(resource: dict[str, Any], overrides: dict[str, Any]) -> None:
    for key, value in overrides.items():
        if key == "amount_fen":
            resource["amount"] |= {"total": value, "payer_total": value}
        elif key == "currency":
            resource["amount"] |= {"currency": value, "payer_currency": value}
        elif key == "openid":
            resource["payer"] = {"openid": value}
        elif key == "extra":
            resource.update(value)
        elif value is None:
            resource.pop(key, None)
        else:
            resource[key] = value


def _sent_at(world: World, faults: list[str]) -> int:
    for fault in faults:
        if fault == "stale":
            return int(world.clock.time()) - 3600
        if fault.startswith("stale:"):
            return int(world.clock.time()) - int(fault.removeprefix("stale:"))
    return int(world.clock.time())


def _check_faults(faults: list[str]) -> None:
    for fault in faults:
        if fault not in _SPOILERS and fault != "wrong_aes_key" and not fault.startswith("stale"):
            raise UnknownFault(f"unknown fault {fault}; known: {', '.join(FAULTS)}")


def _make(
    world: World, asked: dict[str, Any], resource: dict[str, Any], event_type: str
) -> dict[str, Any]:
    faults = list(asked.get("faults") or [])
    _check_faults(faults)
    merchant = world.credentials.merchant(asked.get("tenant", "main"))
    body = pay_callbacks.seal(
        world,
        merchant,
        resource,
        event_type=asked.get("event_type") or event_type,
        apiv3_key=world.chance.text(32) if "wrong_aes_key" in faults else None,
    )
    signer = pay_keys.for_callback(world, merchant)
    headers = pay_callbacks.headers(
        world, merchant, body, timestamp=_sent_at(world, faults), signer=signer
    )
    draft = Draft(world, merchant, signer, headers, body)
    # Whatever signs anew comes first, so that a removed header is not needed afterwards.
    for fault in sorted(faults, key=_order):
        if fault in _SPOILERS:
            _SPOILERS[fault](draft)
    return {"headers": draft.headers, "body": draft.body, "resource": resource}


def pay_callback(world: World, asked: dict[str, Any]) -> dict[str, Any]:
    """Make a callback that nobody sends; the caller sends it.

    Args:
        world: the platform.
        asked: `out_trade_no`, `overrides`, `event_type`, `faults`, `tenant`, as in the contract.

    Returns:
        `headers` and `body` to send, and `resource` in clear.

    Raises:
        UnknownFault: one of the faults is not known.
    """
    merchant = world.credentials.merchant(asked.get("tenant", "main"))
    resource = _resource(world, merchant, asked.get("out_trade_no"))
    _override(resource, asked.get("overrides") or {})
    return _make(world, asked, resource, "TRANSACTION.SUCCESS")


def refund_callback(world: World, asked: dict[str, Any]) -> dict[str, Any]:
    """Make a refund callback that nobody sends, whether or not there is such a refund.

    Args:
        world: the platform.
        asked: as for `pay_callback`, and `out_refund_no`. Of the overrides `amount_fen` is the
            refunded sum and `refund_status` decides the event.

    Returns:
        `headers` and `body` to send, and `resource` in clear.

    Raises:
        UnknownFault: one of the faults is not known.
    """
    merchant = world.credentials.merchant(asked.get("tenant", "main"))
    resource = _refund_resource(world, merchant, asked)
    overrides = dict(asked.get("overrides") or {})
    if "amount_fen" in overrides:
        fen = overrides.pop("amount_fen")
        resource["amount"] |= {"refund": fen, "payer_refund": fen}
    _override(resource, overrides)
    return _make(world, asked, resource, f"REFUND.{resource.get('refund_status', 'SUCCESS')}")


def _refund_resource(world: World, merchant: Merchant, asked: dict[str, Any]) -> dict[str, Any]:
    """Return the refund as if it had succeeded, whether or not it has, or exists."""
    number = asked.get("out_refund_no") or "SIMR" + world.chance.digits(20)
    found = world.state.refunds.get(f"{merchant.mchid}:{number}")
    trade_no = asked.get("out_trade_no") or (found.out_trade_no if found else None)
    order = world.order(trade_no, merchant.mchid) if trade_no else None
    total_fen = order.total_fen if order else 1
    now = world.clock.time()
    refund = found or Refund(
        mchid=merchant.mchid,
        out_refund_no=number,
        refund_id="503" + world.chance.digits(26),
        out_trade_no=trade_no or "SIM" + world.chance.digits(20),
        transaction_id=(order.transaction_id if order else "") or transaction_number(world),
        total_fen=total_fen,
        refund_fen=total_fen,
        reason="",
        notify_url="",
        asked={},
        made_at=now,
    )
    return refunding.resource(replace(refund, state="SUCCESS", settled_at=now))


def _order(fault: str) -> int:
    signs_anew = (
        "by_certificate",
        "not_json",
        "no_resource",
        "array_body",
        "wrong_key",
        "foreign_pub_key_id",
    )
    return signs_anew.index(fault) if fault in signs_anew else len(signs_anew)
