"""Payment notices: raw bytes in, the platform's own form out."""

from __future__ import annotations

import logging

from flask import Blueprint, Response, jsonify, request
from werkzeug.exceptions import HTTPException

from miniapp_api.errors import DatabaseUnavailable, is_database_away
from miniapp_api.security import open_to_all, own_services
from services.inbox import ANY_LENGTH, Posted, read_posted
from services.logs import request_id
from services.pay_ports import NoticeRefused
from services.payments.notices import TOO_LARGE

log = logging.getLogger(__name__)
bp = Blueprint("callbacks", __name__, url_prefix="/notify")

_PLAIN = {"Content-Type": "text/plain; charset=utf-8"}
_NOT_SIGNED = frozenset(
    {
        "header_missing",
        "header_form",
        "signature_type",
        "timestamp_form",
        "serial_unknown",
        "stale",
        "signature",
        "signature_form",
        "sign_type",
        "app_unknown",
    }
)


@bp.post("/wechatpay")
@bp.post("/wechatpay/refund")
@open_to_all
def wechat_pay() -> tuple[Response, int] | tuple[str, int]:
    """Take a notice of a payment or a refund; 204 only when what it says is committed.

    WeChat Pay looks at the status alone: 200 or 204 ends its retries, everything else repeats them.

    Source: platforms.md 4.6.
    """
    try:
        own_services().notices.take_wechat(posted=_read(), request_id=request_id.get())
    except NoticeRefused as refused:
        return jsonify({"code": "FAIL", "message": refused.reason}), _status(refused.reason)
    return "", 204


@bp.post("/alipay")
@open_to_all
def alipay() -> tuple[str, int, dict[str, str]]:
    """Take a notice of a payment or a refund; ``success`` only when what it says is committed.

    Alipay looks at the body alone: exactly these seven bytes end its retries.

    Source: platforms.md 4.7.
    """
    try:
        own_services().notices.take_alipay(posted=_read(), request_id=request_id.get())
    except NoticeRefused as refused:
        return "fail", _status(refused.reason), _PLAIN
    return "success", 200, _PLAIN


def _read() -> Posted:
    request.max_content_length = ANY_LENGTH
    return read_posted(
        headers=dict(request.headers),
        stream=request.stream,
        announced=request.content_length,
        remote_ip=request.remote_addr,
    )


@bp.errorhandler(Exception)
def failed(error: Exception) -> tuple[Response, int]:
    """Answer in the platform's form whatever goes wrong, so that it tells us again."""
    if isinstance(error, HTTPException) and error.code:
        return jsonify({"code": "FAIL", "message": error.name}), error.code
    log.error("notice failed", exc_info=error)
    if is_database_away(error):
        return jsonify({"code": "FAIL", "message": DatabaseUnavailable.code}), 503
    return jsonify({"code": "FAIL", "message": "internal_error"}), 500


def _status(reason: str) -> int:
    if reason == TOO_LARGE:
        return 413
    return 401 if reason in _NOT_SIGNED else 400
