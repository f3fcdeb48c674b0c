"""Each line of the table of a repair's life, and who may not do it."""

from datetime import timedelta
from decimal import Decimal

import pytest

from domain.errors import Conflict, InvalidInput, NotAllowed, NotFound
from domain.repair_states import RepairCannotMove
from domain.repairs import DispatchMode, FaultCause, PauseReason, RepairCategory, RepairPriority
from services.keys import KeyUsedForOther
from services.repairs.dispatching import RepairNotEnded, RepairTaken
from services.repairs.opening import NewRepair
from services.repairs.owner_acts import AlreadyRated, RatingClosed
from services.repairs.working import FinishedWork, Part


class TestReport:
    def test_it_is_on_file_with_a_number_and_clocks(self, report, repair, events, clock):
        row = repair(report())

        day = row["opened_on"]
        assert row["repair_no"] == f"BX{day:%Y%m%d}0001"
        assert row["state"] == "pending_dispatch"
        assert row["priority"] == "normal"
        assert row["finish_due_at"] - row["opened_at"] == timedelta(minutes=4320)
        assert row["warn_due_at"] - row["opened_at"] == timedelta(minutes=3456)
        assert events(row["id"]) == [
            ("open", None, "submitted"),
            ("queue", "submitted", "pending_dispatch"),
        ]

    def test_numbers_have_no_gap(self, report, repair):
        numbers = [repair(report())["repair_no"][-4:] for _ in range(3)]

        assert numbers == ["0001", "0002", "0003"]

    def test_the_same_key_is_the_same_repair(self, services, desk, database):
        new = NewRepair(RepairCategory.WATER, "水管漏水", house_id=desk.house_id)

        ids = {
            services.repair_desk.report(actor=desk.owner, new=new, client_key="key-00000001")
            for _ in range(3)
        }

        assert len(ids) == 1
        assert database.value("SELECT count(*) FROM repair_order") == 1

    def test_the_same_key_with_other_words_is_refused(self, services, desk):
        def report(words):
            return services.repair_desk.report(
                actor=desk.owner,
                new=NewRepair(RepairCategory.WATER, words, house_id=desk.house_id),
                client_key="key-00000001",
            )

        report("水管漏水")
        with pytest.raises(KeyUsedForOther):
            report("电梯坏了")

    def test_a_house_that_is_not_theirs_is_missing(self, report, desk):
        with pytest.raises(NotFound):
            report(desk.neighbour)

    def test_whoever_may_not_report_finds_no_house(self, report, desk, database):
        database.do(
            "UPDATE house_binding SET may_report = false WHERE account_id = :id",
            id=desk.family.id,
        )

        with pytest.raises(NotFound):
            report(desk.family)

    def test_a_public_place_is_reported_where_one_lives(self, report, desk, repair):
        row = repair(report(house_id=None, building_id=desk.building_id))

        assert (row["house_id"], row["building_id"]) == (None, desk.building_id)

    def test_a_public_place_elsewhere_is_missing(self, report, database):
        elsewhere = database.value("SELECT max(community_id) FROM house")

        with pytest.raises(NotFound):
            report(house_id=None, community_id=elsewhere)

    def test_no_place_is_refused(self, report):
        with pytest.raises(InvalidInput):
            report(house_id=None)

    @pytest.mark.parametrize("words", ["", "漏", "漏" * 501])
    def test_words_are_needed(self, report, words):
        with pytest.raises(InvalidInput):
            report(description=words)

    def test_urgent_kinds_are_urgent_by_themselves(self, report, repair):
        assert repair(report(category=RepairCategory.LIFT))["priority"] == "urgent"

    def test_open_ones_of_the_same_kind_are_found(self, report, services, desk):
        first = report()
        report(category=RepairCategory.LIFT)

        def alike(actor):
            found = services.repair_desk.find_alike(
                actor=actor, house_id=desk.house_id, category=RepairCategory.WATER
            )
            return [one.id for one in found]

        assert alike(desk.owner) == [first]
        assert alike(desk.family) == [first]
        assert alike(desk.neighbour) == []


