"""Looking at equipment, its labels and what runs out."""

from datetime import UTC, date, datetime, timedelta

import pytest

from domain.actors import system_actor, visitor
from domain.equipment import EquipmentCategory, EquipmentState, Importance
from domain.errors import InvalidInput, NotAllowed, NotFound
from services.equipment.lists import EquipmentFilter
from services.equipment.rows import PublicEquipment
from services.equipment.watch import EXPIRY_TASK
from tests import factories

TODAY = date(2026, 11, 2)
SYSTEM = system_actor("测试")


@pytest.fixture
def manager(database, clock):
    clock.set(datetime(2026, 11, 2, 2, 0, tzinfo=UTC))
    with database.session() as session:
        return factories.staff(session)


@pytest.fixture
def estate(database, manager):
    """A lift of a building, and a pump and an old fan of the whole community."""
    with database.session() as session:
        building = factories.make_building(session, name="3栋")
        community = session.get_one(factories.Community, building.community_id)
        return {
            "building": building,
            "community": community,
            "lift": factories.make_equipment(
                session,
                building=building,
                name="1号电梯",
                asset_no="DT-01",
                floor="屋面",
                place="机房",
                importance="critical",
                statutory_until=TODAY + timedelta(days=20),
                warranty_until=TODAY - timedelta(days=1),
            ),
            "pump": factories.make_equipment(
                session,
                community=community,
                name="水泵",
                category="water",
                contract_until=TODAY + timedelta(days=31),
            ),
            "fan": factories.make_equipment(
                session,
                community=community,
                name="旧风机",
                category="hvac",
                state="scrapped",
                warranty_until=TODAY,
            ),
        }


class TestFind:
    @pytest.mark.parametrize(
        ("which", "names"),
        [
            ({}, ["旧风机", "水泵", "1号电梯"]),
            ({"text": "电梯"}, ["1号电梯"]),
            ({"text": " dt-0 "}, ["1号电梯"]),
            ({"text": "机房"}, ["1号电梯"]),
            ({"text": "%"}, []),
            ({"category": EquipmentCategory.WATER}, ["水泵"]),
            ({"importance": Importance.CRITICAL}, ["1号电梯"]),
            ({"state": EquipmentState.SCRAPPED}, ["旧风机"]),
            ({"limit": 1}, ["旧风机"]),
        ],
    )
    def test_by(self, services, manager, estate, which, names):
        found = services.equipment_lists.find(actor=manager, which=EquipmentFilter(**which))

        assert [one.name for one in found] == names

    def test_by_code_building_and_page(self, services, manager, estate):
        def names(**which):
            found = services.equipment_lists.find(actor=manager, which=EquipmentFilter(**which))
            return [one.name for one in found]

        assert names(text=estate["pump"].code.lower()) == ["水泵"]
        assert names(building_id=estate["building"].id) == ["1号电梯"]
        assert names(before_id=estate["pump"].id) == ["1号电梯"]
        assert names(community_id=9_999_999) == []

    @pytest.mark.parametrize("which", [{"limit": 0}, {"limit": 202}, {"text": "长" * 300}])
    def test_refuses_what_is_too_much(self, services, manager, which):
        with pytest.raises(InvalidInput):
            services.equipment_lists.find(actor=manager, which=EquipmentFilter(**which))

    def test_a_buildings_staff_sees_their_building(self, services, estate, database):
        with database.session() as session:
            local = factories.staff(
                session, role="engineer", scope=factories.scope_of_building(estate["building"])
            )
        lists = services.equipment_lists
        found = lists.find(actor=local, which=EquipmentFilter())

        assert [one.name for one in found] == ["1号电梯"]
        with pytest.raises(NotFound):
            lists.show(actor=local, equipment_id=estate["pump"].id)
        assert {one.equipment for one in lists.list_expiring(actor=local, within_days=99)} == {
            "1号电梯"
        }


