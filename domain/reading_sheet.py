"""The sheet 水表读数 as clerks hand it in: rows become readings of meters, or problems.

Every problem of the sheet is found in one pass; a row with a problem takes no part, the others do.
What only the register can tell, such as a meter nobody knows, is not found here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from domain.cells import BadCell, Cell, read_date, read_reading, read_text
from domain.meters import KIND_SHOWN, MeterKind
from domain.sheets import (
    HOUSE_NAMES,
    HouseKey,
    Problem,
    Row,
    Table,
    name_building,
    optional,
    required,
    text_up_to,
    tidy_unit_no,
)
from domain.usages import trim

SHEET_NAME = "水表读数"
METER_NO_LIMIT = 40
NOTE_LIMIT = 200
_NAMES: dict[str, tuple[str, ...]] = {
    **HOUSE_NAMES,
    "meter_no": ("表号", "表具编号", "表编号", "水表号", "电表号", "气表号", "表具号"),
    "kind": ("表类型", "表具类型", "表种类", "类型"),
    "read_on": ("抄表日期", "抄表时间", "读表日期", "日期"),
    "reading": ("读数", "本期读数", "本次读数", "本月读数", "抄表读数", "止码", "止数"),
    "is_rollover": ("归零", "是否归零", "翻转"),
    "note": ("备注",),
}
_NEEDED = ("meter_no", "read_on", "reading")
KINDS = {
    "冷水": MeterKind.COLD_WATER,
    "水": MeterKind.COLD_WATER,
    "自来水": MeterKind.COLD_WATER,
    "热水": MeterKind.HOT_WATER,
    "电": MeterKind.ELECTRICITY,
    "电力": MeterKind.ELECTRICITY,
    "燃气": MeterKind.GAS,
    "天然气": MeterKind.GAS,
    "煤气": MeterKind.GAS,
    "气": MeterKind.GAS,
    "热力": MeterKind.HEAT,
    "暖气": MeterKind.HEAT,
    "热量": MeterKind.HEAT,
}
"""What clerks call the kinds, without the word 表."""
_YES = ("是", "有", "y", "yes", "1", "√")
_NO = ("否", "无", "n", "no", "0", "×")


@dataclass(frozen=True, slots=True)
class SheetReading:
    """One row: what a meter showed on a day; where and what it is only if the row says so."""

    meter_no: str
    kind: MeterKind | None
    house: HouseKey | None
    read_on: date
    reading: Decimal
    is_rollover: bool
    note: str
    row: int


@dataclass(frozen=True, slots=True)
class ReadingSheet:
    """What a sheet holds: readings as the rows stand, problems, and how many rows were data."""

    readings: tuple[SheetReading, ...]
    problems: tuple[Problem, ...]
    row_count: int
    table: Table = field(repr=False, compare=False)

    @property
    def header_row(self) -> int:
        """Where the header stands, counted from 0."""
        return self.table.header_row

    @property
    def item_count(self) -> int:
        """How many readings there are to write."""
        return len(self.readings)

    def blame(self, reading: SheetReading, column: str, why: str, suggestion: str) -> Problem:
        """Make a problem of a row that reads well and cannot be taken all the same."""
        return self.table.blame(reading.row, column, _shown(reading, column), why, suggestion)


def read_reading_sheet(rows: Sequence[Row]) -> ReadingSheet:
    """Read all rows of a sheet.

    Title rows above the header, blank rows and totals rows are no data. The same reading twice is
    no problem; two readings of a meter on one day, two houses or two kinds of a meter are.

    Raises:
        HeaderMissing: there is no header among the first ten rows.
    """
    return _Reader(rows).read()


def tidy_meter_no(text: str) -> str:
    """Write a meter's number the way it is on file.

    Raises:
        BadCell: it is empty, too long, or nothing that can stand on a meter.
    """
    return required("表号", METER_NO_LIMIT)(text)


class _Reader:
    def __init__(self, rows: Sequence[Row]) -> None:
        self._table = Table(rows, _NAMES, _NEEDED)
        column = self._table.column
        self._columns = {
            "building": column("building", text_up_to(20), ""),
            "unit_no": column("unit_no", text_up_to(20), ""),
            "room_no": column("room_no", text_up_to(20), ""),
            "meter_no": column("meter_no", required("表号", METER_NO_LIMIT)),
            "kind": column("kind", optional(_read_kind)),
            "read_on": column("read_on", _read_day),
            "reading": column("reading", _read_reading),
            "is_rollover": column("is_rollover", _read_yes_or_no, False),
            "note": column("note", text_up_to(NOTE_LIMIT), ""),
        }
        self._readings: list[SheetReading] = []
        self._first: dict[str, SheetReading] = {}
        self._on: dict[tuple[str, date], SheetReading] = {}

    def read(self) -> ReadingSheet:
        row_count = 0
        for number, row in self._table.data():
            row_count += 1
            self._read_row(number, row)
        problems = sorted(self._table.problems, key=lambda problem: problem.row)
        return ReadingSheet(tuple(self._readings), tuple(problems), row_count, self._table)

    def _read_row(self, number: int, row: Row) -> None:
        before = len(self._table.problems)
        cells = {name: read(number, row) for name, read in self._columns.items()}
        house = name_building(cells["building"]), tidy_unit_no(cells["unit_no"]), cells["room_no"]
        if len(self._table.problems) > before:
            return
        if bool(house[0]) != bool(house[2]):
            column, what = ("room_no", "房号") if house[0] else ("building", "楼栋")
            self._table.report(number, column, "", f"缺少{what}", "楼栋与房号请一起填写")
            return
        found = SheetReading(
            meter_no=cells["meter_no"],
            kind=cells["kind"],
            house=house if house[0] else None,
            read_on=cells["read_on"],
            reading=cells["reading"],
            is_rollover=cells["is_rollover"],
            note=cells["note"],
            row=number,
        )
        if self._agrees(found):
            self._readings.append(found)

    def _agrees(self, found: SheetReading) -> bool:
        """Report where a row contradicts an earlier one of the same meter."""
        first = self._first.setdefault(found.meter_no, found)
        same_day = self._on.setdefault((found.meter_no, found.read_on), found)
        if found.house and first.house and found.house != first.house:
            why, column = f"与第 {first.row} 行的同一只表房屋不同", "room_no"
        elif found.kind and first.kind and found.kind is not first.kind:
            why, column = f"与第 {first.row} 行的同一只表类型不同", "kind"
        elif (found.reading, found.is_rollover) != (same_day.reading, same_day.is_rollover):
            why, column = f"与第 {same_day.row} 行的同一只表同一天读数不同", "reading"
        else:
            return True
        self._table.report(found.row, column, _shown(found, column), why, "请核对，或删除其中一行")
        return False


def _shown(reading: SheetReading, column: str) -> str:
    """Write what stands in a column of a row as people write it."""
    match column:
        case "room_no":
            return reading.house[2] if reading.house else ""
        case "kind":
            return KIND_SHOWN[reading.kind] if reading.kind else ""
        case "reading":
            return f"{trim(reading.reading):f}"
        case _:
            return str(getattr(reading, column))


def _read_kind(cell: Cell) -> MeterKind:
    text = read_text(cell, limit=20)
    kind = KINDS.get(text.removesuffix("表"))
    if kind is None:
        raise BadCell("表类型看不懂", "可填：" + "、".join(KIND_SHOWN.values()))
    return kind


def _read_day(cell: Cell) -> date:
    if str(cell).strip() == "":
        raise BadCell("缺少抄表日期", "例如 2026-10-31")
    return read_date(cell)


def _read_reading(cell: Cell) -> Decimal:
    if str(cell).strip() == "":
        raise BadCell("缺少读数", "请填写读数，或删去此行")
    return read_reading(cell)


def _read_yes_or_no(cell: Cell) -> bool:
    text = read_text(cell, limit=10).lower()
    if text not in _YES + _NO:
        raise BadCell("看不懂是否归零", "表走过了量程填 是，否则留空")
    return text in _YES
