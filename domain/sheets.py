"""What every clerk's sheet shares: a header below titles, rows that are data, problems told."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from domain.cells import BadCell, Cell, read_text
from domain.errors import InvalidInput

HouseKey = tuple[str, str, str]
"""Building, unit and room number: what tells a house from others of its community."""
Row = Sequence[Cell]
Merge = tuple[int, int, int, int]
"""Cells that are one: first row, first column, last row, last column, counted from 0."""
PROBLEM_TITLE = "问题"
"""The last column of an error file; whoever hands the file in again need not remove it."""

HOUSE_NAMES: dict[str, tuple[str, ...]] = {
    "building": ("楼栋", "楼号", "栋号", "幢", "幢号", "楼幢", "栋"),
    "unit_no": ("单元", "单元号"),
    "room_no": ("房号", "室号", "房间号", "房屋编号", "门牌号"),
}
"""How clerks head the columns that say which house."""
_HEADER_ROWS = 10
"""How far down a header may stand below titles."""
_TOTALS = ("合计", "总计", "小计", "共计")
_REMEMBERED = 4_096
"""Values of one column that a reader keeps: more than the rooms of a building or areas of plans."""
_NOT_TITLE = re.compile(r"\s|[(（].*")


class HeaderMissing(InvalidInput):
    """No row of the sheet looks like a header; the message says what it must have."""

    code = "header_missing"
    message = "没有找到表头"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: row as Excel counts it, column as the sheet calls it."""

    row: int
    column: str
    value: str
    why: str
    suggestion: str


class Table:
    """The rows of a sheet below its header, and the problems found in them so far.

    ``names`` are the titles that each column is known by, the usual one first.

    Raises:
        HeaderMissing: none of the first ten rows has all the ``needed`` columns.
    """

    def __init__(
        self, rows: Sequence[Row], names: Mapping[str, tuple[str, ...]], needed: Sequence[str]
    ) -> None:
        self._rows = rows
        self._names = names
        self._columns: dict[str, int] = {}
        self._titles: dict[str, str] = {}
        self.header_row = self._find_header(needed)
        """Where the header stands, counted from 0."""
        self._first = self.header_row + 1
        self._width = max(map(len, rows))
        self.problems: list[Problem] = []

    def _find_header(self, needed: Sequence[str]) -> int:
        column_of = {title: column for column, titles in self._names.items() for title in titles}
        for index, row in enumerate(self._rows[:_HEADER_ROWS]):
            columns: dict[str, int] = {}
            for position, cell in enumerate(row):
                column = column_of.get(_NOT_TITLE.sub("", str(cell)).lower())
                if column and column not in columns:
                    columns[column] = position
                    self._titles[column] = str(cell).strip()
            if all(column in columns for column in needed):
                self._columns = columns
                return index
        usual = "、".join(self._names[column][0] for column in needed)
        raise HeaderMissing(f"没有找到表头，表头至少要有：{usual}")

    def data(self) -> Iterator[tuple[int, Row]]:
        """Give the rows that are data with their numbers as Excel counts them.

        Blank rows, totals rows and the header once more, as on every printed page, are none.
        """
        header = self._rows[self.header_row]
        aside = {
            position
            for position, cell in enumerate(header)
            if _NOT_TITLE.sub("", str(cell)) == PROBLEM_TITLE
        }
        known = sorted(self._columns.values())
        last, told = known[-1], known[0]
        for number, row in enumerate(self._rows[self._first :], start=self._first + 1):
            first = next(
                (
                    text
                    for position, cell in enumerate(row)
                    if cell != "" and position not in aside and (text := str(cell).strip())
                ),
                "",
            )
            if not first or first.startswith(_TOTALS):
                continue
            if (
                len(row) > last
                and row[told] == header[told]
                and all(row[column] == header[column] for column in known)
            ):
                continue
            yield number, row

    def cell(self, row: Row, column: str) -> Cell:
        """Tell what stands in a column; nothing where the row or the sheet has no such cell."""
        position = self._columns.get(column, self._width)
        return row[position] if position < len(row) else ""

    def column(
        self, name: str, reader: Callable[[Cell], Any], default: Any = None
    ) -> Callable[[int, Row], Any]:
        """Make what reads a column of a row, or reports why it cannot and gives the default.

        With a default that is not None an empty cell is the default and no problem.
        """
        position = self._columns.get(name, self._width)

        def read(number: int, row: Row) -> Any:
            cell = row[position] if position < len(row) else ""
            if default is not None and is_blank(cell):
                return default
            try:
                return reader(cell)
            except BadCell as bad:
                self.report(number, name, cell, bad.why, bad.suggestion)
                return default

        return read

    def report(self, row: int, column: str, value: object, why: str, suggestion: str) -> None:
        """Note one problem."""
        self.problems.append(self.blame(row, column, value, why, suggestion))

    def blame(self, row: int, column: str, value: object, why: str, suggestion: str) -> Problem:
        """Make a problem that calls its column as the sheet does."""
        title = self._titles.get(column, self._names[column][0])
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        # What cannot be printed cannot be stored either: PostgreSQL takes no NUL in JSON.
        shown = "".join(mark if mark.isprintable() else "�" for mark in str(value)[:60])
        return Problem(row, title, shown, why, suggestion)


def fill_merged(rows: Sequence[Row], merged: Sequence[Merge]) -> Sequence[Row]:
    """Write what stands in cells that were merged downwards into each of their rows.

    The reader gives it in the first cell only; a building beside all its houses is meant for all.
    """
    if not merged:
        return rows
    filled = [list(row) for row in rows]
    for first_row, column, last_row, _ in merged:
        if first_row >= len(filled) or column >= len(filled[first_row]):
            continue
        value = filled[first_row][column]
        for row in filled[first_row + 1 : last_row + 1]:
            if column < len(row) and row[column] == "":
                row[column] = value
    return filled


def is_blank(cell: Cell) -> bool:
    """Tell whether nothing stands in a cell: only text can be empty."""
    return isinstance(cell, str) and not cell.strip()


def remembering(reader: Callable[[Cell], Any]) -> Callable[[Cell], Any]:
    """Let a reader keep what it made of a cell: in most columns few values stand again and again.

    A number and a text that compare equal are told apart; what cannot be read is read anew.
    """
    return lru_cache(maxsize=_REMEMBERED, typed=True)(reader)


def required(what: str, limit: int) -> Callable[[Cell], str]:
    """Make a reader of text that must not be empty."""

    def read(cell: Cell) -> str:
        text = read_text(cell, limit=limit)
        if not text:
            raise BadCell(f"缺少{what}", f"请填写{what}")
        return text

    return read


def optional(reader: Callable[[Cell], Any]) -> Callable[[Cell], Any]:
    """Make a reader that takes an empty cell for None."""
    return lambda cell: None if is_blank(cell) else reader(cell)


def text_up_to(limit: int) -> Callable[[Cell], str]:
    """Make a reader of text that may be empty."""
    return lambda cell: read_text(cell, limit=limit)


def name_building(text: str) -> str:
    """Name a building the way it is on file: a bare ``1`` is ``1栋``."""
    return f"{text}栋" if text.isdecimal() else text


def tidy_unit_no(text: str) -> str:
    """Write a unit the way it is on file: ``1单元`` is ``1``."""
    return text.removesuffix("单元")
