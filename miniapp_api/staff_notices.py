"""Notices as staff write, look at, publish and withdraw them."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields

from domain.messages import Channel
from domain.notice_states import BODY_LIMIT, TITLE_LIMIT, NoticeState
from miniapp_api.documentation import ApiBlueprint
from miniapp_api.fields import Flag, Input, RowId, Words
from miniapp_api.limits import KEEPING_NOTICES, limited
from miniapp_api.paging import make_page
from miniapp_api.people_fields import IdOut, ReasonIn, StaffPage
from miniapp_api.security import actor, own_services, staff_only
from miniapp_api.staff_owners import community_id as find_community
from services.notices.rows import NoticeWords

bp = ApiBlueprint("staff_notices", __name__, description="员工：公告")

_BUILDINGS_CAP = 500


class NoticeQuery(StaffPage):
    """Which community."""

    community = Words(limit=50, required=True, metadata={"example": "CH"})


class NoticeOut(Schema):
    """A notice; without buildings it is for the whole community."""

    id = fields.Integer(required=True)
    community_id = fields.Integer(required=True)
    title = fields.String(required=True)
    body = fields.String(required=True)
    is_pinned = fields.Boolean(required=True)
    building_ids = fields.List(fields.Integer(), required=True)
    state = fields.String(required=True, metadata={"enum": [str(one) for one in NoticeState]})
    state_shown = fields.String(required=True)
    written_by = fields.String(required=True)
    written_at = fields.AwareDateTime(required=True)
    publish_at = fields.AwareDateTime(required=True, allow_none=True)
    published_at = fields.AwareDateTime(required=True, allow_none=True)
    withdrawn_at = fields.AwareDateTime(required=True, allow_none=True)
    read_count = fields.Integer(required=True)


class NoticePageOut(Schema):
    """A page of notices, newest first."""

    items = fields.List(fields.Nested(NoticeOut), required=True)
    next_before_id = fields.Integer(required=True, allow_none=True)


class NoticeIn(Input):
    """What is written."""

    title = Words(limit=TITLE_LIMIT, required=True, metadata={"example": "停水通知"})
    body = Words(limit=BODY_LIMIT, required=True)
    is_pinned = Flag(load_default=False)
    building_ids = fields.List(
        RowId(), load_default=list, validate=lambda ids: len(ids) <= _BUILDINGS_CAP
    )


class NewNoticeIn(NoticeIn):
    """And for which community."""

    community = Words(limit=50, required=True, metadata={"example": "CH"})


class PublishIn(Input):
    """When; without it now."""

    at = fields.AwareDateTime(load_default=None, allow_none=True)


class WaysOut(Schema):
    """How many people each way would reach; ``visit`` are those whom none does."""

    subscribe = fields.Integer(required=True)
    official_template = fields.Integer(required=True)
    sms = fields.Integer(required=True)
    visit = fields.Integer(required=True)


class NoticeToldOut(Schema):
    """How many people are told now; 0 of a notice that is scheduled."""

    told = fields.Integer(required=True)


@bp.route("/staff/notices", methods=["GET"])
@staff_only
@limited(KEEPING_NOTICES)
@bp.arguments(NoticeQuery, location="query")
@bp.response(200, NoticePageOut)
@bp.refusals(401, 403, 404, 422, 429, 503)
def list_notices(query: dict[str, Any]) -> dict[str, Any]:
    """List a community's notices."""
    found = own_services().notice_board.list_notices(
        actor=actor(),
        community_id=find_community(query["community"]) or 0,
        before_id=query["before_id"],
        limit=query["limit"],
    )
    return make_page(found, query["limit"])


@bp.route("/staff/notices", methods=["POST"])
@staff_only
@limited(KEEPING_NOTICES)
@bp.arguments(NewNoticeIn)
@bp.response(201, IdOut)
@bp.refusals(401, 403, 404, 422, 429, 503)
def draft_notice(form: dict[str, Any]) -> dict[str, int]:
    """Write a notice that nobody sees yet."""
    notice_id = own_services().notice_board.draft(
        actor=actor(), community_id=find_community(form["community"]) or 0, words=_words(form)
    )
    return {"id": notice_id}


@bp.route("/staff/notices/<row_id:notice_id>", methods=["PUT"])
@staff_only
@limited(KEEPING_NOTICES)
@bp.arguments(NoticeIn)
@bp.response(204)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def edit_notice(form: dict[str, Any], notice_id: int) -> None:
    """Write a notice anew; a schedule ends by it."""
    own_services().notice_board.edit(actor=actor(), notice_id=notice_id, words=_words(form))


@bp.route("/staff/notices/<row_id:notice_id>/ways", methods=["GET"])
@staff_only
@limited(KEEPING_NOTICES)
@bp.response(200, WaysOut)
@bp.refusals(401, 403, 404, 429, 503)
def preview_notice(notice_id: int) -> dict[str, int]:
    """Count whom a notice would reach, by the way."""
    ways = own_services().notice_board.preview(actor=actor(), notice_id=notice_id)
    return {channel.value: ways.get(channel, 0) for channel in Channel}


@bp.route("/staff/notices/<row_id:notice_id>/publish", methods=["POST"])
@staff_only
@limited(KEEPING_NOTICES)
@bp.arguments(PublishIn)
@bp.response(200, NoticeToldOut)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def publish_notice(form: dict[str, Any], notice_id: int) -> dict[str, int]:
    """Publish a notice now, or at a time."""
    told = own_services().notice_board.publish(actor=actor(), notice_id=notice_id, at=form["at"])
    return {"told": told}


@bp.route("/staff/notices/<row_id:notice_id>/withdraw", methods=["POST"])
@staff_only
@limited(KEEPING_NOTICES)
@bp.arguments(ReasonIn)
@bp.response(204)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def withdraw_notice(form: dict[str, Any], notice_id: int) -> None:
    """Take a published notice back."""
    own_services().notice_board.withdraw(actor=actor(), notice_id=notice_id, **form)


def _words(form: dict[str, Any]) -> NoticeWords:
    return NoticeWords(form["title"], form["body"], form["is_pinned"], tuple(form["building_ids"]))
