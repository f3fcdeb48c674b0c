"""The people of houses and their bindings, for the programs of staff."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields

from domain.house_roles import PersonRole
from miniapp_api.bindings import BindingOut, OwnApplicationOut
from miniapp_api.documentation import ApiBlueprint
from miniapp_api.fields import Day, Input, ListOf, NestedIn, OneOf, RowId
from miniapp_api.limits import KEEPING_OWNERS, limited
from miniapp_api.paging import make_page
from miniapp_api.people_fields import (
    IdOut,
    ReasonIn,
    RightsIn,
    RightsOut,
    StaffPage,
    read_rights,
    read_share,
    share_field,
)
from miniapp_api.security import actor, own_services, staff_only
from miniapp_api.staff_owners import community_id
from services.people.part_rows import NewPart

bp = ApiBlueprint("staff_people", __name__, description="员工：房屋人员与绑定")


class PeopleQuery(Input):
    """Whether those of the past are asked for too."""

    past = OneOf(["yes", "no"], load_default="no")


class PersonOut(Schema):
    """Somebody's part in a house."""

    id = fields.Integer(required=True)
    owner_id = fields.Integer(required=True)
    name = fields.String(required=True)
    phone_masked = fields.String(required=True)
    role = fields.String(required=True)
    role_shown = fields.String(required=True)
    share_ratio = fields.String(required=True, allow_none=True)
    person_from = fields.Date(required=True)
    person_until = fields.Date(required=True, allow_none=True)
    rights = fields.Nested(RightsOut, required=True)
    is_bound = fields.Boolean(required=True)


class PeopleOut(Schema):
    """The people of a house, owners first."""

    items = fields.List(fields.Nested(PersonOut), required=True)


class NewPersonIn(ReasonIn):
    """Who is to be what in a house, and when."""

    owner_id = RowId(required=True)
    role = OneOf([str(role) for role in PersonRole], required=True)
    share_ratio = share_field(load_default=None, allow_none=True)
    person_from = Day(load_default=None, allow_none=True)
    person_until = Day(load_default=None, allow_none=True)
    rights = NestedIn(RightsIn)


class PersonRightsIn(ReasonIn):
    """What an owner decided for somebody."""

    rights = NestedIn(RightsIn, required=True)


class UntilIn(ReasonIn):
    """The first day on which they are nobody to the house."""

    until = Day(required=True)


class ShareIn(Input):
    """The share of one part."""

    person_id = RowId(required=True)
    share_ratio = share_field(required=True, allow_none=True)


class SharesIn(ReasonIn):
    """The shares of all present owners that change, at once."""

    shares = ListOf(fields.Nested(ShareIn), most=50, required=True)


class BindingQuery(StaffPage):
    """Whose bindings."""

    house_id = RowId(strict=False)


class BindingPageOut(Schema):
    """A page of live bindings, newest first."""

    items = fields.List(fields.Nested(BindingOut), required=True)
    next_before_id = fields.Integer(required=True, allow_none=True)


class ApplicationQuery(StaffPage):
    """Which applications."""

    state = OneOf(["pending", "approved", "rejected", "withdrawn"], load_default="pending")


class ApplicationOut(OwnApplicationOut):
    """An application, and for which house its words were taken."""

    name = fields.String(required=True)
    proof = fields.String(required=True)
    phone_masked = fields.String(required=True)
    house_id = fields.Integer(required=True, allow_none=True)
    house = fields.String(required=True)


class ApplicationPageOut(Schema):
    """A page of applications, newest first."""

    items = fields.List(fields.Nested(ApplicationOut), required=True)
    next_before_id = fields.Integer(required=True, allow_none=True)


class ApproveIn(ReasonIn):
    """Which house and owner are meant, where the application does not say."""

    house_id = RowId(load_default=None, allow_none=True)
    owner_id = RowId(load_default=None, allow_none=True)
    until = Day(load_default=None, allow_none=True)


@bp.route("/staff/houses/<row_id:house_id>/people", methods=["GET"])
@staff_only
@limited(KEEPING_OWNERS)
@bp.arguments(PeopleQuery, location="query")
@bp.response(200, PeopleOut)
@bp.refusals(401, 403, 404, 422, 429, 503)
def list_people(query: dict[str, Any], house_id: int) -> dict[str, Any]:
    """List who belongs to a house."""
    found = own_services().house_people.list_people(
        actor=actor(), house_id=house_id, with_past=query["past"] == "yes"
    )
    return {"items": found}


@bp.route("/staff/houses/<row_id:house_id>/people", methods=["POST"])
@staff_only
@limited(KEEPING_OWNERS)
@bp.arguments(NewPersonIn)
@bp.response(201, IdOut)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def add_person(form: dict[str, Any], house_id: int) -> dict[str, int]:
    """Let an owner on file be somebody to a house."""
    part = NewPart(
        owner_id=form["owner_id"],
        role=PersonRole(form["role"]),
        share_ratio=read_share(form["share_ratio"]),
        person_from=form["person_from"],
        person_until=form["person_until"],
        rights=read_rights(form.get("rights")),
    )
    person_id = own_services().house_people.add(
        actor=actor(), house_id=house_id, part=part, reason=form["reason"]
    )
    return {"id": person_id}


