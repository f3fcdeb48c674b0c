"""Maintenance: templates, plans for equipment, tasks that fall due, and what was found."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    Numeric,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from domain.equipment import EquipmentCategory
from domain.maintenance_rules import Basis, PlanUnit
from domain.maintenance_states import MaintenanceKind, PlanState, TaskAct, TaskState, Verdict
from domain.permissions import Role
from models.base import BigId, Instant, Model, Words, one_of

Items = list[dict[str, Any]]
"""A checklist as JSON; domain/checklists.py reads and writes it."""


class MaintenanceTemplate(Model):
    """What must be done to a kind of equipment at least, by law or by our own rule.

    A plan that is looser than its template says why.
    """

    __tablename__ = "maintenance_template"
    __table_args__ = (
        UniqueConstraint("community_id", "code"),
        one_of("category", EquipmentCategory),
        one_of("kind", MaintenanceKind),
        one_of("unit", PlanUnit),
        CheckConstraint("every > 0", name="every_positive"),
        CheckConstraint("kind <> 'statutory' OR source <> ''", name="statutory_has_source"),
    )

    id: Mapped[BigId]
    community_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("community.id"))
    code: Mapped[Words]
    name: Mapped[Words]
    category: Mapped[Words]
    kind: Mapped[Words]
    every: Mapped[int]
    unit: Mapped[Words]
    checklist: Mapped[Items] = mapped_column(JSONB)
    source: Mapped[Words] = mapped_column(server_default="")
    """The law, standard or contract that asks for it."""
    evidence: Mapped[Words] = mapped_column(server_default="")
    """What shows that it was done, such as 检验合格标志."""
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    created_at: Mapped[Instant]


class MaintenancePlan(Model):
    """How often some equipment is maintained, by whom, and what is looked at."""

    __tablename__ = "maintenance_plan"
    __table_args__ = (
        one_of("kind", MaintenanceKind),
        one_of("basis", Basis),
        one_of("unit", PlanUnit),
        one_of("state", PlanState),
        one_of("assignee_role", Role),
        CheckConstraint("every > 0", name="every_positive"),
        CheckConstraint(
            "(every IS NULL) = (unit IS NULL)"
            " AND (every IS NULL) = (jsonb_array_length(fixed_days) > 0)",
            name="one_rule",
        ),
        CheckConstraint("lead_days BETWEEN 0 AND 60", name="lead_days_range"),
        CheckConstraint("window_days BETWEEN 0 AND 60", name="window_days_range"),
        CheckConstraint("ends_on >= starts_on", name="span_not_empty"),
        Index("ix_maintenance_plan_community_id", "community_id", "id"),
        Index("ix_maintenance_plan_active", "id", postgresql_where=text("state = 'active'")),
    )

    id: Mapped[BigId]
    community_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("community.id"))
    template_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("maintenance_template.id")
    )
    name: Mapped[Words]
    kind: Mapped[Words]
    basis: Mapped[Words]
    every: Mapped[int | None]
    unit: Mapped[str | None]
    fixed_days: Mapped[list[str]] = mapped_column(JSONB, server_default=text("'[]'::jsonb"))
    """Days of each year such as ``["03-15", "09-15"]``; empty where a period is counted."""
    starts_on: Mapped[date]
    """The anchor from which days are counted, and the first that can be due."""
    ends_on: Mapped[date | None]
    counts_from: Mapped[date]
    """No day before it is made: of a plan that was paused or changed, the day it went on."""
    lead_days: Mapped[int]
    window_days: Mapped[int]
    """So many days after the day a task is due it is not overdue yet."""
    assignee_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("staff.id"))
    assignee_role: Mapped[Words] = mapped_column(server_default=Role.ENGINEER)
    """Who does it where nobody is named."""
    checklist: Mapped[Items] = mapped_column(JSONB)
    looser_reason: Mapped[Words] = mapped_column(server_default="")
    """Why it asks for less than its template."""
    state: Mapped[Words] = mapped_column(server_default=PlanState.ACTIVE)
    created_by: Mapped[int] = mapped_column(BigInteger, ForeignKey("staff.id"))
    created_at: Mapped[Instant]


class PlanEquipment(Model):
    """A plan is for this equipment, and asks for no day before ``counts_from``."""

    __tablename__ = "maintenance_plan_equipment"
    __table_args__ = (Index("ix_maintenance_plan_equipment_equipment_id", "equipment_id"),)

    plan_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("maintenance_plan.id"), primary_key=True
    )
    equipment_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("equipment.id"), primary_key=True
    )
    counts_from: Mapped[date]
    generated_until: Mapped[date | None]
    """Days up to this one have their tasks; only fixed calendars go by it."""


class MaintenanceTask(Model):
    """One maintenance of one equipment that falls due on a day; it keeps its plan's words."""

    __tablename__ = "maintenance_task"
    __table_args__ = (
        UniqueConstraint("plan_id", "equipment_id", "due_on"),
        one_of("state", TaskState),
        one_of("kind", MaintenanceKind),
        one_of("assignee_role", Role),
        CheckConstraint(
            "(state IN ('submitted', 'verified')) = (submitted_on IS NOT NULL)",
            name="submitted_on_a_day",
        ),
        CheckConstraint(
            "state <> 'verified' OR verified_by <> submitted_by", name="verified_by_other"
        ),
        CheckConstraint("NOT is_withdrawn OR state = 'cancelled'", name="withdrawn_is_cancelled"),
        Index("ix_maintenance_task_equipment_id", "equipment_id", "id"),
        Index("ix_maintenance_task_community_id", "community_id", "due_on", "id"),
        Index(
            "ix_maintenance_task_open",
            "due_on",
            postgresql_where=text("state IN ('scheduled', 'reminded', 'in_progress')"),
        ),
    )

    id: Mapped[BigId]
    plan_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("maintenance_plan.id"))
    equipment_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("equipment.id"))
    community_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("community.id"))
    due_on: Mapped[date]
    name: Mapped[Words]
    kind: Mapped[Words]
    checklist: Mapped[Items] = mapped_column(JSONB)
    lead_days: Mapped[int]
    window_days: Mapped[int]
    assignee_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("staff.id"))
    assignee_role: Mapped[Words]
    state: Mapped[Words] = mapped_column(server_default=TaskState.SCHEDULED)
    is_withdrawn: Mapped[bool] = mapped_column(server_default=text("false"))
    """Cancelled by its plan, which may ask for the day again; people cancel for good."""
    submitted_by: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("staff.id"))
    submitted_on: Mapped[date | None]
    """The local day on which the work was done."""
    verified_by: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("staff.id"))
    note: Mapped[Words] = mapped_column(server_default="")
    """What was done beyond the checklist."""
    repair_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("repair_order.id"))
    """The repair that an abnormal result opened."""
    created_at: Mapped[Instant]


