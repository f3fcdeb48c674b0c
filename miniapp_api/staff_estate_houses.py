"""Houses as base data, for the programs of staff."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields

from domain.houses import HouseState
from miniapp_api.documentation import ApiBlueprint
from miniapp_api.estate_fields import (
    HouseColumnsIn,
    HouseEditIn,
    NumberIn,
    NumberOut,
    RetireIn,
    SpanOut,
    seen_of,
)
from miniapp_api.fields import Day, Input, NestedIn, OneOf, RowId, Words
from miniapp_api.limits import KEEPING_ESTATE, limited
from miniapp_api.paging import make_page
from miniapp_api.people_fields import IdOut, ReasonIn, StaffPage
from miniapp_api.security import actor, own_services, staff_only
from miniapp_api.staff_owners import community_id as find_community
from services.base_data.house_lists import HouseFilter, HouseView
from services.base_data.house_previews import HousePreview

bp = ApiBlueprint("staff_estate_houses", __name__, description="员工：房屋档案")

_STATES = [str(state) for state in HouseState]


class HouseQuery(StaffPage):
    """Which houses; all of it must hold."""

    building_id = RowId(strict=False)
    text = Words(limit=60, metadata={"example": "3-1-502"})
    retired = OneOf(["yes", "no"])


class FiledHouseOut(Schema):
    """A house on file, areas in ㎡; ``state`` is today's use."""

    id = fields.Integer(required=True)
    community_id = fields.Integer(required=True)
    community = fields.String(required=True)
    building_id = fields.Integer(required=True)
    building = fields.String(required=True)
    unit_no = fields.String(required=True)
    room_no = fields.String(required=True)
    label = fields.String(required=True)
    floor_no = fields.Integer(required=True, allow_none=True)
    layout = fields.String(required=True)
    building_area = NumberOut(required=True)
    inner_area = NumberOut(required=True, allow_none=True)
    billing_area = NumberOut(required=True)
    fee_coefficient = NumberOut(required=True)
    handover_date = fields.Date(required=True, allow_none=True)
    household_size = fields.Integer(required=True, allow_none=True)
    note = fields.String(required=True)
    state = fields.String(required=True, allow_none=True)
    retired_on = fields.Date(required=True, allow_none=True)


class FiledHousesOut(Schema):
    """A page of houses, newest first."""

    items = fields.List(fields.Nested(FiledHouseOut), required=True)
    next_before_id = fields.Integer(required=True, allow_none=True)


class NewHouseIn(HouseColumnsIn):
    """A house to put on file."""

    building_id = RowId(required=True)
    room_no = Words(limit=20, required=True)
    building_area = NumberIn(required=True)
    state = OneOf(_STATES, load_default=str(HouseState.DELIVERED))


class UseIn(ReasonIn):
    """How a house is used from a day on."""

    state = OneOf(_STATES, required=True)
    holds_from = Day(required=True)


class HousePreviewIn(Input):
    """A change, or the day of a retirement."""

    changes = NestedIn(HouseColumnsIn, load_default=dict)
    holds_from = Day(load_default=None, allow_none=True)
    retired_on = Day(load_default=None, allow_none=True)


class FeeEffectOut(Schema):
    """An item whose coming bills change; null where there is no bill."""

    fee_item_id = fields.Integer(required=True)
    name = fields.String(required=True)
    period_before = fields.Nested(SpanOut, required=True, allow_none=True)
    before_fen = fields.Integer(required=True, allow_none=True)
    period_after = fields.Nested(SpanOut, required=True, allow_none=True)
    after_fen = fields.Integer(required=True, allow_none=True)
    why_not = fields.String(required=True)


class DraftEffectOut(Schema):
    """An open batch that is to be made anew."""

    batch_id = fields.Integer(required=True)
    month = fields.Nested(SpanOut, required=True)
    bill_count = fields.Integer(required=True)
    before_fen = fields.Integer(required=True)
    after_fen = fields.Integer(required=True)


class HousePreviewOut(Schema):
    """What a change will do; nothing was written."""

    house_id = fields.Integer(required=True)
    house = fields.String(required=True)
    before = fields.Dict(keys=fields.String(), required=True)
    after = fields.Dict(keys=fields.String(), required=True)
    fees = fields.List(fields.Nested(FeeEffectOut), required=True)
    drafts = fields.List(fields.Nested(DraftEffectOut), required=True)
    unpaid_count = fields.Integer(required=True)
    unpaid_fen = fields.Integer(required=True)
    people_count = fields.Integer(required=True)
    binding_count = fields.Integer(required=True)
    blocks = fields.List(fields.String(), required=True)


