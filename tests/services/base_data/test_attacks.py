"""Corrections of base data that would make the books wrong."""

import pytest

from domain.actors import Permission
from services.base_data.houses import HouseWasBilled
from tests import factories


@pytest.fixture
def other_building(database, house):
    with database.session() as session:
        community = session.get_one(factories.Community, house.community_id)
        return factories.make_building(session, community=community, name="8栋").id


@pytest.fixture
def summary_broken(services, database):
    """What of the summary by building is not what the bills add up to."""

    def summary_broken():
        with database.session() as session:
            finance = factories.staff(session, role="finance")
        assert Permission.CHECK_LEDGER in finance.permissions
        [check] = [one for one in services.ledger.verify(actor=finance) if one.promise == "R1"]
        return check.broken

    return summary_broken


def test_a_billed_house_stays_where_the_reports_name_it(
    edit, house, other_building, database, summary_broken, on_file
):
    with database.session() as session:
        factories.make_bill(session, house=session.get(factories.House, house.id))
    with pytest.raises(HouseWasBilled):
        edit({"building_id": other_building}, {"building_id": house.building_id})

    assert on_file()["building_id"] == house.building_id
    assert summary_broken() == ()


def test_without_bills_it_moves(edit, house, other_building, on_file):
    edit({"building_id": other_building}, {"building_id": house.building_id})

    assert on_file()["building_id"] == other_building
