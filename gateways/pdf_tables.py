"""Tables as PDF pages in Chinese, with the font that is shipped beside this module."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from reportlab.lib.pagesizes import A4, landscape
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import BaseDocTemplate, Frame, PageTemplate, Spacer, Table

from domain.money import format_yuan
from gateways.pdf_boxes import draw_watermark
from gateways.pdf_text import (
    FONT,
    GREY,
    INK,
    LEADING,
    LINE,
    SHADE,
    FlowingText,
    break_lines,
    glyphs,
    length,
)
from services.ports import Column, ColumnKind, TableCell, TableDocument

_MARGIN = 15 * mm
_ACROSS_FROM = 60
"""Columns that are wider together lie across: an upright page holds about so many characters."""
_SIZES = (9, 8.5, 8, 7.5, 7, 6.5, 6, 5.5, 5)
_NARROWEST = 4
"""Characters that a column of text gets at least, before the type becomes smaller."""
_PADDING = 3
_LINES_LIMIT = 20
"""Lines of text in one line of a table: fewer than fit a page that lies across."""


def lay_out(document: TableDocument) -> bytes:
    """Lay a document out on as many A4 pages as it needs."""
    width, height = A4
    if sum(column.width for column in document.columns) > _ACROSS_FROM:
        width, height = landscape(A4)
    out = io.BytesIO()
    template = BaseDocTemplate(
        out,
        pagesize=(width, height),
        leftMargin=_MARGIN,
        rightMargin=_MARGIN,
        topMargin=_MARGIN,
        bottomMargin=_MARGIN + 4 * mm,
        title=document.title.translate(glyphs()),
        lang="zh-CN",
        invariant=1,
        initialFontName=FONT,
    )
    frame = Frame(
        template.leftMargin, template.bottomMargin, template.width, template.height, 0, 0, 0, 0
    )
    template.addPageTemplates(
        PageTemplate(
            frames=[frame],
            onPage=lambda canvas, _: draw_watermark(canvas, document.watermark, width, height),
        )
    )
    template.build(list(_story(document, template.width)), canvasmaker=_NumberedPages)
    return out.getvalue()


class _NumberedPages(Canvas):  # type: ignore[misc]  # no types
    """Holds the pages back until their number is known."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._held: list[dict[str, Any]] = []

    def showPage(self) -> None:  # noqa: N802  # reportlab's name
        self._held.append(dict(self.__dict__))
        self._startPage()

    def save(self) -> None:
        held = self._held
        for number, page in enumerate(held, 1):
            self.__dict__.update(page)
            self.setFont(FONT, 8)
            self.setFillColor(GREY)
            text = f"第 {number} / {len(held)} 页"
            self.drawCentredString(self._pagesize[0] / 2, _MARGIN - 2 * mm, text)
            super().showPage()
        super().save()


def _story(document: TableDocument, width: float) -> Iterator[Any]:
    yield FlowingText(document.title, 16, alignment="center", is_bold=True)
    if document.subtitle:
        yield Spacer(0, 4)
        yield FlowingText(document.subtitle, 10, alignment="center", colour=GREY)
    yield Spacer(0, 10)
    if document.facts:
        yield _facts(document.facts, width)
        yield Spacer(0, 8)
    yield _Layout.fitting(document, width).table(document)
    yield Spacer(0, 8)
    if not document.rows:
        yield FlowingText("没有符合条件的记录", 9, alignment="center", colour=GREY)
        yield Spacer(0, 8)
    for note in document.notes:
        yield FlowingText(note, 8, colour=GREY)
        yield Spacer(0, 2)


def _facts(facts: Sequence[tuple[str, str]], width: float) -> Any:
    """Two facts to a line."""
    widths = [width * part for part in (0.14, 0.36, 0.14, 0.36)]
    texts = [text.translate(glyphs()) for fact in facts for text in fact]
    texts += ["", ""] * (len(facts) % 2)
    lines = [part for n in range(0, len(texts), 4) for part in _parts(texts[n : n + 4], widths, 9)]
    table = Table(lines, colWidths=widths)
    table.setStyle(
        [
            ("FONT", (0, 0), (-1, -1), FONT, 9, 9 * LEADING),
            ("TEXTCOLOR", (0, 0), (-1, -1), INK),
            ("TEXTCOLOR", (0, 0), (0, -1), GREY),
            ("TEXTCOLOR", (2, 0), (2, -1), GREY),
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("LEFTPADDING", (0, 0), (-1, -1), 0),
            ("RIGHTPADDING", (0, 0), (-1, -1), 2 * _PADDING),
            ("TOPPADDING", (0, 0), (-1, -1), 1),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 2),
        ]
    )
    return table


