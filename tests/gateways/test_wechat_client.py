"""The WeChat client against the simulator: one retry, two kinds of error, no secrets in the log."""

import logging
import secrets
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from wechatpy.client.api.base import BaseWeChatAPI

from domain.errors import PlatformRefused, PlatformUnavailable
from gateways.wechat_client import AppClient, redact

ROOT = Path(__file__).parents[2]
FETCH = "/cgi-bin/stable_token"
CALL = "/cgi-bin/user/info"

ASKING_PROCESS = """
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from redis import Redis
from gateways.wechat_client import AppClient

class Clock:
    def now(self):
        return datetime.now(UTC)

url, base, appid, secret, openid = sys.argv[1:]
with Redis.from_url(url) as redis:
    client = AppClient(
        appid=appid, secret=secret, base_url=base, redis=redis, clock=Clock(), width=8
    )
    print("ready", flush=True)
    for _ in sys.stdin:
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: client.user.get(openid), range(8)))
        print(sum(answer["openid"] == openid for answer in answers), flush=True)
"""


@pytest.fixture
def openid(simulator):
    return simulator.person()["openid_official"]


@pytest.fixture
def make_client(settings, redis, clock):
    def make(**changes):
        given = {
            "appid": settings.wechat_official_appid,
            "secret": settings.wechat_official_secret,
            "base_url": settings.wechat_api_base,
            "redis": redis,
            "clock": clock,
            "width": 8,
            **changes,
        }
        return AppClient(**given)

    return make


@pytest.fixture
def client(make_client):
    return make_client()


class TestToken:
    def test_one_fetch_for_many_calls(self, client, simulator, openid):
        client.user.get(openid)
        client.user.get(openid)

        assert len(simulator.journal(FETCH)) == 1
        assert len(simulator.journal(CALL)) == 2

    def test_never_the_token_interface_that_retires_tokens(self, client, simulator, openid):
        client.user.get(openid)

        assert client.access_token == client.fetch_access_token()["access_token"]
        assert [entry["path"] for entry in simulator.journal("token")] == [FETCH]

    @pytest.mark.slow
    def test_processes_and_threads_fetch_once(
        self, settings, redis_server, redis, simulator, openid
    ):
        """Source: platforms.md 1.6: 48 cold calls, 1 fetch; after a revocation 1 more."""
        command = [
            *(sys.executable, "-c", ASKING_PROCESS, redis_server, settings.wechat_api_base),
            *(settings.wechat_official_appid, settings.wechat_official_secret, openid),
        ]
        crowd: list[Any] = [
            subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            for _ in range(6)
        ]

        def everyone_asks():
            for process in crowd:
                process.stdin.write("go\n")
                process.stdin.flush()
            return [int(process.stdout.readline()) for process in crowd]

        try:
            assert [process.stdout.readline() for process in crowd] == ["ready\n"] * 6

            assert everyone_asks() == [8] * 6
            assert len(simulator.journal(FETCH)) == 1

            simulator.post(f"tokens/{settings.wechat_official_appid}/revoke")
            assert everyone_asks() == [8] * 6
            assert len(simulator.journal(FETCH)) == 2
        finally:
            for process in crowd:
                process.communicate()

    @pytest.mark.parametrize("errcode", [40001, 40014, 42001])
    def test_refused_token_is_replaced_once(self, client, simulator, openid, errcode):
        client.user.get(openid)
        simulator.fault(host="wx", path=CALL, errcode=errcode)

        assert client.user.get(openid)["openid"] == openid
        assert len(simulator.journal(CALL)) == 3

    @pytest.mark.parametrize("errcode", [40001, 40014, 42001])
    def test_persistent_refusal_ends(self, client, simulator, openid, errcode):
        """wechatpy alone fetches 487 tokens for this one call (B1)."""
        client.user.get(openid)
        simulator.fault(host="wx", path=CALL, times=None, errcode=errcode)

        with pytest.raises(PlatformRefused) as raised:
            client.user.get(openid)

        assert raised.value.vendor_code == str(errcode)
        assert len(simulator.journal(CALL)) == 3
        assert len(simulator.journal(FETCH)) == 3

    def test_no_second_call_with_the_same_token(self, client, simulator, openid):
        client.user.get(openid)
        simulator.fault(host="wx", path=CALL, times=None, errcode=40001)
        with pytest.raises(PlatformRefused):
            client.user.get(openid)
        before = len(simulator.journal(CALL))

        with pytest.raises(PlatformRefused):
            client.user.get(openid)

        assert len(simulator.journal(CALL)) == before + 1

    def test_upload_is_not_repeated(self, client, simulator):
        """Its stream is spent: the platform would take zero bytes for a success (B2)."""
        simulator.fault(host="wx", path="/cgi-bin/media/upload", times=None, errcode=40001)

        with pytest.raises(PlatformRefused):
            client.media.upload("image", ("a.png", b"png"))

        assert len(simulator.journal("/cgi-bin/media/upload")) == 1

    def test_token_without_redis(self, make_client, dead_redis, simulator, openid):
        client = make_client(redis=dead_redis)

        assert client.user.get(openid)["openid"] == openid
        assert client.user.get(openid)["openid"] == openid
        assert len(simulator.journal(FETCH)) == 1

    def test_wrong_secret(self, make_client, openid):
        with pytest.raises(PlatformRefused) as raised:
            make_client(secret="0" * 32).user.get(openid)

        assert raised.value.vendor_code == "40125"

    @pytest.mark.parametrize(
        "action",
        [
            {"html": True},
            {"truncated_json": True},
            {"status": 502},
            {"reset": True},
            {"errcode": 0},
        ],
    )
    def test_no_usable_token(self, client, simulator, openid, action):
        simulator.fault(host="wx", path=FETCH, **action)

        with pytest.raises(PlatformUnavailable):
            client.user.get(openid)

    def test_slow_token_does_not_hold_the_caller(self, make_client, odd_platform):
        """wechatpy's own fetch has no time limit (B3)."""
        odd_platform.gate.clear()
        client = make_client(base_url=odd_platform.url, timeout_s=(3, 0.1))

        with pytest.raises(PlatformUnavailable):
            client.fetch_token(force=False)

        assert odd_platform.seen == ["/cgi-bin/stable_token"]


