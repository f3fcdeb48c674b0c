"""The pages behind a house's payment QR: what is owed in all, paying it, whether it has come."""

from __future__ import annotations

import base64
import re
import secrets

from flask import Blueprint, Response, current_app, request

from domain.errors import NotFound, PropertyError
from domain.money import show_yuan
from domain.payment_states import PaymentChannel, PayWay
from miniapp_api.errors import status_of
from miniapp_api.limits import DOOR, limited
from miniapp_api.pages import show_page
from miniapp_api.security import actor, open_to_all, own_services
from services.payments.door import DoorPayment
from services.payments.order_rows import HowToPay

bp = Blueprint("door", __name__, url_prefix="/p")

_KEY_LENGTHS = range(8, 65)
_PHONE = re.compile(r"Mobile|Android|iPhone|HarmonyOS")
_WAYS = {
    "wechat": (PayWay.JSAPI, PayWay.H5, PayWay.NATIVE),
    "alipay": (PayWay.ALIPAY_WAP, PayWay.ALIPAY_WAP, PayWay.ALIPAY_QR),
}
"""For each channel: inside WeChat (or Alipay), in another browser on a phone, on a computer."""


@bp.get("/<door_token:token>")
@open_to_all
@limited(DOOR)
def show_door(token: str) -> Response:
    """Show what a house owes in all, and the ways to pay that this browser has.

    Inside WeChat the browser is first sent to ask WeChat who holds the phone.
    """
    found = own_services()
    view = found.door.show(actor=actor(), token=token)
    payer = ""
    if _is_wechat() and view.amount_fen and PaymentChannel.WECHAT in view.channels:
        if "code" not in request.args:
            here = f"{current_app.config['PUBLIC_BASE_URL']}/p/{token}"
            where = found.door_payers.sign_in_url(actor=actor(), token=token, return_url=here)
            return _see_other(where)
        payer = found.door_payers.payer(
            actor=actor(),
            token=token,
            code=request.args["code"],
            state=request.args.get("state", ""),
        )
    offered = [channel for channel in view.channels if _offers(channel)]
    return show_page(
        "door.html",
        view=view,
        amount=show_yuan(view.amount_fen),
        token=token,
        payer=payer,
        channels=offered,
        key=secrets.token_urlsafe(24),
    )


@bp.post("/<door_token:token>/pay")
@open_to_all
@limited(DOOR)
def pay(token: str) -> Response:
    """Begin a payment and send the payer on: to the pay sheet, to a page, or to a code to scan."""
    found = own_services()
    channel, key = request.form.get("channel", ""), request.form.get("key", "")
    if channel not in _WAYS or len(key) not in _KEY_LENGTHS:
        return show_page("door_trouble.html", 422, message="请求有误，请重新扫码", token=token)
    way = _way(channel)
    openid = ""
    if way is PayWay.JSAPI:
        openid = found.door_payers.openid(token=token, payer=request.form.get("payer", ""))
    started = found.door.start(
        actor=actor(),
        token=token,
        how=HowToPay(
            way=way,
            payer_ip=request.remote_addr or "",
            return_url=f"{current_app.config['PUBLIC_BASE_URL']}/p/{token}/payments/",
        ),
        openid=openid,
        client_key=key,
    )
    if started.to_pay_with.page_url:
        return _go_to_page(token, started)
    return _show_payment(token, started, is_new=True)


@bp.get("/<door_token:token>/payments/<door_token:visit>")
@open_to_all
@limited(DOOR)
def show_payment(token: str, visit: str) -> Response:
    """Show how a payment stands; the page looks again by itself while it waits.

    A page of the channel sends the browser back to here; nothing that it adds is believed.
    """
    return _show_payment(token, own_services().door.show_payment(actor=actor(), visit=visit))


@bp.post("/<door_token:token>/payments/<door_token:visit>/refresh")
@open_to_all
@limited(DOOR)
def refresh(token: str, visit: str) -> Response:
    """Ask the channel now, and show the payment."""
    own_services().door.refresh(actor=actor(), visit=visit)
    return _see_other(f"/p/{token}/payments/{visit}")


@bp.get("/<door_token:token>/payments/<door_token:visit>/receipt.pdf")
@open_to_all
@limited(DOOR)
def show_receipt(token: str, visit: str) -> Response:
    """Give whoever paid the receipt on paper."""
    del token
    content = own_services().receipt_prints.write_for_visit(
        actor=actor(), visit=visit, base_url=current_app.config["PUBLIC_BASE_URL"]
    )
    response = Response(content, mimetype="application/pdf")
    response.headers["Cache-Control"] = "private, no-store"
    return response


@bp.errorhandler(PropertyError)
def refused(error: PropertyError) -> Response:
    """Say in a sentence why it did not work, with a way back where there is a door."""
    asked = request.view_args or {}
    has_door = "visit" in asked or not isinstance(error, NotFound)
    token = asked.get("token", "") if has_door else ""
    return show_page("door_trouble.html", status_of(error), message=error.message, token=token)


def _show_payment(token: str, started: DoorPayment, *, is_new: bool = False) -> Response:
    """Show a payment; a new one opens WeChat's sheet by itself, which may be opened again."""
    code = started.to_pay_with.code_url
    image = base64.b64encode(own_services().slips.write_qr_png(code)).decode() if code else ""
    return show_page(
        "door_payment.html",
        token=token,
        started=started,
        payment=started.payment,
        amount=show_yuan(started.payment.amount_fen),
        ticket=started.to_pay_with.ticket,
        is_new=is_new,
        image=image,
        app="支付宝" if started.payment.way.channel is PaymentChannel.ALIPAY else "微信",
    )


def _go_to_page(token: str, started: DoorPayment) -> Response:
    """Send the browser to the channel's page by a link too: some browsers ask for a tap first."""
    return show_page(
        "door_leave.html",
        token=token,
        started=started,
        amount=show_yuan(started.payment.amount_fen),
        app="支付宝" if started.payment.way.channel is PaymentChannel.ALIPAY else "微信",
    )


def _is_wechat() -> bool:
    return "MicroMessenger" in request.user_agent.string


def _is_alipay() -> bool:
    return "AlipayClient" in request.user_agent.string


def _offers(channel: PaymentChannel) -> bool:
    """WeChat's browser opens no Alipay, and Alipay's no WeChat."""
    if channel is PaymentChannel.ALIPAY:
        return not _is_wechat()
    return not _is_alipay()


def _way(channel: str) -> PayWay:
    inside, on_phone, on_computer = _WAYS[channel]
    if _is_wechat() if channel == "wechat" else _is_alipay():
        return inside
    return on_phone if _PHONE.search(request.user_agent.string) else on_computer


def _see_other(where: str) -> Response:
    return Response(status=303, headers={"Location": where})
