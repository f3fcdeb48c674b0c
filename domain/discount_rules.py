"""What a discount rule says, and whether it makes sense; what it takes off is in discounts.py."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

from domain.money import MAX_FEN

_NAME_LENGTHS = range(1, 21)
_MONTHS = range(1, 25)
_EARLY_DAYS = range(1, 366)
_FEN = range(1, MAX_FEN + 1)
_PRIORITIES = range(1000)


class DiscountKind(StrEnum):
    """Why a bill becomes smaller."""

    PERCENTAGE = "percentage"
    FIXED = "fixed"
    FREE_MONTHS = "free_months"
    EARLY_PAYMENT = "early_payment"
    VACANCY = "vacancy"


@dataclass(frozen=True, slots=True)
class DiscountRule:
    """One rule, in force on ``[starts_on, ends_before)``; None is open.

    ``percent`` is what goes off (10 is 10 % off) for ``percentage``, ``early_payment`` and
    ``vacancy``; ``amount_fen`` goes off each bill for ``fixed``; ``buy_months`` and ``free_months``
    belong to ``free_months``, ``early_days`` to ``early_payment``: the days in which to pay, the
    issue date being the first. ``cap_fen`` is the most that one bill gets. A smaller ``priority``
    goes first; a rule that is not ``is_stackable`` stands alone.
    """

    id: int
    name: str
    kind: DiscountKind
    percent: Decimal | None
    amount_fen: int | None
    buy_months: int | None
    free_months: int | None
    early_days: int | None
    priority: int
    is_stackable: bool
    cap_fen: int | None
    starts_on: date
    ends_before: date | None


_BELONGS: dict[DiscountKind, tuple[str, ...]] = {
    DiscountKind.PERCENTAGE: ("percent",),
    DiscountKind.FIXED: ("amount_fen",),
    DiscountKind.FREE_MONTHS: ("buy_months", "free_months"),
    DiscountKind.EARLY_PAYMENT: ("percent", "early_days"),
    DiscountKind.VACANCY: ("percent",),
}
_RANGES = {
    "amount_fen": (_FEN, "应大于 0 且不超过 999,999,999.99 元"),
    "buy_months": (_MONTHS, "应为 1 到 24 个月"),
    "free_months": (_MONTHS, "应为 1 到 24 个月"),
    "early_days": (_EARLY_DAYS, "应为 1 到 365 天"),
}


def check_rule(rule: DiscountRule) -> dict[str, list[str]]:
    """Tell what makes no sense in a rule: its fields with Chinese reasons; empty when it is sound.

    Each kind has its own fields (see `DiscountRule`): they must be there and no others.
    """
    problems: dict[str, list[str]] = {}
    for field, reason in _problems(rule):
        problems.setdefault(field, []).append(reason)
    return problems


def _problems(rule: DiscountRule) -> Iterator[tuple[str, str]]:
    if len(rule.name.strip()) not in _NAME_LENGTHS:
        yield "name", "名称应为 1 到 20 个字"
    for field in ("percent", *_RANGES):
        value = getattr(rule, field)
        if reason := _why_not(field, value, is_needed=field in _BELONGS[rule.kind]):
            yield field, reason
    if rule.priority not in _PRIORITIES:
        yield "priority", "优先级应为 0 到 999"
    if reason := _why_not_cap(rule):
        yield "cap_fen", reason
    if rule.ends_before is not None and rule.ends_before <= rule.starts_on:
        yield "ends_before", "结束日期不能早于开始日期"


def _why_not(field: str, value: int | Decimal | None, *, is_needed: bool) -> str:
    if value is None:
        return "请填写" if is_needed else ""
    if not is_needed:
        return "这类优惠不用填写"
    if isinstance(value, Decimal):
        return _why_not_percent(value)
    allowed, reason = _RANGES[field]
    return "" if value in allowed else reason


def _why_not_percent(percent: Decimal) -> str:
    if not percent.is_finite() or not 0 < percent <= 100:
        return "优惠比例应大于 0 且不超过 100%"
    return "" if percent == round(percent, 4) else "优惠比例最多 4 位小数"


def _why_not_cap(rule: DiscountRule) -> str:
    if rule.cap_fen is None:
        return ""
    if rule.kind is DiscountKind.FIXED:
        return "固定金额的优惠不用填写封顶金额"
    return "" if rule.cap_fen in _FEN else "封顶金额应大于 0 且不超过 999,999,999.99 元"
