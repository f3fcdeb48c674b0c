"""Repairs of the signed-in owner: report, follow, confirm, rate."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields

from domain.repairs import RepairCategory, RepairSource
from miniapp_api.documentation import ApiBlueprint
from miniapp_api.fields import Count, Flag, Input, OneOf, RowId
from miniapp_api.limits import FOLLOWING, REPORTING, limited
from miniapp_api.paging import make_page
from miniapp_api.people_fields import IdOut, Optional, ReasonIn
from miniapp_api.repair_fields import CATEGORIES, RepairIn, RepairOut, RepairPageOut, flat
from miniapp_api.schemas import IdempotencyHeader, PageIn
from miniapp_api.security import actor, own_services, signed_in
from services.repairs.opening import NewRepair

bp = ApiBlueprint("repairs", __name__, description="报修")


class OwnRepairIn(RepairIn):
    """What is broken and where: in a house, or in a public place of one's community."""

    house_id = RowId(load_default=None, allow_none=True)
    building_id = RowId(load_default=None, allow_none=True)
    community_id = RowId(load_default=None, allow_none=True)


class AlikeQuery(Input):
    """Of which house and kind."""

    house_id = RowId(strict=False, required=True)
    category = OneOf(CATEGORIES, required=True)


class AlikeOut(Schema):
    """An open repair that may be the same thing."""

    id = fields.Integer(required=True)
    repair_no = fields.String(required=True)
    description = fields.String(required=True)
    state = fields.String(required=True)


class AlikesOut(Schema):
    """Open repairs that may be the same thing, newest first."""

    items = fields.List(fields.Nested(AlikeOut), required=True)


class QuoteAnswerIn(Input):
    """Whether one agrees to the price."""

    agrees = Flag(required=True)


class RatingIn(Input):
    """From 1 to 5, with words."""

    score = Count(most=5, strict=True, required=True)
    note = Optional(limit=500, load_default="")


@bp.route("/repairs", methods=["POST"])
@signed_in
@limited(REPORTING)
@bp.arguments(IdempotencyHeader, location="headers")
@bp.arguments(OwnRepairIn)
@bp.response(201, IdOut)
@bp.refusals(401, 404, 422, 429, 503)
def report(headers: dict[str, Any], form: dict[str, Any]) -> dict[str, int]:
    """Report a repair; the same key with the same words is the same repair."""
    source = RepairSource.LABEL if form["equipment_code"] else RepairSource.OWNER
    new = NewRepair(**(form | {"category": RepairCategory(form["category"])}), source=source)
    repair_id = own_services().repair_desk.report(
        actor=actor(), new=new, client_key=headers["idempotency_key"]
    )
    return {"id": repair_id}


@bp.route("/repairs", methods=["GET"])
@signed_in
@bp.arguments(PageIn, location="query")
@bp.response(200, RepairPageOut)
@bp.refusals(401, 422, 503)
def list_repairs(query: dict[str, Any]) -> dict[str, Any]:
    """List the repairs of one's houses, and those one reported of public places."""
    found = own_services().repair_lists.list_own(
        actor=actor(), before_id=query["before_id"], limit=query["limit"] + 1
    )
    return make_page(found, query["limit"])


@bp.route("/repairs/alike", methods=["GET"])
@signed_in
@limited(REPORTING)
@bp.arguments(AlikeQuery, location="query")
@bp.response(200, AlikesOut)
@bp.refusals(401, 422, 429, 503)
def list_alike(query: dict[str, Any]) -> dict[str, Any]:
    """List open repairs of a house and kind, to ask whether it was reported before."""
    found = own_services().repair_desk.find_alike(
        actor=actor(), house_id=query["house_id"], category=RepairCategory(query["category"])
    )
    return {"items": found}


@bp.route("/repairs/<row_id:repair_id>", methods=["GET"])
@signed_in
@limited(FOLLOWING)
@bp.response(200, RepairOut)
@bp.refusals(401, 404, 429, 503)
def show_repair(repair_id: int) -> dict[str, Any]:
    """Show a repair with its progress."""
    return flat(own_services().repair_lists.show_own(actor=actor(), repair_id=repair_id))


@bp.route("/repairs/<row_id:repair_id>/cancel", methods=["POST"])
@signed_in
@limited(REPORTING)
@bp.arguments(ReasonIn)
@bp.response(204)
@bp.refusals(401, 404, 409, 422, 429, 503)
def cancel(form: dict[str, Any], repair_id: int) -> None:
    """Take a repair back that nobody has accepted."""
    own_services().owner_repair_acts.cancel(actor=actor(), repair_id=repair_id, **form)


@bp.route("/repairs/<row_id:repair_id>/confirm", methods=["POST"])
@signed_in
@limited(REPORTING)
@bp.response(204)
@bp.refusals(401, 404, 409, 429, 503)
def confirm(repair_id: int) -> None:
    """Say that it is mended."""
    own_services().owner_repair_acts.confirm(actor=actor(), repair_id=repair_id)


@bp.route("/repairs/<row_id:repair_id>/reopen", methods=["POST"])
@signed_in
@limited(REPORTING)
@bp.arguments(ReasonIn)
@bp.response(204)
@bp.refusals(401, 404, 409, 422, 429, 503)
def reopen(form: dict[str, Any], repair_id: int) -> None:
    """Say that it is not mended."""
    own_services().owner_repair_acts.reopen(actor=actor(), repair_id=repair_id, **form)


@bp.route("/repairs/<row_id:repair_id>/quote", methods=["POST"])
@signed_in
@limited(REPORTING)
@bp.arguments(QuoteAnswerIn)
@bp.response(204)
@bp.refusals(401, 404, 409, 422, 429, 503)
def answer_quote(form: dict[str, Any], repair_id: int) -> None:
    """Agree to the price that waits, or refuse it."""
    own_services().owner_repair_acts.decide_quote(actor=actor(), repair_id=repair_id, **form)


@bp.route("/repairs/<row_id:repair_id>/rating", methods=["POST"])
@signed_in
@limited(REPORTING)
@bp.arguments(RatingIn)
@bp.response(204)
@bp.refusals(401, 404, 409, 422, 429, 503)
def rate(form: dict[str, Any], repair_id: int) -> None:
    """Rate a closed repair, once and within seven days."""
    own_services().owner_repair_acts.rate(actor=actor(), repair_id=repair_id, **form)
