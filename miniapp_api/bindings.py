"""Bindings, applications, invitations and the phone of the signed-in owner."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields

from miniapp_api.documentation import ApiBlueprint
from miniapp_api.fields import Day, Input, NestedIn, OneOf, PhotoIds, RowId, Words
from miniapp_api.limits import BINDING, limited
from miniapp_api.people_fields import IdOut, RightsIn, RightsOut, read_rights
from miniapp_api.security import actor, own_services, signed_in, visit
from miniapp_api.stored_files import FileOut
from services.people.applications import WantedBinding
from services.people.invitations import Invited, NewInvitation

bp = ApiBlueprint("bindings", __name__, description="绑定、邀请与换号")

_CODE = r"^[0-9]{6}$"


class BindingOut(Schema):
    """A live binding: one's own, or somebody's to a house that one owns."""

    id = fields.Integer(required=True)
    house_id = fields.Integer(required=True)
    community = fields.String(required=True)
    house = fields.String(required=True)
    name = fields.String(required=True)
    phone_masked = fields.String(required=True)
    role = fields.String(required=True, metadata={"enum": ["owner", "family", "tenant"]})
    role_shown = fields.String(required=True)
    because = fields.String(required=True)
    rights = fields.Nested(RightsOut, required=True)
    live_until = fields.Date(required=True, allow_none=True)
    is_own = fields.Boolean(required=True)


class BindingsOut(Schema):
    """Bindings, newest first."""

    items = fields.List(fields.Nested(BindingOut), required=True)


class BoundOut(Schema):
    """How many houses were bound now."""

    bound_count = fields.Integer(required=True)


class ApplicationIn(Input):
    """Which house one asks for, as whom, and what proves it."""

    community = Words(limit=50, required=True, metadata={"example": "翠湖花园"})
    house = Words(limit=40, required=True, metadata={"example": "1栋1单元101"})
    name = Words(limit=50, required=True)
    role = OneOf(["owner", "family", "tenant"], required=True)
    proof = Words(limit=500, required=True, metadata={"example": "不动产权证号 …"})
    photo_ids = PhotoIds()


class OwnApplicationOut(Schema):
    """An application of one's own and what became of it."""

    id = fields.Integer(required=True)
    community = fields.String(required=True)
    house_text = fields.String(required=True)
    role = fields.String(required=True)
    role_shown = fields.String(required=True)
    state = fields.String(
        required=True, metadata={"enum": ["pending", "approved", "rejected", "withdrawn"]}
    )
    created_at = fields.AwareDateTime(required=True)
    decided_at = fields.AwareDateTime(required=True, allow_none=True)
    decision_note = fields.String(required=True)
    photos = fields.List(fields.Nested(FileOut), required=True)


class OwnApplicationsOut(Schema):
    """Applications, newest first."""

    items = fields.List(fields.Nested(OwnApplicationOut), required=True)


class InvitationIn(Input):
    """Whom one invites to a house that one owns."""

    house_id = RowId(required=True)
    phone = Words(limit=20, required=True)
    name = Words(limit=50, required=True)
    role = OneOf(["family", "tenant"], required=True)
    rights = NestedIn(RightsIn)
    until = Day(allow_none=True, load_default=None)


class NewInvitationOut(Schema):
    """The token is told only here; hand it to whom you invite."""

    id = fields.Integer(required=True)
    token = fields.String(required=True)
    expires_at = fields.AwareDateTime(required=True)


class InvitationOut(Schema):
    """An invitation that one made, or one to one's own phone."""

    id = fields.Integer(required=True)
    community = fields.String(required=True)
    house = fields.String(required=True)
    phone_masked = fields.String(required=True)
    name = fields.String(required=True)
    role = fields.String(required=True)
    role_shown = fields.String(required=True)
    state = fields.String(
        required=True, metadata={"enum": ["open", "accepted", "revoked", "expired"]}
    )
    expires_at = fields.AwareDateTime(required=True)
    is_own = fields.Boolean(required=True)


class InvitationsOut(Schema):
    """Invitations, newest first."""

    items = fields.List(fields.Nested(InvitationOut), required=True)


class AcceptIn(Input):
    """The token that came with an invitation."""

    token = Words(limit=64, pattern=r"^[A-Za-z0-9_-]+$", required=True)


class NewPhoneIn(Input):
    """The number that one wants."""

    phone = Words(limit=20, required=True)


class NewPhoneCodesIn(NewPhoneIn):
    """The codes that came to the old and to the new number."""

    old_code = Words(limit=6, pattern=_CODE, required=True)
    new_code = Words(limit=6, pattern=_CODE, required=True)


@bp.route("/bindings", methods=["GET"])
@signed_in
@bp.response(200, BindingsOut)
@bp.refusals(401, 503)
def list_bindings() -> dict[str, Any]:
    """List one's own bindings, and who else is bound to houses that one owns."""
    return {"items": own_services().house_bindings.list_own(actor=actor())}


