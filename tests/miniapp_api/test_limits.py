import logging
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from redis import Redis

from localstack.engines import start_redis
from miniapp_api.limits import PAYING, SIGNING_IN, WINDOW_S
from tests.miniapp_api.answers import refusal
from tests.world import RecordingQueue, TestClock
from wsgi import create_app

SIGN_IN = "/api/v1/sessions/by-wechat"
OPEN = [
    "/api/v1/phone-codes",
    "/api/v1/sessions/by-phone-code",
    SIGN_IN,
    "/api/v1/sessions/by-wechat-phone",
    "/api/v1/sessions/by-password",
    "/api/v1/password-resets",
    "/api/v1/password-resets/by-code",
    "/api/v1/staff/sessions",
    "/api/v1/staff/password-resets",
    "/api/v1/staff/password-resets/by-code",
    "/api/v1/staff/password-resets/by-link",
]
_ACCOUNT = "/api/v1/staff/accounts/{staff_id}"
_GRANT = "/api/v1/staff/role-grants/{grant_id}"
DOORS = {
    "/api/v1/password",
    "/api/v1/staff/sessions/current/proof",
    "/api/v1/staff/password",
    "/api/v1/staff/totp",
    "/api/v1/staff/totp/confirmation",
    "/api/v1/staff/accounts",
    _ACCOUNT,
    *(f"{_ACCOUNT}/{act}" for act in ("role", "scope", "disable", "enable", "password-reset")),
    *(f"{_GRANT}/{act}" for act in ("grant", "refuse")),
    "/api/v1/staff/owner-accounts",
}


def ask(client, path=SIGN_IN, address="127.0.0.1", body=b"{}"):
    return client.post(
        path,
        data=body,
        content_type="application/json",
        environ_overrides={"REMOTE_ADDR": address},
    )


def use_up(client, path=SIGN_IN, address="127.0.0.1"):
    """Ask as often as one may."""
    answers = [ask(client, path, address).status_code for _ in range(SIGNING_IN.per_minute)]
    assert set(answers) == {422}


class TestSigningIn:
    @pytest.mark.parametrize("path", OPEN)
    def test_is_limited_for_each_address(self, client, path):
        use_up(client, path)

        answer = ask(client, path)

        assert refusal(answer, 429)["code"] == "too_many"
        assert answer.headers["Retry-After"] == str(WINDOW_S)
        assert ask(client, path, "198.51.100.7").status_code == 422

    def test_all_its_routes_count_together(self, client):
        use_up(client, OPEN[0])

        assert [ask(client, path).status_code for path in OPEN] == [429] * len(OPEN)

    def test_platforms_are_not_asked_any_more(self, client, simulator):
        for _ in range(SIGNING_IN.per_minute * 2):
            ask(client, body=b'{"wechat_code": "stolen-or-invented"}')

        assert len(simulator.journal("jscode2session")) == SIGNING_IN.per_minute

    def test_an_ipv6_home_is_one_address(self, client):
        use_up(client, address="2001:db8:1:2::1")

        assert ask(client, address="2001:db8:1:2:ffff::9").status_code == 429
        assert ask(client, address="2001:db8:1:3::1").status_code == 422

    def test_no_address_is_limited_too(self, client):
        use_up(client, address="")

        assert ask(client, address="").status_code == 429

    def test_nothing_else_is_limited(self, client, owner):
        use_up(client)

        for _ in range(2 * PAYING.per_minute):
            assert client.get("/healthz").status_code == 200
        for _ in range(SIGNING_IN.per_minute + 1):
            assert client.get("/api/v1/openapi.json").status_code == 200
            assert client.post("/notify/wechatpay", data=b"x").status_code == 401
            assert client.post("/wechat/official", data=b"x").status_code == 403
            assert owner.get("/bills").status_code == 200
        assert owner.get("/payments").status_code == 200
        assert owner.call("POST", "/payments/9/refresh").status_code == 404

    def test_a_new_minute_is_new(self, client, app, settings):
        use_up(client)
        with Redis.from_url(settings.redis_url) as redis:
            lives = [redis.ttl(key) for key in redis.keys("LIMITS*")]

        assert len(lives) == 1
        assert 0 < lives[0] <= WINDOW_S


class TestPaying:
    ROUTES = ("/payments", "/payments/9/refresh", "/payments/9/cancel")

    def test_is_limited_for_each_account(self, make_signed_in, database):
        own, other = make_signed_in(100), make_signed_in(100, phone="19900000002")
        for number in range(PAYING.per_minute):
            answer = own.call("POST", self.ROUTES[number % 3])
            assert answer.status_code in (404, 422)

        for route in self.ROUTES:
            answer = own.call("POST", route)
            assert refusal(answer, 429)["code"] == "too_many"
            assert answer.headers["Retry-After"] == str(WINDOW_S)
        assert other.call("POST", self.ROUTES[1]).status_code == 404
        assert own.get("/payments").status_code == 200

    def test_strangers_use_nothing_of_it_up(self, client, owner):
        for _ in range(PAYING.per_minute + 1):
            refusal(client.post("/api/v1/payments/9/refresh"), 401)

        assert owner.call("POST", "/payments/9/refresh").status_code == 404