class TestTakeDown:
    def test_the_desk_says_who_called_and_how_urgent(self, report, desk, repair):
        row = repair(
            report(
                desk.clerk,
                contact_name="王阿姨",
                contact_phone="138-0000-0001",
                priority=RepairPriority.EMERGENCY,
            )
        )

        assert row["contact_phone"] == "13800000001"
        assert row["source"] == "phone"
        assert row["opened_by_staff_id"] == desk.clerk.id
        assert row["response_due_at"] - row["opened_at"] == timedelta(minutes=10)

    def test_a_house_out_of_scope_is_missing(self, report, desk):
        with pytest.raises(NotFound):
            report(desk.stranger)

    def test_an_auditor_may_not(self, report, desk):
        with pytest.raises(NotAllowed):
            report(desk.auditor)


class TestDispatch:
    def test_a_dispatcher_gives_it_to_an_engineer(self, services, desk, report, repair, events):
        repair_id = report()

        services.repair_dispatch.assign(
            actor=desk.clerk, repair_id=repair_id, staff_id=desk.engineer.id
        )

        assert repair(repair_id)["assignee_staff_id"] == desk.engineer.id
        assert events(repair_id)[-1] == ("assign", "pending_dispatch", "assigned")

    def test_only_to_an_active_engineer_in_whose_scope_it_is(
        self, services, desk, report, database
    ):
        repair_id = report()
        database.do("UPDATE staff SET is_active = false WHERE id = :id", id=desk.colleague.id)

        for staff_id in (desk.clerk.id, desk.stranger.id, desk.colleague.id, 999):
            with pytest.raises(InvalidInput):
                services.repair_dispatch.assign(
                    actor=desk.clerk, repair_id=repair_id, staff_id=staff_id
                )

    def test_an_engineer_may_not_dispatch(self, services, desk, report):
        with pytest.raises(NotAllowed):
            services.repair_dispatch.assign(
                actor=desk.engineer, repair_id=report(), staff_id=desk.engineer.id
            )

    def test_a_second_tap_changes_nothing(self, services, desk, report, events):
        repair_id = report()
        for _ in range(2):
            services.repair_dispatch.assign(
                actor=desk.clerk, repair_id=repair_id, staff_id=desk.engineer.id
            )

        assert len(events(repair_id)) == 3

    def test_a_running_repair_is_not_given_away(self, services, desk, at_work):
        with pytest.raises(RepairCannotMove, match="处理中"):
            services.repair_dispatch.assign(
                actor=desk.clerk, repair_id=at_work(), staff_id=desk.colleague.id
            )

    def test_whoever_grabs_has_it(self, services, desk, report, set_mode, repair, events):
        set_mode(DispatchMode.GRAB)
        repair_id = report()

        services.repair_dispatch.grab(actor=desk.engineer, repair_id=repair_id)
        services.repair_dispatch.grab(actor=desk.engineer, repair_id=repair_id)

        assert repair(repair_id)["assignee_staff_id"] == desk.engineer.id
        assert events(repair_id)[1:] == [
            ("offer", "submitted", "grabbable"),
            ("grab", "grabbable", "assigned"),
            ("accept", "assigned", "accepted"),
        ]

    def test_the_second_who_grabs_is_told(self, services, desk, report, set_mode):
        set_mode(DispatchMode.GRAB)
        repair_id = report()
        services.repair_dispatch.grab(actor=desk.engineer, repair_id=repair_id)

        with pytest.raises(RepairTaken, match="手慢了"):
            services.repair_dispatch.grab(actor=desk.colleague, repair_id=repair_id)

    def test_what_was_not_offered_cannot_be_grabbed(self, services, desk, report):
        with pytest.raises(NotFound):
            services.repair_dispatch.grab(actor=desk.engineer, repair_id=report())

    def test_a_dispatcher_lets_engineers_grab_it(self, services, desk, report, state):
        repair_id = report()

        services.repair_dispatch.offer(actor=desk.clerk, repair_id=repair_id)

        assert state(repair_id) == "grabbable"

    def test_out_of_scope_is_missing(self, services, desk, report, set_mode):
        set_mode(DispatchMode.GRAB)
        with pytest.raises(NotFound):
            services.repair_dispatch.grab(actor=desk.stranger, repair_id=report())


