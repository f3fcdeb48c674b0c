"""Which subscribe messages to ask an owner for at the next tap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from marshmallow import Schema, fields
from marshmallow.validate import Length

from domain.messages import MessageKind
from miniapp_api.documentation import ApiBlueprint
from miniapp_api.fields import Input, OneOf, Words
from miniapp_api.limits import SUBSCRIBING, limited
from miniapp_api.security import actor, own_services, signed_in
from services.messages.subscriptions import ASKED_AT_ONCE, WantedTemplate

bp = ApiBlueprint("subscriptions", __name__, description="小程序订阅消息")

_SAID = ["accept", "reject", "ban", "filter"]


class SubscribeTemplateOut(Schema):
    """A template to name in ``wx.requestSubscribeMessage``; ``left`` messages are permitted."""

    template_id = fields.String(required=True)
    kinds = fields.List(
        fields.String(metadata={"enum": [str(kind) for kind in MessageKind]}), required=True
    )
    left = fields.Integer(required=True)


class SubscribeTemplatesOut(Schema):
    """At most three, the scarcest first."""

    items = fields.List(fields.Nested(SubscribeTemplateOut), required=True)


class AnswerIn(Input):
    """What the person chose for one template."""

    template_id = Words(limit=64, required=True)
    said = OneOf(_SAID, required=True)


class AnswersIn(Input):
    """What the prompt said; a hint for what to ask next, never a permission."""

    answers = fields.List(
        fields.Nested(AnswerIn), required=True, validate=Length(min=1, max=ASKED_AT_ONCE)
    )


@bp.route("/subscriptions", methods=["GET"])
@signed_in
@limited(SUBSCRIBING)
@bp.response(200, SubscribeTemplatesOut)
@bp.refusals(401, 403, 429, 503)
def list_subscriptions() -> dict[str, Sequence[WantedTemplate]]:
    """Tell which templates to ask for at the next tap or after a payment."""
    return {"items": own_services().subscriptions.list_wanted(actor=actor())}


@bp.route("/subscriptions", methods=["POST"])
@signed_in
@limited(SUBSCRIBING)
@bp.arguments(AnswersIn)
@bp.response(200, SubscribeTemplatesOut)
@bp.refusals(401, 403, 422, 429, 503)
def report_answers(form: dict[str, Any]) -> dict[str, Sequence[WantedTemplate]]:
    """Take the client's word of a prompt and tell what to ask next.

    It raises nothing: only the platform's own event permits a message.
    """
    refused = {one["template_id"] for one in form["answers"] if one["said"] != "accept"}
    return {"items": own_services().subscriptions.list_wanted(actor=actor(), but=refused)}
