"""One fetch for all, whatever fails: the token store on a real Redis."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from redis import Redis

from domain.errors import PlatformRefused, PlatformUnavailable
from gateways.wechat_tokens import AccessTokens, FreshToken

KEY = "wechat:token:wx1"


class CountingPlatform:
    """Gives the same token until it is forced or revoked, as ``stable_token`` does."""

    def __init__(self, life_s=7200):
        self.life_s = life_s
        self.number = 0
        self.calls = []
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()

    def __call__(self, *, force):
        self.calls.append(force)
        self.entered.set()
        self.gate.wait(timeout=30)
        if force:
            self.number += 1
        return FreshToken(f"token-{self.number}", self.life_s)


@pytest.fixture
def platform():
    return CountingPlatform()


@pytest.fixture
def make_store(redis, clock, platform):
    def make(**changes):
        given = {"redis": redis, "appid": "wx1", "fetch": platform, "clock": clock, **changes}
        return AccessTokens(**given)

    return make


class TestTake:
    def test_second_call_uses_what_is_stored(self, make_store, platform):
        store = make_store()

        assert store.take() == store.take() == "token-0"
        assert platform.calls == [False]

    def test_another_process_uses_what_is_stored(self, make_store, platform):
        make_store().take()

        assert make_store().take() == "token-0"
        assert platform.calls == [False]

    def test_one_value_with_its_expiry_and_a_time_to_live(self, make_store, redis):
        make_store().take()

        assert redis.keys("*") == [KEY.encode()]
        assert 7100 < redis.ttl(KEY) <= 7200

    def test_cold_threads_fetch_once(self, make_store, platform):
        stores = [make_store() for _ in range(6)]
        platform.gate.clear()
        with ThreadPoolExecutor(48) as pool:
            tokens = [pool.submit(stores[number % 6].take) for number in range(48)]
            platform.entered.wait(timeout=30)
            platform.gate.set()

            assert {token.result() for token in tokens} == {"token-0"}
        assert platform.calls == [False]

    def test_revocation_costs_one_fetch_for_all(self, make_store, platform):
        stores = [make_store() for _ in range(6)]
        stores[0].take()
        platform.number = 1
        with ThreadPoolExecutor(48) as pool:
            tokens = list(
                pool.map(lambda number: stores[number % 6].take(rejected="token-0"), range(48))
            )

        assert set(tokens) == {"token-1"}
        assert platform.calls == [False, False]

    def test_refreshes_before_the_end(self, make_store, platform, clock):
        store = make_store()
        store.take()
        clock.offset = timedelta(seconds=7200 - 299)
        platform.number = 1

        assert store.take() == "token-1"

    def test_short_life_is_used_for_nine_tenths(self, make_store, platform, clock):
        platform.life_s = 100
        store = make_store()
        store.take()
        clock.offset = timedelta(seconds=89)
        store.take()
        assert len(platform.calls) == 1

        clock.offset = timedelta(seconds=91)
        store.take()
        assert len(platform.calls) == 2

    def test_loser_uses_the_old_token_while_it_is_valid(self, make_store, platform, clock, redis):
        store = make_store()
        store.take()
        clock.offset = timedelta(seconds=7000)
        redis.set(f"{KEY}:lock", "another")

        assert store.take() == "token-0"
        assert platform.calls == [False]

    def test_loser_never_uses_the_rejected_token(self, make_store, redis):
        store = make_store(wait_s=0.1)
        store.take()
        redis.set(f"{KEY}:lock", "another")

        with pytest.raises(PlatformUnavailable) as raised:
            store.take(rejected="token-0")
        assert raised.value.retry_after_s == 5

    def test_loser_gives_up_at_its_deadline(self, make_store, platform, redis):
        redis.set(f"{KEY}:lock", "another")

        with pytest.raises(PlatformUnavailable):
            make_store(wait_s=0.1).take()
        assert platform.calls == []

    def test_dead_holder_is_replaced(self, make_store, redis):
        redis.set(f"{KEY}:lock", "dead", px=200)

        assert make_store().take() == "token-0"

    def test_fetch_that_ended_just_before_our_turn_is_used(
        self, make_store, platform, redis_server
    ):
        class Interrupted(Redis):
            """Lets another process finish its fetch between our look and our lock."""

            def lock(self, *given, **more):
                make_store().take()
                return super().lock(*given, **more)

        with Interrupted.from_url(redis_server) as interrupted:
            assert make_store(redis=interrupted).take() == "token-0"
        assert platform.calls == [False]

    def test_lock_ends_by_itself(self, make_store, platform, redis):
        platform.gate.clear()
        with ThreadPoolExecutor(1) as pool:
            token = pool.submit(make_store().take)
            platform.entered.wait(timeout=30)
            assert 0 < redis.pttl(f"{KEY}:lock") <= 20_000
            platform.gate.set()
            token.result()

    def test_lock_is_given_back_only_by_its_holder(self, make_store, platform, redis, caplog):
        platform.gate.clear()
        with ThreadPoolExecutor(1) as pool:
            token = pool.submit(make_store().take)
            platform.entered.wait(timeout=30)
            redis.set(f"{KEY}:lock", "another")
            platform.gate.set()

            assert token.result() == "token-0"
        assert redis.get(f"{KEY}:lock") == b"another"
        assert "outlived its lock" in caplog.text

    def test_lock_is_given_back_when_the_platform_refuses(self, make_store, redis):
        def refuse(*, force):
            raise PlatformRefused(vendor_code="40125")

        with pytest.raises(PlatformRefused):
            make_store(fetch=refuse).take()

        assert redis.get(f"{KEY}:lock") is None
        assert make_store().take() == "token-0"

    @pytest.mark.parametrize("rubbish", [b"", b"{", b"[]", b'{"token": "x"}', b"\xff"])
    def test_rubbish_in_redis_is_replaced(self, make_store, redis, rubbish):
        redis.set(KEY, rubbish)

        assert make_store().take() == "token-0"
        assert json.loads(redis.get(KEY))["token"] == "token-0"


class TestForcedRefresh:
    def test_only_when_the_platform_repeats_the_rejected_token(self, make_store, platform):
        store = make_store()
        store.take()

        assert store.take(rejected="token-0") == "token-1"
        assert platform.calls == [False, False, True]

    def test_not_twice_within_half_a_minute(self, make_store, platform):
        store = make_store()
        store.take(rejected="token-0")

        assert store.take(rejected="token-1") == "token-1"
        assert platform.calls == [False, True, False]

    def test_at_most_twenty_a_day(self, make_store, platform, redis):
        redis.set(f"{KEY}:forced-today", 20, ex=86_400)
        store = make_store()

        assert store.take(rejected="token-0") == "token-0"
        assert platform.calls == [False]

    def test_count_ends_after_a_day(self, make_store, redis):
        make_store().take(rejected="token-0")

        assert redis.get(f"{KEY}:forced-today") == b"1"
        assert 86_000 < redis.ttl(f"{KEY}:forced-today") <= 86_400


class TestWithoutRedis:
    def test_keeps_its_own_copy(self, make_store, platform, dead_redis):
        store = make_store(redis=dead_redis)

        assert store.take() == store.take() == "token-0"
        assert platform.calls == [False]

    def test_uses_what_it_last_saw_in_redis(self, make_store, platform, redis, dead_redis):
        make_store().take()
        store = make_store()
        store.take()
        store._redis = dead_redis

        assert store.take() == "token-0"
        assert platform.calls == [False]

    def test_threads_fetch_once(self, make_store, platform, dead_redis):
        store = make_store(redis=dead_redis)
        platform.gate.clear()
        with ThreadPoolExecutor(8) as pool:
            tokens = [pool.submit(store.take) for _ in range(8)]
            platform.entered.wait(timeout=30)
            platform.gate.set()

            assert {token.result() for token in tokens} == {"token-0"}
        assert platform.calls == [False]

    def test_rejected_token_is_asked_for_again_but_never_forced(
        self, make_store, platform, dead_redis
    ):
        store = make_store(redis=dead_redis)
        store.take()

        assert store.take(rejected="token-0") == "token-0"
        assert platform.calls == [False, False]

    def test_waits_no_longer_than_its_deadline(self, make_store, platform, dead_redis):
        store = make_store(redis=dead_redis, wait_s=0.1)
        platform.gate.clear()
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(store.take)
            platform.entered.wait(timeout=30)

            with pytest.raises(PlatformUnavailable):
                store.take()
            platform.gate.set()
            assert first.result() == "token-0"

    def test_answer_that_cannot_be_stored_is_still_used(self, make_store, redis, platform):
        store = make_store()
        redis.config_set("maxmemory", 1)
        try:
            assert store.take() == "token-0"
        finally:
            redis.config_set("maxmemory", 0)
