"""What members of staff do with their own sessions, password and second factor."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields

from domain.passwords import LENGTH_CAP
from miniapp_api.documentation import ApiBlueprint
from miniapp_api.fields import Input, Words
from miniapp_api.limits import MANAGING_STAFF, limited
from miniapp_api.security import actor, own_services, staff_only, visit
from miniapp_api.staff_sessions import TOTP_LIMIT, StaffSignedInOut
from services.staff.sessions import StaffSignedIn
from services.staff.totp import TotpOffer

bp = ApiBlueprint("staff_own", __name__, description="员工：自己的会话、密码与动态验证码")


class ProofIn(Input):
    """The password again, and a code where the second factor is on."""

    password = Words(limit=LENGTH_CAP, required=True)
    totp = Words(limit=TOTP_LIMIT, load_default="")


class StaffNewPasswordIn(ProofIn):
    """A new password, with the one of before."""

    new_password = Words(limit=LENGTH_CAP, required=True)


class StaffSessionOut(Schema):
    """One of one's own sessions."""

    id = fields.Integer(required=True)
    device = fields.String(required=True)
    ip = fields.String(required=True)
    is_remembered = fields.Boolean(required=True)
    created_at = fields.AwareDateTime(required=True)
    seen_at = fields.AwareDateTime(required=True)
    expires_at = fields.AwareDateTime(required=True)
    is_current = fields.Boolean(required=True)


class StaffSessionsOut(Schema):
    """All of them, newest use first."""

    items = fields.List(fields.Nested(StaffSessionOut), required=True)


class TotpOfferOut(Schema):
    """What the authenticator app needs; ``uri`` is the text of a QR code."""

    secret = fields.String(required=True)
    uri = fields.String(required=True)


class TotpCodeIn(Input):
    """A code of the app."""

    code = Words(limit=6, pattern=r"^[0-9]{6}$", required=True)


class RecoveryCodesOut(Schema):
    """Codes to keep on paper, told only here; each stands in once for the app."""

    recovery_codes = fields.List(fields.String(), required=True)


@bp.route("/staff/sessions", methods=["GET"])
@staff_only
@bp.response(200, StaffSessionsOut)
@bp.refusals(401, 403, 503)
def list_sessions() -> dict[str, Any]:
    """List where one is signed in."""
    return {"items": own_services().staff_sessions.list_own(actor=actor())}


@bp.route("/staff/sessions", methods=["DELETE"])
@staff_only
@bp.response(204)
@bp.refusals(401, 403, 503)
def sign_out_everywhere() -> None:
    """End every session of one's own, this one too."""
    own_services().staff_sessions.end_all_own(actor=actor())


@bp.route("/staff/sessions/current", methods=["DELETE"])
@staff_only
@bp.response(204)
@bp.refusals(401, 403, 404, 503)
def sign_out() -> None:
    """End this session."""
    own_services().staff_sessions.sign_out(actor=actor())


@bp.route("/staff/sessions/<row_id:session_id>", methods=["DELETE"])
@staff_only
@bp.response(204)
@bp.refusals(401, 403, 404, 503)
def end_session(session_id: int) -> None:
    """End one of one's own sessions."""
    own_services().staff_sessions.end_own(actor=actor(), session_id=session_id)


@bp.route("/staff/sessions/current/proof", methods=["POST"])
@staff_only
@limited(MANAGING_STAFF)
@bp.arguments(ProofIn)
@bp.response(200, StaffSignedInOut)
@bp.refusals(401, 403, 422, 429, 503)
def reauthenticate(form: dict[str, Any]) -> StaffSignedIn:
    """Prove oneself again, for ten minutes of acts that give money or power away."""
    return own_services().staff_sessions.reauthenticate(
        actor=actor(), password=form["password"], totp=form["totp"], visit=visit()
    )


@bp.route("/staff/password", methods=["POST"])
@staff_only
@limited(MANAGING_STAFF)
@bp.arguments(StaffNewPasswordIn)
@bp.response(200, StaffSignedInOut)
@bp.refusals(401, 403, 422, 429, 503)
def change_password(form: dict[str, Any]) -> StaffSignedIn:
    """Set one's own password; the other sessions end and this one gets a new token."""
    return own_services().staff_sessions.change_password(
        actor=actor(),
        password=form["password"],
        new_password=form["new_password"],
        totp=form["totp"],
        visit=visit(),
    )


@bp.route("/staff/totp", methods=["POST"])
@staff_only
@limited(MANAGING_STAFF)
@bp.response(201, TotpOfferOut)
@bp.refusals(401, 403, 429, 503)
def offer_totp() -> TotpOffer:
    """Make a secret for an authenticator app; it counts once a code of it was given."""
    return own_services().staff_totp.offer(actor=actor())


@bp.route("/staff/totp/confirmation", methods=["POST"])
@staff_only
@limited(MANAGING_STAFF)
@bp.arguments(TotpCodeIn)
@bp.response(200, RecoveryCodesOut)
@bp.refusals(401, 403, 409, 422, 429, 503)
def confirm_totp(form: dict[str, Any]) -> dict[str, Any]:
    """Switch the second factor on by a code of the app."""
    return {"recovery_codes": own_services().staff_totp.confirm(actor=actor(), code=form["code"])}


@bp.route("/staff/totp", methods=["DELETE"])
@staff_only
@bp.response(204)
@bp.refusals(401, 403, 503)
def switch_totp_off() -> None:
    """Take one's own second factor away; a new password goes first then."""
    own_services().staff_totp.switch_off(actor=actor())
