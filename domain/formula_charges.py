"""How much a house owes by a formula of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from fractions import Fraction

from domain.charges import (
    NO_CHANGES,
    Changes,
    ChargedLine,
    PriceMissing,
    Terms,
    price_on,
    split_at_changes,
    trim,
)
from domain.money import divide_half_up
from domain.periods import Span

Values = Mapping[str, Decimal | int | Fraction | None]


def charge_formula(
    terms: Terms,
    liable: Span,
    *,
    values_on: Callable[[date], Values],
    changes: Changes = NO_CHANGES,
    anchor: date | None = None,
) -> list[ChargedLine]:
    """Compute the lines of one house, one per stretch; the formula gives yuan for each.

    ``values_on`` tells the house's values on a stretch's first day; ``months`` is added to them.
    The formula is asked what all liable days would cost with these values, and a stretch bears its
    part of that by months: what is not per month, such as usage, is not charged twice.

    Raises:
        PriceMissing: part of the days has no formula.
        FormulaFailed: it cannot be computed, or comes to less than nothing.

    Source: domain.md D1: an error is an exception row, never 0.
    """
    lines = []
    step = terms.rounding.step_fen
    stretches = split_at_changes(liable, terms, changes, anchor)
    all_months = sum((months for _, months, _ in stretches), Fraction(0))
    for span, months, since in stretches:
        price = price_on(terms.prices, span)
        if price.formula is None:
            raise PriceMissing(span)
        is_vacant = changes.is_vacant_on(span.starts_on)
        values = {**values_on(span.starts_on), "months": all_months}
        part = months / all_months
        yuan = price.formula.evaluate(values) * part + Fraction(price.surcharge) * months
        if is_vacant:
            yuan *= Fraction(terms.vacancy_rate)
        numerator, denominator = 100 * yuan.numerator, yuan.denominator
        amount_fen = divide_half_up(numerator, denominator, step)
        trace = {
            "method": "formula",
            "formula": price.formula.text,
            "values": {name: _shown(values[name]) for name in sorted(price.formula.variables)},
            "from": span.starts_on.isoformat(),
            "until": span.ends_before.isoformat(),
            "rounding": str(terms.rounding),
            "rounding_fen": amount_fen - divide_half_up(numerator, denominator),
        }
        if part != 1:
            trace["part"] = str(part)
        if is_vacant and terms.vacancy_rate != 1:
            trace["vacancy_rate"] = trim(terms.vacancy_rate)
        if price.surcharge:
            trace |= {"surcharge": trim(price.surcharge), "months": str(months)}
        if since:
            trace["since"] = since
        lines.append(ChargedLine(amount_fen, json.dumps(trace, ensure_ascii=False), is_vacant))
    return lines


def _shown(value: Decimal | int | Fraction | None) -> str:
    return trim(value) if isinstance(value, Decimal) else str(value)
