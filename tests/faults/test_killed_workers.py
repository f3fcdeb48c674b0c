"""F11-F14: work-horse, parent or both are killed, or a job is popped and never begun."""

import contextlib
import multiprocessing
import os
import secrets
import signal
import threading
import time

import pytest

from domain.messages import MessageKind
from jobs.queue import QUEUE_NAME
from jobs.worker import Ticker
from services.timetable import TIMETABLE
from tests import factories
from tests.faults.rig import IS_FULL, children_of, report, sized, until
from tests.faults.scenery import BILL_FEN

HELD_MS = 1500
FOUND_WITHIN_S = 75
TAKEN_OVER_WITHIN_S = 270
"""The longest lease, two minutes, and the next slot; refunds are asked about a minute later."""
PHONE = "19900000001"
OTHERS = 3

pytestmark = [pytest.mark.fault, pytest.mark.slow, pytest.mark.timeout(600)]


class Work:
    """One kind of job with work that is due, and what can be seen of it from outside."""

    def __init__(self, job, match, path, table, done):
        self.job, self.match, self.path = job, match, path
        self.table, self.done = table, done


WORKS = {
    "send_refunds": Work(
        "send_refunds",
        {"host": "pay", "path": "refund/domestic/refunds", "method": "POST"},
        "refund/domestic/refunds",
        "refund",
        "succeeded",
    ),
    "sweep_payments": Work(
        "sweep_payments",
        {"host": "pay", "path": "out-trade-no/", "method": "GET"},
        "out-trade-no/",
        "payment_order",
        "succeeded",
    ),
    "deliver_messages": Work(
        "deliver_messages",
        {"host": "wx", "path": "template/send"},
        "template/send",
        "outbox_message",
        "sent",
    ),
}


class Scene:
    """Work of one kind, due, with the platform slow to answer, and the means to look at it."""

    def __init__(self, work, services, simulator, database, clock, app):
        self.work, self.services, self.simulator = work, services, simulator
        self.database, self.clock = database, clock
        self.ticker = Ticker(app)

    def slow(self, times):
        answer = self.simulator.http.post(
            f"{self.simulator.url}/_sim/faults",
            json=[
                {
                    "match": self.work.match,
                    "times": times,
                    "action": {"latency_ms": HELD_MS, "when": "after"},
                }
            ],
            timeout=10,
        )
        assert answer.ok, answer.text

    def counts(self):
        rows = self.database.rows(f"SELECT state, count(*) n FROM {self.work.table} GROUP BY state")
        return {row["state"]: row["n"] for row in rows}

    def is_done(self):
        return set(self.counts()) == {self.work.done}

    def is_on_the_wire(self):
        faults = self.simulator.get("faults")["faults"]
        return faults and faults[0]["fired"]

    def tick(self, times=5):
        """Let the timetable run as in so many minutes: leases of the dead run out."""
        for _ in range(times):
            self.clock.advance(seconds=60)
            for entry in TIMETABLE:
                self.ticker.tick(entry)

    def effects(self):
        """Count what the platform did for us."""
        if self.work.job == "send_refunds":
            return len(self.simulator.get("refunds"))
        if self.work.job == "sweep_payments":
            return self.database.value("SELECT count(*) FROM payment")
        return sum(
            bubble["kind"] == "template" for bubble in self.simulator.get(f"people/{PHONE}/chat")
        )


@pytest.fixture
def pay_in_silence(services, scenery, simulator):
    """Start payments of bills that are paid, told of never."""

    def pay_in_silence(bills):
        for bill_id in bills:
            started = services.payments.start(
                actor=scenery.actor, bill_ids=[bill_id], idempotency_key=f"key-of-{bill_id:06d}"
            )
            simulator.post(f"pay/{started.payment.out_trade_no}", callbacks="lost")

    return pay_in_silence


@pytest.fixture
def ask_for_refunds(services, scenery, simulator, database, people):
    """Have a refund approved of each payment under way."""

    def ask_for_refunds():
        simulator.post("refund_mode", mode="auto", delay_s=0)
        for order in database.rows("SELECT id FROM payment_order"):
            services.sweep.ask(order_id=order["id"])
        for payment in database.rows("SELECT id FROM payment"):
            asked = services.payment_refund_requests.ask(
                actor=people["asker"],
                community_id=scenery.community_id,
                payment_id=payment["id"],
                amount_fen=100,
                reason="业主申请退款",
            )
            services.money_decisions.approve(actor=people["manager"], request_id=asked.request_id)

    return ask_for_refunds


