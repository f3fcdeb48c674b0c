"""Our order and refund numbers, which become part of signed paths."""

from __future__ import annotations

import re

from domain.errors import PlatformRefused

_FORM = re.compile(r"[0-9A-Za-z]{6,64}", re.ASCII)


def check_number(number: str, *, longest: int) -> None:
    """Let only plain numbers out: of the marks some platform pages allow we use none.

    Source: platforms.md 4.6.

    Raises:
        PlatformRefused: PARAM_ERROR.
    """
    if not _FORM.fullmatch(number) or len(number) > longest:
        raise PlatformRefused("订单号格式不对", vendor_code="PARAM_ERROR")
