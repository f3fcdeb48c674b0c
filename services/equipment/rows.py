"""How equipment is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from domain.equipment import (
    CATEGORY_SHOWN,
    EXPIRY_SHOWN,
    IMPORTANCE_SHOWN,
    STATE_SHOWN,
    EquipmentCategory,
    EquipmentState,
    ExpiryKind,
    Importance,
)
from domain.maintenance_states import TASK_SHOWN, TaskState
from domain.repair_states import STATE_SHOWN as REPAIR_STATE_SHOWN
from domain.repair_states import RepairState
from domain.repairs import CAUSE_SHOWN, FaultCause
from models import Equipment, EquipmentStateChange, MaintenanceTask, RepairOrder


@dataclass(frozen=True, slots=True)
class EquipmentView:
    """Equipment on file; ``building`` and ``custodian`` are names, empty where there are none."""

    id: int
    community_id: int
    building_id: int | None
    building: str
    code: str
    asset_no: str
    name: str
    category: str
    category_shown: str
    importance: str
    importance_shown: str
    brand: str
    model_no: str
    serial_no: str
    floor: str
    place: str
    purchased_on: date | None
    installed_on: date | None
    warranty_until: date | None
    statutory_until: date | None
    supplier: str
    maintainer: str
    maintainer_phone: str
    contract_until: date | None
    custodian_id: int | None
    custodian: str
    specs: Mapping[str, str]
    note: str
    state: str
    state_shown: str


@dataclass(frozen=True, slots=True)
class StateView:
    """Equipment came into a state on a day."""

    state: str
    state_shown: str
    changed_on: date
    reason: str
    who: str


@dataclass(frozen=True, slots=True)
class MaintenanceLine:
    """A task in a health history; ``abnormal`` are the items that were found so, in words."""

    task_id: int
    name: str
    due_on: date
    state: str
    state_shown: str
    submitted_on: date | None
    abnormal: tuple[str, ...]
    repair_id: int | None


@dataclass(frozen=True, slots=True)
class RepairLine:
    """A repair in a health history."""

    repair_id: int
    repair_no: str
    opened_on: date
    state: str
    state_shown: str
    description: str
    cause: str
    measure: str


@dataclass(frozen=True, slots=True)
class FailingView:
    """Equipment that failed often of late: its plans may ask for too little."""

    equipment_id: int
    community_id: int
    equipment: str
    failures: int
    plan_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ExpiryView:
    """Something of equipment that runs out; ``days_left`` is negative once it has."""

    equipment_id: int
    community_id: int
    equipment: str
    kind: str
    kind_shown: str
    expires_on: date
    days_left: int


@dataclass(frozen=True, slots=True)
class PublicEquipment:
    """What anybody learns who scans a label."""

    community: str
    name: str
    place: str


def show_equipment(row: Equipment, building: str, custodian: str) -> EquipmentView:
    """Show equipment."""
    return EquipmentView(
        id=row.id,
        community_id=row.community_id,
        building_id=row.building_id,
        building=building,
        code=row.code,
        asset_no=row.asset_no,
        name=row.name,
        category=row.category,
        category_shown=CATEGORY_SHOWN[EquipmentCategory(row.category)],
        importance=row.importance,
        importance_shown=IMPORTANCE_SHOWN[Importance(row.importance)],
        brand=row.brand,
        model_no=row.model_no,
        serial_no=row.serial_no,
        floor=row.floor,
        place=row.place,
        purchased_on=row.purchased_on,
        installed_on=row.installed_on,
        warranty_until=row.warranty_until,
        statutory_until=row.statutory_until,
        supplier=row.supplier,
        maintainer=row.maintainer,
        maintainer_phone=row.maintainer_phone,
        contract_until=row.contract_until,
        custodian_id=row.custodian_id,
        custodian=custodian,
        specs=dict(row.specs),
        note=row.note,
        state=row.state,
        state_shown=STATE_SHOWN[EquipmentState(row.state)],
    )


def place_words(building: str, floor: str, place: str) -> str:
    """Say where equipment is, such as ``3栋 B1 电梯机房``."""
    return " ".join(filter(None, (building, floor, place)))


def show_state(row: EquipmentStateChange, who: str) -> StateView:
    """Show a change of state."""
    shown = STATE_SHOWN[EquipmentState(row.to_state)]
    return StateView(row.to_state, shown, row.changed_on, row.reason, who)


def show_repair(row: RepairOrder) -> RepairLine:
    """Show a repair in a health history; of whom it came is not told."""
    return RepairLine(
        repair_id=row.id,
        repair_no=row.repair_no,
        opened_on=row.opened_on,
        state=row.state,
        state_shown=REPAIR_STATE_SHOWN[RepairState(row.state)],
        description=row.description,
        cause=CAUSE_SHOWN[FaultCause(row.cause)] if row.cause else "",
        measure=row.measure,
    )


def show_line(task: MaintenanceTask, abnormal: tuple[str, ...]) -> MaintenanceLine:
    """Show a task in a health history."""
    return MaintenanceLine(
        task_id=task.id,
        name=task.name,
        due_on=task.due_on,
        state=task.state,
        state_shown=TASK_SHOWN[TaskState(task.state)],
        submitted_on=task.submitted_on,
        abnormal=abnormal,
        repair_id=task.repair_id,
    )


def show_expiry(
    row: Equipment, kind: ExpiryKind, day: date, today: date, title: str = ""
) -> ExpiryView:
    """Show what runs out; of a document it says which."""
    return ExpiryView(
        equipment_id=row.id,
        community_id=row.community_id,
        equipment=row.name,
        kind=kind,
        kind_shown=title or EXPIRY_SHOWN[kind],
        expires_on=day,
        days_left=(day - today).days,
    )
