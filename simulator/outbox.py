"""The outbox of callbacks: the first try at once, then the platform's retry series."""

import threading
import uuid
from collections.abc import Callable
from typing import Any

from simulator import outbound, pay_callbacks
from simulator.clock import beijing_ms
from simulator.credentials import Merchant
from simulator.deliveries import delivery_of
from simulator.state import Notice
from simulator.world import World

_NOTHING_DUE_S = 3600.0


class Outbox:
    """Delivers notices on the virtual clock, each in a thread of its own."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._changed = threading.Condition(world.lock)
        self._busy: set[str] = set()
        self._pending: dict[str, Notice] = {}
        self._closing = False
        # Each does what is due on the platforms themselves, with the lock held, and tells when
        # its next thing will be; None for nothing.
        self.chores: list[Callable[[], float | None]] = []

    def start(self) -> None:
        """Begin to deliver, with what an earlier run left over."""
        for notice in self._world.state.notices.values():
            if notice.state == "pending":
                self._pending[notice.id] = notice
        threading.Thread(target=self._run, name="outbox", daemon=True).start()

    def close(self) -> None:
        """Deliver no more."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()

    def wake(self) -> None:
        """Look again at what is due, because the clock was moved."""
        with self._changed:
            self._changed.notify_all()

    def forget(self) -> None:
        """Forget all notices, after a reset of the world."""
        with self._changed:
            self._pending.clear()
            self._changed.notify_all()

    def _set(self, notice: Notice, state: str, next_at: float | None = None) -> None:
        notice.state, notice.next_at = state, next_at
        # A delivery that was under way during a reset must not bring its notice back.
        is_known = self._world.state.notices.get(notice.id) is notice
        if state == "pending" and is_known:
            self._pending[notice.id] = notice
        else:
            self._pending.pop(notice.id, None)
        self._world.changed()
        self._changed.notify_all()

    def put(
        self,
        merchant: Merchant,
        resource: dict[str, Any],
        *,
        out_trade_no: str,
        url: str,
        state: str,
        copies: int,
        kind: str = "TRANSACTION.SUCCESS",
        out_refund_no: str = "",
    ) -> Notice:
        """Queue a callback of this kind; state is `pending`, `held` or `lost`."""
        world = self._world
        now = world.clock.time()
        notice = Notice(
            id=str(uuid.uuid4()),
            kind=kind,
            mchid=merchant.mchid,
            out_trade_no=out_trade_no,
            url=url,
            body=pay_callbacks.seal(world, merchant, resource, event_type=kind),
            state=state,
            next_at=None,
            made_at=now,
            copies=copies,
            out_refund_no=out_refund_no,
        )
        self.add(notice)
        return notice

    def add(self, notice: Notice) -> None:
        """Queue a notice that is already made; its state is `pending`, `held` or `lost`."""
        with self._changed:
            self._world.state.notices[notice.id] = notice
            is_pending = notice.state == "pending"
            self._set(notice, notice.state, self._world.clock.time() if is_pending else None)

    def _run(self) -> None:
        with self._changed:
            while not self._closing:
                self._changed.wait(self._start_due())

    def _start_due(self) -> float:
        """Start what is due and return how long nothing more will be."""
        soonest = _NOTHING_DUE_S
        for chore in self.chores:
            soonest = min(soonest, self._pause_until(chore()))
        for notice in list(self._pending.values()):
            if notice.id in self._busy or notice.next_at is None:
                continue
            left = self._world.clock.real_seconds_until(notice.next_at)
            if left == 0:
                self._start(notice)
            elif left is not None:
                soonest = min(soonest, left)
        return soonest

    def _pause_until(self, instant: float | None) -> float:
        left = None if instant is None else self._world.clock.real_seconds_until(instant)
        return _NOTHING_DUE_S if left is None else left

    def _start(self, notice: Notice) -> None:
        self._busy.add(notice.id)
        outbound.in_background(lambda: self._attempt(notice), "callback")

    def _attempt(self, notice: Notice) -> None:
        try:
            self.deliver(notice, copies=notice.copies)
        finally:
            with self._changed:
                self._busy.discard(notice.id)
                self._changed.notify_all()

    def deliver(self, notice: Notice, *, copies: int = 1) -> None:
        """Send a notice now, all copies at the same instant, and note what came of it."""
        world = self._world
        outcomes = outbound.all_at_once([lambda: self._post(notice)] * copies)
        with self._changed:
            notice.attempts += [attempt for attempt, _ in outcomes]
            notice.copies = 1
            if notice.state == "pending":
                self._move_on(notice, is_done=any(done for _, done in outcomes))
            elif any(done for _, done in outcomes):
                self._set(notice, "done")
            world.changed()

    def _post(self, notice: Notice) -> tuple[dict[str, Any], bool]:
        world, delivery = self._world, delivery_of(notice)
        headers, body = delivery.seal(world, notice)
        at = beijing_ms(world.clock.time())
        outcome = outbound.send("POST", notice.url, headers=headers, data=body.encode())
        return outcome.as_attempt(at), delivery.is_done(outcome)

    def _move_on(self, notice: Notice, *, is_done: bool) -> None:
        if is_done:
            self._set(notice, "done")
            return
        retries_s = delivery_of(notice).retries_s
        if notice.tries == len(retries_s):
            self._set(notice, "given_up")
            return
        # Counted from when it was due, so that a long jump of the clock runs all tries in between.
        due = notice.next_at if notice.next_at is not None else self._world.clock.time()
        self._set(notice, "pending", due + retries_s[notice.tries])
        notice.tries += 1

    def _is_idle(self) -> bool:
        for chore in self.chores:
            chore()
        if self._busy:
            return False
        now = self._world.clock.time()
        return not any(n.next_at is not None and n.next_at <= now for n in self._pending.values())

    def wait_until_idle(self, timeout_s: float) -> bool:
        """Wait until nothing is due or under way; tell whether that came in time."""
        with self._changed:
            self._changed.notify_all()
            return self._changed.wait_for(self._is_idle, timeout_s)

    def chosen(self, notice_id: str | None, states: tuple[str, ...]) -> list[Notice]:
        """Return the one notice, or all in these states, oldest first."""
        with self._world.lock:
            notices = self._world.state.notices
            if notice_id is not None:
                return [notices[notice_id]] if notice_id in notices else []
            return [n for n in notices.values() if n.state in states]

    def run(self, notices: list[Notice], times: int) -> None:
        """Try these now, whatever is due, so many times or until done."""
        for _ in range(times):
            works = [self._runner(n) for n in notices if n.state not in ("done", "given_up")]
            if works:
                outbound.all_at_once(works)

    def _runner(self, notice: Notice) -> Any:
        def work() -> None:
            with self._changed:
                self._changed.wait_for(lambda: notice.id not in self._busy)
                self._busy.add(notice.id)
                # A try by hand counts as one of the series, from now on.
                self._set(notice, "pending", self._world.clock.time())
            self._attempt(notice)

        return work

    def hold(self, notices: list[Notice]) -> None:
        """Keep these back until they are released."""
        with self._changed:
            for notice in notices:
                self._set(notice, "held")

    def release(self, notices: list[Notice]) -> None:
        """Let these go now."""
        with self._changed:
            for notice in notices:
                self._set(notice, "pending", self._world.clock.time())

    def drop(self, notices: list[Notice]) -> None:
        """Lose these for good."""
        with self._changed:
            for notice in notices:
                self._set(notice, "lost")
