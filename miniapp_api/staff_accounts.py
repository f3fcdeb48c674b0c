"""Staff accounts and role grants, for administrators; accounts of owners, for customer service."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields

from domain.actors import Role
from miniapp_api.documentation import ApiBlueprint
from miniapp_api.fields import Flag, Input, ListOf, NestedIn, OneOf, Words
from miniapp_api.limits import MANAGING_STAFF, limited
from miniapp_api.security import actor, own_services, staff_only
from services.owner_passwords import OwnerAccount
from services.staff.accounts import HandedOut
from services.staff.reach import Reach

_PIECES = 200

bp = ApiBlueprint("staff_accounts", __name__, description="员工：账号、角色与范围")


class BuildingIn(Input):
    """One building of a community, both by code or name."""

    community = Words(limit=50, required=True)
    building = Words(limit=50, required=True)


class ScopeIn(Input):
    """Whole communities and single buildings; none of both is the whole company."""

    communities = ListOf(Words(limit=50), most=_PIECES)
    buildings = ListOf(NestedIn(BuildingIn), most=_PIECES)


class RoleIn(Input):
    """A role."""

    role = OneOf([str(role) for role in Role], required=True)


class StaffIn(ScopeIn, RoleIn):
    """A new account."""

    login_name = Words(limit=40, required=True)
    name = Words(limit=40, required=True)
    phone = Words(limit=20, load_default="")
    email = Words(limit=200, load_default="")


class StaffEditIn(Input):
    """What changes; ``no_phone`` and ``no_email`` take one away."""

    name = Words(limit=40)
    phone = Words(limit=20)
    email = Words(limit=200)
    no_phone = Flag()
    no_email = Flag()


class StaffResetIn(Input):
    """``drops_totp`` is for whoever lost phone and recovery codes."""

    drops_totp = Flag(load_default=False)


class OwnerAccountIn(Input):
    """Which phone on file gets which login name."""

    phone = Words(limit=20, required=True)
    login_name = Words(limit=40, required=True)


class HandedOutOut(Schema):
    """An account with its one-time password, told only here; with a grant it opens later."""

    staff_id = fields.Integer(required=True)
    login_name = fields.String(required=True)
    password = fields.String(required=True)
    grant_id = fields.Integer(required=True, allow_none=True)


class GrantIdOut(Schema):
    """The grant that a second person must decide, or none: it is done."""

    grant_id = fields.Integer(required=True, allow_none=True)


class OwnerAccountOut(Schema):
    """The account of an owner with its one-time password, told only here."""

    account_id = fields.Integer(required=True)
    login_name = fields.String(required=True)
    password = fields.String(required=True)


class StaffOut(Schema):
    """A member of staff; an empty ``scope`` is the whole company."""

    id = fields.Integer(required=True)
    login_name = fields.String(required=True)
    name = fields.String(required=True)
    role = fields.String(required=True)
    is_active = fields.Boolean(required=True)
    phone_masked = fields.String(required=True)
    has_email = fields.Boolean(required=True)
    has_password = fields.Boolean(required=True)
    has_totp = fields.Boolean(required=True)
    scope = fields.List(fields.String(), required=True)


class StaffListOut(Schema):
    """All in scope, by login name."""

    items = fields.List(fields.Nested(StaffOut), required=True)


class GrantOut(Schema):
    """A role that waits for a second person."""

    id = fields.Integer(required=True)
    staff_id = fields.Integer(required=True)
    login_name = fields.String(required=True)
    name = fields.String(required=True)
    role = fields.String(required=True)
    requested_by = fields.String(required=True)
    requested_at = fields.AwareDateTime(required=True)


class GrantsOut(Schema):
    """All in scope, oldest first."""

    items = fields.List(fields.Nested(GrantOut), required=True)


def _reach(form: dict[str, Any]) -> Reach:
    return Reach(
        tuple(form.get("communities", ())),
        tuple((one["community"], one["building"]) for one in form.get("buildings", ())),
    )


@bp.route("/staff/accounts", methods=["GET"])
@staff_only
@bp.response(200, StaffListOut)
@bp.refusals(401, 403, 503)
def list_accounts() -> dict[str, Any]:
    """List who has an account."""
    return {"items": own_services().staff.list_all(actor=actor())}


@bp.route("/staff/accounts", methods=["POST"])
@staff_only
@limited(MANAGING_STAFF)
@bp.arguments(StaffIn)
@bp.response(201, HandedOutOut)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def create(form: dict[str, Any]) -> HandedOut:
    """Hand out an account; a role with power over money waits for a second person."""
    return own_services().staff.create(
        actor=actor(),
        login_name=form["login_name"],
        name=form["name"],
        role=Role(form["role"]),
        phone=form["phone"],
        email=form["email"],
        reach=_reach(form),
    )


@bp.route("/staff/accounts/<row_id:staff_id>", methods=["POST"])
@staff_only
@limited(MANAGING_STAFF)
@bp.arguments(StaffEditIn)
@bp.response(200, GrantIdOut)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def edit(form: dict[str, Any], staff_id: int) -> dict[str, int | None]:
    """Change name, phone or e-mail address; with power over money the latter two wait."""
    grant_id = own_services().staff.edit(
        actor=actor(),
        staff_id=staff_id,
        name=form.get("name"),
        phone="" if form.get("no_phone") else form.get("phone"),
        email="" if form.get("no_email") else form.get("email"),
    )
    return {"grant_id": grant_id}


@bp.route("/staff/accounts/<row_id:staff_id>/role", methods=["POST"])
@staff_only
@limited(MANAGING_STAFF)
@bp.arguments(RoleIn)
@bp.response(200, GrantIdOut)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def change_role(form: dict[str, Any], staff_id: int) -> dict[str, int | None]:
    """Give another role; one with power over money waits for a second person."""
    grant_id = own_services().staff.change_role(
        actor=actor(), staff_id=staff_id, role=Role(form["role"])
    )
    return {"grant_id": grant_id}


@bp.route("/staff/accounts/<row_id:staff_id>/scope", methods=["POST"])
@staff_only
@limited(MANAGING_STAFF)
@bp.arguments(ScopeIn)
@bp.response(204)
@bp.refusals(401, 403, 404, 422, 429, 503)
def change_scope(form: dict[str, Any], staff_id: int) -> None:
    """Set for which communities and buildings somebody works."""
    own_services().staff.change_scope(actor=actor(), staff_id=staff_id, reach=_reach(form))


@bp.route("/staff/accounts/<row_id:staff_id>/disable", methods=["POST"])
@staff_only
@limited(MANAGING_STAFF)
@bp.response(204)
@bp.refusals(401, 403, 404, 429, 503)
def disable(staff_id: int) -> None:
    """Switch an account off at once."""
    own_services().staff.disable(actor=actor(), staff_id=staff_id)


@bp.route("/staff/accounts/<row_id:staff_id>/enable", methods=["POST"])
@staff_only
@limited(MANAGING_STAFF)
@bp.response(200, GrantIdOut)
@bp.refusals(401, 403, 404, 409, 429, 503)
def enable(staff_id: int) -> dict[str, int | None]:
    """Switch an account on again; with power over money it waits for a second person."""
    return {"grant_id": own_services().staff.enable(actor=actor(), staff_id=staff_id)}


@bp.route("/staff/accounts/<row_id:staff_id>/password-reset", methods=["POST"])
@staff_only
@limited(MANAGING_STAFF)
@bp.arguments(StaffResetIn)
@bp.response(200, HandedOutOut)
@bp.refusals(401, 403, 404, 422, 429, 503)
def reset_password(form: dict[str, Any], staff_id: int) -> HandedOut:
    """Hand out a new one-time password; every session ends."""
    return own_services().staff.reset_password(
        actor=actor(), staff_id=staff_id, drops_totp=form["drops_totp"]
    )


@bp.route("/staff/role-grants", methods=["GET"])
@staff_only
@bp.response(200, GrantsOut)
@bp.refusals(401, 403, 503)
def list_grants() -> dict[str, Any]:
    """List the roles that wait for a second person."""
    return {"items": own_services().role_grants.list_open(actor=actor())}


@bp.route("/staff/role-grants/<row_id:grant_id>/grant", methods=["POST"])
@staff_only
@limited(MANAGING_STAFF)
@bp.response(204)
@bp.refusals(401, 403, 404, 409, 429, 503)
def grant(grant_id: int) -> None:
    """Give a role that somebody else asked for."""
    own_services().role_grants.grant(actor=actor(), grant_id=grant_id)


@bp.route("/staff/role-grants/<row_id:grant_id>/refuse", methods=["POST"])
@staff_only
@limited(MANAGING_STAFF)
@bp.response(204)
@bp.refusals(401, 403, 404, 409, 429, 503)
def refuse(grant_id: int) -> None:
    """Refuse a role that somebody else asked for."""
    own_services().role_grants.refuse(actor=actor(), grant_id=grant_id)


@bp.route("/staff/owner-accounts", methods=["POST"])
@staff_only
@limited(MANAGING_STAFF)
@bp.arguments(OwnerAccountIn)
@bp.response(201, OwnerAccountOut)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def hand_out_owner_account(form: dict[str, Any]) -> OwnerAccount:
    """Give the owner of a phone on file a login name and a one-time password."""
    return own_services().owner_passwords.hand_out(
        actor=actor(), phone=form["phone"], login_name=form["login_name"]
    )
