"""Items and prices as records, before any session knows them."""

from __future__ import annotations

from datetime import date
from typing import Any

from domain.tiers import TierTable
from models import FeeItem, FeeStandard
from services.fees.checks import NewFeeItem, NewPrice


def make_row(community_id: int, item: NewFeeItem) -> FeeItem:
    """Make the record of an item, not yet in any session."""
    return FeeItem(
        community_id=community_id,
        code=item.code,
        name=item.name.strip(),
        charge_method=item.charge_method,
        rounding=item.rounding,
        proration=item.proration,
        issue_offset_days=item.issue_offset_days,
        due_days=item.due_days,
        due_day=item.due_day,
        starts_on=item.starts_on,
        cycle_months=item.cycle_months,
        cycle_anchor=item.cycle_anchor,
        cycle_from_month=item.cycle_from_month,
        billing_timing=item.billing_timing,
        is_per_period=item.is_per_period,
        vacancy_rate=item.vacancy_rate,
        meter_kind=item.meter_kind,
        tier_window=item.tier_window,
        tier_from_month=item.tier_from_month,
        is_tier_per_house=item.is_tier_per_house,
        is_tier_per_person=item.is_tier_per_person,
    )


def make_standard(fee_item_id: int, price: NewPrice, priced_from: date) -> FeeStandard:
    """Make the record of a price, not yet in any session."""
    tiers: Any = None
    if price.tiers is not None:
        tiers = [list(row) for row in TierTable.read(price.tiers).as_rows()]
    return FeeStandard(
        fee_item_id=fee_item_id,
        unit_price=price.unit_price,
        surcharge=price.surcharge,
        tiers=tiers,
        formula=price.formula,
        constants={name: str(value) for name, value in price.constants.items()},
        priced_from=priced_from,
    )
