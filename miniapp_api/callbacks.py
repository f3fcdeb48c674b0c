"""Payment notices: raw bytes in, the platform's own form out."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, request

from miniapp_api.security import open_to_all, own_services
from services.inbox import read_posted
from services.logs import request_id
from services.payments.notices import TOO_LARGE
from services.ports import NoticeRefused

bp = Blueprint("callbacks", __name__, url_prefix="/notify")

_NOT_SIGNED = frozenset(
    {"bad_signature", "unknown_serial", "stale", "missing_headers", "other_algorithm"}
)


@bp.post("/wechatpay")
@open_to_all
def wechat_pay() -> tuple[Response, int] | tuple[str, int]:
    """Take a payment notice; 204 only when what it says is committed.

    WeChat Pay looks at the status alone: 200 or 204 ends its retries, everything else repeats them.

    Source: platforms.md 4.6.
    """
    request.max_content_length = None
    posted = read_posted(
        headers=dict(request.headers),
        stream=request.stream,
        announced=request.content_length,
        remote_ip=request.remote_addr,
    )
    try:
        own_services().notices.take(posted=posted, request_id=request_id.get())
    except NoticeRefused as refused:
        return jsonify({"code": "FAIL", "message": refused.reason}), _status(refused.reason)
    return "", 204


def _status(reason: str) -> int:
    if reason == TOO_LARGE:
        return 413
    return 401 if reason in _NOT_SIGNED else 400
