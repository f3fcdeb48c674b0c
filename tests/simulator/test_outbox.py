"""Callbacks on their way: retries on the virtual clock, copies, losses, replays."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.simulator.conftest import Backend, Received
from tests.simulator.merchant import Merchant
from tests.simulator.platforms import Platforms

SERIES_S = [15, 15, 30, 180, 600, 1200, 1800, 1800, 1800, 3600, 10800, 10800, 10800, 21600, 21600]


@pytest.fixture
def pay(
    merchant: Merchant, owner: dict[str, Any], backend: Backend, platforms: Platforms
) -> Callable[..., Any]:
    def order_and_pay(number: str = "NOTICE001", **options: Any) -> Any:
        answer = merchant.order(merchant.form(owner["openid_miniapp"], number, backend.url))
        assert answer.status == 200, answer.data
        return platforms.control(f"pay/{number}", options)

    return order_and_pay


def notice(platforms: Platforms, number: str = "NOTICE001") -> dict[str, Any]:
    (found,) = platforms.look("outbox", out_trade_no=number)
    return dict(found)


class TestDelivery:
    def test_is_signed_and_sealed(
        self, pay: Callable[..., Any], backend: Backend, merchant: Merchant, platforms: Platforms
    ) -> None:
        paid = pay(wait=True)

        (received,) = backend.received
        assert merchant.has_signed(received.headers, received.body.decode())
        opened = merchant.open(received.body.decode())
        assert opened["transaction_id"] == paid["transaction_id"]
        assert opened["amount"] == {
            "total": 12345,
            "payer_total": 12345,
            "currency": "CNY",
            "payer_currency": "CNY",
        }
        assert notice(platforms)["state"] == "done"

    @pytest.mark.parametrize(
        ("status", "body", "state"),
        [
            (200, b"", "done"),
            (204, b"", "done"),
            (200, b'{"code":"FAIL"}', "done"),
            (201, b"", "pending"),
            (302, b"", "pending"),
            (401, b'{"code":"SUCCESS"}', "pending"),
            (500, b"", "pending"),
        ],
    )
    def test_the_status_decides(
        self,
        pay: Callable[..., Any],
        backend: Backend,
        platforms: Platforms,
        status: int,
        body: bytes,
        state: str,
    ) -> None:
        backend.always(status, body)

        pay(wait=True)

        assert notice(platforms)["state"] == state
        assert [one["status"] for one in notice(platforms)["attempts"]] == [status]

    @pytest.mark.slow
    def test_an_answer_after_five_seconds_is_none(
        self, pay: Callable[..., Any], backend: Backend, platforms: Platforms
    ) -> None:
        release = threading.Event()

        def slow(_: Received) -> tuple[int, bytes]:
            release.wait(8)
            return 200, b""

        backend.answer = slow

        pay(wait=True)
        release.set()

        (attempt,) = notice(platforms)["attempts"]
        assert (attempt["status"], attempt["error"]) == (None, "ReadTimeout")
        assert notice(platforms)["state"] == "pending"


class TestRetries:
    def test_follow_the_platforms_series(
        self, pay: Callable[..., Any], backend: Backend, platforms: Platforms
    ) -> None:
        platforms.control("clock", {"frozen": True})
        backend.always(500)
        pay(wait=True)

        for number, pause in enumerate(SERIES_S, start=1):
            platforms.advance(pause - 1)
            assert len(backend.received) == number
            platforms.advance(1)
            assert len(backend.received) == number + 1
        assert notice(platforms)["state"] == "given_up"
        platforms.advance(86_400)
        assert len(backend.received) == 16

    def test_a_long_jump_runs_all_in_between(
        self, pay: Callable[..., Any], backend: Backend, platforms: Platforms
    ) -> None:
        backend.always(500)
        pay(wait=True)

        platforms.advance(sum(SERIES_S))

        assert len(backend.received) == 16
        assert notice(platforms)["state"] == "given_up"

    def test_stop_when_it_is_done(
        self, pay: Callable[..., Any], backend: Backend, platforms: Platforms
    ) -> None:
        backend.always(500)
        pay(wait=True)
        backend.always(204)

        platforms.advance(86_400)

        assert [one["status"] for one in notice(platforms)["attempts"]] == [500, 204]

    def test_are_signed_anew_over_the_same_body(
        self, pay: Callable[..., Any], backend: Backend, merchant: Merchant, platforms: Platforms
    ) -> None:
        backend.always(500)
        pay(wait=True)
        platforms.advance(16)

        first, second = backend.received
        assert first.body == second.body
        assert first.headers["Wechatpay-Nonce"] != second.headers["Wechatpay-Nonce"]
        assert (
            int(second.headers["Wechatpay-Timestamp"])
            >= int(first.headers["Wechatpay-Timestamp"]) + 15
        )
        assert merchant.has_signed(second.headers, second.body.decode())


class TestHands:
    def test_run_tries_now_without_the_clock(
        self, pay: Callable[..., Any], backend: Backend, platforms: Platforms
    ) -> None:
        backend.always(500)
        pay(wait=True)

        answer = platforms.control("outbox/run", {"times": 2})

        assert answer["count"] == 1
        assert len(backend.received) == 3

    def test_held_until_released(
        self, pay: Callable[..., Any], backend: Backend, platforms: Platforms
    ) -> None:
        pay(callbacks="hold", wait=True)
        assert (backend.received, notice(platforms)["state"]) == ([], "held")

        platforms.control("outbox/release")

        assert (len(backend.received), notice(platforms)["state"]) == (1, "done")

    def test_lost_is_never_sent_but_can_be_replayed(
        self, pay: Callable[..., Any], backend: Backend, merchant: Merchant, platforms: Platforms
    ) -> None:
        pay(callbacks="lost", wait=True)
        platforms.advance(86_400)
        assert (backend.received, notice(platforms)["state"]) == ([], "lost")

        shown = notice(platforms)
        assert merchant.has_signed(shown["headers"], shown["body"])
        assert merchant.open(shown["body"])["out_trade_no"] == "NOTICE001"

    def test_dropped_is_lost(
        self, pay: Callable[..., Any], backend: Backend, platforms: Platforms
    ) -> None:
        backend.always(500)
        pay(wait=True)

        platforms.control("outbox/drop", {"id": notice(platforms)["id"]})

        assert notice(platforms)["state"] == "lost"

    def test_copies_arrive_at_the_same_instant(
        self, pay: Callable[..., Any], backend: Backend, platforms: Platforms
    ) -> None:
        # Nobody passes before all three are there, so that this fails unless they overlap.
        backend.together = threading.Barrier(3)

        pay(copies=3, wait=True)

        assert [one["status"] for one in notice(platforms)["attempts"]] == [200] * 3

    def test_a_done_one_can_be_duplicated(
        self, pay: Callable[..., Any], backend: Backend, platforms: Platforms
    ) -> None:
        pay(wait=True)
        backend.together = threading.Barrier(2)

        platforms.control("outbox/duplicate", {"id": notice(platforms)["id"], "times": 2})

        assert len(backend.received) == 3
        assert notice(platforms)["state"] == "done"

    def test_shuffle_sends_all_one_after_the_other(
        self, pay: Callable[..., Any], backend: Backend, platforms: Platforms
    ) -> None:
        for number in range(5):
            pay(f"SHUFFLE0{number}", callbacks="hold")

        assert platforms.control("outbox/shuffle")["count"] == 5

        assert len(backend.received) == 5
        assert {one["state"] for one in platforms.look("outbox")} == {"done"}

    def test_an_unknown_notice_is_404(self, platforms: Platforms) -> None:
        platforms.control("outbox/run", {"id": "x"}, status=404)
        platforms.control("outbox/other", status=404)

    def test_a_frozen_clock_retries_nothing(
        self, pay: Callable[..., Any], backend: Backend, platforms: Platforms
    ) -> None:
        backend.always(500)
        pay(wait=True)
        clock = platforms.control("clock", {"frozen": True})

        time.sleep(0.05)

        assert platforms.look("clock")["timestamp"] == clock["timestamp"]
        platforms.advance(15)
        assert len(backend.received) == 2
