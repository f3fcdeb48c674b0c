"""Statements of the signed-in owner's houses: to show, to print and to reckon with."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from flask import Response
from marshmallow import Schema, fields

from miniapp_api.documentation import ApiBlueprint
from miniapp_api.fields import Day, Input
from miniapp_api.limits import PRINTING, limited
from miniapp_api.security import actor, own_services, signed_in
from services.reports.tables import FileForm
from services.statement_accounts import AccountKind
from services.statement_pages import Statement

_TYPES = {
    FileForm.PDF: "application/pdf",
    FileForm.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
_FILE = {"type": "string", "format": "binary"}

bp = ApiBlueprint("statements", __name__, description="对账单")


class StatementQuery(Input):
    """Over which days; both count, at most three years."""

    from_on = Day(required=True, data_key="from", metadata={"example": "2026-01-01"})
    until_on = Day(required=True, data_key="until", metadata={"example": "2026-11-24"})


class StatementEntryOut(Schema):
    """One move; ``amount_fen`` above zero adds to the balance."""

    on = fields.Date(required=True)
    kind = fields.String(required=True)
    words = fields.String(required=True)
    number = fields.String(required=True)
    amount_fen = fields.Integer(required=True)
    balance_fen = fields.Integer(required=True)


class StatementAccountOut(Schema):
    """What is owed (`bills`), or what is held for the house (`prepaid`, `deposit`)."""

    kind = fields.String(required=True, metadata={"enum": [str(kind) for kind in AccountKind]})
    name = fields.String(required=True)
    opening_fen = fields.Integer(required=True)
    added_fen = fields.Integer(required=True)
    taken_fen = fields.Integer(required=True)
    closing_fen = fields.Integer(required=True)
    entries = fields.List(fields.Nested(StatementEntryOut), required=True)


class StatementOut(Schema):
    """A statement; the first account is what the house owes."""

    house_id = fields.Integer(required=True)
    community = fields.String(required=True)
    house = fields.String(required=True)
    from_on = fields.Date(required=True)
    until_on = fields.Date(required=True)
    made_at = fields.AwareDateTime(required=True)
    accounts = fields.List(fields.Nested(StatementAccountOut), required=True)


@bp.route("/houses/<row_id:house_id>/statement", methods=["GET"])
@signed_in
@bp.arguments(StatementQuery, location="query")
@bp.response(200, StatementOut)
@bp.refusals(401, 404, 422, 503)
def show_statement(query: dict[str, Any], house_id: int) -> Statement:
    """Show every move of what a house owes and of what is held for it."""
    return own_services().statements.show_own(actor=actor(), house_id=house_id, **query)


@bp.route("/houses/<row_id:house_id>/statement.pdf", methods=["GET"])
@signed_in
@limited(PRINTING)
@bp.arguments(StatementQuery, location="query")
@bp.response(200, _FILE, content_type=_TYPES[FileForm.PDF])
@bp.refusals(401, 404, 422, 429, 503)
def print_statement(query: dict[str, Any], house_id: int) -> Response:
    """Give the statement as a PDF to print."""
    return _file(house_id, query, FileForm.PDF)


@bp.route("/houses/<row_id:house_id>/statement.xlsx", methods=["GET"])
@signed_in
@limited(PRINTING)
@bp.arguments(StatementQuery, location="query")
@bp.response(200, _FILE, content_type=_TYPES[FileForm.XLSX])
@bp.refusals(401, 404, 422, 429, 503)
def export_statement(query: dict[str, Any], house_id: int) -> Response:
    """Give the statement as a workbook with one sheet for each account."""
    return _file(house_id, query, FileForm.XLSX)


def _file(house_id: int, query: dict[str, Any], form: FileForm) -> Response:
    file = own_services().statements.write_own(actor=actor(), house_id=house_id, form=form, **query)
    response = Response(file.content, mimetype=_TYPES[form])
    # The plain name is for clients that do not know RFC 5987.
    response.headers["Content-Disposition"] = (
        f"attachment; filename=\"statement.{form}\"; filename*=UTF-8''{quote(file.name, safe='')}"
    )
    response.headers["Cache-Control"] = "private, no-store"
    return response
