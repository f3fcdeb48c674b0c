"""What is on record, as sentences: who did what, the values before and after, and why.

Source: domain.md, idea 9: 2026-11-23 李工 将 3-1-502 建筑面积 89.37 → 92.10，原因：房产证更正.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from domain.acts import ACT_SHOWN
from domain.approvals import APPROVAL_SHOWN
from domain.equipment import CATEGORY_SHOWN, IMPORTANCE_SHOWN, STATE_SHOWN
from domain.field_words import FIELD_SHOWN
from domain.house_roles import ROLE_SHOWN as PART_SHOWN
from domain.houses import BUILDING_TYPE_SHOWN, HOUSE_STATE_SHOWN
from domain.maintenance_rules import BASIS_SHOWN, UNIT_SHOWN
from domain.maintenance_states import KIND_SHOWN as MAINTENANCE_SHOWN
from domain.maintenance_states import TASK_SHOWN
from domain.meters import KIND_SHOWN
from domain.money import format_yuan
from domain.payment_states import CHANNEL_SHOWN
from domain.periods import local_date
from domain.permissions import ROLE_SHOWN
from domain.phones import mask_typed_phones
from domain.refund_states import SurplusPolicy
from domain.transfers import PREPAID_SHOWN, UNPAID_SHOWN

ARROW = " → "
_NOTHING = "空"
_AREAS = frozenset({"billing_area", "building_area", "inner_area", "land_area", "built_area"})
_DECIMAL = re.compile(r"-?[0-9]+\.[0-9]+")
_HIDDEN = frozenset({"before", "after", "reason", "note", "bill_no", "cashier"})
"""What is told elsewhere in the sentence, or is the subject itself."""
_REASONS = ("reason", "note")
_VALUES: dict[str, Mapping[Any, str]] = {
    "role": {**ROLE_SHOWN, **PART_SHOWN, "owner": "业主", "family": "家人", "tenant": "租户"},
    "kind": {**KIND_SHOWN, **APPROVAL_SHOWN, **MAINTENANCE_SHOWN},
    "channel": CHANNEL_SHOWN,
    "unpaid": UNPAID_SHOWN,
    "prepaid": PREPAID_SHOWN,
    "by": {"phone": "手机短信", "mail": "邮件"},
    "right_kind": {"owned": "产权", "rented": "租赁", "public": "公共", "civil_defence": "人防"},
    "proof": {"code": "新手机验证码", "codes": "新旧手机验证码"},
    "surplus_policy": {
        SurplusPolicy.PREPAID: "转入预存",
        SurplusPolicy.REFUND: "退回",
        SurplusPolicy.ASK: "由人决定",
    },
    "state": {
        **TASK_SHOWN,
        **STATE_SHOWN,
        **HOUSE_STATE_SHOWN,
        "pending": "待审核",
        "approved": "已同意",
        "rejected": "已拒绝",
        "withdrawn": "已撤回",
        "open": "有效",
        "accepted": "已接受",
        "revoked": "已收回",
    },
    "liable_from_rule": {"handover_date": "交付当日", "next_month_first": "交付次月 1 日"},
    "building_type": BUILDING_TYPE_SHOWN,
    "category": CATEGORY_SHOWN,
    "importance": IMPORTANCE_SHOWN,
    "basis": BASIS_SHOWN,
    "unit": UNIT_SHOWN,
    "assignee_role": ROLE_SHOWN,
}
_CONTROLS = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_OWN_NAMES = (
    "bill_no",
    "meter_no",
    "refund_no",
    "out_trade_no",
    "space_no",
    "plate_no",
    "file_name",
    "name",
)
_ENUMS = frozenset({"kind", "grace_mode", "charge_method", "share_by"})
"""Told only where the value has a word."""


def say_act(
    *,
    at: datetime,
    actor_name: str,
    action: str,
    subject: str,
    facts: Mapping[str, Any],
    names: Mapping[int, str] | None = None,
) -> str:
    """Say what is on record as one sentence with its local day.

    ``names`` are owners by id, for facts that name one. An act of an older version, which we no
    longer know, is told by its own word.
    """
    phrase = ACT_SHOWN.get(action, f"办理了 {action}（{{subject}}）")
    changes = "，".join(say_changes(facts))
    if "{changes}" not in phrase:
        phrase += "：{changes}" if changes else ""
    told = phrase.replace("{subject}", subject).replace("{changes}", changes).strip()
    more = [*_say_owner(facts, names or {}), *_say_facts(facts)]
    why = next((str(facts[key]).strip() for key in _REASONS if facts.get(key)), "")
    why = mask_typed_phones(why)
    return on_one_line(
        "，".join(
            [f"{local_date(at)} {actor_name} {told}", *more, *([f"原因：{why}"] if why else [])]
        )
    )


def on_one_line(text: str) -> str:
    """Leave out what breaks a line, moves a terminal's cursor or turns the direction of text."""
    plain = (" " if unicodedata.category(sign) in _CONTROLS else sign for sign in text)
    return " ".join("".join(plain).split())


