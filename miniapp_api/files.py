"""Files as answers."""

from __future__ import annotations

from urllib.parse import quote

from flask import Response

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
FILE = {"type": "string", "format": "binary"}
"""A file, as the description of the API has it."""


def send_workbook(name: str, plain_name: str, content: bytes) -> Response:
    """Answer with a workbook; ``plain_name`` is for clients that do not know RFC 5987."""
    response = Response(content, mimetype=XLSX)
    response.headers["Content-Disposition"] = (
        f"attachment; filename=\"{plain_name}\"; filename*=UTF-8''{quote(name, safe='')}"
    )
    response.headers["Cache-Control"] = "private, no-store"
    return response
