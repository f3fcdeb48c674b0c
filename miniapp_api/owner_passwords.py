"""Signing in with an account that was handed out, and setting its password."""

from __future__ import annotations

from typing import Any

from miniapp_api.documentation import ApiBlueprint
from miniapp_api.limits import SIGNING_IN, limited
from miniapp_api.schemas import (
    NewPasswordIn,
    PasswordIn,
    PhoneCodeSent,
    PhoneIn,
    ResetByCodeIn,
    SessionOut,
)
from miniapp_api.security import (
    actor,
    bearer_token,
    open_to_all,
    own_services,
    signed_in,
    visit,
)
from miniapp_api.sessions import code_sent
from services.owner_sessions import SignedIn

bp = ApiBlueprint("owner_passwords", __name__, description="账号密码登录")


@bp.route("/sessions/by-password", methods=["POST"])
@open_to_all
@limited(SIGNING_IN)
@bp.arguments(PasswordIn)
@bp.response(201, SessionOut)
@bp.refusals(401, 422, 429, 503)
def sign_in(form: dict[str, Any]) -> SignedIn:
    """Sign in with the account that staff handed out."""
    return own_services().owner_passwords.sign_in(
        actor=actor(), login_name=form["login_name"], password=form["password"], visit=visit()
    )


@bp.route("/password", methods=["POST"])
@signed_in
@limited(SIGNING_IN)
@bp.arguments(NewPasswordIn)
@bp.response(204)
@bp.refusals(401, 403, 422, 429, 503)
def change(form: dict[str, Any]) -> None:
    """Set one's own password; the other sessions end."""
    own_services().owner_passwords.change_password(
        actor=actor(),
        token=bearer_token(),
        password=form["password"],
        new_password=form["new_password"],
        visit=visit(),
    )


@bp.route("/password-resets", methods=["POST"])
@open_to_all
@limited(SIGNING_IN)
@bp.arguments(PhoneIn)
@bp.response(202, PhoneCodeSent)
@bp.refusals(422, 429, 503)
def ask_reset(form: dict[str, Any]) -> dict[str, int]:
    """Send a code by which a forgotten password is set anew; the same for every phone."""
    own_services().owner_passwords.ask_reset(actor=actor(), phone=form["phone"], visit=visit())
    return code_sent()


@bp.route("/password-resets/by-code", methods=["POST"])
@open_to_all
@limited(SIGNING_IN)
@bp.arguments(ResetByCodeIn)
@bp.response(204)
@bp.refusals(422, 429, 503)
def reset(form: dict[str, Any]) -> None:
    """Set a forgotten password by the code; every session ends."""
    own_services().owner_passwords.reset_by_code(
        actor=actor(),
        phone=form["phone"],
        code=form["code"],
        new_password=form["new_password"],
        visit=visit(),
    )
