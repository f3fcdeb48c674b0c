"""How much a house owes for what its meters counted, by unit price or by tiers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

from domain.charges import ChargedLine, Price, PriceMissing, trim
from domain.meters import MeterKind, Segment
from domain.money import Rounding, divide_half_up
from domain.periods import Span, count_months
from domain.tiers import CHARGE_SCALE, USAGE_SCALE, TierTable, TierWindow, window_start

_CHARGE_PER_FEN = CHARGE_SCALE // 100
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class UsageTerms:
    """What a metered item asks for; prices by date (no overlap, sorted).

    ``months`` is how many months a period has: monthly tier limits count for each of them.
    """

    meter_kind: MeterKind
    prices: tuple[Price, ...]
    rounding: Rounding = Rounding.FEN
    window: TierWindow = TierWindow.MONTH
    window_from_month: int = 1
    is_per_person: bool = False
    months: int = 1

    def window_start(self, period: Span) -> Span:
        """Tell the days of the tier window before the period; empty when it begins with it."""
        if self.window is TierWindow.MONTH:
            return Span(period.starts_on, period.starts_on)
        starts_on = window_start(self.window, period.starts_on, self.window_from_month)
        return Span(starts_on, period.starts_on)


class UsageCharger:
    """Charges one metered item; houses that used the same share the work.

    By unit price there is a line per price that held: the usage of a segment is spread evenly
    over its days. By tiers there is one line, by the table in force as the window began; a newer
    table starts with the next window. A surcharge is per month of the period.

    Source: domain.md D1.
    """

    def __init__(self, terms: UsageTerms) -> None:
        self.terms = terms
        self._known: dict[tuple[Span, int], tuple[int, str, str]] = {}

    def charge(
        self,
        *,
        segments: Sequence[Segment],
        period: Span,
        used_before: int = 0,
        people: int | None = None,
        surcharged: Span | None = None,
        months: int | None = None,
    ) -> list[ChargedLine]:
        """Compute the lines for what some meters of a house counted in a period.

        ``used_before`` is what the tier window had used before, in the scale of
        `domain.tiers.USAGE_SCALE`; ``people`` count only where limits are per person, and an
        unknown number counts as one. A surcharge counts for the ``surcharged`` days, the whole
        period when left out: a house pays it once, for the days it is liable, however many meters
        it has. Monthly tier limits count for so many ``months``, those of a period when left out.

        Raises:
            PriceMissing: part of the days has no price.
        """
        terms = self.terms
        table = _table(terms, period)
        days = period if surcharged is None else surcharged
        if table is None:
            return _by_unit_price(terms, segments, period, days)
        scale = (people or 1) if terms.is_per_person else 1
        if terms.window is TierWindow.MONTH:
            scale *= months or terms.months
        if scale != 1:
            table = table.for_people(scale)
        usage = sum(segment.usage for segment in segments)
        amount_fen, head, tail = _tiered(terms, table, period, used_before, usage, days)
        is_plain = days == period and (months or terms.months) == terms.months
        if used_before == 0 and not terms.is_per_person and is_plain:
            self._known[period, usage] = (amount_fen, head, tail)
        return [ChargedLine(amount_fen, f"{head}{_segments_text(segments)}{tail}")]

    def recall(self, period: Span, usage: int) -> tuple[int, str, str] | None:
        """Tell fen and both ends of the trace of a usage that some house had before, if any.

        Between the two stands the text of the segments (`segment_text`). Only for houses
        that used nothing earlier in their tier window.
        """
        return self._known.get((period, usage))


def _tiered(
    terms: UsageTerms,
    table: TierTable,
    period: Span,
    used_before: int,
    usage: int,
    surcharged: Span,
) -> tuple[int, str, str]:
    surcharge, head = _surcharge(_price_at(terms.prices, period), surcharged)
    numerator, denominator = table.charge(used_before, usage), _CHARGE_PER_FEN
    if surcharge:
        numerator = numerator * surcharge.denominator + surcharge.numerator * CHARGE_SCALE
        denominator *= surcharge.denominator
    tiers = ",".join(
        f'["{step.tier_no}","{usage_text(step.usage)}","{trim(step.unit_price)}"]'
        for step in table.steps(used_before, usage)
    )
    middle = (
        f'"tiers":[{tiers}],"used_before":"{usage_text(used_before)}"'
        f',"window":"{terms.window}"{head}'
    )
    return _line(terms, period, usage, numerator, denominator, middle)


def _table(terms: UsageTerms, period: Span) -> TierTable | None:
    if len(terms.prices) == 1:
        return terms.prices[0].tiers
    current = _price_at(terms.prices, period)
    if current.tiers is None:
        return None
    window = terms.window_start(period)
    at_start = _price_at(terms.prices, Span(window.starts_on, window.starts_on + _DAY))
    return at_start.tiers or current.tiers


def _price_at(prices: Sequence[Price], span: Span) -> Price:
    """Find the price of a span's first day, or the first one later."""
    for price in prices:
        if price.ends_before is None or price.ends_before > span.starts_on:
            return price
    raise PriceMissing(span)


