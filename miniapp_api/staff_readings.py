"""Meter readings from reading systems and the phones of staff."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from miniapp_api.documentation import ApiBlueprint
from miniapp_api.limits import READING_METERS, limited
from miniapp_api.schemas import EnteredReadingsOut, ReadingsIn
from miniapp_api.security import actor, own_services, staff_only
from services.meters.judging import NewReading
from services.meters.readings import EnteredReadings

bp = ApiBlueprint("staff_readings", __name__, description="员工：抄表")


@bp.route("/staff/meter-readings", methods=["POST"])
@staff_only
@limited(READING_METERS)
@bp.arguments(ReadingsIn)
@bp.response(200, EnteredReadingsOut)
@bp.refusals(401, 403, 404, 422, 429, 503)
def enter_readings(form: dict[str, Any]) -> EnteredReadings:
    """Enter readings of meters; what cannot be taken is told row by row and the rest is taken.

    The same reading again changes nothing, so the whole list may be sent again after 503.
    """
    services = own_services()
    community = services.meter_lists.find_community(actor=actor(), code=form["community"])
    return services.meter_readings.enter(
        actor=actor(),
        community_id=community.id,
        readings=[
            NewReading(
                meter_no=one["meter_no"],
                read_on=one["read_on"],
                reading=Decimal(one["reading"]),
                is_rollover=one["is_rollover"],
            )
            for one in form["readings"]
        ],
        source="api",
    )
