"""A repair of equipment is of equipment that stands there."""

from dataclasses import replace

import pytest

from domain.errors import NotFound
from domain.repairs import RepairCategory, RepairSource
from services.repairs.opening import NewRepair
from tests import factories


@pytest.fixture
def place(database):
    with database.session() as session:
        building = factories.make_building(session)
        lift = factories.make_equipment(session, building=building)
        return {
            "manager": factories.staff(session),
            "new": NewRepair(
                RepairCategory.LIFT,
                "困人后停梯",
                building_id=building.id,
                equipment_id=lift.id,
                source=RepairSource.LABEL,
            ),
            "elsewhere": factories.make_equipment(session, community=None).id,
            "scrapped": factories.make_equipment(session, building=building, state="scrapped").id,
            "nobody": 9_999_999,
        }


@pytest.fixture
def take_down(services, place):
    def take_down(**changes):
        new = replace(place["new"], **changes)
        return services.repair_desk.take_down(
            actor=place["manager"], new=new, client_key="key-00000001"
        )

    return take_down


def test_is_in_its_health_history(take_down, services, place):
    repair_id = take_down()

    history = services.equipment_lists.show(
        actor=place["manager"], equipment_id=place["new"].equipment_id
    )
    assert [line.repair_id for line in history.repairs] == [repair_id]


@pytest.mark.parametrize("which", ["elsewhere", "scrapped", "nobody"])
def test_not_of_what_does_not_stand_there(take_down, place, database, which):
    with pytest.raises(NotFound):
        take_down(equipment_id=place[which])

    assert database.value("SELECT count(*) FROM repair_order") == 0
