"""The simulator's own clock, which may be moved, and the forms the platforms write time in."""

import threading
import time
from datetime import UTC, datetime, timedelta, timezone

BEIJING = timezone(timedelta(hours=8))


class VirtualClock:
    """Real time plus an offset, or one frozen instant."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._offset_s = 0.0
        self._frozen_at: float | None = None
        self.callers_are_real = False

    def time(self) -> float:
        """Return the virtual instant in seconds since 1970."""
        with self._lock:
            return self._time()

    def callers_time(self) -> float:
        """Return the instant a caller's timestamp is held against.

        A program under test may have no clock but the real one: the virtual one can then be moved
        by days, and its requests are fresh all the same.
        """
        return time.time() if self.callers_are_real else self.time()

    def _time(self) -> float:
        return self._frozen_at if self._frozen_at is not None else time.time() + self._offset_s

    def advance(self, seconds: float) -> None:
        """Move the virtual instant; a negative number moves it back."""
        with self._lock:
            if self._frozen_at is not None:
                self._frozen_at += seconds
            else:
                self._offset_s += seconds

    def set_to(self, instant: float) -> None:
        """Make the virtual instant this one."""
        self.advance(instant - self.time())

    def freeze(self, *, frozen: bool) -> None:
        """Stop the clock where it stands, or let it run on from there."""
        with self._lock:
            now = self._time()
            self._frozen_at = now if frozen else None
            self._offset_s = now - time.time()

    def reset(self) -> None:
        """Go back to real time."""
        self.restore({"offset_s": 0.0, "frozen_at": None})
        self.callers_are_real = False

    def dump(self) -> dict[str, float | None]:
        """Return what `restore` needs."""
        with self._lock:
            return {"offset_s": self._offset_s, "frozen_at": self._frozen_at}

    def restore(self, saved: dict[str, float | None]) -> None:
        """Continue from what `dump` returned."""
        with self._lock:
            self._offset_s = saved.get("offset_s") or 0.0
            self._frozen_at = saved.get("frozen_at")

    def real_seconds_until(self, instant: float) -> float | None:
        """Return how long to wait for an instant; None while the clock is frozen before it."""
        with self._lock:
            left = instant - self._time()
            if left <= 0:
                return 0.0
            return None if self._frozen_at is not None else left


def beijing(instant: float) -> str:
    """Write an instant as RFC 3339 with +08:00 in whole seconds, as WeChat Pay does."""
    return datetime.fromtimestamp(int(instant), BEIJING).isoformat()


def beijing_ms(instant: float) -> str:
    """Write an instant in Beijing time with milliseconds, for the journal and the inboxes."""
    return datetime.fromtimestamp(instant, BEIJING).isoformat(timespec="milliseconds")


def beijing_day(instant: float) -> str:
    """Return the Beijing date, by which the platforms count daily quotas."""
    return datetime.fromtimestamp(instant, BEIJING).strftime("%Y%m%d")


def utc_day(instant: float) -> str:
    """Return the UTC date in the form of Tencent Cloud's credential scope."""
    return datetime.fromtimestamp(instant, UTC).strftime("%Y-%m-%d")


def read_iso(text: str) -> float:
    """Read an ISO instant; one without an offset is taken as UTC.

    Raises:
        ValueError: it is no ISO instant.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.timestamp()
