"""Photos and documents: handed in by whoever is signed in, seen by whoever was given a link."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

from flask import Response, request
from marshmallow import Schema, fields

from domain.files import DOCUMENT_LIMIT, PHOTO_LIMIT, FileKind, FileSize
from miniapp_api.documentation import ApiBlueprint
from miniapp_api.fields import Count, Input, OneOf, Words
from miniapp_api.files import FILE
from miniapp_api.limits import FILES, FOLLOWING_LINKS, STAFF_FILES, limited
from miniapp_api.security import actor, open_to_all, own_services, signed_in, staff_only
from services.files.attaching import FileView

_FORM_ROOM = 64 * 1024
"""What a form may hold around its file."""
_FORM = {"content": {"multipart/form-data": {"schema": {"properties": {"file": FILE}}}}}
_SIGN_LENGTH = 32
_LATEST = 9_999_999_999
_KEPT_S = 300

bp = ApiBlueprint("stored_files", __name__, description="照片与文件")


class FileOut(Schema):
    """A photo or document; its links hold for five to ten minutes, then ask for the page anew."""

    id = fields.Integer(required=True)
    kind = fields.Enum(FileKind, by_value=True, required=True)
    file_name = fields.String(required=True)
    size = fields.Integer(required=True)
    width = fields.Integer(required=True, allow_none=True)
    height = fields.Integer(required=True, allow_none=True)
    url = fields.Function(lambda view: link_of(view.id, FileSize.FULL), required=True)
    small_url = fields.Function(lambda view: link_of(view.id, FileSize.SMALL), required=True)


class LinkQuery(Input):
    """The arguments of a link, as it was given."""

    size = OneOf([str(size) for size in FileSize], load_default=FileSize.FULL)
    until = Count(most=_LATEST, required=True)
    sign = Words(limit=_SIGN_LENGTH, required=True)


def link_of(file_id: int, size: FileSize) -> str:
    """Make a link to a file, for whoever was just shown what it belongs to."""
    query = own_services().file_links.sign(file_id=file_id, size=size)
    return f"/api/v1/files/{file_id}?{urlencode(query)}"


@bp.route("/photos", methods=["POST"])
@signed_in
@limited(FILES)
@bp.response(201, FileOut)
@bp.doc(requestBody=_FORM)
@bp.refusals(401, 403, 409, 422, 429, 503)
def hand_in_photo() -> FileView:
    """Hand a photo of at most 10 MB in as the form field `file`; it is drawn anew."""
    content, _ = _given(PHOTO_LIMIT)
    return own_services().file_desk.take_photo(actor=actor(), content=content)


@bp.route("/staff/photos", methods=["POST"])
@staff_only
@limited(STAFF_FILES)
@bp.response(201, FileOut)
@bp.doc(requestBody=_FORM)
@bp.refusals(401, 403, 409, 422, 429, 503)
def hand_in_staff_photo() -> FileView:
    """Hand a photo of at most 10 MB in as the form field `file`; it is drawn anew."""
    content, _ = _given(PHOTO_LIMIT)
    return own_services().file_desk.take_photo(actor=actor(), content=content)


@bp.route("/staff/documents", methods=["POST"])
@staff_only
@limited(STAFF_FILES)
@bp.response(201, FileOut)
@bp.doc(requestBody=_FORM)
@bp.refusals(401, 403, 409, 422, 429, 503)
def hand_in_document() -> FileView:
    """Hand a document of at most 20 MB in as the form field `file`."""
    content, name = _given(DOCUMENT_LIMIT)
    return own_services().file_desk.take_document(actor=actor(), content=content, file_name=name)


@bp.route("/files/<row_id:file_id>", methods=["GET"])
@open_to_all
@limited(FOLLOWING_LINKS)
@bp.arguments(LinkQuery, location="query")
@bp.response(200, FILE, content_type="image/jpeg")
@bp.refusals(404, 422, 429, 503)
def follow_link(query: dict[str, Any], file_id: int) -> Response:
    """Give a file to whoever holds a link to it that is not too old."""
    found = own_services().file_links.open(
        actor=actor(),
        file_id=file_id,
        size=FileSize(query["size"]),
        until=query["until"],
        sign=query["sign"],
    )
    response = Response(found.content, mimetype=found.content_type)
    response.headers["Cache-Control"] = f"private, max-age={_KEPT_S}"
    # Nothing that people hand in may ever run as a page of ours.
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    if found.kind is FileKind.DOCUMENT:
        name = quote(found.file_name, safe="")
        response.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{name}"
    return response


def _given(limit: int) -> tuple[bytes, str]:
    """Read the form's file, and one byte more than it may have."""
    request.max_content_length = limit + _FORM_ROOM
    given = request.files.get("file")
    if given is None:
        return b"", ""
    return given.read(limit + 1), given.filename or ""
