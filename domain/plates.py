"""Number plates of cars: one reader for all doors."""

from __future__ import annotations

import re
import unicodedata

_PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
_NOISE = re.compile(r"[\s·.•\-—]")
_ORDINARY = re.compile(rf"\A[{_PROVINCES}][A-HJ-NP-Z][A-HJ-NP-Z0-9]{{4}}[A-HJ-NP-Z0-9挂学警港澳]\Z")
_NEW_ENERGY = re.compile(
    rf"\A[{_PROVINCES}][A-HJ-NP-Z](?:[A-HJK][A-HJ-NP-Z0-9][0-9]{{4}}|[0-9]{{5}}[A-HJK])\Z"
)
"""Source: GA 36-2018; the letters I and O are not used."""


def tidy_plate(text: str) -> str | None:
    """Write a plate the way it is on file, such as ``粤B96741``; None for what is no plate.

    Full-width signs, small letters, blanks, dots and hyphens are tidied; a new-energy plate has
    eight characters.
    """
    plate = _NOISE.sub("", unicodedata.normalize("NFKC", text)).upper()
    return plate if _ORDINARY.match(plate) or _NEW_ENERGY.match(plate) else None
