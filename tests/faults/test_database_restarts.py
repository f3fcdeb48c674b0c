"""F35: PostgreSQL is restarted under a load of notices and orders, in order and by force."""

import contextlib
import itertools
import logging
import os
import signal
import threading
import time
from dataclasses import dataclass, field, replace
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

import psycopg
import pytest
from flask_migrate import upgrade
from sqlalchemy import create_engine

from localstack.engines import start_postgres
from tests.faults.rig import (
    Notices,
    Webs,
    environment_of,
    libpq,
    report,
    sized,
    until,
)
from tests.faults.scenery import BILL_FEN, Scenery
from tests.world import Database, RecordingQueue, TestClock
from wsgi import create_app

RESTARTS = sized(1, 5)
LOAD_S = sized(2, 5)
THREADS = 4
ORDERS = sized(900, 15_000)
ORDER_PAUSE_S = sized(0.25, 1.05)
"""One payer may start 60 payments a minute."""
BILLS_TO_START = sized(60, 600)
RECOVERED_WITHIN_S = 15

pytestmark = [pytest.mark.fault, pytest.mark.slow, pytest.mark.timeout(900)]


def fast(engine):
    """Stop as `pg_ctl stop -m fast` does: sessions are cut, the last checkpoint is written."""
    engine.stop()


def immediate(engine):
    """Stop as `pg_ctl stop -m immediate` does: no checkpoint, the log is replayed at the start."""
    os.kill(engine.pid, signal.SIGQUIT)
    until(lambda: not engine.is_running)


@pytest.fixture
def own_postgres(tmp_path):
    """A PostgreSQL that keeps what it has committed."""
    with start_postgres(tmp_path / "postgres") as engine:
        yield engine


@pytest.fixture
def there(own_postgres, settings):
    """The product over it."""
    handlers, level = logging.root.handlers[:], logging.root.level
    app = create_app(
        replace(settings, database_url=own_postgres.url), clock=TestClock(), queue=RecordingQueue()
    )
    logging.root.handlers[:], logging.root.level = handlers, level
    with app.app_context():
        upgrade()
    yield app
    app.extensions["services"].outbox.unit_of_work.engine.dispose()


@dataclass
class Load:
    """Clients that send until told to stop, and what each was answered, and when."""

    url: str
    stop: threading.Event = field(default_factory=threading.Event)
    acked: dict[str, set[object]] = field(default_factory=lambda: {"notice": set(), "order": set()})
    seen: list[tuple[float, str, object]] = field(default_factory=list)

    def run(self, what, left, send_as, took):
        """Send what is left one by one; what is not taken is sent again."""
        connection = HTTPConnection(urlsplit(self.url).netloc, timeout=20)
        for one in left:
            while not self.stop.is_set():
                status = self._send(connection, send_as(one))
                self.seen.append((time.monotonic(), what, status))
                if status == took:
                    self.acked[what].add(one)
                    time.sleep(ORDER_PAUSE_S if what == "order" else 0)
                    break
                time.sleep(0.05)
            if self.stop.is_set():
                break
        connection.close()

    def _send(self, connection, request):
        path, headers, body = request
        try:
            connection.request("POST", path, body=body, headers=headers)
            answer = connection.getresponse()
            answer.read()
        except (OSError, HTTPException):
            connection.close()
            return "no answer"
        return answer.status


class Numbered:
    """Hands out the same things to many threads, each once."""

    def __init__(self, things):
        self._lock = threading.Lock()
        self._things = iter(things)

    def __iter__(self):
        while True:
            with self._lock:
                one = next(self._things, None)
            if one is None:
                return
            yield one


@pytest.fixture
def under_load(there, own_postgres, settings, simulator, tmp_path):
    """Web processes under a load of notices and of orders."""
    database = Database(create_engine(own_postgres.url, pool_pre_ping=True))
    scenery = Scenery(database, there.extensions["services"])
    person = simulator.person("19900000001")
    database.do("UPDATE wechat_identity SET openid = :it", it=person["openid_miniapp"])
    notices = Notices(simulator.state_dir, settings.public_base_url)
    bills = scenery.bills(ORDERS + BILLS_TO_START)
    scenery.bind_all()
    orders = scenery.orders([[(bill_id, BILL_FEN)] for bill_id in bills[:ORDERS]])
    env = environment_of(replace(settings, database_url=own_postgres.url, log_level="ERROR"))

    def notice(order):
        headers, body = notices.paid(order)
        return "/notify/wechatpay", headers, body

    def start(bill_id):
        headers = {
            "Authorization": f"Bearer {scenery.token}",
            "Idempotency-Key": f"key-of-bill-{bill_id}",
            "Content-Type": "application/json",
        }
        return "/api/v1/payments", headers, f'{{"bill_ids": [{bill_id}]}}'

    with Webs(tmp_path / "logs", env) as webs:
        load = Load(webs.url)
        told, begun = Numbered(orders), Numbered(bills[ORDERS:])
        threads = [
            threading.Thread(target=load.run, args=("notice", told, notice, 204))
            for _ in range(THREADS)
        ]
        threads.append(threading.Thread(target=load.run, args=("order", begun, start, 201)))
        for thread in threads:
            thread.start()
        try:
            yield load, database
        finally:
            load.stop.set()
            for thread in threads:
                thread.join()
            database.engine.dispose()


