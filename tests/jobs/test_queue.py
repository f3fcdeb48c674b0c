import json
import os
import signal
import time
import zlib
from dataclasses import replace

import pytest
from redis import Redis
from redis.exceptions import RedisError
from rq.job import JobStatus
from rq.serializers import JSONSerializer

from domain.errors import PlatformUnavailable
from jobs.queue import (
    QUEUE_NAME,
    AllowListedJob,
    QueueProbe,
    RqJobQueue,
    UnknownJob,
    connect_briefly,
    make_queue,
)
from jobs.tasks import JOBS
from localstack.engines import start_redis

A_SECOND = 1.2


@pytest.fixture
def own_redis(tmp_path):
    """A Redis that a test may stop and hang."""
    with start_redis(tmp_path / "redis", durable=False) as engine:
        yield engine


@pytest.fixture
def hung_redis(own_redis):
    os.kill(own_redis.pid, signal.SIGSTOP)
    yield own_redis
    os.kill(own_redis.pid, signal.SIGCONT)


@pytest.fixture
def stopped_redis(own_redis):
    own_redis.stop()
    return own_redis


@pytest.fixture
def queue_on():
    """Our queue on the Redis of an engine."""
    opened = []

    def queue_on(engine):
        opened.append(connect_briefly(engine.url))
        return RqJobQueue(make_queue(opened[-1]))

    yield queue_on
    for connection in opened:
        connection.close()


class TestEnqueue:
    def test_puts_the_name_and_the_ids_on_the_queue_as_json(self, enqueue, rq_queue, redis):
        enqueue("deliver_messages", message_id=7)

        (job_id,) = rq_queue.job_ids
        raw = zlib.decompress(redis.hget(f"rq:job:{job_id}", "data"))
        assert json.loads(raw) == ["deliver_messages", None, [], {"message_id": 7}]

    def test_no_job_runs_for_ever_or_stays_for_ever(self, enqueue, rq_queue):
        enqueue("deliver_messages")

        (job,) = rq_queue.jobs
        assert 0 < job.timeout <= 600
        assert job.result_ttl > 0
        assert job.failure_ttl > 0

    @pytest.mark.parametrize("name", ["", "os.system", "deliver", "jobs.tasks.deliver_messages"])
    def test_knows_only_jobs_of_ours(self, enqueue, rq_queue, name):
        with pytest.raises(KeyError):
            enqueue(name)

        assert len(rq_queue) == 0


@pytest.mark.slow
class TestAway:
    def test_a_stopped_redis_costs_no_time(self, stopped_redis, queue_on):
        queue, began = queue_on(stopped_redis), time.monotonic()

        with pytest.raises(RedisError):
            queue.enqueue("deliver_messages")

        assert time.monotonic() - began < A_SECOND

    def test_a_hung_redis_costs_a_second_at_most(self, hung_redis, queue_on):
        queue, began = queue_on(hung_redis), time.monotonic()

        with pytest.raises(RedisError):
            queue.enqueue("deliver_messages")

        assert time.monotonic() - began < A_SECOND

    @pytest.mark.parametrize("state", ["stopped_redis", "hung_redis"])
    def test_a_use_case_succeeds_all_the_same(self, request, services, queue_on, state, caplog):
        queue = queue_on(request.getfixturevalue(state))
        unit_of_work = replace(services.outbox.unit_of_work, queue=queue)
        began = time.monotonic()

        assert unit_of_work.run(lambda tx: tx.wake("deliver_messages") or "done") == "done"

        assert time.monotonic() - began < A_SECOND
        assert "could not enqueue" in caplog.text


class TestAllowList:
    def make(self, name, **more):
        job = AllowListedJob(id="job-1", connection=Redis(), serializer=JSONSerializer)
        job._func_name, job._args, job._kwargs, job._instance = name, (), {}, None
        for key, value in more.items():
            setattr(job, key, value)
        return job

    @pytest.mark.parametrize("name", sorted(JOBS))
    def test_finds_jobs_of_ours(self, name):
        assert self.make(name).func is JOBS[name]

    @pytest.mark.parametrize(
        "name", ["os.system", "builtins.eval", "jobs.tasks.JOBS", "jobs.tasks.deliver_messages", ""]
    )
    def test_finds_nothing_else(self, name):
        with pytest.raises(UnknownJob):
            _ = self.make(name).func

    @pytest.mark.parametrize("which", ["success", "failure", "stopped"])
    def test_has_no_callbacks_whatever_redis_names(self, which):
        job = self.make("deliver_messages", **{f"_{which}_callback_name": "tests.jobs.canary.sing"})

        assert getattr(job, f"{which}_callback") is None

    def test_calls_no_addresses_whatever_redis_names(self):
        job = self.make("deliver_messages", webhooks=[object()])

        job.send_webhooks(JobStatus.FINISHED)


class TestProbe:
    def test_tells_how_many_wait(self, redis, enqueue):
        enqueue("deliver_messages")

        assert QueueProbe(redis).check() == "已连接，1 个任务在排队"

    @pytest.mark.slow
    def test_warns_of_a_redis_that_forgets(self, own_redis):
        with connect_briefly(own_redis.url) as connection:
            connection.config_set("maxmemory-policy", "allkeys-lru")

            with pytest.raises(PlatformUnavailable, match="noeviction"):
                QueueProbe(connection).check()

    @pytest.mark.slow
    def test_says_what_to_look_at_when_it_is_away(self, stopped_redis):
        connection = connect_briefly(stopped_redis.url)

        with connection, pytest.raises(PlatformUnavailable, match="REDIS_URL"):
            QueueProbe(connection).check()

    def test_looks_at_the_queue_that_workers_use(self, rq_queue):
        assert rq_queue.name == QUEUE_NAME