class TestErrors:
    @pytest.mark.parametrize("errcode", [40003, 43004, 45009, 48001, 61010])
    def test_no(self, client, simulator, openid, errcode):
        simulator.fault(host="wx", path=CALL, errcode=errcode)

        with pytest.raises(PlatformRefused) as raised:
            client.user.get(openid)

        assert raised.value.vendor_code == str(errcode)
        assert str(errcode) in raised.value.message
        assert len(simulator.journal(CALL)) == 1

    @pytest.mark.parametrize(("errcode", "retry_after_s"), [(-1, None), (45011, 60)])
    def test_later(self, client, simulator, openid, errcode, retry_after_s):
        simulator.fault(host="wx", path=CALL, errcode=errcode)

        with pytest.raises(PlatformUnavailable) as raised:
            client.user.get(openid)

        assert raised.value.retry_after_s == retry_after_s
        assert len(simulator.journal(CALL)) == 1

    @pytest.mark.parametrize(
        "action",
        [
            {"status": 500},
            {"status": 502},
            {"status": 504},
            {"status": 408},
            {"status": 302},
            {"html": True},
            {"truncated_json": True},
            {"reset": True},
            {"lost_answer": True},
        ],
        ids=str,
    )
    def test_no_usable_answer(self, client, simulator, openid, action):
        client.user.get(openid)
        simulator.fault(host="wx", path=CALL, **action)

        with pytest.raises(PlatformUnavailable):
            client.user.get(openid)

        assert len(simulator.journal(CALL)) == 2

    def test_too_many_requests(self, client, simulator, openid):
        simulator.fault(host="wx", path=CALL, status=429)

        with pytest.raises(PlatformUnavailable) as raised:
            client.user.get(openid)

        assert raised.value.retry_after_s == 60

    def test_other_client_error(self, client, simulator, openid):
        simulator.fault(host="wx", path=CALL, status=404)

        with pytest.raises(PlatformRefused) as raised:
            client.user.get(openid)

        assert raised.value.vendor_code == "http_404"

    def test_slow_answer(self, make_client, odd_platform):
        odd_platform.gate.clear()
        client = make_client(base_url=odd_platform.url, timeout_s=(3, 0.1))

        with pytest.raises(PlatformUnavailable):
            client.sign_in.code_to_session(code="c")

        assert len(odd_platform.seen) == 1

    def test_nobody_listens(self, make_client):
        with pytest.raises(PlatformUnavailable):
            make_client(base_url="http://127.0.0.1:9/").user.get("o1")


