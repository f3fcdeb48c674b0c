"""Labels of equipment on A4: two by seven, a QR code and words each, and lines to cut along."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reportlab.lib.units import mm

from gateways.pdf_boxes import Box, fit_text
from gateways.pdf_grid import card_size, draw_cards
from gateways.pdf_text import GREY
from gateways.qr_codes import HIGH, draw_code, encode
from services.printing import EquipmentLabel

_COLUMNS, _ROWS = 2, 7
_WIDTH, _HEIGHT = card_size(_COLUMNS, _ROWS)
_CODE = 36 * mm
"""A code with its quiet zone; the dark part is 28 mm wide or more, legible at arm's length."""
_PADDING = 2 * mm
_LEAST_VERSION = 3


def draw_equipment_labels(labels: Sequence[EquipmentLabel]) -> bytes:
    """Draw fourteen labels on a page, from the left, from the top.

    Raises:
        ValueError: an address does not fit a code.
    """
    return draw_cards("设备标签", labels, _draw_label, columns=_COLUMNS, rows=_ROWS)


def _draw_label(canvas: Any, label: EquipmentLabel, x: float, top: float) -> None:
    left = x + _CODE + _PADDING
    width = _WIDTH - _CODE - 2 * _PADDING

    def write(text: str, down: float, height: float, size: float, **look: Any) -> None:
        fit_text(canvas, text, Box(left, top - down * mm, width, height * mm), size, **look)

    encoded = encode(label.url, correction=HIGH, least_version=_LEAST_VERSION)
    draw_code(canvas, encoded, x + _PADDING / 2, top - (_HEIGHT + _CODE) / 2, _CODE)
    write(label.community, 2.5, 5, 9, colour=GREY)
    write(label.name, 8, 10, 15, is_bold=True)
    write(label.place, 18.5, 7, 9.5)
    write(label.number, 26, 5, 9)
    write(label.hint, 31.5, 5, 9, colour=GREY)
