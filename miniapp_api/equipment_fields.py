"""Shapes that routes about equipment and maintenance share."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from marshmallow import Schema, fields, validate

from domain.checklists import ITEMS_LIMIT, NOTE_LIMIT, ChecklistItem, Finding
from domain.equipment import EquipmentCategory, EquipmentState, Importance
from domain.maintenance_rules import FIXED_DAYS_LIMIT, Basis, DueRule, PlanUnit
from domain.maintenance_states import MaintenanceKind, Verdict
from domain.permissions import Role
from miniapp_api.estate_fields import NumberOut, WholeIn, text_in
from miniapp_api.fields import (
    WORDS,
    Day,
    Flag,
    Input,
    ListOf,
    NestedIn,
    OneOf,
    PhotoIds,
    RowId,
    Words,
)
from miniapp_api.people_fields import Optional, ReasonIn
from miniapp_api.stored_files import FileOut
from services.maintenance.plan_rows import PlanWords
from services.maintenance.templates import TemplateWords

CATEGORIES = [str(one) for one in EquipmentCategory]
IMPORTANCES = [str(one) for one in Importance]
STATES = [str(one) for one in EquipmentState]
KINDS = [str(one) for one in MaintenanceKind]
UNITS = [str(one) for one in PlanUnit]
IDS_LIMIT = 500


class SignedIn(fields.String):
    """A decimal as text such as ``"-1.5"``; its use-case says what it may be."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            allow_none=True,
            load_default=None,
            validate=validate.Regexp(
                r"\A-?[0-9]{1,12}(\.[0-9]{1,6})?\Z", error="应为数字，例如 0.85"
            ),
            metadata={"example": "0.85"},
            error_messages=WORDS,
            **kwargs,
        )


class EquipmentColumnsIn(Input):
    """Columns of equipment."""

    building_id = RowId(allow_none=True)
    asset_no = text_in(30)
    name = Words(limit=50)
    category = OneOf(CATEGORIES)
    importance = OneOf(IMPORTANCES)
    brand = text_in(50)
    model_no = text_in(50)
    serial_no = text_in(50)
    floor = text_in(20)
    place = text_in(100)
    purchased_on = Day(allow_none=True)
    installed_on = Day(allow_none=True)
    warranty_until = Day(allow_none=True)
    statutory_until = Day(allow_none=True)
    supplier = text_in(100)
    maintainer = text_in(100)
    maintainer_phone = text_in(30)
    contract_until = Day(allow_none=True)
    custodian_id = RowId(allow_none=True)
    note = text_in(200)


class EquipmentEditIn(ReasonIn):
    """What changes, and what each of it was when it was looked at."""

    changes = NestedIn(EquipmentColumnsIn, required=True)
    expected = NestedIn(EquipmentColumnsIn, required=True)


class ItemIn(Input):
    """One thing to look at."""

    key = Words(limit=20, required=True)
    title = Words(limit=60, required=True)
    needs_photo = Flag(load_default=False)
    needs_value = Flag(load_default=False)
    unit = Optional(limit=10, load_default="")
    low = SignedIn()
    high = SignedIn()


class ItemOut(Schema):
    """One thing to look at."""

    key = fields.String(required=True)
    title = fields.String(required=True)
    needs_photo = fields.Boolean(required=True)
    needs_value = fields.Boolean(required=True)
    unit = fields.String(required=True)
    low = fields.String(required=True, allow_none=True)
    high = fields.String(required=True, allow_none=True)


class FindingIn(Input):
    """What was found of an item."""

    key = Words(limit=20, required=True)
    verdict = OneOf([str(one) for one in Verdict], required=True)
    value = SignedIn()
    note = Optional(limit=NOTE_LIMIT, load_default="")
    photo_ids = PhotoIds()


