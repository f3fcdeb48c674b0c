"""The register of equipment, for the programs of staff."""

from __future__ import annotations

from typing import Any

from flask import Response
from marshmallow import Schema, fields

from domain.equipment import DocumentType, EquipmentCategory, EquipmentState, Importance
from miniapp_api.documentation import ApiBlueprint
from miniapp_api.equipment_fields import (
    CATEGORIES,
    IDS_LIMIT,
    IMPORTANCES,
    STATES,
    EquipmentColumnsIn,
    EquipmentEditIn,
)
from miniapp_api.estate_fields import seen_of, text_in
from miniapp_api.fields import WORDS, Count, Day, Input, ListOf, OneOf, RowId, Words
from miniapp_api.files import FILE
from miniapp_api.limits import KEEPING_ESTATE, PRINTING_LABELS, limited
from miniapp_api.paging import make_page
from miniapp_api.people_fields import PAGE_CAP, IdOut, ReasonIn
from miniapp_api.security import actor, own_services, staff_only
from miniapp_api.stored_files import FileOut
from services.equipment.documents import NewDocument
from services.equipment.lists import EquipmentFilter, HealthHistory

bp = ApiBlueprint("staff_equipment", __name__, description="员工：设备台账")


class EquipmentQuery(Input):
    """Which equipment; all of it must hold."""

    community_id = RowId(strict=False, load_default=None)
    building_id = RowId(strict=False, load_default=None)
    text = Words(limit=50, load_default="")
    category = OneOf(CATEGORIES, load_default=None)
    importance = OneOf(IMPORTANCES, load_default=None)
    state = OneOf(STATES, load_default=None)
    before_id = RowId(strict=False, load_default=None)
    limit = Count(most=PAGE_CAP, load_default=50)


class EquipmentOut(Schema):
    """Equipment on file."""

    id = fields.Integer(required=True)
    community_id = fields.Integer(required=True)
    building_id = fields.Integer(required=True, allow_none=True)
    building = fields.String(required=True)
    code = fields.String(required=True)
    asset_no = fields.String(required=True)
    name = fields.String(required=True)
    category = fields.String(required=True)
    category_shown = fields.String(required=True)
    importance = fields.String(required=True)
    importance_shown = fields.String(required=True)
    brand = fields.String(required=True)
    model_no = fields.String(required=True)
    serial_no = fields.String(required=True)
    floor = fields.String(required=True)
    place = fields.String(required=True)
    purchased_on = fields.Date(required=True, allow_none=True)
    installed_on = fields.Date(required=True, allow_none=True)
    warranty_until = fields.Date(required=True, allow_none=True)
    statutory_until = fields.Date(required=True, allow_none=True)
    supplier = fields.String(required=True)
    maintainer = fields.String(required=True)
    maintainer_phone = fields.String(required=True)
    contract_until = fields.Date(required=True, allow_none=True)
    custodian_id = fields.Integer(required=True, allow_none=True)
    custodian = fields.String(required=True)
    specs = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    note = fields.String(required=True)
    state = fields.String(required=True)
    state_shown = fields.String(required=True)


class EquipmentPageOut(Schema):
    """A page of equipment, newest first."""

    items = fields.List(fields.Nested(EquipmentOut), required=True)
    next_before_id = fields.Integer(required=True, allow_none=True)


class EquipmentStateOut(Schema):
    """Equipment came into a state on a day."""

    state = fields.String(required=True)
    state_shown = fields.String(required=True)
    changed_on = fields.Date(required=True)
    reason = fields.String(required=True)
    who = fields.String(required=True)


class MaintenanceLineOut(Schema):
    """A task in a health history."""

    task_id = fields.Integer(required=True)
    name = fields.String(required=True)
    due_on = fields.Date(required=True)
    state = fields.String(required=True)
    state_shown = fields.String(required=True)
    submitted_on = fields.Date(required=True, allow_none=True)
    abnormal = fields.List(fields.String(), required=True)
    repair_id = fields.Integer(required=True, allow_none=True)


class EquipmentDocumentOut(Schema):
    """A version of a document."""

    id = fields.Integer(required=True)
    doc_type = fields.String(required=True)
    doc_type_shown = fields.String(required=True)
    title = fields.String(required=True)
    version = fields.Integer(required=True)
    is_newest = fields.Boolean(required=True)
    expires_on = fields.Date(required=True, allow_none=True)
    who = fields.String(required=True)
    at = fields.AwareDateTime(required=True)
    file = fields.Nested(FileOut, required=True, allow_none=True)


class EquipmentDocumentsOut(Schema):
    """The documents of equipment, newest first."""

    items = fields.List(fields.Nested(EquipmentDocumentOut), required=True)