UNCOUNTED = {
    "/api/v1/staff/sessions/{session_id}",
    "/api/v1/staff/sessions/current",
    "/api/v1/staff/role-grants",
}
"""What staff ask that costs nothing."""


class TestDescription:
    def test_says_429_where_it_can_be(self, client):
        described = client.get("/api/v1/openapi.json").json["paths"]

        limited = {
            path
            for path, methods in described.items()
            for method, operation in methods.items()
            if method != "parameters" and "429" in operation["responses"]
        }

        assert limited == {
            "/api/v1/files/{file_id}",
            "/api/v1/photos",
            "/api/v1/notices",
            "/api/v1/notices/{notice_id}",
            "/api/v1/subscriptions",
            "/api/v1/houses/{house_id}/statement.pdf",
            "/api/v1/receipts/{receipt_no}.pdf",
            "/api/v1/houses/{house_id}/statement.xlsx",
            *OPEN,
            *DOORS,
            "/api/v1/payments",
            "/api/v1/payments/{payment_id}/refresh",
            "/api/v1/payments/{payment_id}/cancel",
            "/api/v1/bindings",
            *(
                path
                for path in described.keys() - UNCOUNTED
                if path.startswith(
                    (
                        "/api/v1/staff/",
                        "/api/v1/bindings/",
                        "/api/v1/invitations",
                        "/api/v1/phone-change",
                        "/api/v1/consents",
                        "/api/v1/privacy/",
                        "/api/v1/repairs",
                    )
                )
            ),
        }


@pytest.fixture
def make_client(settings, database, simulator):
    """Make a client of an app whose Redis is elsewhere; logging is put back at the end."""
    handlers, level = logging.root.handlers[:], logging.root.level
    made = []

    def make_client(redis_url):
        changed = replace(settings, redis_url=redis_url)
        app = create_app(changed, clock=TestClock(), queue=RecordingQueue())
        made.append(app)
        return app.test_client()

    yield make_client
    logging.root.handlers[:], logging.root.level = handlers, level
    for app in made:
        app.extensions["services"].outbox.unit_of_work.engine.dispose()


class TestRedisAway:
    def test_is_served_and_still_limited(self, make_client):
        client = make_client("redis://127.0.0.1:1/0")

        use_up(client)

        assert refusal(ask(client), 429)["code"] == "too_many"
        assert ask(client, address="198.51.100.7").status_code == 422

    def test_passwords_of_staff_are_counted_in_the_database_all_the_same(
        self, make_client, database
    ):
        client = make_client("redis://127.0.0.1:1/0")
        body = b'{"login_name": "nobody", "password": "wrong"}'

        answers = [ask(client, "/api/v1/staff/sessions", body=body) for _ in range(7)]

        assert [answer.status_code for answer in answers] == [401] * 5 + [429] * 2
        assert refusal(answers[-1], 429)["code"] == "sign_in_too_soon"

    def test_a_silent_one_costs_half_a_second_once(self, make_client):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            client = make_client(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
            began = time.monotonic()
            first = ask(client).status_code
            first_s = time.monotonic() - began
            answers = [ask(client).status_code for _ in range(SIGNING_IN.per_minute)]
            all_s = time.monotonic() - began

        assert first == 422
        # One try of half a second, not three; and not one for each of the thirty that follow.
        assert first_s < 1.4
        assert answers == [422] * (SIGNING_IN.per_minute - 1) + [429]
        assert all_s - first_s < 30 * 0.5 / 3

    def test_health_never_asks_it(self, make_client):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            client = make_client(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
            ask(client)
            longest_s, ends_at = 0.0, time.monotonic() + 1.5
            while (began := time.monotonic()) < ends_at:
                assert client.get("/healthz").status_code == 200
                longest_s = max(longest_s, time.monotonic() - began)

        assert longest_s < 0.4

    def test_many_at_once_find_it_away_and_none_fails(self, make_client):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            client = make_client(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
            app, ready = client.application, threading.Barrier(8)

            def at_once(_):
                ready.wait()
                return ask(app.test_client()).status_code

            with ThreadPoolExecutor(8) as pool:
                answers = list(pool.map(at_once, range(8)))

        assert answers == [422] * 8

    @pytest.mark.slow
    def test_counts_there_again_when_it_is_back(self, make_client, tmp_path):
        with start_redis(tmp_path, durable=False) as engine:
            client = make_client(engine.url)
            assert ask(client).status_code == 422
            engine.stop()
            assert ask(client).status_code == 422
            engine.start()
            with Redis.from_url(engine.url) as redis:
                ends_at = time.monotonic() + 10
                while not redis.keys("LIMITS*") and time.monotonic() < ends_at:
                    assert ask(client, address="198.51.100.7").status_code in (422, 429)
                    time.sleep(0.2)

                assert redis.keys("LIMITS*")
