"""What people see of repairs, the rules of a community, and what repairs teach."""

from datetime import timedelta

import pytest

from domain.errors import InvalidInput, NotAllowed, NotFound
from domain.periods import local_date
from domain.repairs import DispatchMode, FaultCause, RepairCategory, RepairPriority, SlaMinutes
from services.repairs.rules import Rules
from services.repairs.views import RepairFilter


@pytest.fixture
def listed(services):
    def listed(actor, which="open", **more):
        found = services.repair_lists.list_repairs(actor=actor, wanted=RepairFilter(which, **more))
        return [row.id for row in found]

    return listed


class TestLists:
    def test_a_house_sees_its_own(self, services, desk, report):
        mine = report()
        report(desk.neighbour, house_id=desk.other_house_id)

        for actor in (desk.owner, desk.family):
            found = services.repair_lists.list_own(actor=actor)
            assert [row.id for row in found] == [mine]

    def test_what_was_before_a_purchase_stays_the_sellers(self, services, desk, report, database):
        repair_id = report()
        database.do(
            "INSERT INTO house_transfer (community_id, house_id, cut_on, unpaid, prepaid, reason,"
            " done, key_id, made_by_staff_id, made_at) SELECT :community_id, :house_id,"
            " current_date + 7, 'seller', 'stays', 'x', '{}', min(idempotency_key.id), :staff_id,"
            " '2026-01-01' FROM idempotency_key",
            community_id=desk.community_id,
            house_id=desk.house_id,
            staff_id=desk.clerk.id,
        )
        database.do("UPDATE house_binding SET created_at = '2026-01-02'")

        with pytest.raises(NotFound):
            services.repair_lists.show_own(actor=desk.owner, repair_id=repair_id)

    def test_an_engineer_sees_theirs_and_what_is_to_be_had(
        self, desk, report, at_work, set_mode, listed
    ):
        waiting = report()
        mine = at_work()
        set_mode(DispatchMode.GRAB)
        open_to_all = report()

        assert listed(desk.engineer) == [open_to_all, mine]
        assert listed(desk.engineer, "mine") == [mine]
        assert listed(desk.engineer, "grabbable") == [open_to_all]
        assert listed(desk.colleague) == [open_to_all]
        assert listed(desk.stranger) == []
        assert listed(desk.clerk) == [open_to_all, mine, waiting]

    def test_filters(self, services, desk, report, listed, clock):
        lift = report(category=RepairCategory.LIFT)
        water = report()
        services.owner_repair_acts.cancel(actor=desk.owner, repair_id=water, reason="好了")
        clock.advance(minutes=31)

        assert listed(desk.clerk, "all", category=RepairCategory.LIFT) == [lift]
        assert listed(desk.clerk, "unassigned") == [lift]
        assert listed(desk.clerk, "late") == [lift]
        assert listed(desk.clerk, "ended") == [water]

    def test_an_unknown_list_is_refused(self, desk, listed):
        with pytest.raises(InvalidInput):
            listed(desk.clerk, "x")

    def test_others_see_none(self, services, desk, listed, database):
        with pytest.raises(NotAllowed):
            listed(desk.owner)


class TestPhones:
    def test_only_the_engineer_at_work_has_the_number(self, services, desk, report, finish):
        repair_id = report(contact_phone="13800000001")

        def phone(actor):
            return services.repair_lists.show(actor=actor, repair_id=repair_id).contact_phone

        services.repair_dispatch.assign(
            actor=desk.clerk, repair_id=repair_id, staff_id=desk.engineer.id
        )
        assert phone(desk.engineer) == "13800000001"
        for actor in (desk.clerk, desk.manager, desk.auditor):
            assert phone(actor) == "138****0001"
        with pytest.raises(NotFound):
            phone(desk.colleague)
        own = services.repair_lists.show_own(actor=desk.family, repair_id=repair_id)
        assert own.contact_phone == "138****0001"

        services.repair_dispatch.force_close(actor=desk.manager, repair_id=repair_id, reason="失联")
        assert phone(desk.engineer) == "138****0001"


class TestProgress:
    def test_owners_read_no_internal_notes_and_no_costs(self, services, desk, at_work, finish):
        repair_id = at_work()
        finish(repair_id)
        services.owner_repair_acts.reopen(actor=desk.owner, repair_id=repair_id, reason="还漏")
        services.repair_work.transfer(
            actor=desk.engineer, repair_id=repair_id, staff_id=desk.colleague.id, reason="业主难缠"
        )

        own = services.repair_lists.show_own(actor=desk.owner, repair_id=repair_id)
        staff = services.repair_lists.show(actor=desk.clerk, repair_id=repair_id)

        assert "业主难缠" not in str(own)
        assert "业主难缠" in str(staff)
        assert (own.parts, own.labour_fen) == ((), 0)
        assert staff.parts[0].amount_fen == 1502
        assert [one.act_shown for one in own.progress][:3] == ["提交报修", "进入派单", "派单"]