class TestExpiring:
    def test_what_ran_out_comes_first(self, services, manager, estate):
        found = services.equipment_lists.list_expiring(actor=manager)

        assert [(one.equipment, one.kind_shown, one.days_left) for one in found] == [
            ("1号电梯", "保修", -1),
            ("1号电梯", "法定检验", 20),
        ]

    def test_within_days(self, services, manager, estate):
        def kinds(days):
            found = services.equipment_lists.list_expiring(actor=manager, within_days=days)
            return [one.kind for one in found]

        assert kinds(0) == ["warranty"]
        assert kinds(31) == ["warranty", "statutory", "contract"]
        for days in (-1, 10**9):
            with pytest.raises(InvalidInput):
                kinds(days)

    def test_by_community(self, services, manager, estate):
        lists = services.equipment_lists

        assert lists.list_expiring(actor=manager, community_id=9_999_999) == []
        assert len(lists.list_expiring(actor=manager, community_id=estate["community"].id)) == 2


class TestWatch:
    @pytest.fixture
    def look(self, services):
        return lambda: services.equipment_watch.look(actor=SYSTEM)

    @pytest.fixture
    def titles(self, database):
        return lambda: [
            row["title"]
            for row in database.rows(
                "SELECT title FROM staff_task WHERE kind = :kind AND done_at IS NULL ORDER BY id",
                kind=EXPIRY_TASK,
            )
        ]

    def test_tells_each_once(self, look, titles, estate, clock):
        assert look() == 2
        assert look() == 0
        assert titles() == [
            "1号电梯：保修于 2026-11-01 到期",
            "1号电梯：法定检验于 2026-11-22 到期",
        ]
        clock.advance(days=1)
        assert look() == 1

    def test_what_was_looked_at_does_not_come_back(self, look, titles, estate, services, manager):
        look()
        for task in services.tasks.list_open(actor=manager):
            services.tasks.finish(actor=manager, task_id=task.id)

        assert look() == 0
        assert titles() == []

    def test_a_new_day_is_told_anew(self, look, estate, database):
        look()
        database.do("UPDATE equipment SET statutory_until = '2026-11-25' WHERE name = '1号电梯'")

        assert look() == 1

    def test_two_at_once_tell_it_once(self, look, estate, together, database):
        together(*[look] * 4)

        assert database.value("SELECT count(*) FROM staff_task") == 2

    def test_people_may_not_run_it(self, services, manager):
        with pytest.raises(NotAllowed):
            services.equipment_watch.look(actor=manager)


class TestLabels:
    def test_a_sheet_is_a_pdf(self, services, manager, estate):
        labels = services.equipment_labels
        ids = [estate["lift"].id, estate["pump"].id, estate["lift"].id]

        assert labels.print_labels(actor=manager, equipment_ids=ids).startswith(b"%PDF")

    @pytest.mark.parametrize("name", ["fan", "nobody"])
    def test_not_of_what_is_not_there(self, services, manager, estate, name):
        ids = [estate["lift"].id, estate[name].id if name in estate else 9_999_999]
        with pytest.raises(NotFound):
            services.equipment_labels.print_labels(actor=manager, equipment_ids=ids)

    @pytest.mark.parametrize("ids", [[], list(range(1, 502))])
    def test_some_and_not_too_many(self, services, manager, ids):
        with pytest.raises(InvalidInput):
            services.equipment_labels.print_labels(actor=manager, equipment_ids=ids)

    def test_anybody_learns_name_and_place(self, services, estate):
        found = services.equipment_labels.look_up(
            actor=visitor(), code=f" {estate['lift'].code.lower()} "
        )

        assert found == PublicEquipment(estate["community"].name, "1号电梯", "3栋 屋面 机房")

    @pytest.mark.parametrize("code", ["", "x", "23456789ABCD", "长" * 300, "A\x00"])
    def test_of_no_code_nothing_is_told(self, services, estate, code):
        with pytest.raises(NotFound):
            services.equipment_labels.look_up(actor=visitor(), code=code)

    def test_of_what_was_scrapped_nothing_is_told(self, services, estate):
        with pytest.raises(NotFound):
            services.equipment_labels.look_up(actor=visitor(), code=estate["fan"].code)
