"""How much a house owes by area, at a fixed price, or by share: exact lines with their traces.

Usage and formulas stand beside this in domain/usage_charges.py and domain/formula_charges.py; what
a trace says to people in domain/traces.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import NamedTuple

from domain.formulas import Formula
from domain.money import Rounding, divide_half_up
from domain.periods import Proration, Span, split_months
from domain.tiers import TierTable
from domain.troubles import NotChargeable

_AREA_SCALE = 10_000
"""Areas and coefficients have four decimals; they are charged as integers of ten-thousandths."""


class ChargeMethod(StrEnum):
    """How an item is charged."""

    AREA = "area"
    FIXED = "fixed"
    METER = "meter"
    SHARE = "share"
    FORMULA = "formula"
    ONE_OFF = "one_off"


PRICED_METHODS = frozenset(
    {ChargeMethod.AREA, ChargeMethod.FIXED, ChargeMethod.METER, ChargeMethod.FORMULA}
)
"""Methods that need a price; pools and one-off charges bring their own amounts."""


@dataclass(frozen=True, slots=True)
class Price:
    """A price in yuan and the days for which it holds; ``ends_before`` None is open.

    ``unit_price`` is per ㎡ and month for ``area``, per month (or period) for ``fixed``, per unit
    for ``meter``; ``surcharge`` is per month on top. ``tiers`` or ``formula`` stand in its place.
    """

    unit_price: Decimal | None
    starts_on: date
    ends_before: date | None = None
    surcharge: Decimal = Decimal(0)
    tiers: TierTable | None = None
    formula: Formula | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """What an item asks for: method, prices by date (no overlap, sorted), rounding, proration.

    ``period_months`` is set when a fixed price is for a whole period of so many months.
    ``vacancy_rate`` is the part that is charged for vacant days.
    """

    method: ChargeMethod
    prices: tuple[Price, ...]
    rounding: Rounding = Rounding.FEN
    proration: Proration = Proration.ACTUAL_MONTH
    period_months: int | None = None
    vacancy_rate: Decimal = Decimal(1)


class ChargedLine(NamedTuple):
    """One principal line: whole fen, ``trace`` as JSON text, whether its days were vacant."""

    amount_fen: int
    trace: str
    is_vacant: bool = False


class Part(NamedTuple):
    """A stretch in which nothing changes: everything of it that is the same for all houses.

    A house of some weight owes (``numerator`` × weight + ``addend``) ÷ ``denominator`` fen.
    """

    span: Span
    numerator: int
    addend: int
    denominator: int
    trace_head: str
    is_vacant: bool


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


class Changes(NamedTuple):
    """What changed about a house in a liable span, as far as it splits lines.

    ``cuts`` are the days on which something other than a price changed, sorted, each with a word
    for why (``area``, ``owner``, ``vacancy``); ``vacant`` are the vacant spans.
    """

    cuts: tuple[tuple[date, str], ...] = ()
    vacant: tuple[Span, ...] = ()

    def is_vacant_on(self, day: date) -> bool:
        """Tell whether the house stood empty on a day."""
        return any(span.starts_on <= day < span.ends_before for span in self.vacant)


NO_CHANGES = Changes()


class PriceMissing(NotChargeable):
    """No price holds for some liable days."""

    def __init__(self, days: Span) -> None:
        super().__init__(f"{days} 没有价格")
        self.days = days


def trim(number: Decimal) -> str:
    """Write a decimal without trailing zeros or exponent: ``2.350000`` becomes ``2.35``."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