@bp.route("/staff/houses/<row_id:house_id>/shares", methods=["PUT"])
@staff_only
@limited(KEEPING_OWNERS)
@bp.arguments(SharesIn)
@bp.response(204)
@bp.refusals(401, 403, 404, 422, 429, 503)
def set_shares(form: dict[str, Any], house_id: int) -> None:
    """Give the present owners of a house their shares."""
    shares = {one["person_id"]: read_share(one["share_ratio"]) for one in form["shares"]}
    own_services().house_people.set_shares(
        actor=actor(), house_id=house_id, shares=shares, reason=form["reason"]
    )


@bp.route("/staff/house-people/<row_id:person_id>/rights", methods=["PUT"])
@staff_only
@limited(KEEPING_OWNERS)
@bp.arguments(PersonRightsIn)
@bp.response(204)
@bp.refusals(401, 403, 404, 422, 429, 503)
def decide_rights(form: dict[str, Any], person_id: int) -> None:
    """Write down what an owner lets somebody do."""
    own_services().house_people.decide_rights(
        actor=actor(),
        person_id=person_id,
        rights=read_rights(form["rights"]),
        reason=form["reason"],
    )


@bp.route("/staff/house-people/<row_id:person_id>/end", methods=["POST"])
@staff_only
@limited(KEEPING_OWNERS)
@bp.arguments(UntilIn)
@bp.response(204)
@bp.refusals(401, 403, 404, 422, 429, 503)
def end_person(form: dict[str, Any], person_id: int) -> None:
    """End somebody's part in a house from a day on."""
    own_services().house_people.end(actor=actor(), person_id=person_id, **form)


@bp.route("/staff/house-people/<row_id:person_id>/remove", methods=["POST"])
@staff_only
@limited(KEEPING_OWNERS)
@bp.arguments(ReasonIn)
@bp.response(204)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def remove_person(form: dict[str, Any], person_id: int) -> None:
    """Take away a part that was typed in by mistake."""
    own_services().house_people.remove(actor=actor(), person_id=person_id, **form)


@bp.route("/staff/bindings", methods=["GET"])
@staff_only
@limited(KEEPING_OWNERS)
@bp.arguments(BindingQuery, location="query")
@bp.response(200, BindingPageOut)
@bp.refusals(401, 403, 404, 422, 429, 503)
def list_bindings(query: dict[str, Any]) -> dict[str, Any]:
    """List live bindings."""
    found = own_services().house_bindings.list_bindings(
        actor=actor(),
        community_id=community_id(query.get("community")),
        house_id=query.get("house_id"),
        before_id=query["before_id"],
        limit=query["limit"] + 1,
    )
    return make_page(found, query["limit"])


@bp.route("/staff/bindings/<row_id:binding_id>/revoke", methods=["POST"])
@staff_only
@limited(KEEPING_OWNERS)
@bp.arguments(ReasonIn)
@bp.response(204)
@bp.refusals(401, 403, 404, 422, 429, 503)
def revoke_binding(form: dict[str, Any], binding_id: int) -> None:
    """End a binding; the account's devices must sign in again."""
    own_services().house_bindings.revoke(actor=actor(), binding_id=binding_id, **form)


@bp.route("/staff/bindings/applications", methods=["GET"])
@staff_only
@limited(KEEPING_OWNERS)
@bp.arguments(ApplicationQuery, location="query")
@bp.response(200, ApplicationPageOut)
@bp.refusals(401, 403, 404, 422, 429, 503)
def list_applications(query: dict[str, Any]) -> dict[str, Any]:
    """List applications to be bound."""
    found = own_services().binding_applications.list_applications(
        actor=actor(),
        community_id=community_id(query.get("community")),
        state=query["state"],
        before_id=query["before_id"],
        limit=query["limit"] + 1,
    )
    return make_page(found, query["limit"])


@bp.route("/staff/bindings/applications/<row_id:application_id>/approve", methods=["POST"])
@staff_only
@limited(KEEPING_OWNERS)
@bp.arguments(ApproveIn)
@bp.response(201, IdOut)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def approve(form: dict[str, Any], application_id: int) -> dict[str, int]:
    """Bind the applicant; the id is the binding's."""
    binding_id = own_services().binding_applications.approve(
        actor=actor(), application_id=application_id, **form
    )
    return {"id": binding_id}


@bp.route("/staff/bindings/applications/<row_id:application_id>/reject", methods=["POST"])
@staff_only
@limited(KEEPING_OWNERS)
@bp.arguments(ReasonIn)
@bp.response(204)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def reject(form: dict[str, Any], application_id: int) -> None:
    """Refuse an application; the applicant reads the reason."""
    own_services().binding_applications.reject(actor=actor(), application_id=application_id, **form)
