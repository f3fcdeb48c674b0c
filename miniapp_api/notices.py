"""Notices for the people of a house."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields

from miniapp_api.documentation import ApiBlueprint
from miniapp_api.limits import READING_NOTICES, limited
from miniapp_api.paging import make_page
from miniapp_api.schemas import PageIn
from miniapp_api.security import actor, own_services, signed_in
from services.notices.own import OwnNotice

bp = ApiBlueprint("notices", __name__, description="公告")


class OwnNoticeOut(Schema):
    """A published notice for one of one's houses."""

    id = fields.Integer(required=True)
    community = fields.String(required=True)
    title = fields.String(required=True)
    body = fields.String(required=True)
    is_pinned = fields.Boolean(required=True)
    published_at = fields.AwareDateTime(required=True)
    is_read = fields.Boolean(required=True)


class OwnNoticePageOut(Schema):
    """A page of notices, newest first."""

    items = fields.List(fields.Nested(OwnNoticeOut), required=True)
    next_before_id = fields.Integer(required=True, allow_none=True)


@bp.route("/notices", methods=["GET"])
@signed_in
@limited(READING_NOTICES)
@bp.arguments(PageIn, location="query")
@bp.response(200, OwnNoticePageOut)
@bp.refusals(401, 403, 422, 429, 503)
def list_notices(query: dict[str, Any]) -> dict[str, Any]:
    """List the notices for one's houses."""
    found = own_services().own_notices.list_own(
        actor=actor(), before_id=query["before_id"], limit=query["limit"]
    )
    return make_page(found, query["limit"])


@bp.route("/notices/<row_id:notice_id>", methods=["GET"])
@signed_in
@limited(READING_NOTICES)
@bp.response(200, OwnNoticeOut)
@bp.refusals(401, 403, 404, 429, 503)
def show_notice(notice_id: int) -> OwnNotice:
    """Show a notice; it counts as read by it."""
    return own_services().own_notices.show(actor=actor(), notice_id=notice_id)
