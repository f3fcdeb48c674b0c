"""F16-F18: Redis is killed, away or hanging: money is booked, and no work that is due is lost."""

import logging
import os
import signal
import threading
import time
from dataclasses import dataclass, replace

import pytest
from redis import Redis
from redis.exceptions import RedisError

from jobs.queue import QUEUE_NAME, RqJobQueue, connect_briefly, make_queue
from jobs.worker import Ticker
from localstack.engines import start_redis
from services.timetable import TIMETABLE
from tests.faults.rig import report, sized, until
from tests.faults.scenery import BILL_FEN
from tests.world import TestClock
from wsgi import create_app

PAYMENTS = sized(4, 20)
JOBS_PUT = 500
AWAY_S = sized((0.5, 5), (0.5, 5, 12))
ENQUEUE_BUDGET_S = 0.5
REQUEST_BUDGET_S = 2.0
"""Half a second for each time that a request asks Redis, and a busy machine's slack."""
PATIENCE_OF_CONTROL_S = 3

pytestmark = [pytest.mark.fault, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def own_redis(tmp_path):
    """A Redis that may be killed."""
    with start_redis(tmp_path / "redis") as engine:
        yield engine


@pytest.fixture
def lone(app, own_redis, settings):
    """The product over that Redis, with the real queue."""
    handlers, level = logging.root.handlers[:], logging.root.level
    lone = create_app(replace(settings, redis_url=own_redis.url), clock=TestClock())
    logging.root.handlers[:], logging.root.level = handlers, level
    yield lone
    lone.extensions["services"].outbox.unit_of_work.engine.dispose()


@dataclass(frozen=True)
class Trouble:
    """One way to lose Redis, and how it comes back."""

    begin: object
    end: object


def hang(engine):
    os.kill(engine.pid, signal.SIGSTOP)


def go_on(engine):
    os.kill(engine.pid, signal.SIGCONT)


TROUBLES = {
    "F16 killed": Trouble(lambda engine: engine.kill(), lambda engine: engine.restart()),
    "F18 hanging": Trouble(hang, go_on),
}


class Life:
    """What goes on while Redis is in trouble, each request timed."""

    def __init__(self, app, scenery, notices, database, people, simulator):
        self.app, self.services = app, app.extensions["services"]
        self.client = app.test_client()
        self.scenery, self.notices, self.database = scenery, notices, database
        self.people, self.simulator = people, simulator
        self.ticker = Ticker(app)
        self.longest_s = {}

    def timed(self, what, act):
        began = time.monotonic()
        result = act()
        took_s = time.monotonic() - began
        self.longest_s[what] = max(self.longest_s.get(what, 0.0), took_s)
        return result

    def tell(self, order):
        headers, body = self.notices.paid(order)
        answer = self.timed(
            "notice", lambda: self.client.post("/notify/wechatpay", data=body, headers=headers)
        )
        assert answer.status_code == 204, answer.text

    def start(self, bill_id):
        answer = self.timed(
            "order",
            lambda: self.client.post(
                "/api/v1/payments",
                json={"bill_ids": [bill_id]},
                headers={
                    "Authorization": f"Bearer {self.scenery.token}",
                    "Idempotency-Key": f"key-of-bill-{bill_id}",
                },
            ),
        )
        assert answer.status_code == 201, answer.text
        return answer.json["payment"]["out_trade_no"]

    def refund(self, payment_id):
        asked = self.services.payment_refund_requests.ask(
            actor=self.people["asker"],
            community_id=self.scenery.community_id,
            payment_id=payment_id,
            amount_fen=100,
            reason="业主申请退款",
        )
        self.timed(
            "refund",
            lambda: self.services.money_decisions.approve(
                actor=self.people["manager"], request_id=asked.request_id
            ),
        )

    def tick(self, times=3):
        """Let the timetable run as in so many minutes."""
        for _ in range(times):
            self.services.clock.advance(seconds=60)
            for entry in TIMETABLE:
                self.ticker.tick(entry)

    def counts(self, table):
        rows = self.database.rows(f"SELECT state, count(*) n FROM {table} GROUP BY state")
        return {row["state"]: row["n"] for row in rows}


@pytest.fixture
def life(lone, scenery, notices, database, people, simulator):
    simulator.post("refund_mode", mode="auto", delay_s=0)
    person = simulator.person("19900000001")
    simulator.post("people/19900000001/follow")
    database.do("UPDATE wechat_identity SET openid = :it", it=person["openid_miniapp"])
    scenery.openid = person["openid_miniapp"]
    return Life(lone, scenery, notices, database, people, simulator)


class TestAway:
    @pytest.mark.parametrize("row", sorted(TROUBLES))
    def test_all_goes_on_by_the_clock(self, row, life, own_redis, promises, database):
        trouble, scenery = TROUBLES[row], life.scenery
        bills = scenery.bills(3 * PAYMENTS)
        scenery.bind_all()
        told = scenery.orders([[(bill_id, BILL_FEN)] for bill_id in bills[:PAYMENTS]])

        trouble.begin(own_redis)
        try:
            for order in told:
                life.tell(order)
            silent = [life.start(bill_id) for bill_id in bills[PAYMENTS : 2 * PAYMENTS]]
            for number in silent:
                life.simulator.post(f"pay/{number}", callbacks="lost")
            life.tick()
            assert life.counts("payment_order") == {"succeeded": 2 * PAYMENTS}
            for row_of in database.rows(
                "SELECT id FROM payment WHERE out_trade_no = ANY(:silent)", silent=silent
            ):
                life.refund(row_of["id"])
            life.tick()
            assert life.counts("refund") == {"succeeded": PAYMENTS}
            assert life.counts("outbox_message").keys() == {"sent"}
        finally:
            trouble.end(own_redis)

        after = [life.start(bill_id) for bill_id in bills[2 * PAYMENTS :]]
        for number in after:
            life.simulator.post(f"pay/{number}", callbacks="lost")
        life.tick()
        assert life.counts("payment_order") == {"succeeded": 3 * PAYMENTS}
        assert len(life.simulator.get("refunds")) == PAYMENTS
        report(
            row,
            payments=3 * PAYMENTS,
            refunds=PAYMENTS,
            messages=life.counts("outbox_message")["sent"],
            **{f"longest_{what}_s": took_s for what, took_s in life.longest_s.items()},
        )
        assert max(life.longest_s.values()) < REQUEST_BUDGET_S
        assert promises()


class TestEmptied:
    def test_what_redis_forgot_the_timetable_finds(self, life, own_redis, promises):
        """J5: flushed with all it held; the rows know."""
        bills = life.scenery.bills(PAYMENTS)
        for order in life.scenery.orders([[(bill_id, BILL_FEN)] for bill_id in bills]):
            life.tell(order)
        with Redis.from_url(own_redis.url) as redis:
            forgotten = redis.llen(f"rq:queue:{QUEUE_NAME}")
            redis.flushall()
        assert life.counts("outbox_message").keys() == {"pending"}

        life.tick(1)

        sent = life.counts("outbox_message")
        report("F16 flushed", jobs_forgotten=forgotten, messages_sent_in_one_sweep=sent["sent"])
        assert forgotten > 0
        assert sent.keys() == {"sent"}
        assert promises()

    @pytest.mark.parametrize("is_durable", [True, False], ids=["logged", "control"])
    def test_control_what_is_only_in_redis_is_gone(self, tmp_path, is_durable):
        """Whoever keeps work in the queue alone lives by how Redis writes; ours is logged."""
        with start_redis(tmp_path / "other", durable=is_durable) as engine:
            with connect_briefly(engine.url) as connection:
                queue = RqJobQueue(make_queue(connection))
                for _ in range(JOBS_PUT):
                    queue.enqueue("deliver_messages")
            if is_durable:
                time.sleep(1.5)  # its log is written every second
            engine.kill()
            engine.restart()
            with Redis.from_url(engine.url) as redis:
                left = redis.llen(f"rq:queue:{QUEUE_NAME}")

        report(f"F16 {'logged' if is_durable else 'control'}", put=JOBS_PUT, left=left)
        assert left == (JOBS_PUT if is_durable else 0)


class TestHanging:
    @pytest.fixture
    def hanging(self, own_redis):
        hang(own_redis)
        yield own_redis
        go_on(own_redis)

    def test_enqueueing_gives_up_in_half_a_second(self, hanging):
        with connect_briefly(hanging.url) as connection:
            queue = RqJobQueue(make_queue(connection))
            began = time.monotonic()
            with pytest.raises(RedisError):
                queue.enqueue("deliver_messages")
            took_s = time.monotonic() - began

        report("F18 enqueue", gave_up_after_s=took_s)
        assert took_s < 2 * ENQUEUE_BUDGET_S

    def test_control_a_client_as_it_comes_hangs(self, own_redis):
        hang(own_redis)
        put = threading.Event()

        def enqueue():
            with Redis.from_url(own_redis.url) as connection:
                RqJobQueue(make_queue(connection)).enqueue("deliver_messages")
            put.set()

        waiting = threading.Thread(target=enqueue)
        try:
            waiting.start()
            came_back = put.wait(PATIENCE_OF_CONTROL_S)
        finally:
            go_on(own_redis)
            waiting.join()
        report("F18 control", still_waiting_after_s=PATIENCE_OF_CONTROL_S)
        assert not came_back


class TestAwayWhileAJobEnds:
    @pytest.mark.parametrize("away_s", AWAY_S)
    def test_the_effect_is_one_and_the_worker_goes_on(
        self,
        away_s,
        life,
        own_redis,
        start,
        simulator,
        promises,
    ):
        """F17: killed while a message is on the wire, back after a while."""
        bills = life.scenery.bills(2)
        first, second = life.scenery.orders([[(bill_id, BILL_FEN)] for bill_id in bills])
        simulator.fault(host="sms", latency_ms=1000, when="after")
        simulator.fault(host="wx", path="template/send", latency_ms=1000, when="after")
        life.tell(first)
        worker = start("jobs", "work", REDIS_URL=own_redis.url)
        until(lambda: "sending" in life.counts("outbox_message"))

        own_redis.kill()
        time.sleep(away_s)
        own_redis.restart()
        until(lambda: life.counts("outbox_message").keys() == {"sent"})
        began = time.monotonic()
        life.tell(second)
        until(lambda: life.counts("outbox_message") == {"sent": 2})
        next_job_s = time.monotonic() - began

        shown = sum(
            bubble["kind"] == "template" for bubble in simulator.get("people/19900000001/chat")
        ) + len(simulator.sms("19900000001"))
        report(f"F17 away {away_s} s", shown=shown, next_job_done_after_s=next_job_s)
        assert worker.poll() is None
        assert shown == 2
        assert promises()