def _by_unit_price(
    terms: UsageTerms, segments: Sequence[Segment], period: Span, surcharged: Span
) -> list[ChargedLine]:
    prices = _plain(terms.prices)
    lines: list[ChargedLine] = []
    covered = Fraction(0)
    total = sum(segment.usage for segment in segments)
    for price in prices:
        part = sum((_usage_in(segment, price) for segment in segments), Fraction(0))
        days = period.within(starts_on=price.starts_on, ends_before=price.ends_before)
        if not part and not days:
            continue
        covered += part
        surcharge, head = _surcharge(
            price, surcharged.within(starts_on=days.starts_on, ends_before=days.ends_before)
        )
        exact = part * Fraction(price.unit_price or 0) / USAGE_SCALE + surcharge
        since = ',"since":["price"]' if lines else ""
        amount_fen, before, after = _line(
            terms,
            days or period,
            part,
            100 * exact.numerator,
            exact.denominator,
            f'"unit_price":"{trim(price.unit_price or Decimal(0))}"{head}{since}',
        )
        lines.append(ChargedLine(amount_fen, f"{before}{_segments_text(segments)}{after}"))
    if covered != total or not lines:
        raise PriceMissing(period)
    return lines


def _plain(prices: Sequence[Price]) -> list[Price]:
    """Leave tables out: where one begins inside a window, the unit price before goes on.

    What was used since a reading before the first unit price, when a table held, goes by the unit
    price of the period.
    """
    plain: list[Price] = []
    since = prices[0].starts_on
    for price in prices:
        if price.tiers is None:
            starts_on = price.starts_on if plain else since
            plain.append(Price(price.unit_price, starts_on, price.ends_before, price.surcharge))
        elif plain:
            last = plain.pop()
            plain.append(Price(last.unit_price, last.starts_on, price.ends_before, last.surcharge))
    return plain


def _usage_in(segment: Segment, price: Price) -> Fraction:
    """Tell what part of a segment's usage falls under a price."""
    days = Span(segment.from_on + _DAY, segment.until_on + _DAY)
    inside = days.within(starts_on=price.starts_on, ends_before=price.ends_before)
    if inside == days or not days:
        return Fraction(segment.usage if inside == days else 0)
    return Fraction(segment.usage * inside.days, days.days)


def _surcharge(price: Price, days: Span) -> tuple[Fraction, str]:
    if not price.surcharge or not days:
        return Fraction(0), ""
    months = count_months(days)
    head = f',"surcharge":"{trim(price.surcharge)}","months":"{months}"'
    return Fraction(price.surcharge) * months, head


def _line(
    terms: UsageTerms,
    days: Span,
    usage: int | Fraction,
    numerator: int,
    denominator: int,
    middle: str,
) -> tuple[int, str, str]:
    """Round a line and write its trace but for the segments: fen, what is before, what after."""
    step = terms.rounding.step_fen
    amount_fen = divide_half_up(numerator, denominator, step)
    rounding_fen = 0 if step == 1 else amount_fen - divide_half_up(numerator, denominator)
    return (
        amount_fen,
        (
            f'{{"method":"meter","meter_kind":"{terms.meter_kind}","from":"{days.starts_on}"'
            f',"until":"{days.ends_before}","usage":"{usage_text(usage)}","segments":['
        ),
        f'],{middle},"rounding":"{terms.rounding}","rounding_fen":{rounding_fen}}}',
    )


def _segments_text(segments: Sequence[Segment]) -> str:
    return ",".join(
        segment_text(
            json.dumps(segment.meter_no, ensure_ascii=False),
            segment.from_on,
            trim(segment.from_reading),
            segment.until_on,
            trim(segment.until_reading),
            usage_text(segment.usage),
            trim(segment.multiplier),
            trim(segment.turned),
        )
        for segment in segments
    )


def segment_text(
    meter_no_json: str,
    from_on: date,
    from_reading: str,
    until_on: date,
    until_reading: str,
    usage: str,
    multiplier: str = "1",
    turned: str = "0",
) -> str:
    """Write a segment for a trace; numbers come as text without trailing zeros."""
    return (
        f'{{"meter_no":{meter_no_json},"from_on":"{from_on}","from":"{from_reading}"'
        f',"until_on":"{until_on}","until":"{until_reading}"'
        f',"multiplier":"{multiplier}","turned":"{turned}","usage":"{usage}"}}'
    )


def usage_text(usage: int | Fraction) -> str:
    """Write scaled usage as people do, such as ``24.25``; a broken part of days as a fraction."""
    if isinstance(usage, Fraction):
        if usage.denominator != 1:
            return str(usage / USAGE_SCALE)
        usage = usage.numerator
    whole, rest = divmod(usage, USAGE_SCALE)
    return f"{whole}.{rest:08d}".rstrip("0") if rest else str(whole)
