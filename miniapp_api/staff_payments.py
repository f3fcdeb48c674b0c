"""The life of a payment, for the programs of staff."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields

from miniapp_api.documentation import ApiBlueprint
from miniapp_api.fields import Input, Words
from miniapp_api.limits import TRACING, limited
from miniapp_api.security import actor, own_services, staff_only
from services.payments.life import PaymentLifeView

bp = ApiBlueprint("staff_payments", __name__, description="员工：一笔钱的一生")


class LifeQuery(Input):
    """In which community, by code or name."""

    community = Words(limit=50, required=True, metadata={"example": "CH"})


class LifeLineOut(Schema):
    """One thing that happened; ``what`` is a stable word, ``words`` may be shown as they are."""

    at = fields.AwareDateTime(required=True)
    what = fields.String(required=True, metadata={"example": "payment_booked"})
    words = fields.String(required=True, metadata={"example": "订单关闭"})
    facts = fields.Dict(keys=fields.String(), required=True)


class PaymentLifeOut(Schema):
    """Everything on record about a payment, oldest first."""

    number = fields.String(required=True)
    progress = fields.String(required=True, metadata={"example": "已入账"})
    lines = fields.List(fields.Nested(LifeLineOut), required=True)


@bp.route("/staff/payments/<number:number>/life", methods=["GET"])
@staff_only
@limited(TRACING)
@bp.arguments(LifeQuery, location="query")
@bp.response(200, PaymentLifeOut)
@bp.refusals(401, 403, 404, 422, 429, 503)
def show_life(query: dict[str, Any], number: str) -> PaymentLifeView:
    """Tell what happened to a payment; the number is of order, transaction, receipt or refund."""
    services = own_services()
    community = services.estate.show_community(actor=actor(), code=query["community"])
    return services.payment_life.show(actor=actor(), number=number, community_id=community.id)


@bp.route("/staff/payments/<number:number>/ask", methods=["POST"])
@staff_only
@limited(TRACING)
@bp.arguments(LifeQuery, location="query")
@bp.response(200, PaymentLifeOut)
@bp.refusals(401, 403, 404, 422, 429, 502, 503)
def ask_now(query: dict[str, Any], number: str) -> PaymentLifeView:
    """Ask the channel about the order and its refunds, book what it says, and tell the life."""
    services = own_services()
    community = services.estate.show_community(actor=actor(), code=query["community"])
    return services.payment_life.ask_now(actor=actor(), number=number, community_id=community.id)
