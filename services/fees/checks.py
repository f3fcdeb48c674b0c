"""Whether what somebody typed makes an item or a price that can be charged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from domain.charges import PRICED_METHODS, ChargeMethod
from domain.cycles import CYCLE_MONTHS, BillingTiming, CycleAnchor
from domain.errors import InvalidInput
from domain.formulas import BadFormula, Formula
from domain.meters import MeterKind
from domain.money import Rounding
from domain.periods import Proration
from domain.tiers import BadTiers, TierTable, TierWindow

_MAX_PRICE = Decimal("999999.999999")
_PRICE_STEP = Decimal("0.000001")
_RATE_STEP = Decimal("0.00000001")


@dataclass(frozen=True, slots=True)
class NewPrice:
    """A price as it is typed: one of unit price, tier rows (limit or None, price) and formula."""

    unit_price: Decimal | None = None
    surcharge: Decimal = Decimal(0)
    tiers: Sequence[tuple[str | None, str]] | None = None
    formula: str | None = None
    constants: Mapping[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NewFeeItem:
    """What is needed to charge an item.

    Price in yuan: per ㎡ and month for ``area``, per month (or period) for ``fixed``, per unit for
    ``meter``; ``tiers`` or ``formula`` in its place. Pools and one-off charges have no price.
    """

    code: str
    name: str
    charge_method: ChargeMethod
    unit_price: Decimal | None
    starts_on: date
    rounding: Rounding = Rounding.FEN
    proration: Proration = Proration.ACTUAL_MONTH
    issue_offset_days: int = 0
    due_days: int = 30
    due_day: int | None = None
    surcharge: Decimal = Decimal(0)
    tiers: Sequence[tuple[str | None, str]] | None = None
    formula: str | None = None
    constants: Mapping[str, Decimal] = field(default_factory=dict)
    cycle_months: int = 1
    cycle_anchor: CycleAnchor = CycleAnchor.CALENDAR
    cycle_from_month: int = 1
    billing_timing: BillingTiming = BillingTiming.IN_ARREARS
    is_per_period: bool = False
    vacancy_rate: Decimal = Decimal(1)
    meter_kind: MeterKind | None = None
    tier_window: TierWindow = TierWindow.MONTH
    tier_from_month: int = 1
    is_tier_per_house: bool = False
    is_tier_per_person: bool = False

    @property
    def price(self) -> NewPrice:
        """The price that holds from the first day on."""
        return NewPrice(self.unit_price, self.surcharge, self.tiers, self.formula, self.constants)


def check_item(item: NewFeeItem) -> None:
    """Refuse an item that cannot be charged.

    Raises:
        InvalidInput: ``fields`` says what and why.
    """
    fields = {name: [why] for name, why in _item_problems(item).items() if why}
    fields.update(find_price_problems(item.charge_method, item.price))
    if fields:
        raise InvalidInput(fields=fields)


def _item_problems(item: NewFeeItem) -> dict[str, str]:
    method = item.charge_method
    is_odd = item.is_per_period and method is not ChargeMethod.FIXED
    return {
        "code": _code_problem(item.code),
        "name": "" if 1 <= len(item.name.strip()) <= 20 else "请填写项目名称，20 字以内",
        "issue_offset_days": _range_problem(item.issue_offset_days, range(366), "天"),
        "due_days": _range_problem(item.due_days, range(366), "天"),
        "due_day": _range_problem(item.due_day, range(1, 32), "日"),
        "cycle_months": "" if item.cycle_months in CYCLE_MONTHS else "应为 1、2、3、6 或 12 个月",
        "cycle_from_month": _range_problem(item.cycle_from_month, range(1, 13), "月"),
        "tier_from_month": _range_problem(item.tier_from_month, range(1, 13), "月"),
        "vacancy_rate": _vacancy_problem(item),
        "meter_kind": _meter_problem(item),
        "is_per_period": "只有固定金额的项目可以按期收费" if is_odd else "",
    }


def _range_problem(value: int | None, allowed: range, unit: str) -> str:
    if value is None or value in allowed:
        return ""
    return f"应为 {allowed[0]} 至 {allowed[-1]} {unit}"


def _code_problem(code: str) -> str:
    if not (2 <= len(code) <= 4 and code.isascii() and code.isalpha()):
        return "应为 2 至 4 位大写字母，例如 WY"
    return "" if code == code.upper() else "请用大写字母"


def _vacancy_problem(item: NewFeeItem) -> str:
    rate, method = item.vacancy_rate, item.charge_method
    if not rate.is_finite() or not 0 <= rate <= 1:
        return "应在 0 与 1 之间，例如 0.7"
    if rate != 1 and method not in _BY_TIME:
        return f"{_METHOD_SHOWN[method]}收费不分空置与否"
    return "最多 8 位小数" if rate % _RATE_STEP else ""


def _meter_problem(item: NewFeeItem) -> str:
    if item.charge_method is ChargeMethod.METER and item.meter_kind is None:
        return "抄表收费需要选择表类型"
    if item.meter_kind and item.charge_method not in (ChargeMethod.METER, ChargeMethod.FORMULA):
        return "只有抄表和公式收费使用表"
    return ""


def find_price_problems(method: ChargeMethod, price: NewPrice) -> dict[str, list[str]]:
    """Tell by field why a price does not fit a method; nothing when it does."""
    ways = {
        "unit_price": price.unit_price is not None,
        "tiers": price.tiers is not None,
        "formula": price.formula is not None,
    }
    allowed = _WAYS[method]
    problems = {
        name: [f"{_METHOD_SHOWN[method]}收费不使用这一项"]
        for name, is_given in ways.items()
        if is_given and name not in allowed
    }
    if allowed and not problems and sum(ways.values()) != 1:
        problems[allowed[0]] = (
            ["请填写价格"] if not any(ways.values()) else ["单价与阶梯只能填一种"]
        )
    if price.unit_price is not None and (why := _price_problem(price.unit_price)):
        problems.setdefault("unit_price", []).append(why)
    if why := _surcharge_problem(method, price.surcharge):
        problems["surcharge"] = [why]
    for name, read in (("tiers", _read_tiers), ("formula", _read_formula)):
        if ways[name] and (why := read(price)):
            problems.setdefault(name, []).append(why)
    return problems


_WAYS: dict[ChargeMethod, tuple[str, ...]] = {
    ChargeMethod.AREA: ("unit_price",),
    ChargeMethod.FIXED: ("unit_price",),
    ChargeMethod.METER: ("unit_price", "tiers"),
    ChargeMethod.FORMULA: ("formula",),
    ChargeMethod.SHARE: (),
    ChargeMethod.ONE_OFF: (),
}
_BY_TIME = frozenset({ChargeMethod.AREA, ChargeMethod.FIXED, ChargeMethod.FORMULA})
"""Methods that charge days, so that vacant ones can cost less."""
_METHOD_SHOWN = {
    ChargeMethod.AREA: "按面积",
    ChargeMethod.FIXED: "固定金额",
    ChargeMethod.METER: "抄表",
    ChargeMethod.FORMULA: "公式",
    ChargeMethod.SHARE: "公摊",
    ChargeMethod.ONE_OFF: "临时",
}


def _price_problem(unit_price: Decimal) -> str:
    if not unit_price.is_finite() or not 0 < unit_price <= _MAX_PRICE:
        return "单价应大于 0 且不超过 999999"
    return "单价最多 6 位小数" if unit_price % _PRICE_STEP else ""


def _surcharge_problem(method: ChargeMethod, surcharge: Decimal) -> str:
    if not surcharge.is_finite() or not 0 <= surcharge <= _MAX_PRICE:
        return "附加费不能小于 0，且不超过 999999"
    if surcharge and method not in PRICED_METHODS:
        return f"{_METHOD_SHOWN[method]}收费没有附加费"
    return "附加费最多 6 位小数" if surcharge % _PRICE_STEP else ""


def _read_tiers(price: NewPrice) -> str:
    try:
        TierTable.read(price.tiers or ())
    except BadTiers as error:
        return error.message
    return ""


def _read_formula(price: NewPrice) -> str:
    try:
        Formula.read(price.formula or "", price.constants)
    except BadFormula as error:
        return error.message
    return ""
