"""What the sample workbook comes to, computed without a line of the product: plain fractions."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path

import python_calamine

AREA_PRICE = "2.35"
FIXED_PRICE = "12.00"
TIERS = (("12", "3"), ("25", "4.45"), (None, "6.9"))
POOL_YUAN = "9876.54"

_Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Workbook:
    """What an independent look at the workbook says about its newest month."""

    month: date
    houses: int
    owners: int
    meters: int
    readings: int
    water_bills: int
    due_fen: int

    @property
    def bills(self) -> int:
        """Property fee, waste and a share of the pool for every house, water where it was read."""
        return 3 * self.houses + self.water_bills


def read_workbook(path: Path) -> Workbook:
    """Count and add up the newest month of the sheets 房屋业主 and 水表读数.

    Raises:
        ValueError: the workbook is not what this computation was written for.
    """
    book = python_calamine.CalamineWorkbook.from_path(str(path))
    houses, phones = _read_houses(book)
    readings = _read_readings(book)
    days = sorted({day for read in readings.values() for day in read})
    month = days[-1].replace(day=1)
    if any(handover >= month for _, handover in houses.values()):
        raise ValueError("有房屋在该月交付，独立计算需要按天")
    due_fen = _half_up(100 * Fraction(POOL_YUAN))
    for area, _ in houses.values():
        due_fen += _half_up(100 * Fraction(AREA_PRICE) * area)
        due_fen += _half_up(100 * Fraction(FIXED_PRICE))
    water = [
        _water_fen(read[days[-1]] - read[month - timedelta(days=1)])
        for read in readings.values()
        if {days[-1], month - timedelta(days=1)} <= read.keys()
    ]
    return Workbook(
        month=month,
        houses=len(houses),
        owners=len(phones),
        meters=len(readings),
        readings=sum(len(read) for read in readings.values()),
        water_bills=len(water),
        due_fen=due_fen + sum(water),
    )


def _read_houses(
    book: python_calamine.CalamineWorkbook,
) -> tuple[dict[_Key, tuple[Fraction, date]], set[str]]:
    header, *rows = book.get_sheet_by_name("房屋业主").to_python()
    column = {str(name): index for index, name in enumerate(header)}
    houses: dict[_Key, tuple[Fraction, date]] = {}
    phones = set()
    for row in rows:
        handover = row[column["交付日期"]]
        if not isinstance(handover, date):
            raise ValueError("交付日期不是日期")
        key = tuple(str(row[column[name]]) for name in ("楼栋", "单元", "房号"))
        houses[key] = (Fraction(str(row[column["建筑面积(㎡)"]])), handover)
        if row[column["手机号"]]:
            phones.add(str(row[column["手机号"]]))
    return houses, phones


def _read_readings(book: python_calamine.CalamineWorkbook) -> dict[str, dict[date, Fraction]]:
    _, *rows = book.get_sheet_by_name("水表读数").to_python()
    found: dict[str, dict[date, Fraction]] = defaultdict(dict)
    for _, _, _, meter_no, _, read_on, reading in rows:
        if not isinstance(read_on, date):
            raise ValueError("抄表日期不是日期")
        found[str(meter_no)][read_on] = Fraction(str(reading))
    return found


def _water_fen(usage: Fraction) -> int:
    owed, begins = Fraction(0), Fraction(0)
    for limit, price in TIERS:
        top = usage if limit is None else min(usage, Fraction(limit))
        owed += max(top - begins, Fraction(0)) * Fraction(price)
        begins = top if limit is None else Fraction(limit)
    return _half_up(owed * 100)


def _half_up(fen: Fraction) -> int:
    return int(fen + Fraction(1, 2))
