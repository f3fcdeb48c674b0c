"""Several people do one task at once, and several processes make the tasks of one plan."""

import pytest

from services.maintenance_moves import MaintenanceTaskMoved
from tests.services.maintenance.conftest import (  # noqa: F401 - fixtures of the same story
    GOOD,
    SYSTEM,
    do,
    due_days,
    generate,
    key,
    make_plan,
    scene,
    task_of,
)


@pytest.fixture
def begun(make_plan, task_of, do):  # noqa: F811
    task_id = task_of(make_plan())
    do(task_id, upto="in_progress")
    return task_id


class TestTasks:
    def test_of_those_who_submit_at_once_one_wins(
        self,
        begun,
        services,
        scene,  # noqa: F811
        together,
        database,
    ):
        people = [scene.engineer, scene.colleague] * 3
        results = together(
            *[
                lambda who=who, number=number: services.maintenance_tasks.submit(
                    actor=who, task_id=begun, findings=GOOD, client_key=f"key-of-{number:04d}"
                )
                for number, who in enumerate(people)
            ]
        )

        assert results.count(None) == 1
        assert sum(isinstance(result, MaintenanceTaskMoved) for result in results) == 5
        assert (
            database.value("SELECT count(*) FROM maintenance_task_event WHERE act = 'submit'") == 1
        )
        assert database.value("SELECT count(*) FROM maintenance_result") == 2

    def test_one_who_sends_it_many_times_has_done_it_once(
        self,
        begun,
        services,
        scene,  # noqa: F811
        together,
        database,
    ):
        results = together(
            *[
                lambda: services.maintenance_tasks.submit(
                    actor=scene.engineer, task_id=begun, findings=GOOD, client_key="one-key-1"
                )
            ]
            * 5
        )

        assert results == [None] * 5
        assert (
            database.value("SELECT count(*) FROM maintenance_task_event WHERE act = 'submit'") == 1
        )


class TestGenerator:
    def test_at_once_makes_nothing_twice(
        self,
        make_plan,  # noqa: F811
        generate,  # noqa: F811
        due_days,  # noqa: F811
        clock,
        together,
        scene,  # noqa: F811
    ):
        plan_id = make_plan(equipment_ids=[scene.lift_id, scene.other_lift_id])
        clock.advance(days=45)

        made = together(*[generate] * 6)

        assert sum(made) == 6
        days = due_days(plan_id)
        assert len(days) == 16
        assert all(days.count(day) == 2 for day in days)

    def test_a_pause_meanwhile_leaves_nothing_open(
        self,
        make_plan,  # noqa: F811
        generate,  # noqa: F811
        due_days,  # noqa: F811
        services,
        scene,  # noqa: F811
        clock,
        together,
    ):
        plan_id = make_plan()
        clock.advance(days=45)

        together(
            *[generate] * 3,
            lambda: services.maintenance_plans.pause(
                actor=scene.manager, plan_id=plan_id, reason="x"
            ),
        )

        today = clock.now().date()
        assert [day for day in due_days(plan_id) if day >= today] == []
