"""What slips and tables draw at a fixed place: text that must fit a box, watermarks, new files."""

from __future__ import annotations

import io
from dataclasses import dataclass
from math import cos, radians, sin
from typing import Any

from reportlab.pdfgen.canvas import Canvas

from gateways.pdf_text import FONT, INK, WATER, FlowingText, glyphs, length

_TILT = 35
"""Degrees by which the watermark rises."""
_SMALLER = 0.94


@dataclass(frozen=True, slots=True)
class Box:
    """A place on a page in points; ``top`` is its upper edge, counted from the foot of the page."""

    x: float
    top: float
    width: float
    height: float


def open_file(title: str, width: float, height: float) -> tuple[Any, io.BytesIO]:
    """Begin a PDF whose bytes depend on nothing but what is drawn; sizes in points."""
    shown = glyphs()
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=(width, height), invariant=1, initialFontName=FONT, lang="zh-CN")
    canvas.setTitle(title.translate(shown))
    return canvas, out


def fit_text(
    canvas: Any,
    text: str,
    box: Box,
    size: float,
    *,
    alignment: str = "left",
    colour: Any = INK,
    is_bold: bool = False,
) -> None:
    """Draw text in the middle of a box's height: it wraps, then shrinks, and is never cut."""
    while True:
        flowing = FlowingText(text, size, alignment=alignment, colour=colour, is_bold=is_bold)
        flowing.wrap(box.width, box.height)
        if flowing.height <= box.height:
            break
        size *= _SMALLER
    flowing.drawOn(canvas, box.x, box.top - (box.height + flowing.height) / 2)


def draw_watermark(
    canvas: Any, text: str, width: float, height: float, colour: Any = WATER
) -> None:
    """Write a text large and grey across a page; nothing if it is empty."""
    shown = text.translate(glyphs())
    if not shown.strip():
        return
    room = 0.9 * min(width / cos(radians(_TILT)), height / sin(radians(_TILT)))
    size = min(90, room / length(shown, 1))
    canvas.saveState()
    canvas.setFillColor(colour)
    canvas.setFont(FONT, size)
    canvas.translate(width / 2, height / 2)
    canvas.rotate(_TILT)
    canvas.drawCentredString(0, -size / 3, shown)
    canvas.restoreState()
