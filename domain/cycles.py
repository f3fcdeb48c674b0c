"""Billing cycles: which periods a month's run bills, when bills are issued, when they are due."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from domain.periods import Span, add_months

CYCLE_MONTHS = (1, 2, 3, 6, 12)
"""How long a cycle may be. All divide a year, so a calendar cycle is the same in every year."""


class CycleAnchor(StrEnum):
    """From where periods are counted: a 1st of the calendar, or the house's handover date."""

    CALENDAR = "calendar"
    ANNIVERSARY = "anniversary"


class BillingTiming(StrEnum):
    """Whether a period is billed when it begins or when it ends."""

    IN_ADVANCE = "in_advance"
    IN_ARREARS = "in_arrears"


@dataclass(frozen=True, slots=True)
class Cycle:
    """Periods of ``months`` (one of CYCLE_MONTHS) from an anchor.

    ``from_month`` is a calendar month (1 to 12) in which a calendar cycle begins; an anniversary
    cycle does not use it.

    Source: domain.md D2.
    """

    months: int
    anchor: CycleAnchor
    timing: BillingTiming
    from_month: int = 1

    def __post_init__(self) -> None:
        if self.months not in CYCLE_MONTHS:
            raise ValueError(f"no cycle has {self.months} months")
        if not 1 <= self.from_month <= 12:
            raise ValueError(f"there is no month {self.from_month}")


def periods_billed_in(cycle: Cycle, month: Span, *, anchor_on: date | None) -> tuple[Span, ...]:
    """Tell the periods that the run of a calendar month bills; at most one, often none.

    In advance those that begin in the month; in arrears those that end in it, where the 1st of
    the next month still counts. ``anchor_on`` is the house's handover date: an anniversary cycle
    begins with it and has no period before; a calendar cycle does not use it.

    Raises:
        ValueError: an anniversary cycle without an anchor.
    """
    is_anniversary = cycle.anchor is CycleAnchor.ANNIVERSARY
    if not is_anniversary:
        anchor_on = date(month.starts_on.year, cycle.from_month, 1)
    if anchor_on is None:
        raise ValueError("an anniversary cycle needs the day it counts from")
    # The period that began last before this month may end in it; none begins after the month.
    first = _months_between(anchor_on, month.starts_on) // cycle.months - 1
    last = _months_between(anchor_on, month.ends_before) // cycle.months
    periods = (
        Span(
            add_months(anchor_on, number * cycle.months),
            add_months(anchor_on, (number + 1) * cycle.months),
        )
        for number in range(max(first, 0) if is_anniversary else first, last + 1)
    )
    return tuple(period for period in periods if _is_billed_in(period, month, cycle.timing))


def issue_and_due(
    *,
    period: Span,
    timing: BillingTiming,
    issue_offset_days: int,
    due_days: int,
    due_day: int | None,
) -> tuple[date, date]:
    """Tell the day a period's bill is issued and the last day to pay it.

    The offset counts from the period's first day in advance, from the day after its last in
    arrears. With ``due_day`` (1 to 31, clamped to the month's last day) the bill is due on the
    first such day on or after the issue, and ``due_days`` does not count.

    Raises:
        ValueError: there is no such due day.
    """
    begins = period.starts_on if timing is BillingTiming.IN_ADVANCE else period.ends_before
    issue_on = begins + timedelta(days=issue_offset_days)
    if due_day is None:
        return issue_on, issue_on + timedelta(days=due_days)
    if not 1 <= due_day <= 31:
        raise ValueError(f"no month has a day {due_day}")
    # January has every due day; counting months from it clamps to each month's own last.
    january = date(issue_on.year, 1, due_day)
    due_on = add_months(january, issue_on.month - 1)
    return issue_on, due_on if due_on >= issue_on else add_months(january, issue_on.month)


def _months_between(earlier: date, later: date) -> int:
    return (later.year - earlier.year) * 12 + later.month - earlier.month


def _is_billed_in(period: Span, month: Span, timing: BillingTiming) -> bool:
    if timing is BillingTiming.IN_ADVANCE:
        return month.starts_on <= period.starts_on < month.ends_before
    return month.starts_on < period.ends_before <= month.ends_before
