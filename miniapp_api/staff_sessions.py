"""The doors of members of staff: signing in, and a forgotten password."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields

from domain.passwords import LENGTH_CAP
from miniapp_api.documentation import ApiBlueprint
from miniapp_api.fields import Flag, Input, OneOf, Words
from miniapp_api.limits import SIGNING_IN, limited
from miniapp_api.schemas import PasswordIn, PhoneCodeSent
from miniapp_api.security import actor, open_to_all, own_services, visit
from miniapp_api.sessions import code_sent
from services.staff.sessions import StaffSignedIn

TOTP_LIMIT = 20

bp = ApiBlueprint("staff_sessions", __name__, description="员工：登录与找回密码")


class StaffSignInIn(PasswordIn):
    """Signing in; ``remember`` only on a device of one's own, never on a shared one."""

    totp = Words(limit=TOTP_LIMIT, load_default="")
    remember = Flag(load_default=False)


class StaffSignedInOut(Schema):
    """A session with its new token, told only here; ``must_first`` goes before all else."""

    token = fields.String(required=True)
    expires_at = fields.AwareDateTime(required=True)
    name = fields.String(required=True)
    role = fields.String(required=True)
    must_first = fields.String(required=True, allow_none=True)


class ResetAskIn(Input):
    """Whose password was forgotten, and how the proof should come."""

    login_name = Words(limit=40, required=True)
    by = OneOf(["phone", "mail"], required=True)


class StaffResetByCodeIn(Input):
    """A new password, by the code that was sent."""

    login_name = Words(limit=40, required=True)
    code = Words(limit=6, pattern=r"^[0-9]{6}$", required=True)
    new_password = Words(limit=LENGTH_CAP, required=True)


class StaffResetByLinkIn(Input):
    """A new password, by the token of the link that was sent."""

    token = Words(limit=100, pattern=r"^[A-Za-z0-9_-]+$", required=True)
    new_password = Words(limit=LENGTH_CAP, required=True)


@bp.route("/staff/sessions", methods=["POST"])
@open_to_all
@limited(SIGNING_IN)
@bp.arguments(StaffSignInIn)
@bp.response(201, StaffSignedInOut)
@bp.refusals(401, 422, 429, 503)
def sign_in(form: dict[str, Any]) -> StaffSignedIn:
    """Sign in; 401 totp_needed asks for a code of the authenticator app."""
    return own_services().staff_sessions.sign_in(
        actor=actor(),
        login_name=form["login_name"],
        password=form["password"],
        totp=form["totp"],
        remember=form["remember"],
        visit=visit(),
    )


@bp.route("/staff/password-resets", methods=["POST"])
@open_to_all
@limited(SIGNING_IN)
@bp.arguments(ResetAskIn)
@bp.response(202, PhoneCodeSent)
@bp.refusals(422, 429, 503)
def ask_reset(form: dict[str, Any]) -> dict[str, int]:
    """Send a code or a link to what is on file; the answer never tells whether anything is."""
    resets = own_services().staff_resets
    ask = resets.ask_by_phone if form["by"] == "phone" else resets.ask_by_mail
    ask(actor=actor(), login_name=form["login_name"], visit=visit())
    return code_sent()


@bp.route("/staff/password-resets/by-code", methods=["POST"])
@open_to_all
@limited(SIGNING_IN)
@bp.arguments(StaffResetByCodeIn)
@bp.response(204)
@bp.refusals(422, 429, 503)
def reset_by_code(form: dict[str, Any]) -> None:
    """Set a forgotten password by the code; every session ends."""
    own_services().staff_resets.reset_by_code(
        actor=actor(),
        login_name=form["login_name"],
        code=form["code"],
        new_password=form["new_password"],
        visit=visit(),
    )


@bp.route("/staff/password-resets/by-link", methods=["POST"])
@open_to_all
@limited(SIGNING_IN)
@bp.arguments(StaffResetByLinkIn)
@bp.response(204)
@bp.refusals(422, 429, 503)
def reset_by_link(form: dict[str, Any]) -> None:
    """Set a forgotten password by the link; every session ends."""
    own_services().staff_resets.reset_by_link(
        actor=actor(), token=form["token"], new_password=form["new_password"], visit=visit()
    )
