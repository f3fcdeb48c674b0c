"""What dispatchers and managers do with many repairs: outages, rules, skills, analysis."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields

from domain.repairs import DispatchMode, RepairCategory, RepairPriority, SlaMinutes
from miniapp_api.documentation import ApiBlueprint
from miniapp_api.fields import Amount, Count, Day, Input, ListOf, NestedIn, OneOf, RowId, Words
from miniapp_api.limits import WORKING, limited
from miniapp_api.paging import make_page
from miniapp_api.people_fields import PAGE_CAP, IdOut
from miniapp_api.repair_fields import CATEGORIES, RepairNoteIn
from miniapp_api.security import actor, own_services, staff_only
from services.repairs.analysis import FaultAnalysis
from services.repairs.dispatching import Duty
from services.repairs.rules import Rules

bp = ApiBlueprint("staff_repair_desk", __name__, description="员工：报修调度与分析")
_LONGEST_MINUTES = 525_600


class IncidentQuery(Input):
    """Of which community, and from where on."""

    community_id = RowId(strict=False, required=True)
    before_id = RowId(strict=False, load_default=None)
    limit = Count(most=PAGE_CAP, load_default=50)


class SuggestionQuery(Input):
    """Of which community."""

    community_id = RowId(strict=False, required=True)


class SuggestionOut(Schema):
    """Repairs that look like one outage."""

    community_id = fields.Integer(required=True)
    building_id = fields.Integer(required=True)
    category = fields.String(required=True)
    repair_ids = fields.List(fields.Integer(), required=True)


class SuggestionsOut(Schema):
    """What to merge, the largest first."""

    items = fields.List(fields.Nested(SuggestionOut), required=True)


class IncidentOut(Schema):
    """An outage."""

    id = fields.Integer(required=True)
    title = fields.String(required=True)
    category = fields.String(required=True)
    building_id = fields.Integer(required=True, allow_none=True)
    opened_at = fields.AwareDateTime(required=True)
    ended_at = fields.AwareDateTime(required=True, allow_none=True)
    repair_count = fields.Integer(required=True)


class IncidentPageOut(Schema):
    """A page of outages, newest first."""

    items = fields.List(fields.Nested(IncidentOut), required=True)
    next_before_id = fields.Integer(required=True, allow_none=True)


class MergeIn(Input):
    """Which repairs are one outage, and how it is called."""

    repair_ids = ListOf(RowId(), most=200, required=True)
    title = Words(limit=60, required=True, metadata={"example": "3栋停水"})


class ToldOut(Schema):
    """How many repairs were told."""

    repair_count = fields.Integer(required=True)


class SlaIn(Input):
    """The limits of one priority, in minutes."""

    priority = OneOf([str(one) for one in RepairPriority], required=True)
    response = Amount(least=1, most=_LONGEST_MINUTES, required=True)
    arrive = Amount(least=1, most=_LONGEST_MINUTES, required=True)
    finish = Amount(least=1, most=_LONGEST_MINUTES, required=True)


class RulesIn(Input):
    """How a community handles repairs; priorities that are left out are as usual."""

    dispatch_mode = OneOf([str(one) for one in DispatchMode], required=True)
    accept_minutes = Amount(least=1, most=10_080, required=True)
    fee_item_id = RowId(required=True, allow_none=True)
    sla = ListOf(fields.Nested(SlaIn), most=4, load_default=None, allow_none=True)


class SlaOut(Schema):
    """The limits of one priority, in minutes."""

    priority = fields.String(required=True)
    response = fields.Integer(required=True)
    arrive = fields.Integer(required=True)
    finish = fields.Integer(required=True)


class RulesOut(Schema):
    """How a community handles repairs."""

    dispatch_mode = fields.String(required=True)
    accept_minutes = fields.Integer(required=True)
    fee_item_id = fields.Integer(required=True, allow_none=True)
    sla = fields.List(fields.Nested(SlaOut), required=True)


class DutyIn(Input):
    """A time on duty in each week: minutes of a local day, 0 is Monday."""

    weekday = Amount(least=0, most=6, required=True)
    from_minute = Amount(least=0, most=1_439, required=True)
    until_minute = Amount(least=1, most=1_440, required=True)


class WorkerIn(Input):
    """What an engineer can repair and when they are on duty; none means all and always."""

    skills = ListOf(OneOf(CATEGORIES), most=20, load_default=None, allow_none=True)
    duty = ListOf(NestedIn(DutyIn), most=50, load_default=None, allow_none=True)


class AnalysisQuery(Input):
    """Of which community and days, both counted."""

    community_id = RowId(strict=False, required=True)
    from_on = Day(required=True)
    until_on = Day(required=True)


class SpeedOut(Schema):
    """Means in minutes, each with the number of repairs that it is of."""

    opened_n = fields.Integer(required=True)
    respond_n = fields.Integer(required=True)
    mean_respond_minutes = fields.Integer(required=True, allow_none=True)
    repair_n = fields.Integer(required=True)
    mean_repair_minutes = fields.Integer(required=True, allow_none=True)
    breached_n = fields.Integer(required=True)
    reopened_n = fields.Integer(required=True)
    rated_n = fields.Integer(required=True)
    mean_score_hundredths = fields.Integer(required=True, allow_none=True)
    cost_fen = fields.Integer(required=True)
    charged_fen = fields.Integer(required=True)


class CauseOut(Schema):
    """How often a cause at a place; the percent counts up to this line."""

    cause = fields.String(required=True)
    cause_shown = fields.String(required=True)
    building_id = fields.Integer(required=True, allow_none=True)
    building = fields.String(required=True)
    equipment_id = fields.Integer(required=True, allow_none=True)
    count = fields.Integer(required=True)
    cost_fen = fields.Integer(required=True)
    cumulative_percent = fields.Integer(required=True)


class RepeatOut(Schema):
    """What broke again within 30 days of having been mended."""

    category = fields.String(required=True)
    category_shown = fields.String(required=True)
    house_id = fields.Integer(required=True, allow_none=True)
    building_id = fields.Integer(required=True, allow_none=True)
    equipment_id = fields.Integer(required=True, allow_none=True)
    count = fields.Integer(required=True)


class AnalysisOut(Schema):
    """What the repairs of a span tell."""

    speed = fields.Nested(SpeedOut, required=True)
    causes = fields.List(fields.Nested(CauseOut), required=True)
    repeats = fields.List(fields.Nested(RepeatOut), required=True)


@bp.route("/staff/repair-incidents/suggestions", methods=["GET"])
@staff_only
@limited(WORKING)
@bp.arguments(SuggestionQuery, location="query")
@bp.response(200, SuggestionsOut)
@bp.refusals(401, 403, 404, 422, 429, 503)
def suggest(query: dict[str, Any]) -> dict[str, Any]:
    """Suggest which open repairs are one outage."""
    return {"items": own_services().repair_incidents.suggest(actor=actor(), **query)}


@bp.route("/staff/repair-incidents", methods=["GET"])
@staff_only
@limited(WORKING)
@bp.arguments(IncidentQuery, location="query")
@bp.response(200, IncidentPageOut)
@bp.refusals(401, 403, 404, 422, 429, 503)
def list_incidents(query: dict[str, Any]) -> dict[str, Any]:
    """List the outages of a community."""
    found = own_services().repair_incidents.list_incidents(
        actor=actor(), **(query | {"limit": query["limit"] + 1})
    )
    return make_page(found, query["limit"])


@bp.route("/staff/repair-incidents", methods=["POST"])
@staff_only
@limited(WORKING)
@bp.arguments(MergeIn)
@bp.response(201, IdOut)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def merge(form: dict[str, Any]) -> dict[str, int]:
    """Make one outage of open repairs."""
    return {"id": own_services().repair_incidents.merge(actor=actor(), **form)}


@bp.route("/staff/repair-incidents/<row_id:incident_id>/note", methods=["POST"])
@staff_only
@limited(WORKING)
@bp.arguments(RepairNoteIn)
@bp.response(200, ToldOut)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def tell(form: dict[str, Any], incident_id: int) -> dict[str, int]:
    """Tell all reporters of an outage how it goes."""
    told = own_services().repair_incidents.tell(actor=actor(), incident_id=incident_id, **form)
    return {"repair_count": told}


@bp.route("/staff/repair-incidents/<row_id:incident_id>/end", methods=["POST"])
@staff_only
@limited(WORKING)
@bp.arguments(RepairNoteIn)
@bp.response(204)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def end(form: dict[str, Any], incident_id: int) -> None:
    """Say that an outage is over."""
    own_services().repair_incidents.end(actor=actor(), incident_id=incident_id, **form)


@bp.route("/staff/communities/<row_id:community_id>/repair-rules", methods=["GET"])
@staff_only
@limited(WORKING)
@bp.response(200, RulesOut)
@bp.refusals(401, 403, 404, 429, 503)
def show_rules(community_id: int) -> dict[str, Any]:
    """Show how a community handles repairs."""
    rules = own_services().repair_rules.show(actor=actor(), community_id=community_id)
    return {
        "dispatch_mode": rules.dispatch_mode,
        "accept_minutes": rules.accept_minutes,
        "fee_item_id": rules.fee_item_id,
        "sla": [
            {
                "priority": priority,
                "response": one.response,
                "arrive": one.arrive,
                "finish": one.finish,
            }
            for priority, one in rules.sla.items()
        ],
    }


@bp.route("/staff/communities/<row_id:community_id>/repair-rules", methods=["PUT"])
@staff_only
@limited(WORKING)
@bp.arguments(RulesIn)
@bp.response(204)
@bp.refusals(401, 403, 404, 422, 429, 503)
def set_rules(form: dict[str, Any], community_id: int) -> None:
    """Set how a community handles repairs."""
    sla = {
        RepairPriority(one["priority"]): SlaMinutes(one["response"], one["arrive"], one["finish"])
        for one in form["sla"] or ()
    }
    rules = Rules(
        DispatchMode(form["dispatch_mode"]), form["accept_minutes"], form["fee_item_id"], sla
    )
    own_services().repair_rules.set_rules(actor=actor(), community_id=community_id, rules=rules)


@bp.route("/staff/accounts/<row_id:staff_id>/repair-work", methods=["PUT"])
@staff_only
@limited(WORKING)
@bp.arguments(WorkerIn)
@bp.response(204)
@bp.refusals(401, 403, 404, 422, 429, 503)
def set_worker(form: dict[str, Any], staff_id: int) -> None:
    """Say what an engineer can repair and when they are on duty."""
    own_services().repair_dispatch.set_worker(
        actor=actor(),
        staff_id=staff_id,
        skills=[RepairCategory(one) for one in form["skills"] or ()],
        duty=[Duty(**one) for one in form["duty"] or ()],
    )


@bp.route("/staff/repair-analysis", methods=["GET"])
@staff_only
@limited(WORKING)
@bp.arguments(AnalysisQuery, location="query")
@bp.response(200, AnalysisOut)
@bp.refusals(401, 403, 404, 422, 429, 503)
def analyse(query: dict[str, Any]) -> FaultAnalysis:
    """Tell why things break, how often again, how fast they are mended and what it costs."""
    return own_services().repair_analysis.analyse(actor=actor(), **query)
