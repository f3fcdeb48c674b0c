"""Meters as base data, for the programs of staff."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from marshmallow import Schema, fields

from miniapp_api.documentation import ApiBlueprint
from miniapp_api.estate_fields import MeterEditIn, NumberIn, NumberOut, seen_of
from miniapp_api.fields import Day, Input, Words
from miniapp_api.limits import KEEPING_ESTATE, limited
from miniapp_api.people_fields import ReasonIn
from miniapp_api.security import actor, own_services, staff_only

bp = ApiBlueprint("staff_estate_meters", __name__, description="员工：表具档案")


class MeterQuery(Input):
    """Which community, and part of a number or of a house's name."""

    community = Words(limit=50, required=True, metadata={"example": "CH"})
    text = Words(limit=60)


class MeterOut(Schema):
    """A meter on file; ``closed_on`` null means that it is in use."""

    id = fields.Integer(required=True)
    community_id = fields.Integer(required=True)
    meter_no = fields.String(required=True)
    kind = fields.String(required=True)
    house_id = fields.Integer(required=True, allow_none=True)
    house = fields.String(required=True)
    multiplier = NumberOut(required=True)
    modulus = NumberOut(required=True, allow_none=True)
    opened_on = fields.Date(required=True)
    opening_reading = NumberOut(required=True)
    closed_on = fields.Date(required=True, allow_none=True)
    closing_reading = NumberOut(required=True, allow_none=True)
    replaces_meter_id = fields.Integer(required=True, allow_none=True)
    read_on = fields.Date(required=True, allow_none=True)
    reading = NumberOut(required=True, allow_none=True)


class MetersOut(Schema):
    """The meters of a community, as they came on file."""

    items = fields.List(fields.Nested(MeterOut), required=True)


class MeterRetireIn(ReasonIn):
    """The last reading of a meter, at the end of a day."""

    closing_reading = NumberIn(required=True, allow_none=False)
    closed_on = Day(required=True)


@bp.route("/staff/meters", methods=["GET"])
@staff_only
@limited(KEEPING_ESTATE)
@bp.arguments(MeterQuery, location="query")
@bp.response(200, MetersOut)
@bp.refusals(401, 403, 404, 422, 429, 503)
def list_meters(query: dict[str, Any]) -> dict[str, Any]:
    """List the meters of a community."""
    lists = own_services().meter_lists
    community = lists.find_community(actor=actor(), code=query["community"])
    return {
        "items": lists.list_meters(
            actor=actor(), community_id=community.id, search=query.get("text", "")
        )
    }


@bp.route("/staff/meters/<row_id:meter_id>", methods=["PATCH"])
@staff_only
@limited(KEEPING_ESTATE)
@bp.arguments(MeterEditIn)
@bp.response(204)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def edit_meter(form: dict[str, Any], meter_id: int) -> None:
    """Correct the number of a meter, or where its counter ends."""
    own_services().meter_keeping.edit(actor=actor(), meter_id=meter_id, **seen_of(form))


@bp.route("/staff/meters/<row_id:meter_id>/retire", methods=["POST"])
@staff_only
@limited(KEEPING_ESTATE)
@bp.arguments(MeterRetireIn)
@bp.response(204)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def retire_meter(form: dict[str, Any], meter_id: int) -> None:
    """Close a meter that nothing replaces."""
    own_services().meter_keeping.retire(
        actor=actor(),
        meter_id=meter_id,
        closing_reading=Decimal(form["closing_reading"]),
        closed_on=form["closed_on"],
        reason=form["reason"],
    )