class TestOddAnswers:
    def test_redirect_is_not_followed(self, make_client, odd_platform):
        elsewhere = {"Location": f"{odd_platform.url}/elsewhere"}
        odd_platform.answer = (302, elsewhere, b"moved")

        with pytest.raises(PlatformUnavailable):
            make_client(base_url=odd_platform.url).sign_in.code_to_session(code="c")

        assert len(odd_platform.seen) == 1

    def test_cookies_are_not_kept(self, make_client, odd_platform):
        odd_platform.answer = (200, {"Set-Cookie": "a=b; Path=/"}, b"{}")
        client = make_client(base_url=odd_platform.url)

        client.sign_in.code_to_session(code="c")

        assert list(client._http.cookies) == []

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"[]",
            b"null",
            b'"text"',
            b'{"errcode": "many"}',
            b'{"errcode": null}',
            b"[" * 100_000,
        ],
        ids=["empty", "array", "null", "text", "word", "none", "deep"],
    )
    def test_not_an_answer(self, make_client, odd_platform, body):
        odd_platform.answer = (200, {"Content-Type": "application/json"}, body)

        with pytest.raises(PlatformUnavailable):
            make_client(base_url=odd_platform.url).sign_in.code_to_session(code="c")

    @pytest.mark.parametrize(
        "body",
        [
            b'{"access_token": "t"}',
            b'{"access_token": "t", "expires_in": "7200"}',
            b'{"access_token": "t", "expires_in": 0}',
            b'{"access_token": "t", "expires_in": true}',
            b'{"access_token": "", "expires_in": 7200}',
            b'{"access_token": 1, "expires_in": 7200}',
        ],
        ids=str,
    )
    def test_not_a_token(self, make_client, odd_platform, body):
        odd_platform.answer = (200, {}, body)

        with pytest.raises(PlatformUnavailable):
            make_client(base_url=odd_platform.url).fetch_token(force=False)


class TestConstruction:
    def test_calls_nobody(self, make_client, simulator):
        make_client()

        assert simulator.journal() == []

    def test_every_interface_points_at_the_setting(self, make_client):
        client = make_client(base_url="http://127.0.0.1:9/wx")

        bases = [client.API_BASE_URL] + [
            group.API_BASE_URL
            for group in vars(client).values()
            if isinstance(group, BaseWeChatAPI) and hasattr(group, "API_BASE_URL")
        ]

        assert len(bases) > 10
        assert all(base.startswith("http://127.0.0.1:9/wx/") for base in bases)

    def test_two_clients_do_not_share_their_interfaces(self, make_client):
        first, other = make_client(base_url="http://a/"), make_client(base_url="http://b/")

        assert first.wxa.API_BASE_URL == "http://a/"
        assert other.wxa.API_BASE_URL == "http://b/"

    def test_pool_is_as_wide_as_the_setting(self, make_client):
        adapters = make_client(width=33)._http.adapters.values()

        assert [adapter._pool_maxsize for adapter in adapters] == [33, 33]

    def test_threads_share_one_pool(self, make_client, simulator, openid, caplog):
        client = make_client(width=8)
        with caplog.at_level(logging.WARNING), ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: client.user.get(openid), range(64)))

        assert "pool is full" not in caplog.text


class TestLog:
    def test_no_token_or_secret_in_any_line(self, settings, make_client, simulator, openid, caplog):
        client = make_client(
            appid=settings.wechat_miniapp_appid, secret=settings.wechat_miniapp_secret
        )
        with caplog.at_level(logging.DEBUG):
            token = client.access_token
            secret_of_nobody = secrets.token_hex()
            login_code, phone_code = secrets.token_hex(), secrets.token_hex()
            for action in ({"errcode": 40003}, {"reset": True}, {"html": True}, {"status": 502}):
                simulator.fault(host="wx", path="/sns/jscode2session", **action)
                with pytest.raises((PlatformRefused, PlatformUnavailable)) as raised:
                    client.sign_in.code_to_session(code=login_code)
                logging.getLogger("test").error("failed", exc_info=raised.value)
            nobody = make_client(base_url="http://127.0.0.1:9/", secret=secret_of_nobody)
            with pytest.raises(PlatformUnavailable) as raised:
                nobody.sign_in.code_to_session(code=login_code)
            logging.getLogger("test").error("failed", exc_info=raised.value)
            with pytest.raises(PlatformRefused):
                client.wxa.get_phone_number(phone_code)

        assert "jscode2session" in caplog.text
        ours = (token, settings.wechat_miniapp_secret, secret_of_nobody, login_code, phone_code)
        assert [secret for secret in ours if secret in caplog.text] == []

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("GET /x?access_token=abc&openid=o1", "GET /x?access_token=***&openid=o1"),
            ("?appid=wx1&secret=s3&js_code=c9", "?appid=wx1&secret=***&js_code=***"),
            ('{"access_token": "abc", "expires_in": 7200}', None),
            ("errcode 40003 rid: 1", "errcode 40003 rid: 1"),
        ],
    )
    def test_redact(self, text, expected):
        assert redact(text) == (expected or '{"access_token": "***", "expires_in": 7200}')
