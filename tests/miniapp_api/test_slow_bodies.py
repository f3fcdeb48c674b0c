import json
import selectors
import socket
import sys
import threading
import time
from dataclasses import fields
from http.client import HTTPConnection, HTTPResponse

import pytest
from flask import Flask, request

from localstack.processes import Processes, Program, ReadyUrl, inherited_environment
from miniapp_api import errors
from miniapp_api.slow_bodies import SlowBodyGuard
from settings import Settings
from tests.world import ROOT, free_port

WITHIN_S = 0.3


class BrokenChunks:
    """A chunked body as gunicorn reads it: half a chunk is an error of its own."""

    def __init__(self, sock):
        self.sock = sock

    def read(self, size=-1):
        if not self.sock.recv(1):
            raise RuntimeError("chunk without its end")
        return b"x"


@pytest.fixture
def connection():
    """Both ends of a connection: ours, and the client's."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


class Received:
    """A body as gunicorn reads it: until as much has come as was asked for, or the end."""

    def __init__(self, sock):
        self.sock = sock

    def read(self, size=-1):
        data = b""
        while len(data) < size and (more := self.sock.recv(size - len(data))):
            data += more
        return data


@pytest.fixture
def guarded():
    """An app that reads what it is sent, or does not."""
    app = Flask(__name__)
    errors.register(app)
    app.post("/read", endpoint="read")(lambda: str(len(request.get_data())))
    app.post("/leave", endpoint="leave")(lambda: "left")
    app.wsgi_app = SlowBodyGuard(app.wsgi_app, within_s=WITHIN_S)
    return app.test_client()


@pytest.fixture
def post(guarded, connection):
    """Post as gunicorn would hand it over; the body comes from the connection."""
    ours, _ = connection

    def post(path, *, announced, stream=None):
        length = {} if announced is None else {"CONTENT_LENGTH": str(announced)}
        chunked = {"HTTP_TRANSFER_ENCODING": "chunked"} if announced is None else {}
        began = time.monotonic()
        answer = guarded.post(
            path,
            environ_overrides={
                "wsgi.input": stream or Received(ours),
                "wsgi.input_terminated": True,
                "gunicorn.socket": ours,
            }
            | length
            | chunked,
            buffered=True,
        )
        return answer, time.monotonic() - began

    return post


def is_cut(sock):
    """Whether reading ends at once, as if the other side had gone."""
    sock.setblocking(False)
    try:
        return sock.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False


class TestGuard:
    def test_a_body_in_time_is_read_and_the_connection_stays(self, post, connection):
        ours, theirs = connection
        theirs.sendall(b"x" * 1000)

        answer, _ = post("/read", announced=1000)

        assert (answer.status_code, answer.text) == (200, "1000")
        time.sleep(WITHIN_S * 1.5)
        assert not is_cut(ours)

    def test_a_silent_client_is_told_408(self, post):
        answer, took_s = post("/read", announced=1000)

        assert answer.status_code == 408
        assert answer.json["error"]["code"] == "request_timeout"
        assert WITHIN_S <= took_s < WITHIN_S + 1

    def test_dripping_does_not_help(self, post, connection):
        _, theirs = connection
        is_over = threading.Event()

        def drip():
            while not is_over.wait(WITHIN_S / 10):
                theirs.sendall(b"x")

        thread = threading.Thread(target=drip)
        thread.start()
        answer, took_s = post("/read", announced=1000)
        is_over.set()
        thread.join()

        assert answer.status_code == 408
        assert took_s < WITHIN_S + 1

    def test_half_a_chunk_is_told_408_too(self, post, connection):
        ours, theirs = connection
        theirs.sendall(b"xx")

        answer, _ = post("/read", announced=None, stream=BrokenChunks(ours))

        assert answer.status_code == 408

    def test_a_client_that_goes_is_no_slow_one(self, post, connection):
        _, theirs = connection
        theirs.sendall(b"xx")
        theirs.shutdown(socket.SHUT_WR)

        answer, took_s = post("/read", announced=1000)

        assert (answer.status_code, answer.text) == (200, "2")
        assert took_s < WITHIN_S

    def test_a_body_nobody_reads_is_taken_in_and_the_connection_stays(self, post, connection):
        ours, theirs = connection
        theirs.sendall(b"x" * 1000)

        answer, took_s = post("/leave", announced=1000)

        assert answer.text == "left"
        assert took_s < WITHIN_S
        time.sleep(WITHIN_S * 1.5)
        assert not is_cut(ours)

    def test_a_body_nobody_reads_and_nobody_sends_ends_the_connection(self, post, connection):
        ours, _ = connection

        answer, took_s = post("/leave", announced=1000)

        assert answer.text == "left"
        assert took_s < WITHIN_S + 1
        assert is_cut(ours)

    def test_no_body_is_not_waited_for(self, post, connection):
        ours, _ = connection

        _, took_s = post("/read", announced=0)

        assert took_s < WITHIN_S
        assert not is_cut(ours)

    def test_one_thread_watches_all(self, guarded):
        before = {thread for thread in threading.enumerate() if thread.name == "body-deadline"}
        pairs = [socket.socketpair() for _ in range(10)]
        clients = [
            threading.Thread(
                target=guarded.post,
                args=["/read"],
                kwargs={
                    "environ_overrides": {
                        "wsgi.input": Received(ours),
                        "gunicorn.socket": ours,
                        "CONTENT_LENGTH": "9",
                    }
                },
            )
            for ours, _ in pairs
        ]
        began = time.monotonic()
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        watching = {thread for thread in threading.enumerate() if thread.name == "body-deadline"}

        assert time.monotonic() - began < WITHIN_S + 1
        assert len(watching - before) == 1
        for pair in pairs:
            for sock in pair:
                sock.close()


DEADLINE_S = 1
WORKERS, THREADS = 2, 8
HEAD = (
    "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n{length}\r\n\r\n"
)
PATHS = ["/api/v1/sessions/by-wechat", "/notify/wechatpay", "/wechat/official", "/wechat/miniapp"]


@pytest.fixture
def gunicorn(app, settings, tmp_path):
    """The product as it is served in production, but for the deadline."""
    env = {
        field.name.upper(): ",".join(value) if isinstance(value, tuple) else str(value)
        for field in fields(Settings)
        if (value := getattr(settings, field.name)) != ""
    }
    port = free_port()
    words = (
        *(sys.executable, "-m", "gunicorn", "-k", "gthread", "--threads", str(THREADS)),
        *("-w", str(WORKERS), "--bind", f"127.0.0.1:{port}"),
        f"wsgi:create_app(body_deadline_s={DEADLINE_S})",
    )
    with Processes(logs=tmp_path, env=inherited_environment() | env, cwd=ROOT) as processes:
        ready = ReadyUrl(f"http://127.0.0.1:{port}/healthz")
        processes.start(Program(name="web", words=words, ready=ready))
        yield port


def slow_client(port, path, *, length="Content-Length: 60000"):
    sock = socket.create_connection(("127.0.0.1", port), timeout=30)
    sock.sendall(HEAD.format(path=path, length=length).encode())
    return sock


def drip_until_answered(clients, *, within_s):
    """Send a byte to each now and then; return what each got, and after how long."""
    began, answers = time.monotonic(), {}
    with selectors.DefaultSelector() as selector:
        for sock in clients:
            selector.register(sock, selectors.EVENT_READ)
        while len(answers) < len(clients) and time.monotonic() - began < within_s:
            for key, _ in selector.select(0.1):
                answer = HTTPResponse(key.fileobj)
                answer.begin()
                answers[key.fileobj] = (answer.status, json.loads(answer.read()))
                selector.unregister(key.fileobj)
            for sock in list(selector.get_map().values())[::2]:
                sock.fileobj.sendall(b"1")
    return [answers.get(sock) for sock in clients]


@pytest.mark.slow
class TestServed:
    # The kernel may give all connections to one worker.
    ROUNDS = 20 // THREADS + 1

    def test_slow_clients_are_sent_away_and_others_served_again(self, gunicorn):
        clients = [slow_client(gunicorn, PATHS[number % len(PATHS)]) for number in range(18)]
        chunked = "Transfer-Encoding: chunked\r\n\r\nffff"
        clients += [slow_client(gunicorn, path, length=chunked) for path in PATHS[:2]]

        answers = drip_until_answered(clients, within_s=DEADLINE_S * self.ROUNDS + 5)
        began = time.monotonic()
        health = HTTPConnection("127.0.0.1", gunicorn, timeout=DEADLINE_S * self.ROUNDS)
        health.request("GET", "/healthz")

        assert health.getresponse().status == 200
        assert time.monotonic() - began < DEADLINE_S
        assert [answer and answer[0] for answer in answers] == [408] * 20
        codes = {path: body for path, (_, body) in zip(PATHS, answers, strict=False)}
        assert codes["/notify/wechatpay"]["code"] == "FAIL"
        assert codes["/wechat/official"]["error"]["code"] == "request_timeout"
        assert codes["/api/v1/sessions/by-wechat"]["error"]["code"] == "request_timeout"
        health.close()
        for sock in clients:
            sock.close()

    def test_bodies_that_nobody_waits_for_hold_up_nobody(self, gunicorn):
        clients = [slow_client(gunicorn, "/api/v1/payments") for _ in range(20)]

        answers = drip_until_answered(clients, within_s=DEADLINE_S * self.ROUNDS + 5)
        began = time.monotonic()
        health = HTTPConnection("127.0.0.1", gunicorn, timeout=30)
        health.request("GET", "/healthz")

        assert health.getresponse().status == 200
        # gunicorn alone takes five seconds for each, and two more in its only accepting thread.
        assert time.monotonic() - began < DEADLINE_S * self.ROUNDS + 1
        assert [answer and answer[0] for answer in answers] == [401] * 20
        health.close()
        for sock in clients:
            sock.close()

    def test_an_honest_client_keeps_its_connection_past_the_deadline(self, gunicorn):
        client = HTTPConnection("127.0.0.1", gunicorn, timeout=30)
        headers = {"Content-Type": "application/json"}
        statuses = []

        client.request("POST", "/api/v1/phone-codes", body=b"{}", headers=headers)
        answer = client.getresponse()
        statuses.append((answer.status, answer.read() != b""))
        with selectors.DefaultSelector() as selector:
            selector.register(client.sock, selectors.EVENT_READ)
            closed = selector.select(DEADLINE_S * 1.3)
        client.request("POST", "/api/v1/payments", body=b"{}", headers=headers)
        answer = client.getresponse()
        statuses.append((answer.status, answer.read() != b""))

        assert closed == []
        assert statuses == [(422, True), (401, True)]
        client.close()
