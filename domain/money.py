"""Money as whole fen: parsing, showing, and the one place that rounds."""

from __future__ import annotations

import re
from enum import StrEnum
from fractions import Fraction

from domain.errors import InvalidInput

_YUAN = re.compile(r"\A[0-9]{1,9}(\.[0-9]{1,2})?\Z", re.ASCII)
MAX_FEN = 99_999_999_999
"""Largest amount in fen that yuan text may name: 999,999,999.99 yuan."""


class NotAnAmount(InvalidInput):
    """The text is not an amount of money."""

    code = "not_an_amount"
    message = "金额格式不对，例如 1260.00"


class Rounding(StrEnum):
    """To what a bill line is rounded, half up, as its last step.

    Source: domain.md D0.
    """

    FEN = "fen"
    JIAO = "jiao"
    YUAN = "yuan"

    @property
    def step_fen(self) -> int:
        """The width of one step, in fen."""
        return {Rounding.FEN: 1, Rounding.JIAO: 10, Rounding.YUAN: 100}[self]


def round_half_up(value_fen: Fraction, rounding: Rounding = Rounding.FEN) -> int:
    """Round an exact amount in fen to whole steps of the policy; halves go up, away from zero."""
    return divide_half_up(value_fen.numerator, value_fen.denominator, rounding.step_fen)


def divide_half_up(numerator: int, denominator: int, step: int = 1) -> int:
    """Divide two integers and round half away from zero to a multiple of ``step``.

    The integer form of :func:`round_half_up` for bulk charging; ``denominator`` and ``step`` are
    positive.
    """
    unit = denominator * step
    if numerator < 0:
        return -((-2 * numerator + unit) // (2 * unit)) * step
    return (2 * numerator + unit) // (2 * unit) * step


def parse_yuan(text: str) -> int:
    """Read an amount in yuan, at most two decimals, ASCII digits only, as fen.

    Raises:
        NotAnAmount: anything else, such as a sign, separators, exponents or full-width digits.
    """
    if not isinstance(text, str) or not _YUAN.match(text):
        raise NotAnAmount
    whole, _, decimals = text.partition(".")
    return int(whole) * 100 + int(decimals.ljust(2, "0"))


def format_yuan(amount_fen: int, *, separators: bool = False) -> str:
    """Write fen as yuan with two decimals, such as ``1260.00`` or ``1,260.00``."""
    sign = "-" if amount_fen < 0 else ""
    whole, decimals = divmod(abs(amount_fen), 100)
    return f"{sign}{whole:,}.{decimals:02d}" if separators else f"{sign}{whole}.{decimals:02d}"


def show_yuan(amount_fen: int) -> str:
    """Write fen the way people read them: ``¥1,260.00``, negative as ``-¥5.00``."""
    sign = "-" if amount_fen < 0 else ""
    return f"{sign}¥{format_yuan(abs(amount_fen), separators=True)}"
