"""What a bill line remembers of how it came about, and how that is said to people.

A trace is a JSON object; ``method`` tells which of the shapes below it has. Numbers that are not
fen are text, so that nothing is lost on the way through JSON. Days are half-open: ``until`` is the
first day that does not count any more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, NotRequired, TypedDict

from domain.formulas import VARIABLES_SHOWN
from domain.meters import UNIT_SHOWN
from domain.money import format_yuan
from domain.periods import Span
from domain.shares import ShareBy


class _Dated(TypedDict):
    method: str
    until: str
    rounding: str
    rounding_fen: int
    since: NotRequired[list[str]]


class PricedTrace(_Dated):
    """A line by ``area`` or at a ``fixed`` price; also has ``from``."""

    unit_price: str
    months: str
    surcharge: NotRequired[str]
    vacancy_rate: NotRequired[str]
    period_months: NotRequired[int]
    area: NotRequired[str]
    coefficient: NotRequired[str]


class SegmentTrace(TypedDict):
    """One meter from one reading to another; also has ``from``, the first of the two readings."""

    meter_no: str
    from_on: str
    until_on: str
    until: str
    multiplier: str
    turned: str


class MeterTrace(_Dated):
    """A line by usage; ``tiers`` lists usage and price of each tier that was reached."""

    meter_kind: str
    usage: str
    segments: list[SegmentTrace]
    unit_price: NotRequired[str]
    tiers: NotRequired[list[list[str]]]
    used_before: NotRequired[str]
    window: NotRequired[str]


class ShareTrace(TypedDict):
    """A share of a pool: ``weight`` of ``weights`` over so many ``households``."""

    method: str
    pool_id: int
    pool_fen: int
    share_by: str
    weight: str
    weights: str
    households: int
    until: str
    units: NotRequired[str]
    unit_price: NotRequired[str]


class FormulaTrace(_Dated):
    """A line by formula with the values that its variables had.

    The formula speaks of all liable days of the period; ``part`` is what of them the line is for,
    by months, when it is not all. ``months`` are the line's own and belong to the surcharge.
    """

    formula: str
    values: dict[str, str]
    part: NotRequired[str]
    surcharge: NotRequired[str]
    months: NotRequired[str]
    vacancy_rate: NotRequired[str]


Trace = Mapping[str, Any]

_SINCE_SHOWN = {"price": "调价", "area": "面积变更", "owner": "产权变更", "vacancy": "空置状态变更"}
_SHARE_SHOWN = {
    ShareBy.AREA: "计费面积（㎡）",
    ShareBy.HOUSEHOLD: "户数",
    ShareBy.COEFFICIENT: "系数",
    ShareBy.CUSTOM: "约定权重",
}
_WINDOW_SHOWN = {"month": "本月", "year": "本年度"}


def explain(trace: Trace, amount_fen: int) -> str:
    """Say in one Chinese sentence how a line's amount came about."""
    return _EXPLAIN[trace["method"]](trace, amount_fen)


def _explain_priced(trace: Trace, amount_fen: int) -> str:
    months = "" if trace["months"] == "1" else f" × {trace['months']} 个月"
    surcharge = f" + 附加费 {trace['surcharge']} 元/月" if "surcharge" in trace else ""
    if "period_months" in trace:
        sum_up = f"{trace['unit_price']} 元/期{_periods(trace)}"
        if surcharge:
            sum_up = f"（{sum_up}{surcharge}{months}）"
    else:
        factors = f"{trace['unit_price']} 元/月"
        if trace["method"] == "area":
            factors = f"{trace['area']} ㎡ × {trace['unit_price']} 元/㎡·月"
            if trace["coefficient"] != "1":
                factors += f" × 系数 {trace['coefficient']}"
        sum_up = f"（{factors}{surcharge}）{months}" if surcharge else f"{factors}{months}"
    if "vacancy_rate" in trace:
        sum_up += f" × 空置 {percent(trace['vacancy_rate'])}"
    return f"{_days(trace)}：{sum_up} = {format_yuan(amount_fen)} 元{_rounded(trace)}"


def _periods(trace: Trace) -> str:
    """Say what part of a period a price per period is for; nothing when it is all of it."""
    months, of = trace["months"], trace["period_months"]
    if months == str(of):
        return ""
    return f" × {months} 个月 ÷ {of} 个月" if "/" in months else f" × {months}/{of} 期"


