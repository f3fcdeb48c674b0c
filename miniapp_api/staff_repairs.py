"""Repairs as the work of staff: lists, the desk, dispatch and the engineer's acts."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from marshmallow import Schema, fields

from domain.money import MAX_FEN
from domain.repair_states import RepairState
from domain.repairs import FaultCause, PauseReason, RepairCategory, RepairPriority, RepairSource
from miniapp_api.documentation import ApiBlueprint
from miniapp_api.fields import (
    Amount,
    Count,
    Day,
    Flag,
    Input,
    ListOf,
    OneOf,
    PhotoIds,
    RowId,
    Words,
)
from miniapp_api.limits import WORKING, limited
from miniapp_api.paging import make_page
from miniapp_api.people_fields import PAGE_CAP, IdOut, ReasonIn
from miniapp_api.repair_fields import (
    CATEGORIES,
    RepairIn,
    RepairMayNoteIn,
    RepairNoteIn,
    RepairPageOut,
    StaffRepairOut,
    flat,
)
from miniapp_api.schemas import IdempotencyHeader
from miniapp_api.security import actor, own_services, staff_only
from services.repairs.opening import NewRepair
from services.repairs.views import RepairFilter
from services.repairs.working import FinishedWork, Part

bp = ApiBlueprint("staff_repairs", __name__, description="员工：报修工单")
_QUANTITY = r"^[0-9]{1,5}(\.[0-9]{1,3})?$"


class RepairQuery(Input):
    """Which repairs, and from where on."""

    community_id = RowId(strict=False, load_default=None)
    before_id = RowId(strict=False, load_default=None)
    limit = Count(most=PAGE_CAP, load_default=50)
    which = OneOf(
        ["mine", "grabbable", "unassigned", "late", "open", "ended", "all"], load_default="open"
    )
    state = OneOf([str(state) for state in RepairState], load_default=None)
    category = OneOf(CATEGORIES, load_default=None)


class DeskRepairIn(RepairIn):
    """What somebody told the desk, where, and how urgent it is."""

    house_id = RowId(load_default=None, allow_none=True)
    building_id = RowId(load_default=None, allow_none=True)
    community_id = RowId(load_default=None, allow_none=True)
    priority = OneOf([str(one) for one in RepairPriority], load_default=None, allow_none=True)
    source = OneOf(["desk", "phone", "staff", "label"], load_default="desk")


class AssignIn(RepairMayNoteIn):
    """To whom."""

    staff_id = RowId(required=True)


class HandOverIn(ReasonIn):
    """To which other engineer, and why."""

    staff_id = RowId(required=True)


class SuspendIn(RepairNoteIn):
    """What it waits for, and likely until when."""

    waits_for = OneOf(["parts", "owner", "third_party"], required=True)
    until_on = Day(required=True)


class RepairQuoteIn(RepairNoteIn):
    """The price that the owner is asked to agree to."""

    amount_fen = Amount(least=1, most=MAX_FEN, required=True)


class RepairPartIn(Input):
    """Material that was used; what one of it costs us."""

    name = Words(limit=40, required=True)
    quantity = Words(limit=10, pattern=_QUANTITY, required=True, metadata={"example": "1.5"})
    unit_price_fen = Amount(least=0, most=MAX_FEN, required=True)


class FinishIn(Input):
    """Why it broke, what was done, with what, and what the house owes for it."""

    cause = OneOf([str(cause) for cause in FaultCause], required=True)
    measure = Words(limit=500, required=True)
    parts = ListOf(fields.Nested(RepairPartIn), most=50, load_default=None, allow_none=True)
    labour_minutes = Amount(least=0, most=14_400, load_default=0)
    labour_fen = Amount(least=0, most=MAX_FEN, load_default=0)
    charge_fen = Amount(least=0, most=MAX_FEN, load_default=0)
    photo_ids = PhotoIds()


class FollowUpIn(RepairNoteIn):
    """What the owner said afterwards."""

    is_satisfied = Flag(required=True)


class EngineerOut(Schema):
    """Somebody to whom a repair may be given."""

    id = fields.Integer(required=True)
    name = fields.String(required=True)


class EngineersOut(Schema):
    """Whom one may give it to, by name."""

    items = fields.List(fields.Nested(EngineerOut), required=True)


@bp.route("/staff/repairs", methods=["GET"])
@staff_only
@limited(WORKING)
@bp.arguments(RepairQuery, location="query")
@bp.response(200, RepairPageOut)
@bp.refusals(401, 403, 422, 429, 503)
def list_repairs(query: dict[str, Any]) -> dict[str, Any]:
    """List repairs; an engineer sees their own and what may be grabbed."""
    state, category = query["state"], query["category"]
    found = own_services().repair_lists.list_repairs(
        actor=actor(),
        wanted=RepairFilter(
            query["which"],
            query["community_id"],
            RepairState(state) if state else None,
            RepairCategory(category) if category else None,
        ),
        before_id=query["before_id"],
        limit=query["limit"] + 1,
    )
    return make_page(found, query["limit"])


@bp.route("/staff/repairs", methods=["POST"])
@staff_only
@limited(WORKING)
@bp.arguments(IdempotencyHeader, location="headers")
@bp.arguments(DeskRepairIn)
@bp.response(201, IdOut)
@bp.refusals(401, 403, 404, 422, 429, 503)
def take_down(headers: dict[str, Any], form: dict[str, Any]) -> dict[str, int]:
    """Enter a repair; the same key with the same words is the same repair."""
    priority = form.pop("priority")
    new = NewRepair(
        **(form | {"category": RepairCategory(form["category"])})
        | {"source": RepairSource(form["source"])},
        priority=RepairPriority(priority) if priority else None,
    )
    repair_id = own_services().repair_desk.take_down(
        actor=actor(), new=new, client_key=headers["idempotency_key"]
    )
    return {"id": repair_id}


@bp.route("/staff/repairs/<row_id:repair_id>", methods=["GET"])
@staff_only
@limited(WORKING)
@bp.response(200, StaffRepairOut)
@bp.refusals(401, 403, 404, 429, 503)
def show_repair(repair_id: int) -> dict[str, Any]:
    """Show a repair with all that happened to it."""
    return flat(own_services().repair_lists.show(actor=actor(), repair_id=repair_id))


@bp.route("/staff/repairs/<row_id:repair_id>/engineers", methods=["GET"])
@staff_only
@limited(WORKING)
@bp.response(200, EngineersOut)
@bp.refusals(401, 403, 404, 429, 503)
def list_engineers(repair_id: int) -> dict[str, Any]:
    """List the engineers to whom it may be given."""
    found = own_services().repair_dispatch.list_engineers(actor=actor(), repair_id=repair_id)
    return {"items": found}


@bp.route("/staff/repairs/<row_id:repair_id>/assign", methods=["POST"])
@staff_only
@limited(WORKING)
@bp.arguments(AssignIn)
@bp.response(204)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def assign(form: dict[str, Any], repair_id: int) -> None:
    """Give a repair to an engineer."""
    own_services().repair_dispatch.assign(actor=actor(), repair_id=repair_id, **form)


@bp.route("/staff/repairs/<row_id:repair_id>/rotate", methods=["POST"])
@staff_only
@limited(WORKING)
@bp.response(201, IdOut)
@bp.refusals(401, 403, 404, 409, 429, 503)
def rotate(repair_id: int) -> dict[str, int]:
    """Give a repair to the engineer whose turn it is; the id is theirs."""
    return {"id": own_services().repair_dispatch.rotate(actor=actor(), repair_id=repair_id)}


@bp.route("/staff/repairs/<row_id:repair_id>/offer", methods=["POST"])
@staff_only
@limited(WORKING)
@bp.response(204)
@bp.refusals(401, 403, 404, 409, 429, 503)
def offer(repair_id: int) -> None:
    """Let engineers grab a repair."""
    own_services().repair_dispatch.offer(actor=actor(), repair_id=repair_id)


@bp.route("/staff/repairs/<row_id:repair_id>/grab", methods=["POST"])
@staff_only
@limited(WORKING)
@bp.response(204)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def grab(repair_id: int) -> None:
    """Take a repair that may be grabbed; ``repair_taken`` when somebody was quicker."""
    own_services().repair_dispatch.grab(actor=actor(), repair_id=repair_id)


@bp.route("/staff/repairs/<row_id:repair_id>/accept", methods=["POST"])
@staff_only
@limited(WORKING)
@bp.response(204)
@bp.refusals(401, 403, 404, 409, 429, 503)
def accept(repair_id: int) -> None:
    """Say that one will do it."""
    own_services().repair_work.accept(actor=actor(), repair_id=repair_id)


@bp.route("/staff/repairs/<row_id:repair_id>/return", methods=["POST"])
@staff_only
@limited(WORKING)
@bp.arguments(ReasonIn)
@bp.response(204)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def give_back(form: dict[str, Any], repair_id: int) -> None:
    """Return a repair to the dispatcher."""
    own_services().repair_work.give_back(actor=actor(), repair_id=repair_id, **form)


@bp.route("/staff/repairs/<row_id:repair_id>/transfer", methods=["POST"])
@staff_only
@limited(WORKING)
@bp.arguments(HandOverIn)
@bp.response(204)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def transfer(form: dict[str, Any], repair_id: int) -> None:
    """Hand a repair over to another engineer."""
    own_services().repair_work.transfer(actor=actor(), repair_id=repair_id, **form)


@bp.route("/staff/repairs/<row_id:repair_id>/arrive", methods=["POST"])
@staff_only
@limited(WORKING)
@bp.arguments(RepairMayNoteIn)
@bp.response(204)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def arrive(form: dict[str, Any], repair_id: int) -> None:
    """Say that one is there."""
    own_services().repair_work.arrive(actor=actor(), repair_id=repair_id, **form)


@bp.route("/staff/repairs/<row_id:repair_id>/suspend", methods=["POST"])
@staff_only
@limited(WORKING)
@bp.arguments(SuspendIn)
@bp.response(204)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def suspend(form: dict[str, Any], repair_id: int) -> None:
    """Stop the clock while work waits."""
    own_services().repair_work.suspend(
        actor=actor(),
        repair_id=repair_id,
        **(form | {"waits_for": PauseReason(form["waits_for"])}),
    )


@bp.route("/staff/repairs/<row_id:repair_id>/resume", methods=["POST"])
@staff_only
@limited(WORKING)
@bp.response(204)
@bp.refusals(401, 403, 404, 409, 429, 503)
def resume(repair_id: int) -> None:
    """Go on after a pause."""
    own_services().repair_work.resume(actor=actor(), repair_id=repair_id)


@bp.route("/staff/repairs/<row_id:repair_id>/quote", methods=["POST"])
@staff_only
@limited(WORKING)
@bp.arguments(RepairQuoteIn)
@bp.response(204)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def quote(form: dict[str, Any], repair_id: int) -> None:
    """Ask the owner to agree to a price."""
    own_services().repair_work.quote(actor=actor(), repair_id=repair_id, **form)


@bp.route("/staff/repairs/<row_id:repair_id>/finish", methods=["POST"])
@staff_only
@limited(WORKING)
@bp.arguments(FinishIn)
@bp.response(204)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def finish(form: dict[str, Any], repair_id: int) -> None:
    """Say that it is mended."""
    parts = tuple(
        Part(one["name"], Decimal(one["quantity"]), one["unit_price_fen"])
        for one in form["parts"] or ()
    )
    work = FinishedWork(**(form | {"cause": FaultCause(form["cause"]), "parts": parts}))
    own_services().repair_work.finish(actor=actor(), repair_id=repair_id, work=work)


@bp.route("/staff/repairs/<row_id:repair_id>/force-close", methods=["POST"])
@staff_only
@limited(WORKING)
@bp.arguments(ReasonIn)
@bp.response(204)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def force_close(form: dict[str, Any], repair_id: int) -> None:
    """End a repair whatever its state."""
    own_services().repair_dispatch.force_close(actor=actor(), repair_id=repair_id, **form)


@bp.route("/staff/repairs/<row_id:repair_id>/follow-up", methods=["POST"])
@staff_only
@limited(WORKING)
@bp.arguments(FollowUpIn)
@bp.response(201, IdOut)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def follow_up(form: dict[str, Any], repair_id: int) -> dict[str, int]:
    """Write down what the owner said afterwards."""
    return {
        "id": own_services().repair_dispatch.follow_up(actor=actor(), repair_id=repair_id, **form)
    }


@bp.route("/staff/repairs/<row_id:repair_id>/note", methods=["POST"])
@staff_only
@limited(WORKING)
@bp.arguments(RepairNoteIn)
@bp.response(204)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def tell(form: dict[str, Any], repair_id: int) -> None:
    """Tell the owner how it goes."""
    own_services().repair_dispatch.tell(actor=actor(), repair_id=repair_id, **form)
