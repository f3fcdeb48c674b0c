"""Owners and their phones, for the programs of staff."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields

from domain.houses import HouseState
from domain.money import MAX_FEN
from domain.owner_search import BindingFilter
from miniapp_api.documentation import ApiBlueprint
from miniapp_api.fields import Count, Input, OneOf, RowId, Words
from miniapp_api.limits import KEEPING_OWNERS, limited
from miniapp_api.paging import make_page
from miniapp_api.people_fields import IdOut, Optional, ReasonIn, RightsOut, StaffPage
from miniapp_api.security import actor, own_services, staff_only, visit
from services.people.owners import OwnerView, OwnerWords
from services.people.phones import PhoneProof
from services.people.search import OwnerFilter

bp = ApiBlueprint("staff_owners", __name__, description="员工：业主档案")


class OwnerQuery(StaffPage):
    """What is known of the owners; all of it must hold."""

    text = Words(limit=60, metadata={"example": "王小明 138"})
    house = Words(limit=60, metadata={"example": "3-1-502"})
    building_id = RowId(strict=False)
    state = OneOf([str(state) for state in HouseState])
    arrears = OneOf(["yes", "no"])
    arrears_from_fen = Count(most=MAX_FEN)
    binding = OneOf([str(binding) for binding in BindingFilter])
    ended = OneOf(["yes", "no"], load_default="no")


class FoundHouseOut(Schema):
    """A house of today; ``arrears_fen`` is past due, without late fees."""

    id = fields.Integer(required=True)
    label = fields.String(required=True)
    role = fields.String(required=True)
    role_shown = fields.String(required=True)
    state = fields.String(required=True, allow_none=True)
    arrears_fen = fields.Integer(required=True)


class FoundOwnerOut(Schema):
    """An owner that was found, phones masked."""

    id = fields.Integer(required=True)
    community_id = fields.Integer(required=True)
    name = fields.String(required=True)
    phones_masked = fields.List(fields.String(), required=True)
    houses = fields.List(fields.Nested(FoundHouseOut), required=True)
    arrears_fen = fields.Integer(required=True)
    binding = fields.String(required=True)


class FoundOwnersOut(Schema):
    """A page of owners, newest first."""

    items = fields.List(fields.Nested(FoundOwnerOut), required=True)
    next_before_id = fields.Integer(required=True, allow_none=True)


class NewOwnerIn(Input):
    """An owner to put on file."""

    community = Words(limit=50, required=True, metadata={"example": "CH"})
    name = Words(limit=50, required=True)
    phone = Words(limit=20)
    email = Optional(limit=200)
    wechat_note = Optional(limit=200)
    note = Optional(limit=200)


class OwnerIn(ReasonIn):
    """What changes of an owner; what is left out stays."""

    name = Words(limit=50)
    email = Optional(limit=200)
    wechat_note = Optional(limit=200)
    note = Optional(limit=200)


class PhoneOut(Schema):
    """A phone, masked."""

    id = fields.Integer(required=True)
    phone_masked = fields.String(required=True)
    is_primary = fields.Boolean(required=True)
    label = fields.String(required=True)


class OwnerPartOut(Schema):
    """What an owner is or was to a house."""

    person_id = fields.Integer(required=True)
    house_id = fields.Integer(required=True)
    house = fields.String(required=True)
    role = fields.String(required=True)
    role_shown = fields.String(required=True)
    share_ratio = fields.String(required=True, allow_none=True)
    person_from = fields.Date(required=True)
    person_until = fields.Date(required=True, allow_none=True)
    rights = fields.Nested(RightsOut, required=True)
    is_bound = fields.Boolean(required=True)


class OwnerOut(Schema):
    """An owner on file, phones masked."""

    id = fields.Integer(required=True)
    community_id = fields.Integer(required=True)
    name = fields.String(required=True)
    email = fields.String(required=True)
    wechat_note = fields.String(required=True)
    note = fields.String(required=True)
    ended_on = fields.Date(required=True, allow_none=True)
    phones = fields.List(fields.Nested(PhoneOut), required=True)
    parts = fields.List(fields.Nested(OwnerPartOut), required=True)


class NewOwnerPhoneIn(ReasonIn):
    """One more phone."""

    phone = Words(limit=20, required=True)
    label = Optional(limit=50, load_default="")


class OwnerPhoneCodeIn(Input):
    """A phone that is to get a code."""

    phone = Words(limit=20, required=True)


class PhoneChangeIn(ReasonIn):
    """The new phone in the place of an old one, with one proof: its code, or a paper seen."""

    phone_id = RowId()
    phone = Words(limit=20, required=True)
    code = Words(limit=6, pattern=r"^[0-9]{6}$", load_default="")
    paper = Words(limit=200, load_default="")


class RevealedOut(Schema):
    """Full phones; that they were looked at is on record."""

    phones = fields.List(fields.String(), required=True)


class RevealOut(Schema):
    """Who looked at full phones, and why."""

    at = fields.AwareDateTime(required=True)
    who = fields.String(required=True)
    reason = fields.String(required=True)


class RevealsOut(Schema):
    """The last fifty, newest first."""

    items = fields.List(fields.Nested(RevealOut), required=True)


@bp.route("/staff/owners", methods=["GET"])
@staff_only
@limited(KEEPING_OWNERS)
@bp.arguments(OwnerQuery, location="query")
@bp.response(200, FoundOwnersOut)
@bp.refusals(401, 403, 404, 422, 429, 503)
def find_owners(query: dict[str, Any]) -> dict[str, Any]:
    """Find owners by any combination of name, letters, phone, house, use, arrears and binding."""
    arrears, state, binding = (query.get(key) for key in ("arrears", "state", "binding"))
    found = own_services().owner_search.find(
        actor=actor(),
        which=OwnerFilter(
            community_id=community_id(query.get("community")),
            text=query.get("text", ""),
            house=query.get("house", ""),
            building_id=query.get("building_id"),
            state=HouseState(state) if state else None,
            has_arrears={"yes": True, "no": False}.get(arrears or ""),
            arrears_from_fen=query.get("arrears_from_fen"),
            binding=BindingFilter(binding) if binding else None,
            with_ended=query["ended"] == "yes",
        ),
        before_id=query["before_id"],
        limit=query["limit"] + 1,
    )
    return make_page(found, query["limit"])


@bp.route("/staff/owners", methods=["POST"])
@staff_only
@limited(KEEPING_OWNERS)
@bp.arguments(NewOwnerIn)
@bp.response(201, IdOut)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def add_owner(form: dict[str, Any]) -> dict[str, int]:
    """Put an owner on file."""
    community, phone = form.pop("community"), form.pop("phone", None)
    found = community_id(community)
    owner_id = own_services().owners.add(
        actor=actor(), community_id=found or 0, words=OwnerWords(**form), phone=phone
    )
    return {"id": owner_id}


@bp.route("/staff/owners/<row_id:owner_id>", methods=["GET"])
@staff_only
@limited(KEEPING_OWNERS)
@bp.response(200, OwnerOut)
@bp.refusals(401, 403, 404, 429, 503)
def show_owner(owner_id: int) -> OwnerView:
    """Show an owner with all their houses."""
    return own_services().owners.show(actor=actor(), owner_id=owner_id)


@bp.route("/staff/owners/<row_id:owner_id>", methods=["PATCH"])
@staff_only
@limited(KEEPING_OWNERS)
@bp.arguments(OwnerIn)
@bp.response(204)
@bp.refusals(401, 403, 404, 422, 429, 503)
def edit_owner(form: dict[str, Any], owner_id: int) -> None:
    """Change what is written of an owner; phones are changed apart."""
    reason = form.pop("reason")
    own_services().owners.edit(
        actor=actor(), owner_id=owner_id, words=OwnerWords(**form), reason=reason
    )


@bp.route("/staff/owners/<row_id:owner_id>/end", methods=["POST"])
@staff_only
@limited(KEEPING_OWNERS)
@bp.arguments(ReasonIn)
@bp.response(204)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def end_owner(form: dict[str, Any], owner_id: int) -> None:
    """Reckon with an owner no more; their phones become free."""
    own_services().owners.end(actor=actor(), owner_id=owner_id, **form)


@bp.route("/staff/owners/<row_id:owner_id>/remove", methods=["POST"])
@staff_only
@limited(KEEPING_OWNERS)
@bp.arguments(ReasonIn)
@bp.response(204)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def remove_owner(form: dict[str, Any], owner_id: int) -> None:
    """Take away an owner who was typed in by mistake."""
    own_services().owners.remove(actor=actor(), owner_id=owner_id, **form)


@bp.route("/staff/owners/<row_id:owner_id>/phones", methods=["POST"])
@staff_only
@limited(KEEPING_OWNERS)
@bp.arguments(NewOwnerPhoneIn)
@bp.response(201, IdOut)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def add_phone(form: dict[str, Any], owner_id: int) -> dict[str, int]:
    """Give an owner one more phone."""
    return {"id": own_services().owner_phones.add(actor=actor(), owner_id=owner_id, **form)}


@bp.route("/staff/owners/<row_id:owner_id>/phones/<row_id:phone_id>/remove", methods=["POST"])
@staff_only
@limited(KEEPING_OWNERS)
@bp.arguments(ReasonIn)
@bp.response(204)
@bp.refusals(401, 403, 404, 422, 429, 503)
def remove_phone(form: dict[str, Any], owner_id: int, phone_id: int) -> None:
    """Take a phone away; what rested on it ends at once."""
    own_services().owner_phones.remove(actor=actor(), owner_id=owner_id, phone_id=phone_id, **form)


@bp.route("/staff/owners/<row_id:owner_id>/phone-codes", methods=["POST"])
@staff_only
@limited(KEEPING_OWNERS)
@bp.arguments(OwnerPhoneCodeIn)
@bp.response(202)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def send_code(form: dict[str, Any], owner_id: int) -> None:
    """Send a code to the phone that is to be an owner's; they read it to the desk."""
    own_services().owner_phones.send_code(
        actor=actor(), owner_id=owner_id, phone=form["phone"], visit=visit()
    )


