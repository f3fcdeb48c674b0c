"""The import workbench, for the pages of staff."""

from __future__ import annotations

from typing import Any

from flask import Response, request
from marshmallow import Schema, fields

from domain.imports import FILE_LIMIT, ImportKind, ImportState
from miniapp_api.documentation import ApiBlueprint
from miniapp_api.fields import Count, Input, OneOf, Words
from miniapp_api.files import FILE, XLSX, send_workbook
from miniapp_api.limits import HANDING_IN, IMPORTING, limited
from miniapp_api.paging import make_page
from miniapp_api.schemas import PageIn
from miniapp_api.security import actor, own_services, staff_only
from services.imports.workbench import BatchView

_FORM = {"type": "object", "properties": {"file": FILE}}
_FORM_ROOM = 64 * 1024
"""What a form may hold around its file."""
_PROBLEMS_PAGE = 500
_PROBLEMS_CAP = 10_000_000

bp = ApiBlueprint("staff_imports", __name__, description="员工：导入表格")


class UploadQuery(Input):
    """Into which community, by code or name, and which sheet it is."""

    community = Words(limit=50, required=True, metadata={"example": "CH"})
    kind = OneOf([str(kind) for kind in ImportKind], required=True)


class BatchesQuery(PageIn):
    """Of which community, and from where on."""

    community = Words(limit=50, load_default=None, metadata={"example": "CH"})


class ProblemsQuery(Input):
    """Behind how many problems to go on."""

    after = Count(most=_PROBLEMS_CAP, load_default=0)
    limit = Count(most=_PROBLEMS_PAGE, load_default=100)


class BatchOut(Schema):
    """A batch; `foreseen` is what the check said, `counts` what was done."""

    id = fields.Integer(required=True)
    kind = fields.Enum(ImportKind, by_value=True, required=True)
    community = fields.String(required=True)
    file_name = fields.String(required=True)
    state = fields.Enum(ImportState, by_value=True, required=True)
    rows_total = fields.Integer(required=True)
    rows_done = fields.Integer(required=True)
    foreseen = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)
    counts = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)
    problem_count = fields.Integer(required=True)
    has_errors = fields.Boolean(required=True)
    failure = fields.String(required=True)
    by = fields.String(required=True)
    created_at = fields.AwareDateTime(required=True)
    finished_at = fields.AwareDateTime(required=True, allow_none=True)
    undone_at = fields.AwareDateTime(required=True, allow_none=True)


class BatchesOut(Schema):
    """One page of batches, newest first."""

    items = fields.List(fields.Nested(BatchOut), required=True)
    next_before_id = fields.Integer(required=True, allow_none=True)


class ProblemOut(Schema):
    """What is wrong in one cell; the row is as Excel counts it."""

    row = fields.Integer(required=True)
    column = fields.String(required=True)
    value = fields.String(required=True)
    why = fields.String(required=True)
    suggestion = fields.String(required=True)


class ProblemsOut(Schema):
    """One page of problems by row; `next_after` is null on the last."""

    items = fields.List(fields.Nested(ProblemOut), required=True)
    next_after = fields.Integer(required=True, allow_none=True)


@bp.route("/staff/imports", methods=["POST"])
@staff_only
@limited(HANDING_IN)
@bp.arguments(UploadQuery, location="query")
@bp.response(201, BatchOut)
@bp.doc(
    requestBody={"content": {"multipart/form-data": {"schema": {"properties": {"file": FILE}}}}}
)
@bp.refusals(401, 403, 404, 422, 429, 503)
def upload(query: dict[str, Any]) -> BatchView:
    """Hand a workbook of at most 10 MB in as the form field `file`; it is checked by itself."""
    services = own_services()
    community_id = services.import_workbench.find_community(actor=actor(), code=query["community"])
    request.max_content_length = FILE_LIMIT + _FORM_ROOM
    given = request.files.get("file")
    batch_id = services.import_workbench.upload(
        actor=actor(),
        community_id=community_id,
        kind=ImportKind(query["kind"]),
        content=given.read(FILE_LIMIT + 1) if given else b"",
        file_name=(given.filename or "") if given else "",
    )
    return services.import_workbench.show(actor=actor(), batch_id=batch_id)


