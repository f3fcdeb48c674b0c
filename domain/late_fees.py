"""The late fee of a bill as of a day: on principal only, piecewise, with grace, pauses and a cap.

Nothing is stored day by day; whoever takes the money freezes the result with its segments.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

from domain.money import round_half_up
from domain.periods import Span

_DAY = timedelta(days=1)


class GraceMode(StrEnum):
    """Whether the days of grace count once they are over."""

    EXEMPT = "exempt"
    """They never count: counting starts on the day after the grace."""
    RETROACTIVE = "retroactive"
    """Once they are over with something still owed, counting starts the day after the due date."""


@dataclass(frozen=True, slots=True)
class LateFeeTerms:
    """One version of the rule, in force on ``[starts_on, ends_before)``; None is open.

    ``daily_rate`` is a ratio per day such as ``0.0005``; ``cap_ratio`` a ratio of the principal
    such as ``0.3``, None for no cap; ``grace_days`` are calendar days after the due date.
    """

    daily_rate: Decimal
    cap_ratio: Decimal | None
    grace_days: int
    grace_mode: GraceMode
    starts_on: date
    ends_before: date | None = None


class PrincipalChange(NamedTuple):
    """What is outstanding after a day: a payment on day d lowers the base from day d+1 on."""

    on: date
    outstanding_fen: int


class LateFeeSegment(NamedTuple):
    """A stretch with one principal and one rate; ``days`` leaves out the paused ones."""

    from_on: date
    until_on: date
    days: int
    principal_fen: int
    daily_rate: Decimal

    @property
    def exact_fen(self) -> Fraction:
        """What the stretch costs, before rounding."""
        return self.principal_fen * Fraction(self.daily_rate) * self.days


@dataclass(frozen=True, slots=True)
class LateFee:
    """A late fee and how it came about.

    ``cap_fen`` is None without a cap; ``is_capped`` tells that the cap cut the fee; ``from_on`` is
    the first day of the first segment, None while nothing counts. ``segments`` are in order,
    never overlap, and each has days, principal and a rate above zero.
    """

    amount_fen: int
    cap_fen: int | None
    is_capped: bool
    from_on: date | None
    segments: tuple[LateFeeSegment, ...]


def accrue(
    *,
    due_date: date,
    principal_fen: int,
    changes: Sequence[PrincipalChange],
    versions: Sequence[LateFeeTerms],
    pauses: Sequence[Span],
    as_of: date,
) -> LateFee:
    """Compute the late fee of one bill up to and including a day, rounded half up once.

    Which version counts: the **rate** of a day is that of the version in force on that day, and 0
    on a day without one. The **grace** is that of the version in force on the day after the due
    date, the **cap** that of the version in force on ``as_of``; if none is in force then, the
    first later one, and if there is none either, the last earlier one.

    Both ends count as local dates: due on 31 March and as of 17 May are 47 days. A bill paid in
    full within the grace costs nothing: what is outstanding on the first day after the grace
    decides whether it was exceeded. With ``retroactive`` every day since the due date then counts
    with what was outstanding on that day.

    Args:
        due_date: the last day to pay without being late.
        principal_fen: what the bill asked for at its due date; the base of the cap.
        changes: in any order; of several on one day the last given counts.
        versions: in any order, without overlap.
        pauses: days that do not count; in any order, overlapping ones count once.
        as_of: the last day that counts.

    Raises:
        ValueError: versions overlap.

    Source: domain.md D6.
    """
    ordered = _in_order(versions)
    cap_fen = None
    if ordered and (ratio := _version_for(ordered, as_of).cap_ratio) is not None:
        cap_fen = round_half_up(Fraction(ratio) * principal_fen)
    principal = _Principal(principal_fen, changes)
    counting = _counting(due_date, as_of, ordered, principal)
    segments = _segments(counting, ordered, principal, _united(pauses))
    amount_fen = round_half_up(sum((each.exact_fen for each in segments), Fraction(0)))
    is_capped = cap_fen is not None and amount_fen > cap_fen
    if cap_fen is not None:
        amount_fen = min(amount_fen, cap_fen)
    from_on = segments[0].from_on if segments else None
    return LateFee(amount_fen, cap_fen, is_capped, from_on, segments)


class _Principal:
    """What was outstanding on each day."""

    def __init__(self, principal_fen: int, changes: Sequence[PrincipalChange]) -> None:
        by_day = dict(changes)
        self.starts = [day + _DAY for day in sorted(by_day)]
        self._levels = [principal_fen, *(by_day[day] for day in sorted(by_day))]

    def on(self, day: date) -> int:
        return self._levels[bisect_right(self.starts, day)]


def _in_order(versions: Sequence[LateFeeTerms]) -> list[LateFeeTerms]:
    ordered = sorted(versions, key=lambda version: version.starts_on)
    for one, following in pairwise(ordered):
        if one.ends_before is None or one.ends_before > following.starts_on:
            raise ValueError(f"versions overlap on {following.starts_on}")
    return ordered


def _version_for(ordered: list[LateFeeTerms], day: date) -> LateFeeTerms:
    """The version in force, else the first later one, else the last of all."""
    for version in ordered:
        if version.ends_before is None or day < version.ends_before:
            return version
    return ordered[-1]


def _counting(
    due_date: date, as_of: date, ordered: list[LateFeeTerms], principal: _Principal
) -> Span:
    """The days from the first that counts to ``as_of``; empty while the grace lasts."""
    day_after, end = due_date + _DAY, as_of + _DAY
    if not ordered:
        return Span(end, end)
    terms = _version_for(ordered, day_after)
    grace_over = day_after + timedelta(days=terms.grace_days)
    is_exceeded = as_of >= grace_over and principal.on(grace_over) > 0
    if terms.grace_mode is GraceMode.RETROACTIVE and is_exceeded:
        return Span(day_after, end)
    return Span(grace_over, end)


def _segments(
    counting: Span, ordered: list[LateFeeTerms], principal: _Principal, pauses: list[Span]
) -> tuple[LateFeeSegment, ...]:
    segments: list[LateFeeSegment] = []
    for span, rate in _rated(counting, ordered):
        for part in _cut(span, principal.starts):
            days = part.days - sum(_overlap(part, pause) for pause in pauses)
            outstanding_fen = principal.on(part.starts_on)
            if days > 0 and outstanding_fen > 0:
                one = LateFeeSegment(part.starts_on, part.last_day, days, outstanding_fen, rate)
                _append(segments, one)
    return tuple(segments)


def _rated(counting: Span, ordered: list[LateFeeTerms]) -> list[tuple[Span, Decimal]]:
    """The counting days that have a rate, with it."""
    spans = [
        (counting.within(starts_on=each.starts_on, ends_before=each.ends_before), each.daily_rate)
        for each in ordered
    ]
    return [(span, rate) for span, rate in spans if span and rate > 0]


def _cut(span: Span, days: list[date]) -> list[Span]:
    inside = [day for day in days if span.starts_on < day < span.ends_before]
    edges = [span.starts_on, *inside, span.ends_before]
    return [Span(*edge) for edge in pairwise(edges)]


def _append(segments: list[LateFeeSegment], one: LateFeeSegment) -> None:
    """Add a segment; one that only continues the last becomes part of it."""
    if segments:
        last = segments[-1]
        is_same = (last.principal_fen, last.daily_rate) == (one.principal_fen, one.daily_rate)
        if is_same and last.until_on + _DAY == one.from_on:
            days = last.days + one.days
            segments[-1] = last._replace(until_on=one.until_on, days=days)
            return
    segments.append(one)


def _united(pauses: Sequence[Span]) -> list[Span]:
    united: list[Span] = []
    for pause in sorted(pause for pause in pauses if pause):
        if united and pause.starts_on <= united[-1].ends_before:
            last = united[-1]
            united[-1] = Span(last.starts_on, max(last.ends_before, pause.ends_before))
        else:
            united.append(pause)
    return united


def _overlap(one: Span, other: Span) -> int:
    return one.within(starts_on=other.starts_on, ends_before=other.ends_before).days
