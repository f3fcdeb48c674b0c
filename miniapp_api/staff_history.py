"""The history of changes, for staff."""

from __future__ import annotations

from typing import Any

from flask import Response
from marshmallow import RAISE, Schema, fields

from domain.acts import ACT_SHOWN
from miniapp_api.documentation import ApiBlueprint
from miniapp_api.fields import Day, Input, OneOf, RowId, Words
from miniapp_api.files import FILE, XLSX, send_workbook
from miniapp_api.limits import READING_HISTORY, limited
from miniapp_api.paging import make_page
from miniapp_api.schemas import PageIn
from miniapp_api.security import actor, own_services, staff_only
from services.history import HistoryFilter
from services.subjects import KIND_SHOWN

bp = ApiBlueprint("staff_history", __name__, description="员工：操作记录")


class WhichChanges(Input):
    """Which acts; all of it must hold, and both days count.

    A filter that is misspelt must not tell everything: what is not named here is refused.
    """

    community = Words(limit=50, load_default=None, metadata={"example": "CH"})
    house_id = RowId(strict=False, load_default=None)
    subject_type = OneOf(sorted(KIND_SHOWN), load_default=None)
    subject_id = RowId(strict=False, load_default=None)
    who = Words(limit=50, load_default="", metadata={"example": "李工"})
    action = OneOf(sorted(ACT_SHOWN), load_default=None)
    from_on = Day(load_default=None, data_key="from")
    until_on = Day(load_default=None, data_key="until")


class HistoryQuery(WhichChanges, PageIn):
    """Which acts, page by page."""


class HistoryLineOut(Schema):
    """One act; the sentence may be shown as it is."""

    id = fields.Integer(required=True)
    at = fields.AwareDateTime(required=True)
    who = fields.String(required=True)
    action = fields.String(required=True)
    subject_type = fields.String(required=True)
    subject_id = fields.Integer(required=True, allow_none=True)
    subject = fields.String(required=True)
    sentence = fields.String(
        required=True,
        metadata={
            "example": "2026-11-23 李工 将 3栋1单元502 建筑面积 89.37 → 92.10，原因：房产证更正"
        },
    )


class HistoryOut(Schema):
    """A page of acts, newest first."""

    items = fields.List(fields.Nested(HistoryLineOut), required=True)
    next_before_id = fields.Integer(required=True, allow_none=True)


@bp.route("/staff/history", methods=["GET"])
@staff_only
@limited(READING_HISTORY)
@bp.arguments(HistoryQuery, location="query", unknown=RAISE)
@bp.response(200, HistoryOut)
@bp.refusals(401, 403, 404, 422, 429, 503)
def list_changes(query: dict[str, Any]) -> dict[str, Any]:
    """List who did what, when and why, newest first."""
    before_id, limit = query.pop("before_id"), query.pop("limit")
    found = own_services().history.list_changes(
        actor=actor(), which=_which(query), before_id=before_id, limit=limit + 1
    )
    return make_page(found, limit)


@bp.route("/staff/history.xlsx", methods=["GET"])
@staff_only
@limited(READING_HISTORY)
@bp.arguments(WhichChanges, location="query", unknown=RAISE)
@bp.response(200, FILE, content_type=XLSX)
@bp.refusals(401, 403, 404, 422, 429, 503)
def download_changes(query: dict[str, Any]) -> Response:
    """Give the same lines as a workbook."""
    content = own_services().history.write(actor=actor(), which=_which(query))
    return send_workbook("操作记录.xlsx", "history.xlsx", content)


def _which(query: dict[str, Any]) -> HistoryFilter:
    community = query.pop("community")
    if community is not None:
        found = own_services().estate.show_community(actor=actor(), code=community)
        query["community_id"] = found.id
    return HistoryFilter(**query)
