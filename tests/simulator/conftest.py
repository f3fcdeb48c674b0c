import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests

from tests.simulator.alipay_merchant import AlipayMerchant
from tests.simulator.merchant import Merchant
from tests.simulator.platforms import Platforms

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Received:
    """One request the backend got from the platforms."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


Answer = tuple[int, bytes]


@dataclass
class Backend:
    """Stands where our server stands: keeps what arrives and answers as it is told."""

    url: str = ""
    received: list[Received] = field(default_factory=list)
    answer: Callable[[Received], Answer] = lambda _: (200, b"success")
    together: threading.Barrier | None = None

    def always(self, status: int, body: bytes = b"") -> None:
        self.answer = lambda _: (status, body)

    def reset(self) -> None:
        self.received.clear()
        self.together = None
        self.answer = lambda _: (200, b"success")

    def paths(self) -> list[str]:
        return [one.path for one in self.received]


def _handler(backend: Backend) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _take(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("Content-Length", 0))
            request = Received(
                self.command,
                parts.path,
                dict(parse_qsl(parts.query)),
                dict(self.headers),
                self.rfile.read(length),
            )
            if backend.together is not None:
                backend.together.wait(timeout=5)
            backend.received.append(request)
            status, body = backend.answer(request)
            try:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except ConnectionError:
                pass

        do_GET = do_POST = _take  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@pytest.fixture(scope="session")
def backend_server() -> Iterator[Backend]:
    backend = Backend()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(backend))
    server.daemon_threads = True
    backend.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield backend
    server.shutdown()
    thread.join()
    server.server_close()


class Process:
    """A running simulator."""

    def __init__(self, *arguments: str) -> None:
        self.popen = subprocess.Popen(
            [sys.executable, "-m", "simulator", "--port", "0", *arguments],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.popen.stdout is not None
        said = json.loads(self.popen.stdout.readline())
        assert said["ready"] is True
        self.url: str = said["url"]

    def stop(self) -> int:
        self.popen.terminate()
        code = self.popen.wait(timeout=15)
        assert self.popen.stdout is not None
        self.popen.stdout.close()
        return code


@pytest.fixture(scope="session")
def start_simulator() -> Iterator[Callable[..., Process]]:
    started: list[Process] = []

    def start(*arguments: str) -> Process:
        started.append(Process(*arguments))
        return started[-1]

    yield start
    for process in started:
        if process.popen.poll() is None:
            process.stop()


@pytest.fixture(scope="session")
def process(backend_server: Backend, start_simulator: Callable[..., Process]) -> Process:
    return start_simulator("--backend", backend_server.url, "--seed", "7")


@pytest.fixture(scope="session")
def http() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        yield session


@pytest.fixture
def backend(backend_server: Backend) -> Iterator[Backend]:
    backend_server.reset()
    yield backend_server
    backend_server.reset()


@pytest.fixture
def platforms(process: Process, http: requests.Session, backend: Backend) -> Platforms:
    platforms = Platforms(process.url, http)
    platforms.control("reset")
    # What the last test left on its way has arrived by now, and is not this test's.
    backend.reset()
    return platforms


@pytest.fixture
def settings(platforms: Platforms) -> dict[str, str]:
    return platforms.settings()


@pytest.fixture
def merchant(platforms: Platforms, settings: dict[str, str]) -> Merchant:
    return Merchant(settings, platforms)


@pytest.fixture
def alipay(platforms: Platforms, settings: dict[str, str]) -> AlipayMerchant:
    return AlipayMerchant(settings, platforms)


@pytest.fixture
def owner(platforms: Platforms) -> dict[str, Any]:
    person: dict[str, Any] = platforms.control("people", {"phone": "19900000001"})
    return person
