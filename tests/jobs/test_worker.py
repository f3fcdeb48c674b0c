import json
import os
import pickle
import signal
import threading
import zlib
from pathlib import Path

import pytest
from redis import Redis
from rq import Queue, SimpleWorker
from rq.job import Callback
from rq.serializers import JSONSerializer

from domain.actors import system_actor, visitor
from domain.messages import Channel, MessageKind
from jobs.queue import QUEUE_NAME
from jobs.worker import Ticker, make_worker
from localstack.engines import start_redis
from services.outbox import queue_message
from services.sign_in_attempts import Visit
from services.timetable import TIMETABLE, Entry

PHONE = "19900000001"
CANARY = "tests.jobs.canary.sing"
SYSTEM = system_actor("测试")


@pytest.fixture
def ask_for_code(services):
    """Make a short message due."""
    return lambda: services.login.request_code(
        actor=visitor(), phone=PHONE, visit=Visit("127.0.0.1")
    )


@pytest.fixture
def stranger(redis):
    """The queue as somebody who can write to Redis uses it."""
    return Queue(QUEUE_NAME, connection=redis, serializer=JSONSerializer)


@pytest.mark.slow
class TestWork:
    def test_a_real_worker_delivers(self, ask_for_code, enqueue, work, simulator, database):
        ask_for_code()
        enqueue("deliver_messages")

        work()

        assert len(simulator.sms(PHONE)) == 1
        assert database.value("SELECT state FROM outbox_message") == "sent"

    def test_what_it_logs_is_json_with_the_jobs_id_and_no_secrets(
        self, ask_for_code, enqueue, stranger, start, tmp_path, simulator
    ):
        stranger.enqueue_call("no_such_job")
        ask_for_code()
        enqueue("deliver_messages")

        assert start("jobs", "work", "--burst", LOG_LEVEL="DEBUG").wait(60) == 0

        logged = (tmp_path / "process.log").read_text()
        code = simulator.sms(PHONE)[0]["params"][0]
        lines = [json.loads(line) for line in logged.splitlines()]
        assert any(line.get("request_id", "").startswith("job-") for line in lines)
        assert PHONE not in logged
        assert f'"{code}"' not in logged
        assert "only-for-tests" not in logged

    def test_runs_no_function_but_our_jobs(
        self, stranger, work, ask_for_code, enqueue, simulator, environment
    ):
        stranger.enqueue_call(CANARY)
        stranger.enqueue_call("os.system", args=(f"touch {environment['CANARY_FILE']}",))
        stranger.enqueue_call("builtins.eval", args=("1",))
        ask_for_code()
        enqueue("deliver_messages")

        logged = work()

        assert not os.path.exists(environment["CANARY_FILE"])
        assert logged.count("UnknownJob") >= 3
        assert len(simulator.sms(PHONE)) == 1
        assert len(stranger.failed_job_registry) == 3

    def test_runs_no_callback(self, stranger, work, environment):
        callbacks = {"on_success": Callback(CANARY), "on_failure": Callback(CANARY)}
        stranger.enqueue_call("deliver_messages", **callbacks)
        stranger.enqueue_call("no_such_job", **callbacks)

        work()

        assert not os.path.exists(environment["CANARY_FILE"])
        assert len(stranger.finished_job_registry) == 1
        assert len(stranger.failed_job_registry) == 1

    def test_without_the_allow_list_the_canary_sings(
        self, stranger, environment, monkeypatch, redis
    ):
        """The control: a worker without our job class runs both."""
        monkeypatch.setenv("CANARY_FILE", environment["CANARY_FILE"])
        stranger.enqueue_call(CANARY)

        worker = SimpleWorker([stranger], connection=redis, serializer=JSONSerializer)
        worker.work(burst=True, logging_level="ERROR")

        assert os.path.exists(environment["CANARY_FILE"])

    @pytest.mark.parametrize(
        "data",
        [b"rubbish", zlib.compress(b"rubbish"), pickle.dumps(("os.system", None, ("true",), {}))],
        ids=["rubbish", "packed rubbish", "a pickle"],
    )
    def test_a_poisoned_payload_costs_only_itself(
        self, stranger, redis, work, ask_for_code, enqueue, simulator, data
    ):
        poisoned = stranger.enqueue_call("deliver_messages")
        redis.hset(f"rq:job:{poisoned.id}", "data", data)
        redis.rpush(f"rq:queue:{QUEUE_NAME}", "a-job-that-is-not-there")
        ask_for_code()
        enqueue("deliver_messages")

        work()

        assert len(simulator.sms(PHONE)) == 1
        assert len(stranger) == 0

    def test_a_worker_killed_while_it_sends_has_sent_once_in_the_end(
        self, services, enqueue, start, simulator, database, wait_for
    ):
        person = simulator.person(PHONE)
        services.settlement.unit_of_work.run(
            lambda tx: queue_message(
                tx,
                kind=MessageKind.PAYMENT_RECEIVED,
                channel=Channel.OFFICIAL_TEMPLATE,
                recipient=person["openid_official"],
                payload={
                    "house": "1栋1单元101",
                    "amount": "222.02",
                    "paid_at": "2026-11-24 12:00",
                    "receipt_no": "CH1-2026-0000001",
                },
                dedup_key="killed",
            )
        )
        simulator.post(f"people/{PHONE}/follow")
        simulator.fault(host="wx", path="template/send", latency_ms=20_000, when="after")
        enqueue("deliver_messages")

        def cards():
            return [
                one for one in simulator.get(f"people/{PHONE}/chat") if one["kind"] == "template"
            ]

        worker = start("jobs", "work")
        wait_for(cards)
        for pid in [worker.pid, *_horses(worker)]:
            os.kill(pid, signal.SIGKILL)
        simulator.clear_faults()
        assert database.value("SELECT state FROM outbox_message") == "sending"
        database.do("UPDATE outbox_message SET next_attempt_at = '2026-01-01Z'")

        assert services.outbox.deliver_due(actor=SYSTEM) == 1

        assert database.value("SELECT state FROM outbox_message") == "sent"
        assert database.value("SELECT attempts FROM outbox_message") == 2
        assert len(cards()) == 1

    def test_goes_on_when_redis_comes_back(
        self, start, settings, tmp_path, ask_for_code, simulator, wait_for
    ):
        with start_redis(tmp_path / "redis", durable=False) as engine:
            start("jobs", "work", REDIS_URL=engine.url)
            with Redis.from_url(engine.url) as connection:
                wait_for(lambda: connection.scard("rq:workers") == 1)
            engine.stop()
            engine.start()
            ask_for_code()
            with Redis.from_url(engine.url) as connection:
                queue = Queue(QUEUE_NAME, connection=connection, serializer=JSONSerializer)
                queue.enqueue_call("deliver_messages")

            wait_for(lambda: simulator.sms(PHONE))


