"""Kinds of refusal become numbers and one JSON shape; the last handler hides what is ours."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from flask import Flask, Response, current_app, jsonify, request
from marshmallow.exceptions import SCHEMA
from werkzeug.exceptions import HTTPException

from domain.errors import (
    Conflict,
    InvalidInput,
    NotAllowed,
    NotFound,
    NotSignedIn,
    PlatformRefused,
    PlatformUnavailable,
    PropertyError,
    TooMany,
)
from services.logs import request_id

log = logging.getLogger(__name__)

STATUS: dict[type[PropertyError], int] = {
    InvalidInput: 422,
    NotSignedIn: 401,
    NotAllowed: 403,
    NotFound: 404,
    Conflict: 409,
    TooMany: 429,
    PlatformRefused: 502,
    PlatformUnavailable: 503,
}
_DATABASE_BACK_S = 5
"""A restart of PostgreSQL takes about that long; clients that all come back at once find it up."""
_HTTP_WORDS: dict[int, tuple[str, str]] = {
    400: ("bad_request", "请求格式不对"),
    404: ("not_found", "没有找到"),
    405: ("method_not_allowed", "不支持这种请求方法"),
    408: ("request_timeout", "请求超时，请重试"),
    413: ("too_large", "内容太大"),
    415: ("unsupported_media_type", "请使用 application/json"),
    422: ("invalid_input", "填写的内容有误，请检查"),
}
_SERVER_WORDS = ("internal_error", "系统出错了，请稍后再试；如反复出现，请把请求编号告诉物业")


class DatabaseUnavailable(PlatformUnavailable):
    """Our database does not answer; what was asked is safe to ask again."""

    code = "database_unavailable"
    message = "系统暂时不可用，请稍后再试"


def status_of(error: PropertyError) -> int:
    """Tell the HTTP status of an error by its kind."""
    for kind in type(error).__mro__:
        if kind in STATUS:
            return STATUS[kind]
    return 500


def error_body(
    code: str, message: str, fields: Mapping[str, list[str]] | None = None
) -> dict[str, Any]:
    """Make the one shape of errors.

    Source: architecture.md, "Errors".
    """
    return {
        "error": {
            "code": code,
            "message": message,
            "fields": dict(fields or {}),
            "request_id": request_id.get(),
        }
    }


def register(app: Flask, *, database_errors: tuple[type[Exception], ...] = ()) -> None:
    """Attach the handlers for everything under ``/api``, ``/notify`` and the rest of the app."""
    app.extensions["database_errors"] = database_errors
    for kind in database_errors:
        app.register_error_handler(kind, _database_away)
    app.register_error_handler(PropertyError, _refusal)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _mistake)


def is_database_away(error: Exception) -> bool:
    """Tell whether an error means that the database does not answer."""
    away: tuple[type[Exception], ...] = current_app.extensions["database_errors"]
    return isinstance(error, away)


def _database_away(error: Exception) -> tuple[Response, int]:
    log.error("database unavailable", exc_info=error, extra={"endpoint": request.endpoint})
    return _refusal(DatabaseUnavailable(retry_after_s=_DATABASE_BACK_S))


def _refusal(error: PropertyError) -> tuple[Response, int]:
    fields = error.fields if isinstance(error, InvalidInput) else {}
    response = jsonify(error_body(error.code, error.message, fields))
    wait_s = getattr(error, "retry_after_s", None)
    if wait_s:
        response.headers["Retry-After"] = str(wait_s)
    return response, status_of(error)


def _http_error(error: HTTPException) -> tuple[Response, int]:
    status = error.code or 500
    code, message = _HTTP_WORDS.get(status, _HTTP_WORDS[400] if status < 500 else _SERVER_WORDS)
    # flask-smorest hangs marshmallow's findings on the exception that it raises.
    messages = getattr(error, "data", {}).get("messages", {})
    response = jsonify(error_body(code, message, _fields_of(messages)))
    if status == 405 and error.get_response().headers.get("Allow"):
        response.headers["Allow"] = error.get_response().headers["Allow"]
    return response, status


def _mistake(error: Exception) -> tuple[Response, int]:
    log.error(
        "unexpected error",
        exc_info=error,
        extra={"method": request.method, "endpoint": request.endpoint},
    )
    return jsonify(error_body(*_SERVER_WORDS)), 500


def _fields_of(messages: Mapping[str, object]) -> dict[str, list[str]]:
    """Leave out where findings came in: ``{"json": {"bill_ids": …}}``."""
    flat: dict[str, list[str]] = {}
    for found in messages.values():
        flat.update(_flatten(found))
    return flat


def _flatten(messages: object, path: str = "") -> dict[str, list[str]]:
    """Bring nested findings to ``{"bill_ids.0": ["…"]}``; ``body`` is the whole of it."""
    if isinstance(messages, Mapping):
        flat: dict[str, list[str]] = {}
        for key, value in messages.items():
            name = "" if key == SCHEMA else str(key)
            flat.update(_flatten(value, f"{path}.{name}".strip(".")))
        return flat
    if isinstance(messages, list):
        return {path or "body": [str(message) for message in messages]}
    return {}
