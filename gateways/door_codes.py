"""Door codes on A4: two by three cards with a QR code each, and the lines to cut along."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reportlab.lib.units import mm

from gateways.pdf_boxes import Box, fit_text
from gateways.pdf_grid import card_size, draw_cards
from gateways.pdf_text import GREY
from gateways.qr_codes import HIGH, draw_code, encode
from services.printing import DoorCode

_COLUMNS, _ROWS = 2, 3
_CARD_WIDTH, _CARD_HEIGHT = card_size(_COLUMNS, _ROWS)
_PADDING = 4 * mm
_CODE = 56 * mm
"""A code with its quiet zone; from the least version on its dark part is 45 mm wide or more."""
_LEAST_VERSION = 4


def draw_door_codes(codes: Sequence[DoorCode]) -> bytes:
    """Draw six cards on a page, from the left, from the top.

    Raises:
        ValueError: an address does not fit a code.
    """
    return draw_cards("缴费二维码", codes, _draw_card, columns=_COLUMNS, rows=_ROWS)


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
