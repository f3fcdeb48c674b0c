"""The push addresses of both WeChat accounts."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from flask import Blueprint, Response, current_app, request

from bot import replies
from bot.conversation import answer, answer_miniapp, dedup_key
from bot.pushes import PushAccount, PushRefused, check_address, open_push, seal_reply, text_reply
from domain.errors import NotFound
from services import assembly
from services.inbox import ANY_LENGTH, read_posted
from services.logs import request_id

log = logging.getLogger(__name__)
bp = Blueprint("bot", __name__, url_prefix="/wechat")

P = ParamSpec("P")
R = TypeVar("R")


def signed_by_platform(view: Callable[P, R]) -> Callable[P, R]:
    """Declare that a route asks for the platform's signature instead of a session."""

    @wraps(view)
    def same(*args: P.args, **kwargs: P.kwargs) -> R:
        return view(*args, **kwargs)

    same.access = "platform"  # type: ignore[attr-defined]
    return same


@bp.get("/<any(official, miniapp):account_name>")
@signed_by_platform
def check(account_name: str) -> Response:
    """Answer the console's question whether this address is ours."""
    try:
        return _plain(check_address(_account(account_name), request.args))
    except PushRefused:
        return _plain("forbidden", 403)


@bp.post("/<any(official, miniapp):account_name>")
@signed_by_platform
def take(account_name: str) -> Response:
    """Take one push: kept, verified, done once, answered within the platform's five seconds.

    What is not signed by the platform gets 4xx and changes nothing but the record.

    Source: platforms.md 4.1.
    """
    found = _services()
    account = _account(account_name)
    source = f"wechat_{account_name}"
    request.max_content_length = ANY_LENGTH
    posted = read_posted(
        headers=dict(request.headers),
        stream=request.stream,
        announced=request.content_length,
        remote_ip=request.remote_addr,
    )
    notice_id = found.inbox.keep(source=source, posted=posted, request_id=request_id.get())
    if posted.is_too_large:
        found.inbox.judge(notice_id=notice_id, verdict="too_large")
        return _plain("too large", 413)
    try:
        message = open_push(account, request.args, posted.body, now=found.clock.now())
    except PushRefused as refused:
        log.warning("push refused", extra={"reason": refused.reason, "source": source})
        found.inbox.judge(notice_id=notice_id, verdict=refused.reason)
        return _plain("forbidden", 403)
    if not found.inbox.take_once(notice_id=notice_id, dedup_key=dedup_key(message)):
        found.inbox.judge(notice_id=notice_id, verdict="repeated")
        return _plain("success")
    return _reply(found, account_name, message, notice_id)


def _reply(
    found: assembly.Services, account_name: str, message: dict[str, Any], notice_id: int
) -> Response:
    now = found.clock.now()
    try:
        content = None
        if account_name == "official":
            content = answer(found, message, request_id=request_id.get())
        else:
            answer_miniapp(found, message, request_id=request_id.get())
    except NotFound:
        # What the push is about is not committed yet: the platform's next try will find it.
        found.inbox.give_back(notice_id=notice_id, verdict="too_early")
        return _plain("not yet", 503)
    except Exception:
        log.exception("push failed")
        found.inbox.give_back(notice_id=notice_id, verdict="failed")
        content = replies.APOLOGY
    else:
        found.inbox.judge(notice_id=notice_id, verdict="done")
    if content is None:
        return _plain("success")
    reply = text_reply(
        to_openid=str(message.get("FromUserName") or ""),
        from_id=str(message.get("ToUserName") or ""),
        content=content,
        now=now,
    )
    sealed = seal_reply(_account(account_name), reply, now=now)
    return Response(sealed, mimetype="application/xml")


def _account(name: str) -> PushAccount:
    accounts: dict[str, PushAccount] = current_app.extensions["push_accounts"]
    return accounts[name]


def _services() -> assembly.Services:
    app: Any = current_app
    return assembly.of(app)


def _plain(text: str, status: int = 200) -> Response:
    return Response(text, status=status, mimetype="text/plain")
