"""Spans of days, month arithmetic from an anchor, and how many months a span counts."""

from __future__ import annotations

import calendar
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from fractions import Fraction
from itertools import pairwise
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")
"""Business dates are plain dates in this zone; instants are UTC."""


def local_date(instant: datetime) -> date:
    """Tell the business date of an aware instant."""
    return instant.astimezone(SHANGHAI).date()


def start_of_local_day(day: date) -> datetime:
    """Tell the UTC instant at which a business date begins."""
    return datetime(day.year, day.month, day.day, tzinfo=SHANGHAI).astimezone(UTC)


def seconds_to_midnight(instant: datetime) -> int:
    """Tell how long the local day of an instant still lasts, in whole seconds and never less."""
    tomorrow = start_of_local_day(local_date(instant) + timedelta(days=1))
    return int((tomorrow - instant).total_seconds()) + 1


def add_months(anchor: date, months: int) -> date:
    """Go n months from the anchor; the day is the anchor's, clamped to the month's last.

    Never chain: always count from the anchor, so 31 Jan gives 28 Feb and then 31 Mar.
    """
    index = anchor.year * 12 + anchor.month - 1 + months
    year, month = divmod(index, 12)
    last_day = calendar.monthrange(year, month + 1)[1]
    return date(year, month + 1, min(anchor.day, last_day))


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Half-open days ``[starts_on, ends_before)``."""

    starts_on: date
    ends_before: date

    @property
    def days(self) -> int:
        """How many days; never negative."""
        return max(0, (self.ends_before - self.starts_on).days)

    def __bool__(self) -> bool:
        return self.ends_before > self.starts_on

    def within(self, *, starts_on: date | None, ends_before: date | None) -> Span:
        """Cut to an outer window; ``None`` is open. The result may be empty."""
        return Span(
            max(self.starts_on, starts_on) if starts_on else self.starts_on,
            min(self.ends_before, ends_before) if ends_before else self.ends_before,
        )

    def __str__(self) -> str:
        return f"{self.starts_on.isoformat()} ~ {self.last_day.isoformat()}"

    @property
    def last_day(self) -> date:
        """The last day inside, as people write periods."""
        return self.ends_before - timedelta(days=1)


def calendar_month(day: date) -> Span:
    """Tell the calendar month that holds the day."""
    first = day.replace(day=1)
    return Span(first, add_months(first, 1))


class Proration(StrEnum):
    """How part of a month counts.

    Source: domain.md D2.
    """

    ACTUAL_MONTH = "actual_month"
    DAYS_30 = "days_30"
    WHOLE_MONTH = "whole_month"


def _month_part(covered: Span, month: Span, proration: Proration) -> Fraction:
    if not covered:
        return Fraction(0)
    if covered.days == month.days or proration is Proration.WHOLE_MONTH:
        return Fraction(1)
    if proration is Proration.DAYS_30:
        return Fraction(min(covered.days, 30), 30)
    return Fraction(covered.days, month.days)


def count_months(
    span: Span, proration: Proration = Proration.ACTUAL_MONTH, anchor: date | None = None
) -> Fraction:
    """Count a span in months, exactly; each whole month counts 1.

    ``actual_month`` divides by the days of that month, ``days_30`` by 30 capped at 1, and
    ``whole_month`` counts every month touched as 1. Months are calendar months; with an anchor
    they begin on its day, so that a whole month of an anniversary cycle counts 1 as well.
    """
    anchor = anchor or span.starts_on.replace(day=1)
    index = _months_between(anchor, span.starts_on)
    if add_months(anchor, index) > span.starts_on:
        index -= 1
    total = Fraction(0)
    month = Span(add_months(anchor, index), add_months(anchor, index + 1))
    while month.starts_on < span.ends_before:
        covered = month.within(starts_on=span.starts_on, ends_before=span.ends_before)
        total += _month_part(covered, month, proration)
        index += 1
        month = Span(month.ends_before, add_months(anchor, index + 1))
    return total


def _months_between(first: date, second: date) -> int:
    return (second.year - first.year) * 12 + second.month - first.month


def split_months(
    liable: Span, cuts: Iterable[date], proration: Proration, anchor: date | None = None
) -> list[tuple[Span, Fraction]]:
    """Split a liable span at dates; the parts' months add up to the whole's exactly.

    Each part counts what it adds to the count from the start of the liable span. Counting the
    parts alone would overcharge a split 31-day month under ``days_30`` by a day.
    """
    edges = [
        liable.starts_on,
        *sorted(day for day in set(cuts) if liable.starts_on < day < liable.ends_before),
        liable.ends_before,
    ]
    parts: list[tuple[Span, Fraction]] = []
    counted = Fraction(0)
    for starts_on, ends_before in pairwise(edges):
        upto = count_months(Span(liable.starts_on, ends_before), proration, anchor)
        parts.append((Span(starts_on, ends_before), upto - counted))
        counted = upto
    return parts


class LiableFromRule(StrEnum):
    """From when a house owes fees after hand-over; set per community.

    Source: domain.md D2.
    """

    HANDOVER_DATE = "handover_date"
    NEXT_MONTH_FIRST = "next_month_first"

    def liable_from(self, handover_date: date) -> date:
        """Tell the first liable day."""
        if self is LiableFromRule.HANDOVER_DATE:
            return handover_date
        return calendar_month(handover_date).ends_before