def _parts(texts: Sequence[str], widths: Sequence[float], size: float) -> Iterator[list[str]]:
    """Break the texts of one line to their columns.

    A text too long for a page goes on in further lines: reportlab moves lines as a whole.
    """
    broken = [
        break_lines(text, size, width - 2 * _PADDING)
        for text, width in zip(texts, widths, strict=True)
    ]
    for start in range(0, max(len(lines) for lines in broken), _LINES_LIMIT):
        yield ["\n".join(lines[start : start + _LINES_LIMIT]) for lines in broken]


@dataclass(frozen=True, slots=True)
class _Layout:
    """The size of the type and the widths of the columns in points."""

    size: float
    widths: list[float]

    @staticmethod
    def fitting(document: TableDocument, width: float) -> _Layout:
        """Find the largest type in which numbers stay on one line and text has room."""
        needed = [0.0] * len(document.columns)
        for row in (*document.rows, *document.totals):
            for number, (column, cell) in enumerate(zip(document.columns, row, strict=True)):
                if column.kind is not ColumnKind.TEXT and cell is not None:
                    needed[number] = max(needed[number], length(_shown(column, cell), 1))
        layout = _Layout(_SIZES[-1], [])
        for size in _SIZES:
            widths, has_room = _share_out(document.columns, needed, size, width)
            layout = _Layout(size, widths)
            if has_room:
                break
        return layout

    def table(self, document: TableDocument) -> Any:
        columns = document.columns
        lines: list[list[Any]] = [
            [
                FlowingText(column.title, self.size, alignment="center", is_bold=True)
                for column in columns
            ]
        ]
        for row in document.rows:
            lines += self._lines(columns, row)
        for row in document.totals:
            lines += [
                [
                    FlowingText(text, self.size, alignment=_alignment(column), is_bold=True)
                    for column, text in zip(columns, line, strict=True)
                ]
                for line in self._lines(columns, row)
            ]
        table = Table(lines, colWidths=self.widths, repeatRows=1)
        table.setStyle(
            [
                ("FONT", (0, 0), (-1, -1), FONT, self.size, self.size * LEADING),
                ("TEXTCOLOR", (0, 0), (-1, -1), INK),
                ("GRID", (0, 0), (-1, -1), 0.4, LINE),
                ("BACKGROUND", (0, 0), (-1, 0), SHADE),
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("VALIGN", (0, 0), (-1, 0), "MIDDLE"),
                ("LEFTPADDING", (0, 0), (-1, -1), _PADDING),
                ("RIGHTPADDING", (0, 0), (-1, -1), _PADDING),
                ("TOPPADDING", (0, 0), (-1, -1), 2),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 3),
                *(
                    ("ALIGN", (number, 1), (number, -1), _alignment(column).upper())
                    for number, column in enumerate(columns)
                ),
            ]
        )
        return table

    def _lines(self, columns: Sequence[Column], row: Sequence[TableCell]) -> Iterator[list[str]]:
        texts = [_shown(column, cell) for column, cell in zip(columns, row, strict=True)]
        return _parts(texts, self.widths, self.size)


def _share_out(
    columns: Sequence[Column], needed: Sequence[float], size: float, width: float
) -> tuple[list[float], bool]:
    """Give columns their share; numbers that need more take it from the columns of text."""
    whole = sum(column.width for column in columns)
    widths = [
        max(width * column.width / whole, length * size + 2 * _PADDING + 1 if length else 0)
        for column, length in zip(columns, needed, strict=True)
    ]
    is_text = [column.kind is ColumnKind.TEXT for column in columns]
    text = sum(share for share, takes in zip(widths, is_text, strict=True) if takes)
    left = width - (sum(widths) - text)
    if not text or left <= 0:
        return [share * width / sum(widths) for share in widths], sum(widths) <= width + 0.01
    widths = [
        share * left / text if takes else share
        for share, takes in zip(widths, is_text, strict=True)
    ]
    least = _NARROWEST * size + 2 * _PADDING
    return widths, all(
        share >= least for share, takes in zip(widths, is_text, strict=True) if takes
    )


def _alignment(column: Column) -> str:
    return "right" if column.kind in (ColumnKind.FEN, ColumnKind.COUNT) else "left"


def _shown(column: Column, cell: TableCell) -> str:
    match cell:
        case None:
            return ""
        case date():
            return cell.isoformat()
        case int() if column.kind is ColumnKind.FEN:
            return format_yuan(cell, separators=True)
        case int() if column.kind is ColumnKind.COUNT:
            return f"{cell:,}"
        case _:
            return str(cell).translate(glyphs())