class NewEquipmentDocumentIn(Input):
    """A document, or its next version; ``document_id`` is that of the file handed in before."""

    doc_type = OneOf([str(one) for one in DocumentType], required=True)
    title = Words(limit=60, required=True)
    document_id = RowId(required=True)
    expires_on = Day(load_default=None, allow_none=True)


class RepairLineOut(Schema):
    """A repair in a health history."""

    repair_id = fields.Integer(required=True)
    repair_no = fields.String(required=True)
    opened_on = fields.Date(required=True)
    state = fields.String(required=True)
    state_shown = fields.String(required=True)
    description = fields.String(required=True)
    cause = fields.String(required=True)
    measure = fields.String(required=True)


class HealthOut(Schema):
    """Equipment with all that befell it, newest first."""

    equipment = fields.Nested(EquipmentOut, required=True)
    states = fields.List(fields.Nested(EquipmentStateOut), required=True)
    documents = fields.List(fields.Nested(EquipmentDocumentOut), required=True)
    repairs = fields.List(fields.Nested(RepairLineOut), required=True)
    maintenance = fields.List(fields.Nested(MaintenanceLineOut), required=True)


class NewEquipmentIn(EquipmentColumnsIn):
    """Equipment to put on file."""

    community_id = RowId(required=True)
    name = Words(limit=50, required=True)
    category = OneOf(CATEGORIES, required=True)


class SpecsIn(ReasonIn):
    """The technical data, such as ``{"载重": "1000 kg"}``."""

    specs = fields.Dict(
        keys=Words(limit=20), values=text_in(100), required=True, error_messages=WORDS
    )


class EquipmentStateIn(ReasonIn):
    """Into which state equipment came, and which it was in."""

    state = OneOf(STATES, required=True)
    expected = OneOf(STATES, required=True)
    changed_on = Day(required=True)


class ExpiringQuery(Input):
    """Within how many days, and of which community."""

    within_days = Count(most=3660, load_default=30)
    community_id = RowId(strict=False, load_default=None)


class ExpiryOut(Schema):
    """Something of equipment that runs out."""

    equipment_id = fields.Integer(required=True)
    community_id = fields.Integer(required=True)
    equipment = fields.String(required=True)
    kind = fields.String(required=True)
    kind_shown = fields.String(required=True)
    expires_on = fields.Date(required=True)
    days_left = fields.Integer(required=True)


class ExpiringOut(Schema):
    """What runs out, the oldest first."""

    items = fields.List(fields.Nested(ExpiryOut), required=True)


class FailingQuery(Input):
    """Of which community."""

    community_id = RowId(strict=False, load_default=None)


class FailingOut(Schema):
    """Equipment that failed often of late, and the plans that are for it."""

    equipment_id = fields.Integer(required=True)
    community_id = fields.Integer(required=True)
    equipment = fields.String(required=True)
    failures = fields.Integer(required=True)
    plan_ids = fields.List(fields.Integer(), required=True)


class FailingsOut(Schema):
    """Equipment that fails often, the worst first."""

    items = fields.List(fields.Nested(FailingOut), required=True)


class LabelsIn(Input):
    """Of which equipment labels are wanted."""

    equipment_ids = ListOf(RowId(), most=IDS_LIMIT, required=True)


@bp.route("/staff/equipment", methods=["GET"])
@staff_only
@limited(KEEPING_ESTATE)
@bp.arguments(EquipmentQuery, location="query")
@bp.response(200, EquipmentPageOut)
@bp.refusals(401, 403, 422, 429, 503)
def find_equipment(query: dict[str, Any]) -> dict[str, Any]:
    """Find equipment."""
    limit = query.pop("limit")
    for name, kind in (
        ("category", EquipmentCategory),
        ("importance", Importance),
        ("state", EquipmentState),
    ):
        query[name] = kind(query[name]) if query[name] else None
    found = own_services().equipment_lists.find(
        actor=actor(), which=EquipmentFilter(**query, limit=limit + 1)
    )
    return make_page(found, limit)


@bp.route("/staff/equipment", methods=["POST"])
@staff_only
@limited(KEEPING_ESTATE)
@bp.arguments(NewEquipmentIn)
@bp.response(201, IdOut)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def add_equipment(form: dict[str, Any]) -> dict[str, int]:
    """Put equipment on file; the code of its label is drawn."""
    community_id = form.pop("community_id")
    equipment_id = own_services().equipment_register.add(
        actor=actor(), community_id=community_id, equipment=form
    )
    return {"id": equipment_id}