class Charger:
    """Charges one item by area or at a fixed price; houses with equal days share the work.

    The trace of a line is a JSON object: ``method``, ``unit_price`` (yuan), ``months`` (exact,
    such as ``1`` or ``15/31``), ``from`` and ``until`` (half-open), ``rounding``,
    ``rounding_fen`` (what a coarser policy than fen added); where they matter ``surcharge``,
    ``vacancy_rate``, ``period_months`` and ``since`` (what changed on the first day); and for
    ``area`` also ``area`` (㎡) and ``coefficient``.

    Source: domain.md D0-D2: exact until the line, rounded half up once.
    """

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self._step = terms.rounding.step_fen
        self._parts: dict[tuple[Span, date | None, Changes], tuple[Part, ...]] = {}

    def charge(
        self,
        liable: Span,
        *,
        area: Decimal | None = None,
        coefficient: Decimal = Decimal(1),
        changes: Changes = NO_CHANGES,
        anchor: date | None = None,
    ) -> list[ChargedLine]:
        """Compute the lines of one house for its liable days; one line per stretch.

        Raises:
            PriceMissing: part of the span has no price.
        """
        if self.terms.method is ChargeMethod.FIXED:
            basis = PER_HOUSE
        elif area is None:
            raise ValueError("an area charge needs an area")
        else:
            basis = area_basis(area, coefficient)
        return [
            self.charge_part(part, basis)
            for part in self.parts(liable, changes=changes, anchor=anchor)
        ]

    @property
    def is_by_area(self) -> bool:
        """Whether a house's area counts."""
        return self.terms.method is ChargeMethod.AREA

    def parts(
        self, liable: Span, *, changes: Changes = NO_CHANGES, anchor: date | None = None
    ) -> tuple[Part, ...]:
        """Split liable days where something changes; the same for all houses with equal changes.

        Raises:
            PriceMissing: part of the span has no price.
        """
        key = (liable, anchor, changes)
        parts = self._parts.get(key)
        if parts is None:
            parts = self._parts[key] = self._split(liable, changes, anchor)
        return parts

    def charge_part(self, part: Part, basis: Basis) -> ChargedLine:
        """Compute one line for a house: exact, then rounded once."""
        _, factor, addend, denominator, head, is_vacant = part
        numerator = factor * basis.weight + addend
        amount_fen = divide_half_up(numerator, denominator, self._step)
        rounding_fen = 0 if self._step == 1 else amount_fen - divide_half_up(numerator, denominator)
        return ChargedLine(
            amount_fen, f'{head},"rounding_fen":{rounding_fen}{basis.trace_tail}', is_vacant
        )

    def _split(self, liable: Span, changes: Changes, anchor: date | None) -> tuple[Part, ...]:
        terms = self.terms
        scale = _AREA_SCALE * _AREA_SCALE if self.is_by_area else 1
        parts = []
        for span, months, since in split_at_changes(liable, terms, changes, anchor):
            price = price_on(terms.prices, span)
            if price.unit_price is None:
                raise PriceMissing(span)
            is_vacant = changes.is_vacant_on(span.starts_on)
            counted = 100 * months * (Fraction(terms.vacancy_rate) if is_vacant else 1)
            rate = counted * Fraction(price.unit_price) / scale
            if terms.period_months is not None:
                rate /= terms.period_months
            extra = counted * Fraction(price.surcharge)
            denominator = rate.denominator * extra.denominator
            parts.append(
                Part(
                    span,
                    rate.numerator * extra.denominator,
                    extra.numerator * rate.denominator,
                    denominator,
                    _trace_head(terms, price, span, months, since, is_vacant=is_vacant),
                    is_vacant,
                )
            )
        return tuple(parts)


def split_at_changes(
    liable: Span, terms: Terms, changes: Changes, anchor: date | None
) -> list[tuple[Span, Fraction, list[str]]]:
    """Split liable days where a price or the house changes: days, months, and what changed."""
    why: dict[date, list[str]] = {}
    for price in terms.prices:
        why.setdefault(price.starts_on, []).append("price")
        if price.ends_before:
            why.setdefault(price.ends_before, [])
    for day, word in changes.cuts:
        why.setdefault(day, []).append(word)
    return [
        (span, months, why.get(span.starts_on, []) if span.starts_on > liable.starts_on else [])
        for span, months in split_months(liable, why, terms.proration, anchor)
    ]


def _trace_head(
    terms: Terms, price: Price, span: Span, months: Fraction, since: list[str], *, is_vacant: bool
) -> str:
    more = ""
    if price.surcharge:
        more += f',"surcharge":"{trim(price.surcharge)}"'
    if is_vacant and terms.vacancy_rate != 1:
        more += f',"vacancy_rate":"{trim(terms.vacancy_rate)}"'
    if terms.period_months is not None:
        more += f',"period_months":{terms.period_months}'
    if since:
        more += f',"since":[{",".join(f"{chr(34)}{word}{chr(34)}" for word in since)}]'
    unit_price = trim(price.unit_price) if price.unit_price is not None else ""
    return (
        f'{{"method":"{terms.method}","unit_price":"{unit_price}"'
        f',"months":"{months}","from":"{span.starts_on}","until":"{span.ends_before}"'
        f',"rounding":"{terms.rounding}"{more}'
    )


def _scaled(number: Decimal) -> int:
    scaled = number * _AREA_SCALE
    whole = int(scaled)
    if whole != scaled:
        raise ValueError(f"{number} has more than four decimals")
    return whole


def price_on(prices: Sequence[Price], span: Span) -> Price:
    """Find the price that holds for all of a span.

    Raises:
        PriceMissing: none does.
    """
    for price in prices:
        if price.starts_on <= span.starts_on and (
            price.ends_before is None or span.ends_before <= price.ends_before
        ):
            return price
    raise PriceMissing(span)