@bp.route("/staff/imports", methods=["GET"])
@staff_only
@limited(IMPORTING)
@bp.arguments(BatchesQuery, location="query")
@bp.response(200, BatchesOut)
@bp.refusals(401, 403, 404, 422, 429, 503)
def list_batches(query: dict[str, Any]) -> dict[str, Any]:
    """List batches, newest first."""
    workbench = own_services().import_workbench
    community_id = None
    if code := query["community"]:
        community_id = workbench.find_community(actor=actor(), code=code)
    found = workbench.list_batches(
        actor=actor(),
        community_id=community_id,
        before_id=query["before_id"],
        limit=query["limit"] + 1,
    )
    return make_page(found, query["limit"])


@bp.route("/staff/imports/template.xlsx", methods=["GET"])
@staff_only
@limited(IMPORTING)
@bp.response(200, FILE, content_type=XLSX)
@bp.refusals(401, 403, 429, 503)
def download_template() -> Response:
    """Give the workbook to be filled in."""
    content = own_services().import_workbench.write_template(actor=actor())
    return send_workbook("导入模板.xlsx", "template.xlsx", content)


@bp.route("/staff/imports/<row_id:batch_id>", methods=["GET"])
@staff_only
@limited(IMPORTING)
@bp.response(200, BatchOut)
@bp.refusals(401, 403, 404, 429, 503)
def show_batch(batch_id: int) -> BatchView:
    """Tell how far a batch is and what came of it."""
    return own_services().import_workbench.show(actor=actor(), batch_id=batch_id)


@bp.route("/staff/imports/<row_id:batch_id>/problems", methods=["GET"])
@staff_only
@limited(IMPORTING)
@bp.arguments(ProblemsQuery, location="query")
@bp.response(200, ProblemsOut)
@bp.refusals(401, 403, 404, 422, 429, 503)
def list_problems(query: dict[str, Any], batch_id: int) -> dict[str, Any]:
    """List what is wrong with the rows of a batch."""
    limit = query["limit"]
    found = own_services().import_workbench.list_problems(
        actor=actor(), batch_id=batch_id, after=query["after"], limit=limit + 1
    )
    has_more = len(found) > limit
    return {"items": found[:limit], "next_after": query["after"] + limit if has_more else None}


@bp.route("/staff/imports/<row_id:batch_id>/errors.xlsx", methods=["GET"])
@staff_only
@limited(IMPORTING)
@bp.response(200, FILE, content_type=XLSX)
@bp.refusals(401, 403, 404, 429, 503)
def download_errors(batch_id: int) -> Response:
    """Give the sheet as it was handed in, with a last column of what is wrong."""
    found = own_services().import_workbench.error_file(actor=actor(), batch_id=batch_id)
    return send_workbook(found.name, "errors.xlsx", found.content)


@bp.route("/staff/imports/<row_id:batch_id>/commit", methods=["POST"])
@staff_only
@limited(IMPORTING)
@bp.response(200, BatchOut)
@bp.refusals(401, 403, 404, 409, 429, 503)
def commit(batch_id: int) -> BatchView:
    """Have the rows without a problem imported."""
    workbench = own_services().import_workbench
    workbench.carry_out(actor=actor(), batch_id=batch_id)
    return workbench.show(actor=actor(), batch_id=batch_id)


@bp.route("/staff/imports/<row_id:batch_id>/undo", methods=["POST"])
@staff_only
@limited(IMPORTING)
@bp.response(200, BatchOut)
@bp.refusals(401, 403, 404, 409, 429, 503)
def undo(batch_id: int) -> BatchView:
    """Have taken back what a batch made and changed, unless something depends on it."""
    workbench = own_services().import_workbench
    workbench.undo(actor=actor(), batch_id=batch_id)
    return workbench.show(actor=actor(), batch_id=batch_id)
