"""The sheet 车位 as clerks hand it in: rows become parking spaces with plates, or problems.

Every problem of the sheet is found in one pass; a row with a problem takes no part, the others do.
Who has a space is told by a phone that is on file: this sheet never makes an owner.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from domain.cells import BadCell, Cell, read_area, read_phone, read_text
from domain.houses import SpaceRight
from domain.plates import tidy_plate
from domain.sheets import Problem, Row, Table, optional, required, text_up_to

SHEET_NAME = "车位"
_NAMES: dict[str, tuple[str, ...]] = {
    "space_no": ("车位号", "车位编号", "车位", "泊位号", "车位号码"),
    "zone": ("区域", "位置", "分区", "车库", "所在区域"),
    "area": ("面积", "车位面积", "建筑面积"),
    "right_kind": ("性质", "车位性质", "产权性质", "类型", "车位类型"),
    "user_name": ("使用人", "业主姓名", "姓名", "业主", "车主", "使用人姓名", "产权人"),
    "phone": ("手机号", "联系电话", "电话", "手机", "手机号码"),
    "plates": ("车牌号", "车牌", "车牌号码", "车辆号牌"),
    "note": ("备注",),
}
_NEEDED = ("space_no", "right_kind")
RIGHTS = {
    "产权": SpaceRight.OWNED,
    "自有": SpaceRight.OWNED,
    "租赁": SpaceRight.RENTED,
    "租用": SpaceRight.RENTED,
    "月租": SpaceRight.RENTED,
    "公共": SpaceRight.PUBLIC,
    "临停": SpaceRight.PUBLIC,
    "人防": SpaceRight.CIVIL_DEFENCE,
}
"""What clerks call the rights, without the word 车位."""
RIGHT_CHOICES = ("产权", "租赁", "公共", "人防")
_SPLIT = re.compile(r"[、,，;；/\r\n]")
_PLATES_CAP = 10


@dataclass(frozen=True, slots=True)
class SheetSpace:
    """One row: a space, who uses it by phone, and the cars that stand on it."""

    space_no: str
    zone: str
    area: Decimal | None
    right_kind: SpaceRight
    user_name: str
    phone: str | None
    plates: tuple[str, ...]
    note: str
    row: int


@dataclass(frozen=True, slots=True)
class SpaceSheet:
    """What a sheet holds: spaces as the rows stand, problems, and how many rows were data."""

    spaces: tuple[SheetSpace, ...]
    problems: tuple[Problem, ...]
    row_count: int
    table: Table = field(repr=False, compare=False)

    @property
    def header_row(self) -> int:
        """Where the header stands, counted from 0."""
        return self.table.header_row

    @property
    def item_count(self) -> int:
        """How many spaces there are to write."""
        return len(self.spaces)


def read_space_sheet(rows: Sequence[Row]) -> SpaceSheet:
    """Read all rows of a sheet.

    Raises:
        HeaderMissing: there is no header among the first ten rows.
    """
    return _Reader(rows).read()


class _Reader:
    def __init__(self, rows: Sequence[Row]) -> None:
        self._table = Table(rows, _NAMES, _NEEDED)
        column = self._table.column
        self._columns = {
            "space_no": column("space_no", required("车位号", 30)),
            "zone": column("zone", text_up_to(30), ""),
            "area": column("area", optional(read_area)),
            "right_kind": column("right_kind", _read_right),
            "user_name": column("user_name", text_up_to(50), ""),
            "phone": column("phone", optional(read_phone)),
            "plates": column("plates", _read_plates, ()),
            "note": column("note", text_up_to(200), ""),
        }
        self._spaces: dict[str, SheetSpace] = {}
        self._row_of_plate: dict[str, int] = {}

    def read(self) -> SpaceSheet:
        row_count = 0
        for number, row in self._table.data():
            row_count += 1
            self._read_row(number, row)
        problems = sorted(self._table.problems, key=lambda problem: problem.row)
        return SpaceSheet(tuple(self._spaces.values()), tuple(problems), row_count, self._table)

    def _read_row(self, number: int, row: Row) -> None:
        before = len(self._table.problems)
        cells = {name: read(number, row) for name, read in self._columns.items()}
        if len(self._table.problems) > before:
            return
        if cells["user_name"] and cells["phone"] is None:
            self._table.report(
                number, "phone", "", "有使用人而缺少手机号", "请填写业主档案中的手机号"
            )
            return
        found = SheetSpace(**cells, row=number)
        if self._is_alone(found):
            self._spaces[found.space_no] = found
            self._row_of_plate |= dict.fromkeys(found.plates, number)

    def _is_alone(self, found: SheetSpace) -> bool:
        """Report a space that stands twice, or a plate that stands on two spaces."""
        if first := self._spaces.get(found.space_no):
            self._table.report(
                found.row, "space_no", found.space_no, f"与第 {first.row} 行重复", "请删除其中一行"
            )
            return False
        for plate in found.plates:
            if other := self._row_of_plate.get(plate):
                why = f"车牌 {plate} 已在第 {other} 行的车位上"
                self._table.report(
                    found.row, "plates", plate, why, "一辆车只能登记一个车位，请核对"
                )
                return False
        return True


def _read_right(cell: Cell) -> SpaceRight:
    text = read_text(cell, limit=20).removesuffix("车位")
    if text not in RIGHTS:
        why = "车位性质看不懂" if text else "缺少车位性质"
        raise BadCell(why, "可填：" + "、".join(RIGHT_CHOICES))
    return RIGHTS[text]


def _read_plates(cell: Cell) -> tuple[str, ...]:
    """Read the plates of a cell, several of them parted by signs or lines."""
    text = _SPLIT.sub("、", cell) if isinstance(cell, str) else cell
    words = [word.strip() for word in read_text(text, limit=200).split("、") if word.strip()]
    plates = []
    for word in words:
        plate = tidy_plate(word)
        if plate is None:
            raise BadCell(f"车牌 {word} 看不懂", "例如 粤B96741，新能源 粤BD12345；多个用顿号隔开")
        plates.append(plate)
    if len(plates) > _PLATES_CAP:
        raise BadCell(f"一个车位超过 {_PLATES_CAP} 个车牌", "请核对车牌")
    return tuple(dict.fromkeys(plates))