def _explain_meter(trace: Trace, amount_fen: int) -> str:
    unit = UNIT_SHOWN[trace["meter_kind"]]
    readings = "；".join(_segment(segment, unit) for segment in trace["segments"])
    if "tiers" in trace:
        steps = " + ".join(
            f"第 {number} 档 {usage} {unit} × {price} 元" for number, usage, price in trace["tiers"]
        )
        before = ""
        if trace["used_before"] != "0":
            before = f"（{_WINDOW_SHOWN[trace['window']]}此前已用 {trace['used_before']} {unit}）"
        sum_up = (steps or f"0 {unit}") + before
    else:
        sum_up = f"{trace['usage']} {unit} × {trace['unit_price']} 元/{unit}"
    if "surcharge" in trace:
        sum_up += f" + 附加费 {trace['surcharge']} 元/月 × {trace['months']} 个月"
    return f"{_days(trace)}：{readings}，{sum_up} = {format_yuan(amount_fen)} 元{_rounded(trace)}"


def _segment(segment: Trace, unit: str) -> str:
    turned = f" + 翻转 {segment['turned']}" if segment["turned"] != "0" else ""
    read = f"{segment['until']} − {segment['from']}{turned}"
    if segment["multiplier"] != "1":
        read = f"（{read}）× 倍率 {segment['multiplier']}"
    return (
        f"表 {segment['meter_no']}（{segment['from_on']} 至 {segment['until_on']}）"
        f"{read} = {segment['usage']} {unit}"
    )


def _explain_share(trace: Trace, amount_fen: int) -> str:
    pool = f"公摊总额 {format_yuan(trace['pool_fen'])} 元"
    if "units" in trace:
        pool += f"（{trace['units']} × {trace['unit_price']} 元）"
    weight = f"{trace['weight']}/{trace['weights']}"
    return (
        f"{_days(trace)}：{pool}，{trace['households']} 户按{_SHARE_SHOWN[trace['share_by']]}分摊，"
        f"本户占 {weight} = {format_yuan(amount_fen)} 元"
    )


def _explain_formula(trace: Trace, amount_fen: int) -> str:
    values = "，".join(
        f"{VARIABLES_SHOWN.get(name, name)} {value}" for name, value in trace["values"].items()
    )
    sum_up = f"公式 {trace['formula']}" + (f"（{values}）" if values else "")
    if "part" in trace:
        sum_up += f"，本段占 {trace['part']}"
    if "surcharge" in trace:
        sum_up += f"，另加附加费 {trace['surcharge']} 元/月 × {trace['months']} 个月"
    if "vacancy_rate" in trace:
        sum_up += f"，空置按 {percent(trace['vacancy_rate'])} 收"
    return f"{_days(trace)}：{sum_up} = {format_yuan(amount_fen)} 元{_rounded(trace)}"


def _explain_one_off(trace: Trace, amount_fen: int) -> str:
    return f"{trace['charged_on']}：{trace['source_document']}，{format_yuan(amount_fen)} 元"


def _explain_discount(trace: Trace, amount_fen: int) -> str:
    return f"优惠“{trace['name']}”：{trace['note']}，{format_yuan(amount_fen)} 元"


def _explain_adjustment(trace: Trace, amount_fen: int) -> str:
    # A credit note of which the bill could take nothing at all has an amount of 0.
    word = "调减" if amount_fen < 0 or trace.get("to_prepaid_fen") else "调增"
    rest = ""
    if trace.get("to_prepaid_fen"):
        rest = f"，其余 {format_yuan(trace['to_prepaid_fen'])} 元转入预存"
    return (
        f"更正账单 {trace['of_bill_no']}：{trace['reason']}，"
        f"{word} {format_yuan(abs(amount_fen))} 元{rest}"
    )


def _explain_waiver(trace: Trace, amount_fen: int) -> str:
    return f"减免：{trace['reason']}，{format_yuan(amount_fen)} 元"


def _explain_restored(trace: Trace, amount_fen: int) -> str:
    return f"缴费已退款，收回优惠“{trace['name'] or '提前缴费'}”，+{format_yuan(amount_fen)} 元"


_EXPLAIN: dict[str, Callable[[Trace, int], str]] = {
    "area": _explain_priced,
    "fixed": _explain_priced,
    "meter": _explain_meter,
    "share": _explain_share,
    "formula": _explain_formula,
    "one_off": _explain_one_off,
    "discount": _explain_discount,
    "adjustment": _explain_adjustment,
    "waiver": _explain_waiver,
    "restored": _explain_restored,
}


def percent(ratio: str) -> str:
    """Write a ratio such as ``0.7`` as ``70%``."""
    text = f"{Decimal(ratio) * 100:f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) + "%"


def _days(trace: Trace) -> str:
    span = Span(date.fromisoformat(trace["from"]), date.fromisoformat(trace["until"]))
    since = [_SINCE_SHOWN[word] for word in trace.get("since", ())]
    return f"{span}（{'、'.join(since)}）" if since else str(span)


def _rounded(trace: Trace) -> str:
    if not trace["rounding_fen"]:
        return ""
    unit = {"jiao": "角", "yuan": "元"}[trace["rounding"]]
    sign = "+" if trace["rounding_fen"] > 0 else ""
    return f"（四舍五入到{unit}，{sign}{format_yuan(trace['rounding_fen'])} 元）"
