"""Who is asking: sessions and staff keys by bearer token, and the mark every route must carry."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from flask import current_app, g, request

from domain.actors import Actor, visitor
from domain.errors import NotSignedIn
from services import assembly
from services.logs import request_id
from services.sign_in_attempts import Visit
from services.staff.sessions import TOKEN_PREFIX

P = ParamSpec("P")
R = TypeVar("R")

_DEVICE = re.compile(r"\A[A-Za-z0-9_-]{16,64}\Z", re.ASCII)
_BEARER = re.compile(r"\ABearer ([A-Za-z0-9_-]{20,100})\Z", re.ASCII)


def signed_in(view: Callable[P, R]) -> Callable[P, R]:
    """Let only owners with a live session in; ``g.actor`` is who they are.

    It stands right below the route, so that nothing a stranger sends is even read.
    """

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        g.actor = own_services().login.authenticate(
            token=bearer_token(), request_id=request_id.get()
        )
        return view(*args, **kwargs)

    return _mark(guarded, "owner")


def staff_only(view: Callable[P, R]) -> Callable[P, R]:
    """Let only sessions and keys of members of staff in; ``g.actor`` is whose it is.

    What their role may do is for the use-case to ask. It stands where `signed_in` does.
    """

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        g.actor = _staff_of(bearer_token())
        return view(*args, **kwargs)

    return _mark(guarded, "staff")


def _staff_of(token: str) -> Actor:
    services = own_services()
    if token.startswith(TOKEN_PREFIX):
        return services.staff_sessions.authenticate(token=token, request_id=request_id.get())
    return services.staff_tokens.authenticate(token=token, request_id=request_id.get())


def open_to_all(view: Callable[P, R]) -> Callable[P, R]:
    """Declare on purpose that a route asks for no session; it acts as a visitor."""

    @wraps(view)
    def unguarded(*args: P.args, **kwargs: P.kwargs) -> R:
        g.actor = visitor(request_id.get())
        return view(*args, **kwargs)

    return _mark(unguarded, "open")


def _mark(view: Callable[P, R], access: str) -> Callable[P, R]:
    view.access = access  # type: ignore[attr-defined]
    return view


def bearer_token() -> str:
    """Read the session token or staff key of this request.

    Raises:
        NotSignedIn: there is none of the right form.
    """
    match = _BEARER.match(request.headers.get("Authorization", ""))
    if not match:
        raise NotSignedIn
    return match[1]


def visit() -> Visit:
    """Tell where a request comes from; a nonce of the wrong form counts as none."""
    device = request.headers.get("X-Device-Id", "")
    return Visit(
        ip=request.remote_addr or "",
        device=device if _DEVICE.match(device) else "",
        device_words=request.user_agent.string.replace("\0", ""),
    )


def actor() -> Actor:
    """Tell who asks; set by the mark on the route."""
    found: Actor = g.actor
    return found


def own_services() -> assembly.Services:
    """Find the services of this app."""
    app: Any = current_app
    return assembly.of(app)
