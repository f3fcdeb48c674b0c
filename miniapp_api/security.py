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

P = ParamSpec("P")
R = TypeVar("R")

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
    """Let only keys of members of staff in; ``g.actor`` is whose key it is.

    What their role may do is for the use-case to ask. It stands where `signed_in` does.
    """

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        g.actor = own_services().staff_tokens.authenticate(
            token=bearer_token(), request_id=request_id.get()
        )
        return view(*args, **kwargs)

    return _mark(guarded, "staff")


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


def actor() -> Actor:
    """Tell who asks; set by the mark on the route."""
    found: Actor = g.actor
    return found


def own_services() -> assembly.Services:
    """Find the services of this app."""
    app: Any = current_app
    return assembly.of(app)