def _horses(worker):
    """The processes that a worker has forked; each leads a group of its own."""
    listed = Path(f"/proc/{worker.pid}/task/{worker.pid}/children").read_text()
    return [int(pid) for pid in listed.split()]


class TestMakeWorker:
    def test_notices_a_dead_worker_within_a_minute(self, app, settings):
        worker = make_worker(app, settings.redis_url)

        assert worker.worker_ttl <= 20
        assert worker.maintenance_interval <= 5
        worker.connection.close()


class TestTicker:
    def test_of_many_tickers_one_runs_a_slot(self, app, database):
        entry, barrier = TIMETABLE[0], threading.Barrier(6)
        ran = []

        def tick():
            barrier.wait()
            ran.append(Ticker(app).tick(entry))

        threads = [threading.Thread(target=tick) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert sorted(ran) == [False] * 5 + [True]
        assert database.value("SELECT count(*) FROM job_slot") == 1

    def test_the_next_slot_runs_again(self, app, clock):
        ticker, entry = Ticker(app), TIMETABLE[0]

        assert [ticker.tick(entry), ticker.tick(entry)] == [True, False]
        clock.advance(seconds=entry.every.total_seconds())
        assert ticker.tick(entry)

    def test_after_a_pause_only_the_newest_slot_runs(self, app, clock, database):
        ticker, entry = Ticker(app), TIMETABLE[0]
        ticker.tick(entry)
        clock.advance(hours=5)

        assert [ticker.tick(entry), ticker.tick(entry)] == [True, False]
        assert database.value("SELECT count(*) FROM job_slot") == 2

    def test_a_failure_costs_only_this_tick(self, app, database, caplog):
        ticker = Ticker(app)

        assert ticker.tick(Entry("no_such_job", TIMETABLE[0].every)) is False

        assert "tick failed" in caplog.text
        assert ticker.tick(TIMETABLE[0])

    def test_a_failing_job_is_noted_in_its_slot(self, app, database, services, caplog):
        database.do("ALTER TABLE payment_order RENAME TO gone")
        try:
            assert Ticker(app).tick(TIMETABLE[0])
        finally:
            database.do("ALTER TABLE gone RENAME TO payment_order")

        assert database.value("SELECT outcome FROM job_slot") == "failed"
        assert "a job of the timetable failed" in caplog.text

    @pytest.mark.slow
    def test_runs_every_entry_until_it_is_told_to_stop(self, app, database, wait_for):
        ticker = Ticker(app)
        thread = threading.Thread(target=ticker.run_forever)
        thread.start()

        wait_for(
            lambda: (
                database.value("SELECT count(*) FROM job_slot WHERE finished_at IS NOT NULL")
                == len(TIMETABLE)
            )
        )
        ticker.stop()
        thread.join(20)

        assert not thread.is_alive()


class TestCommands:
    def test_tick_once_tells_what_ran(self, app):
        runner = app.test_cli_runner()

        first, second = (runner.invoke(args=["jobs", "tick", "--once"]) for _ in range(2))

        assert first.exit_code == second.exit_code == 0
        assert "sweep_payments" in first.output
        assert second.output == "运行了：没有到点的任务\n"

    @pytest.mark.parametrize("command", [[], ["work"], ["tick"]])
    def test_help_is_chinese(self, app, command):
        answer = app.test_cli_runner().invoke(args=["jobs", *command, "--help"])

        assert answer.exit_code == 0
        assert "任务" in answer.output

    @pytest.mark.slow
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_the_ticker_ends_on_a_signal(self, start, database, wait_for, number):
        ticker = start("jobs", "tick")
        wait_for(lambda: database.value("SELECT count(*) FROM job_slot") == len(TIMETABLE))

        ticker.send_signal(number)

        assert ticker.wait(20) == 0