class TestWork:
    def test_an_engineer_returns_it_with_a_reason(self, services, desk, report, repair, events):
        repair_id = report()
        services.repair_dispatch.assign(
            actor=desk.clerk, repair_id=repair_id, staff_id=desk.engineer.id
        )

        for _ in range(2):
            services.repair_work.give_back(
                actor=desk.engineer, repair_id=repair_id, reason="不是我的专业"
            )

        assert repair(repair_id)["assignee_staff_id"] is None
        assert events(repair_id)[-1] == ("return", "assigned", "pending_dispatch")

    def test_an_engineer_hands_it_to_another(self, services, desk, report, repair, events):
        repair_id = report()
        services.repair_dispatch.assign(
            actor=desk.clerk, repair_id=repair_id, staff_id=desk.engineer.id
        )
        services.repair_work.accept(actor=desk.engineer, repair_id=repair_id)

        for _ in range(2):
            services.repair_work.transfer(
                actor=desk.engineer,
                repair_id=repair_id,
                staff_id=desk.colleague.id,
                reason="请假",
            )

        row = repair(repair_id)
        assert (row["assignee_staff_id"], row["accepted_at"]) == (desk.colleague.id, None)
        assert events(repair_id)[-1] == ("transfer", "accepted", "assigned")

    @pytest.mark.parametrize("who", ["colleague", "stranger"])
    def test_another_engineers_repair_is_missing(self, services, desk, at_work, finish, who):
        repair_id = at_work()

        with pytest.raises(NotFound):
            finish(repair_id, actor=getattr(desk, who))

    def test_it_cannot_be_finished_before_arriving(self, services, desk, report, finish):
        repair_id = report()
        services.repair_dispatch.assign(
            actor=desk.clerk, repair_id=repair_id, staff_id=desk.engineer.id
        )

        with pytest.raises(RepairCannotMove):
            finish(repair_id)

    def test_waiting_stops_the_clock(self, services, desk, at_work, repair, clock):
        repair_id = at_work()
        due = repair(repair_id)["finish_due_at"]
        until = clock.now().date() + timedelta(days=3)

        services.repair_work.suspend(
            actor=desk.engineer,
            repair_id=repair_id,
            waits_for=PauseReason.PARTS,
            until_on=until,
            note="等配件",
        )
        clock.advance(hours=30)
        services.repair_work.resume(actor=desk.engineer, repair_id=repair_id)

        assert repair(repair_id)["finish_due_at"] - due == timedelta(hours=30)

    def test_a_pause_needs_a_day_to_come(self, services, desk, at_work, clock):
        with pytest.raises(InvalidInput) as refused:
            services.repair_work.suspend(
                actor=desk.engineer,
                repair_id=at_work(),
                waits_for=PauseReason.QUOTE,
                until_on=clock.now().date() - timedelta(days=2),
                note="等",
            )

        assert set(refused.value.fields) == {"waits_for", "until_on"}

    def test_finishing_keeps_cause_measure_and_material(
        self, at_work, finish, repair, database, events
    ):
        repair_id = at_work()

        finish(repair_id)
        finish(repair_id)

        row = repair(repair_id)
        assert (row["cause"], row["measure"], row["labour_minutes"]) == ("ageing", "更换阀芯", 30)
        assert database.rows("SELECT name, amount_fen FROM repair_part") == [
            {"name": "阀芯", "amount_fen": 1502}
        ]
        assert events(repair_id)[-2:] == [
            ("finish", "in_progress", "finished"),
            ("hand_over", "finished", "awaiting_confirmation"),
        ]

    @pytest.mark.parametrize(
        "changes",
        [
            {"measure": " "},
            {"labour_minutes": -1},
            {"labour_fen": -1},
            {"charge_fen": -1},
            {"parts": (Part("阀", Decimal(0), 1),)},
            {"parts": (Part("阀", Decimal("NaN"), 1),)},
            {"parts": (Part("阀", Decimal("0.0001"), 1),)},
            {"parts": (Part("", Decimal(1), 1),)},
            {"parts": (Part("阀", Decimal(1), -1),)},
        ],
    )
    def test_what_cannot_be_is_refused(self, at_work, finish, changes, state):
        repair_id = at_work()

        with pytest.raises(InvalidInput):
            finish(repair_id, **changes)

        assert state(repair_id) == "in_progress"

    def test_a_clerk_does_not_work(self, services, desk, at_work):
        with pytest.raises(NotAllowed):
            services.repair_work.finish(
                actor=desk.clerk,
                repair_id=at_work(),
                work=FinishedWork(FaultCause.AGEING, "修好"),
            )


