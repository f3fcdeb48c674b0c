"""Cards side by side on A4, with the lines to cut them apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm

from gateways.pdf_boxes import open_file
from gateways.pdf_text import GREY

T = TypeVar("T")
_MARGIN = 10 * mm


def card_size(columns: int, rows: int) -> tuple[float, float]:
    """Tell how wide and high a card is, in points."""
    return (A4[0] - 2 * _MARGIN) / columns, (A4[1] - 2 * _MARGIN) / rows


def draw_cards(
    title: str,
    items: Sequence[T],
    draw: Callable[[Any, T, float, float], None],
    *,
    columns: int,
    rows: int,
) -> bytes:
    """Draw a card for each item, from the left, from the top, page after page.

    ``draw`` is given the canvas, the item, and where the card's left and upper edges are.
    """
    canvas, out = open_file(title, *A4)
    width, height = card_size(columns, rows)
    for start in range(0, len(items), columns * rows):
        _draw_cut_lines(canvas, columns, rows)
        for number, item in enumerate(items[start : start + columns * rows]):
            row, column = divmod(number, columns)
            draw(canvas, item, _MARGIN + column * width, A4[1] - _MARGIN - row * height)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def _draw_cut_lines(canvas: Any, columns: int, rows: int) -> None:
    width, height = card_size(columns, rows)
    canvas.setStrokeColor(GREY)
    canvas.setLineWidth(0.5)
    canvas.setDash(3, 3)
    for column in range(columns + 1):
        x = _MARGIN + column * width
        canvas.line(x, _MARGIN, x, A4[1] - _MARGIN)
    for row in range(rows + 1):
        y = _MARGIN + row * height
        canvas.line(_MARGIN, y, A4[0] - _MARGIN, y)
    canvas.setDash()
