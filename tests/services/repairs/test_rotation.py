"""Whose turn it is: load, skill, duty, and who was longest without."""

import pytest

from domain.errors import InvalidInput, NotAllowed, NotFound
from domain.periods import SHANGHAI
from domain.repairs import DispatchMode, RepairCategory
from services.repairs.dispatching import Duty, NobodyOnDuty


@pytest.fixture(autouse=True)
def rotating(set_mode):
    set_mode(DispatchMode.ROTATE)


@pytest.fixture
def given(report, repair):
    """Report a repair and tell to whom it went."""
    return lambda **changes: repair(report(**changes))["assignee_staff_id"]


@pytest.fixture
def set_worker(services, desk):
    def set_worker(engineer, skills=(), duty=(), actor=None):
        services.repair_dispatch.set_worker(
            actor=actor or desk.manager, staff_id=engineer.id, skills=skills, duty=duty
        )

    return set_worker


class TestRotation:
    def test_goes_round(self, given, desk):
        assert [given() for _ in range(4)] == [
            desk.engineer.id,
            desk.colleague.id,
            desk.engineer.id,
            desk.colleague.id,
        ]

    def test_the_least_load_comes_first(self, services, desk, given, report):
        first, second = report(), report()
        services.repair_work.give_back(actor=desk.colleague, repair_id=second, reason="忙")
        assert first != second

        assert given() == desk.colleague.id

    def test_of_equal_load_who_was_longest_without(self, services, desk, report, given):
        for engineer in (desk.engineer, desk.colleague):
            services.repair_work.give_back(actor=engineer, repair_id=report(), reason="忙")

        assert given() == desk.engineer.id

    def test_skill_counts(self, desk, given, set_worker):
        set_worker(desk.engineer, skills=[RepairCategory.LIFT])

        assert [given(), given()] == [desk.colleague.id] * 2
        assert given(category=RepairCategory.LIFT) == desk.engineer.id

    def test_only_who_is_on_duty(self, desk, given, set_worker, clock):
        now = clock.now().astimezone(SHANGHAI)
        minute = now.hour * 60 + now.minute
        other_day = Duty((now.weekday() + 1) % 7, 0, 1440)
        set_worker(desk.engineer, duty=[other_day])
        set_worker(desk.colleague, duty=[Duty(now.weekday(), minute, minute + 1)])

        assert [given(), given()] == [desk.colleague.id] * 2

    def test_with_nobody_it_waits_for_a_dispatcher(
        self, services, desk, report, set_worker, repair
    ):
        for engineer in (desk.engineer, desk.colleague):
            set_worker(engineer, skills=[RepairCategory.LIFT])
        repair_id = report()
        assert repair(repair_id)["state"] == "pending_dispatch"

        with pytest.raises(NobodyOnDuty):
            services.repair_dispatch.rotate(actor=desk.clerk, repair_id=repair_id)

    def test_never_to_somebody_of_another_community(self, database, desk, given):
        database.do(
            "UPDATE staff SET is_active = false WHERE id IN (:a, :b)",
            a=desk.engineer.id,
            b=desk.colleague.id,
        )

        assert given() is None

    def test_by_hand(self, services, desk, report, repair, set_mode):
        set_mode(DispatchMode.ASSIGN)
        repair_id = report()

        chosen = services.repair_dispatch.rotate(actor=desk.clerk, repair_id=repair_id)

        assert repair(repair_id)["assignee_staff_id"] == chosen == desk.engineer.id


class TestSetWorker:
    def test_only_engineers_in_scope(self, desk, set_worker):
        with pytest.raises(NotFound):
            set_worker(desk.clerk)

    def test_only_managers(self, desk, set_worker):
        with pytest.raises(NotAllowed):
            set_worker(desk.engineer, actor=desk.clerk)

    @pytest.mark.parametrize("duty", [Duty(7, 0, 10), Duty(0, 10, 10), Duty(0, 0, 1441)])
    def test_hours_must_be_in_order(self, desk, set_worker, duty):
        with pytest.raises(InvalidInput):
            set_worker(desk.engineer, duty=[duty])

    def test_the_newest_holds(self, desk, set_worker, database):
        set_worker(desk.engineer, skills=[RepairCategory.LIFT], duty=[Duty(0, 0, 10)])
        set_worker(desk.engineer, skills=[RepairCategory.WATER])

        assert database.rows("SELECT category FROM staff_skill") == [{"category": "water"}]
        assert database.value("SELECT count(*) FROM staff_duty") == 0
