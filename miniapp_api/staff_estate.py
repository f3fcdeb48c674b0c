"""Communities and buildings, for the programs of staff."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from marshmallow import Schema, fields

from miniapp_api.documentation import ApiBlueprint
from miniapp_api.estate_fields import (
    BuildingColumnsIn,
    BuildingEditIn,
    CommunityEditIn,
    NumberOut,
    RetireIn,
    UnitEditIn,
    seen_of,
    text_in,
)
from miniapp_api.fields import Input, Words
from miniapp_api.limits import KEEPING_ESTATE, limited
from miniapp_api.people_fields import IdOut, ReasonIn
from miniapp_api.security import actor, own_services, staff_only
from miniapp_api.staff_owners import community_id as find_community
from services.base_data.building_lists import BuildingDetail, BuildingView
from services.base_data.communities import CommunityDetail

bp = ApiBlueprint("staff_estate", __name__, description="员工：小区与楼栋")


class CommunityOut(Schema):
    """A community in a list."""

    id = fields.Integer(required=True)
    code = fields.String(required=True)
    name = fields.String(required=True)


class CommunitiesOut(Schema):
    """All communities in scope, by their code."""

    items = fields.List(fields.Nested(CommunityOut), required=True)


class CommunityDetailOut(CommunityOut):
    """A community in full, areas in ㎡."""

    address = fields.String(required=True)
    province = fields.String(required=True)
    city = fields.String(required=True)
    district = fields.String(required=True)
    street = fields.String(required=True)
    street_no = fields.String(required=True)
    land_area = NumberOut(required=True, allow_none=True)
    built_area = NumberOut(required=True, allow_none=True)
    building_type = fields.String(required=True)
    green_percent = NumberOut(required=True, allow_none=True)
    completed_on = fields.Date(required=True, allow_none=True)
    developer = fields.String(required=True)
    service_phone = fields.String(required=True)
    note = fields.String(required=True)
    liable_from_rule = fields.String(required=True)
    retired_on = fields.Date(required=True, allow_none=True)
    building_count = fields.Integer(required=True)
    house_count = fields.Integer(required=True)


class NewCommunityIn(Input):
    """A community to put on file; all else is written by an edit."""

    code = Words(limit=8, required=True, metadata={"example": "CH"})
    name = Words(limit=50, required=True)
    address = text_in(200)


class BuildingOut(Schema):
    """A building; its houses are counted that are not retired."""

    id = fields.Integer(required=True)
    community_id = fields.Integer(required=True)
    name = fields.String(required=True)
    building_type = fields.String(required=True)
    floor_count = fields.Integer(required=True, allow_none=True)
    note = fields.String(required=True)
    retired_on = fields.Date(required=True, allow_none=True)
    house_count = fields.Integer(required=True)


class UnitOut(Schema):
    """A unit of a building."""

    unit_no = fields.String(required=True)
    floor_count = fields.Integer(required=True, allow_none=True)
    lift_count = fields.Integer(required=True, allow_none=True)
    note = fields.String(required=True)
    house_count = fields.Integer(required=True)


class BuildingsOut(Schema):
    """The buildings of a community that are in scope."""

    items = fields.List(fields.Nested(BuildingOut), required=True)


class BuildingDetailOut(Schema):
    """A building with its units."""

    building = fields.Nested(BuildingOut, required=True)
    units = fields.List(fields.Nested(UnitOut), required=True)


class BuildingQuery(Input):
    """Which community, by code or name."""

    community = Words(limit=50, required=True, metadata={"example": "CH"})


class NewBuildingIn(BuildingColumnsIn):
    """A building to put on file."""

    community = Words(limit=50, required=True, metadata={"example": "CH"})
    name = Words(limit=20, required=True)


@bp.route("/staff/communities", methods=["GET"])
@staff_only
@limited(KEEPING_ESTATE)
@bp.response(200, CommunitiesOut)
@bp.refusals(401, 403, 429, 503)
def list_communities() -> dict[str, Any]:
    """List communities."""
    return {"items": own_services().estate.list_communities(actor=actor())}


@bp.route("/staff/communities", methods=["POST"])
@staff_only
@limited(KEEPING_ESTATE)
@bp.arguments(NewCommunityIn)
@bp.response(201, IdOut)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def add_community(form: dict[str, Any]) -> dict[str, int]:
    """Put a community on file; for staff of the whole company."""
    return {"id": own_services().estate.add_community(actor=actor(), **form)}


@bp.route("/staff/communities/<row_id:community_id>", methods=["GET"])
@staff_only
@limited(KEEPING_ESTATE)
@bp.response(200, CommunityDetailOut)
@bp.refusals(401, 403, 404, 429, 503)
def show_community(community_id: int) -> CommunityDetail:
    """Show a community in full."""
    return own_services().community_register.show(actor=actor(), community_id=community_id)


@bp.route("/staff/communities/<row_id:community_id>", methods=["PATCH"])
@staff_only
@limited(KEEPING_ESTATE)
@bp.arguments(CommunityEditIn)
@bp.response(204)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def edit_community(form: dict[str, Any], community_id: int) -> None:
    """Change columns of a community."""
    own_services().community_register.edit(
        actor=actor(), community_id=community_id, **seen_of(form)
    )


@bp.route("/staff/communities/<row_id:community_id>/retire", methods=["POST"])
@staff_only
@limited(KEEPING_ESTATE)
@bp.arguments(RetireIn)
@bp.response(204)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def retire_community(form: dict[str, Any], community_id: int) -> None:
    """Manage a community no longer."""
    own_services().community_register.retire(actor=actor(), community_id=community_id, **form)


@bp.route("/staff/communities/<row_id:community_id>/restore", methods=["POST"])
@staff_only
@limited(KEEPING_ESTATE)
@bp.arguments(ReasonIn)
@bp.response(204)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def restore_community(form: dict[str, Any], community_id: int) -> None:
    """Take a retirement back."""
    own_services().community_register.restore(actor=actor(), community_id=community_id, **form)


@bp.route("/staff/buildings", methods=["GET"])
@staff_only
@limited(KEEPING_ESTATE)
@bp.arguments(BuildingQuery, location="query")
@bp.response(200, BuildingsOut)
@bp.refusals(401, 403, 404, 422, 429, 503)
def list_buildings(query: dict[str, Any]) -> dict[str, Sequence[BuildingView]]:
    """List the buildings of a community."""
    found = own_services().building_lists.list_buildings(
        actor=actor(), community_id=find_community(query["community"]) or 0
    )
    return {"items": found}


@bp.route("/staff/buildings", methods=["POST"])
@staff_only
@limited(KEEPING_ESTATE)
@bp.arguments(NewBuildingIn)
@bp.response(201, IdOut)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def add_building(form: dict[str, Any]) -> dict[str, int]:
    """Put a building on file."""
    community = form.pop("community")
    building_id = own_services().building_register.add(
        actor=actor(), community_id=find_community(community) or 0, building=form
    )
    return {"id": building_id}


@bp.route("/staff/buildings/<row_id:building_id>", methods=["GET"])
@staff_only
@limited(KEEPING_ESTATE)
@bp.response(200, BuildingDetailOut)
@bp.refusals(401, 403, 404, 429, 503)
def show_building(building_id: int) -> BuildingDetail:
    """Show a building with its units."""
    return own_services().building_lists.show(actor=actor(), building_id=building_id)


@bp.route("/staff/buildings/<row_id:building_id>", methods=["PATCH"])
@staff_only
@limited(KEEPING_ESTATE)
@bp.arguments(BuildingEditIn)
@bp.response(204)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def edit_building(form: dict[str, Any], building_id: int) -> None:
    """Change columns of a building."""
    own_services().building_register.edit(actor=actor(), building_id=building_id, **seen_of(form))


@bp.route("/staff/buildings/<row_id:building_id>/units", methods=["PATCH"])
@staff_only
@limited(KEEPING_ESTATE)
@bp.arguments(UnitEditIn)
@bp.response(204)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def edit_unit(form: dict[str, Any], building_id: int) -> None:
    """Change what is known of a unit."""
    own_services().building_register.edit_unit(
        actor=actor(), building_id=building_id, unit_no=form["unit_no"], **seen_of(form)
    )


@bp.route("/staff/buildings/<row_id:building_id>/retire", methods=["POST"])
@staff_only
@limited(KEEPING_ESTATE)
@bp.arguments(RetireIn)
@bp.response(204)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def retire_building(form: dict[str, Any], building_id: int) -> None:
    """Let a building be none any more."""
    own_services().building_register.retire(actor=actor(), building_id=building_id, **form)


@bp.route("/staff/buildings/<row_id:building_id>/restore", methods=["POST"])
@staff_only
@limited(KEEPING_ESTATE)
@bp.arguments(ReasonIn)
@bp.response(204)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def restore_building(form: dict[str, Any], building_id: int) -> None:
    """Take a retirement back."""
    own_services().building_register.restore(actor=actor(), building_id=building_id, **form)


@bp.route("/staff/buildings/<row_id:building_id>/remove", methods=["POST"])
@staff_only
@limited(KEEPING_ESTATE)
@bp.arguments(ReasonIn)
@bp.response(204)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def remove_building(form: dict[str, Any], building_id: int) -> None:
    """Delete a building that was typed in by mistake."""
    own_services().building_register.remove(actor=actor(), building_id=building_id, **form)