@bp.route("/staff/owners/<row_id:owner_id>/phones/change", methods=["POST"])
@staff_only
@limited(KEEPING_OWNERS)
@bp.arguments(PhoneChangeIn)
@bp.response(204)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def change_phone(form: dict[str, Any], owner_id: int) -> None:
    """Put a new phone in the place of an old one; what rested on that ends at once."""
    own_services().owner_phones.change(
        actor=actor(),
        owner_id=owner_id,
        phone_id=form.get("phone_id"),
        new_phone=form["phone"],
        proof=PhoneProof(form["code"], form["paper"]),
        reason=form["reason"],
        visit=visit(),
    )


@bp.route("/staff/owners/<row_id:owner_id>/reveal", methods=["POST"])
@staff_only
@limited(KEEPING_OWNERS)
@bp.arguments(ReasonIn)
@bp.response(200, RevealedOut)
@bp.refusals(401, 403, 404, 422, 429, 503)
def reveal_phones(form: dict[str, Any], owner_id: int) -> dict[str, Any]:
    """Tell the full phones of an owner; who looked and why is kept."""
    phones = own_services().owner_phones.reveal(actor=actor(), owner_id=owner_id, **form)
    return {"phones": phones}


@bp.route("/staff/owners/<row_id:owner_id>/reveals", methods=["GET"])
@staff_only
@limited(KEEPING_OWNERS)
@bp.response(200, RevealsOut)
@bp.refusals(401, 403, 404, 429, 503)
def list_reveals(owner_id: int) -> dict[str, Any]:
    """List who looked at an owner's full phones."""
    return {"items": own_services().owner_phones.list_reveals(actor=actor(), owner_id=owner_id)}


def community_id(community: str | None) -> int | None:
    """Tell the id of a community by its code or name; none for none."""
    if community is None:
        return None
    return own_services().estate.show_community(actor=actor(), code=community).id
