"""Looking at equipment: lists, the health history of one, and what runs out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import Session

from domain.actors import Actor, Permission
from domain.equipment import EquipmentCategory, EquipmentState, ExpiryKind, Importance
from domain.errors import InvalidInput, NotFound
from domain.maintenance_states import Verdict
from domain.periods import local_date
from models import (
    Building,
    Equipment,
    EquipmentStateChange,
    MaintenanceResult,
    MaintenanceTask,
    RepairOrder,
    Staff,
)
from services.equipment.documents import DocumentView, newest_documents, read_documents
from services.equipment.lookup import equipment_in_scope
from services.equipment.rows import (
    EquipmentView,
    ExpiryView,
    MaintenanceLine,
    RepairLine,
    StateView,
    show_equipment,
    show_expiry,
    show_line,
    show_repair,
    show_state,
)
from services.unit_of_work import UnitOfWork

PAGE_LIMIT = 201
TEXT_LIMIT = 50
DAYS_LIMIT = 3660
_HISTORY = 100
EXPIRIES = {
    ExpiryKind.WARRANTY: Equipment.warranty_until,
    ExpiryKind.STATUTORY: Equipment.statutory_until,
    ExpiryKind.CONTRACT: Equipment.contract_until,
}


@dataclass(frozen=True, slots=True)
class EquipmentFilter:
    """Which equipment; ``text`` is part of its name, number, code or place."""

    community_id: int | None = None
    building_id: int | None = None
    text: str = ""
    category: EquipmentCategory | None = None
    importance: Importance | None = None
    state: EquipmentState | None = None
    before_id: int | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class HealthHistory:
    """Equipment with all that befell it; each list newest first, at most 100."""

    equipment: EquipmentView
    states: Sequence[StateView]
    documents: Sequence[DocumentView]
    repairs: Sequence[RepairLine]
    maintenance: Sequence[MaintenanceLine]


@dataclass(frozen=True)
class EquipmentLists:
    """What there is to see of equipment."""

    unit_of_work: UnitOfWork

    def find(self, *, actor: Actor, which: EquipmentFilter) -> Sequence[EquipmentView]:
        """Find equipment in scope, newest first, from below ``before_id``.

        Raises:
            InvalidInput: the limit is out of range, or the text too long.
        """
        actor.must(Permission.VIEW_EQUIPMENT)
        if not 1 <= which.limit <= PAGE_LIMIT:
            raise InvalidInput(fields={"limit": [f"应为 1 至 {PAGE_LIMIT - 1}"]})
        if len(which.text) > TEXT_LIMIT:
            raise InvalidInput(fields={"text": [f"请在 {TEXT_LIMIT} 个字以内"]})
        query = _selected(actor).where(*_conditions(which))
        with self.unit_of_work.reading() as session:
            rows = session.execute(query.order_by(Equipment.id.desc()).limit(which.limit)).all()
        return [show_equipment(row, building or "", name or "") for row, building, name in rows]

    def show(self, *, actor: Actor, equipment_id: int) -> HealthHistory:
        """Show equipment with its states, repairs and maintenance.

        Raises:
            NotFound: no such equipment in scope.
        """
        actor.must(Permission.VIEW_EQUIPMENT)
        with self.unit_of_work.reading() as session:
            found = session.execute(
                _selected(actor).where(Equipment.id == equipment_id)
            ).one_or_none()
            if found is None:
                raise NotFound
            row, building, custodian = found
            return HealthHistory(
                equipment=show_equipment(row, building or "", custodian or ""),
                states=_states(session, equipment_id),
                documents=read_documents(session, equipment_id),
                repairs=_repairs(session, equipment_id),
                maintenance=_maintenance(session, equipment_id),
            )

    def list_expiring(
        self, *, actor: Actor, within_days: int = 30, community_id: int | None = None
    ) -> Sequence[ExpiryView]:
        """List what of live equipment runs out within some days or has run out, oldest first.

        Raises:
            InvalidInput: fewer than 0 days, or more than ten years.
        """
        actor.must(Permission.VIEW_EQUIPMENT)
        if not 0 <= within_days <= DAYS_LIMIT:
            raise InvalidInput(fields={"within_days": [f"应为 0 至 {DAYS_LIMIT}"]})
        today = local_date(self.unit_of_work.clock.now())
        last = today + timedelta(days=within_days)
        found = []
        with self.unit_of_work.reading() as session:
            for kind, column in EXPIRIES.items():
                query = select(Equipment, column).where(
                    equipment_in_scope(actor),
                    Equipment.state != EquipmentState.SCRAPPED,
                    column <= last,
                )
                if community_id is not None:
                    query = query.where(Equipment.community_id == community_id)
                found += [
                    show_expiry(row, kind, day, today)
                    for row, day in session.execute(query)
                    if day is not None
                ]
            found += _expiring_documents(session, actor, community_id, last, today)
        return sorted(found, key=lambda one: (one.expires_on, one.equipment_id, one.kind))


def _expiring_documents(
    session: Session, actor: Actor, community_id: int | None, last: date, today: date
) -> list[ExpiryView]:
    where = [equipment_in_scope(actor), Equipment.state != EquipmentState.SCRAPPED]
    if community_id is not None:
        where.append(Equipment.community_id == community_id)
    return [
        show_expiry(row, ExpiryKind.DOCUMENT, day, today, title)
        for row, title, day in newest_documents(session, *where)
        if day <= last
    ]


def _selected(actor: Actor) -> Select[Equipment, str, str]:
    return (
        select(Equipment, Building.name, Staff.name)
        .outerjoin(Building, Building.id == Equipment.building_id)
        .outerjoin(Staff, Staff.id == Equipment.custodian_id)
        .where(equipment_in_scope(actor))
    )


def _conditions(which: EquipmentFilter) -> Sequence[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = [
        column == value
        for column, value in (
            (Equipment.community_id, which.community_id),
            (Equipment.building_id, which.building_id),
            (Equipment.category, which.category),
            (Equipment.importance, which.importance),
            (Equipment.state, which.state),
        )
        if value is not None
    ]
    if which.before_id is not None:
        found.append(Equipment.id < which.before_id)
    if text := which.text.strip():
        columns = (Equipment.name, Equipment.asset_no, Equipment.place, Equipment.serial_no)
        anywhere = [func.strpos(func.lower(column), text.lower()) > 0 for column in columns]
        found.append(or_(*anywhere, Equipment.code == text.upper()))
    return found


def _states(session: Session, equipment_id: int) -> Sequence[StateView]:
    rows = session.execute(
        select(EquipmentStateChange, Staff.name)
        .outerjoin(Staff, Staff.id == EquipmentStateChange.staff_id)
        .where(EquipmentStateChange.equipment_id == equipment_id)
        .order_by(EquipmentStateChange.id.desc())
        .limit(_HISTORY)
    ).all()
    return [show_state(row, who or "") for row, who in rows]


def _repairs(session: Session, equipment_id: int) -> Sequence[RepairLine]:
    rows = session.scalars(
        select(RepairOrder)
        .where(RepairOrder.equipment_id == equipment_id)
        .order_by(RepairOrder.id.desc())
        .limit(_HISTORY)
    ).all()
    return [show_repair(row) for row in rows]


def _maintenance(session: Session, equipment_id: int) -> Sequence[MaintenanceLine]:
    tasks = session.scalars(
        select(MaintenanceTask)
        .where(MaintenanceTask.equipment_id == equipment_id, ~MaintenanceTask.is_withdrawn)
        .order_by(MaintenanceTask.due_on.desc(), MaintenanceTask.id.desc())
        .limit(_HISTORY)
    ).all()
    abnormal: dict[int, list[str]] = {}
    for task_id, title, note in session.execute(
        select(MaintenanceResult.task_id, MaintenanceResult.title, MaintenanceResult.note)
        .where(
            MaintenanceResult.task_id.in_([task.id for task in tasks]),
            MaintenanceResult.verdict == Verdict.ABNORMAL,
        )
        .order_by(MaintenanceResult.id)
    ):
        abnormal.setdefault(task_id, []).append(f"{title}：{note}")
    return [show_line(task, tuple(abnormal.get(task.id, ()))) for task in tasks]
