"""What the gateway tests run against: a real Redis and the platform simulator on loopback."""

import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from gateways import build
from localstack.engines import start_redis
from settings import Settings
from tests import world

ROOT = Path(__file__).parents[2]
PHONE = "19900000001"


class TestClock:
    """The real time plus what the test adds; WeChat's SDKs sign with the real one."""

    __test__ = False

    def __init__(self):
        self.offset = timedelta()

    def now(self):
        return datetime.now(UTC) + self.offset


class Simulator(world.Simulator):
    """The simulator's controls in the words of these tests."""

    def post(self, control, body=None):
        return super().post(control, **(body or {}))

    def person(self, phone=PHONE):
        return self.post("people", {"phone": phone})

    def code(self, what, phone=PHONE, **more):
        """A single-use code: ``wx_login`` or ``phone_code``."""
        return self.post(f"people/{phone}/{what}", more)["code"]


class OddPlatform(BaseHTTPRequestHandler):
    """Gives answers that no platform should give and the simulator therefore does not."""

    server: Any

    def handle_odd(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.seen.append(self.path)
        self.server.gate.wait(timeout=30)
        status, headers, body = self.server.answer
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = handle_odd  # noqa: N815  # http.server's names

    def log_message(self, *given):
        """Say nothing."""


@pytest.fixture
def odd_platform():
    """A server whose ``answer`` the test sets: status, headers, body.

    ``seen`` has the paths asked for; nothing is answered while ``gate`` is shut.
    """
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), OddPlatform)
    server.gate = threading.Event()
    server.gate.set()
    server.seen, server.url = [], f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.gate.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory):
    """Start a Redis that writes nothing to disk; give its address."""
    with start_redis(tmp_path_factory.mktemp("redis"), durable=False) as engine:
        yield engine.url


@pytest.fixture
def redis(redis_server):
    """An empty Redis."""
    with Redis.from_url(redis_server) as client:
        client.flushdb()
        yield client


@pytest.fixture
def dead_redis(tmp_path):
    """A Redis that nobody serves, with the short budgets the program gives its own."""
    return Redis(
        unix_socket_path=str(tmp_path / "nobody.sock"),
        socket_timeout=0.5,
        retry=Retry(NoBackoff(), 0),
    )


@pytest.fixture
def clock():
    return TestClock()


@pytest.fixture(scope="session")
def simulator_process(tmp_path_factory):
    """Start the simulator once; nobody stands where it would call back."""
    state = tmp_path_factory.mktemp("simulator")
    with world.run_simulator(state, "http://127.0.0.1:9", kind=Simulator) as simulator:
        yield simulator


@pytest.fixture
def simulator(simulator_process):
    """The simulator as new: no people, orders, tokens, faults; its journal empty."""
    simulator_process.post("reset")
    return simulator_process


@pytest.fixture
def settings(simulator, tmp_path):
    return Settings.from_env(
        {
            **simulator.credentials,
            "ANJU_ENV": "development",
            "DATABASE_URL": "postgresql://nobody",
            "REDIS_URL": "redis://nobody",
            "SECRET_KEY": "only-for-tests",
            "PUBLIC_BASE_URL": "https://anju.example",
            "TRUSTED_HOSTS": "anju.example",
            "FILES_DIR": str(tmp_path / "files"),
        }
    )


@pytest.fixture
def gateways(settings, redis, clock):
    return build(settings, redis, clock)
