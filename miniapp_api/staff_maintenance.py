"""Templates and plans of maintenance, for the programs of staff."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields

from domain.maintenance_states import PlanState
from miniapp_api.documentation import ApiBlueprint
from miniapp_api.equipment_fields import (
    IDS_LIMIT,
    ItemOut,
    PlanColumnsIn,
    TemplateColumnsIn,
    read_plan,
    read_template,
)
from miniapp_api.fields import Count, Input, ListOf, OneOf, RowId, Words
from miniapp_api.limits import MAINTAINING, limited
from miniapp_api.paging import make_page
from miniapp_api.people_fields import PAGE_CAP, IdOut, ReasonIn
from miniapp_api.security import actor, own_services, staff_only
from services.maintenance.plan_rows import PlanView

bp = ApiBlueprint("staff_maintenance", __name__, description="员工：维保模板与计划")


class CommunityQuery(Input):
    """Of which community."""

    community_id = RowId(strict=False, load_default=None)


class TemplateOut(Schema):
    """A template on file."""

    id = fields.Integer(required=True)
    community_id = fields.Integer(required=True)
    code = fields.String(required=True)
    name = fields.String(required=True)
    category = fields.String(required=True)
    kind = fields.String(required=True)
    every = fields.Integer(required=True)
    unit = fields.String(required=True)
    rule = fields.String(required=True)
    checklist = fields.List(fields.Nested(ItemOut), required=True)
    source = fields.String(required=True)
    evidence = fields.String(required=True)
    is_active = fields.Boolean(required=True)


class TemplatesOut(Schema):
    """Templates by kind of equipment."""

    items = fields.List(fields.Nested(TemplateOut), required=True)


class NewTemplateIn(TemplateColumnsIn):
    """A template to put on file."""

    community_id = RowId(required=True)


class TemplateEditIn(TemplateColumnsIn):
    """A template as it is to be, and why."""

    reason = Words(limit=200, required=True)


class LibraryIn(Input):
    """For which community the statutory library is copied."""

    community_id = RowId(required=True)


class LoadedOut(Schema):
    """How many templates are new."""

    loaded = fields.Integer(required=True)


class PlansQuery(CommunityQuery):
    """Which plans; all of it must hold."""

    state = OneOf([str(one) for one in PlanState], load_default=None)
    equipment_id = RowId(strict=False, load_default=None)
    before_id = RowId(strict=False, load_default=None)
    limit = Count(most=PAGE_CAP, load_default=50)


class PlanOut(Schema):
    """A plan on file."""

    id = fields.Integer(required=True)
    community_id = fields.Integer(required=True)
    template_id = fields.Integer(required=True, allow_none=True)
    name = fields.String(required=True)
    kind = fields.String(required=True)
    kind_shown = fields.String(required=True)
    basis = fields.String(required=True)
    rule = fields.String(required=True)
    every = fields.Integer(required=True, allow_none=True)
    unit = fields.String(required=True, allow_none=True)
    fixed_days = fields.List(fields.String(), required=True)
    starts_on = fields.Date(required=True)
    ends_on = fields.Date(required=True, allow_none=True)
    lead_days = fields.Integer(required=True)
    window_days = fields.Integer(required=True)
    assignee_id = fields.Integer(required=True, allow_none=True)
    assignee_role = fields.String(required=True)
    checklist = fields.List(fields.Nested(ItemOut), required=True)
    looser_reason = fields.String(required=True)
    state = fields.String(required=True)
    state_shown = fields.String(required=True)
    equipment_ids = fields.List(fields.Integer(), required=True)


class PlansOut(Schema):
    """A page of plans, newest first."""

    items = fields.List(fields.Nested(PlanOut), required=True)
    next_before_id = fields.Integer(required=True, allow_none=True)


class NewPlanIn(PlanColumnsIn):
    """A plan to make."""

    community_id = RowId(required=True)
    equipment_ids = ListOf(RowId(), most=IDS_LIMIT, required=True)


class PlanEditIn(PlanColumnsIn):
    """A plan as it is to be, and why."""

    reason = Words(limit=200, required=True)


class PlanEquipmentIn(ReasonIn):
    """For which equipment a plan is to be."""

    equipment_ids = ListOf(RowId(), most=IDS_LIMIT, required=True)


@bp.route("/staff/maintenance-templates", methods=["GET"])
@staff_only
@limited(MAINTAINING)
@bp.arguments(CommunityQuery, location="query")
@bp.response(200, TemplatesOut)
@bp.refusals(401, 403, 422, 429, 503)
def list_templates(query: dict[str, Any]) -> dict[str, Any]:
    """List templates."""
    return {"items": own_services().maintenance_templates.list_templates(actor=actor(), **query)}


@bp.route("/staff/maintenance-templates", methods=["POST"])
@staff_only
@limited(MAINTAINING)
@bp.arguments(NewTemplateIn)
@bp.response(201, IdOut)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def add_template(form: dict[str, Any]) -> dict[str, int]:
    """Put a template on file."""
    template_id = own_services().maintenance_templates.add(
        actor=actor(), community_id=form["community_id"], words=read_template(form)
    )
    return {"id": template_id}


@bp.route("/staff/maintenance-templates/library", methods=["POST"])
@staff_only
@limited(MAINTAINING)
@bp.arguments(LibraryIn)
@bp.response(200, LoadedOut)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def load_library(form: dict[str, Any]) -> dict[str, int]:
    """Copy what the statutory library has and the community lacks."""
    return {"loaded": own_services().maintenance_templates.load_library(actor=actor(), **form)}


@bp.route("/staff/maintenance-templates/<row_id:template_id>", methods=["PATCH"])
@staff_only
@limited(MAINTAINING)
@bp.arguments(TemplateEditIn)
@bp.response(204)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def change_template(form: dict[str, Any], template_id: int) -> None:
    """Write a template anew."""
    own_services().maintenance_templates.change(
        actor=actor(), template_id=template_id, reason=form["reason"], words=read_template(form)
    )


@bp.route("/staff/maintenance-plans", methods=["GET"])
@staff_only
@limited(MAINTAINING)
@bp.arguments(PlansQuery, location="query")
@bp.response(200, PlansOut)
@bp.refusals(401, 403, 422, 429, 503)
def list_plans(query: dict[str, Any]) -> dict[str, Any]:
    """List plans."""
    limit, state = query.pop("limit"), query.pop("state")
    found = own_services().maintenance_plans.list_plans(
        actor=actor(), state=PlanState(state) if state else None, limit=limit + 1, **query
    )
    return make_page(found, limit)


@bp.route("/staff/maintenance-plans", methods=["POST"])
@staff_only
@limited(MAINTAINING)
@bp.arguments(NewPlanIn)
@bp.response(201, IdOut)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def add_plan(form: dict[str, Any]) -> dict[str, int]:
    """Make a plan; its tasks are there at once."""
    plan_id = own_services().maintenance_plans.add(
        actor=actor(),
        community_id=form["community_id"],
        equipment_ids=form["equipment_ids"],
        words=read_plan(form),
    )
    return {"id": plan_id}


@bp.route("/staff/maintenance-plans/<row_id:plan_id>", methods=["GET"])
@staff_only
@limited(MAINTAINING)
@bp.response(200, PlanOut)
@bp.refusals(401, 403, 404, 429, 503)
def show_plan(plan_id: int) -> PlanView:
    """Show a plan."""
    return own_services().maintenance_plans.show(actor=actor(), plan_id=plan_id)


@bp.route("/staff/maintenance-plans/<row_id:plan_id>", methods=["PATCH"])
@staff_only
@limited(MAINTAINING)
@bp.arguments(PlanEditIn)
@bp.response(204)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def change_plan(form: dict[str, Any], plan_id: int) -> None:
    """Write a plan anew."""
    own_services().maintenance_plans.change(
        actor=actor(), plan_id=plan_id, reason=form["reason"], words=read_plan(form)
    )


@bp.route("/staff/maintenance-plans/<row_id:plan_id>/equipment", methods=["POST"])
@staff_only
@limited(MAINTAINING)
@bp.arguments(PlanEquipmentIn)
@bp.response(204)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def put_equipment(form: dict[str, Any], plan_id: int) -> None:
    """Let a plan be for exactly this equipment."""
    own_services().maintenance_plans.put_equipment(actor=actor(), plan_id=plan_id, **form)


@bp.route("/staff/maintenance-plans/<row_id:plan_id>/pause", methods=["POST"])
@staff_only
@limited(MAINTAINING)
@bp.arguments(ReasonIn)
@bp.response(204)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def pause_plan(form: dict[str, Any], plan_id: int) -> None:
    """Stop asking for a while."""
    own_services().maintenance_plans.pause(actor=actor(), plan_id=plan_id, **form)


@bp.route("/staff/maintenance-plans/<row_id:plan_id>/resume", methods=["POST"])
@staff_only
@limited(MAINTAINING)
@bp.arguments(ReasonIn)
@bp.response(204)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def resume_plan(form: dict[str, Any], plan_id: int) -> None:
    """Ask again, without a backlog."""
    own_services().maintenance_plans.resume(actor=actor(), plan_id=plan_id, **form)


@bp.route("/staff/maintenance-plans/<row_id:plan_id>/end", methods=["POST"])
@staff_only
@limited(MAINTAINING)
@bp.arguments(ReasonIn)
@bp.response(204)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def end_plan(form: dict[str, Any], plan_id: int) -> None:
    """End a plan for good."""
    own_services().maintenance_plans.end(actor=actor(), plan_id=plan_id, **form)
