"""What every fault test needs: its size, its figures, web processes to kill, notices to send."""

import contextlib
import os
import random
import signal
import sys
import threading
import time
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

from localstack.processes import Processes, Program, ReadyUrl, inherited_environment
from simulator import craft_pay
from simulator.credentials import load_or_make
from simulator.world import World as Platforms
from tests.world import ROOT, free_port

IS_FULL = os.environ.get("FAULTS") == "full"
PATIENCE_S = 120


def sized(small, full):
    """Choose between the size of every day and that of `make faults`."""
    return full if IS_FULL else small


def report(row, **figures):
    """Print what the fault matrix asks a row for."""
    shown = (
        f"{name.replace('_', ' ')} {value:,.2f}"
        if isinstance(value, float)
        else f"{name.replace('_', ' ')} {value:,}"
        if isinstance(value, int)
        else f"{name.replace('_', ' ')} {value}"
        for name, value in figures.items()
    )
    print(f"\n{row} ({'full' if IS_FULL else 'small'}): " + ", ".join(shown))


def seeded(row):
    """Make the row's random choices, repeatable by FAULTS_SEED; the seed is printed."""
    seed = int(os.environ.get("FAULTS_SEED") or random.SystemRandom().randrange(10**6))
    print(f"\n{row}: FAULTS_SEED={seed}")
    return random.Random(seed)


def until(look, *, within_s=PATIENCE_S, every_s=0.05):
    """Wait until something is there and give it."""
    deadline = time.monotonic() + within_s
    while not (found := look()):
        assert time.monotonic() < deadline, f"not within {within_s} s"
        time.sleep(every_s)
    return found


def percentile(values, share):
    """Tell the value that a share of all stays at or below."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def libpq(url):
    """Turn an SQLAlchemy URL into one that psycopg itself takes."""
    return url.replace("postgresql+psycopg", "postgresql", 1)


def children_of(pid):
    """List the processes that a process has started and that are alive."""
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in listed]


def environment_of(settings):
    """Tell the environment from which a process of ours reads just these settings."""
    own = {}
    for name in type(settings).__dataclass_fields__:
        value = getattr(settings, name)
        own[name.upper()] = ",".join(value) if isinstance(value, tuple) else str(value)
    return inherited_environment() | {name: value for name, value in own.items() if value}


class Webs:
    """Web processes under one master, which replaces those that die; a context manager.

    The app is loaded before the fork, so that a new process serves within milliseconds.
    """

    def __init__(self, folder, env, *, app="wsgi:create_app()", workers=3, port=None):
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._workers = workers
        self._app = app
        self._processes = Processes(logs=folder, env=env, cwd=ROOT)
        self._master = None

    def __enter__(self):
        words = ["-m", "gunicorn", "--preload", "-k", "gthread", "--threads", "8"]
        words += ["-w", str(self._workers), "--bind", f"127.0.0.1:{self.port}", "--backlog", "512"]
        words += ["--graceful-timeout", "1", "--no-control-socket", "--log-level", "critical"]
        self._master = self._processes.start(
            Program(
                name="web",
                words=(sys.executable, *words, self._app),
                ready=ReadyUrl(f"{self.url}/readyz"),
            )
        )
        return self

    def __exit__(self, *error):
        self._processes.stop()

    def kill_one(self, rng):
        """Kill one process, whatever it is doing."""
        victims = until(lambda: children_of(self._master.pid))
        with contextlib.suppress(ProcessLookupError):
            os.kill(rng.choice(victims), signal.SIGKILL)


class Notices:
    """Signs notices of WeChat Pay as the simulator does, without asking it each time."""

    def __init__(self, state_dir, backend):
        self._platforms = Platforms(folder=None, backend=backend, seed=None)
        self._platforms.credentials = load_or_make(Path(state_dir), self._platforms.chance)

    def paid(self, order, **changes):
        """Give headers and body of a notice that an order of ours was paid."""
        overrides = {
            "mchid": order.mchid,
            "appid": order.appid,
            "amount_fen": order.amount_fen,
            "transaction_id": order.transaction_id,
            "openid": order.openid,
        }
        made = craft_pay.pay_callback(
            self._platforms, {"out_trade_no": order.out_trade_no, "overrides": overrides | changes}
        )
        return made["headers"], made["body"].encode()


@dataclass
class Delivered:
    """What came of a storm of deliveries."""

    deliveries: int = 0
    kills: int = 0
    retries: int = 0
    statuses: set[int] = field(default_factory=set)
    answered_s: list[float] = field(default_factory=list)


class Storm:
    """Delivers until each delivery is answered 2xx, while web processes are being killed.

    `kills` are spread evenly over the deliveries, with the seed's jitter; threads take what is
    next, so that neighbours arrive together.
    """

    def __init__(self, webs, rng, *, kills, threads=12):
        self._webs = webs
        self._rng = rng
        self._threads = threads
        self._kills = kills
        self._lock = threading.Lock()
        self.told = Delivered()

    def deliver(self, deliveries, send_as):
        """Deliver all; `send_as` turns one into path, headers and body, for each attempt anew."""
        left = list(reversed(deliveries))
        step = len(deliveries) / self._kills if self._kills else 0
        kill_at = [
            int(step * number + self._rng.uniform(0.1, 0.9) * step) for number in range(self._kills)
        ]
        over = threading.Event()
        workers = [
            threading.Thread(target=self._work, args=(left, send_as)) for _ in range(self._threads)
        ]
        killer = threading.Thread(target=self._kill, args=(kill_at, over))
        for thread in (*workers, killer):
            thread.start()
        for thread in workers:
            thread.join()
        over.set()
        killer.join()
        return self.told

    def _kill(self, kill_at, over):
        for mark in kill_at:
            while self.told.deliveries < mark and not over.is_set():
                time.sleep(0.002)
            self._webs.kill_one(self._rng)
            self.told.kills += 1

    def _work(self, left, send_as):
        connection = HTTPConnection(urlsplit(self._webs.url).netloc, timeout=20)
        try:
            while True:
                with self._lock:
                    if not left:
                        return
                    delivery = left.pop()
                self._until_taken(connection, *send_as(delivery))
        finally:
            connection.close()

    def _until_taken(self, connection, path, headers, body):
        deadline = time.monotonic() + PATIENCE_S
        while not self._took(connection, path, headers, body):
            assert time.monotonic() < deadline, "never taken"
            with self._lock:
                self.told.retries += 1
            time.sleep(0.01)
        with self._lock:
            self.told.deliveries += 1

    def _took(self, connection, path, headers, body):
        began = time.monotonic()
        try:
            connection.request("POST", path, body=body, headers=headers)
            answer = connection.getresponse()
            answer.read()
        except (OSError, HTTPException):
            connection.close()
            return False
        with self._lock:
            self.told.statuses.add(answer.status)
            self.told.answered_s.append(time.monotonic() - began)
        return 200 <= answer.status < 300
