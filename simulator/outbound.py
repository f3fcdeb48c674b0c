"""HTTP from the platforms to the backend: loopback only, no proxy, one deadline, threads."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests

T = TypeVar("T")

PATIENCE_S = 5.0  # after which WeChat and WeChat Pay hang up
MOST_AT_ONCE = 64
LOOPBACK = ("127.0.0.1", "localhost", "::1")

_gate = threading.BoundedSemaphore(MOST_AT_ONCE)


@dataclass(frozen=True)
class Outcome:
    """What came of one request; the status is None if there was no answer in time."""

    status: int | None
    ms: int
    error: str | None
    body: bytes = b""

    def as_attempt(self, at: str) -> dict[str, Any]:
        """Return the line kept of this attempt."""
        return {"at": at, "status": self.status, "ms": self.ms, "error": self.error}


def is_loopback(url: str) -> bool:
    """Tell whether the URL leads to this machine, the only one the simulator calls."""
    return urlsplit(url).hostname in LOOPBACK


def send(
    method: str,
    url: str,
    *,
    params: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
    data: bytes = b"",
) -> Outcome:
    """Send one request and wait at most five seconds for the whole answer."""
    if not is_loopback(url):
        return Outcome(None, 0, "not a loopback address: the simulator does not go out")
    started = time.monotonic()
    try:
        with requests.Session() as session:
            session.trust_env = False
            response = session.request(
                method,
                url,
                params=params,
                headers=headers,
                data=data,
                timeout=PATIENCE_S,
                allow_redirects=False,
            )
    except requests.RequestException as error:
        return Outcome(None, int((time.monotonic() - started) * 1000), type(error).__name__)
    ms = int((time.monotonic() - started) * 1000)
    if ms > PATIENCE_S * 1000:
        # requests measures the pause between bytes; the platforms measure the whole answer.
        return Outcome(None, ms, "TooSlow")
    return Outcome(response.status_code, ms, None, response.content)


class _Busy:
    """Counts the works under way, so that one can wait for a quiet moment."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._count = 0

    def add(self, change: int) -> None:
        with self._changed:
            self._count += change
            self._changed.notify_all()

    def wait_until_quiet(self, timeout_s: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._count == 0, timeout_s)


_busy = _Busy()


def wait_until_quiet(timeout_s: float) -> bool:
    """Wait until no work is under way in the background; tell whether that came in time."""
    return _busy.wait_until_quiet(timeout_s)


def in_background(work: Callable[[], object], name: str) -> threading.Thread:
    """Do the work in a thread, when fewer than the most are busy."""

    def gated() -> None:
        try:
            with _gate:
                work()
        finally:
            _busy.add(-1)

    _busy.add(1)
    thread = threading.Thread(target=gated, name=name, daemon=True)
    thread.start()
    return thread


def all_at_once(works: Sequence[Callable[[], T]]) -> list[T]:
    """Do all works at the same instant in as many threads; results in the order of the works."""
    if len(works) == 1:
        return [works[0]()]
    start = threading.Barrier(len(works))
    results: dict[int, T] = {}

    def one(place: int, work: Callable[[], T]) -> None:
        start.wait()
        results[place] = work()

    threads = [
        threading.Thread(target=one, args=(place, work), name=f"copy-{place}", daemon=True)
        for place, work in enumerate(works)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [results[place] for place in sorted(results)]
