"""Requests of owners about their own data, as managers oversee them."""

from __future__ import annotations

from collections.abc import Sequence

from marshmallow import Schema, fields

from miniapp_api.documentation import ApiBlueprint
from miniapp_api.limits import KEEPING_OWNERS, limited
from miniapp_api.security import actor, own_services, staff_only
from services.privacy.requests import DELETION, EXPORT, RequestView

bp = ApiBlueprint("staff_privacy", __name__, description="个人信息请求")


class PrivacyRequestOut(Schema):
    """A request; a closed account has no phone."""

    kind = fields.String(required=True, metadata={"enum": [EXPORT, DELETION]})
    id = fields.Integer(required=True)
    account_id = fields.Integer(required=True)
    phone_masked = fields.String(required=True)
    state = fields.String(required=True)
    asked_at = fields.AwareDateTime(required=True)
    due_at = fields.AwareDateTime(required=True, allow_none=True)
    ended_at = fields.AwareDateTime(required=True, allow_none=True)


class PrivacyRequestsOut(Schema):
    """Requests, newest first."""

    items = fields.List(fields.Nested(PrivacyRequestOut), required=True)


@bp.route("/staff/privacy/requests", methods=["GET"])
@staff_only
@limited(KEEPING_OWNERS)
@bp.response(200, PrivacyRequestsOut)
@bp.refusals(401, 403, 429, 503)
def list_requests() -> dict[str, Sequence[RequestView]]:
    """List copies and closings that owners of one's data scope asked for."""
    return {"items": own_services().privacy_requests.list_requests(actor=actor())}
