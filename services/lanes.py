"""The lanes in which messages queue, so that nobody waits behind what is none of their business."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from domain.messages import Channel, MessageKind

LANES: dict[str, Channel] = {
    MessageKind.LOGIN_CODE: Channel.SMS,
    Channel.SMS: Channel.SMS,
    Channel.MAIL: Channel.MAIL,
    Channel.OFFICIAL_TEMPLATE: Channel.OFFICIAL_TEMPLATE,
    Channel.SUBSCRIBE: Channel.SUBSCRIBE,
}
"""Lanes and their channels. Somebody waits for a login code: it queues behind nothing but codes."""
_LOOK_AGAIN_S = 0.5
"""How often an idle lane looks while another is still busy in the same job."""


class Lanes:
    """How far the lanes of one job are: it is over when all looked, in vain, after the last work.

    What one lane does may be work for another: a refused template message becomes an SMS.
    """

    def __init__(self) -> None:
        self._is_broken = False
        self._done = 0
        self._dry: dict[str, int] = {}
        self._changed = threading.Condition()

    @property
    def done(self) -> int:
        """How many batches were done so far; taken before a look."""
        return self._done

    def begin(self, lane: str) -> None:
        """Say that a lane has found a batch."""
        with self._changed:
            self._dry.pop(lane, None)

    def end(self) -> None:
        """Say that a batch was marked."""
        with self._changed:
            self._done += 1
            self._changed.notify_all()

    def is_over(self, lane: str, looked_after: int) -> bool:
        """Say that a lane found nothing, and tell whether all is done; waits a little if not."""
        with self._changed:
            self._dry[lane] = looked_after
            self._changed.notify_all()
            self._changed.wait_for(
                lambda: self._all_dry() or self._done != looked_after, _LOOK_AGAIN_S
            )
            return self._all_dry()

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Run one lane; if it breaks, the others end after what they have in hand."""
        try:
            yield
        except BaseException:
            with self._changed:
                self._is_broken = True
                self._changed.notify_all()
            raise

    def _all_dry(self) -> bool:
        if self._is_broken:
            return True
        return len(self._dry) == len(LANES) and set(self._dry.values()) == {self._done}