@pytest.fixture
def tell_a_follower(services, scenery, simulator, database, notices, client, payer_person):
    """Have the payer follow the account, and money booked of which it must be told."""

    def tell_a_follower(bills):
        simulator.post(f"people/{PHONE}/follow")
        with database.session() as session:
            factories.make_identity(
                session,
                account=session.get_one(factories.Account, scenery.account_id),
                appid=services.accounts.official_account.appid,
                openid=payer_person["openid_official"],
                is_following=True,
            )
        for order in scenery.orders([[(bill_id, BILL_FEN)] for bill_id in bills]):
            headers, body = notices.paid(order)
            assert client.post("/notify/wechatpay", data=body, headers=headers).status_code == 204

    return tell_a_follower


@pytest.fixture
def payer_person(scenery, simulator, database):
    """The payer as WeChat knows them."""
    person = simulator.person(PHONE)
    database.do("UPDATE wechat_identity SET openid = :it", it=person["openid_miniapp"])
    scenery.openid = person["openid_miniapp"]
    return person


@pytest.fixture
def make_scene(
    app,
    services,
    simulator,
    database,
    clock,
    scenery,
    payer_person,
    pay_in_silence,
    ask_for_refunds,
    tell_a_follower,
):
    """Make a few pieces of work of a kind due; gives the scene."""

    def make(kind):
        bills = scenery.bills(OTHERS)
        scenery.bind_all()
        if kind == "deliver_messages":
            tell_a_follower(bills)
        else:
            pay_in_silence(bills)
        if kind == "send_refunds":
            ask_for_refunds()
        if kind == "sweep_payments":
            database.do("UPDATE payment_order SET query_at = now() - interval '1 second'")
        return Scene(WORKS[kind], services, simulator, database, clock, app)

    return make


@pytest.fixture
def scene(kind, make_scene):
    return make_scene(kind)


def kill_horse(worker):
    [horse] = until(lambda: children_of(worker.pid))
    os.kill(horse, signal.SIGKILL)


def kill_both(worker):
    """Kill the worker and its horse, which leads a group of its own."""
    [horse] = children_of(worker.pid)
    for pid in (worker.pid, horse):
        os.kill(pid, signal.SIGKILL)
    worker.wait()
    until(lambda: not is_alive(horse))


def finished(scene, row, promises, **figures):
    report(f"{row} {scene.work.job}", due=OTHERS, effects=scene.effects(), **figures)
    assert scene.is_done(), scene.counts()
    assert scene.effects() == OTHERS
    assert promises()


class TestKilledInMidJob:
    @pytest.mark.parametrize("kind", sized(["send_refunds"], sorted(WORKS)))
    def test_the_horse_is_killed_and_the_worker_lives(
        self, scene, start, enqueue, redis, promises, simulator
    ):
        """F11: the platform has done it, we have not heard; the next job runs at once."""
        scene.slow(times=OTHERS)
        enqueue(scene.work.job)
        worker = start("jobs", "work")
        until(scene.is_on_the_wire)
        time.sleep(HELD_MS / 3000)
        kill_horse(worker)
        began = time.monotonic()
        assert not scene.is_done()

        enqueue("drop_old_slots")
        until(lambda: not redis.llen(f"rq:queue:{QUEUE_NAME}"))
        next_job_s = time.monotonic() - began
        assert worker.poll() is None
        simulator.clear_faults()
        scene.tick()

        finished(scene, "F11", promises, next_job_taken_after_s=next_job_s)

    @pytest.mark.parametrize("kind", sorted(WORKS))
    def test_the_whole_worker_is_killed(self, scene, start, enqueue, promises, simulator):
        """F13: nobody is left who knows; the timetable takes over when the lease has run out."""
        scene.slow(times=OTHERS)
        enqueue(scene.work.job)
        worker = start("jobs", "work")
        until(scene.is_on_the_wire)
        time.sleep(HELD_MS / 3000)
        kill_both(worker)
        cut_off = scene.counts()
        assert not scene.is_done()

        simulator.clear_faults()
        figures = {}
        if IS_FULL:
            began = time.monotonic()
            start("jobs", "tick")
            until(scene.is_done, within_s=TAKEN_OVER_WITHIN_S)
            figures["taken_over_after_s"] = time.monotonic() - began
        else:
            scene.tick()

        finished(scene, "F13", promises, cut_off_at=str(cut_off), **figures)

    @pytest.mark.parametrize("kind", sized(["deliver_messages"], sorted(WORKS)))
    def test_only_the_parent_is_killed_and_the_orphan_goes_on(
        self,
        scene,
        start,
        enqueue,
        promises,
    ):
        """F12: the timetable begins the same work anew while the orphan still does it."""
        scene.slow(times=OTHERS)
        enqueue(scene.work.job)
        worker = start("jobs", "work")
        until(scene.is_on_the_wire)
        [orphan] = children_of(worker.pid)
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait()
        assert is_alive(orphan)

        scene.tick(times=3)
        both_at_work = is_alive(orphan)
        try:
            until(lambda: not is_alive(orphan))
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(orphan, signal.SIGKILL)
        scene.tick()

        finished(scene, "F12", promises, orphan_at_work_too=str(both_at_work))


