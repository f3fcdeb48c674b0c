"""Who is told of maintenance, when, and how often."""

from dataclasses import replace
from datetime import timedelta

import pytest

from domain.errors import NotAllowed
from models import StaffScope
from tests import factories
from tests.services.maintenance.conftest import SYSTEM, TODAY, WORDS

FUTURE = replace(WORDS, starts_on=TODAY + timedelta(days=10), lead_days=3)


@pytest.fixture(autouse=True)
def phones(scene, database):
    """Everybody can be reached by mail."""
    database.do("UPDATE staff SET email = 'staff' || id || '@example.com'")


@pytest.fixture
def remind(services):
    return lambda: services.maintenance_reminders.remind_due(actor=SYSTEM)


@pytest.fixture
def told(database):
    """Whom what was told of, in the order of time: staff, the title and the day."""

    def told():
        return [
            (row["staff_id"], row["payload"]["title"], row["payload"]["at"])
            for row in database.rows(
                "SELECT staff_id, payload FROM outbox_message ORDER BY created_at, staff_id"
            )
        ]

    return told


class TestLead:
    def test_nobody_is_told_too_early(self, make_plan, remind, told, clock, due_days):
        plan_id = make_plan(FUTURE)
        clock.advance(days=6)

        assert remind() == 0
        assert told() == []
        assert due_days(plan_id, "reminded") == []

    def test_all_who_may_do_it_are_told_once(self, make_plan, remind, told, clock, scene, due_days):
        plan_id = make_plan(FUTURE)
        clock.advance(days=7)

        assert (remind(), remind()) == (2, 0)
        assert told() == [
            (scene.engineer.id, "1号电梯 半月保养", "2026-11-12"),
            (scene.colleague.id, "1号电梯 半月保养", "2026-11-12"),
        ]
        assert due_days(plan_id, "reminded") == [TODAY + timedelta(days=10)]

    def test_what_was_given_to_one_is_told_to_them(self, make_plan, remind, told, scene, clock):
        make_plan(replace(FUTURE, assignee_id=scene.colleague.id))
        clock.advance(days=7)
        remind()

        assert [who for who, *_ in told()] == [scene.colleague.id]

    def test_only_those_who_work_there_are_told(
        self, make_plan, remind, told, scene, database, clock
    ):
        with database.session() as session:
            community = session.get_one(factories.Community, scene.community_id)
            beside = factories.make_building(session, community=community)
            elsewhere = factories.make_building(session)
            people = [
                factories.make_staff(
                    session, role="engineer", sees_all=False, email=f"s{number}@example.com"
                )
                for number in range(3)
            ]
            for person, building_id, community_id in (
                (people[0], scene.building_id, scene.community_id),
                (people[1], beside.id, scene.community_id),
                (people[2], None, elsewhere.community_id),
            ):
                factories.add(
                    session,
                    StaffScope(
                        staff_id=person.id, community_id=community_id, building_id=building_id
                    ),
                )
        make_plan(FUTURE)
        clock.advance(days=7)
        remind()

        assert [who for who, *_ in told()] == [
            scene.engineer.id,
            scene.colleague.id,
            people[0].id,
        ]

    def test_who_left_is_not_told(self, make_plan, remind, told, scene, database, clock):
        make_plan(FUTURE)
        database.do("UPDATE staff SET is_active = false WHERE id = :id", id=scene.colleague.id)
        clock.advance(days=7)
        remind()

        assert [who for who, *_ in told()] == [scene.engineer.id]


class TestDue:
    def test_on_the_day_they_are_told_again_and_once(self, make_plan, remind, told, clock):
        make_plan(FUTURE)
        clock.advance(days=7)
        remind()
        clock.advance(days=3)
        remind()
        remind()

        assert len(told()) == 4

    def test_without_a_lead_the_day_is_told_once(self, make_plan, remind, told):
        make_plan(replace(WORDS, lead_days=0))

        assert (remind(), remind()) == (2, 0)
        assert len(told()) == 2

    def test_what_is_handed_in_is_not_told_of(self, make_plan, remind, told, do, task_of):
        do(task_of(make_plan()), upto="submitted")

        assert remind() == 0
        assert told() == []


class TestOverdue:
    def test_managers_are_told_each_day_of_all_of_it(
        self, make_plan, remind, told, clock, scene, services
    ):
        make_plan(equipment_ids=[scene.lift_id, scene.other_lift_id])
        remind()
        before = len(told())
        clock.advance(days=1)
        for _ in range(2):
            remind()
        clock.advance(days=1)
        remind()

        assert told()[before:] == [
            (scene.manager.id, "2 项设备维保逾期", "2026-11-02"),
            (scene.manager.id, "2 项设备维保逾期", "2026-11-02"),
        ]

    def test_within_its_window_nothing_is_overdue(self, make_plan, remind, told, clock, scene):
        make_plan(replace(WORDS, window_days=2))
        clock.advance(days=2)
        remind()

        assert scene.manager.id not in [who for who, *_ in told()]

    def test_what_is_done_is_not(self, make_plan, remind, told, clock, scene, do, task_of):
        task_id = task_of(make_plan())
        clock.advance(days=5)
        do(task_id)
        remind()

        assert told() == []

    def test_a_days_silence_is_not_made_up_for(self, make_plan, remind, told, clock, scene):
        make_plan(FUTURE)
        clock.advance(days=13)
        remind()

        assert [(who, title) for who, title, _ in told()] == [
            (scene.manager.id, "1 项设备维保逾期"),
            (scene.engineer.id, "1号电梯 半月保养"),
            (scene.colleague.id, "1号电梯 半月保养"),
        ]


def test_people_may_not_run_it(services, scene):
    with pytest.raises(NotAllowed):
        services.maintenance_reminders.remind_due(actor=scene.manager)


def test_two_at_once_tell_it_once(make_plan, remind, together, database):
    make_plan()

    together(*[remind] * 4)

    assert database.value("SELECT count(*) FROM outbox_message") == 2
    assert database.value("SELECT count(*) FROM maintenance_task_event") == 1