@pytest.mark.parametrize("stop", [fast, immediate], ids=["fast", "immediate"])
def test_what_was_acknowledged_is_stored_and_the_pool_recovers(
    stop, under_load, own_postgres, there, promises
):
    load, database = under_load
    recovered_s, away_s = [], []
    for _ in range(RESTARTS):
        time.sleep(LOAD_S)
        stopped_at = time.monotonic()
        stop(own_postgres)
        time.sleep(0.5)
        own_postgres.start()
        back_at = time.monotonic()
        away_s.append(back_at - stopped_at)
        until(
            lambda back_at=back_at: (
                all(
                    any(
                        at > back_at and what == each and status in (201, 204)
                        for at, what, status in load.seen
                    )
                    for each in ("notice", "order")
                )
                or load.stop.is_set()
            )
        )
        recovered_s.append(time.monotonic() - back_at)
    time.sleep(LOAD_S)
    load.stop.set()
    time.sleep(0.5)

    booked = {row["out_trade_no"] for row in database.rows("SELECT out_trade_no FROM payment")}
    held = {row["bill_id"] for row in database.rows("SELECT bill_id FROM payment_order_bill")}
    told = {order.out_trade_no for order in load.acked["notice"]}
    missing = len(told - booked) + len(load.acked["order"] - held)
    statuses = {str(status) for _, _, status in load.seen}
    report(
        f"F35 {stop.__name__}",
        restarts=RESTARTS,
        acked=len(told) + len(load.acked["order"]),
        orders_acked=len(load.acked["order"]),
        missing=missing,
        statuses="/".join(sorted(statuses)),
        away_s=max(away_s),
        recovered_after_s=max(recovered_s),
    )
    assert missing == 0
    assert told
    assert load.acked["order"]
    assert statuses <= {"201", "204", "503", "429", "no answer"}
    assert "503" in statuses
    assert max(recovered_s) < RECOVERED_WITHIN_S
    assert promises(there.extensions["services"])


def test_control_a_connection_that_is_kept_is_dead_after_a_restart(own_postgres):
    """Without the pool's question before each use the first to come after it fails."""
    kept = psycopg.connect(libpq(own_postgres.url), autocommit=True)
    unasked = create_engine(own_postgres.url)
    asked = create_engine(own_postgres.url, pool_pre_ping=True)
    for engine in (unasked, asked):
        Database(engine).value("SELECT 1")

    fast(own_postgres)
    own_postgres.start()

    with pytest.raises(psycopg.OperationalError):
        kept.execute("SELECT 1")
    with pytest.raises(Exception, match=r"terminating connection|closed"):
        Database(unasked).value("SELECT 1")
    assert Database(asked).value("SELECT 1") == 1
    report("F35 control", dead_connections=2, asked_first_and_alive=1)
    kept.close()
    for engine in (unasked, asked):
        engine.dispose()


def test_control_who_answers_before_the_commit_loses_what_was_acknowledged(own_postgres):
    """An answer is only worth what is on the disk: without waiting for it, a crash takes it."""
    url = libpq(own_postgres.url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE naive_paid (number int)")
        connection.execute("CHECKPOINT")
        acked = []
        with contextlib.suppress(psycopg.OperationalError), connection.transaction():
            for number in itertools.count(1):
                connection.execute("INSERT INTO naive_paid VALUES (%s)", [number])
                acked.append(number)
                if number == 200:
                    immediate(own_postgres)
    own_postgres.start()
    with psycopg.connect(url) as connection:
        stored = connection.execute("SELECT count(*) FROM naive_paid").fetchone()[0]

    report("F35 control", acked=len(acked), missing=len(acked) - stored)
    assert stored == 0
