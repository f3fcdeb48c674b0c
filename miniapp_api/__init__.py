"""JSON for the mini-program and H5 pages, platform callbacks, health."""

from __future__ import annotations

import logging
import re
import secrets
import time
from typing import Any

from flask import Flask, Response, g, request
from redis import Redis
from werkzeug.routing import BaseConverter, IntegerConverter

from miniapp_api import (
    bills,
    bindings,
    callbacks,
    door,
    equipment_pages,
    errors,
    health,
    limits,
    notices,
    owner_passwords,
    pages,
    payments,
    privacy,
    receipt_pages,
    repairs,
    sessions,
    staff_accounts,
    staff_equipment,
    staff_estate,
    staff_estate_houses,
    staff_estate_meters,
    staff_estate_parking,
    staff_history,
    staff_imports,
    staff_maintenance,
    staff_maintenance_tasks,
    staff_notices,
    staff_own,
    staff_owners,
    staff_payments,
    staff_people,
    staff_privacy,
    staff_readings,
    staff_repair_desk,
    staff_repairs,
    staff_sessions,
    staff_transfers,
    statements,
    stored_files,
    subscriptions,
)
from miniapp_api.documentation import describe_security, make_api
from miniapp_api.fields import MAX_ID
from miniapp_api.slow_bodies import BODY_DEADLINE_S, SlowBodyGuard
from services.inbox import BODY_LIMIT
from services.logs import request_id

log = logging.getLogger(__name__)

_REQUEST_ID = re.compile(r"\A[A-Za-z0-9_-]{8,64}\Z", re.ASCII)
_STRICT_CSP = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'"
_DOCS_CSP = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "frame-ancestors 'none'; base-uri 'none'"
)


class RowIdConverter(IntegerConverter):
    """A path part that can be a row's id; anything else is simply no such page."""

    regex = r"[1-9][0-9]{0,18}"

    def __init__(self, map: Any) -> None:
        super().__init__(map, min=1, max=MAX_ID)


class NumberConverter(BaseConverter):
    """A path part that can be one of our printed numbers, such as a receipt's."""

    regex = r"[0-9A-Z][0-9A-Z-]{0,39}"


class TokenConverter(BaseConverter):
    """A path part that can be a token; whether it is one of ours is asked of the table."""

    regex = r"[A-Za-z0-9_-]{1,64}"


def register(
    app: Flask,
    *,
    redis: Redis,
    database_errors: tuple[type[Exception], ...],
    body_deadline_s: float = BODY_DEADLINE_S,
) -> None:
    """Attach the API, the callbacks, health, headers, limits and error handlers to an app.

    ``redis`` counts requests and must give up quickly; ``database_errors`` are what the driver
    raises when the database is away, as a front does not know the driver.
    """
    app.config["MAX_CONTENT_LENGTH"] = BODY_LIMIT
    app.url_map.converters["row_id"] = RowIdConverter
    app.url_map.converters["number"] = NumberConverter
    app.url_map.converters["door_token"] = TokenConverter
    app.url_map.merge_slashes = False  # //api is no page; the redirect would not be in our shape
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.before_request(_begin)
    app.after_request(_end)
    app.teardown_request(_forget)
    limits.register(app, redis=redis)
    api = make_api(app)
    for blueprint in (
        sessions.bp,
        owner_passwords.bp,
        bills.bp,
        payments.bp,
        statements.bp,
        stored_files.bp,
        staff_sessions.bp,
        staff_own.bp,
        staff_accounts.bp,
        staff_readings.bp,
        staff_payments.bp,
        staff_imports.bp,
        staff_history.bp,
        staff_estate.bp,
        staff_estate_houses.bp,
        staff_estate_parking.bp,
        staff_estate_meters.bp,
        bindings.bp,
        privacy.bp,
        staff_owners.bp,
        staff_people.bp,
        staff_transfers.bp,
        staff_privacy.bp,
        staff_equipment.bp,
        staff_maintenance.bp,
        staff_maintenance_tasks.bp,
        repairs.bp,
        staff_repairs.bp,
        staff_repair_desk.bp,
        subscriptions.bp,
        notices.bp,
        staff_notices.bp,
    ):
        api.register_blueprint(blueprint)
    describe_security(app, api)
    app.register_blueprint(callbacks.bp)
    app.register_blueprint(pages.bp)
    app.register_blueprint(door.bp)
    app.register_blueprint(equipment_pages.bp)
    app.register_blueprint(receipt_pages.bp)
    app.register_blueprint(health.bp)
    errors.register(app, database_errors=database_errors)
    app.wsgi_app = SlowBodyGuard(  # type: ignore[method-assign]
        app.wsgi_app, within_s=body_deadline_s
    )


def _begin() -> None:
    given = request.headers.get("X-Request-ID", "")
    g.began = time.perf_counter()
    g.request_id_token = request_id.set(given if _REQUEST_ID.match(given) else secrets.token_hex(8))


def _end(response: Response) -> Response:
    csp = _DOCS_CSP if request.path.startswith("/api/docs") else _STRICT_CSP
    response.headers.setdefault("Content-Security-Policy", csp)
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers.setdefault("Referrer-Policy", "no-referrer")
    response.headers["X-Frame-Options"] = "DENY"
    response.headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
    response.headers["X-Request-ID"] = request_id.get()
    if not request.path.startswith("/api/docs"):
        response.headers.setdefault("Cache-Control", "no-store")
    log.info(
        "request",
        extra={
            "method": request.method,
            "path": request.path,
            "status": response.status_code,
            "ms": round((time.perf_counter() - g.began) * 1000, 1) if "began" in g else None,
        },
    )
    return response


def _forget(_error: BaseException | None) -> None:
    token = g.pop("request_id_token", None)
    if token is not None:
        request_id.reset(token)
