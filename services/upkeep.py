"""The capabilities of equipment and maintenance, wired once per process for `services.assembly`."""

from __future__ import annotations

from dataclasses import dataclass

from services.equipment.documents import EquipmentDocuments
from services.equipment.failures import EquipmentFailures
from services.equipment.labels import EquipmentLabels
from services.equipment.lists import EquipmentLists
from services.equipment.register import EquipmentRegister
from services.equipment.watch import EquipmentWatch
from services.maintenance.generation import MaintenanceGeneration
from services.maintenance.plans import MaintenancePlans
from services.maintenance.reminders import MaintenanceReminders
from services.maintenance.task_lists import MaintenanceTaskLists
from services.maintenance.tasks import MaintenanceTasks
from services.maintenance.templates import MaintenanceTemplates
from services.unit_of_work import UnitOfWork
from services.world import Policy, World


@dataclass(frozen=True, kw_only=True)
class UpkeepServices:
    """Equipment, and its maintenance."""

    equipment_documents: EquipmentDocuments
    equipment_failures: EquipmentFailures
    equipment_labels: EquipmentLabels
    equipment_lists: EquipmentLists
    equipment_register: EquipmentRegister
    equipment_watch: EquipmentWatch
    maintenance_generation: MaintenanceGeneration
    maintenance_plans: MaintenancePlans
    maintenance_reminders: MaintenanceReminders
    maintenance_task_lists: MaintenanceTaskLists
    maintenance_tasks: MaintenanceTasks
    maintenance_templates: MaintenanceTemplates


def build_upkeep(unit_of_work: UnitOfWork, world: World, policy: Policy) -> UpkeepServices:
    """Wire every capability of equipment and maintenance."""
    return UpkeepServices(
        equipment_documents=EquipmentDocuments(unit_of_work),
        equipment_failures=EquipmentFailures(unit_of_work),
        equipment_labels=EquipmentLabels(unit_of_work, world.slips, policy.public_base_url),
        equipment_lists=EquipmentLists(unit_of_work),
        equipment_register=EquipmentRegister(unit_of_work),
        equipment_watch=EquipmentWatch(unit_of_work),
        maintenance_generation=MaintenanceGeneration(unit_of_work),
        maintenance_plans=MaintenancePlans(unit_of_work),
        maintenance_reminders=MaintenanceReminders(unit_of_work),
        maintenance_task_lists=MaintenanceTaskLists(unit_of_work),
        maintenance_tasks=MaintenanceTasks(unit_of_work),
        maintenance_templates=MaintenanceTemplates(unit_of_work),
    )
