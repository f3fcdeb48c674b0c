"""What every test of the product runs in: real engines, a simulator, an app, a live server."""

import json
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import requests
from sqlalchemy import text
from sqlalchemy.orm import Session
from werkzeug.serving import make_server

from domain.payment_states import PaymentChannel, PayWay
from jobs.tasks import JOBS

ROOT = Path(__file__).parents[1]


class TestClock:
    """Stands still at the start of the test; moves only when told."""

    __test__ = False

    def __init__(self):
        self.reset()

    def reset(self):
        self._now = datetime.now(UTC)

    def now(self):
        return self._now

    def advance(self, **span):
        self._now += timedelta(**span)

    def set(self, instant):
        self._now = instant


class RecordingQueue:
    """Keeps what was enqueued, in order; runs it when told."""

    def __init__(self, app=None):
        self.app = app
        self.jobs = []
        self.is_away = False

    def enqueue(self, job, **ids):
        if self.is_away:
            raise ConnectionError("Redis is away")
        self.jobs.append((job, ids))

    def run(self):
        """Do what a worker would do, until nothing is queued any more."""
        while self.jobs:
            job, ids = self.jobs.pop(0)
            with self.app.app_context():
                JOBS[job](**ids)


class Database:
    """The test database, for looking and for setting the scene."""

    def __init__(self, engine):
        self.engine = engine

    @contextmanager
    def session(self):
        """A session whose work is committed at the end."""
        with Session(self.engine, expire_on_commit=False) as session:
            yield session
            session.commit()

    def rows(self, sql, **values):
        with self.engine.connect() as connection:
            return [dict(row) for row in connection.execute(text(sql), values).mappings()]

    def value(self, sql, **values):
        with self.engine.connect() as connection:
            return connection.execute(text(sql), values).scalar_one()

    def do(self, sql, **values):
        with self.engine.begin() as connection:
            return connection.execute(text(sql), values).rowcount

    def empty(self):
        """Empty every table; the triggers that forbid it are for the program, not for tests."""
        with self.engine.begin() as connection:
            connection.execute(text(_EMPTY))


_EMPTY = """
DO $$
DECLARE
    name text;
    has_rows boolean;
BEGIN
    SET LOCAL session_replication_role = replica;
    FOR name IN SELECT tablename FROM pg_tables
                 WHERE schemaname = 'public' AND tablename <> 'alembic_version' LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %I)', name) INTO has_rows;
        IF has_rows THEN
            -- Most tests leave a handful of rows: taking those away is much cheaper than new files.
            EXECUTE format('DELETE FROM %I', name);
        END IF;
    END LOOP;
    PERFORM setval(sequence.oid::regclass, 1, false) FROM pg_class sequence
      WHERE sequence.relkind = 'S';
END $$
"""


class Simulator:
    """The control interface of the platform simulator."""

    def __init__(self, url):
        self.url = url
        self.http = requests.Session()
        self.http.trust_env = False
        self.credentials = self.get("credentials")
        self.mini_appid = self.credentials["WECHAT_MINIAPP_APPID"]
        self.official_appid = self.credentials["WECHAT_OFFICIAL_APPID"]

    def get(self, control, **params):
        answer = self.http.get(f"{self.url}/_sim/{control}", params=params, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, control, **body):
        answer = self.http.post(f"{self.url}/_sim/{control}", json=body, timeout=60)
        assert answer.status_code < 300, answer.text
        return answer.json()

    def fault(self, *, host, path="", times=1, nth=None, **action):
        match = {"host": host, "path": path} | ({"nth": nth} if nth else {})
        answer = self.http.post(
            f"{self.url}/_sim/faults",
            json=[{"match": match, "times": times, "action": action}],
            timeout=30,
        )
        assert answer.status_code < 300, answer.text

    def clear_faults(self):
        self.http.delete(f"{self.url}/_sim/faults", timeout=30)

    def journal(self, path=""):
        """Every request the platforms got since the reset, oldest first."""
        return self.get("journal", path=path)["requests"]

    def person(self, phone):
        return self.post("people", phone=phone)

    def wx_login(self, phone):
        """A single-use ``wx.login`` code of a person."""
        self.person(phone)
        return self.post(f"people/{phone}/wx_login")["code"]

    def phone_code(self, phone):
        self.person(phone)
        return self.post(f"people/{phone}/phone_code")["code"]

    def sms(self, phone):
        return self.get("sms", phone=phone)


@contextmanager
def run_simulator(state, backend, *, kind=Simulator):
    """Run the simulator as its own process; give its controls."""
    command = [sys.executable, "-m", "simulator", "--port", "0", "--state", str(state)]
    with subprocess.Popen(
        [*command, "--backend", backend],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        simulator = kind(json.loads(process.stdout.readline())["url"])
        simulator.state_dir = Path(state)
        yield simulator
        simulator.http.close()
        process.terminate()
        process.stdout.read()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def serve(app, port):
    """Serve the app over loopback HTTP, so that the platforms can call it."""
    server = make_server("127.0.0.1", port, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def miniapp_of(services):
    """The appid under which the mini-program's orders are opened."""
    return services.pay_channels.default(PaymentChannel.WECHAT).appid_for(PayWay.MINIAPP)


def merchant_of(services, channel=PaymentChannel.WECHAT):
    """The number of the default merchant account."""
    return services.pay_channels.default(channel).mchid
