"""Discount rules as they are stored."""

from __future__ import annotations

from domain.discounts import DiscountKind, DiscountRule
from models import DiscountRule as DiscountRuleRow


def read_rule(row: DiscountRuleRow) -> DiscountRule:
    """Read a discount rule as it is stored."""
    return DiscountRule(
        id=row.id,
        name=row.name,
        kind=DiscountKind(row.kind),
        percent=row.percent,
        amount_fen=row.amount_fen,
        buy_months=row.buy_months,
        free_months=row.free_months,
        early_days=row.early_days,
        priority=row.priority,
        is_stackable=row.is_stackable,
        cap_fen=row.cap_fen,
        starts_on=row.starts_on,
        ends_before=row.ends_on,
    )
