"""QR labels of equipment: printed for staff, and read by anybody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from domain.actors import Actor, Permission
from domain.equipment import EquipmentState
from domain.errors import InvalidInput, NotFound
from models import Building, Community, Equipment
from services.equipment.lookup import equipment_by_code, equipment_in_scope
from services.equipment.rows import PublicEquipment, place_words
from services.printing import EquipmentLabel, SlipWriter
from services.unit_of_work import Transaction, UnitOfWork

LABELS_LIMIT = 500


@dataclass(frozen=True)
class EquipmentLabels:
    """Prints labels, and tells what one is of."""

    unit_of_work: UnitOfWork
    slips: SlipWriter
    public_base_url: str

    def print_labels(self, *, actor: Actor, equipment_ids: Sequence[int]) -> bytes:
        """Write a PDF of labels, in the order of the ids; each opens ``/e/CODE``.

        Raises:
            InvalidInput: none, or more than 500.
            NotFound: one is not in scope, or was scrapped.
        """
        actor.must(Permission.VIEW_EQUIPMENT)
        wanted = list(dict.fromkeys(equipment_ids))
        if not 1 <= len(wanted) <= LABELS_LIMIT:
            raise InvalidInput(fields={"equipment_ids": [f"应选择 1 至 {LABELS_LIMIT} 台设备"]})
        with self.unit_of_work.reading() as session:
            rows = {
                row.id: (row, community, building or "")
                for row, community, building in session.execute(
                    select(Equipment, Community.name, Building.name)
                    .join(Community, Community.id == Equipment.community_id)
                    .outerjoin(Building, Building.id == Equipment.building_id)
                    .where(
                        Equipment.id.in_(wanted),
                        equipment_in_scope(actor),
                        Equipment.state != EquipmentState.SCRAPPED,
                    )
                )
            }
        if len(rows) != len(wanted):
            raise NotFound
        return self.slips.write_equipment_labels([self._label(*rows[id_]) for id_ in wanted])

    def look_up(self, *, actor: Actor, code: str) -> PublicEquipment:
        """Tell anybody what a label is of: its name and place, and nothing else.

        Raises:
            NotFound: no equipment has the code, or it was scrapped.
        """
        actor.must(Permission.SCAN_EQUIPMENT)

        def work(tx: Transaction) -> PublicEquipment:
            row = equipment_by_code(tx, code)
            if row is None:
                raise NotFound
            building = tx.session.scalar(
                select(Building.name).where(Building.id == row.building_id)
            )
            community = tx.session.get_one(Community, row.community_id)
            return PublicEquipment(
                community=community.name,
                name=row.name,
                place=place_words(building or "", row.floor, row.place),
            )

        return self.unit_of_work.run(work)

    def _label(self, row: Equipment, community: str, building: str) -> EquipmentLabel:
        return EquipmentLabel(
            community=community,
            name=row.name,
            place=place_words(building, row.floor, row.place),
            number=row.asset_no or row.code,
            url=f"{self.public_base_url}/e/{row.code}",
        )