class MaintenanceTaskEvent(Model):
    """A task was moved from a state to another. Append-only."""

    __tablename__ = "maintenance_task_event"
    __table_args__ = (
        one_of("from_state", TaskState),
        one_of("to_state", TaskState),
        one_of("act", TaskAct),
        Index("ix_maintenance_task_event_task_id", "task_id", "id"),
    )

    id: Mapped[BigId]
    task_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("maintenance_task.id"))
    act: Mapped[Words]
    from_state: Mapped[Words]
    to_state: Mapped[Words]
    staff_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("staff.id"))
    """None where the plan did it by itself."""
    reason: Mapped[Words] = mapped_column(server_default="")
    at: Mapped[Instant]


class MaintenanceResult(Model):
    """What was found of one item of a task's checklist; a returned task overwrites it."""

    __tablename__ = "maintenance_result"
    __table_args__ = (
        UniqueConstraint("task_id", "item_key"),
        one_of("verdict", Verdict),
    )

    id: Mapped[BigId]
    task_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("maintenance_task.id"))
    item_key: Mapped[Words]
    title: Mapped[Words]
    verdict: Mapped[Words]
    value: Mapped[Decimal | None] = mapped_column(Numeric(18, 6))
    note: Mapped[Words] = mapped_column(server_default="")