def name_on_record(facts: Mapping[str, Any]) -> str:
    """Tell what a row was called when it was put on record; nothing where that was not kept."""
    for side in (facts, facts.get("before"), facts.get("after")):
        if not isinstance(side, Mapping):
            continue
        for key in _OWN_NAMES:
            if side.get(key) and isinstance(side[key], str):
                return str(side[key])
    return ""


def say_changes(facts: Mapping[str, Any]) -> Iterator[str]:
    """Say each field that changed with its values; a row that came or went with those it had."""
    before, after = facts.get("before"), facts.get("after")
    if before is None and after is None:
        return
    if not isinstance(before, Mapping) and not isinstance(after, Mapping):
        yield f"{say_value('', before)}{ARROW}{say_value('', after)}"
        return
    was = before if isinstance(before, Mapping) else {}
    now = after if isinstance(after, Mapping) else {}
    for name in [*now, *(name for name in was if name not in now)]:
        if _is_id(name) or was.get(name) == now.get(name):
            continue
        word = FIELD_SHOWN.get(name, name) if not name.isdigit() else ""
        told = [say_value(name, side[name]) for side in (was, now) if name in side]
        if told[0] != told[-1] or (len(told) == 1 and told != [_NOTHING]):
            yield f"{word} {ARROW.join(told)}".strip()


def say_value(field: str, value: Any) -> str:
    """Say one value: money in yuan, areas to the hundredth, words for what we have words for."""
    if value is None or value in ("", []):
        return _NOTHING
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, list):
        return "、".join(say_value(field, one) for one in value)
    if isinstance(value, Mapping):
        return "、".join(f"{say_value('', one)}" for one in value.values())
    if field.endswith("_fen") and isinstance(value, int):
        return f"{format_yuan(value, separators=True)} 元"
    words = _VALUES.get(field, {}) if isinstance(value, str) else {}
    text = words.get(value) or (ROLE_SHOWN.get(value) if not field else "") or str(value)
    is_decimal = _DECIMAL.fullmatch(text) or (field in _AREAS and text.isdigit())
    return _say_decimal(field, text) if is_decimal else text


def _say_decimal(field: str, text: str) -> str:
    plain = format(Decimal(text).normalize(), "f")
    if field not in _AREAS:
        return plain
    whole, _, part = plain.partition(".")
    return f"{whole}.{part:0<2}"


def _say_owner(facts: Mapping[str, Any], names: Mapping[int, str]) -> Iterator[str]:
    """Tell of which owner a change of a house's people is."""
    for side in ("after", "before"):
        part = facts.get(side)
        if isinstance(part, Mapping) and part.get("owner_id") in names:
            yield f"住户 {names[part['owner_id']]}"
            return


def _say_facts(facts: Mapping[str, Any]) -> Iterator[str]:
    for name, value in facts.items():
        if name in _HIDDEN or name not in FIELD_SHOWN or isinstance(value, Mapping):
            continue
        if name in _ENUMS and value not in _VALUES.get(name, {}):
            continue
        if value not in (None, "", [], 0, False):
            yield f"{FIELD_SHOWN[name]} {say_value(name, value)}"


def _is_id(name: str) -> bool:
    return name == "id" or name.endswith(("_id", "_ids"))
