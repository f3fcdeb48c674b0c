"""What is asked of a maintenance plan before it is written, and how it is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import select

from domain.cells import BadCell, read_text
from domain.checklists import (
    ChecklistItem,
    check_items,
    find_loosened,
    items_from_json,
    items_to_json,
)
from domain.errors import InvalidInput, NotFound
from domain.estate_fields import read_day
from domain.maintenance_rules import Basis, DueRule, PlanUnit
from domain.maintenance_states import KIND_SHOWN, PLAN_SHOWN, MaintenanceKind, PlanState
from domain.permissions import ROLE_PERMISSIONS, Permission, Role
from models import Equipment, MaintenancePlan, MaintenanceTemplate, Staff
from services.reasons import check_reason
from services.scopes import scope_of
from services.unit_of_work import Transaction

EQUIPMENT_LIMIT = 500
DAYS_LIMIT = 60
DOING_ROLES = frozenset(
    role for role, may in ROLE_PERMISSIONS.items() if Permission.DO_MAINTENANCE in may
)


@dataclass(frozen=True, slots=True)
class PlanWords:
    """All that is written of a plan; ``looser_reason`` is needed where it is below its template."""

    name: str
    kind: MaintenanceKind
    basis: Basis
    rule: DueRule
    starts_on: date
    checklist: Sequence[ChecklistItem]
    ends_on: date | None = None
    lead_days: int = 3
    window_days: int = 0
    assignee_id: int | None = None
    assignee_role: Role = Role.ENGINEER
    template_id: int | None = None
    looser_reason: str = ""


@dataclass(frozen=True, slots=True)
class PlanView:
    """A plan on file; ``rule`` in words, ``equipment_ids`` in their order."""

    id: int
    community_id: int
    template_id: int | None
    name: str
    kind: str
    kind_shown: str
    basis: str
    rule: str
    every: int | None
    unit: str | None
    fixed_days: Sequence[str]
    starts_on: date
    ends_on: date | None
    lead_days: int
    window_days: int
    assignee_id: int | None
    assignee_role: str
    checklist: Sequence[Mapping[str, Any]]
    looser_reason: str
    state: str
    state_shown: str
    equipment_ids: Sequence[int]


def check_plan(words: PlanWords, *, today: date) -> dict[str, Any]:
    """Refuse a plan that cannot be meant; give its columns.

    Raises:
        InvalidInput: ``fields`` says why.
    """
    words.rule.check(basis=words.basis)
    problems: dict[str, list[str]] = {}
    name = _read_name(words.name, problems)
    _check_span(words, today, problems)
    _check_days(words, problems)
    if words.assignee_role not in DOING_ROLES:
        problems["assignee_role"] = ["这个岗位不能执行维保"]
    if problems:
        raise InvalidInput(fields=problems)
    if words.looser_reason.strip():
        check_reason(words.looser_reason, field="looser_reason")
    return {
        "template_id": words.template_id,
        "name": name,
        "kind": words.kind,
        "basis": words.basis,
        "every": words.rule.every,
        "unit": words.rule.unit,
        "fixed_days": list(words.rule.fixed_days),
        "starts_on": words.starts_on,
        "ends_on": words.ends_on,
        "lead_days": words.lead_days,
        "window_days": words.window_days,
        "assignee_id": words.assignee_id,
        "assignee_role": words.assignee_role,
        "checklist": items_to_json(check_items(words.checklist)),
        "looser_reason": words.looser_reason.strip(),
    }


def _check_span(words: PlanWords, today: date, problems: dict[str, list[str]]) -> None:
    for field, day in (("starts_on", words.starts_on), ("ends_on", words.ends_on)):
        try:
            if day is not None:
                read_day(day, today)
        except BadCell as bad:
            problems[field] = [bad.why]
    if words.ends_on is not None and words.ends_on < words.starts_on:
        problems["ends_on"] = ["早于开始日期"]


def _check_days(words: PlanWords, problems: dict[str, list[str]]) -> None:
    if not 0 <= words.lead_days <= DAYS_LIMIT:
        problems["lead_days"] = [f"应为 0 至 {DAYS_LIMIT}"]
    if not 0 <= words.window_days <= min(DAYS_LIMIT, words.rule.longest_gap - 1):
        problems["window_days"] = [f"应为 0 至 {DAYS_LIMIT}，且短于周期"]


def _read_name(text: str, problems: dict[str, list[str]]) -> str:
    try:
        name = read_text(text, limit=50)
    except BadCell as bad:
        problems["name"] = [bad.why]
        return ""
    if not name:
        problems["name"] = ["请填写名称"]
    return name


def check_template(
    tx: Transaction, community_id: int, words: PlanWords, equipment: Sequence[Equipment]
) -> None:
    """Refuse a plan that asks for less than its template without saying why.

    Raises:
        NotFound: no such template of the community.
        InvalidInput: it is looser and says no reason, or its equipment is of another kind.

    Source: domain.md, idea 14.
    """
    template = _find_template(tx, community_id, words.template_id)
    if template is None:
        return
    _check_category(template, equipment)
    looser = find_looser(words, template)
    if looser and not words.looser_reason.strip():
        told = "；".join(looser)
        raise InvalidInput(fields={"looser_reason": [f"比模板宽松（{told}），请写明原因"]})


def check_category(tx: Transaction, plan: MaintenancePlan, equipment: Sequence[Equipment]) -> None:
    """Refuse equipment of another kind than a plan's template is for.

    Raises:
        InvalidInput: some is.
    """
    template = _find_template(tx, plan.community_id, plan.template_id)
    if template is not None:
        _check_category(template, equipment)


def _find_template(
    tx: Transaction, community_id: int, template_id: int | None
) -> MaintenanceTemplate | None:
    if template_id is None:
        return None
    template = tx.session.execute(
        select(MaintenanceTemplate)
        .where(
            MaintenanceTemplate.id == template_id,
            MaintenanceTemplate.community_id == community_id,
        )
        .with_for_update(read=True)
    ).scalar_one_or_none()
    if template is None:
        raise NotFound
    return template


def _check_category(template: MaintenanceTemplate, equipment: Sequence[Equipment]) -> None:
    if any(one.category != template.category for one in equipment):
        raise InvalidInput(fields={"equipment_ids": ["设备类别与模板不同"]})


def find_looser(words: PlanWords, template: MaintenanceTemplate) -> Sequence[str]:
    """Tell in what a plan asks for less than a template; empty if it asks for all of it."""
    wanted = DueRule(template.every, PlanUnit(template.unit))
    found = []
    if words.rule.longest_gap > wanted.longest_gap:
        found.append(f"周期 {words.rule} 长于 {wanted}")
    if template.kind == MaintenanceKind.STATUTORY and words.window_days:
        found.append(f"法定项目宽限 {words.window_days} 天")
    return [*found, *find_loosened(words.checklist, items_from_json(template.checklist))]


def check_assignee(tx: Transaction, community_id: int, assignee_id: int | None) -> None:
    """Refuse somebody who cannot do maintenance in a community.

    Raises:
        NotFound: no such active member of staff, or they do not work there or not as such.
    """
    if assignee_id is None:
        return
    staff = tx.session.execute(
        select(Staff).where(Staff.id == assignee_id, Staff.is_active)
    ).scalar_one_or_none()
    if staff is None or Role(staff.role) not in DOING_ROLES:
        raise NotFound
    scope = scope_of(tx.session, staff_id=staff.id, sees_all=staff.sees_all)
    if not scope.reaches(community_id):
        raise NotFound


def find_set(
    tx: Transaction, community_id: int, equipment_ids: Sequence[int]
) -> Sequence[Equipment]:
    """Find the equipment of a plan, in order, and hold it as it is.

    Raises:
        InvalidInput: none, or more than 500.
        NotFound: one is none of the community, or was scrapped.
    """
    wanted = sorted(set(equipment_ids))
    if not 1 <= len(wanted) <= EQUIPMENT_LIMIT:
        raise InvalidInput(fields={"equipment_ids": [f"应选择 1 至 {EQUIPMENT_LIMIT} 台设备"]})
    found = tx.session.scalars(
        select(Equipment)
        .where(
            Equipment.id.in_(wanted),
            Equipment.community_id == community_id,
            Equipment.state != "scrapped",
        )
        .order_by(Equipment.id)
        .with_for_update(read=True)
    ).all()
    if len(found) != len(wanted):
        raise NotFound
    return found


def show_plan(plan: MaintenancePlan, equipment_ids: Sequence[int]) -> PlanView:
    """Show a plan."""
    rule = DueRule(plan.every, PlanUnit(plan.unit) if plan.unit else None, tuple(plan.fixed_days))
    return PlanView(
        id=plan.id,
        community_id=plan.community_id,
        template_id=plan.template_id,
        name=plan.name,
        kind=plan.kind,
        kind_shown=KIND_SHOWN[MaintenanceKind(plan.kind)],
        basis=plan.basis,
        rule=str(rule),
        every=plan.every,
        unit=plan.unit,
        fixed_days=tuple(plan.fixed_days),
        starts_on=plan.starts_on,
        ends_on=plan.ends_on,
        lead_days=plan.lead_days,
        window_days=plan.window_days,
        assignee_id=plan.assignee_id,
        assignee_role=plan.assignee_role,
        checklist=tuple(plan.checklist),
        looser_reason=plan.looser_reason,
        state=plan.state,
        state_shown=PLAN_SHOWN[PlanState(plan.state)],
        equipment_ids=tuple(equipment_ids),
    )
