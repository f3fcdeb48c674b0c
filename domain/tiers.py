"""Tiered prices: what a usage costs on top of what the same window has used already."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple

from domain.errors import InvalidInput

USAGE_SCALE = 10**8
"""Usage is whole hundred-millionths of a unit: a reading and a multiplier have four decimals."""
CHARGE_SCALE = 10**14
"""A charge is yuan times this: scaled usage times a price of six decimals."""
MAX_TIERS = 10
MAX_PEOPLE = 10_000
"""More people in one house are a slip of the keyboard."""

_PRICE_SCALE = CHARGE_SCALE // USAGE_SCALE
_LIMIT_SCALE = 10**4
_LIMIT = re.compile(r"\A[0-9]{1,10}(\.[0-9]{1,4})?\Z", re.ASCII)
_PRICE = re.compile(r"\A[0-9]{1,6}(\.[0-9]{1,6})?\Z", re.ASCII)


class BadTiers(InvalidInput):
    """The rows are no table of tiers; the message says which row."""

    code = "bad_tiers"
    message = "阶梯价格有误，请检查"


class Tier(NamedTuple):
    """Usage up to ``upto`` units in the window (None is open) at ``unit_price`` yuan a unit."""

    upto: Decimal | None
    unit_price: Decimal


class TierStep(NamedTuple):
    """What of a usage fell into one tier: ``usage`` in parts of ``USAGE_SCALE``."""

    tier_no: int
    usage: int
    unit_price: Decimal


def scale_up(number: Decimal, scale: int) -> int:
    """Turn a decimal into whole parts of 1/scale, exactly whatever the decimal context.

    Raises:
        ValueError: it has more decimals than the scale, or is not a number.
    """
    numerator, denominator = number.as_integer_ratio()
    whole, rest = divmod(numerator * scale, denominator)
    if rest:
        raise ValueError(f"{number} has more decimals than 1/{scale}")
    return whole


@dataclass(frozen=True, slots=True)
class TierTable:
    """A table of tiers: limits ascend, the last tier and only it is open.

    Raises:
        BadTiers: the tiers are not such a table.

    Source: domain.md D1, tiers are cumulative over a window.
    """

    tiers: tuple[Tier, ...]
    _limits: tuple[int, ...] = field(init=False, repr=False, compare=False)
    """Where each tier but the last ends, in scaled usage."""
    _floors: tuple[tuple[int, int, int], ...] = field(init=False, repr=False, compare=False)
    """Per tier: where it begins, what everything before it costs, and its price; all scaled."""

    def __post_init__(self) -> None:
        _check(self.tiers)
        limits: list[int] = []
        floors: list[tuple[int, int, int]] = []
        begins = cost = 0
        for upto, unit_price in self.tiers:
            price = scale_up(unit_price, _PRICE_SCALE)
            floors.append((begins, cost, price))
            if upto is not None:
                ends = scale_up(upto, USAGE_SCALE)
                cost += (ends - begins) * price
                begins = ends
                limits.append(ends)
        # The dataclass is frozen for everybody else.
        object.__setattr__(self, "_limits", tuple(limits))
        object.__setattr__(self, "_floors", tuple(floors))

    @classmethod
    def read(cls, rows: Sequence[tuple[str | None, str]]) -> TierTable:
        """Read typed or stored rows of (limit in units or None, yuan a unit), in order.

        Numbers are ASCII digits: limits with at most four decimals, prices with at most six.

        Raises:
            BadTiers: a row cannot be read, or the rows are no table of tiers.
        """
        return cls(tuple(_read_row(number, row) for number, row in enumerate(rows, start=1)))

    def as_rows(self) -> list[tuple[str | None, str]]:
        """Write the rows as text, without trailing zeros, for `read` and for JSON."""
        return [
            (None if tier.upto is None else _plain(tier.upto), _plain(tier.unit_price))
            for tier in self.tiers
        ]

    def charge(self, used_before: int, usage: int) -> int:
        """Charge a usage that comes after what its window has used already.

        Both are in parts of ``USAGE_SCALE``.

        Returns:
            Exact yuan times ``CHARGE_SCALE``.

        Raises:
            ValueError: one of the two is negative.
        """
        _refuse_negative(used_before, usage)
        return self._cost(used_before + usage) - self._cost(used_before)

    def steps(self, used_before: int, usage: int) -> list[TierStep]:
        """Say what of a usage falls into which tier, numbered from 1; empty for no usage.

        The steps add up to the usage exactly.

        Raises:
            ValueError: one of the two is negative.
        """
        _refuse_negative(used_before, usage)
        used_after = used_before + usage
        ends = (*self._limits, used_after)
        steps = []
        for index, (tier, floor) in enumerate(zip(self.tiers, self._floors, strict=True)):
            inside = min(ends[index], used_after) - max(floor[0], used_before)
            if inside > 0:
                steps.append(TierStep(index + 1, inside, tier.unit_price))
        return steps

    def for_people(self, people: int) -> TierTable:
        """Multiply limits that are per person by the people of a house.

        Raises:
            ValueError: no such number of people.
        """
        if not 1 <= people <= MAX_PEOPLE:
            raise ValueError(f"no house has {people} people")
        return TierTable(
            tuple(
                tier if tier.upto is None else tier._replace(upto=tier.upto * people)
                for tier in self.tiers
            )
        )

    def _cost(self, used: int) -> int:
        begins, cost, price = self._floors[bisect_left(self._limits, used)]
        return cost + (used - begins) * price


class TierWindow(StrEnum):
    """Over what usage accumulates before it starts from the first tier again."""

    MONTH = "month"
    YEAR = "year"


def window_start(window: TierWindow, day: date, year_from_month: int) -> date:
    """Tell the first day of the window that holds the day.

    A year begins on the 1st of the month ``year_from_month`` (1 to 12).
    """
    first = day.replace(day=1)
    if window is TierWindow.MONTH:
        return first
    year = day.year if day.month >= year_from_month else day.year - 1
    return date(year, year_from_month, 1)


def _read_row(number: int, row: object) -> Tier:
    if not isinstance(row, list | tuple) or len(row) != 2:
        raise BadTiers(f"第 {number} 档应当有上限和单价两项")
    upto, price = row
    if upto is not None and not (isinstance(upto, str) and _LIMIT.match(upto)):
        raise BadTiers(f"第 {number} 档的上限不是数字，最多四位小数，例如 180")
    if not (isinstance(price, str) and _PRICE.match(price)):
        raise BadTiers(f"第 {number} 档的单价不是数字，最多六位小数，例如 2.35")
    return Tier(None if upto is None else Decimal(upto), Decimal(price))


def _check(tiers: tuple[Tier, ...]) -> None:
    if not 1 <= len(tiers) <= MAX_TIERS:
        raise BadTiers(f"阶梯价格应当有 1 到 {MAX_TIERS} 档")
    for number, tier in enumerate(tiers, start=1):
        _check_tier(number, tier, is_last=number == len(tiers))
    for number, (lower, upper) in enumerate(pairwise(tiers), start=2):
        # Only the last may be open, which was checked above.
        if lower.upto is not None and upper.upto is not None and upper.upto <= lower.upto:
            raise BadTiers(f"第 {number} 档的上限应当大于前一档的上限")


def _check_tier(number: int, tier: Tier, *, is_last: bool) -> None:
    if is_last and tier.upto is not None:
        raise BadTiers(f"第 {number} 档是最后一档，不能有上限")
    if not is_last and tier.upto is None:
        raise BadTiers(f"第 {number} 档缺少上限，只有最后一档可以没有上限")
    if tier.upto is not None and not _is_positive(tier.upto, _LIMIT_SCALE):
        raise BadTiers(f"第 {number} 档的上限应当大于 0，最多四位小数")
    if not _is_positive(tier.unit_price, _PRICE_SCALE):
        raise BadTiers(f"第 {number} 档的单价应当大于 0，最多六位小数")


def _is_positive(number: Decimal, scale: int) -> bool:
    if not number.is_finite() or number <= 0:
        return False
    return scale % number.as_integer_ratio()[1] == 0


def _plain(number: Decimal) -> str:
    return f"{number.normalize():f}"


def _refuse_negative(used_before: int, usage: int) -> None:
    if used_before < 0 or usage < 0:
        raise ValueError(f"usage is never negative: {used_before} and {usage}")
