"""Meters: from what a counter showed to what was used, and which readings cannot be true."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple

from domain.tiers import USAGE_SCALE, scale_up
from domain.troubles import NotChargeable

READING_LIMIT = Decimal(10**10)
"""Readings are stored with ten digits before the point."""

_READING_SCALE = 10**4
"""Readings and multipliers have four decimals; their product is whole parts of USAGE_SCALE."""
_UNUSUAL_TIMES = 3
_UNUSUAL_MONTHS = 6
_UNUSUAL_MONTHS_MIN = 3
"""Fewer earlier months say nothing about what is usual."""


class MeterKind(StrEnum):
    """What a meter counts."""

    COLD_WATER = "cold_water"
    HOT_WATER = "hot_water"
    ELECTRICITY = "electricity"
    GAS = "gas"
    HEAT = "heat"


KIND_SHOWN = {
    MeterKind.COLD_WATER: "冷水",
    MeterKind.HOT_WATER: "热水",
    MeterKind.ELECTRICITY: "电",
    MeterKind.GAS: "燃气",
    MeterKind.HEAT: "热力",
}
"""The Chinese name of each kind."""
UNIT_SHOWN = {
    MeterKind.COLD_WATER: "吨",
    MeterKind.HOT_WATER: "吨",
    MeterKind.ELECTRICITY: "度",
    MeterKind.GAS: "m³",
    MeterKind.HEAT: "GJ",
}
"""The unit that people read for each kind."""


class Reading(NamedTuple):
    """What a counter showed on a day, in its own units before the multiplier.

    ``is_rollover``: a person declared that the counter passed its end since the reading before.
    """

    read_on: date
    reading: Decimal
    is_rollover: bool = False


@dataclass(frozen=True, slots=True)
class MeterSpan:
    """One physical meter as far as a period needs it; a replaced meter makes two of them.

    ``readings`` ascend by day: the first is what the counter showed when the period began (the
    last reading before it, or the opening reading), the others lie in the period. A counter that
    reaches ``modulus`` shows 0; None is a counter whose end nobody knows.
    """

    meter_no: str
    multiplier: Decimal
    modulus: Decimal | None
    readings: tuple[Reading, ...]


class Segment(NamedTuple):
    """What one meter counted from its first to its last reading.

    ``turned`` is what rollovers add to the last reading, 0 when there was none; ``usage`` is
    (until - from + turned) times the multiplier, in parts of ``USAGE_SCALE``.
    """

    meter_no: str
    from_on: date
    from_reading: Decimal
    until_on: date
    until_reading: Decimal
    multiplier: Decimal
    turned: Decimal
    usage: int


class ReadingMissing(NotChargeable):
    """A meter has no two readings to count between: an exception row, never a zero."""


class ReadingFellBack(NotChargeable):
    """A counter went back without a declared rollover that explains it: an exception row."""


def measure(span: MeterSpan) -> Segment:
    """Count what went through one meter between its first and its last reading.

    Raises:
        ReadingMissing: fewer than two readings.
        ReadingFellBack: a reading is lower than the one before without a declared rollover, or a
            rollover is declared that cannot have been.
        ValueError: the readings are not in order, or the multiplier is not positive.

    Source: domain.md D1, ``meter``.
    """
    if span.multiplier <= 0:
        raise ValueError(f"the multiplier of {span.meter_no} is not positive")
    if not span.readings:
        raise ReadingMissing(f"表 {span.meter_no} 没有起始读数")
    first, last = span.readings[0], span.readings[-1]
    if len(span.readings) == 1:
        raise ReadingMissing(f"表 {span.meter_no} 在 {first.read_on} 之后没有读数")
    turned = sum(
        (_turned(span, before, after) for before, after in pairwise(span.readings)), Decimal(0)
    )
    counted = (
        scale_up(last.reading, _READING_SCALE)
        - scale_up(first.reading, _READING_SCALE)
        + scale_up(turned, _READING_SCALE)
    )
    return Segment(
        meter_no=span.meter_no,
        from_on=first.read_on,
        from_reading=first.reading,
        until_on=last.read_on,
        until_reading=last.reading,
        multiplier=span.multiplier,
        turned=turned,
        usage=counted * scale_up(span.multiplier, USAGE_SCALE // _READING_SCALE),
    )


def is_unusual(usage: int, earlier: Sequence[int]) -> bool:
    """Tell whether a month's usage is worth a second look: over three times the usual.

    The usual is the mean of the last six of the ``earlier`` monthly usages, oldest first; fewer
    than three are too few to tell. All are in the same unit.

    Source: domain.md D1, "usage > 3× the 6-month mean".
    """
    recent = earlier[-_UNUSUAL_MONTHS:]
    if len(recent) < _UNUSUAL_MONTHS_MIN:
        return False
    return usage * len(recent) > _UNUSUAL_TIMES * sum(recent)


def check_reading(
    *,
    reading: Decimal,
    read_on: date,
    before: Reading | None,
    after: Reading | None,
    is_rollover: bool,
    modulus: Decimal | None,
    opened_on: date,
    closed_on: date | None,
    today: date,
) -> str:
    """Say in Chinese why a reading typed by hand cannot be taken; empty when it can.

    ``before`` and ``after`` are the meter's nearest readings on either side of the day, the
    opening reading among them. What passes can always be measured between them.
    """
    return (
        _doubt_number(reading, modulus)
        or _doubt_day(read_on, opened_on=opened_on, closed_on=closed_on, today=today)
        or _doubt_before(Reading(read_on, reading, is_rollover), before, modulus)
        or _doubt_after(Reading(read_on, reading, is_rollover), after)
    )


def _turned(span: MeterSpan, before: Reading, after: Reading) -> Decimal:
    if after.read_on < before.read_on:
        raise ValueError(f"the readings of {span.meter_no} are not in order")
    fell = f"表 {span.meter_no} 在 {after.read_on} 的读数 {after.reading:f}"
    if not after.is_rollover:
        if after.reading < before.reading:
            raise ReadingFellBack(f"{fell} 小于上次的 {before.reading:f}")
        return Decimal(0)
    if span.modulus is None:
        raise ReadingFellBack(f"{fell} 登记了归零，但该表没有设置量程")
    if after.reading >= before.reading:
        raise ReadingFellBack(f"{fell} 登记了归零，但不小于上次的 {before.reading:f}")
    if before.reading >= span.modulus:
        # Adding the modulus would not lift it over the reading before.
        raise ReadingFellBack(f"{fell} 登记了归零，但上次的 {before.reading:f} 已超过量程")
    return span.modulus


def _doubt_number(reading: Decimal, modulus: Decimal | None) -> str:
    if not reading.is_finite():
        return "读数不是数字"
    if reading < 0:
        return "读数不能小于 0"
    if reading >= READING_LIMIT:
        return "读数太大"
    if _READING_SCALE % reading.as_integer_ratio()[1]:
        return "读数最多四位小数"
    if modulus is not None and reading >= modulus:
        return f"读数应当小于量程 {modulus:f}"
    return ""


def _doubt_day(read_on: date, *, opened_on: date, closed_on: date | None, today: date) -> str:
    if read_on > today:
        return "抄表日期不能晚于今天"
    if read_on < opened_on:
        return f"抄表日期早于该表启用的 {opened_on}"
    if closed_on is not None and read_on > closed_on:
        return f"抄表日期晚于该表停用的 {closed_on}"
    return ""


def _doubt_before(new: Reading, before: Reading | None, modulus: Decimal | None) -> str:
    if before is not None and new.read_on == before.read_on:
        return f"该表在 {before.read_on} 已有读数 {before.reading:f}"
    if before is not None and new.read_on < before.read_on:
        return f"抄表日期早于上次的 {before.read_on}"
    if new.is_rollover:
        return _doubt_rollover(new, before, modulus)
    if before is not None and new.reading < before.reading:
        return f"读数小于上次的 {before.reading:f}；如果表走过了量程，请登记归零"
    return ""


def _doubt_rollover(new: Reading, before: Reading | None, modulus: Decimal | None) -> str:
    if modulus is None:
        return "该表没有设置量程，不能登记归零"
    if before is None or new.reading >= before.reading:
        return "读数不小于上次的读数，不能登记归零"
    if before.reading >= modulus:
        return f"上次的 {before.reading:f} 已超过量程 {modulus:f}，不能登记归零"
    return ""


def _doubt_after(new: Reading, after: Reading | None) -> str:
    if after is None:
        return ""
    if new.read_on == after.read_on:
        return f"该表在 {after.read_on} 已有读数 {after.reading:f}"
    if new.read_on > after.read_on:
        return f"抄表日期晚于下次的 {after.read_on}"
    if after.is_rollover:
        if new.reading <= after.reading:
            # The counter turned before this day, so the later reading may no longer claim it.
            return f"{after.read_on} 的读数登记了归零，这个读数应当大于它的 {after.reading:f}"
    elif new.reading > after.reading:
        return f"读数大于 {after.read_on} 的 {after.reading:f}"
    return ""