class TestRules:
    def test_own_limits_hold_from_then_on(self, services, desk, report, repair):
        services.repair_rules.set_rules(
            actor=desk.manager,
            community_id=desk.community_id,
            rules=Rules(
                DispatchMode.GRAB,
                15,
                desk.fee_item_id,
                {RepairPriority.NORMAL: SlaMinutes(1, 2, 3)},
            ),
        )

        row = repair(report())

        assert row["state"] == "grabbable"
        assert row["finish_due_at"] - row["opened_at"] == timedelta(minutes=3)
        shown = services.repair_rules.show(actor=desk.auditor, community_id=desk.community_id)
        assert shown.accept_minutes == 15
        assert shown.sla[RepairPriority.LOW] == SlaMinutes(1440, 4320, 10080)

    @pytest.mark.parametrize(
        "rules",
        [
            Rules(accept_minutes=0),
            Rules(sla={RepairPriority.LOW: SlaMinutes(3, 2, 4)}),
            Rules(fee_item_id=999),
        ],
    )
    def test_what_cannot_be_is_refused(self, services, desk, rules):
        with pytest.raises(InvalidInput):
            services.repair_rules.set_rules(
                actor=desk.manager, community_id=desk.community_id, rules=rules
            )

    def test_only_managers_set_them(self, services, desk):
        with pytest.raises(NotAllowed):
            services.repair_rules.set_rules(
                actor=desk.clerk, community_id=desk.community_id, rules=Rules()
            )


class TestAnalysis:
    @pytest.fixture
    def analyse(self, services, desk, clock):
        def analyse(actor=None, days=40):
            today = local_date(clock.now())
            return services.repair_analysis.analyse(
                actor=actor or desk.manager,
                community_id=desk.community_id,
                from_on=today - timedelta(days=days),
                until_on=today,
            )

        return analyse

    def test_means_and_costs_with_their_n(self, services, desk, report, finish, analyse, clock):
        repair_id = report()
        report()
        clock.advance(minutes=10)
        services.repair_dispatch.assign(
            actor=desk.clerk, repair_id=repair_id, staff_id=desk.engineer.id
        )
        services.repair_work.accept(actor=desk.engineer, repair_id=repair_id)
        services.repair_work.arrive(actor=desk.engineer, repair_id=repair_id)
        services.repair_work.quote(
            actor=desk.engineer, repair_id=repair_id, amount_fen=100, note="件"
        )
        clock.advance(minutes=100)
        services.owner_repair_acts.decide_quote(actor=desk.owner, repair_id=repair_id, agrees=True)
        clock.advance(minutes=20)
        finish(repair_id)

        speed = analyse().speed

        assert (speed.opened_n, speed.respond_n, speed.repair_n) == (2, 1, 1)
        assert (speed.mean_respond_minutes, speed.mean_repair_minutes) == (10, 30)
        assert speed.cost_fen == 5000 + 1502
        assert (speed.rated_n, speed.mean_score_hundredths) == (0, None)

    def test_causes_by_place_add_up(self, at_work, finish, analyse, desk):
        for cause in (FaultCause.AGEING, FaultCause.AGEING, FaultCause.MISUSE):
            finish(at_work(), cause=cause)

        causes = analyse().causes

        assert [(one.cause_shown, one.count, one.cumulative_percent) for one in causes] == [
            ("设备老化", 2, 66),
            ("使用不当", 1, 100),
        ]
        assert causes[0].building_id == desk.building_id

    def test_what_breaks_again_within_thirty_days(self, at_work, finish, report, analyse, clock):
        finish(at_work())
        clock.advance(days=29)
        report()
        report(category=RepairCategory.LIFT)

        [repeat] = analyse().repeats
        assert (repeat.category, repeat.count) == ("water", 1)

    def test_not_after_that(self, at_work, finish, report, analyse, clock):
        finish(at_work())
        clock.advance(days=31)
        report()

        assert analyse().repeats == []

    def test_days_must_be_in_order(self, analyse):
        with pytest.raises(InvalidInput):
            analyse(days=-1)

    def test_an_engineer_learns_nothing(self, analyse, desk):
        with pytest.raises(NotAllowed):
            analyse(desk.engineer)
