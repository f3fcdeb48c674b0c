"""Signing in and out."""

from __future__ import annotations

from typing import Any

from miniapp_api.documentation import ApiBlueprint
from miniapp_api.limits import SIGNING_IN, limited
from miniapp_api.schemas import (
    PhoneCodeIn,
    PhoneCodeSent,
    PhoneIn,
    SessionOut,
    WechatCodeIn,
    WechatPhoneIn,
)
from miniapp_api.security import (
    actor,
    bearer_token,
    open_to_all,
    own_services,
    signed_in,
    visit,
)
from services.owner_sessions import SignedIn
from services.phone_codes import CODE_LIFE, CODE_PAUSE

bp = ApiBlueprint("sessions", __name__, description="登录与退出")


@bp.route("/phone-codes", methods=["POST"])
@open_to_all
@limited(SIGNING_IN)
@bp.arguments(PhoneIn)
@bp.response(202, PhoneCodeSent)
@bp.refusals(422, 429, 503)
def request_code(form: dict[str, Any]) -> dict[str, int]:
    """Send a sign-in code by SMS. The answer is the same for every phone."""
    own_services().login.request_code(actor=actor(), phone=form["phone"], visit=visit())
    return code_sent()


@bp.route("/sessions/by-phone-code", methods=["POST"])
@open_to_all
@limited(SIGNING_IN)
@bp.arguments(PhoneCodeIn)
@bp.response(201, SessionOut)
@bp.refusals(403, 422, 429, 502, 503)
def sign_in_by_code(form: dict[str, Any]) -> SignedIn:
    """Sign in by phone code; with a wechat_code this WeChat stays bound to the account."""
    return own_services().login.sign_in_by_code(
        actor=actor(),
        phone=form["phone"],
        code=form["code"],
        visit=visit(),
        wechat_code=form.get("wechat_code"),
    )


@bp.route("/sessions/by-wechat", methods=["POST"])
@open_to_all
@limited(SIGNING_IN)
@bp.arguments(WechatCodeIn)
@bp.response(201, SessionOut)
@bp.refusals(401, 403, 422, 429, 502, 503)
def sign_in_by_wechat(form: dict[str, Any]) -> SignedIn:
    """Sign in by a WeChat that was bound before; 401 wechat_not_bound if it was not."""
    return own_services().login.sign_in_by_wechat(actor=actor(), wechat_code=form["wechat_code"])


@bp.route("/sessions/by-wechat-phone", methods=["POST"])
@open_to_all
@limited(SIGNING_IN)
@bp.arguments(WechatPhoneIn)
@bp.response(201, SessionOut)
@bp.refusals(403, 422, 429, 502, 503)
def sign_in_by_wechat_phone(form: dict[str, Any]) -> SignedIn:
    """Sign in by the mini-program's one-tap phone number."""
    return own_services().login.sign_in_by_wechat_phone(
        actor=actor(), wechat_code=form["wechat_code"], phone_code=form["phone_code"]
    )


@bp.route("/sessions/current", methods=["DELETE"])
@signed_in
@bp.response(204)
@bp.refusals(401, 503)
def sign_out() -> None:
    """End this session."""
    own_services().login.sign_out(actor=actor(), token=bearer_token())


@bp.route("/sessions", methods=["DELETE"])
@signed_in
@bp.response(204)
@bp.refusals(401, 503)
def sign_out_everywhere() -> None:
    """End every session of the account, on all devices."""
    own_services().login.sign_out_everywhere(actor=actor())


def code_sent() -> dict[str, int]:
    """Tell how long a code lives and when the next may be asked for."""
    return {
        "resend_after_s": int(CODE_PAUSE.total_seconds()),
        "expires_in_s": int(CODE_LIFE.total_seconds()),
    }
