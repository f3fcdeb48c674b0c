"""Tasks are made for sixty days ahead, with no gap and none twice."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from domain.equipment import EquipmentState
from domain.errors import NotAllowed
from domain.maintenance_rules import Basis, DueRule, PlanUnit
from tests.services.maintenance.conftest import TODAY, WORDS

FIRST_FIVE = [TODAY + timedelta(days=15 * count) for count in range(5)]
AFTER = replace(WORDS, basis=Basis.AFTER_COMPLETION)


class TestFixedCalendar:
    def test_a_plan_asks_for_sixty_days_at_once(self, make_plan, due_days):
        assert due_days(make_plan()) == FIRST_FIVE

    def test_twice_is_once(self, make_plan, due_days, generate):
        plan_id = make_plan()

        assert [generate(), generate()] == [0, 0]
        assert due_days(plan_id) == FIRST_FIVE

    @pytest.mark.parametrize("days", [3, 15, 100, 400])
    def test_after_days_down_there_is_no_gap(self, make_plan, due_days, generate, clock, days):
        plan_id = make_plan(replace(WORDS, rule=DueRule(1, PlanUnit.DAY)))
        clock.advance(days=days)

        assert generate() == days
        assert due_days(plan_id) == [TODAY + timedelta(days=n) for n in range(61 + days)]

    def test_day_by_day_is_as_all_at_once(self, make_plan, due_days, generate, clock):
        rule = DueRule(1, PlanUnit.MONTH)
        words = replace(WORDS, rule=rule, starts_on=date(2026, 10, 31))
        plan_id = make_plan(words)
        for _ in range(120):
            clock.advance(days=1)
            generate()

        last = TODAY + timedelta(days=180)
        assert due_days(plan_id) == rule.due_days(words.starts_on, first=TODAY, last=last)
        assert date(2027, 2, 28) in due_days(plan_id)
        assert date(2027, 3, 31) in due_days(plan_id)

    def test_days_before_the_plan_was_made_are_not_asked_for(self, make_plan, due_days):
        plan_id = make_plan(replace(WORDS, starts_on=TODAY - timedelta(days=31)))

        assert due_days(plan_id)[0] == TODAY + timedelta(days=14)

    def test_nothing_is_asked_for_beyond_the_end(self, make_plan, due_days, generate, clock):
        plan_id = make_plan(replace(WORDS, ends_on=TODAY + timedelta(days=20)))
        clock.advance(days=40)
        generate()

        assert due_days(plan_id) == FIRST_FIVE[:2]

    def test_each_equipment_has_its_own(self, make_plan, due_days, scene):
        plan_id = make_plan(equipment_ids=[scene.lift_id, scene.other_lift_id])

        assert due_days(plan_id) == sorted(FIRST_FIVE * 2)

    def test_an_early_completion_changes_no_day(self, make_plan, due_days, do, task_of, generate):
        plan_id = make_plan()
        do(task_of(plan_id, FIRST_FIVE[1]))
        generate()

        assert due_days(plan_id) == FIRST_FIVE

    def test_people_may_not_run_it(self, services, scene):
        with pytest.raises(NotAllowed):
            services.maintenance_generation.generate_due(actor=scene.manager)


class TestAfterCompletion:
    def test_one_at_a_time(self, make_plan, due_days, generate):
        plan_id = make_plan(AFTER)
        generate()

        assert due_days(plan_id) == [TODAY]

    def test_the_next_is_counted_from_the_day_the_work_was_done(
        self, make_plan, due_days, do, task_of, clock
    ):
        plan_id = make_plan(AFTER)
        clock.advance(days=4)
        do(task_of(plan_id))

        assert due_days(plan_id) == [TODAY, TODAY + timedelta(days=19)]

    def test_nothing_follows_before_it_is_verified(self, make_plan, due_days, do, task_of):
        plan_id = make_plan(AFTER)
        do(task_of(plan_id), upto="submitted")

        assert due_days(plan_id) == [TODAY]

    def test_an_early_completion_brings_the_next_forward(
        self, make_plan, due_days, do, task_of, generate, clock
    ):
        plan_id = make_plan(replace(AFTER, starts_on=TODAY + timedelta(days=40)))
        do(task_of(plan_id))
        assert due_days(plan_id)[0] == TODAY + timedelta(days=15)
        clock.advance(days=15)
        do(task_of(plan_id))

        assert due_days(plan_id, "scheduled") == [TODAY + timedelta(days=30)]

    def test_a_skipped_one_is_counted_from_its_day(
        self, make_plan, due_days, services, scene, task_of, key
    ):
        plan_id = make_plan(AFTER)
        services.maintenance_tasks.skip(
            actor=scene.manager, task_id=task_of(plan_id), reason="停梯", client_key=key()
        )

        assert due_days(plan_id) == [TODAY, TODAY + timedelta(days=15)]

    def test_what_is_beyond_sight_comes_when_it_is_near(
        self, make_plan, due_days, do, task_of, generate, clock
    ):
        plan_id = make_plan(replace(AFTER, rule=DueRule(1, PlanUnit.YEAR)))
        do(task_of(plan_id))
        assert due_days(plan_id) == [TODAY]

        clock.advance(days=305)
        assert generate() == 1
        assert due_days(plan_id) == [TODAY, date(2027, 11, 2)]

    def test_a_day_that_was_done_is_not_asked_for_twice(
        self, make_plan, due_days, do, task_of, services, scene, key
    ):
        plan_id = make_plan(replace(AFTER, starts_on=TODAY + timedelta(days=15)))
        do(task_of(plan_id))

        assert due_days(plan_id) == [TODAY + timedelta(days=15), TODAY + timedelta(days=16)]


class TestOutOfUse:
    @pytest.fixture
    def put(self, services, scene):
        def put(state, expected):
            services.equipment_register.change_state(
                actor=scene.manager,
                equipment_id=scene.lift_id,
                state=EquipmentState(state),
                expected=EquipmentState(expected),
                changed_on=TODAY,
                reason="大修",
            )

        return put

    def test_asks_for_nothing(self, make_plan, due_days, generate, put):
        plan_id = make_plan()
        put("stopped", "in_use")

        assert generate() == 0
        assert due_days(plan_id) == []

    def test_back_in_use_there_is_no_backlog(self, make_plan, due_days, generate, put, clock):
        plan_id = make_plan()
        put("stopped", "in_use")
        clock.advance(days=16)
        put("in_use", "stopped")
        generate()

        assert due_days(plan_id) == [*FIRST_FIVE[2:], TODAY + timedelta(days=75)]

    def test_what_was_begun_goes_on(self, make_plan, due_days, do, task_of, put):
        plan_id = make_plan()
        do(task_of(plan_id), upto="in_progress")
        put("stopped", "in_use")

        assert due_days(plan_id) == [TODAY]

    def test_under_repair_it_is_still_maintained(self, make_plan, due_days, put):
        plan_id = make_plan()
        put("under_repair", "in_use")

        assert due_days(plan_id) == FIRST_FIVE
