"""Equipment by hand."""

from datetime import UTC, date, datetime

import pytest

from domain.equipment import EquipmentState
from domain.errors import InvalidInput, NotAllowed, NotFound
from services.base_data.changes import ChangedMeanwhile, IsRetired
from services.equipment.register import (
    AssetNoTaken,
    EquipmentScrapped,
    EquipmentStateRefused,
)
from tests import factories

TODAY = date(2026, 11, 2)
LIFT = {"name": "1号电梯", "category": "lift"}
IN_USE, STANDBY, STOPPED, SCRAPPED = (
    EquipmentState.IN_USE,
    EquipmentState.STANDBY,
    EquipmentState.STOPPED,
    EquipmentState.SCRAPPED,
)


@pytest.fixture
def manager(database, clock):
    clock.set(datetime(2026, 11, 2, 2, 0, tzinfo=UTC))
    with database.session() as session:
        return factories.staff(session, name="王经理")


@pytest.fixture
def building(database):
    with database.session() as session:
        return factories.make_building(session, name="3栋")


@pytest.fixture
def register(services):
    return services.equipment_register


@pytest.fixture
def add(register, manager, building):
    def add(**more):
        return register.add(
            actor=manager, community_id=building.community_id, equipment=LIFT | more
        )

    return add


@pytest.fixture
def show(services, manager):
    return lambda id_: services.equipment_lists.show(actor=manager, equipment_id=id_)


class TestAdd:
    def test_all_of_it_is_kept(self, add, show, building, manager):
        equipment_id = add(
            building_id=building.id,
            asset_no="DT-01",
            importance="critical",
            brand="三菱",
            model_no="ELENESSA",
            serial_no="S123",
            floor="屋面",
            place="机房",
            purchased_on="2020-01-02",
            installed_on="2020-03-04",
            warranty_until="2027-03-03",
            statutory_until="2027-06-30",
            supplier="电梯公司",
            maintainer="维保公司",
            maintainer_phone="0755-1234567",
            contract_until="2027-01-01",
            custodian_id=manager.id,
            note="备注",
        )

        found = show(equipment_id)
        assert found.equipment.building == "3栋"
        assert found.equipment.custodian == "王经理"
        assert found.equipment.statutory_until == date(2027, 6, 30)
        assert found.equipment.category_shown == "电梯"
        assert found.equipment.importance_shown == "关键"
        assert [(one.state_shown, one.changed_on) for one in found.states] == [("在用", TODAY)]

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("name", ""),
            ("name", "长" * 300),
            ("category", "spaceship"),
            ("category", None),
            ("importance", ""),
            ("installed_on", "1800-01-01"),
            ("installed_on", "2027-01-01"),
            ("warranty_until", "2099-01-01"),
            ("statutory_until", "2026-02-30"),
            ("building_id", 0),
            ("custodian_id", "x"),
            ("note", "长" * 300),
            ("place", "屋\x00面"),
            ("state", "scrapped"),
            ("code", "AAAAAAAAAAAA"),
        ],
    )
    def test_refuses_what_cannot_be_meant(self, add, database, field, value):
        with pytest.raises(InvalidInput) as refused:
            add(**{field: value})

        assert list(refused.value.fields) == [field]
        assert database.value("SELECT count(*) FROM equipment") == 0

    def test_a_number_is_given_once_in_a_community(self, add, register, manager, database):
        add(asset_no="DT-01")
        with pytest.raises(AssetNoTaken):
            add(asset_no="DT-01")
        add()
        add()
        with database.session() as session:
            other = factories.make_community(session)
        register.add(actor=manager, community_id=other.id, equipment=LIFT | {"asset_no": "DT-01"})

    def test_places_and_people_must_be_there(self, add, database):
        with database.session() as session:
            elsewhere = factories.make_building(session)
            gone = factories.make_staff(session, is_active=False)
        for more in ({"building_id": elsewhere.id}, {"custodian_id": gone.id}):
            with pytest.raises(NotFound):
                add(**more)

    def test_a_buildings_staff_adds_to_their_building_only(self, register, building, database, add):
        with database.session() as session:
            local = factories.staff(session, scope=factories.scope_of_building(building))
        values = {"actor": local, "community_id": building.community_id}
        register.add(**values, equipment=LIFT | {"building_id": building.id})
        with pytest.raises(NotFound):
            register.add(**values, equipment=LIFT)

    def test_not_where_nothing_is_managed_any_more(self, add, database):
        database.do("UPDATE community SET retired_on = '2026-01-01', is_active = false")
        with pytest.raises(IsRetired):
            add()

    def test_is_for_managers(self, register, building, database):
        with database.session() as session:
            engineer = factories.staff(session, role="engineer")
        with pytest.raises(NotAllowed):
            register.add(actor=engineer, community_id=building.community_id, equipment=LIFT)


