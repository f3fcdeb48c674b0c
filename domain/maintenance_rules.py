"""When maintenance falls due: days counted from an anchor, or fixed days of the year."""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from itertools import pairwise

from domain.errors import InvalidInput
from domain.periods import add_months

HORIZON = timedelta(days=60)
"""How far ahead tasks are made. Source: domain.md D10."""
FIXED_DAYS_LIMIT = 60
_FIXED_DAY = re.compile(r"\A(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])\Z", re.ASCII)
_DAYS_IN_LEAP_YEAR = 2024
_LIMITS = {"day": 3660, "week": 520, "month": 120, "year": 10}
_GAP_YEARS = range(2023, 2033)


class PlanUnit(StrEnum):
    """What a period is counted in."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"


UNIT_SHOWN = {
    PlanUnit.DAY: "天",
    PlanUnit.WEEK: "周",
    PlanUnit.MONTH: "个月",
    PlanUnit.YEAR: "年",
}


class Basis(StrEnum):
    """From what the next day is counted."""

    FIXED_CALENDAR = "fixed_calendar"
    AFTER_COMPLETION = "after_completion"


BASIS_SHOWN = {
    Basis.FIXED_CALENDAR: "按固定日历",
    Basis.AFTER_COMPLETION: "按完成日顺延",
}


@dataclass(frozen=True, slots=True)
class DueRule:
    """Every so many units, or on fixed days of each year such as ``("03-15", "09-15")``."""

    every: int | None = None
    unit: PlanUnit | None = None
    fixed_days: Sequence[str] = ()

    def __str__(self) -> str:
        if self.unit is None:
            return "每年 " + "、".join(self.fixed_days)
        return f"每 {self.every} {UNIT_SHOWN[self.unit]}"

    def check(self, *, basis: Basis) -> None:
        """Refuse a rule by which nothing sensible falls due.

        Raises:
            InvalidInput: ``fields`` says why.
        """
        problems: dict[str, list[str]] = {}
        if self.fixed_days and (self.every is not None or self.unit is not None):
            problems["fixed_days"] = ["固定日期与间隔只能选一种"]
        elif self.fixed_days:
            _check_fixed_days(self.fixed_days, basis, problems)
        elif self.unit is None or self.every is None:
            problems["every"] = ["请填写间隔，或固定日期"]
        elif not 1 <= self.every <= _LIMITS[self.unit]:
            problems["every"] = [f"应为 1 至 {_LIMITS[self.unit]}"]
        if problems:
            raise InvalidInput(fields=problems)

    def step(self, anchor: date, count: int) -> date:
        """Go a number of periods from the anchor; never from the result of the last step.

        Raises:
            OverflowError: beyond the calendar.
        """
        if self.unit is None or self.every is None:
            raise ValueError("fixed days have no steps")
        try:
            if self.unit in (PlanUnit.MONTH, PlanUnit.YEAR):
                months = self.every * (12 if self.unit is PlanUnit.YEAR else 1)
                return add_months(anchor, months * count)
            days = self.every * (7 if self.unit is PlanUnit.WEEK else 1)
            return anchor + timedelta(days=days * count)
        except ValueError as error:
            raise OverflowError from error

    def due_days(self, anchor: date, *, first: date, last: date) -> list[date]:
        """List the days due from ``first`` to ``last``, both included, and none before the anchor.

        Of an interval the anchor itself is the first; 31 Jan gives 28 Feb and then 31 Mar.
        """
        low = max(first, anchor)
        if low > last:
            return []
        if self.fixed_days:
            days = (day for year in range(low.year, last.year + 1) for day in self._of_year(year))
            return [day for day in days if low <= day <= last]
        return list(self._counted(anchor, low, last))

    def _counted(self, anchor: date, low: date, last: date) -> Iterator[date]:
        count = max(0, (low - anchor).days // self.longest_gap)
        try:
            while (day := self.step(anchor, count)) <= last:
                if day >= low:
                    yield day
                count += 1
        except OverflowError:
            return

    def _of_year(self, year: int) -> list[date]:
        return sorted({_fixed(year, day) for day in self.fixed_days})

    @property
    def longest_gap(self) -> int:
        """The most days that pass between two days due."""
        if self.unit is None or self.every is None:
            days = [day for year in _GAP_YEARS for day in self._of_year(year)]
            return max((b - a).days for a, b in pairwise(days))
        if self.unit is PlanUnit.DAY:
            return self.every
        if self.unit is PlanUnit.WEEK:
            return 7 * self.every
        months = self.every * (12 if self.unit is PlanUnit.YEAR else 1)
        first = date(_DAYS_IN_LEAP_YEAR - 1, 1, 1)
        starts = [add_months(first, count) for count in range(60)]
        return max((add_months(start, months) - start).days for start in starts)


def _check_fixed_days(days: Sequence[str], basis: Basis, problems: dict[str, list[str]]) -> None:
    if basis is Basis.AFTER_COMPLETION:
        problems["fixed_days"] = ["按完成日顺延的计划要填写间隔"]
    elif len(days) > FIXED_DAYS_LIMIT or len(set(days)) != len(days):
        problems["fixed_days"] = [f"最多 {FIXED_DAYS_LIMIT} 个日期，不能重复"]
    elif not all(_is_fixed_day(day) for day in days):
        problems["fixed_days"] = ["应为月-日，例如 03-15"]


def _is_fixed_day(day: str) -> bool:
    if not _FIXED_DAY.match(day):
        return False
    return int(day[3:]) <= calendar.monthrange(_DAYS_IN_LEAP_YEAR, int(day[:2]))[1]


def _fixed(year: int, day: str) -> date:
    """Find the day in a year; 29 Feb is the 28th where there is none."""
    month = int(day[:2])
    return date(year, month, min(int(day[3:]), calendar.monthrange(year, month)[1]))
