"""Shapes that the routes of owners and staff about repairs share."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields

from domain.repairs import RepairCategory
from miniapp_api.fields import Input, OneOf, PhotoIds, Words
from miniapp_api.people_fields import Optional
from miniapp_api.stored_files import FileOut
from services.repairs.shapes import RepairView

CATEGORIES = [str(category) for category in RepairCategory]


class RepairNoteIn(Input):
    """Words about it, which the owner reads."""

    note = Words(limit=200, required=True, metadata={"example": "师傅下午三点到"})


class RepairMayNoteIn(Input):
    """Words about it, if any."""

    note = Optional(limit=200, load_default="")


class RepairIn(Input):
    """What is broken; the house or place stands beside it."""

    category = OneOf(CATEGORIES, required=True)
    description = Words(limit=500, required=True, metadata={"example": "厨房水龙头漏水"})
    contact_name = Optional(limit=40, load_default="")
    contact_phone = Optional(limit=20, load_default="")
    equipment_code = Optional(limit=40, load_default="", metadata={"example": "23456789ABCD"})
    photo_ids = PhotoIds()


class RepairRowOut(Schema):
    """A repair in a list."""

    id = fields.Integer(required=True)
    repair_no = fields.String(required=True)
    community_id = fields.Integer(required=True)
    house_id = fields.Integer(required=True, allow_none=True)
    place = fields.String(required=True)
    category = fields.String(required=True)
    category_shown = fields.String(required=True)
    priority = fields.String(required=True)
    priority_shown = fields.String(required=True)
    state = fields.String(required=True)
    state_shown = fields.String(required=True)
    description = fields.String(required=True)
    assignee = fields.String(required=True)
    opened_at = fields.AwareDateTime(required=True)
    finish_due_at = fields.AwareDateTime(required=True)
    is_late = fields.Boolean(required=True)
    incident_id = fields.Integer(required=True, allow_none=True)


class RepairPageOut(Schema):
    """A page of repairs, newest first."""

    items = fields.List(fields.Nested(RepairRowOut), required=True)
    next_before_id = fields.Integer(required=True, allow_none=True)


class ProgressOut(Schema):
    """One thing that happened."""

    at = fields.AwareDateTime(required=True)
    act = fields.String(required=True)
    act_shown = fields.String(required=True)
    state = fields.String(required=True)
    state_shown = fields.String(required=True)
    who = fields.String(required=True)
    note = fields.String(required=True)
    photos = fields.List(fields.Nested(FileOut), required=True)


class QuoteOut(Schema):
    """A price that was asked for."""

    amount_fen = fields.Integer(required=True)
    note = fields.String(required=True)
    state = fields.String(required=True)
    made_at = fields.AwareDateTime(required=True)


class RepairOut(RepairRowOut):
    """A repair with all that happened to it, as its house sees it."""

    contact_name = fields.String(required=True)
    contact_phone = fields.String(required=True)
    cause_shown = fields.String(required=True)
    measure = fields.String(required=True)
    charge_fen = fields.Integer(required=True)
    reopened_count = fields.Integer(required=True)
    arrive_due_at = fields.AwareDateTime(required=True)
    finished_at = fields.AwareDateTime(required=True, allow_none=True)
    score = fields.Integer(required=True, allow_none=True)
    rating_note = fields.String(required=True)
    photos = fields.List(fields.Nested(FileOut), required=True)
    progress = fields.List(fields.Nested(ProgressOut), required=True)
    quotes = fields.List(fields.Nested(QuoteOut), required=True)


class PartOut(Schema):
    """Material that was used."""

    name = fields.String(required=True)
    quantity = fields.String(required=True)
    unit_price_fen = fields.Integer(required=True)
    amount_fen = fields.Integer(required=True)


class FollowUpOut(Schema):
    """What an owner said afterwards."""

    at = fields.AwareDateTime(required=True)
    is_satisfied = fields.Boolean(required=True)
    note = fields.String(required=True)


class StaffRepairOut(RepairOut):
    """A repair as staff see it; the phone is masked but for the engineer who works on it."""

    is_phone_masked = fields.Boolean(required=True)
    source = fields.String(required=True)
    cause = fields.String(required=True)
    labour_minutes = fields.Integer(required=True)
    labour_fen = fields.Integer(required=True)
    response_due_at = fields.AwareDateTime(required=True)
    breached_at = fields.AwareDateTime(required=True, allow_none=True)
    parts = fields.List(fields.Nested(PartOut), required=True)
    follow_ups = fields.List(fields.Nested(FollowUpOut), required=True)


def flat(view: RepairView) -> dict[str, Any]:
    """Lay a repair and its row out as one object."""
    beside = {name: getattr(view, name) for name in view.__dataclass_fields__ if name != "row"}
    row = {name: getattr(view.row, name) for name in view.row.__dataclass_fields__}
    return row | beside
