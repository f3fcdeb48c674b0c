"""The sheet 房屋业主 as clerks hand it in: rows become houses with owners, or problems.

Every problem of the sheet is found in one pass; a row with a problem takes no part, the others do.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from statistics import median
from typing import NamedTuple

from domain.cells import (
    BadCell,
    Cell,
    read_area,
    read_date,
    read_email,
    read_phone,
    read_share,
    read_text,
)
from domain.sheets import (
    HOUSE_NAMES,
    HouseKey,
    Problem,
    Row,
    Table,
    name_building,
    optional,
    remembering,
    required,
    text_up_to,
    tidy_unit_no,
)

SHEET_NAME = "房屋业主"
_NAMES: dict[str, tuple[str, ...]] = {
    **HOUSE_NAMES,
    "floor_no": ("楼层", "层"),
    "layout": ("户型",),
    "building_area": ("建筑面积", "面积"),
    "inner_area": ("套内面积",),
    "state": ("房屋状态", "状态"),
    "handover_date": ("交付日期", "交房日期", "入伙时间", "入伙日期", "交付时间"),
    "owner_name": ("业主姓名", "姓名", "业主", "产权人"),
    "phone": ("手机号", "联系电话", "电话", "手机", "手机号码"),
    "email": ("邮箱", "e-mail", "email", "电子邮箱"),
    "share_ratio": ("产权份额", "份额"),
    "note": ("备注",),
}
_NEEDED = ("building", "room_no", "building_area")
STATES = {
    "未售": "unsold",
    "已交付": "delivered",
    "空置": "vacant",
    "装修": "renovating",
    "装修中": "renovating",
    "自住": "occupied",
    "出租": "rented",
}
_SPLIT = re.compile(r"[、,，;；/\r\n]")
_LINE_BREAK = re.compile(r"[\r\n]+")
"""Alt+Enter: how clerks put two names into one cell."""
_FIRST_YEAR = 1949
_AREA_FACTOR = 20
"""An area this many times the median of the sheet, or its part, has lost its decimal point."""


class SheetOwner(NamedTuple):
    """An owner as the sheet names them; the phone is normalised."""

    name: str
    phone: str | None
    email: str
    share_ratio: Decimal | None
    row: int


@dataclass(slots=True)
class SheetHouse:
    """A house of the sheet with its owners, in the order of the rows."""

    building: str
    unit_no: str
    room_no: str
    floor_no: int | None
    layout: str
    building_area: Decimal
    inner_area: Decimal | None
    state: str
    handover_date: date | None
    note: str
    row: int
    owners: list[SheetOwner] = field(default_factory=list)

    @property
    def key(self) -> HouseKey:
        """What tells it from other houses of the community."""
        return self.building, self.unit_no, self.room_no


@dataclass(frozen=True, slots=True)
class HouseSheet:
    """What a sheet holds: houses, problems, and how many rows were data."""

    houses: tuple[SheetHouse, ...]
    problems: tuple[Problem, ...]
    row_count: int
    header_row: int = 0

    @property
    def item_count(self) -> int:
        """How many houses there are to write."""
        return len(self.houses)


def read_house_sheet(rows: Sequence[Row], *, today: date) -> HouseSheet:
    """Read all rows of a sheet.

    Title rows above the header, blank rows and totals rows are no data. Two owners in one cell
    become two owners. Co-owners may have a row each.

    Raises:
        HeaderMissing: there is no header among the first ten rows.
    """
    return _Reader(rows, today).read()


class _Reader:
    def __init__(self, rows: Sequence[Row], today: date) -> None:
        self._table = Table(rows, _NAMES, _NEEDED)
        self._report = self._table.report
        self._cell = self._table.cell
        self._today = today
        self._houses: dict[HouseKey, SheetHouse] = {}
        self._names: dict[str, str] = {}
        self._typical_area = Decimal(0)
        self._area = remembering(read_area)
        column = self._table.column
        self._columns = {
            "building": column("building", remembering(required("楼栋", 20)), ""),
            "unit_no": column("unit_no", remembering(text_up_to(20)), ""),
            "room_no": column("room_no", remembering(required("房号", 20))),
            "floor_no": column("floor_no", remembering(optional(_read_floor))),
            "layout": column("layout", remembering(text_up_to(30)), ""),
            "building_area": column("building_area", remembering(self._read_building_area)),
            "inner_area": column("inner_area", optional(self._area)),
            "state": column("state", remembering(_read_state), "delivered"),
            "handover_date": column("handover_date", remembering(optional(self._read_past))),
            "note": column("note", text_up_to(200), ""),
        }
        self._read_share = remembering(read_share)

    def read(self) -> HouseSheet:
        data = list(self._table.data())
        self._typical_area = self._median_area([row for _, row in data])
        for number, row in data:
            self._read_row(number, row)
        self._check_shares()
        problems = sorted(self._table.problems, key=lambda problem: problem.row)
        houses = [house for house in self._houses.values() if house.row]
        return HouseSheet(tuple(houses), tuple(problems), len(data), self._table.header_row)

    def _median_area(self, rows: Sequence[Row]) -> Decimal:
        areas = []
        for row in rows:
            try:
                areas.append(self._area(self._cell(row, "building_area")))
            except BadCell:
                continue
        return median(areas) if areas else Decimal(0)

    def _read_row(self, number: int, row: Row) -> None:
        before = len(self._table.problems)
        found = {name: read(number, row) for name, read in self._columns.items()}
        house = SheetHouse(
            building=name_building(found["building"]),
            unit_no=tidy_unit_no(found["unit_no"]),
            room_no=found["room_no"] or "",
            floor_no=found["floor_no"],
            layout=found["layout"],
            building_area=found["building_area"] or Decimal(0),
            inner_area=found["inner_area"],
            state=found["state"],
            handover_date=found["handover_date"],
            note=found["note"],
            row=number,
        )
        if not house.building and len(self._table.problems) == before:
            self._report(number, "building", "", "缺少楼栋", "请填写楼栋，例如 1栋")
        owners = self._read_owners(number, row)
        if len(self._table.problems) == before and self._check_house(house, number):
            self._join(house, owners, number)

    def _read_building_area(self, cell: Cell) -> Decimal:
        area: Decimal = self._area(cell)
        typical = self._typical_area
        if typical and not typical / _AREA_FACTOR < area < typical * _AREA_FACTOR:
            raise BadCell("面积与本表其他房屋相差太大，可能漏了小数点", "请核对面积")
        return area

    def _read_past(self, cell: Cell) -> date:
        day = read_date(cell)
        if day.year < _FIRST_YEAR:
            raise BadCell("年份太早", "请核对日期")
        if day > self._today:
            raise BadCell("交付日期在将来", "请核对日期")
        return day

    def _read_owners(self, number: int, row: Row) -> list[SheetOwner]:
        name_cell, phone_cell = self._cell(row, "owner_name"), self._cell(row, "phone")
        if isinstance(name_cell, str) and not name_cell.isprintable():
            name_cell = _LINE_BREAK.sub("、", name_cell)
        try:
            name_text = read_text(name_cell, limit=100)
        except BadCell as bad:
            self._report(number, "owner_name", name_cell, bad.why, bad.suggestion)
            return []
        names = _parts_of(name_text)
        phones: list[Cell] = (
            [*_parts_of(phone_cell)] if isinstance(phone_cell, str) else [phone_cell]
        )
        if not names and not phones:
            return []
        if not names:
            self._report(number, "owner_name", name_cell, "缺少业主姓名", "请填写姓名")
            return []
        if phones and len(phones) != len(names):
            self._report(
                number, "phone", phone_cell, "姓名与手机号的个数不同", "请一一对应，或每人一行"
            )
            return []
        return self._make_owners(number, row, names, phones)

    def _make_owners(
        self, number: int, row: Row, names: list[str], phones: list[Cell]
    ) -> list[SheetOwner]:
        owners = []
        try:
            email = read_email(self._cell(row, "email"))
        except BadCell as bad:
            self._report(number, "email", self._cell(row, "email"), bad.why, bad.suggestion)
            email = ""
        try:
            share = self._read_share(self._cell(row, "share_ratio"))
        except BadCell as bad:
            self._report(
                number, "share_ratio", self._cell(row, "share_ratio"), bad.why, bad.suggestion
            )
            share = None
        if len(names) > 1:
            share = round((share or Decimal(1)) / len(names), 8)
        for index, name in enumerate(names):
            phone = None
            if phones:
                try:
                    phone = read_phone(phones[index])
                except BadCell as bad:
                    self._report(number, "phone", phones[index], bad.why, bad.suggestion)
                    continue
                known = self._names.setdefault(phone, name)
                if known != name:
                    self._report(
                        number,
                        "phone",
                        phones[index],
                        f"这个手机号在表中属于{known}",
                        "请核对姓名或手机号",
                    )
                    continue
            owners.append(SheetOwner(name, phone, email if index == 0 else "", share, number))
        return owners

    def _check_house(self, house: SheetHouse, number: int) -> bool:
        first = self._houses.get(house.key)
        if first is None:
            return True
        for column in ("building_area", "inner_area", "handover_date"):
            if getattr(first, column) != getattr(house, column):
                self._report(
                    number,
                    column,
                    getattr(house, column),
                    f"与第 {first.row} 行的同一房屋不同",
                    "请核对，或删除其中一行",
                )
                return False
        return True

    def _join(self, house: SheetHouse, owners: list[SheetOwner], number: int) -> None:
        kept = self._houses.setdefault(house.key, house)
        if kept is house:
            kept.owners = owners
            return
        known = {(owner.name, owner.phone) for owner in kept.owners}
        new = [owner for owner in owners if (owner.name, owner.phone) not in known]
        if not new:
            self._report(number, "room_no", house.room_no, f"与第 {kept.row} 行重复", "请删除此行")
            return
        kept.owners.extend(new)

    def _check_shares(self) -> None:
        for house in self._houses.values():
            total = sum((owner.share_ratio or Decimal(0) for owner in house.owners), Decimal(0))
            if total > Decimal("1.0001"):
                last = house.owners[-1]
                self._report(
                    last.row,
                    "share_ratio",
                    f"{total * 100:f}%",
                    "同一房屋的产权份额合计超过 100%",
                    "请核对各产权人的份额",
                )
                house.row = 0


def _parts_of(text: str) -> list[str]:
    """Split what stands for several people in one cell."""
    if text.isalnum():
        return [text]
    return [part.strip() for part in _SPLIT.split(text) if part.strip()]


def _read_floor(cell: Cell) -> int:
    text = read_text(cell, limit=10).removesuffix("层").removesuffix("楼")
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()) or not -9 <= int(text) <= 200:
        raise BadCell("楼层不是数字", "例如 3")
    return int(text)


def _read_state(cell: Cell) -> str:
    text = read_text(cell, limit=20)
    if text not in STATES:
        raise BadCell("房屋状态看不懂", "可填：" + "、".join(STATES))
    return STATES[text]