class TestOwner:
    def test_cancels_before_somebody_accepts(self, services, desk, report, repair):
        repair_id = report()

        services.owner_repair_acts.cancel(
            actor=desk.owner, repair_id=repair_id, reason="自己修好了"
        )

        row = repair(repair_id)
        assert (row["state"], row["ended_at"] is None) == ("cancelled", False)

    def test_not_afterwards(self, services, desk, at_work):
        with pytest.raises(RepairCannotMove):
            services.owner_repair_acts.cancel(
                actor=desk.owner, repair_id=at_work(), reason="不修了"
            )

    def test_confirms(self, services, desk, at_work, finish, state):
        repair_id = at_work()
        finish(repair_id)

        for _ in range(2):
            services.owner_repair_acts.confirm(actor=desk.family, repair_id=repair_id)

        assert state(repair_id) == "closed"

    def test_reopens_and_the_clocks_begin_again(
        self, services, desk, at_work, finish, repair, clock, events
    ):
        repair_id = at_work()
        finish(repair_id)
        clock.advance(hours=5)

        services.owner_repair_acts.reopen(actor=desk.owner, repair_id=repair_id, reason="还漏")
        services.repair_work.arrive(actor=desk.engineer, repair_id=repair_id)

        row = repair(repair_id)
        assert (row["state"], row["reopened_count"], row["finished_at"]) == (
            "in_progress",
            1,
            None,
        )
        assert row["finish_due_at"] == clock.now() + timedelta(minutes=4320)
        assert ("reopen", "awaiting_confirmation", "reopened") in events(repair_id)

    def test_a_second_finish_adds_to_the_first(
        self, services, desk, at_work, finish, repair, database
    ):
        repair_id = at_work()
        finish(repair_id)
        services.owner_repair_acts.reopen(actor=desk.owner, repair_id=repair_id, reason="还漏")
        services.repair_work.arrive(actor=desk.engineer, repair_id=repair_id)

        finish(repair_id)

        assert repair(repair_id)["labour_minutes"] == 60
        assert database.value("SELECT count(*) FROM repair_part") == 2

    def test_rates_once(self, services, desk, at_work, finish, database):
        repair_id = at_work()
        finish(repair_id)
        services.owner_repair_acts.confirm(actor=desk.owner, repair_id=repair_id)

        for _ in range(2):
            services.owner_repair_acts.rate(
                actor=desk.owner, repair_id=repair_id, score=5, note="好"
            )
        with pytest.raises(AlreadyRated):
            services.owner_repair_acts.rate(actor=desk.family, repair_id=repair_id, score=1)

        assert database.rows("SELECT score FROM repair_rating") == [{"score": 5}]

    @pytest.mark.parametrize("days", [None, 8])
    def test_rates_neither_early_nor_late(self, services, desk, at_work, finish, clock, days):
        repair_id = at_work()
        finish(repair_id)
        if days:
            services.owner_repair_acts.confirm(actor=desk.owner, repair_id=repair_id)
            clock.advance(days=days)

        with pytest.raises(RatingClosed):
            services.owner_repair_acts.rate(actor=desk.owner, repair_id=repair_id, score=5)

    @pytest.mark.parametrize("score", [0, 6])
    def test_no_such_score(self, services, desk, report, score):
        with pytest.raises(InvalidInput):
            services.owner_repair_acts.rate(actor=desk.owner, repair_id=report(), score=score)

    def test_a_neighbour_finds_nothing(self, services, desk, at_work, finish):
        repair_id = at_work()
        finish(repair_id)
        acts = services.owner_repair_acts

        for act in (
            lambda: acts.confirm(actor=desk.neighbour, repair_id=repair_id),
            lambda: acts.reopen(actor=desk.neighbour, repair_id=repair_id, reason="x"),
            lambda: acts.cancel(actor=desk.neighbour, repair_id=repair_id, reason="x"),
            lambda: acts.rate(actor=desk.neighbour, repair_id=repair_id, score=1),
            lambda: acts.decide_quote(actor=desk.neighbour, repair_id=repair_id, agrees=True),
            lambda: services.repair_lists.show_own(actor=desk.neighbour, repair_id=repair_id),
        ):
            with pytest.raises(NotFound):
                act()

    def test_whoever_was_unbound_finds_nothing(self, services, desk, report, unbind):
        repair_id = report()
        unbind(desk.owner)

        with pytest.raises(NotFound):
            services.repair_lists.show_own(actor=desk.owner, repair_id=repair_id)


