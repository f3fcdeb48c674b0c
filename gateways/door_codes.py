"""Door codes on A4: two by three cards with a QR code each, and the lines to cut along."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm

from gateways.pdf_boxes import Box, fit_text, open_file
from gateways.pdf_text import GREY
from gateways.qr_codes import HIGH, draw_code, encode
from services.printing import DoorCode

_COLUMNS, _ROWS = 2, 3
_MARGIN = 10 * mm
_CARD_WIDTH = (A4[0] - 2 * _MARGIN) / _COLUMNS
_CARD_HEIGHT = (A4[1] - 2 * _MARGIN) / _ROWS
_PADDING = 4 * mm
_CODE = 56 * mm
"""A code with its quiet zone; from the least version on its dark part is 45 mm wide or more."""
_LEAST_VERSION = 4


def draw_door_codes(codes: Sequence[DoorCode]) -> bytes:
    """Draw six cards on a page, from the left, from the top.

    Raises:
        ValueError: an address does not fit a code.
    """
    canvas, out = open_file("缴费二维码", *A4)
    for start in range(0, len(codes), _COLUMNS * _ROWS):
        _draw_cut_lines(canvas)
        for number, code in enumerate(codes[start : start + _COLUMNS * _ROWS]):
            row, column = divmod(number, _COLUMNS)
            x = _MARGIN + column * _CARD_WIDTH
            _draw_card(canvas, code, x, A4[1] - _MARGIN - row * _CARD_HEIGHT)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def _draw_cut_lines(canvas: Any) -> None:
    canvas.setStrokeColor(GREY)
    canvas.setLineWidth(0.5)
    canvas.setDash(3, 3)
    for column in range(_COLUMNS + 1):
        x = _MARGIN + column * _CARD_WIDTH
        canvas.line(x, _MARGIN, x, A4[1] - _MARGIN)
    for row in range(_ROWS + 1):
        y = _MARGIN + row * _CARD_HEIGHT
        canvas.line(_MARGIN, y, A4[0] - _MARGIN, y)
    canvas.setDash()


def _draw_card(canvas: Any, code: DoorCode, x: float, top: float) -> None:
    def write(text: str, down: float, height: float, size: float, **look: Any) -> None:
        box = Box(x + _PADDING, top - down * mm, _CARD_WIDTH - 2 * _PADDING, height * mm)
        fit_text(canvas, text, box, size, alignment="center", **look)

    write(code.community, 3, 7, 13)
    write(code.house, 10, 13, 22, is_bold=True)
    encoded = encode(code.url, correction=HIGH, least_version=_LEAST_VERSION)
    draw_code(canvas, encoded, x + (_CARD_WIDTH - _CODE) / 2, top - 22.5 * mm - _CODE, _CODE)
    write(code.hint, 77.5, 7, 12.5)
    write(f"{code.community} {code.house}", 85, 5, 8, colour=GREY)
