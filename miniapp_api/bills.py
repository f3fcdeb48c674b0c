"""Houses and bills of the signed-in owner."""

from __future__ import annotations

from typing import Any

from miniapp_api.documentation import ApiBlueprint
from miniapp_api.paging import make_page
from miniapp_api.schemas import BillDetailOut, BillQuery, BillsOut, HousesOut, OutstandingOut
from miniapp_api.security import actor, own_services, signed_in
from services.bills.own_bills import BillDetail, BillFilter, Outstanding

bp = ApiBlueprint("bills", __name__, description="房屋与账单")


@bp.route("/houses", methods=["GET"])
@signed_in
@bp.response(200, HousesOut)
@bp.refusals(401, 503)
def list_houses() -> dict[str, Any]:
    """List the houses bound to the account."""
    return {"items": own_services().estate.list_own_houses(actor=actor())}


@bp.route("/bills", methods=["GET"])
@signed_in
@bp.arguments(BillQuery, location="query")
@bp.response(200, BillsOut)
@bp.refusals(401, 422, 503)
def list_bills(query: dict[str, Any]) -> dict[str, Any]:
    """List published bills, newest first."""
    found = own_services().own_bills.list_own(
        actor=actor(),
        which=BillFilter(query["which"]),
        house_id=query["house_id"],
        before_id=query["before_id"],
        limit=query["limit"] + 1,
    )
    return make_page(found, query["limit"])


@bp.route("/bills/outstanding", methods=["GET"])
@signed_in
@bp.response(200, OutstandingOut)
@bp.refusals(401, 503)
def show_outstanding() -> Outstanding:
    """Add up what is left to pay over all own houses."""
    return own_services().own_bills.sum_outstanding(actor=actor())


@bp.route("/bills/<row_id:bill_id>", methods=["GET"])
@signed_in
@bp.response(200, BillDetailOut)
@bp.refusals(401, 404, 503)
def show_bill(bill_id: int) -> BillDetail:
    """Show one bill and why it is what it is."""
    return own_services().own_bills.show(actor=actor(), bill_id=bill_id)
