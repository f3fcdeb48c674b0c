"""How each charge method reads what is on file about a house."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from fractions import Fraction
from typing import NamedTuple

from domain.bill_states import LineKind
from domain.charges import PER_HOUSE, ChargedLine, ChargeMethod, area_basis
from domain.formula_charges import Values, charge_formula
from domain.meters import MeterKind, Segment
from domain.periods import Span
from domain.tiers import USAGE_SCALE
from domain.troubles import NotChargeable
from services.bills.house_facts import History, House
from services.bills.meter_facts import (
    Chain,
    PlainMeter,
    count_usage,
    count_used_before,
    stood,
)
from services.bills.plans import Charged, Line, Plan, make_charged
from services.bills.pools import Shares


class NotConcerned(Exception):
    """The house has nothing to do with an item in this period: no bill, and nothing to tell."""


class RunFacts(NamedTuple):
    """What is the same for all houses of a run."""

    houses_total: int
    shares: dict[int, Shares]
    """By item id."""


class Case(NamedTuple):
    """One bill to be computed: a house, what is known of it, and the plan."""

    run: RunFacts
    house: House
    history: History
    chains: list[Chain]
    counted_from: date | None
    plan: Plan

    def chains_of(self, kind: MeterKind) -> list[Chain]:
        """Tell the house's meters of a kind."""
        return [chain for chain in self.chains if chain[0].kind == kind]


def charge_plainly(house: House, plan: Plan) -> Charged:
    """Charge a house of which nothing changed by area or at a fixed price, and remember it."""
    charger = plan.item.charger
    basis = PER_HOUSE
    if charger.is_by_area:
        basis = area_basis(house.billing_area, house.fee_coefficient)
    parts = charger.parts(plan.liable, anchor=plan.anchor)
    charged = [charger.charge_part(part, basis) for part in parts]
    lines = tuple(Line(LineKind.PRINCIPAL, one.amount_fen, one.trace) for one in charged)
    made = make_charged(sum(one.amount_fen for one in charged), lines)
    plan.known[house.area_units, house.coefficient_units] = made
    return made


def recall_usage(meter: PlainMeter, plan: Plan) -> Charged | None:
    """Charge a house of one plain meter if another house used the same in the period.

    The meter may have been read outside the period only: that is for no house to recall.
    """
    charger, period = plan.item.usage, plan.period
    if charger is None or charger.terms.window_start(period):
        return None
    if plan.liable != period or not period.starts_on <= meter.until_on < period.ends_before:
        return None
    known = charger.recall(period, meter.usage)
    if known is None:
        return None
    amount_fen, before, after = known
    line = Line(LineKind.PRINCIPAL, amount_fen, f"{before}{meter.as_segment()}{after}")
    return Charged(amount_fen, (line,), (line.as_row(1),))


def _charge_priced(case: Case) -> list[ChargedLine]:
    """Charge a house stretch by stretch, each with the area of its days."""
    _, house, history, _, _, plan = case
    item = plan.item
    charger = item.charger
    changes = history.changes(
        plan.liable, looks_at_area=charger.is_by_area, looks_at_vacancy=item.splits_at_vacancy
    )
    lines = []
    for part in charger.parts(plan.liable, changes=changes, anchor=plan.anchor):
        basis = PER_HOUSE
        if charger.is_by_area:
            basis = area_basis(*history.measure_on(house, part.span.starts_on))
        lines.append(charger.charge_part(part, basis))
    return lines


def _charge_metered(case: Case) -> list[ChargedLine]:
    plan = case.plan
    charger = plan.item.usage
    if charger is None:
        raise ValueError("a metered item has usage terms")
    terms = charger.terms
    days = _counted_days(case)
    chains = [chain for chain in case.chains_of(terms.meter_kind) if stood(chain, days)]
    window = terms.window_start(plan.period)
    window = window.within(starts_on=None, ends_before=days.starts_on)
    groups = [chains] if plan.item.row.is_tier_per_house or not chains else [[c] for c in chains]
    nothing = Span(plan.liable.starts_on, plan.liable.starts_on)
    lines = []
    for number, group in enumerate(groups):
        segments = count_usage(group, terms.meter_kind, days)
        lines += charger.charge(
            segments=segments,
            period=plan.period,
            used_before=count_used_before(group, window),
            people=case.house.household_size,
            surcharged=nothing if number else plan.liable,
            months=_months_counted(segments, plan.period, terms.months)
            if case.counted_from
            else None,
        )
    return lines


def _counted_days(case: Case) -> Span:
    """Tell over which days usage is billed: the liable ones, and those that were not billed yet."""
    liable = case.plan.liable
    since = case.counted_from
    if since is None or liable.starts_on > case.plan.period.starts_on:
        return liable
    return Span(min(since, liable.starts_on), liable.ends_before)


def _months_counted(segments: Sequence[Segment], period: Span, months: int) -> int:
    """Tell for how many months monthly tiers count, so that catching up is not dearer.

    Readings are not taken on the very same day each month: what comes nearest counts.
    """
    counted = max(one.until_on for one in segments) - min(one.from_on for one in segments)
    periods = (2 * counted.days + period.days) // (2 * period.days)
    return months * max(1, periods)


def _charge_by_formula(case: Case) -> list[ChargedLine]:
    run, house, history, _, _, plan = case
    item = plan.item
    usage = None
    if item.meter_kind is not None and any(
        price.formula
        and "usage" in price.formula.variables
        and plan.liable.within(starts_on=price.starts_on, ends_before=price.ends_before)
        for price in item.charger.terms.prices
    ):
        counted = count_usage(case.chains_of(item.meter_kind), item.meter_kind, _counted_days(case))
        usage = Fraction(sum(segment.usage for segment in counted), USAGE_SCALE)

    def values_on(day: date) -> Values:
        area, coefficient = history.measure_on(house, day)
        return {
            "area": area,
            "inner_area": house.inner_area,
            "coefficient": coefficient,
            "floor": house.floor_no,
            "households": run.houses_total,
            "usage": usage,
        }

    changes = history.changes(
        plan.liable, looks_at_area=True, looks_at_vacancy=item.splits_at_vacancy
    )
    return charge_formula(
        item.charger.terms, plan.liable, values_on=values_on, changes=changes, anchor=plan.anchor
    )


def _charge_share(case: Case) -> list[ChargedLine]:
    plan = case.plan
    shares = case.run.shares.get(plan.item.id)
    if shares is None:
        raise NotChargeable("本期没有公摊总额")
    if shares.period != plan.period:
        raise NotChargeable(f"公摊账期 {shares.period} 与收费周期不一致")
    line = shares.line(case.house.id)
    if line is None:
        raise NotConcerned
    return [line]


_CHARGE: dict[ChargeMethod, Callable[[Case], list[ChargedLine]]] = {
    ChargeMethod.AREA: _charge_priced,
    ChargeMethod.FIXED: _charge_priced,
    ChargeMethod.METER: _charge_metered,
    ChargeMethod.FORMULA: _charge_by_formula,
    ChargeMethod.SHARE: _charge_share,
}


def charge_case(case: Case) -> list[ChargedLine]:
    """Compute the principal lines of one bill.

    Raises:
        NotChargeable: the house cannot be charged; the reason is for an exception row.
        NotConcerned: it has nothing to do with the item in this period.
    """
    return _CHARGE[case.plan.item.method](case)
