"""Parking spaces and cars, for the programs of staff."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields

from miniapp_api.documentation import ApiBlueprint
from miniapp_api.estate_fields import (
    RIGHTS,
    CarColumnsIn,
    CarEditIn,
    NumberOut,
    RetireIn,
    SpaceColumnsIn,
    SpaceEditIn,
    seen_of,
    text_in,
)
from miniapp_api.fields import OneOf, Words
from miniapp_api.limits import KEEPING_ESTATE, limited
from miniapp_api.paging import make_page
from miniapp_api.people_fields import IdOut, ReasonIn, StaffPage
from miniapp_api.security import actor, own_services, staff_only
from miniapp_api.staff_owners import community_id as find_community

bp = ApiBlueprint("staff_estate_parking", __name__, description="员工：车位与车辆")


class ParkingQuery(StaffPage):
    """Which community, and part of a number or plate."""

    community = Words(limit=50, required=True, metadata={"example": "CH"})
    text = Words(limit=30)


class SpaceOut(Schema):
    """A parking space on file, area in ㎡."""

    id = fields.Integer(required=True)
    community_id = fields.Integer(required=True)
    space_no = fields.String(required=True)
    zone = fields.String(required=True)
    area = NumberOut(required=True, allow_none=True)
    right_kind = fields.String(required=True)
    house_id = fields.Integer(required=True, allow_none=True)
    house = fields.String(required=True)
    owner_id = fields.Integer(required=True, allow_none=True)
    owner = fields.String(required=True)
    note = fields.String(required=True)
    retired_on = fields.Date(required=True, allow_none=True)
    plates = fields.List(fields.String(), required=True)


class SpacesOut(Schema):
    """A page of spaces, newest first."""

    items = fields.List(fields.Nested(SpaceOut), required=True)
    next_before_id = fields.Integer(required=True, allow_none=True)


class NewSpaceIn(SpaceColumnsIn):
    """A parking space to put on file."""

    community = Words(limit=50, required=True, metadata={"example": "CH"})
    space_no = Words(limit=30, required=True)
    right_kind = OneOf(RIGHTS, required=True)


class CarOut(Schema):
    """A car on file."""

    id = fields.Integer(required=True)
    community_id = fields.Integer(required=True)
    plate_no = fields.String(required=True)
    space_id = fields.Integer(required=True, allow_none=True)
    space_no = fields.String(required=True)
    owner_id = fields.Integer(required=True, allow_none=True)
    owner = fields.String(required=True)
    note = fields.String(required=True)


class CarsOut(Schema):
    """A page of cars, newest first."""

    items = fields.List(fields.Nested(CarOut), required=True)
    next_before_id = fields.Integer(required=True, allow_none=True)


class NewCarIn(CarColumnsIn):
    """A car to register."""

    community = Words(limit=50, required=True, metadata={"example": "CH"})
    plate_no = Words(limit=20, required=True, metadata={"example": "粤B96741"})
    note = text_in(200)


@bp.route("/staff/parking-spaces", methods=["GET"])
@staff_only
@limited(KEEPING_ESTATE)
@bp.arguments(ParkingQuery, location="query")
@bp.response(200, SpacesOut)
@bp.refusals(401, 403, 404, 422, 429, 503)
def find_spaces(query: dict[str, Any]) -> dict[str, Any]:
    """Find parking spaces of a community."""
    found = own_services().space_register.find(
        actor=actor(),
        community_id=find_community(query["community"]) or 0,
        text=query.get("text", ""),
        before_id=query["before_id"],
        limit=query["limit"] + 1,
    )
    return make_page(found, query["limit"])


@bp.route("/staff/parking-spaces", methods=["POST"])
@staff_only
@limited(KEEPING_ESTATE)
@bp.arguments(NewSpaceIn)
@bp.response(201, IdOut)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def add_space(form: dict[str, Any]) -> dict[str, int]:
    """Put a parking space on file."""
    community = form.pop("community")
    space_id = own_services().space_register.add(
        actor=actor(), community_id=find_community(community) or 0, space=form
    )
    return {"id": space_id}


@bp.route("/staff/parking-spaces/<row_id:space_id>", methods=["PATCH"])
@staff_only
@limited(KEEPING_ESTATE)
@bp.arguments(SpaceEditIn)
@bp.response(204)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def edit_space(form: dict[str, Any], space_id: int) -> None:
    """Change columns of a parking space."""
    own_services().space_register.edit(actor=actor(), space_id=space_id, **seen_of(form))


@bp.route("/staff/parking-spaces/<row_id:space_id>/retire", methods=["POST"])
@staff_only
@limited(KEEPING_ESTATE)
@bp.arguments(RetireIn)
@bp.response(204)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def retire_space(form: dict[str, Any], space_id: int) -> None:
    """Let a parking space be none any more."""
    own_services().space_register.retire(actor=actor(), space_id=space_id, **form)


@bp.route("/staff/parking-spaces/<row_id:space_id>/restore", methods=["POST"])
@staff_only
@limited(KEEPING_ESTATE)
@bp.arguments(ReasonIn)
@bp.response(204)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def restore_space(form: dict[str, Any], space_id: int) -> None:
    """Take a retirement back."""
    own_services().space_register.restore(actor=actor(), space_id=space_id, **form)


@bp.route("/staff/parking-spaces/<row_id:space_id>/remove", methods=["POST"])
@staff_only
@limited(KEEPING_ESTATE)
@bp.arguments(ReasonIn)
@bp.response(204)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def remove_space(form: dict[str, Any], space_id: int) -> None:
    """Delete a parking space that was typed in by mistake."""
    own_services().space_register.remove(actor=actor(), space_id=space_id, **form)


@bp.route("/staff/cars", methods=["GET"])
@staff_only
@limited(KEEPING_ESTATE)
@bp.arguments(ParkingQuery, location="query")
@bp.response(200, CarsOut)
@bp.refusals(401, 403, 404, 422, 429, 503)
def find_cars(query: dict[str, Any]) -> dict[str, Any]:
    """Find cars of a community."""
    found = own_services().car_register.find(
        actor=actor(),
        community_id=find_community(query["community"]) or 0,
        text=query.get("text", ""),
        before_id=query["before_id"],
        limit=query["limit"] + 1,
    )
    return make_page(found, query["limit"])


@bp.route("/staff/cars", methods=["POST"])
@staff_only
@limited(KEEPING_ESTATE)
@bp.arguments(NewCarIn)
@bp.response(201, IdOut)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def add_car(form: dict[str, Any]) -> dict[str, int]:
    """Register a car."""
    community = form.pop("community")
    car_id = own_services().car_register.add(
        actor=actor(), community_id=find_community(community) or 0, car=form
    )
    return {"id": car_id}


@bp.route("/staff/cars/<row_id:car_id>", methods=["PATCH"])
@staff_only
@limited(KEEPING_ESTATE)
@bp.arguments(CarEditIn)
@bp.response(204)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def edit_car(form: dict[str, Any], car_id: int) -> None:
    """Change columns of a car."""
    own_services().car_register.edit(actor=actor(), car_id=car_id, **seen_of(form))


@bp.route("/staff/cars/<row_id:car_id>/remove", methods=["POST"])
@staff_only
@limited(KEEPING_ESTATE)
@bp.arguments(ReasonIn)
@bp.response(204)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def remove_car(form: dict[str, Any], car_id: int) -> None:
    """Delete a car."""
    own_services().car_register.remove(actor=actor(), car_id=car_id, **form)
