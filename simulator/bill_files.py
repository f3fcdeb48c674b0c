"""The lines of a bill file, whatever bill it is: header, rows, sums, and ways to be wrong.

Source: https://pay.weixin.qq.com/docs/merchant/products/bill-download/format-trade.html
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from decimal import Decimal

BOM = "\ufeff"
# A backtick before each value keeps spreadsheets from taking numbers for numbers.
_MARK = "`"


@dataclass(frozen=True)
class Line:
    """One row: whose order it is about, its cells by column, and which of them hold its amount."""

    out_trade_no: str
    cells: dict[str, str]
    amounts: tuple[str, ...]


@dataclass(frozen=True)
class Sheet:
    """A bill before it is text. The sums are made from the rows, so that they always agree."""

    columns: tuple[str, ...]
    lines: list[Line]
    sums: Callable[[list[Line]], dict[str, str]]


def yuan(fen: int) -> str:
    """Write fen as yuan with two decimals."""
    return f"{Decimal(fen) / 100:.2f}"


def yuan_of_fee(fen: int) -> str:
    """Write a fee in fen as yuan with five decimals, as the trade bill does."""
    return f"{Decimal(fen) / 100:.5f}"


def total(lines: Iterable[Line], column: str) -> Decimal:
    """Add up a column."""
    return sum((Decimal(line.cells[column]) for line in lines), Decimal(0))


def _clean(value: str) -> str:
    # The merchant's own words may hold what would break the file.
    return value.replace("\r", "\\r").replace("\n", "\\n").replace("\x01", " ")


def _row(values: Iterable[str]) -> str:
    return ",".join(_MARK + _clean(value) for value in values)


def write(sheet: Sheet, *, bom: bool = False, line_end: str = "\n") -> bytes:
    """Return the file: header, rows, header of the sums, sums; UTF-8."""
    sums = sheet.sums(sheet.lines)
    parts = [",".join(sheet.columns)]
    parts += [_row(line.cells[column] for column in sheet.columns) for line in sheet.lines]
    parts += [",".join(sums), _row(sums.values())]
    text = "".join(part + line_end for part in parts)
    return ((BOM if bom else "") + text).encode()


def _place(lines: list[Line], out_trade_no: str | None) -> int | None:
    for place, line in enumerate(lines):
        if out_trade_no in (None, line.out_trade_no):
            return place
    return None


def _a_cent_more(line: Line) -> Line:
    changed = {
        column: f"{Decimal(line.cells[column]) + Decimal('0.01'):.2f}" for column in line.amounts
    }
    return replace(line, cells=line.cells | changed)


def missing_row(lines: list[Line], place: int) -> list[Line]:
    """Leave a row out."""
    return lines[:place] + lines[place + 1 :]


def duplicate_row(lines: list[Line], place: int) -> list[Line]:
    """Repeat a row."""
    return [*lines[: place + 1], *lines[place:]]


def amount_off(lines: list[Line], place: int) -> list[Line]:
    """Make a row's amount 0.01 more."""
    return [*lines[:place], _a_cent_more(lines[place]), *lines[place + 1 :]]


SPOILERS = {"missing_row": missing_row, "duplicate_row": duplicate_row, "amount_off": amount_off}


def spoil(sheet: Sheet, kind: str, out_trade_no: str | None) -> Sheet:
    """Return the sheet with one fault, in the first row or the first of that order.

    Nothing changes when there is no such row.
    """
    place = _place(sheet.lines, out_trade_no)
    if place is None:
        return sheet
    return replace(sheet, lines=SPOILERS[kind](sheet.lines, place))


def with_extra(sheet: Sheet, line: Line) -> Sheet:
    """Return the sheet with one row more."""
    return replace(sheet, lines=[*sheet.lines, line])