@bp.route("/staff/equipment/expiring", methods=["GET"])
@staff_only
@limited(KEEPING_ESTATE)
@bp.arguments(ExpiringQuery, location="query")
@bp.response(200, ExpiringOut)
@bp.refusals(401, 403, 422, 429, 503)
def list_expiring(query: dict[str, Any]) -> dict[str, Any]:
    """List what runs out soon or has run out."""
    return {"items": own_services().equipment_lists.list_expiring(actor=actor(), **query)}


@bp.route("/staff/equipment/failing", methods=["GET"])
@staff_only
@limited(KEEPING_ESTATE)
@bp.arguments(FailingQuery, location="query")
@bp.response(200, FailingsOut)
@bp.refusals(401, 403, 422, 429, 503)
def list_failing(query: dict[str, Any]) -> dict[str, Any]:
    """List equipment with three repairs or more within ninety days."""
    return {"items": own_services().equipment_failures.list_failing(actor=actor(), **query)}


@bp.route("/staff/equipment/labels", methods=["POST"])
@staff_only
@limited(PRINTING_LABELS)
@bp.arguments(LabelsIn)
@bp.response(200, FILE, content_type="application/pdf")
@bp.refusals(401, 403, 404, 422, 429, 503)
def print_labels(form: dict[str, Any]) -> Response:
    """Write a sheet of QR labels."""
    content = own_services().equipment_labels.print_labels(actor=actor(), **form)
    response = Response(content, mimetype="application/pdf")
    response.headers["Content-Disposition"] = 'inline; filename="equipment-labels.pdf"'
    return response


@bp.route("/staff/equipment/<row_id:equipment_id>", methods=["GET"])
@staff_only
@limited(KEEPING_ESTATE)
@bp.response(200, HealthOut)
@bp.refusals(401, 403, 404, 429, 503)
def show_equipment(equipment_id: int) -> HealthHistory:
    """Show equipment with all that befell it."""
    return own_services().equipment_lists.show(actor=actor(), equipment_id=equipment_id)


@bp.route("/staff/equipment/<row_id:equipment_id>", methods=["PATCH"])
@staff_only
@limited(KEEPING_ESTATE)
@bp.arguments(EquipmentEditIn)
@bp.response(204)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def edit_equipment(form: dict[str, Any], equipment_id: int) -> None:
    """Change columns of equipment."""
    own_services().equipment_register.edit(
        actor=actor(), equipment_id=equipment_id, **seen_of(form)
    )


@bp.route("/staff/equipment/<row_id:equipment_id>/specs", methods=["POST"])
@staff_only
@limited(KEEPING_ESTATE)
@bp.arguments(SpecsIn)
@bp.response(204)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def write_specs(form: dict[str, Any], equipment_id: int) -> None:
    """Replace the technical data of equipment."""
    own_services().equipment_register.write_specs(actor=actor(), equipment_id=equipment_id, **form)


@bp.route("/staff/equipment/<row_id:equipment_id>/state", methods=["POST"])
@staff_only
@limited(KEEPING_ESTATE)
@bp.arguments(EquipmentStateIn)
@bp.response(204)
@bp.refusals(401, 403, 404, 409, 422, 429, 503)
def change_state(form: dict[str, Any], equipment_id: int) -> None:
    """Note that equipment came into another state."""
    own_services().equipment_register.change_state(
        actor=actor(),
        equipment_id=equipment_id,
        state=EquipmentState(form["state"]),
        expected=EquipmentState(form["expected"]),
        changed_on=form["changed_on"],
        reason=form["reason"],
    )


@bp.route("/staff/equipment/<row_id:equipment_id>/documents", methods=["GET"])
@staff_only
@limited(KEEPING_ESTATE)
@bp.response(200, EquipmentDocumentsOut)
@bp.refusals(401, 403, 404, 429, 503)
def list_documents(equipment_id: int) -> dict[str, Any]:
    """List the documents of equipment with all their versions."""
    found = own_services().equipment_documents.list_documents(
        actor=actor(), equipment_id=equipment_id
    )
    return {"items": found}


@bp.route("/staff/equipment/<row_id:equipment_id>/documents", methods=["POST"])
@staff_only
@limited(KEEPING_ESTATE)
@bp.arguments(NewEquipmentDocumentIn)
@bp.response(201, IdOut)
@bp.refusals(401, 403, 404, 422, 429, 503)
def add_document(form: dict[str, Any], equipment_id: int) -> dict[str, int]:
    """Add a document, or a new version of it."""
    form["doc_type"] = DocumentType(form["doc_type"])
    document_id = own_services().equipment_documents.add(
        actor=actor(), equipment_id=equipment_id, new=NewDocument(**form)
    )
    return {"id": document_id}
