"""Two want the same repair at the same instant, or act on it from two sides."""

import pytest

from domain.repair_states import RepairCannotMove
from domain.repairs import DispatchMode
from services.repairs.dispatching import RepairTaken


class TestGrab:
    @pytest.mark.parametrize("attempt", range(5))
    def test_one_wins_and_the_other_is_told(
        self, services, desk, report, set_mode, together, repair, events, attempt
    ):
        set_mode(DispatchMode.GRAB)
        repair_id = report()

        results = together(
            *[
                lambda actor=actor: services.repair_dispatch.grab(actor=actor, repair_id=repair_id)
                for actor in (desk.engineer, desk.colleague)
            ]
        )

        [loser] = [one for one in results if one is not None]
        assert isinstance(loser, RepairTaken)
        assert loser.message == "手慢了，这张工单已被其他人接走"
        winner = (desk.engineer, desk.colleague)[results.index(None)]
        assert repair(repair_id)["assignee_staff_id"] == winner.id
        assert [act for act, _, _ in events(repair_id)] == ["open", "offer", "grab", "accept"]

    def test_many_taps_of_one_are_one(self, services, desk, report, set_mode, together, events):
        set_mode(DispatchMode.GRAB)
        repair_id = report()

        results = together(
            *[lambda: services.repair_dispatch.grab(actor=desk.engineer, repair_id=repair_id)] * 6
        )

        assert results == [None] * 6
        assert len(events(repair_id)) == 4


class TestSides:
    def test_cancel_and_accept_do_not_both_happen(
        self, services, desk, report, together, state, events
    ):
        repair_id = report()
        services.repair_dispatch.assign(
            actor=desk.clerk, repair_id=repair_id, staff_id=desk.engineer.id
        )

        results = together(
            lambda: services.owner_repair_acts.cancel(
                actor=desk.owner, repair_id=repair_id, reason="不用了"
            ),
            lambda: services.repair_work.accept(actor=desk.engineer, repair_id=repair_id),
        )

        refused = [one for one in results if isinstance(one, RepairCannotMove)]
        assert len(refused) == 1
        assert state(repair_id) in ("cancelled", "accepted")
        assert len(events(repair_id)) == 4

    def test_confirm_and_reopen_do_not_both_happen(
        self, services, desk, at_work, finish, together, events
    ):
        repair_id = at_work()
        finish(repair_id)
        before = len(events(repair_id))

        together(
            lambda: services.owner_repair_acts.confirm(actor=desk.owner, repair_id=repair_id),
            lambda: services.owner_repair_acts.reopen(
                actor=desk.family, repair_id=repair_id, reason="还漏"
            ),
        )

        assert len(events(repair_id)) == before + 1

    def test_rotation_shares_fairly_under_load(
        self, services, desk, report, set_mode, together, database
    ):
        set_mode(DispatchMode.ROTATE)

        together(*[report] * 8)

        rows = database.rows(
            "SELECT count(*) AS n FROM repair_order GROUP BY assignee_staff_id ORDER BY 1"
        )
        assert [row["n"] for row in rows] == [4, 4]
        numbers = [row["repair_no"][-4:] for row in database.rows("SELECT * FROM repair_order")]
        assert sorted(numbers) == [f"{n:04d}" for n in range(1, 9)]
