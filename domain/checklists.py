"""What is looked at in a maintenance, and whether what was found can be taken.

Source: domain.md D10 and idea 13: an item may ask for a photo and for a value within a range.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from domain.cells import BadCell, read_text
from domain.errors import InvalidInput
from domain.maintenance_states import Verdict

ITEMS_LIMIT = 60
NOTE_LIMIT = 200
_TITLE_LIMIT = 60
_UNIT_LIMIT = 10
_VALUE_LIMIT = Decimal(10) ** 12
_VALUE_STEP = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class ChecklistItem:
    """One thing to look at; ``key`` names it within its list and never changes.

    ``low`` and ``high`` are what a value may be at least and at most, in ``unit``.
    """

    key: str
    title: str
    needs_photo: bool = False
    needs_value: bool = False
    unit: str = ""
    low: Decimal | None = None
    high: Decimal | None = None

    def holds(self, value: Decimal) -> bool:
        """Tell whether a value lies within the range."""
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)


@dataclass(frozen=True, slots=True)
class Finding:
    """What somebody found of an item."""

    key: str
    verdict: Verdict
    value: Decimal | None = None
    note: str = ""
    photo_ids: Sequence[int] = ()


def check_items(items: Sequence[ChecklistItem]) -> Sequence[ChecklistItem]:
    """Refuse a checklist that cannot be used; give it as it is kept.

    Raises:
        InvalidInput: ``fields`` says which item, counted from 1, and why.
    """
    if not 1 <= len(items) <= ITEMS_LIMIT:
        raise InvalidInput(fields={"checklist": [f"应有 1 至 {ITEMS_LIMIT} 项"]})
    problems = []
    for number, item in enumerate(items, 1):
        if why := _why_not(item):
            problems.append(f"第 {number} 项：{why}")
    if len({item.key for item in items}) != len(items):
        problems.append("项目编号不能重复")
    if problems:
        raise InvalidInput(fields={"checklist": problems})
    return tuple(items)


def _why_not(item: ChecklistItem) -> str:
    for text, limit, what in (
        (item.key, 20, "编号"),
        (item.title, _TITLE_LIMIT, "名称"),
        (item.unit, _UNIT_LIMIT, "单位"),
    ):
        try:
            read = read_text(text, limit=limit)
        except BadCell as bad:
            return f"{what}{bad.why}"
        if read != text or (not text and what != "单位"):
            return f"请填写{what}，首尾不能有空格"
    if any(not _is_value(bound) for bound in (item.low, item.high) if bound is not None):
        return "范围不是数字"
    if not item.needs_value and (item.low is not None or item.high is not None):
        return "有范围的项目要填读数"
    if item.low is not None and item.high is not None and item.low > item.high:
        return "范围上下限颠倒"
    return ""


def _is_value(value: Decimal) -> bool:
    return value.is_finite() and abs(value) < _VALUE_LIMIT and value % _VALUE_STEP == 0


def check_findings(
    items: Sequence[ChecklistItem],
    findings: Sequence[Finding],
    *,
    photographed: Collection[str] = (),
) -> Sequence[tuple[ChecklistItem, Finding]]:
    """Match what was found with a checklist, in its order.

    ``photographed`` are the keys of items that have a photo from before: they need no other.

    Raises:
        InvalidInput: an item has no finding or two, one is none of the list, a value or photo that
            the item asks for is missing, a value outside the range is called normal, or what is
            abnormal or does not apply has no words; ``fields`` says which by ``results.KEY``.
    """
    given: dict[str, Finding] = {}
    problems: dict[str, list[str]] = {}
    known = {item.key for item in items}
    for finding in findings:
        if finding.key not in known:
            problems[f"results.{finding.key[:20]}"] = ["清单中没有这一项"]
        elif finding.key in given:
            problems[f"results.{finding.key}"] = ["同一项填了两次"]
        given[finding.key] = finding
    for item in items:
        found = given.get(item.key)
        has_photo = item.key in photographed
        if why := _refuse(item, found, has_photo) if found else "还没有填写结果":
            problems.setdefault(f"results.{item.key}", []).append(why)
    if problems:
        raise InvalidInput(fields=problems)
    return [(item, given[item.key]) for item in items]


def _refuse(item: ChecklistItem, found: Finding, has_photo: bool) -> str:
    if len(found.note) > NOTE_LIMIT or not found.note.replace("\n", "").isprintable():
        return f"说明请在 {NOTE_LIMIT} 个字以内"
    if found.value is not None and not _is_value(found.value):
        return "读数不是数字，最多 6 位小数"
    if found.verdict is not Verdict.NORMAL and not found.note.strip():
        return "异常或不适用时请写明情况"
    if found.verdict is Verdict.NOT_APPLICABLE:
        return ""
    if item.needs_value and found.value is None:
        return "请填写读数"
    if item.needs_photo and not (found.photo_ids or has_photo):
        return "请上传照片"
    if found.value is None or item.holds(found.value):
        return ""
    return "读数超出范围，应判为异常" if found.verdict is Verdict.NORMAL else ""


def find_loosened(
    items: Sequence[ChecklistItem], template: Sequence[ChecklistItem]
) -> Sequence[str]:
    """Tell in what a checklist asks for less than a template; empty if it asks for all of it."""
    have = {item.key: item for item in items}
    found = []
    for wanted in template:
        own = have.get(wanted.key)
        if own is None:
            found.append(f"少了“{wanted.title}”")
        elif wanted.needs_photo and not own.needs_photo:
            found.append(f"“{wanted.title}”不要求照片")
        elif wanted.needs_value and not own.needs_value:
            found.append(f"“{wanted.title}”不要求读数")
        elif _is_wider(own, wanted):
            found.append(f"“{wanted.title}”的范围更宽")
    return found


def _is_wider(own: ChecklistItem, wanted: ChecklistItem) -> bool:
    below = wanted.low is not None and (own.low is None or own.low < wanted.low)
    above = wanted.high is not None and (own.high is None or own.high > wanted.high)
    return below or above


def items_to_json(items: Sequence[ChecklistItem]) -> list[dict[str, Any]]:
    """Write a checklist as its column keeps it; bounds are text, so that they stay exact."""
    return [
        {
            "key": item.key,
            "title": item.title,
            "needs_photo": item.needs_photo,
            "needs_value": item.needs_value,
            "unit": item.unit,
            "low": None if item.low is None else str(item.low),
            "high": None if item.high is None else str(item.high),
        }
        for item in items
    ]


def items_from_json(rows: Sequence[Mapping[str, Any]]) -> Sequence[ChecklistItem]:
    """Read what `items_to_json` wrote."""
    return tuple(
        ChecklistItem(
            key=row["key"],
            title=row["title"],
            needs_photo=row["needs_photo"],
            needs_value=row["needs_value"],
            unit=row["unit"],
            low=None if row["low"] is None else Decimal(row["low"]),
            high=None if row["high"] is None else Decimal(row["high"]),
        )
        for row in rows
    )
