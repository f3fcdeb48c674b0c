"""Maintenance tasks, for the phone of whoever does them and for those who approve."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields

from domain.checklists import ITEMS_LIMIT
from domain.errors import InvalidInput
from miniapp_api.documentation import ApiBlueprint
from miniapp_api.equipment_fields import FindingIn, ItemOut, ResultOut, read_findings
from miniapp_api.fields import Count, Day, Input, ListOf, NestedIn, OneOf, RowId
from miniapp_api.limits import MAINTAINING, limited
from miniapp_api.people_fields import PAGE_CAP, Optional, ReasonIn
from miniapp_api.schemas import IdempotencyHeader
from miniapp_api.security import actor, own_services, staff_only
from services.maintenance.task_lists import TaskFilter, TaskList
from services.maintenance.task_rows import TaskDetail

bp = ApiBlueprint("staff_maintenance_tasks", __name__, description="员工：维保任务")


class TasksQuery(Input):
    """Which tasks; ``after_due_on`` and ``after_id`` go on from the last one of a page."""

    which = OneOf([str(one) for one in TaskList], load_default=str(TaskList.MINE))
    community_id = RowId(strict=False, load_default=None)
    equipment_id = RowId(strict=False, load_default=None)
    plan_id = RowId(strict=False, load_default=None)
    after_due_on = Day(load_default=None)
    after_id = RowId(strict=False, load_default=None)
    limit = Count(most=PAGE_CAP, load_default=50)


class TaskOut(Schema):
    """A task."""

    id = fields.Integer(required=True)
    plan_id = fields.Integer(required=True)
    community_id = fields.Integer(required=True)
    equipment_id = fields.Integer(required=True)
    equipment = fields.String(required=True)
    place = fields.String(required=True)
    name = fields.String(required=True)
    kind = fields.String(required=True)
    kind_shown = fields.String(required=True)
    due_on = fields.Date(required=True)
    state = fields.String(required=True)
    state_shown = fields.String(required=True)
    is_overdue = fields.Boolean(required=True)
    assignee_id = fields.Integer(required=True, allow_none=True)
    assignee_role = fields.String(required=True)
    submitted_on = fields.Date(required=True, allow_none=True)
    repair_id = fields.Integer(required=True, allow_none=True)


class TasksOut(Schema):
    """A page of tasks by the day they are due; the two values to go on from, or null."""

    items = fields.List(fields.Nested(TaskOut), required=True)
    next_after_due_on = fields.Date(required=True, allow_none=True)
    next_after_id = fields.Integer(required=True, allow_none=True)


class TaskEventOut(Schema):
    """A step of a task's life."""

    act = fields.String(required=True)
    from_state = fields.String(required=True)
    to_state = fields.String(required=True)
    state_shown = fields.String(required=True)
    who = fields.String(required=True)
    reason = fields.String(required=True)
    at = fields.AwareDateTime(required=True)


class TaskDetailOut(Schema):
    """All of a task."""

    task = fields.Nested(TaskOut, required=True)
    note = fields.String(required=True)
    checklist = fields.List(fields.Nested(ItemOut), required=True)
    results = fields.List(fields.Nested(ResultOut), required=True)
    events = fields.List(fields.Nested(TaskEventOut), required=True)


class SubmitTaskIn(Input):
    """What was found of each item, and what was done beyond."""

    results = ListOf(NestedIn(FindingIn), most=ITEMS_LIMIT, required=True)
    note = Optional(limit=200, load_default="")


class AssignTaskIn(Input):
    """Who does it; null for everybody of its role."""

    assignee_id = RowId(required=True, allow_none=True)


@bp.route("/staff/maintenance-tasks", methods=["GET"])
@staff_only
@limited(MAINTAINING)
@bp.arguments(TasksQuery, location="query")
@bp.response(200, TasksOut)
@bp.refusals(401, 403, 422, 429, 503)
def find_tasks(query: dict[str, Any]) -> dict[str, Any]:
    """List tasks: one's own, what is due, what is overdue, what waits to be verified."""
    limit, due_on, id_ = query.pop("limit"), query.pop("after_due_on"), query.pop("after_id")
    if (due_on is None) != (id_ is None):
        raise InvalidInput(fields={"after_id": ["after_due_on 与 after_id 要一起给"]})
    which = TaskFilter(
        which=TaskList(query.pop("which")),
        after=None if due_on is None or id_ is None else (due_on, id_),
        limit=limit + 1,
        **query,
    )
    found = own_services().maintenance_task_lists.find(actor=actor(), which=which)
    items = found[:limit]
    last = items[-1] if len(found) > len(items) else None
    return {
        "items": items,
        "next_after_due_on": last.due_on if last else None,
        "next_after_id": last.id if last else None,
    }


