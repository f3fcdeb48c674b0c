"""What was found of a task: kept item by item, and what is abnormal becomes a repair."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from domain.actors import Actor
from domain.checklists import ChecklistItem, Finding
from domain.equipment import EquipmentCategory
from domain.files import FileSubject
from domain.maintenance_states import Verdict
from domain.repairs import RepairCategory, RepairSource
from models import Equipment, MaintenanceResult, MaintenanceTask
from services.files.attaching import attach_photos, files_of
from services.repairs.opening import open_repair
from services.unit_of_work import Transaction

_DESCRIPTION_LIMIT = 500
_REPAIRED_AS = {
    EquipmentCategory.LIFT: RepairCategory.LIFT,
    EquipmentCategory.FIRE: RepairCategory.FIRE,
    EquipmentCategory.WATER: RepairCategory.WATER,
    EquipmentCategory.POWER: RepairCategory.POWER,
    EquipmentCategory.HVAC: RepairCategory.HEATING,
    EquipmentCategory.ACCESS: RepairCategory.ACCESS,
    EquipmentCategory.LIGHTING: RepairCategory.LIGHTING,
}
Found = Sequence[tuple[ChecklistItem, Finding]]


def keep_results(tx: Transaction, actor: Actor, task: MaintenanceTask, found: Found) -> None:
    """Write what was found of each item, in the place of what was written before.

    Raises:
        NotFound: a photo is not the actor's, or belongs to something already.
    """
    put = insert(MaintenanceResult).values(
        [
            {
                "task_id": task.id,
                "item_key": item.key,
                "title": item.title,
                "verdict": one.verdict,
                "value": one.value,
                "note": one.note.strip(),
            }
            for item, one in found
        ]
    )
    written = {name: put.excluded[name] for name in ("title", "verdict", "value", "note")}
    rows = tx.session.execute(
        put.on_conflict_do_update(index_elements=["task_id", "item_key"], set_=written).returning(
            MaintenanceResult.item_key, MaintenanceResult.id
        )
    )
    ids = {row.item_key: row.id for row in rows}
    for item, one in found:
        attach_photos(
            tx,
            actor=actor,
            photo_ids=one.photo_ids,
            subject_type=FileSubject.MAINTENANCE_RESULT,
            subject_id=ids[item.key],
            community_id=task.community_id,
        )


def photographed(tx: Transaction, task: MaintenanceTask) -> frozenset[str]:
    """Tell which items of a task that was sent back have a photo already."""
    keys = dict(
        tx.session.execute(
            select(MaintenanceResult.id, MaintenanceResult.item_key).where(
                MaintenanceResult.task_id == task.id
            )
        ).all()
    )
    files = files_of(
        tx.session, subject_type=FileSubject.MAINTENANCE_RESULT, subject_ids=list(keys)
    )
    return frozenset(keys[id_] for id_ in files)


def repair_abnormal(tx: Transaction, actor: Actor, task: MaintenanceTask, found: Found) -> None:
    """Open one repair for all that is abnormal and link it with the task; a task opens one at most.

    Source: domain.md, idea 13.
    """
    abnormal = [pair for pair in found if pair[1].verdict is Verdict.ABNORMAL]
    if not abnormal or task.repair_id is not None:
        return
    equipment = tx.session.get_one(Equipment, task.equipment_id)
    repair = open_repair(
        tx,
        actor=actor,
        community_id=task.community_id,
        house_id=None,
        building_id=equipment.building_id,
        equipment_id=equipment.id,
        category=_REPAIRED_AS.get(EquipmentCategory(equipment.category), RepairCategory.OTHER),
        description=_describe(equipment.name, task.name, abnormal),
        source=RepairSource.MAINTENANCE,
    )
    task.repair_id = repair.id


def _describe(equipment: str, task: str, abnormal: Found) -> str:
    told = "；".join(
        f"{item.title}：{one.note.strip()}"
        + (f"（读数 {one.value.normalize():f} {item.unit}".rstrip() + "）" if one.value else "")
        for item, one in abnormal
    )
    return f"{equipment} {task}发现异常：{told}"[:_DESCRIPTION_LIMIT]