@bp.route("/staff/houses", methods=["GET"])
@staff_only
@limited(KEEPING_ESTATE)
@bp.arguments(HouseQuery, location="query")
@bp.response(200, FiledHousesOut)
@bp.refusals(401, 403, 404, 422, 429, 503)
def find_houses(query: dict[str, Any]) -> dict[str, Any]:
    """Find houses by any part of their name."""
    found = own_services().house_lists.find(
        actor=actor(),
        which=HouseFilter(
            community_id=find_community(query.get("community")),
            building_id=query.get("building_id"),
            text=query.get("text", ""),
            is_retired={"yes": True, "no": False}.get(query.get("retired", "")),
        ),
        before_id=query["before_id"],
        limit=query["limit"] + 1,
    )
    return make_page(found, query["limit"])


@bp.route("/staff/houses", methods=["POST"])
@staff_only
@limited(KEEPING_ESTATE)
@bp.arguments(NewHouseIn)
@bp.response(201, IdOut)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def add_house(form: dict[str, Any]) -> dict[str, int]:
    """Put a house on file."""
    building_id, state = form.pop("building_id"), HouseState(form.pop("state"))
    house_id = own_services().house_register.add(
        actor=actor(), building_id=building_id, house=form, state=state
    )
    return {"id": house_id}


@bp.route("/staff/houses/<row_id:house_id>", methods=["GET"])
@staff_only
@limited(KEEPING_ESTATE)
@bp.response(200, FiledHouseOut)
@bp.refusals(401, 403, 404, 429, 503)
def show_house(house_id: int) -> HouseView:
    """Show a house."""
    return own_services().house_lists.show(actor=actor(), house_id=house_id)


@bp.route("/staff/houses/<row_id:house_id>", methods=["PATCH"])
@staff_only
@limited(KEEPING_ESTATE)
@bp.arguments(HouseEditIn)
@bp.response(204)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def edit_house(form: dict[str, Any], house_id: int) -> None:
    """Correct a house, or change what is billed of it from a day on."""
    own_services().house_register.edit(
        actor=actor(), house_id=house_id, holds_from=form["holds_from"], **seen_of(form)
    )


@bp.route("/staff/houses/<row_id:house_id>/preview", methods=["POST"])
@staff_only
@limited(KEEPING_ESTATE)
@bp.arguments(HousePreviewIn)
@bp.response(200, HousePreviewOut)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def preview_house(form: dict[str, Any], house_id: int) -> HousePreview:
    """Tell what a change or a retirement will do, before it is saved."""
    return own_services().house_previews.preview(actor=actor(), house_id=house_id, **form)


@bp.route("/staff/houses/<row_id:house_id>/use", methods=["POST"])
@staff_only
@limited(KEEPING_ESTATE)
@bp.arguments(UseIn)
@bp.response(204)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def change_use(form: dict[str, Any], house_id: int) -> None:
    """Let a house be used otherwise from a day on."""
    own_services().houses.change_use(
        actor=actor(),
        house_id=house_id,
        state=HouseState(form["state"]),
        holds_from=form["holds_from"],
        reason=form["reason"],
    )


@bp.route("/staff/houses/<row_id:house_id>/retire", methods=["POST"])
@staff_only
@limited(KEEPING_ESTATE)
@bp.arguments(RetireIn)
@bp.response(204)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def retire_house(form: dict[str, Any], house_id: int) -> None:
    """Let a house owe no longer from a day on; its history stays."""
    own_services().house_register.retire(actor=actor(), house_id=house_id, **form)


@bp.route("/staff/houses/<row_id:house_id>/restore", methods=["POST"])
@staff_only
@limited(KEEPING_ESTATE)
@bp.arguments(ReasonIn)
@bp.response(204)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def restore_house(form: dict[str, Any], house_id: int) -> None:
    """Take a retirement back."""
    own_services().house_register.restore(actor=actor(), house_id=house_id, **form)


@bp.route("/staff/houses/<row_id:house_id>/remove", methods=["POST"])
@staff_only
@limited(KEEPING_ESTATE)
@bp.arguments(ReasonIn)
@bp.response(204)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def remove_house(form: dict[str, Any], house_id: int) -> None:
    """Delete a house that was typed in by mistake."""
    own_services().house_register.remove(actor=actor(), house_id=house_id, **form)
