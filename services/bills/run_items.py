"""The items of a bill run: how each charges, whatever the house."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from domain.charges import ChargeMethod, Charger, Price, Terms
from domain.cycles import BillingTiming, Cycle, CycleAnchor
from domain.discounts import DiscountKind, DiscountRule
from domain.formulas import Formula
from domain.meters import MeterKind
from domain.money import Rounding
from domain.periods import Proration
from domain.tiers import TierTable, TierWindow
from domain.usage_charges import UsageCharger, UsageTerms
from models import DiscountHouse, DiscountItem, FeeItem, FeeStandard
from models import DiscountRule as DiscountRuleRow
from services.discount_rules import read_rule as read_rule


@dataclass(frozen=True, slots=True)
class ItemDiscounts:
    """Rules that make an item cheaper: for all houses, and for chosen ones by house id."""

    for_all: tuple[DiscountRule, ...] = ()
    for_houses: dict[int, tuple[DiscountRule, ...]] | None = None

    def of(self, house_id: int) -> tuple[DiscountRule, ...]:
        """Tell the rules for a house."""
        if self.for_houses is None:
            return self.for_all
        return self.for_all + self.for_houses.get(house_id, ())

    @property
    def are_none(self) -> bool:
        """Whether the item has no rule at all."""
        return not self.for_all and self.for_houses is None

    @property
    def look_at_vacancy(self) -> bool:
        """Whether any rule depends on vacant days."""
        chosen = [rule for rules in (self.for_houses or {}).values() for rule in rules]
        return any(rule.kind is DiscountKind.VACANCY for rule in (*self.for_all, *chosen))


@dataclass(frozen=True, slots=True)
class RunItem:
    """An item of a run with all its prices; ``row`` is its record."""

    id: int
    row: FeeItem
    method: ChargeMethod
    cycle: Cycle
    charger: Charger
    usage: UsageCharger | None
    discounts: ItemDiscounts

    @property
    def meter_kind(self) -> MeterKind | None:
        """Which meters the item needs; formulas may count usage too."""
        return MeterKind(self.row.meter_kind) if self.row.meter_kind else None

    @property
    def is_plain(self) -> bool:
        """Whether houses of which nothing changed and that have equal areas owe the same."""
        return self.method in (ChargeMethod.AREA, ChargeMethod.FIXED)

    @property
    def splits_at_vacancy(self) -> bool:
        """Whether vacant days cost something else."""
        return self.row.vacancy_rate != 1 or self.discounts.look_at_vacancy


def read_run_items(session: Session, item_ids: list[int]) -> list[RunItem]:
    """Read items with their prices and their discounts."""
    rows = session.scalars(select(FeeItem).where(FeeItem.id.in_(item_ids)).order_by(FeeItem.id))
    items = list(rows)
    prices: dict[int, list[Price]] = {item.id: [] for item in items}
    for row in session.scalars(
        select(FeeStandard)
        .where(FeeStandard.fee_item_id.in_(prices))
        .order_by(FeeStandard.priced_from)
    ):
        prices[row.fee_item_id].append(read_price(row))
    discounts = _read_discounts(session, list(prices))
    return [make_run_item(item, tuple(prices[item.id]), discounts[item.id]) for item in items]


def make_run_item(
    item: FeeItem, prices: tuple[Price, ...], discounts: ItemDiscounts | None = None
) -> RunItem:
    """Make ready to charge one item."""
    method = ChargeMethod(item.charge_method)
    return RunItem(
        id=item.id,
        row=item,
        method=method,
        cycle=Cycle(
            months=item.cycle_months,
            anchor=CycleAnchor(item.cycle_anchor),
            timing=BillingTiming(item.billing_timing),
            from_month=item.cycle_from_month,
        ),
        charger=Charger(
            Terms(
                method=method,
                prices=prices,
                rounding=Rounding(item.rounding),
                proration=Proration(item.proration),
                period_months=item.cycle_months if item.is_per_period else None,
                vacancy_rate=item.vacancy_rate,
            )
        ),
        usage=UsageCharger(_usage_terms(item, prices)) if method is ChargeMethod.METER else None,
        discounts=discounts or ItemDiscounts(),
    )


def _usage_terms(item: FeeItem, prices: tuple[Price, ...]) -> UsageTerms:
    return UsageTerms(
        meter_kind=MeterKind(item.meter_kind or ""),
        prices=prices,
        rounding=Rounding(item.rounding),
        window=TierWindow(item.tier_window),
        window_from_month=item.tier_from_month,
        is_per_person=item.is_tier_per_person,
        months=item.cycle_months,
    )


def read_price(row: FeeStandard) -> Price:
    """Read a price as it is stored."""
    rows: Any = row.tiers
    constants = {name: Decimal(value) for name, value in row.constants.items()}
    return Price(
        unit_price=row.unit_price,
        starts_on=row.priced_from,
        ends_before=row.priced_until,
        surcharge=row.surcharge,
        tiers=TierTable.read(rows) if rows is not None else None,
        formula=Formula.read(row.formula, constants) if row.formula is not None else None,
    )


def _read_discounts(session: Session, item_ids: list[int]) -> dict[int, ItemDiscounts]:
    found = session.execute(
        select(DiscountItem.fee_item_id, DiscountRuleRow)
        .join(DiscountRuleRow, DiscountRuleRow.id == DiscountItem.rule_id)
        .where(DiscountItem.fee_item_id.in_(item_ids), DiscountRuleRow.is_active)
        .order_by(DiscountRuleRow.id)
    ).all()
    chosen = {row.id for _, row in found if not row.is_for_all_houses}
    houses: dict[int, list[int]] = {}
    for link in session.execute(
        select(DiscountHouse.rule_id, DiscountHouse.house_id).where(
            DiscountHouse.rule_id.in_(chosen)
        )
    ):
        houses.setdefault(link.rule_id, []).append(link.house_id)
    discounts: dict[int, ItemDiscounts] = {}
    for item_id in item_ids:
        rows = [row for of_item, row in found if of_item == item_id]
        for_houses: dict[int, tuple[DiscountRule, ...]] = {}
        for row in rows:
            for house_id in houses.get(row.id, ()):
                for_houses[house_id] = (*for_houses.get(house_id, ()), read_rule(row))
        discounts[item_id] = ItemDiscounts(
            tuple(read_rule(row) for row in rows if row.is_for_all_houses), for_houses or None
        )
    return discounts
