import json
import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from redis import Redis

from settings import SettingsMissing
from tests.world import RecordingQueue, TestClock
from wsgi import SystemClock, create_app


@pytest.fixture
def make_app(settings, database):
    """Make an app of other settings over the same database; logging is put back at the end."""
    handlers, level = logging.root.handlers[:], logging.root.level
    made = []
    with Redis.from_url(settings.redis_url) as redis:
        redis.flushdb()

    def make_app(**changes):
        app = create_app(replace(settings, **changes), clock=TestClock(), queue=RecordingQueue())
        made.append(app)
        return app

    yield make_app
    logging.root.handlers[:], logging.root.level = handlers, level
    for app in made:
        app.extensions["services"].outbox.unit_of_work.engine.dispose()


class TestClockOfTheMachine:
    def test_tells_the_present_in_utc(self):
        now = SystemClock().now()

        assert now.utcoffset() == timedelta()
        assert abs(now - datetime.now(UTC)) < timedelta(seconds=5)


class TestCreateApp:
    def test_starts_nothing_half_configured(self, monkeypatch):
        for name in ("DATABASE_URL", "SECRET_KEY", "ANJU_ENV"):
            monkeypatch.delenv(name, raising=False)

        with pytest.raises(SettingsMissing, match=r"DATABASE_URL.*SECRET_KEY"):
            create_app()

    def test_is_never_in_debug_or_testing_mode(self, make_app):
        app = make_app()

        assert not app.debug
        assert not app.testing
        assert not app.config["PROPAGATE_EXCEPTIONS"]

    def test_serves_no_folder(self, make_app):
        assert make_app().static_folder is None

    def test_two_apps_do_not_share_anything(self, make_app):
        one, other = make_app(), make_app()

        assert one.extensions["services"] is not other.extensions["services"]

    @pytest.mark.parametrize("level", ["DEBUG", "INFO"])
    def test_secrets_of_libraries_stay_silent(self, make_app, level):
        make_app(log_level=level)

        for name in ("urllib3", "werkzeug", "rq.worker"):
            assert logging.getLogger(name).getEffectiveLevel() >= logging.WARNING


class TestProxy:
    CHAIN = "6.6.6.6, 7.7.7.7, 8.8.8.8"

    @pytest.mark.parametrize(
        ("hops", "believed"), [(0, "127.0.0.1"), (1, "8.8.8.8"), (2, "7.7.7.7"), (4, "127.0.0.1")]
    )
    def test_believes_as_many_hops_as_there_are_proxies(self, make_app, database, hops, believed):
        client = make_app(proxy_hops=hops).test_client()

        client.post(
            "/api/v1/phone-codes",
            json={"phone": "19900000001"},
            headers={"X-Forwarded-For": self.CHAIN},
        )

        assert database.value("SELECT ip FROM login_code") == believed

    def test_never_believes_a_host_from_a_proxy(self, make_app):
        client = make_app(proxy_hops=1).test_client()

        answer = client.get("/healthz", headers={"X-Forwarded-Host": "evil.example"})

        assert answer.status_code == 200

    def test_metrics_are_not_there_without_a_token(self, make_app):
        client = make_app(metrics_token="").test_client()

        assert client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 404


class TestLogs:
    def test_a_request_is_one_json_line_without_its_secrets(self, make_app, capsys):
        client = make_app(log_level="INFO").test_client()
        capsys.readouterr()

        client.get(
            "/api/v1/houses?access_token=canary-one&phone=19900000001",
            headers={"Authorization": "Bearer canary-two-canary-two", "X-Request-ID": "abcd-1234"},
        )

        (line,) = capsys.readouterr().err.splitlines()
        record = json.loads(line)
        assert record["path"] == "/api/v1/houses"
        assert (record["method"], record["status"]) == ("GET", 401)
        assert record["request_id"] == "abcd-1234"
        assert "canary" not in line
        assert "19900000001" not in line

    def test_nothing_secret_is_logged_over_a_whole_story(
        self, make_app, capsys, simulator, settings, database
    ):
        app = make_app(log_level="DEBUG")
        client, queue = app.test_client(), app.extensions["services"].outbox.unit_of_work.queue
        queue.app = app
        phone, secrets = "19900000001", []
        capsys.readouterr()

        client.post("/api/v1/phone-codes", json={"phone": phone})
        queue.run()
        code = simulator.sms(phone)[0]["params"][0]
        wechat_code = simulator.wx_login(phone)
        signed_in = client.post(
            "/api/v1/sessions/by-phone-code",
            json={"phone": phone, "code": code, "wechat_code": wechat_code},
        ).json
        secrets += [wechat_code, signed_in["token"], simulator.person(phone)["unionid"]]
        simulator.fault(host="wx", path="jscode2session", times=1, errcode=40029)
        refused = simulator.wx_login(phone)
        client.post("/api/v1/sessions/by-wechat", json={"wechat_code": refused})
        client.post("/api/v1/sessions/by-phone-code", json={"phone": phone, "code": "1\x00"})
        database.do("ALTER TABLE login_code RENAME TO gone")
        try:
            broken = client.post(
                "/api/v1/sessions/by-phone-code", json={"phone": phone, "code": code}
            )
        finally:
            database.do("ALTER TABLE gone RENAME TO login_code")
        logged = capsys.readouterr().err

        assert broken.status_code == 500
        assert "199****0001" in logged
        for line in logged.splitlines():
            json.loads(line)
        for secret in [
            phone,
            f'"{code}"',
            f"'{code}'",
            refused,
            *secrets,
            settings.secret_key,
            settings.wechat_miniapp_secret,
            settings.wechatpay_apiv3_key,
            settings.sms_secret_key,
            "PRIVATE KEY",
        ]:
            assert secret not in logged
