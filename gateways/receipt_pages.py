"""Receipts on pages of 210 × 140 mm: the head with the code on each, and the strips below it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reportlab.lib.colors import HexColor
from reportlab.lib.units import mm

from gateways.pdf_boxes import Box, draw_watermark, fit_text, open_file
from gateways.pdf_text import GREY, INK
from gateways.qr_codes import MEDIUM, draw_code, encode
from gateways.receipt_blocks import LEFT, WIDTH, Block, blocks_of
from services.printing import ReceiptSheet

PAGE = (210 * mm, 140 * mm)
"""Two receipts on a sheet of A4, or the middle form of three-part paper."""
_TITLE = "收款收据"
_FACTS_TOP = PAGE[1] - 29 * mm
_TABLE_TOP: float = PAGE[1] - 37.5 * mm
_GAP = 1.5 * mm
"""Above the table, after the facts."""
_BOTTOM = 11 * mm
_CODE = 27 * mm
_CODE_X = LEFT + WIDTH - _CODE
_MARKS = (44 * mm, 16 * mm)
_VOID = HexColor("#D3D7DC")


def draw_receipts(sheets: Sequence[ReceiptSheet]) -> bytes:
    """Draw receipts, each on pages of its own.

    Raises:
        ValueError: a total has no capitals, or an address does not fit a code.
    """
    title = f"{_TITLE} {sheets[0].receipt_no}" if len(sheets) == 1 else _TITLE
    canvas, out = open_file(title, *PAGE)
    for sheet in sheets:
        code = encode(sheet.verify_url, correction=MEDIUM)
        pages = _pages(sheet)
        for number, placed in enumerate(pages, 1):
            draw_watermark(canvas, sheet.watermark, *PAGE, colour=_VOID)
            _draw_head(canvas, sheet, code)
            for top, block in placed:
                block.draw(canvas, top)
            foot = Box(LEFT, _BOTTOM - 1 * mm, WIDTH, 4 * mm)
            text = f"第 {number}/{len(pages)} 页"
            fit_text(canvas, text, foot, 8, alignment="center", colour=GREY)
            canvas.showPage()
    canvas.save()
    return out.getvalue()


def _pages(sheet: ReceiptSheet) -> list[list[tuple[float, Block]]]:
    """Place the strips of a receipt, each with its upper edge, on as many pages as they need."""
    pages: list[list[tuple[float, Block]]] = [[]]
    top, head = _FACTS_TOP, None
    for block in blocks_of(sheet):
        if _below_head(top, block, head) - block.keep < _BOTTOM:
            pages.append([])
            top, head = _TABLE_TOP, None
        if block.head and block.head is not head:
            top, head = _below_head(top, block, head), block.head
            pages[-1].append((top + head.height, head))
        pages[-1].append((top, block))
        top -= block.height
    return pages


def _below_head(top: float, block: Block, head: Block | None) -> float:
    """Tell where a strip would begin if the head of its kind that the page has is ``head``."""
    if block.head is None or block.head is head:
        return top
    return float(min(top, _TABLE_TOP) - _GAP - block.head.height)


def _draw_head(canvas: Any, sheet: ReceiptSheet, code: Any) -> None:
    def box(x: float, down: float, width: float, height: float) -> Box:
        return Box(x * mm, PAGE[1] - down * mm, width * mm, height * mm)

    fit_text(canvas, sheet.community, box(60, 6, 90, 6.5), 11, alignment="center")
    fit_text(canvas, _TITLE, box(60, 12.5, 90, 9), 19, alignment="center", is_bold=True)
    fit_text(canvas, f"编号：{sheet.receipt_no}", box(12, 22.5, 88, 5), 10, is_bold=True)
    issued = f"开具日期：{sheet.issued_on}"
    fit_text(canvas, issued, box(101, 22.5, 66, 5), 9, alignment="right")
    draw_code(canvas, code, _CODE_X, PAGE[1] - 5 * mm - _CODE, _CODE)
    caption = Box(_CODE_X, PAGE[1] - 31.5 * mm, _CODE, 4.5 * mm)
    fit_text(canvas, "扫码验真", caption, 9, alignment="center")
    _draw_marks(canvas, sheet.marks)


def _draw_marks(canvas: Any, marks: Sequence[str]) -> None:
    """Frame each word at the head of a receipt, on the left; many of them become flat."""
    width, room = _MARKS
    height = min(6.5 * mm, room / max(1, len(marks)))
    for number, mark in enumerate(marks):
        inner = Box(LEFT, PAGE[1] - 6 * mm - number * height, width, height * 0.85)
        canvas.setStrokeColor(INK)
        canvas.setLineWidth(0.8)
        canvas.rect(inner.x, inner.top - inner.height, inner.width, inner.height)
        fit_text(canvas, mark, inner, 9.5, alignment="center", is_bold=True)
