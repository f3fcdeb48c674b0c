"""How often a route may be asked: counted in Redis, or in this process while Redis is away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from flask import Flask, current_app, g, request
from flask_limiter import Limiter, RateLimitExceeded
from redis import Redis

from domain.addresses import home_of
from domain.errors import TooMany
from miniapp_api.security import actor

P = ParamSpec("P")
R = TypeVar("R")

WINDOW_S = 60
"""The span that is counted in; it starts with the first request, so that after it all is new."""


@dataclass(frozen=True)
class Rate:
    """So many requests a minute for each key, over all routes that carry the rate."""

    name: str
    per_minute: int
    key: Callable[[], str]


def _address() -> str:
    return home_of(request.remote_addr or "")


def _account() -> str:
    return str(actor().account_id)


def _staff() -> str:
    return f"staff:{actor().id}"


SIGNING_IN = Rate("signing_in", 30, _address)
"""Anybody may ask these, and most of them ask WeChat or send an SMS.

One person signs in with three requests; ten a minute behind one address is a busy shop's Wi-Fi.
WeChat's own quota is shared by all owners, so a stranger must not be able to use it up. The limits
on codes (D11) are counted in the database and stand beside this one.
"""
PAYING = Rate("paying", 60, _account)
"""Each asks WeChat Pay. A client that asks every two seconds whether it was paid takes 30."""
READING_METERS = Rate("reading_meters", 60, _staff)
"""A community of 5,000 meters in lists of 500 is ten requests; a phone sends one for each house."""
MANAGING_STAFF = Rate("managing_staff", 60, _staff)
"""Some of these hash a password, which takes a tenth of a second of a core."""
TRACING = Rate("tracing", 60, _staff)
"""Each may ask a channel about an order and its refunds."""
IMPORTING = Rate("importing", 120, _staff)
"""A page that watches a batch looks every second."""
HANDING_IN = Rate("handing_in", 20, _staff)
"""Each keeps a file of up to 10 MB and costs a worker some seconds."""
PRINTING = Rate("printing", 30, _account)
"""A file of three years takes some 100 ms; an owner prints a handful."""
DOOR = Rate("door", 60, _address)
"""Anybody with a code may ask these; a page that waits for the money looks every four seconds."""
VERIFYING = Rate("verifying", 30, _address)
"""Anybody with a paper may ask these; whoever checks a pile of papers scans one in two seconds."""
BINDING = Rate("binding", 30, _account)
"""An owner asks, invites and accepts a handful of times; tokens are not for guessing."""
KEEPING_OWNERS = Rate("keeping_owners", 240, _staff)
"""A clerk who types searches four times a second; whoever copies all owners is slower than that."""
READING_HISTORY = Rate("reading_history", 60, _staff)
"""A file of 20,000 lines takes a second."""
PRIVACY = Rate("privacy", 30, _account)
"""Consents, copies of one's data and closing one's account: a handful in a year."""
SUBSCRIBING = Rate("subscribing", 60, _account)
"""Asked after a payment or a report, not all the time."""
READING_NOTICES = Rate("reading_notices", 120, _account)
"""Each notice that is opened is one."""
KEEPING_NOTICES = Rate("keeping_notices", 60, _staff)
"""A preview counts all people of a community."""
KEEPING_ESTATE = Rate("keeping_estate", 240, _staff)
"""A clerk who types searches four times a second; a preview computes some dozens of bills."""
MAINTAINING = Rate("maintaining", 240, _staff)
"""Whoever walks from lift to lift hands in a task in a minute; offline drafts come all at once."""
PRINTING_LABELS = Rate("printing_labels", 20, _staff)
"""A sheet of 500 labels takes some seconds."""
REPORTING = Rate("reporting", 30, _account)
"""An owner reports, confirms and rates a handful of times in a day."""
FOLLOWING = Rate("following", 120, _account)
"""A progress page that is open asks every few seconds."""
WORKING = Rate("working", 240, _staff)
"""A dispatcher's board asks every few seconds; a phone sends its drafts when it is back online."""
FILES = Rate("files", 60, _account)
"""Nine photos for a repair, and some tries; each is drawn anew in a tenth of a second of a core."""
STAFF_FILES = Rate("staff_files", 60, _staff)
"""As above, for orders and tasks on the way."""
FOLLOWING_LINKS = Rate("following_links", 600, _address)
"""Anybody with a link may ask these; a page shows some dozens of small photos."""
RATES = (
    FILES,
    STAFF_FILES,
    FOLLOWING_LINKS,
    SIGNING_IN,
    PAYING,
    READING_METERS,
    MANAGING_STAFF,
    TRACING,
    IMPORTING,
    HANDING_IN,
    PRINTING,
    DOOR,
    VERIFYING,
    BINDING,
    KEEPING_OWNERS,
    KEEPING_ESTATE,
    READING_HISTORY,
    PRIVACY,
    MAINTAINING,
    PRINTING_LABELS,
    REPORTING,
    FOLLOWING,
    WORKING,
    SUBSCRIBING,
    READING_NOTICES,
    KEEPING_NOTICES,
)


def limited(rate: Rate) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Refuse a route beyond its rate, before anything of the request is read.

    It stands right below the mark that says who may use the route.
    """

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        @wraps(view)
        def counted(*args: P.args, **kwargs: P.kwargs) -> R:
            g.rate = rate
            try:
                current_app.extensions["rates"][rate.name]()
            except RateLimitExceeded as exceeded:
                raise TooMany(retry_after_s=WINDOW_S) from exceeded
            return view(*args, **kwargs)

        return counted

    return decorate


def register(app: Flask, *, redis: Redis) -> None:
    """Give an app its counters; the time-outs are those of the connection.

    While Redis does not answer each process counts for itself, and asks again after 1, 2, 4 … 32
    seconds.
    """
    options: Any = {"connection_pool": redis.connection_pool}
    limiter = Limiter(
        lambda: g.rate.key(),
        app=app,
        storage_uri="redis://",
        storage_options=options,
        strategy="fixed-window",
        in_memory_fallback_enabled=True,
        # Of two threads that find Redis away at the same moment only one falls back by itself.
        swallow_errors=True,
        key_prefix="anju",
    )
    # The extension's hook looks at every request: it has nothing to count, or to ask Redis, there.
    limiter.request_filter(lambda: "rate" not in g)
    app.extensions["rates"] = {rate.name: _counter(limiter, rate) for rate in RATES}


def _counter(limiter: Limiter, rate: Rate) -> Callable[[], None]:
    def count() -> None:
        """Do nothing: what counts is the decorator, which knows functions by their names."""

    count.__qualname__ = f"count.{rate.name}"
    limit = limiter.shared_limit(f"{rate.per_minute}/{WINDOW_S} seconds", scope=rate.name)
    counter: Callable[[], None] = limit(count)
    return counter
