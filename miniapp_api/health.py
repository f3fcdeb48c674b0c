"""Alive, ready, and the few numbers that alarms look at."""

from __future__ import annotations

import hmac

from flask import Blueprint, Response, current_app, jsonify, request

from domain.errors import NotFound
from miniapp_api.security import open_to_all, own_services

bp = Blueprint("health", __name__)


@bp.get("/healthz")
@open_to_all
def alive() -> Response:
    """Answer as long as the process can."""
    return jsonify({"status": "alive"})


@bp.get("/readyz")
@open_to_all
def ready() -> tuple[Response, int]:
    """Answer 200 once the database is there and has all migrations."""
    if own_services().doctor.is_ready():
        return jsonify({"status": "ready"}), 200
    return jsonify({"status": "not_ready"}), 503


@bp.get("/metrics")
@open_to_all
def metrics() -> Response:
    """Show counters in Prometheus' text form to whoever holds the token; nobody else."""
    token = current_app.config["METRICS_TOKEN"]
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if not token or not hmac.compare_digest(given.encode(), token.encode()):
        raise NotFound
    lines = []
    for name, value in own_services().doctor.count().items():
        lines += [f"# TYPE anju_{name} gauge", f"anju_{name} {value}"]
    return Response("\n".join(lines) + "\n", mimetype="text/plain")