class TestEdit:
    def test_keeps_what_changed_and_why(self, register, manager, add, audit, show):
        equipment_id = add()
        register.edit(
            actor=manager,
            equipment_id=equipment_id,
            changes={"statutory_until": "2027-06-30"},
            seen={"statutory_until": None},
            reason="年检合格",
        )

        assert show(equipment_id).equipment.statutory_until == date(2027, 6, 30)
        assert audit("equipment_changed") == [
            {
                "before": {"statutory_until": None},
                "after": {"statutory_until": "2027-06-30"},
                "reason": "年检合格",
            }
        ]

    def test_what_changed_meanwhile_is_not_overwritten(self, register, manager, add):
        equipment_id = add(brand="三菱")
        with pytest.raises(ChangedMeanwhile):
            register.edit(
                actor=manager,
                equipment_id=equipment_id,
                changes={"brand": "日立"},
                seen={"brand": "奥的斯"},
                reason="x",
            )

    def test_needs_a_reason_and_something_seen(self, register, manager, add):
        equipment_id = add()
        for seen, reason in (({"brand": ""}, " "), ({}, "x")):
            with pytest.raises(InvalidInput):
                register.edit(
                    actor=manager,
                    equipment_id=equipment_id,
                    changes={"brand": "x"},
                    seen=seen,
                    reason=reason,
                )

    def test_a_taken_number_is_refused(self, register, manager, add):
        add(asset_no="DT-01")
        equipment_id = add()
        with pytest.raises(AssetNoTaken):
            register.edit(
                actor=manager,
                equipment_id=equipment_id,
                changes={"asset_no": "DT-01"},
                seen={"asset_no": ""},
                reason="x",
            )

    def test_does_not_leave_the_community(self, register, manager, add, database):
        equipment_id = add()
        with database.session() as session:
            elsewhere = factories.make_building(session)
        with pytest.raises(NotFound):
            register.edit(
                actor=manager,
                equipment_id=equipment_id,
                changes={"building_id": elsewhere.id},
                seen={"building_id": None},
                reason="x",
            )


class TestSpecs:
    def test_are_replaced_as_a_whole(self, register, manager, add, show, audit):
        equipment_id = add()
        for specs in ({"载重": "1000 kg"}, {"速度": "1.75 m/s"}):
            register.write_specs(
                actor=manager, equipment_id=equipment_id, specs=specs, reason="铭牌"
            )

        assert show(equipment_id).equipment.specs == {"速度": "1.75 m/s"}
        assert audit("equipment_specs_changed")[-1]["before"] == {"specs": "载重 1000 kg"}

    @pytest.mark.parametrize(
        "specs",
        [
            {"": "x"},
            {"长" * 300: "x"},
            {"载重": "长" * 300},
            {"载重": "1\x002"},
            {f"k{n}": "x" for n in range(31)},
        ],
    )
    def test_are_short(self, register, manager, add, specs):
        with pytest.raises(InvalidInput):
            register.write_specs(actor=manager, equipment_id=add(), specs=specs, reason="x")


class TestState:
    @pytest.fixture
    def change(self, register, manager):
        def change(equipment_id, state, expected=IN_USE, changed_on=TODAY, reason="原因"):
            register.change_state(
                actor=manager,
                equipment_id=equipment_id,
                state=state,
                expected=expected,
                changed_on=changed_on,
                reason=reason,
            )

        return change

    def test_is_dated_with_its_reason(self, add, change, show, clock):
        equipment_id = add()
        clock.advance(days=5)
        change(equipment_id, STOPPED, changed_on=date(2026, 11, 5), reason="钢丝绳断股")

        newest = show(equipment_id).states[0]
        assert (newest.state_shown, newest.changed_on, newest.reason, newest.who) == (
            "停用",
            date(2026, 11, 5),
            "钢丝绳断股",
            "王经理",
        )

    def test_only_moves_of_the_table(self, add, change):
        equipment_id = add()
        with pytest.raises(EquipmentStateRefused):
            change(equipment_id, SCRAPPED)
        with pytest.raises(EquipmentStateRefused):
            change(equipment_id, STANDBY, expected=STOPPED)
        with pytest.raises(EquipmentStateRefused):
            change(equipment_id, IN_USE)

    @pytest.mark.parametrize(
        ("changed_on", "reason"),
        [
            (date(2026, 11, 3), "x"),
            (date(2026, 11, 1), "x"),
            (date(1800, 1, 1), "x"),
            (TODAY, " "),
            (TODAY, "长" * 300),
        ],
    )
    def test_neither_ahead_nor_before_the_last_nor_without_reason(
        self, add, change, changed_on, reason
    ):
        with pytest.raises(InvalidInput):
            change(add(), STOPPED, changed_on=changed_on, reason=reason)

    def test_what_was_scrapped_changes_no_more(self, add, change, register, manager):
        equipment_id = add()
        change(equipment_id, STOPPED)
        change(equipment_id, SCRAPPED, expected=STOPPED)

        with pytest.raises(EquipmentScrapped):
            register.edit(
                actor=manager,
                equipment_id=equipment_id,
                changes={"brand": "x"},
                seen={"brand": ""},
                reason="x",
            )
        with pytest.raises(EquipmentScrapped):
            register.write_specs(actor=manager, equipment_id=equipment_id, specs={}, reason="x")

    def test_of_two_at_once_one_wins(self, add, change, together, database):
        equipment_id = add()
        results = together(*[lambda: change(equipment_id, STOPPED)] * 4)

        assert results.count(None) == 1
        assert database.value("SELECT count(*) FROM equipment_state_change") == 2