class TestManager:
    def test_ends_what_waits_with_a_reason(self, services, desk, at_work, repair, database):
        repair_id = at_work()
        services.repair_work.quote(
            actor=desk.engineer, repair_id=repair_id, amount_fen=100, note="换件"
        )

        services.repair_dispatch.force_close(
            actor=desk.manager, repair_id=repair_id, reason="业主失联"
        )

        assert repair(repair_id)["state"] == "force_closed"
        assert database.value("SELECT count(*) FROM repair_pause WHERE ended_at IS NULL") == 0
        assert database.value("SELECT state FROM repair_quote") == "refused"

    def test_others_may_not(self, services, desk, report):
        with pytest.raises(NotAllowed):
            services.repair_dispatch.force_close(
                actor=desk.clerk, repair_id=report(), reason="不想修"
            )

    def test_not_twice_by_another_road(self, services, desk, report):
        repair_id = report()
        services.owner_repair_acts.cancel(actor=desk.owner, repair_id=repair_id, reason="不用了")

        with pytest.raises(RepairCannotMove):
            services.repair_dispatch.force_close(
                actor=desk.manager, repair_id=repair_id, reason="重复"
            )


class TestFollowUp:
    def test_is_kept(self, services, desk, at_work, finish, database):
        repair_id = at_work()
        finish(repair_id)
        services.owner_repair_acts.confirm(actor=desk.owner, repair_id=repair_id)

        services.repair_dispatch.follow_up(
            actor=desk.clerk, repair_id=repair_id, is_satisfied=True, note="很满意"
        )

        assert database.rows("SELECT is_satisfied, note FROM repair_follow_up") == [
            {"is_satisfied": True, "note": "很满意"}
        ]

    def test_not_before_it_is_over(self, services, desk, report):
        with pytest.raises(RepairNotEnded):
            services.repair_dispatch.follow_up(
                actor=desk.clerk, repair_id=report(), is_satisfied=True, note="很满意"
            )

    def test_words_on_the_way_change_no_state(self, services, desk, report, events):
        repair_id = report()

        services.repair_dispatch.tell(actor=desk.clerk, repair_id=repair_id, note="下午到")

        assert events(repair_id)[-1] == ("note", "pending_dispatch", "pending_dispatch")

    def test_no_words_after_the_end(self, services, desk, report):
        repair_id = report()
        services.owner_repair_acts.cancel(actor=desk.owner, repair_id=repair_id, reason="不用了")

        with pytest.raises(Conflict):
            services.repair_dispatch.tell(actor=desk.clerk, repair_id=repair_id, note="下午到")
