"""The transfer of houses (过户), for the programs of staff."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields

from domain.transfers import PrepaidChoice, UnpaidChoice
from miniapp_api.documentation import ApiBlueprint
from miniapp_api.fields import Day, Input, ListOf, NestedIn, OneOf, RowId, Words
from miniapp_api.limits import KEEPING_OWNERS, limited
from miniapp_api.people_fields import (
    IdOut,
    Optional,
    ReasonIn,
    read_share,
    share_field,
)
from miniapp_api.schemas import IdempotencyHeader
from miniapp_api.security import actor, own_services, staff_only
from services.approvals.requests import Payout
from services.people.transfer_rows import Buyer
from services.people.transfers import TransferPlan, TransferPreview

bp = ApiBlueprint("staff_transfers", __name__, description="员工：过户")


class TransferQuery(Input):
    """From which day on the buyers own."""

    cut_on = Day(required=True, metadata={"example": "2026-10-15"})


class PartingOut(Schema):
    """Days and fen of each side; they add up to the bill."""

    seller_days = fields.Integer(required=True)
    buyer_days = fields.Integer(required=True)
    seller_fen = fields.Integer(required=True)
    buyer_fen = fields.Integer(required=True)


class TransferBillOut(Schema):
    """A bill of before the cut day that is open, or one that covers it."""

    id = fields.Integer(required=True)
    bill_no = fields.String(required=True)
    item = fields.String(required=True)
    period_from = fields.Date(required=True, attribute="period.starts_on")
    period_until = fields.Date(required=True, attribute="period.ends_before")
    amount_fen = fields.Integer(required=True)
    open_fen = fields.Integer(required=True)
    is_in_payment = fields.Boolean(required=True)
    parting = fields.Nested(PartingOut, required=True, allow_none=True)


class TransferPersonOut(Schema):
    """Somebody of the house."""

    person_id = fields.Integer(required=True)
    owner_id = fields.Integer(required=True)
    name = fields.String(required=True)
    role = fields.String(required=True)
    role_shown = fields.String(required=True)
    share_ratio = fields.String(required=True, allow_none=True)
    person_until = fields.Date(required=True, allow_none=True)


class TransferPrepaidOut(Schema):
    """A prepaid account with money in it."""

    account_id = fields.Integer(required=True)
    item = fields.String(required=True)
    balance_fen = fields.Integer(required=True)


class TransferPreviewOut(Schema):
    """What a transfer finds; ``version`` must come back with the act."""

    house_id = fields.Integer(required=True)
    house = fields.String(required=True)
    cut_on = fields.Date(required=True)
    version = fields.String(required=True)
    sellers = fields.List(fields.Nested(TransferPersonOut), required=True)
    others = fields.List(fields.Nested(TransferPersonOut), required=True)
    bills = fields.List(fields.Nested(TransferBillOut), required=True)
    open_fen = fields.Integer(required=True)
    prepaid = fields.List(fields.Nested(TransferPrepaidOut), required=True)
    prepaid_fen = fields.Integer(required=True)
    binding_count = fields.Integer(required=True)
    warnings = fields.List(fields.String(), required=True)


class BuyerIn(Input):
    """An owner on file, or the name and phone of a new one."""

    owner_id = RowId(load_default=None, allow_none=True)
    name = Words(limit=50, load_default="")
    phone = Words(limit=20, load_default="")
    share_ratio = share_field(load_default=None, allow_none=True)


class PayoutIn(Input):
    """To whom and how prepaid money goes back, once it is approved."""

    channel = OneOf(["cash", "bank_transfer"], required=True)
    payee_name = Words(limit=50, required=True)
    payee_phone = Words(limit=20, required=True)
    voucher_no = Optional(limit=64, load_default="")


class TransferIn(ReasonIn):
    """A transfer as it was previewed."""

    cut_on = Day(required=True)
    version = Words(limit=64, required=True)
    buyers = ListOf(fields.Nested(BuyerIn), most=20, required=True)
    unpaid = OneOf([str(choice) for choice in UnpaidChoice], load_default="seller")
    prepaid = OneOf([str(choice) for choice in PrepaidChoice], load_default="stays")
    kept_owner_ids = fields.List(RowId(), load_default=list)
    payout = NestedIn(PayoutIn)


class TransferShareOut(PartingOut):
    """How a bill parts between the two parties."""

    bill_id = fields.Integer(required=True)
    bill_no = fields.String(required=True)
    item = fields.String(required=True)
    period_from = fields.Date(required=True, attribute="period.starts_on")
    period_until = fields.Date(required=True, attribute="period.ends_before")
    amount_fen = fields.Integer(required=True)
    is_sellers_debt = fields.Boolean(required=True)


class TransferOut(Schema):
    """A transfer with the statement for its two parties."""

    id = fields.Integer(required=True)
    cut_on = fields.Date(required=True)
    sellers = fields.List(fields.String(), required=True)
    buyers = fields.List(fields.String(), required=True)
    unpaid = fields.String(required=True)
    prepaid = fields.String(required=True)
    reason = fields.String(required=True)
    made_at = fields.AwareDateTime(required=True)
    undone_at = fields.AwareDateTime(required=True, allow_none=True)
    shares = fields.List(fields.Nested(TransferShareOut), required=True)
    debt_bill_ids = fields.List(fields.Integer(), required=True)
    refund_request_ids = fields.List(fields.Integer(), required=True)


class TransfersOut(Schema):
    """Transfers of a house, newest first."""

    items = fields.List(fields.Nested(TransferOut), required=True)


@bp.route("/staff/houses/<row_id:house_id>/transfer", methods=["GET"])
@staff_only
@limited(KEEPING_OWNERS)
@bp.arguments(TransferQuery, location="query")
@bp.response(200, TransferPreviewOut)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def preview(query: dict[str, Any], house_id: int) -> TransferPreview:
    """Tell what a transfer will find and do; nothing is written."""
    return own_services().transfers.preview(actor=actor(), house_id=house_id, **query)


@bp.route("/staff/houses/<row_id:house_id>/transfer", methods=["POST"])
@staff_only
@limited(KEEPING_OWNERS)
@bp.arguments(IdempotencyHeader, location="headers")
@bp.arguments(TransferIn)
@bp.response(201, IdOut)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def carry_out(headers: dict[str, Any], form: dict[str, Any], house_id: int) -> dict[str, int]:
    """Hand a house on; the same key with the same request does it once."""
    buyers = [
        Buyer(**(buyer | {"share_ratio": read_share(buyer["share_ratio"])}))
        for buyer in form["buyers"]
    ]
    payout = form.get("payout")
    plan = TransferPlan(
        house_id=house_id,
        cut_on=form["cut_on"],
        buyers=buyers,
        version=form["version"],
        unpaid=UnpaidChoice(form["unpaid"]),
        prepaid=PrepaidChoice(form["prepaid"]),
        kept_owner_ids=form["kept_owner_ids"],
        payout=Payout(**payout) if payout else None,
    )
    transfer_id = own_services().transfers.carry_out(
        actor=actor(), plan=plan, reason=form["reason"], client_key=headers["idempotency_key"]
    )
    return {"id": transfer_id}


@bp.route("/staff/houses/<row_id:house_id>/transfers", methods=["GET"])
@staff_only
@limited(KEEPING_OWNERS)
@bp.response(200, TransfersOut)
@bp.refusals(401, 403, 404, 429, 503)
def list_transfers(house_id: int) -> dict[str, Any]:
    """List the transfers of a house, with the statement for the two parties."""
    return {
        "items": own_services().transfer_records.list_transfers(actor=actor(), house_id=house_id)
    }


@bp.route("/staff/transfers/<row_id:transfer_id>/undo", methods=["POST"])
@staff_only
@limited(KEEPING_OWNERS)
@bp.arguments(ReasonIn)
@bp.response(204)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def undo(form: dict[str, Any], transfer_id: int) -> None:
    """Take a transfer of today back that was made by mistake."""
    own_services().transfer_records.undo(actor=actor(), transfer_id=transfer_id, **form)