class PlanColumnsIn(Input):
    """All that is written of a plan."""

    name = Words(limit=50, required=True)
    kind = OneOf(KINDS, required=True)
    basis = OneOf([str(one) for one in Basis], required=True)
    every = WholeIn(load_default=None)
    unit = OneOf(UNITS, load_default=None, allow_none=True)
    fixed_days = fields.List(
        Words(limit=5),
        validate=validate.Length(max=FIXED_DAYS_LIMIT, error=f"最多 {FIXED_DAYS_LIMIT} 个日期"),
        load_default=list,
        error_messages=WORDS,
    )
    starts_on = Day(required=True)
    ends_on = Day(load_default=None, allow_none=True)
    lead_days = WholeIn(load_default=3)
    window_days = WholeIn(load_default=0)
    assignee_id = RowId(load_default=None, allow_none=True)
    assignee_role = OneOf([str(one) for one in Role], load_default=str(Role.ENGINEER))
    template_id = RowId(load_default=None, allow_none=True)
    looser_reason = Optional(limit=200, load_default="")
    checklist = ListOf(NestedIn(ItemIn), most=ITEMS_LIMIT, required=True)


class TemplateColumnsIn(Input):
    """All that is written of a template."""

    code = Words(limit=20, required=True)
    name = Words(limit=50, required=True)
    category = OneOf(CATEGORIES, required=True)
    kind = OneOf(KINDS, required=True)
    every = WholeIn(required=True)
    unit = OneOf(UNITS, required=True)
    source = Optional(limit=200, load_default="")
    evidence = Optional(limit=100, load_default="")
    is_active = Flag(load_default=True)
    checklist = ListOf(NestedIn(ItemIn), most=ITEMS_LIMIT, required=True)


class ResultOut(Schema):
    """What was found of an item."""

    key = fields.String(required=True)
    title = fields.String(required=True)
    verdict = fields.String(required=True)
    verdict_shown = fields.String(required=True)
    value = NumberOut(required=True, allow_none=True)
    note = fields.String(required=True)
    photos = fields.List(fields.Nested(FileOut), required=True)


def _items_of(rows: list[dict[str, Any]]) -> tuple[ChecklistItem, ...]:
    return tuple(
        ChecklistItem(**(row | {side: _decimal(row[side]) for side in ("low", "high")}))
        for row in rows
    )


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def read_plan(form: dict[str, Any]) -> PlanWords:
    """Take the words of a plan out of a form."""
    unit = form.pop("unit")
    rule = DueRule(
        form.pop("every"), PlanUnit(unit) if unit else None, tuple(form.pop("fixed_days"))
    )
    return PlanWords(
        name=form.pop("name"),
        kind=MaintenanceKind(form.pop("kind")),
        basis=Basis(form.pop("basis")),
        rule=rule,
        starts_on=form.pop("starts_on"),
        checklist=_items_of(form.pop("checklist")),
        ends_on=form.pop("ends_on"),
        lead_days=_whole(form.pop("lead_days")),
        window_days=_whole(form.pop("window_days")),
        assignee_id=form.pop("assignee_id"),
        assignee_role=Role(form.pop("assignee_role")),
        template_id=form.pop("template_id"),
        looser_reason=form.pop("looser_reason"),
    )


def _whole(given: int | None) -> int:
    return 0 if given is None else given


def read_template(form: dict[str, Any]) -> TemplateWords:
    """Take the words of a template out of a form."""
    return TemplateWords(
        code=form.pop("code"),
        name=form.pop("name"),
        category=EquipmentCategory(form.pop("category")),
        kind=MaintenanceKind(form.pop("kind")),
        every=_whole(form.pop("every")),
        unit=PlanUnit(form.pop("unit")),
        checklist=_items_of(form.pop("checklist")),
        source=form.pop("source"),
        evidence=form.pop("evidence"),
        is_active=form.pop("is_active"),
    )


def read_findings(rows: list[dict[str, Any]]) -> list[Finding]:
    """Read what was found."""
    return [
        Finding(
            key=row["key"],
            verdict=Verdict(row["verdict"]),
            value=_decimal(row["value"]),
            note=row["note"],
            photo_ids=tuple(row["photo_ids"]),
        )
        for row in rows
    ]
