"""The queue behind `services.ports.JobQueue`: RQ with JSON, and only jobs of ours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq import Queue
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer

from domain.errors import PlatformUnavailable
from jobs.tasks import JOBS

QUEUE_NAME = "anju"
_TIMEOUT_S = 600
_RESULT_LIFE_S = 600
_FAILURE_LIFE_S = 7 * 24 * 3600


class UnknownJob(Exception):
    """Somebody put a function name on the queue that is no job of ours."""


class AllowListedJob(Job):
    """A job that can only be one of `jobs.tasks.JOBS`.

    Whoever can write to Redis could otherwise have any importable function called.
    Source: reliability.md, finding 10.
    """

    @property
    def func(self) -> Callable[..., Any]:
        """The function to run.

        Raises:
            UnknownJob: the name is not on the list.
        """
        name = str(self.func_name)
        if name not in JOBS:
            raise UnknownJob(name)
        return JOBS[name]

    @property
    def success_callback(self) -> None:
        """None: a job of ours has no callbacks, and RQ would import whatever Redis names."""

    @property
    def failure_callback(self) -> None:
        """None, as for success."""

    @property
    def stopped_callback(self) -> None:
        """None, as for success."""

    def send_webhooks(self, status: str | JobStatus, *, exc_string: str | None = None) -> None:
        """Send none: RQ would call any address that Redis names."""


def connect_briefly(redis_url: str) -> Redis:
    """Connect for enqueueing: half a second, no retry. No request waits longer on Redis.

    Source: reliability.md, finding 11 and pattern 7.
    """
    return Redis.from_url(
        redis_url,
        socket_timeout=0.5,
        socket_connect_timeout=0.5,
        retry=Retry(NoBackoff(), 0),
    )


def make_queue(connection: Redis) -> Queue:
    """Make the RQ queue on a connection."""
    return Queue(
        QUEUE_NAME, connection=connection, serializer=JSONSerializer, job_class=AllowListedJob
    )


@dataclass(frozen=True)
class RqJobQueue:
    """Enqueues by name; the arguments are row ids."""

    queue: Queue

    def enqueue(self, job: str, **ids: int) -> None:
        """Put a job on the queue.

        Raises:
            KeyError: no such job.
            redis.RedisError: Redis did not answer.
        """
        if job not in JOBS:
            raise KeyError(job)
        self.queue.enqueue_call(
            job,
            kwargs=ids,
            timeout=_TIMEOUT_S,
            result_ttl=_RESULT_LIFE_S,
            failure_ttl=_FAILURE_LIFE_S,
        )


@dataclass(frozen=True)
class QueueProbe:
    """Asks Redis whether it answers and keeps what it is given."""

    connection: Redis
    name: str = "Redis 队列"

    def check(self) -> str:
        """Ping, and read the two settings that could lose jobs.

        Raises:
            PlatformUnavailable: Redis does not answer.
        """
        try:
            self.connection.ping()
            policy = self.connection.config_get("maxmemory-policy").get("maxmemory-policy")
            waiting = self.connection.llen(f"rq:queue:{QUEUE_NAME}")
        except Exception as error:
            raise PlatformUnavailable(
                "连接不上，请检查 REDIS_URL；消息仍会由定时任务送出"
            ) from error
        if policy != "noeviction":
            raise PlatformUnavailable(
                f"maxmemory-policy 是 {policy}，应为 noeviction，否则会丢任务"
            )
        return f"已连接，{waiting} 个任务在排队"
