"""Looking at houses."""

from decimal import Decimal

import pytest

from domain.actors import Permission
from domain.errors import InvalidInput, NotAllowed, NotFound
from services.base_data.house_lists import HouseFilter
from tests import factories
from tests.factories import actor_without


@pytest.fixture
def street(database, house):
    """Two more houses: 3栋1单元1502, and 3栋2单元502 which is retired."""
    with database.session() as session:
        building = session.get_one(factories.Building, house.building_id)
        factories.make_house(session, building=building, unit_no="1", room_no="1502")
        factories.make_house(
            session, building=building, unit_no="2", room_no="502", retired_on="2026-01-01"
        )


@pytest.fixture
def find(services, manager):
    def find(*, before_id=None, limit=50, actor=manager, **which):
        found = services.house_lists.find(
            actor=actor, which=HouseFilter(**which), before_id=before_id, limit=limit
        )
        return [one.label for one in found]

    return find


@pytest.mark.usefixtures("street")
class TestFind:
    def test_newest_first_page_by_page(self, services, manager, find):
        assert find() == ["3栋2单元502", "3栋1单元1502", "3栋1单元502"]
        [first] = services.house_lists.find(actor=manager, which=HouseFilter(), limit=1)
        assert find(before_id=first.id) == ["3栋1单元1502", "3栋1单元502"]

    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ("1单元", ["3栋1单元1502", "3栋1单元502"]),
            ("3-2-502", ["3栋2单元502"]),
            (" 3栋1单元502 ", ["3栋1单元502"]),
            ("502", ["3栋2单元502", "3栋1单元1502", "3栋1单元502"]),
            ("%", []),
            ("没有的", []),
            ("'; DROP TABLE house; --", []),
        ],
    )
    def test_by_any_part_of_the_name(self, find, text, found):
        assert find(text=text) == found

    def test_by_place_and_by_whether_they_are_retired(self, find, house):
        assert find(is_retired=True) == ["3栋2单元502"]
        assert find(is_retired=False, building_id=house.building_id) == [
            "3栋1单元1502",
            "3栋1单元502",
        ]
        assert find(community_id=404) == []

    def test_not_without_measure(self, find):
        for values in ({"limit": 0}, {"limit": 102}, {"text": "x" * 61}):
            with pytest.raises(InvalidInput):
                find(**values)

    def test_only_with_the_permission(self, find):
        with pytest.raises(NotAllowed):
            find(actor=actor_without(Permission.VIEW_ESTATE))


class TestShow:
    def test_all_of_it_with_todays_use(self, services, manager, house, database):
        database.do(
            "INSERT INTO occupancy (house_id, state, occupied_from, occupied_until) VALUES"
            " (:id, 'vacant', '2020-01-01', '2026-11-02'), (:id, 'rented', '2026-11-02', NULL)",
            id=house.id,
        )

        shown = services.house_lists.show(actor=manager, house_id=house.id)

        assert (shown.label, shown.state) == ("3栋1单元502", "rented")
        assert (shown.building, shown.community) == ("3栋", "CH1")
        assert shown.building_area == Decimal("89.37")

    def test_no_such_house(self, services, manager):
        with pytest.raises(NotFound):
            services.house_lists.show(actor=manager, house_id=404)

    def test_only_with_the_permission(self, services, house):
        with pytest.raises(NotAllowed):
            services.house_lists.show(
                actor=actor_without(Permission.VIEW_ESTATE), house_id=house.id
            )
