"""Real Redis, real workers in processes of their own."""

import os
import subprocess
import sys
import time
from dataclasses import fields

import pytest
from redis import Redis

from jobs.queue import RqJobQueue, connect_briefly, make_queue
from tests.world import ROOT

_PATIENCE_S = 60


@pytest.fixture
def redis(app, settings):
    """The Redis of the session, empty."""
    with Redis.from_url(settings.redis_url) as connection:
        yield connection


@pytest.fixture
def rq_queue(app, settings):
    connection = connect_briefly(settings.redis_url)
    yield make_queue(connection)
    connection.close()


@pytest.fixture
def enqueue(rq_queue):
    return RqJobQueue(rq_queue).enqueue


@pytest.fixture
def environment(settings, tmp_path):
    """What a process of ours needs to run in this test's world."""
    words = {}
    for field in fields(settings):
        value = getattr(settings, field.name)
        words[field.name.upper()] = ",".join(value) if isinstance(value, tuple) else str(value)
    words = {name: value for name, value in words.items() if value}
    keep = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return keep | words | {"CANARY_FILE": str(tmp_path / "canary"), "NO_PROXY": "127.0.0.1"}


@pytest.fixture
def start(environment, tmp_path):
    """Start `flask …` in a process group of its own; whatever still runs is killed at the end."""
    started = []

    def start(*words, **more):
        with (tmp_path / "process.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "flask", "--app", "wsgi", *words],
                cwd=ROOT,
                env=environment | more,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, 9)
        process.wait()


@pytest.fixture
def work(start, tmp_path):
    """Do what is queued in a real worker, and return what it logged."""

    def work():
        assert start("jobs", "work", "--burst").wait(_PATIENCE_S) == 0
        return (tmp_path / "process.log").read_text()

    return work


@pytest.fixture
def wait_for():
    def wait_for(condition):
        end = time.monotonic() + _PATIENCE_S
        while not condition():
            assert time.monotonic() < end, "waited in vain"
            time.sleep(0.05)

    return wait_for
