"""The API over a PostgreSQL that stops, for real."""

import logging
from dataclasses import replace

import pytest
from flask_migrate import upgrade
from redis import Redis

from localstack.engines import start_postgres
from tests.miniapp_api.answers import refusal
from tests.world import RecordingQueue, TestClock
from wsgi import create_app

TOKEN = {"Authorization": "Bearer " + "x" * 43}


@pytest.fixture(scope="module")
def own_postgres(tmp_path_factory):
    with start_postgres(tmp_path_factory.mktemp("stopped"), durable=False) as engine:
        yield engine


@pytest.fixture
def client_of_stopped(own_postgres, settings):
    """A client of an app that has used its database before it stopped."""
    own_postgres.start()
    with Redis.from_url(settings.redis_url) as redis:
        redis.flushdb()
    handlers, level = logging.root.handlers[:], logging.root.level
    changed = replace(settings, database_url=own_postgres.url)
    app = create_app(changed, clock=TestClock(), queue=RecordingQueue())
    logging.root.handlers[:], logging.root.level = handlers, level
    with app.app_context():
        upgrade()
    client = app.test_client()
    assert client.get("/api/v1/bills", headers=TOKEN).status_code == 401
    own_postgres.stop()
    yield client
    app.extensions["services"].outbox.unit_of_work.engine.dispose()


@pytest.mark.slow
class TestStopped:
    def test_the_api_says_so_and_when_to_come_back(self, client_of_stopped):
        for method, path in (("GET", "/bills"), ("POST", "/payments"), ("DELETE", "/sessions")):
            answer = client_of_stopped.open(f"/api/v1{path}", method=method, headers=TOKEN)

            error = refusal(answer, 503)
            assert error["code"] == "database_unavailable"
            assert error["message"] == "系统暂时不可用，请稍后再试"
            assert int(answer.headers["Retry-After"]) > 0

    def test_an_open_route_says_so_too(self, client_of_stopped):
        answer = client_of_stopped.post("/api/v1/phone-codes", json={"phone": "19900000001"})

        assert refusal(answer, 503)["code"] == "database_unavailable"

    def test_platforms_are_told_to_come_again(self, client_of_stopped):
        notice = client_of_stopped.post("/notify/wechatpay", data=b"{}")
        push = client_of_stopped.post("/wechat/official", data=b"<xml/>")

        assert notice.status_code == 503
        assert notice.json == {"code": "FAIL", "message": "database_unavailable"}
        assert push.status_code == 503

    def test_is_alive_and_not_ready(self, client_of_stopped):
        assert client_of_stopped.get("/healthz").status_code == 200
        assert client_of_stopped.get("/readyz").status_code == 503

    def test_it_is_logged_with_its_cause(self, client_of_stopped, caplog):
        client_of_stopped.get("/api/v1/bills", headers=TOKEN)

        [record] = [each for each in caplog.records if each.name == "miniapp_api.errors"]
        assert record.getMessage() == "database unavailable"
        assert record.exc_info

    def test_all_is_well_once_it_is_back(self, client_of_stopped, own_postgres):
        refusal(client_of_stopped.get("/api/v1/bills", headers=TOKEN), 503)

        own_postgres.start()

        refusal(client_of_stopped.get("/api/v1/bills", headers=TOKEN), 401)


class TestOtherErrors:
    def test_a_mistake_in_our_sql_stays_our_mistake(self, client, database):
        database.do("ALTER TABLE session_token RENAME TO gone")
        try:
            answer = client.get("/api/v1/bills", headers=TOKEN)
        finally:
            database.do("ALTER TABLE gone RENAME TO session_token")

        assert refusal(answer, 500)["code"] == "internal_error"
