"""Workbooks for clerks: the template to fill in, and their own sheet back with what is wrong."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import xlsxwriter

from domain.cells import Cell
from domain.import_templates import ADVICE, SheetTemplate, TemplateColumn
from domain.sheets import PROBLEM_TITLE, Row
from gateways.xlsx_tables import NOT_IN_XML
from services.ports import Sheet

_MADE_AT = datetime(2000, 1, 1, tzinfo=UTC)
_FONT = {"font_name": "微软雅黑", "font_size": 10}
_LAST_ROW = 59_999
"""As far down as a sheet may reach."""
_GUIDE = "说明"
_FIRST_YEAR = 1900
_MARK_WIDTH = 60
_CELL_LIMIT = 32_767
_NAME_LIMIT = 31


class ImportWorkbooks:
    """Implements `services.ports.ImportSheetWriter` with XlsxWriter."""

    def write_template(self, templates: Sequence[SheetTemplate]) -> bytes:
        """Write an empty sheet for each template and one that explains their columns."""
        out = io.BytesIO()
        with xlsxwriter.Workbook(out) as workbook:
            workbook.set_properties({"created": _MADE_AT})
            head = workbook.add_format(
                {**_FONT, "bold": True, "bg_color": "#EEF1F4", "border": 1, "text_wrap": True}
            )
            text = workbook.add_format({**_FONT, "num_format": "@"})
            plain = workbook.add_format(_FONT)
            for template in templates:
                sheet = workbook.add_worksheet(template.name)
                for number, column in enumerate(template.columns):
                    _lay_out(sheet, number, column, head, text if column.is_text else plain)
                sheet.freeze_panes(1, 0)
            _explain(workbook.add_worksheet(_GUIDE), templates, head, plain)
        return out.getvalue()

    def write_marked(self, sheet: Sheet, *, header_row: int, marks: Mapping[int, str]) -> bytes:
        """Write a sheet as it was handed in, and beside each row in trouble the reasons."""
        rows = _without_marks(sheet.rows, header_row)
        column = max((len(row) for row in rows), default=0)
        out = io.BytesIO()
        with xlsxwriter.Workbook(out, {"constant_memory": True}) as workbook:
            workbook.set_properties({"created": _MADE_AT})
            looks = _Looks(workbook)
            page = workbook.add_worksheet(sheet.name[:_NAME_LIMIT])
            page.set_column(column, column, _MARK_WIDTH)
            for number, row in enumerate(rows):
                mark = marks.get(number + 1, "")
                for position, cell in enumerate(row):
                    _write(page, number, position, cell, looks, is_bad=bool(mark))
                if number == header_row:
                    page.write_string(number, column, PROBLEM_TITLE, looks.mark)
                elif mark:
                    page.write_string(number, column, mark[:_CELL_LIMIT], looks.mark)
        return out.getvalue()


def _lay_out(sheet: Any, number: int, column: TemplateColumn, head: Any, body: Any) -> None:
    sheet.set_column(number, number, 2 * column.width + 2, body)
    sheet.write_string(0, number, column.title, head)
    needed = "必填。" if column.is_needed else ""
    hint = f"{needed}{column.hint}\n例如：{column.example}" if column.example else column.hint
    sheet.write_comment(0, number, hint or needed + column.title, {"x_scale": 1.6})
    if column.choices:
        sheet.data_validation(
            1,
            number,
            _LAST_ROW,
            number,
            {
                "validate": "list",
                "source": list(column.choices),
                "error_title": column.title,
                "error_message": "请从下拉列表中选择",
            },
        )


def _explain(sheet: Any, templates: Sequence[SheetTemplate], head: Any, plain: Any) -> None:
    sheet.set_column(0, 3, 18)
    sheet.set_column(4, 4, 50)
    row = 0
    for advice in ADVICE:
        sheet.write_string(row, 0, advice, plain)
        row += 1
    for title in ("工作表", "列", "必填", "示例", "说明"):
        sheet.write_string(row, ("工作表", "列", "必填", "示例", "说明").index(title), title, head)
    for template in templates:
        for column in template.columns:
            row += 1
            needed = "*" if column.is_needed else ""
            words = (template.name, column.title, needed, column.example, column.hint)
            for position, word in enumerate(words):
                sheet.write_string(row, position, word, plain)


class _Looks:
    """The formats of an error file, plain and of rows in trouble."""

    def __init__(self, workbook: Any) -> None:
        bad = {"bg_color": "#FFF2CC"}
        day = {"num_format": "yyyy-mm-dd", "align": "left"}
        moment = {"num_format": "yyyy-mm-dd hh:mm:ss", "align": "left"}
        self.of = {
            (kind, is_bad): workbook.add_format({**_FONT, **look, **(bad if is_bad else {})})
            for kind, look in (("plain", {}), ("day", day), ("moment", moment))
            for is_bad in (False, True)
        }
        self.mark = workbook.add_format({**_FONT, **bad, "font_color": "#C00000"})


def _write(page: Any, row: int, column: int, cell: Cell, looks: _Looks, *, is_bad: bool) -> None:
    plain = looks.of["plain", is_bad]
    match cell:
        case "" if not is_bad:
            return
        case bool():
            page.write_boolean(row, column, cell, plain)
        case int() | float():
            page.write_number(row, column, cell, plain)
        case datetime() if cell.year >= _FIRST_YEAR:
            page.write_datetime(row, column, cell, looks.of["moment", is_bad])
        case date() if cell.year >= _FIRST_YEAR:
            page.write_datetime(row, column, cell, looks.of["day", is_bad])
        case "":
            page.write_blank(row, column, None, plain)
        case _:
            page.write_string(row, column, NOT_IN_XML.sub(" ", str(cell))[:_CELL_LIMIT], plain)


def _without_marks(rows: Sequence[Row], header_row: int) -> Sequence[Row]:
    """Leave out the column of reasons that an earlier error file added."""
    header = [str(cell).strip() for cell in rows[header_row]] if header_row < len(rows) else []
    if PROBLEM_TITLE not in header:
        return rows
    at = header.index(PROBLEM_TITLE)
    return [[*row[:at], *row[at + 1 :]] for row in rows]
