"""What the clock does by itself: telling once, closing what nobody answered for."""

from datetime import timedelta

import pytest

from domain.errors import NotAllowed
from domain.repairs import PauseReason


@pytest.fixture
def look(services, desk):
    return lambda: services.repair_watch.look(actor=desk.machine)


@pytest.fixture
def told(database):
    """What staff were told, oldest first."""
    return lambda: [row["kind"] for row in database.rows("SELECT kind FROM staff_task ORDER BY id")]


class TestLook:
    def test_is_not_for_people(self, services, desk):
        with pytest.raises(NotAllowed):
            services.repair_watch.look(actor=desk.manager)

    def test_what_nobody_takes_is_told_of_once(self, report, look, told, clock):
        report()
        clock.advance(minutes=30)
        assert look() == 0

        clock.advance(minutes=1)
        assert (look(), look()) == (1, 0)
        assert told() == ["repair_unaccepted"]

    def test_giving_it_to_another_starts_the_wait_again(
        self, services, desk, report, look, told, clock
    ):
        repair_id = report()
        for engineer in (desk.engineer, desk.colleague):
            services.repair_dispatch.assign(
                actor=desk.clerk, repair_id=repair_id, staff_id=engineer.id
            )
            clock.advance(minutes=29)
            look()
        assert told() == []

        clock.advance(minutes=2)
        look()
        assert told() == ["repair_unaccepted"]

    def test_four_fifths_warn_and_the_end_breaks(self, at_work, look, told, clock, repair):
        repair_id = at_work()
        clock.advance(minutes=3456)
        look()
        look()
        assert told() == ["repair_warning"]

        clock.advance(minutes=865)
        look()
        look()
        assert told() == ["repair_warning", "repair_breached"]
        assert repair(repair_id)["breached_at"] == clock.now()

    def test_nobody_there_in_time_breaks_it_too(self, services, desk, report, look, repair, clock):
        repair_id = report()
        services.repair_dispatch.assign(
            actor=desk.clerk, repair_id=repair_id, staff_id=desk.engineer.id
        )
        services.repair_work.accept(actor=desk.engineer, repair_id=repair_id)
        clock.advance(minutes=1441)

        look()

        assert repair(repair_id)["breached_at"] == clock.now()

    def test_what_waits_is_late_for_nobody(self, services, desk, at_work, look, told, clock):
        repair_id = at_work()
        services.repair_work.suspend(
            actor=desk.engineer,
            repair_id=repair_id,
            waits_for=PauseReason.PARTS,
            until_on=clock.now().date() + timedelta(days=30),
            note="等配件",
        )
        clock.advance(days=20)
        look()
        services.repair_work.resume(actor=desk.engineer, repair_id=repair_id)

        look()

        assert told() == []

    def test_three_silent_days_close_it(self, at_work, finish, look, state, clock, events):
        repair_id = at_work()
        finish(repair_id)
        clock.advance(days=2, hours=23)
        look()
        assert state(repair_id) == "awaiting_confirmation"

        clock.advance(hours=1)
        look()
        assert state(repair_id) == "closed"
        assert events(repair_id)[-1][0] == "auto_close"