@bp.route("/staff/maintenance-tasks/<row_id:task_id>", methods=["GET"])
@staff_only
@limited(MAINTAINING)
@bp.response(200, TaskDetailOut)
@bp.refusals(401, 403, 404, 429, 503)
def show_task(task_id: int) -> TaskDetail:
    """Show a task with its checklist, results and life."""
    return own_services().maintenance_task_lists.show(actor=actor(), task_id=task_id)


@bp.route("/staff/maintenance-tasks/<row_id:task_id>/start", methods=["POST"])
@staff_only
@limited(MAINTAINING)
@bp.arguments(IdempotencyHeader, location="headers")
@bp.response(204)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def start_task(headers: dict[str, Any], task_id: int) -> None:
    """Begin a task; the same key begins it once."""
    own_services().maintenance_tasks.start(
        actor=actor(), task_id=task_id, client_key=headers["idempotency_key"]
    )


@bp.route("/staff/maintenance-tasks/<row_id:task_id>/submit", methods=["POST"])
@staff_only
@limited(MAINTAINING)
@bp.arguments(IdempotencyHeader, location="headers")
@bp.arguments(SubmitTaskIn)
@bp.response(204)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def submit_task(headers: dict[str, Any], form: dict[str, Any], task_id: int) -> None:
    """Hand in what was found."""
    own_services().maintenance_tasks.submit(
        actor=actor(),
        task_id=task_id,
        findings=read_findings(form["results"]),
        note=form["note"],
        client_key=headers["idempotency_key"],
    )


@bp.route("/staff/maintenance-tasks/<row_id:task_id>/verify", methods=["POST"])
@staff_only
@limited(MAINTAINING)
@bp.arguments(IdempotencyHeader, location="headers")
@bp.response(204)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def verify_task(headers: dict[str, Any], task_id: int) -> None:
    """Take what somebody else handed in."""
    own_services().maintenance_tasks.verify(
        actor=actor(), task_id=task_id, client_key=headers["idempotency_key"]
    )


@bp.route("/staff/maintenance-tasks/<row_id:task_id>/return", methods=["POST"])
@staff_only
@limited(MAINTAINING)
@bp.arguments(IdempotencyHeader, location="headers")
@bp.arguments(ReasonIn)
@bp.response(204)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def return_task(headers: dict[str, Any], form: dict[str, Any], task_id: int) -> None:
    """Have a task done better."""
    own_services().maintenance_tasks.send_back(
        actor=actor(), task_id=task_id, client_key=headers["idempotency_key"], **form
    )


@bp.route("/staff/maintenance-tasks/<row_id:task_id>/skip", methods=["POST"])
@staff_only
@limited(MAINTAINING)
@bp.arguments(IdempotencyHeader, location="headers")
@bp.arguments(ReasonIn)
@bp.response(204)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def skip_task(headers: dict[str, Any], form: dict[str, Any], task_id: int) -> None:
    """Approve that a task is left out this time."""
    own_services().maintenance_tasks.skip(
        actor=actor(), task_id=task_id, client_key=headers["idempotency_key"], **form
    )


@bp.route("/staff/maintenance-tasks/<row_id:task_id>/cancel", methods=["POST"])
@staff_only
@limited(MAINTAINING)
@bp.arguments(IdempotencyHeader, location="headers")
@bp.arguments(ReasonIn)
@bp.response(204)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def cancel_task(headers: dict[str, Any], form: dict[str, Any], task_id: int) -> None:
    """Take a task back for good."""
    own_services().maintenance_tasks.cancel(
        actor=actor(), task_id=task_id, client_key=headers["idempotency_key"], **form
    )


@bp.route("/staff/maintenance-tasks/<row_id:task_id>/assign", methods=["POST"])
@staff_only
@limited(MAINTAINING)
@bp.arguments(IdempotencyHeader, location="headers")
@bp.arguments(AssignTaskIn)
@bp.response(204)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def assign_task(headers: dict[str, Any], form: dict[str, Any], task_id: int) -> None:
    """Give a task to somebody, or to everybody of its role."""
    own_services().maintenance_tasks.assign(
        actor=actor(), task_id=task_id, client_key=headers["idempotency_key"], **form
    )
