"""What a meter counted month by month, and when that is worth a second look."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

from domain.meters import MeterSpan, Reading, ReadingFellBack, is_unusual, measure
from domain.tiers import USAGE_SCALE

USUAL_MONTHS = 6
"""Of so many months before it a month's usage is compared with the mean."""


class MonthUsage(NamedTuple):
    """What was used up to the last reading of a month, in parts of ``USAGE_SCALE``.

    ``month`` is its first day. Months without a reading share what was used until the next one.
    """

    month: date
    usage: int


class Unusual(NamedTuple):
    """A month's usage that is far above the mean of the months before; both in the meter's unit."""

    usage: Decimal
    usual: Decimal


def monthly_usages(span: MeterSpan) -> list[MonthUsage]:
    """Tell what was used in each month that ends with a reading, oldest first.

    The month of the first reading is left out: nobody knows what was used before it. Where a
    counter went back without a reason, what came before says nothing and is left out.
    """
    found: list[MonthUsage] = []
    for known, upto in pairwise(_by_month(span.readings)):
        try:
            usage = measure(_cut(span, known[-1], upto)).usage
        except ReadingFellBack:
            found.clear()
            continue
        months = _month_index(upto[-1].read_on) - _month_index(known[-1].read_on)
        last = _month_index(upto[-1].read_on)
        found += [
            MonthUsage(date((last - back) // 12, (last - back) % 12 + 1, 1), usage // months)
            for back in reversed(range(months))
        ]
    return found


def find_unusual(span: MeterSpan) -> Unusual | None:
    """Look whether the month of the last reading used over three times the usual.

    Source: domain.md D1, "usage > 3× the 6-month mean".
    """
    months = [month.usage for month in monthly_usages(span)]
    if not months or not is_unusual(months[-1], months[:-1]):
        return None
    recent = months[:-1][-USUAL_MONTHS:]
    return Unusual(in_units(months[-1]), in_units(sum(recent) // len(recent)))


def in_units(usage: int) -> Decimal:
    """Turn parts of ``USAGE_SCALE`` into the unit people read, to four decimals."""
    return trim(round(Decimal(usage) / USAGE_SCALE, 4))


def trim(number: Decimal) -> Decimal:
    """Take away the zeros at the end that a column or a division adds."""
    # Adding 0 turns 6E+2 back into 600.
    return number.normalize() + 0


def _by_month(readings: Sequence[Reading]) -> list[list[Reading]]:
    """Group readings in order by the month they were read in."""
    months: list[list[Reading]] = []
    for reading in readings:
        if months and _month_index(months[-1][-1].read_on) == _month_index(reading.read_on):
            months[-1].append(reading)
        else:
            months.append([reading])
    return months


def _cut(span: MeterSpan, first: Reading, rest: Sequence[Reading]) -> MeterSpan:
    return MeterSpan(span.meter_no, span.multiplier, span.modulus, (first, *rest))


def _month_index(day: date) -> int:
    return day.year * 12 + day.month - 1