@bp.route("/bindings", methods=["POST"])
@signed_in
@limited(BINDING)
@bp.response(200, BoundOut)
@bp.refusals(401, 429, 503)
def bind_by_phone() -> dict[str, int]:
    """Bind the houses that are on file for one's phone."""
    return {"bound_count": own_services().house_bindings.bind_by_phone(actor=actor())}


@bp.route("/bindings/<row_id:binding_id>", methods=["PATCH"])
@signed_in
@limited(BINDING)
@bp.arguments(RightsIn)
@bp.response(204)
@bp.refusals(401, 404, 422, 429, 503)
def decide_rights(form: dict[str, Any], binding_id: int) -> None:
    """Say what family or a tenant may do of a house that one owns."""
    own_services().house_bindings.decide_rights(
        actor=actor(), binding_id=binding_id, rights=read_rights(form)
    )


@bp.route("/bindings/<row_id:binding_id>", methods=["DELETE"])
@signed_in
@limited(BINDING)
@bp.response(204)
@bp.refusals(401, 404, 429, 503)
def unbind(binding_id: int) -> None:
    """End one's own binding, or that of family or a tenant of a house that one owns."""
    own_services().house_bindings.unbind(actor=actor(), binding_id=binding_id)


@bp.route("/bindings/applications", methods=["GET"])
@signed_in
@bp.response(200, OwnApplicationsOut)
@bp.refusals(401, 503)
def list_applications() -> dict[str, Any]:
    """List one's own applications and what became of them."""
    return {"items": own_services().binding_applications.list_own(actor=actor())}


@bp.route("/bindings/applications", methods=["POST"])
@signed_in
@limited(BINDING)
@bp.arguments(ApplicationIn)
@bp.response(201, IdOut)
@bp.refusals(401, 409, 422, 429, 503)
def apply(form: dict[str, Any]) -> dict[str, int]:
    """Ask to be bound to a house; the answer does not tell whether there is such a house."""
    wanted = WantedBinding(**form)
    return {"id": own_services().binding_applications.apply(actor=actor(), wanted=wanted)}


@bp.route("/bindings/applications/<row_id:application_id>", methods=["DELETE"])
@signed_in
@limited(BINDING)
@bp.response(204)
@bp.refusals(401, 404, 409, 429, 503)
def withdraw(application_id: int) -> None:
    """Take one's own application back."""
    own_services().binding_applications.withdraw(actor=actor(), application_id=application_id)


@bp.route("/invitations", methods=["GET"])
@signed_in
@bp.response(200, InvitationsOut)
@bp.refusals(401, 503)
def list_invitations() -> dict[str, Any]:
    """List invitations that one made, and open ones to one's own phone."""
    return {"items": own_services().invitations.list_own(actor=actor())}


@bp.route("/invitations", methods=["POST"])
@signed_in
@limited(BINDING)
@bp.arguments(InvitationIn)
@bp.response(201, NewInvitationOut)
@bp.refusals(401, 404, 409, 422, 429, 503)
def invite(form: dict[str, Any]) -> NewInvitation:
    """Invite somebody to a house that one owns; the token works once, for seven days."""
    house_id, rights = form.pop("house_id"), read_rights(form.pop("rights", None))
    return own_services().invitations.invite(
        actor=actor(), house_id=house_id, invited=Invited(**form, rights=rights)
    )


@bp.route("/invitations/accept", methods=["POST"])
@signed_in
@limited(BINDING)
@bp.arguments(AcceptIn)
@bp.response(201, IdOut)
@bp.refusals(401, 404, 409, 422, 429, 503)
def accept(form: dict[str, Any]) -> dict[str, int]:
    """Take an invitation to one's own phone; the id is the binding's."""
    return {"id": own_services().invitations.accept(actor=actor(), token=form["token"])}


@bp.route("/invitations/<row_id:invitation_id>", methods=["DELETE"])
@signed_in
@limited(BINDING)
@bp.response(204)
@bp.refusals(401, 404, 429, 503)
def revoke_invitation(invitation_id: int) -> None:
    """Take back an invitation of one's own."""
    own_services().invitations.revoke(actor=actor(), invitation_id=invitation_id)


@bp.route("/phone-change/codes", methods=["POST"])
@signed_in
@limited(BINDING)
@bp.arguments(NewPhoneIn)
@bp.response(202)
@bp.refusals(401, 422, 429, 503)
def send_codes(form: dict[str, Any]) -> None:
    """Send a code to the present and one to the new number."""
    own_services().own_phone.request(actor=actor(), new_phone=form["phone"], visit=visit())


@bp.route("/phone-change", methods=["POST"])
@signed_in
@limited(BINDING)
@bp.arguments(NewPhoneCodesIn)
@bp.response(204)
@bp.refusals(401, 409, 422, 429, 503)
def change_phone(form: dict[str, Any]) -> None:
    """Take another number; every device, this one too, signs in again with it."""
    own_services().own_phone.confirm(
        actor=actor(),
        new_phone=form["phone"],
        old_code=form["old_code"],
        new_code=form["new_code"],
        visit=visit(),
    )
