"""What owners agree to, the copy of their data, and closing their account."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from flask import Response
from marshmallow import Schema, fields

from domain.consents import ConsentKind
from domain.errors import NotFound
from domain.privacy_states import ExportState
from miniapp_api.documentation import ApiBlueprint
from miniapp_api.fields import Input, OneOf, Words
from miniapp_api.limits import PRIVACY, limited
from miniapp_api.schemas import PhoneCodeSent
from miniapp_api.security import actor, own_services, signed_in, visit
from miniapp_api.sessions import code_sent
from services.privacy.consents import ConsentView
from services.privacy.deletions import DeletionPreview
from services.privacy.exports import ExportView

bp = ApiBlueprint("privacy", __name__, description="个人信息：同意、副本、注销")

_KINDS = [str(kind) for kind in ConsentKind]
_ZIP = "application/zip"


class ConsentOut(Schema):
    """How one stands to one text; ``is_needed`` while the current version was not agreed to."""

    kind = fields.String(required=True, metadata={"enum": _KINDS})
    kind_shown = fields.String(required=True)
    current_version = fields.String(required=True)
    agreed_version = fields.String(required=True)
    given_at = fields.AwareDateTime(required=True, allow_none=True)
    withdrawn_at = fields.AwareDateTime(required=True, allow_none=True)
    is_needed = fields.Boolean(required=True)


class ConsentsOut(Schema):
    """All texts."""

    items = fields.List(fields.Nested(ConsentOut), required=True)


class ConsentIn(Input):
    """What one agrees to, in the version that was shown."""

    kind = OneOf(_KINDS, required=True)
    version = Words(limit=40, required=True, metadata={"example": "2026-11-25"})


class ExportOut(Schema):
    """A copy that was asked for; the file is there while ``ready``."""

    id = fields.Integer(required=True)
    state = fields.String(required=True, metadata={"enum": [str(one) for one in ExportState]})
    asked_at = fields.AwareDateTime(required=True)
    ended_at = fields.AwareDateTime(required=True, allow_none=True)
    expires_at = fields.AwareDateTime(required=True, allow_none=True)


class ExportsOut(Schema):
    """Copies, newest first."""

    items = fields.List(fields.Nested(ExportOut), required=True)


class DeletionLineOut(Schema):
    """One kind of data and what becomes of it."""

    title = fields.String(required=True)
    content = fields.String(required=True)
    fate = fields.String(required=True)


class DeletionOut(Schema):
    """What closing the account does; ``due_at`` is set while it waits and can be taken back."""

    goes = fields.List(fields.Nested(DeletionLineOut), required=True)
    stays = fields.List(fields.Nested(DeletionLineOut), required=True)
    blocked_by = fields.List(fields.String(), required=True)
    asked_at = fields.AwareDateTime(required=True, allow_none=True)
    due_at = fields.AwareDateTime(required=True, allow_none=True)


class DeletionIn(Input):
    """The code that was sent to the account's own phone."""

    code = Words(limit=6, required=True, metadata={"example": "123456"})


@bp.route("/consents", methods=["GET"])
@signed_in
@limited(PRIVACY)
@bp.response(200, ConsentsOut)
@bp.refusals(401, 403, 429, 503)
def list_consents() -> dict[str, Sequence[ConsentView]]:
    """Tell how one stands to the privacy policy, the terms and advertising."""
    return {"items": own_services().consents.list_own(actor=actor())}


@bp.route("/consents", methods=["POST"])
@signed_in
@limited(PRIVACY)
@bp.arguments(ConsentIn)
@bp.response(204)
@bp.refusals(401, 403, 409, 422, 429, 503)
def give_consent(form: dict[str, Any]) -> None:
    """Agree to the current version of a text."""
    own_services().consents.give(
        actor=actor(), kind=ConsentKind(form["kind"]), version=form["version"]
    )


@bp.route("/consents/<string:kind>/withdraw", methods=["POST"])
@signed_in
@limited(PRIVACY)
@bp.response(204)
@bp.refusals(401, 403, 404, 429, 503)
def withdraw_consent(kind: str) -> None:
    """Agree no longer; no service ends by it."""
    if kind not in _KINDS:
        raise NotFound
    own_services().consents.withdraw(actor=actor(), kind=ConsentKind(kind))


@bp.route("/privacy/exports", methods=["GET"])
@signed_in
@limited(PRIVACY)
@bp.response(200, ExportsOut)
@bp.refusals(401, 403, 429, 503)
def list_exports() -> dict[str, Sequence[ExportView]]:
    """List the copies that one asked for."""
    return {"items": own_services().privacy_exports.list_own(actor=actor())}


@bp.route("/privacy/exports", methods=["POST"])
@signed_in
@limited(PRIVACY)
@bp.response(202, ExportOut)
@bp.refusals(401, 403, 409, 429, 503)
def ask_export() -> ExportView:
    """Ask for a copy of all that is held about one's account; at most three a day."""
    return own_services().privacy_exports.ask(actor=actor())


@bp.route("/privacy/exports/<row_id:export_id>/file", methods=["GET"])
@signed_in
@limited(PRIVACY)
@bp.response(200, {"type": "string", "format": "binary"}, content_type=_ZIP)
@bp.refusals(401, 403, 404, 429, 503)
def take_export(export_id: int) -> Response:
    """Give the file of one's own copy: JSON and a workbook in a ZIP, for seven days."""
    content = own_services().privacy_exports.file(actor=actor(), export_id=export_id)
    response = Response(content, mimetype=_ZIP)
    name = quote("个人信息副本.zip", safe="")
    response.headers["Content-Disposition"] = (
        f"attachment; filename=\"personal-data.zip\"; filename*=UTF-8''{name}"
    )
    response.headers["Cache-Control"] = "private, no-store"
    return response


@bp.route("/privacy/deletion", methods=["GET"])
@signed_in
@limited(PRIVACY)
@bp.response(200, DeletionOut)
@bp.refusals(401, 403, 429, 503)
def preview_deletion() -> DeletionPreview:
    """Tell what closing the account does, what is in the way, and whether it was asked for."""
    return own_services().account_deletions.preview(actor=actor())


@bp.route("/privacy/deletion/codes", methods=["POST"])
@signed_in
@limited(PRIVACY)
@bp.response(202, PhoneCodeSent)
@bp.refusals(401, 403, 429, 503)
def send_deletion_code() -> dict[str, int]:
    """Send a code to the account's own phone."""
    own_services().account_deletions.send_code(actor=actor(), visit=visit())
    return code_sent()


@bp.route("/privacy/deletion", methods=["POST"])
@signed_in
@limited(PRIVACY)
@bp.arguments(DeletionIn)
@bp.response(202, DeletionOut)
@bp.refusals(401, 403, 409, 422, 429, 503)
def ask_deletion(form: dict[str, Any]) -> DeletionPreview:
    """Ask for the account to be closed in seven days."""
    return own_services().account_deletions.ask(actor=actor(), code=form["code"], visit=visit())


@bp.route("/privacy/deletion", methods=["DELETE"])
@signed_in
@limited(PRIVACY)
@bp.response(204)
@bp.refusals(401, 403, 404, 429, 503)
def cancel_deletion() -> None:
    """Keep the account after all."""
    own_services().account_deletions.cancel(actor=actor())