class TestPoppedAndNotBegun:
    def test_the_work_is_done_by_the_clock(
        self,
        make_scene,
        enqueue,
        redis,
        start,
        promises,
    ):
        """F14: the job sits where only a clean-up of RQ looks; the rows are found before."""
        scene = make_scene("deliver_messages")
        redis.delete(f"rq:queue:{QUEUE_NAME}")
        enqueue(scene.work.job)
        popped = redis.lmove(
            f"rq:queue:{QUEUE_NAME}", f"rq:queue:{QUEUE_NAME}:intermediate", "RIGHT", "LEFT"
        )
        assert popped
        assert start("jobs", "work", "--burst").wait(60) == 0
        assert scene.effects() == 0, "the queue alone, as a control, loses it"

        scene.tick(times=1)
        figures = {}
        if IS_FULL:
            began = time.monotonic()
            start("jobs", "work")
            until(lambda: not redis.llen(f"rq:queue:{QUEUE_NAME}:intermediate"))
            figures["rq_cleaned_up_after_s"] = time.monotonic() - began
            assert figures["rq_cleaned_up_after_s"] < FOUND_WITHIN_S

        finished(scene, "F14", promises, sweeps=1, **figures)


def test_control_without_a_stable_key_the_dead_workers_message_is_shown_twice(
    make_scene, services, simulator, database
):
    """What a retry of RQ would do: the same job again, under a key of its own."""
    scene = make_scene("deliver_messages")
    [first, *_] = database.rows("SELECT recipient, payload FROM outbox_message ORDER BY id")

    def deliver_and_die():
        services.outbox.senders.official_account.send_template(
            openid=first["recipient"],
            kind=MessageKind.PAYMENT_RECEIVED,
            payload=first["payload"],
            client_msg_id=secrets.token_hex(8),
        )
        os.kill(os.getpid(), signal.SIGKILL)

    for _ in range(2):
        horse = multiprocessing.get_context("fork").Process(target=deliver_and_die)
        horse.start()
        horse.join()
        assert horse.exitcode == -signal.SIGKILL

    report("F13 control", messages=1, shown=scene.effects())
    assert scene.effects() == 2


def test_control_without_a_lease_two_at_work_show_everything_twice(
    make_scene, services, database, together
):
    """Both look for what is due, both find it, both send it."""
    scene = make_scene("deliver_messages")
    both_have_looked = threading.Barrier(2)

    def deliver():
        due = database.rows("SELECT * FROM outbox_message WHERE state = 'pending'")
        both_have_looked.wait(timeout=30)
        for message in due:
            services.outbox.senders.official_account.send_template(
                openid=message["recipient"],
                kind=MessageKind.PAYMENT_RECEIVED,
                payload=message["payload"],
                client_msg_id=secrets.token_hex(8),
            )

    together(deliver, deliver)

    report("F12 control", messages=OTHERS, shown=scene.effects())
    assert scene.effects() == 2 * OTHERS


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
