"""What a rule takes off a bill: negative lines, each with its rule, its basis and a reason."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple, TypeVar

from domain.charges import trim
from domain.discount_rules import DiscountKind as DiscountKind
from domain.discount_rules import DiscountRule as DiscountRule
from domain.discount_rules import check_rule as check_rule
from domain.money import format_yuan, round_half_up
from domain.periods import Span

_Value = TypeVar("_Value")


class DiscountedLine(NamedTuple):
    """What one rule took off: ``amount_fen`` below zero, ``note`` a Chinese clause that says why.

    ``basis_fen`` is what the rule was applied to: the principal, its vacant part, or for an early
    payment what is open.
    """

    rule_id: int
    name: str
    kind: DiscountKind
    basis_fen: int
    amount_fen: int
    note: str


class _Basis(NamedTuple):
    """What a bill offers to its rules."""

    principal_fen: int
    vacant_fen: int
    months: Fraction


class _Offer(NamedTuple):
    """What a rule asks for, before any limit."""

    basis_fen: int
    exact_fen: Fraction
    note: str


def discount(
    *,
    principal_fen: int,
    vacant_fen: int,
    months: Fraction,
    period: Span,
    rules: Sequence[DiscountRule],
) -> list[DiscountedLine]:
    """Compute what goes off a bill when it is made, in the order applied; rules in any order.

    A rule counts when it is in force on the period's first day. Rules apply by priority, then id;
    one that is not stackable applies only if nothing was applied before it, and ends the list. A
    rule that comes to nothing was not applied.

    Percentages are of the **original** principal, never of what earlier discounts left; each line
    is rounded half up once. ``free_months`` gives ``free`` months for every full ``buy + free``
    of ``months``. The lines never exceed the principal: the last one is cut.

    Early payment is not known at billing time: see `early_payment`.

    Args:
        principal_fen: all principal lines of the bill.
        vacant_fen: the part of them that is for vacant days; the basis of ``vacancy``.
        months: for how many months the principal is, exactly.
        period: the bill's period.
        rules: those that were given to the house and item.

    Raises:
        ValueError: a rule lacks what its kind needs: it never passed `check_rule`.

    Source: domain.md D3.
    """
    basis = _Basis(principal_fen, vacant_fen, months)
    lines: list[DiscountedLine] = []
    left_fen = principal_fen
    for rule in _in_force(rules, period.starts_on):
        if rule.kind is DiscountKind.EARLY_PAYMENT or (lines and not rule.is_stackable):
            continue
        line = _line(rule, _OFFERS[rule.kind](rule, basis), left_fen)
        if line is None:
            continue
        lines.append(line)
        left_fen += line.amount_fen
        if not rule.is_stackable:
            break
    return lines


def early_payment(
    *, open_fen: int, issue_date: date, paid_on: date, rules: Sequence[DiscountRule]
) -> DiscountedLine | None:
    """Compute what goes off for paying all that is open early; rules in any order.

    A rule counts when it is in force on the issue date and ``paid_on`` is among its days, the issue
    date being the first. Only the first rule by priority, then id, that gives something is taken.

    Raises:
        ValueError: a rule lacks what its kind needs: it never passed `check_rule`.

    Source: domain.md D3.
    """
    for rule in _in_force(rules, issue_date):
        if rule.kind is not DiscountKind.EARLY_PAYMENT:
            continue
        days = _needed(rule.early_days)
        if paid_on < issue_date + timedelta(days=days):
            offer = _share(rule, open_fen, f"{days} 天内缴费")
            if line := _line(rule, offer, open_fen):
                return line
    return None


def _in_force(rules: Sequence[DiscountRule], day: date) -> list[DiscountRule]:
    in_force = [
        rule
        for rule in rules
        if rule.starts_on <= day and (rule.ends_before is None or day < rule.ends_before)
    ]
    return sorted(in_force, key=lambda rule: (rule.priority, rule.id))


def _line(rule: DiscountRule, offer: _Offer, left_fen: int) -> DiscountedLine | None:
    """Put an offer within its limits; nothing if nothing is left of it."""
    amount_fen, note = round_half_up(offer.exact_fen), offer.note
    if rule.cap_fen is not None and amount_fen > rule.cap_fen:
        amount_fen, note = rule.cap_fen, f"{offer.note}，最多减 {format_yuan(rule.cap_fen)} 元"
    if amount_fen > left_fen:
        amount_fen, note = left_fen, f"{note}，减到应缴为 0 为止"
    if amount_fen <= 0:
        return None
    return DiscountedLine(rule.id, rule.name, rule.kind, offer.basis_fen, -amount_fen, note)


def _percentage(rule: DiscountRule, basis: _Basis) -> _Offer:
    return _share(rule, basis.principal_fen, "")


def _vacancy(rule: DiscountRule, basis: _Basis) -> _Offer:
    return _share(rule, basis.vacant_fen, "空置期")


def _fixed(rule: DiscountRule, basis: _Basis) -> _Offer:
    amount_fen = _needed(rule.amount_fen)
    note = f"每张账单减 {format_yuan(amount_fen)} 元"
    return _Offer(basis.principal_fen, Fraction(amount_fen), note)


def _free_months(rule: DiscountRule, basis: _Basis) -> _Offer:
    buy, free = _needed(rule.buy_months), _needed(rule.free_months)
    free_total = basis.months // (buy + free) * free
    part = free_total / basis.months if free_total > 0 else Fraction(0)
    note = (
        f"买 {buy} 个月送 {free} 个月，{basis.months} 个月中免 {free_total} 个月："
        f"{format_yuan(basis.principal_fen)} 元 × {part}"
    )
    return _Offer(basis.principal_fen, basis.principal_fen * part, note)


_OFFERS: dict[DiscountKind, Callable[[DiscountRule, _Basis], _Offer]] = {
    DiscountKind.PERCENTAGE: _percentage,
    DiscountKind.FIXED: _fixed,
    DiscountKind.FREE_MONTHS: _free_months,
    DiscountKind.VACANCY: _vacancy,
}


def _share(rule: DiscountRule, basis_fen: int, occasion: str) -> _Offer:
    percent = _needed(rule.percent)
    off = f"{occasion}{_off(percent)}".strip()
    note = f"{off}：{format_yuan(basis_fen)} 元 × {trim(percent)}%"
    return _Offer(basis_fen, basis_fen * Fraction(percent) / 100, note)


def _off(percent: Decimal) -> str:
    """The trade's word: 5 % off is 9.5 折. Where that reads badly, plainly what goes off.

    A number has a blank before it.
    """
    tenths = (100 - percent) / 10
    if percent == 100:
        return "全免"
    return f" {trim(tenths)} 折" if tenths == round(tenths, 2) else f"减 {trim(percent)}%"


def _needed(value: _Value | None) -> _Value:
    if value is None:
        raise ValueError("the rule lacks what its kind needs")
    return value
