"""Fixtures of the product's tests. Whoever asks for ``app`` gets an empty, real world."""

import logging
import os
import threading

import pytest
from flask_migrate import upgrade
from hypothesis import settings as hypothesis_settings
from redis import Redis
from sqlalchemy import create_engine

from domain.actors import operator
from localstack.engines import start_postgres, start_redis
from settings import Settings
from tests.world import (
    Database,
    RecordingQueue,
    TestClock,
    free_port,
    run_simulator,
    serve,
)
from wsgi import create_app

# A busy machine is no failure: what takes how long is measured by the benchmark only.
hypothesis_settings.register_profile("untimed", deadline=None)
hypothesis_settings.load_profile("untimed")


@pytest.fixture(scope="session")
def database_url(tmp_path_factory):
    """A PostgreSQL without safety for speed, or the one that TEST_DATABASE_URL names."""
    if given := os.environ.get("TEST_DATABASE_URL"):
        yield given
        return
    with start_postgres(tmp_path_factory.mktemp("postgres"), durable=False) as engine:
        yield engine.url


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory):
    """A Redis of its own, or the one that TEST_REDIS_URL names."""
    if given := os.environ.get("TEST_REDIS_URL"):
        yield given
        return
    with start_redis(tmp_path_factory.mktemp("redis"), durable=False) as engine:
        yield engine.url


@pytest.fixture(scope="session")
def web_port():
    return free_port()


@pytest.fixture(scope="session")
def simulator_process(tmp_path_factory, web_port):
    state = tmp_path_factory.mktemp("simulator")
    with run_simulator(state, f"http://127.0.0.1:{web_port}") as simulator:
        yield simulator


@pytest.fixture(scope="session")
def settings(database_url, redis_url, simulator_process, web_port, tmp_path_factory):
    return Settings.from_env(
        {
            **simulator_process.credentials,
            "ANJU_ENV": "development",
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "SECRET_KEY": "only-for-tests",
            "PUBLIC_BASE_URL": f"http://127.0.0.1:{web_port}",
            "TRUSTED_HOSTS": "127.0.0.1,localhost",
            "LOG_LEVEL": "WARNING",
            "METRICS_TOKEN": "for-the-metrics",
            "FILES_DIR": str(tmp_path_factory.mktemp("files")),
        }
    )


@pytest.fixture(scope="session")
def made_app(settings):
    """The app over a database that the real migrations made; one for the whole session."""
    queue = RecordingQueue()
    handlers, level = logging.root.handlers[:], logging.root.level
    app = create_app(settings, clock=TestClock(), queue=queue)
    # The app's logging would replace pytest's, which must see warnings and errors.
    logging.root.handlers[:], logging.root.level = handlers, level
    queue.app = app
    with app.app_context():
        upgrade()
    yield app
    app.extensions["services"].outbox.unit_of_work.engine.dispose()


@pytest.fixture(scope="session")
def test_engine(database_url):
    engine = create_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def database(made_app, test_engine):
    """The database, emptied after the test."""
    database = Database(test_engine)
    yield database
    database.empty()


@pytest.fixture
def app(made_app, database, settings, simulator, request):
    """The app in an empty world; when the test ends, every promise of the ledger must hold."""
    made_app.extensions["services"].clock.reset()
    queue = made_app.extensions["services"].outbox.unit_of_work.queue
    queue.jobs.clear()
    queue.is_away = False
    with Redis.from_url(settings.redis_url) as redis:
        redis.flushdb()
    yield made_app
    if request.node.get_closest_marker("breaks_promises"):
        return
    checks = made_app.extensions["services"].ledger.verify(actor=operator())
    assert [check for check in checks if not check.holds] == []


@pytest.fixture
def services(app):
    return app.extensions["services"]


@pytest.fixture
def clock(services):
    return services.clock


@pytest.fixture
def queue(services):
    return services.outbox.unit_of_work.queue


@pytest.fixture
def simulator(simulator_process):
    """The simulator as new: no people, orders, tokens, faults; its journal empty."""
    simulator_process.post("reset")
    return simulator_process


@pytest.fixture
def client(app):
    return app.test_client()


@pytest.fixture
def live(app, simulator, web_port):
    """The app served over HTTP where the simulator calls it back."""
    with serve(app, web_port) as url:
        yield url


@pytest.fixture
def together():
    """Run a callable in many threads at the same instant and give what each returned or raised."""

    def run(*works):
        barrier = threading.Barrier(len(works))
        results = [None] * len(works)

        def one(index, work):
            barrier.wait(timeout=30)
            try:
                results[index] = work()
            except Exception as error:  # noqa: BLE001 - handed to the test
                results[index] = error

        threads = [
            threading.Thread(target=one, args=(index, work)) for index, work in enumerate(works)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return results

    return run
