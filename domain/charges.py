"""How much a house owes for an item: exact lines, each with the trace that explains it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import NamedTuple

from domain.money import Rounding, divide_half_up, format_yuan
from domain.periods import Proration, Span, split_months

_AREA_SCALE = 10_000
"""Areas and coefficients have four decimals; they are charged as integers of ten-thousandths."""


class ChargeMethod(StrEnum):
    """How an item is charged."""

    AREA = "area"
    FIXED = "fixed"


@dataclass(frozen=True, slots=True)
class Price:
    """A unit price in yuan and the days for which it holds; ``ends_before`` None is open.

    Per ㎡ and month for ``area``; per month for ``fixed``.
    """

    unit_price: Decimal
    starts_on: date
    ends_before: date | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """What an item asks for: method, prices by date (no overlap, sorted), rounding, proration."""

    method: ChargeMethod
    prices: tuple[Price, ...]
    rounding: Rounding = Rounding.FEN
    proration: Proration = Proration.ACTUAL_MONTH


class ChargedLine(NamedTuple):
    """One line: whole fen, its days, and ``trace``, a JSON object as text (see `Charger`)."""

    amount_fen: int
    span: Span
    trace: str


class Part(NamedTuple):
    """A stretch with one price: everything of it that is the same for all houses."""

    span: Span
    numerator: int
    denominator: int
    trace_head: str


class Basis(NamedTuple):
    """What a house brings to its charges: ``weight`` for the sum, ``trace_tail`` for the trace."""

    weight: int
    trace_tail: str


PER_HOUSE = Basis(1, "}")
"""The basis of a charge that is the same for every house."""


def area_basis(area: Decimal, coefficient: Decimal) -> Basis:
    """Make the basis of a charge by area in ㎡, times the house's coefficient."""
    weight = _scaled(area) * _scaled(coefficient)
    return Basis(weight, f',"area":"{trim(area)}","coefficient":"{trim(coefficient)}"}}')


class PriceMissing(Exception):
    """No price holds for some liable days: an exception row, never a zero.

    Not a `PropertyError`: it names a house's trouble inside a run and never reaches a front.
    """

    def __init__(self, days: Span) -> None:
        super().__init__(str(days))
        self.days = days


def trim(number: Decimal) -> str:
    """Write a decimal without trailing zeros or exponent: ``2.350000`` becomes ``2.35``."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


class Charger:
    """Charges one item for many houses; houses with the same liable span share the work.

    The trace of a line is a JSON object: ``method``, ``unit_price`` (yuan), ``months`` (exact,
    such as ``1`` or ``15/31``), ``from`` and ``until`` (half-open), ``rounding``,
    ``rounding_fen`` (what a coarser policy than fen added), and for ``area`` also ``area`` (㎡)
    and ``coefficient``.

    Source: domain.md D0-D2: exact until the line, rounded half up once.
    """

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._step = terms.rounding.step_fen
        self._parts: dict[Span, tuple[Part, ...]] = {}

    def charge(
        self, liable: Span, *, area: Decimal | None = None, coefficient: Decimal = Decimal(1)
    ) -> list[ChargedLine]:
        """Compute the lines of one house for its liable days; one line per price that held.

        Raises:
            PriceMissing: part of the span has no price.
        """
        if self._terms.method is ChargeMethod.FIXED:
            return self.charge_parts(self.parts(liable), PER_HOUSE)
        if area is None:
            raise ValueError("an area charge needs an area")
        return self.charge_parts(self.parts(liable), area_basis(area, coefficient))

    @property
    def is_by_area(self) -> bool:
        """Whether a house's area counts."""
        return self._terms.method is ChargeMethod.AREA

    def parts(self, liable: Span) -> tuple[Part, ...]:
        """Split liable days where the price changes; the same for all houses.

        Raises:
            PriceMissing: part of the span has no price.
        """
        parts = self._parts.get(liable)
        if parts is None:
            parts = self._parts[liable] = self._split(liable)
        return parts

    def charge_parts(self, parts: tuple[Part, ...], basis: Basis) -> list[ChargedLine]:
        """Compute one line per part for a house: exact, then rounded once."""
        weight, tail = basis
        step = self._step
        lines = []
        for span, factor, denominator, head in parts:
            numerator = factor * weight
            amount_fen = divide_half_up(numerator, denominator, step)
            rounding_fen = 0 if step == 1 else amount_fen - divide_half_up(numerator, denominator)
            lines.append(
                ChargedLine(amount_fen, span, f'{head},"rounding_fen":{rounding_fen}{tail}')
            )
        return lines

    def _split(self, liable: Span) -> tuple[Part, ...]:
        terms = self._terms
        scale = _AREA_SCALE * _AREA_SCALE if terms.method is ChargeMethod.AREA else 1
        parts = []
        cuts = [price.starts_on for price in terms.prices]
        cuts += [price.ends_before for price in terms.prices if price.ends_before]
        for span, months in split_months(liable, cuts, terms.proration):
            price = _price_on(terms.prices, span)
            rate = 100 * Fraction(price.unit_price) * months / scale
            head = (
                f'{{"method":"{terms.method}","unit_price":"{trim(price.unit_price)}"'
                f',"months":"{months}","from":"{span.starts_on}","until":"{span.ends_before}"'
                f',"rounding":"{terms.rounding}"'
            )
            parts.append(Part(span, rate.numerator, rate.denominator, head))
        return tuple(parts)


def _scaled(number: Decimal) -> int:
    scaled = number * _AREA_SCALE
    whole = int(scaled)
    if whole != scaled:
        raise ValueError(f"{number} has more than four decimals")
    return whole


def _price_on(prices: Sequence[Price], span: Span) -> Price:
    for price in prices:
        if price.starts_on <= span.starts_on and (
            price.ends_before is None or span.ends_before <= price.ends_before
        ):
            return price
    raise PriceMissing(span)


def explain(trace: dict[str, str | int], amount_fen: int) -> str:
    """Say in one Chinese sentence how a line's amount came about."""
    span = Span(date.fromisoformat(str(trace["from"])), date.fromisoformat(str(trace["until"])))
    months = "" if trace["months"] == "1" else f" × {trace['months']} 个月"
    if trace["method"] == ChargeMethod.AREA:
        factors = f"{trace['area']} ㎡ × {trace['unit_price']} 元/㎡·月"
        if trace["coefficient"] != "1":
            factors += f" × 系数 {trace['coefficient']}"
    else:
        factors = f"{trace['unit_price']} 元/月"
    rounded = ""
    if trace["rounding_fen"]:
        unit = {"jiao": "角", "yuan": "元"}[str(trace["rounding"])]
        rounded = f"（四舍五入到{unit}，{_signed(int(trace['rounding_fen']))} 元）"
    return f"{span}：{factors}{months} = {format_yuan(amount_fen)} 元{rounded}"


def _signed(amount_fen: int) -> str:
    return ("+" if amount_fen > 0 else "") + format_yuan(amount_fen)
