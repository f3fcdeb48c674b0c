"""Buildings and their units."""

from datetime import date

import pytest

from domain.actors import Permission
from domain.errors import InvalidInput, NotAllowed, NotFound
from services.base_data.buildings import BuildingNameTaken
from services.base_data.changes import ChangedMeanwhile, IsRetired, RetireBlocked, StillUsed
from tests.factories import actor_without
from tests.services.base_data.conftest import RETIRED_ON


@pytest.fixture
def register(services):
    return services.building_register


@pytest.fixture
def add(register, manager, house):
    def add(name="4", **more):
        values = {"actor": manager, "community_id": house.community_id} | {
            key: more.pop(key) for key in ("actor", "community_id") if key in more
        }
        return register.add(building={"name": name, **more}, **values)

    return add


@pytest.fixture
def of_house(manager, house):
    """Whose building is asked for, and by whom."""
    return {"actor": manager, "building_id": house.building_id}


class TestAdd:
    def test_named_as_imports_name_it(self, add, services, manager, house, audit):
        add(building_type="high_rise", floor_count="32")

        found = services.building_lists.list_buildings(
            actor=manager, community_id=house.community_id
        )
        assert [(one.name, one.floor_count, one.house_count) for one in found] == [
            ("3栋", None, 1),
            ("4栋", 32, 0),
        ]
        [facts] = audit("building_added")
        assert facts["after"] == {"name": "4栋", "building_type": "high_rise", "floor_count": 32}

    def test_a_name_is_given_once(self, add, together, database):
        results = together(*(lambda: add() for _ in range(3)))

        assert sum(isinstance(one, BuildingNameTaken) for one in results) == 2
        assert database.value("SELECT count(*) FROM building") == 2

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("name", " "),
            ("name", "长" * 21),
            ("floor_count", 0),
            ("floor_count", 201),
            ("building_type", "tower"),
            ("retired_on", "2026-01-01"),
            ("community_id_", 1),
        ],
    )
    def test_what_cannot_be_is_named(self, add, name, value):
        with pytest.raises(InvalidInput) as refusal:
            add(**{name: value})

        assert list(refusal.value.fields) == [name]

    def test_no_such_community(self, add):
        with pytest.raises(NotFound):
            add(community_id=404)

    def test_only_with_the_permission(self, add):
        with pytest.raises(NotAllowed):
            add(actor=actor_without(Permission.MANAGE_ESTATE))


class TestEdit:
    def test_a_new_name_is_in_the_names_of_its_houses(
        self, register, of_house, services, manager, house, audit
    ):
        register.edit(changes={"name": "5栋"}, seen={"name": "3栋"}, **of_house)

        shown = services.house_lists.show(actor=manager, house_id=house.id)
        assert shown.label == "5栋1单元502"
        [facts] = audit("building_changed")
        assert (facts["before"], facts["after"]) == ({"name": "3栋"}, {"name": "5栋"})

    def test_only_to_a_free_one(self, register, of_house, add):
        add()

        with pytest.raises(BuildingNameTaken):
            register.edit(changes={"name": "4栋"}, seen={"name": "3栋"}, **of_house)

    def test_not_over_what_somebody_changed_meanwhile(self, register, of_house):
        register.edit(changes={"note": "甲"}, seen={"note": ""}, **of_house)

        with pytest.raises(ChangedMeanwhile):
            register.edit(changes={"note": "乙"}, seen={"note": ""}, **of_house)

    def test_only_with_the_permission(self, register, of_house):
        nobody = of_house | {"actor": actor_without(Permission.MANAGE_ESTATE)}

        with pytest.raises(NotAllowed):
            register.edit(changes={"note": "甲"}, seen={"note": ""}, **nobody)


class TestUnits:
    def test_shown_with_what_is_written_of_them(self, register, of_house, services, audit):
        register.edit_unit(
            unit_no="1单元",
            changes={"lift_count": 2, "floor_count": 32},
            seen={"lift_count": None, "floor_count": None},
            **of_house,
        )
        register.edit_unit(unit_no="2", changes={"note": "未交付"}, seen={"note": ""}, **of_house)

        shown = services.building_lists.show(**of_house)

        assert [
            (one.unit_no, one.lift_count, one.note, one.house_count) for one in shown.units
        ] == [
            ("1", 2, "", 1),
            ("2", None, "未交付", 0),
        ]
        assert audit("building_unit_changed")[0] == {
            "before": {"lift_count": None, "floor_count": None},
            "after": {"lift_count": 2, "floor_count": 32},
            "reason": "",
            "unit_no": "1",
        }

    def test_two_who_write_of_a_new_one_at_once(self, register, of_house, together, database):
        results = together(
            *(
                lambda n=n: register.edit_unit(
                    unit_no="7", changes={"lift_count": n}, seen={"lift_count": None}, **of_house
                )
                for n in range(1, 4)
            )
        )

        assert results.count(None) == 1
        assert sum(isinstance(one, ChangedMeanwhile) for one in results) == 2
        assert database.value("SELECT count(*) FROM building_unit") == 1

    @pytest.mark.parametrize(
        ("unit_no", "changes", "field"),
        [
            ("", {"lift_count": 1}, "unit_no"),
            ("长" * 21, {"lift_count": 1}, "unit_no"),
            ("1", {"lift_count": 21}, "lift_count"),
            ("1", {"floor_count": "三"}, "floor_count"),
        ],
    )
    def test_what_cannot_be_is_named(self, register, of_house, unit_no, changes, field):
        with pytest.raises(InvalidInput) as refusal:
            register.edit_unit(
                unit_no=unit_no, changes=changes, seen=dict.fromkeys(changes), **of_house
            )

        assert list(refusal.value.fields) == [field]

    def test_only_with_the_permission(self, register, of_house):
        nobody = of_house | {"actor": actor_without(Permission.MANAGE_ESTATE)}

        with pytest.raises(NotAllowed):
            register.edit_unit(unit_no="1", changes={"note": "x"}, seen={"note": ""}, **nobody)


