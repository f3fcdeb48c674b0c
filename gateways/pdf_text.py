"""Chinese text on PDF pages: the font shipped beside this module, line breaks, flowing text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

from reportlab.lib.colors import HexColor
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import Flowable

FONT = "WenQuanYiMicroHei"
_FONT_FILE = Path(__file__).parent / "fonts" / "wqy-microhei.ttc"
LEADING = 1.35
"""From line to line, as a multiple of the size of the type."""
INK, GREY, LINE, SHADE, WATER = (
    HexColor(colour) for colour in ("#1F2328", "#59636E", "#BFC5CC", "#EEF1F4", "#E3E6EA")
)

_MISSING = "〓"
"""What the trade prints for a character that it has no type for."""
_CLOSING = r"，。、；：！？）」』】》〉”’…％‰·～℃㎡"
_OPENING = r"（「『【《〈“‘￥¥"
_UNIT = re.compile(
    rf"[{_OPENING}]*(?:[!-~]+|[^{_OPENING}])(?:[{_CLOSING}])*|[{_OPENING}]+", re.DOTALL
)
"""What is not torn apart: a word or number in ASCII, a character with the marks that cling to it.

Source: GB/T 15834, marks at the beginning and the end of lines.
"""
_SLACK = 0.01

LAYING_OUT = Lock()
"""Held while a PDF is laid out: the library reads the font through one file that all threads share.
"""
_LOADING = Lock()
"""A font registered a second time would replace the one that another thread is drawing with."""


def glyphs() -> Glyphs:
    """Load the font, once, and tell how it shows each character."""
    with _LOADING:
        return _load()


@cache
def _load() -> Glyphs:
    font = TTFont(FONT, str(_FONT_FILE), subfontIndex=0)
    pdfmetrics.registerFont(font)
    return Glyphs(font.face.charToGlyph)


class Glyphs(dict[int, str]):
    """For `str.translate`: how each character is shown in our font."""

    def __init__(self, known: dict[int, int]) -> None:
        super().__init__()
        self._known = known

    def __missing__(self, code: int) -> str:
        character = chr(code)
        kind = unicodedata.category(character)
        if character == "\n":
            shown = character
        elif kind in ("Cf", "Mn", "Me"):
            # Joiners and variation selectors have no shape of their own.
            shown = ""
        elif kind == "Cc":
            shown = " "
        else:
            shown = character if code in self._known else _MISSING
        self[code] = shown
        return shown


def length(text: str, size: float) -> float:
    """Measure a line of text, in points."""
    return float(pdfmetrics.stringWidth(text, FONT, size))


def break_lines(text: str, size: float, width: float) -> list[str]:
    """Break text into lines of at most ``width`` points; at least one line, which may be empty.

    Words and numbers stay whole if they can, and marks never begin a line that they should end.
    """
    if "\n" not in text and length(text, size) <= width:
        return [text]
    return [
        line for paragraph in text.split("\n") for line in _break_paragraph(paragraph, size, width)
    ]


def _break_paragraph(text: str, size: float, width: float) -> Iterator[str]:
    line, used = "", 0.0
    for unit in _units(text, size, width):
        needed = length(unit, size)
        if line and used + needed > width + _SLACK:
            yield line
            line, used = "", 0.0
            if unit.isspace():
                continue
        line += unit
        used += needed
    yield line


def _units(text: str, size: float, width: float) -> Iterator[str]:
    for unit in _UNIT.findall(text):
        if length(unit, size) > width:
            yield from unit
        else:
            yield unit


class FlowingText(Flowable):  # type: ignore[misc]  # reportlab has no types
    """Text that takes the width it is given and may go on on the next page.

    Bold is what the font lacks: its outlines are drawn a little thicker.
    """

    def __init__(
        self,
        text: str,
        size: float,
        *,
        alignment: str = "left",
        colour: Any = INK,
        is_bold: bool = False,
    ) -> None:
        super().__init__()
        self._text = text.translate(glyphs())
        self._size = size
        self._look = {"alignment": alignment, "colour": colour, "is_bold": is_bold}
        self._lines: list[str] = []

    def wrap(self, width: float, _: float) -> tuple[float, float]:
        """Break the text to a width and tell the room it takes; all in points."""
        self._lines = break_lines(self._text, self._size, width)
        self.width, self.height = width, len(self._lines) * self._size * LEADING
        return self.width, self.height

    def split(self, width: float, height: float) -> list[FlowingText]:
        """Part the text where the page ends; nothing if not even a line fits."""
        self.wrap(width, height)
        fitting = int(height // (self._size * LEADING))
        parts = [self._lines[:fitting], self._lines[fitting:]]
        return (
            [FlowingText("\n".join(part), self._size, **self._look) for part in parts if part]
            if fitting
            else []
        )

    def draw(self) -> None:
        """Draw the lines as they were last broken."""
        canvas, size = self.canv, self._size
        canvas.setFont(FONT, size)
        canvas.setFillColor(self._look["colour"])
        canvas.setStrokeColor(self._look["colour"])
        canvas.setLineWidth(size * 0.035)
        x, place = {
            "left": (0, canvas.drawString),
            "center": (self.width / 2, canvas.drawCentredString),
            "right": (self.width, canvas.drawRightString),
        }[self._look["alignment"]]
        for number, line in enumerate(self._lines):
            y = self.height - number * size * LEADING - size
            place(x, y, line, mode=2 if self._look["is_bold"] else 0)
