"""The access token of one WeChat app, shared by all processes and fetched by one of them."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Protocol, TypeGuard

from redis import Redis
from redis.exceptions import LockError, RedisError

from domain.errors import PlatformUnavailable
from services.ports import Clock

_log = logging.getLogger(__name__)

_EARLY_S = 300
_EARLY_SHARE = 0.1
_POLL_S = 0.05
_FORCED_APART_S = 30
_FORCED_PER_DAY = 20
"""Source: platforms.md 1.6, stable_token limits (official page api_getstableaccesstoken)."""


@dataclass(frozen=True, slots=True)
class FreshToken:
    """What the platform just gave."""

    token: str
    life_s: int


class TokenFetch(Protocol):
    """Asks the platform for a token by ``stable_token``."""

    def __call__(self, *, force: bool) -> FreshToken:
        """Fetch; ``force`` retires the present token, at most 20 times a day."""
        ...


@dataclass(frozen=True, slots=True)
class _Record:
    token: str
    expires_at_s: float
    life_s: int


class AccessTokens:
    """Hands out the token of one app; of all callers that find none, one fetches it.

    The token and its expiry are one Redis value. Without Redis each process keeps its own copy,
    which is safe because ``stable_token`` in normal mode gives everyone the same token.

    Source: platforms.md 1.6.
    """

    def __init__(
        self,
        *,
        redis: Redis,
        appid: str,
        fetch: TokenFetch,
        clock: Clock,
        lock_s: float = 20,
        wait_s: float = 10,
    ) -> None:
        """``lock_s`` outlives two fetches; ``wait_s`` bounds the wait for another's fetch."""
        self._redis = redis
        self._key = f"wechat:token:{appid}"
        self._fetch = fetch
        self._clock = clock
        self._lock_s = lock_s
        self._wait_s = wait_s
        self._own: _Record | None = None
        self._own_lock = threading.Lock()

    def take(self, *, rejected: str | None = None) -> str:
        """Return a token that is good for a while.

        Args:
            rejected: the token the platform has just refused. Whoever comes late with it finds
                that the stored one already differs, so a revocation costs one fetch, not a storm.

        Returns:
            The token; the rejected one again only if the platform has no other.

        Raises:
            PlatformRefused: the platform refuses the secret or the address.
            PlatformUnavailable: the platform, or the process that is fetching, did not answer.
        """
        try:
            return self._take_shared(rejected)
        except RedisError as error:
            _log.warning("wechat token: redis is away (%s)", type(error).__name__)
            return self._take_alone(rejected)

    def _take_shared(self, rejected: str | None) -> str:
        deadline = time.monotonic() + self._wait_s
        while True:
            stored = self._stored()
            if self._is_fresh(stored, rejected):
                return stored.token
            with self._turn() as is_mine:
                if is_mine:
                    return self._refresh_shared(rejected)
            if self._is_valid(stored, rejected):
                return stored.token
            if time.monotonic() > deadline:
                raise PlatformUnavailable("微信接口凭证正在刷新，请稍后再试", retry_after_s=5)
            time.sleep(_POLL_S)

    def _refresh_shared(self, rejected: str | None) -> str:
        # Another process may have finished between our look and our lock.
        stored = self._stored()
        if self._is_fresh(stored, rejected):
            return stored.token
        record = self._fetched(rejected)
        value = json.dumps(asdict(record))
        self._redis.set(self._key, value, ex=record.life_s)
        return record.token

    def _take_alone(self, rejected: str | None) -> str:
        if not self._own_lock.acquire(timeout=self._wait_s):
            raise PlatformUnavailable("微信接口凭证正在刷新，请稍后再试", retry_after_s=5)
        try:
            own = self._own
            if self._is_fresh(own, rejected):
                return own.token
            return self._fetched(rejected).token
        finally:
            self._own_lock.release()

    def _fetched(self, rejected: str | None) -> _Record:
        fresh = self._fetch(force=False)
        if fresh.token == rejected and self._may_force():
            _log.warning("wechat token: forced refresh, the platform repeated a rejected token")
            fresh = self._fetch(force=True)
        expires_at_s = self._clock.now().timestamp() + fresh.life_s
        self._own = _Record(fresh.token, expires_at_s, fresh.life_s)
        return self._own

    def _may_force(self) -> bool:
        """Count forced refreshes; without Redis nobody counts, so nobody forces."""
        try:
            if not self._redis.set(f"{self._key}:forced", "1", nx=True, ex=_FORCED_APART_S):
                return False
            count = self._redis.incr(f"{self._key}:forced-today")
            if count == 1:
                self._redis.expire(f"{self._key}:forced-today", 86_400)
        except RedisError:
            return False
        return count <= _FORCED_PER_DAY

    @contextmanager
    def _turn(self) -> Iterator[bool]:
        """Hold the fetching turn if it is free; nobody waits for it."""
        lock = self._redis.lock(f"{self._key}:lock", timeout=self._lock_s, blocking=False)
        is_mine = lock.acquire()
        try:
            yield is_mine
        finally:
            if is_mine:
                try:
                    lock.release()
                except LockError:
                    _log.warning("wechat token: the fetch outlived its lock")

    def _stored(self) -> _Record | None:
        raw = self._redis.get(self._key)
        if raw is None:
            return None
        try:
            record = _Record(**json.loads(raw))
        except (ValueError, TypeError):
            return None
        self._own = record
        return record

    def _left_s(self, record: _Record) -> float:
        return record.expires_at_s - self._clock.now().timestamp()

    def _is_valid(self, record: _Record | None, rejected: str | None) -> TypeGuard[_Record]:
        return record is not None and record.token != rejected and self._left_s(record) > 0

    def _is_fresh(self, record: _Record | None, rejected: str | None) -> TypeGuard[_Record]:
        return self._is_valid(record, rejected) and self._left_s(record) > min(
            _EARLY_S, record.life_s * _EARLY_SHARE
        )