class TestRetire:
    def test_after_its_houses_and_back(self, register, of_house, retire, audit, database):
        with pytest.raises(RetireBlocked, match="未停用的房屋 1 户"):
            register.retire(retired_on=RETIRED_ON, reason="拆除", **of_house)
        retire()

        register.retire(retired_on=RETIRED_ON, reason="拆除", **of_house)
        with pytest.raises(IsRetired):
            register.edit(changes={"note": "x"}, seen={"note": ""}, **of_house)
        with pytest.raises(IsRetired):
            register.edit_unit(unit_no="1", changes={"note": "x"}, seen={"note": ""}, **of_house)
        assert database.value("SELECT retired_on FROM building") == RETIRED_ON

        register.restore(reason="未拆", **of_house)
        assert database.value("SELECT retired_on FROM building") is None
        assert [one for one in audit() if one.startswith("building_")] == [
            "building_retired",
            "building_restored",
        ]

    def test_while_a_house_is_added_to_it(
        self, register, of_house, retire, services, manager, house, together, database
    ):
        retire()

        results = together(
            lambda: register.retire(retired_on=RETIRED_ON, reason="拆除", **of_house),
            lambda: services.house_register.add(
                actor=manager,
                building_id=house.building_id,
                house={"room_no": "503", "building_area": "80"},
            ),
        )

        assert sum(isinstance(one, IsRetired | RetireBlocked) for one in results) == 1
        is_retired = database.value("SELECT retired_on FROM building") is not None
        kept = database.value("SELECT count(*) FROM house WHERE retired_on IS NULL")
        assert is_retired == (kept == 0)

    def test_not_taken_back_in_a_retired_community(self, register, of_house, database):
        database.do("UPDATE building SET retired_on = '2026-01-01'")
        database.do("UPDATE community SET retired_on = '2026-01-01', is_active = false")

        with pytest.raises(IsRetired):
            register.restore(reason="x", **of_house)

    def test_not_without_a_reason_or_on_a_day_that_cannot_be(self, register, of_house):
        with pytest.raises(InvalidInput):
            register.retire(retired_on=RETIRED_ON, reason=" ", **of_house)
        with pytest.raises(InvalidInput):
            register.retire(retired_on=date(1800, 1, 1), reason="x", **of_house)
        with pytest.raises(InvalidInput):
            register.restore(reason=" ", **of_house)

    def test_only_with_the_permission(self, register, of_house):
        nobody = of_house | {"actor": actor_without(Permission.MANAGE_ESTATE)}

        with pytest.raises(NotAllowed):
            register.retire(retired_on=RETIRED_ON, reason="x", **nobody)
        with pytest.raises(NotAllowed):
            register.restore(reason="x", **nobody)


class TestRemove:
    def test_a_mistake(self, register, add, manager, database, audit):
        building_id = add()

        register.remove(actor=manager, building_id=building_id, reason="录错")

        assert database.rows("SELECT name FROM building") == [{"name": "3栋"}]
        assert audit("building_removed")[0]["before"] == {"name": "4栋"}

    @pytest.mark.parametrize(
        ("sql", "what"),
        [
            ("SELECT 1 FROM house", "房屋 1 条"),
            (
                (
                    "INSERT INTO building_unit (building_id, unit_no)"
                    " SELECT building_id, '1' FROM house"
                ),
                "单元资料 1 条",
            ),
        ],
    )
    def test_nothing_that_is_used(self, register, of_house, database, sql, what):
        database.rows(sql) if sql.startswith("SELECT") else database.do(sql)

        with pytest.raises(StillUsed, match=what):
            register.remove(reason="x", **of_house)

        assert database.value("SELECT count(*) FROM building") == 1

    def test_not_without_a_reason_or_permission(self, register, of_house):
        with pytest.raises(InvalidInput):
            register.remove(reason="", **of_house)
        with pytest.raises(NotAllowed):
            register.remove(
                reason="x", **of_house | {"actor": actor_without(Permission.MANAGE_ESTATE)}
            )


def test_looking_takes_the_permission(services, house):
    nobody = actor_without(Permission.VIEW_ESTATE)

    with pytest.raises(NotAllowed):
        services.building_lists.list_buildings(actor=nobody, community_id=house.community_id)
    with pytest.raises(NotAllowed):
        services.building_lists.show(actor=nobody, building_id=house.building_id)


def test_what_is_not_there_is_not_found(services, manager):
    with pytest.raises(NotFound):
        services.building_lists.list_buildings(actor=manager, community_id=404)
    with pytest.raises(NotFound):
        services.building_lists.show(actor=manager, building_id=404)
