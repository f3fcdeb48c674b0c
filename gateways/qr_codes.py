"""QR codes: as filled squares on PDF pages, and as PNG images."""

from __future__ import annotations

import io
from itertools import groupby
from typing import Any

from qrcode import QRCode
from qrcode.constants import ERROR_CORRECT_M, ERROR_CORRECT_Q
from reportlab.lib.colors import black

QUIET = 4
"""Light modules around a code on each side.

Source: ISO/IEC 18004, quiet zone.
"""
_BYTES_LIMIT = 300
"""Longer addresses would make modules too small to print on a receipt."""
_OVERLAP = 1.02
"""Squares reach a little under their neighbours: viewers would show hairs between exact ones."""
MEDIUM, HIGH = ERROR_CORRECT_M, ERROR_CORRECT_Q


def encode(text: str, *, correction: int, least_version: int = 1) -> Any:
    """Make the code of a text, of ``least_version`` at least.

    Raises:
        ValueError: the text is empty or longer than 300 bytes.
    """
    content = text.encode("utf-8")
    if not 0 < len(content) <= _BYTES_LIMIT:
        raise ValueError(f"no text for a code: {len(content)} bytes")
    code = QRCode(version=least_version, error_correction=correction, box_size=10, border=QUIET)
    code.add_data(content)
    code.make(fit=True)
    return code


def draw_code(canvas: Any, code: Any, x: float, y: float, side: float) -> None:
    """Fill a code into a square with its lower left corner at x, y; the quiet zone included."""
    module = side / (code.modules_count + 2 * QUIET)
    path = canvas.beginPath()
    top = y + side - QUIET * module
    for row, modules in enumerate(code.modules):
        column = 0
        for is_dark, run in groupby(modules):
            width = len(list(run))
            if is_dark:
                path.rect(
                    x + (QUIET + column) * module,
                    top - (row + 1) * module,
                    width * module,
                    module * _OVERLAP,
                )
            column += width
    canvas.setFillColor(black)
    canvas.drawPath(path, stroke=0, fill=1, fillMode=1)


def draw_png(text: str) -> bytes:
    """Draw a code as a black and white PNG image, ten pixels for a module.

    Raises:
        ValueError: the text is empty or longer than 300 bytes.
    """
    out = io.BytesIO()
    encode(text, correction=MEDIUM).make_image().save(out)
    return out.getvalue()
