"""How each platform delivers a callback: what it sends, what is done, when it tries again."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from simulator import alipay_notices, pay_callbacks
from simulator.clock import beijing
from simulator.outbound import Outcome
from simulator.state import Notice
from simulator.world import World

# Source: https://pay.weixin.qq.com/wiki/doc/apiv3/apis/chapter3_2_5.shtml
_PAY_RETRIES_S = (
    15,
    15,
    30,
    180,
    600,
    1200,
    1800,
    1800,
    1800,
    3600,
    10_800,
    10_800,
    10_800,
    21_600,
    21_600,
)
# 4m, 10m, 10m, 1h, 2h, 6h, 15h: eight deliveries within 25 hours.
# Source: blog.csdn.net/qq_39505065/article/details/84429592 (platforms.md 4.7)
_ALIPAY_RETRIES_S = (240, 600, 600, 3600, 7200, 21_600, 54_000)


@dataclass(frozen=True)
class Delivery:
    """One platform's way to deliver: seal gives the headers and body of one try, signed now."""

    seal: Callable[[World, Notice], tuple[dict[str, str], str]]
    is_done: Callable[[Outcome], bool]
    retries_s: tuple[int, ...]


def _seal_pay(world: World, notice: Notice) -> tuple[dict[str, str], str]:
    merchant = world.credentials.merchants[notice.mchid]
    return pay_callbacks.headers(world, merchant, notice.body), notice.body


def _is_pay_done(outcome: Outcome) -> bool:
    # The status decides; a FAIL in the body of a 200 counts as done.
    return outcome.status in (200, 204)


def _is_alipay_done(outcome: Outcome) -> bool:
    # The body decides, to the byte.
    return outcome.body == b"success"


_DELIVERIES = {
    "pay": Delivery(_seal_pay, _is_pay_done, _PAY_RETRIES_S),
    "ali": Delivery(alipay_notices.seal, _is_alipay_done, _ALIPAY_RETRIES_S),
}


def delivery_of(notice: Notice) -> Delivery:
    """Return how this notice is delivered."""
    return _DELIVERIES[notice.wire]


def signed_view(world: World, notice: Notice) -> dict[str, Any]:
    """Return a notice with fresh headers and body, so that a test can send it itself."""
    data = dict(vars(notice))
    data["next_at"] = beijing(notice.next_at) if notice.next_at is not None else None
    data["made_at"] = beijing(notice.made_at)
    data["attempts"] = list(notice.attempts)
    data["headers"], data["body"] = delivery_of(notice).seal(world, notice)
    return data
