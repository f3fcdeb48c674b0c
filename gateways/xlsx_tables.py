"""Tables as sheets of a workbook, written row by row so that memory stays small."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import xlsxwriter

from services.ports import Column, ColumnKind, TableCell, TableDocument

_MADE_AT = datetime(2000, 1, 1, tzinfo=UTC)
"""Every file says so: the same documents give the same bytes."""
_FONT = "微软雅黑"
_NAME_LIMIT = 31
_NOT_IN_NAMES = re.compile(r"[\[\]:*?/\\]")
NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""What no XML file may hold."""
_A4 = 9
_FIRST_YEAR = 1900
"""Earlier days are no dates to a spreadsheet: they are written as text."""
_ACROSS_FROM = 60
_NARROWEST = {ColumnKind.FEN: 14, ColumnKind.DATE: 12, ColumnKind.COUNT: 8, ColumnKind.TEXT: 6}
_NUMBER_FORMATS = {ColumnKind.FEN: "#,##0.00", ColumnKind.COUNT: "#,##0"}


def fill_workbook(documents: Sequence[TableDocument]) -> bytes:
    """Write one sheet for each document, named for its title.

    Raises:
        ValueError: there is no document.
    """
    if not documents:
        raise ValueError("a workbook needs a sheet")
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"constant_memory": True}) as workbook:
        workbook.set_properties({"created": _MADE_AT})
        formats = _Formats(workbook)
        taken: set[str] = set()
        for document in documents:
            name = _sheet_name(document.title, taken)
            taken.add(name.lower())
            _Sheet(workbook.add_worksheet(name), document, formats).fill()
    return out.getvalue()


def _sheet_name(title: str, taken: set[str]) -> str:
    """Make a name that Excel takes: short, without its signs, and not there yet."""
    base = _NOT_IN_NAMES.sub(" ", _clean(title)).replace("\n", " ").strip("' ") or "表"
    name, n = base[:_NAME_LIMIT].strip("' "), 1
    while name.lower() in taken or name.lower() == "history":
        n += 1
        ending = f"（{n}）"
        name = base[: _NAME_LIMIT - len(ending)] + ending
    return name


def _clean(text: str) -> str:
    """Replace what no XML file may hold."""
    return NOT_IN_XML.sub(" ", text)


class _Formats:
    """The looks of cells, made once for a workbook."""

    def __init__(self, workbook: Any) -> None:
        def made(**look: object) -> Any:
            return workbook.add_format({"font_name": _FONT, "font_size": 10, **look})

        self.title = made(bold=True, font_size=14)
        self.plain = made()
        self.label = made(font_color="#595959")
        self.watermark = made(bold=True, font_color="#C00000")
        look: dict[str, object] = {"border": 1, "border_color": "#BFBFBF", "valign": "top"}
        self.head = made(
            **look | {"bold": True, "bg_color": "#EEF1F4", "align": "center", "text_wrap": True}
        )
        self.text = made(**look, text_wrap=True)
        self.total = made(**look, text_wrap=True, bold=True)
        self.date = made(**look, num_format="yyyy-mm-dd", align="left")
        self.numbers = {kind: made(**look, num_format=n) for kind, n in _NUMBER_FORMATS.items()}
        self.totals = {
            kind: made(**look, num_format=n, bold=True) for kind, n in _NUMBER_FORMATS.items()
        }


class _Sheet:
    """Fills one sheet from its first row down."""

    def __init__(self, sheet: Any, document: TableDocument, formats: _Formats) -> None:
        self._sheet = sheet
        self._document = document
        self._formats = formats
        self._row = 0

    def fill(self) -> None:
        document, formats = self._document, self._formats
        self._set_page()
        self._say(document.title, formats.title)
        if document.subtitle:
            self._say(document.subtitle, formats.label)
        if document.watermark:
            self._say(document.watermark, formats.watermark)
        for label, value in document.facts:
            self._write(0, label, formats.label)
            self._say(value, formats.plain, column=1)
        self._row += 1
        self._fill_table()
        self._row += 1
        for note in document.notes:
            self._say(note, formats.label)

    def _fill_table(self) -> None:
        document, formats = self._document, self._formats
        head_row = self._row
        for number, column in enumerate(document.columns):
            self._write(number, column.title, formats.head)
        self._row += 1
        for row in document.rows:
            self._fill_row(row, is_total=False)
        if document.rows:
            self._sheet.autofilter(head_row, 0, self._row - 1, len(document.columns) - 1)
        for row in document.totals:
            self._fill_row(row, is_total=True)
        self._sheet.freeze_panes(head_row + 1, 0)
        self._sheet.repeat_rows(head_row)

    def _fill_row(self, row: Sequence[TableCell], *, is_total: bool) -> None:
        for number, (column, cell) in enumerate(zip(self._document.columns, row, strict=True)):
            self._fill_cell(number, column, cell, is_total=is_total)
        self._row += 1

    def _fill_cell(self, number: int, column: Column, cell: TableCell, *, is_total: bool) -> None:
        formats = self._formats
        text = formats.total if is_total else formats.text
        numbers = formats.totals if is_total else formats.numbers
        match cell:
            case None:
                self._sheet.write_blank(self._row, number, None, text)
            case date() if cell.year >= _FIRST_YEAR:
                self._sheet.write_datetime(self._row, number, cell, formats.date)
            case int() if column.kind is ColumnKind.FEN:
                # A float would be written with 16 digits: 9.78 as 9.779999999999999.
                yuan = Decimal(cell).scaleb(-2)
                self._sheet.write_number(self._row, number, yuan, numbers[ColumnKind.FEN])
            case int() if column.kind is ColumnKind.COUNT:
                self._sheet.write_number(self._row, number, cell, numbers[ColumnKind.COUNT])
            case _:
                self._write(number, str(cell), text)

    def _say(self, text: str, look: Any, *, column: int = 0) -> None:
        self._write(column, text, look)
        self._row += 1

    def _write(self, column: int, text: str, look: Any) -> None:
        """Write text as text: never as a formula, a link or a number."""
        self._sheet.write_string(self._row, column, _clean(text), look)

    def _set_page(self) -> None:
        for number, column in enumerate(self._document.columns):
            # A Chinese character is as wide as two of Excel's units.
            width = max(2 * column.width, _NARROWEST[column.kind])
            self._sheet.set_column(number, number, min(width, 80))
        self._sheet.set_paper(_A4)
        self._sheet.fit_to_pages(1, 0)
        self._sheet.set_footer("&C第 &P / &N 页")
        if sum(column.width for column in self._document.columns) > _ACROSS_FROM:
            self._sheet.set_landscape()
