"""Plans are held to their templates, and what they ask for follows them."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from domain.checklists import ChecklistItem
from domain.errors import InvalidInput, NotAllowed, NotFound
from domain.maintenance_rules import Basis, DueRule, PlanUnit
from domain.maintenance_states import PlanState
from domain.permissions import Role
from models import StaffScope
from services.maintenance.plans import MaintenancePlanStateRefused
from tests import factories
from tests.services.maintenance.conftest import ITEMS, TODAY, WORDS

MONTHLY = DueRule(1, PlanUnit.MONTH)


@pytest.fixture
def plans(services):
    return services.maintenance_plans


@pytest.fixture
def lift_template(services, scene, database):
    """The half-monthly service of lifts, and its checklist."""
    services.maintenance_templates.load_library(
        actor=scene.manager, community_id=scene.community_id
    )
    found = services.maintenance_templates.list_templates(actor=scene.manager)
    return next(one for one in found if one.code == "LIFT-15D")


@pytest.fixture
def by_template(lift_template):
    items = tuple(
        ChecklistItem(item["key"], item["title"], needs_photo=item["needs_photo"])
        for item in lift_template.checklist
    )
    return replace(WORDS, template_id=lift_template.id, checklist=items)


class TestTemplate:
    def test_as_strict_needs_no_reason(self, make_plan, by_template, plans, scene):
        plan_id = make_plan(by_template)

        assert plans.show(actor=scene.manager, plan_id=plan_id).looser_reason == ""

    @pytest.mark.parametrize(
        ("changes", "told"),
        [
            ({"rule": DueRule(16, PlanUnit.DAY)}, "周期 每 16 天 长于 每 15 天"),
            ({"rule": MONTHLY}, "周期 每 1 个月 长于 每 15 天"),
            ({"rule": DueRule(fixed_days=("01-01", "07-01"))}, "周期"),
            ({"window_days": 3}, "法定项目宽限 3 天"),
            ({"checklist": ITEMS}, "少了"),
        ],
    )
    def test_looser_needs_one(self, make_plan, by_template, plans, scene, changes, told):
        looser = replace(by_template, **changes)
        with pytest.raises(InvalidInput) as refused:
            make_plan(looser)
        assert told in refused.value.fields["looser_reason"][0]

        plan_id = make_plan(replace(looser, looser_reason="按需维保试点，市监局备案"))

        shown = plans.show(actor=scene.manager, plan_id=plan_id)
        assert shown.looser_reason == "按需维保试点，市监局备案"

    def test_a_plan_does_not_become_looser_unsaid(self, make_plan, by_template, plans, scene):
        plan_id = make_plan(by_template)

        with pytest.raises(InvalidInput):
            plans.change(
                actor=scene.manager,
                plan_id=plan_id,
                words=replace(by_template, rule=MONTHLY),
                reason="省钱",
            )

    def test_is_for_its_kind_of_equipment(self, make_plan, by_template, plans, scene):
        with pytest.raises(InvalidInput):
            make_plan(by_template, [scene.lift_id, scene.pump_id])
        plan_id = make_plan(by_template)
        with pytest.raises(InvalidInput):
            plans.put_equipment(
                actor=scene.manager, plan_id=plan_id, equipment_ids=[scene.pump_id], reason="x"
            )

    def test_of_another_community_is_none(self, services, scene, by_template, database):
        with database.session() as session:
            elsewhere = factories.make_equipment(session)

        with pytest.raises(NotFound):
            services.maintenance_plans.add(
                actor=scene.manager,
                community_id=elsewhere.community_id,
                words=by_template,
                equipment_ids=[elsewhere.id],
            )


class TestAdd:
    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"name": ""}, "name"),
            ({"name": "长" * 300}, "name"),
            ({"rule": DueRule(0, PlanUnit.DAY)}, "every"),
            ({"rule": DueRule(-5, PlanUnit.DAY)}, "every"),
            ({"rule": DueRule(10**9, PlanUnit.MONTH)}, "every"),
            ({"starts_on": date(1800, 1, 1)}, "starts_on"),
            ({"starts_on": date(9999, 12, 31)}, "starts_on"),
            ({"ends_on": TODAY - timedelta(days=1)}, "ends_on"),
            ({"lead_days": -1}, "lead_days"),
            ({"lead_days": 10**9}, "lead_days"),
            ({"window_days": 15}, "window_days"),
            ({"window_days": -1}, "window_days"),
            ({"checklist": ()}, "checklist"),
            (
                {"checklist": (ChecklistItem("x", "y", needs_value=True, low=Decimal("NaN")),)},
                "checklist",
            ),
            ({"assignee_role": Role.CASHIER}, "assignee_role"),
            ({"looser_reason": "长" * 300}, "looser_reason"),
        ],
    )
    def test_refuses_what_cannot_be_meant(self, make_plan, database, changes, field):
        with pytest.raises(InvalidInput) as refused:
            make_plan(replace(WORDS, **changes))

        assert field in refused.value.fields
        assert database.value("SELECT count(*) FROM maintenance_plan") == 0

    def test_equipment_and_assignee_must_be_there(self, make_plan, scene, database):
        with pytest.raises(NotFound):
            make_plan(equipment_ids=[scene.lift_id, 9_999_999])
        for nobody in (9_999_999, scene.manager.id):
            with pytest.raises(NotFound):
                make_plan(replace(WORDS, assignee_id=nobody))
        with database.session() as session:
            elsewhere = factories.make_community(session)
            stranger = factories.make_staff(session, role="engineer", sees_all=False)
            factories.add(session, StaffScope(staff_id=stranger.id, community_id=elsewhere.id))
        with pytest.raises(NotFound):
            make_plan(replace(WORDS, assignee_id=stranger.id))

    def test_is_for_nothing_that_was_scrapped(self, make_plan, scene, database):
        database.do("UPDATE equipment SET state = 'scrapped' WHERE id = :id", id=scene.lift_id)

        with pytest.raises(NotFound):
            make_plan(equipment_ids=[scene.lift_id, scene.pump_id])

    def test_needs_equipment_and_not_too_much(self, services, scene):
        for ids in ([], list(range(1, 502))):
            with pytest.raises(InvalidInput):
                services.maintenance_plans.add(
                    actor=scene.manager,
                    community_id=scene.community_id,
                    words=WORDS,
                    equipment_ids=ids,
                )

    def test_engineers_do_not_plan(self, services, scene):
        with pytest.raises(NotAllowed):
            services.maintenance_plans.add(
                actor=scene.engineer,
                community_id=scene.community_id,
                words=WORDS,
                equipment_ids=[scene.lift_id],
            )

    def test_is_on_record(self, make_plan, audit):
        make_plan()

        assert audit("maintenance_plan_added") == [
            {"before": {}, "after": {}, "reason": "", "rule": "每 15 天"}
        ]


class TestPause:
    def test_makes_no_backlog(self, make_plan, plans, scene, due_days, generate, clock):
        plan_id = make_plan(replace(WORDS, rule=DueRule(1, PlanUnit.DAY)))
        plans.pause(actor=scene.manager, plan_id=plan_id, reason="装修")
        assert due_days(plan_id) == []
        clock.advance(days=10)
        assert generate() == 0

        plans.resume(actor=scene.manager, plan_id=plan_id, reason="装修完")

        back = TODAY + timedelta(days=10)
        assert due_days(plan_id) == [back + timedelta(days=n) for n in range(61)]

    def test_by_completion_goes_on_from_the_day_it_is_resumed(
        self, make_plan, plans, scene, due_days, clock
    ):
        plan_id = make_plan(replace(WORDS, basis=Basis.AFTER_COMPLETION))
        plans.pause(actor=scene.manager, plan_id=plan_id, reason="x")
        clock.advance(days=40)
        plans.resume(actor=scene.manager, plan_id=plan_id, reason="x")

        assert due_days(plan_id) == [TODAY + timedelta(days=45)]

    def test_what_was_overdue_before_stays_visible(self, make_plan, plans, scene, due_days, clock):
        plan_id = make_plan()
        clock.advance(days=2)
        plans.pause(actor=scene.manager, plan_id=plan_id, reason="x")

        assert due_days(plan_id) == [TODAY]

    @pytest.mark.parametrize("act", ["resume", "pause", "end"])
    def test_only_what_goes_on_can_be_stopped(self, make_plan, plans, scene, act):
        plan_id = make_plan()
        if act != "resume":
            plans.end(actor=scene.manager, plan_id=plan_id, reason="x")

        with pytest.raises(MaintenancePlanStateRefused):
            getattr(plans, act)(actor=scene.manager, plan_id=plan_id, reason="x")

    def test_what_has_ended_changes_no_more(self, make_plan, plans, scene, due_days):
        plan_id = make_plan()
        plans.end(actor=scene.manager, plan_id=plan_id, reason="x")

        assert due_days(plan_id) == []
        with pytest.raises(MaintenancePlanStateRefused):
            plans.change(actor=scene.manager, plan_id=plan_id, words=WORDS, reason="x")
        with pytest.raises(MaintenancePlanStateRefused):
            plans.put_equipment(
                actor=scene.manager, plan_id=plan_id, equipment_ids=[scene.lift_id], reason="x"
            )


class TestChange:
    def test_a_new_rule_moves_what_nobody_began(
        self, make_plan, plans, scene, due_days, do, task_of
    ):
        plan_id = make_plan()
        do(task_of(plan_id), upto="in_progress")
        plans.change(
            actor=scene.manager, plan_id=plan_id, words=replace(WORDS, rule=MONTHLY), reason="x"
        )

        assert due_days(plan_id) == [TODAY, date(2026, 12, 2), date(2027, 1, 1)][:2]

    def test_back_to_the_old_rule_leaves_no_gap(self, make_plan, plans, scene, due_days):
        plan_id = make_plan()
        before = due_days(plan_id)
        for rule in (MONTHLY, WORDS.rule):
            plans.change(
                actor=scene.manager, plan_id=plan_id, words=replace(WORDS, rule=rule), reason="x"
            )

        assert due_days(plan_id) == before

    def test_tasks_take_over_the_new_words(self, make_plan, plans, scene, database, task_of, do):
        plan_id = make_plan()
        do(task_of(plan_id), upto="in_progress")
        words = replace(WORDS, name="新名称", checklist=ITEMS[:1], assignee_id=scene.engineer.id)
        plans.change(actor=scene.manager, plan_id=plan_id, words=words, reason="x")

        rows = database.rows(
            "SELECT state, name, assignee_id, jsonb_array_length(checklist) AS items"
            " FROM maintenance_task ORDER BY due_on"
        )
        assert [row["name"] for row in rows] == ["半月保养", *["新名称"] * 4]
        assert [row["items"] for row in rows] == [2, 1, 1, 1, 1]
        assert {row["assignee_id"] for row in rows[1:]} == {scene.engineer.id}

    def test_is_on_record_with_why(self, make_plan, plans, scene, audit):
        plan_id = make_plan()
        plans.change(
            actor=scene.manager,
            plan_id=plan_id,
            words=replace(WORDS, lead_days=7),
            reason="提前备件",
        )

        assert audit("maintenance_plan_changed") == [
            {"before": {"lead_days": 3}, "after": {"lead_days": 7}, "reason": "提前备件"}
        ]

    def test_needs_a_reason(self, make_plan, plans, scene):
        plan_id = make_plan()
        for act in (plans.pause, plans.resume, plans.end):
            with pytest.raises(InvalidInput):
                act(actor=scene.manager, plan_id=plan_id, reason=" ")

    def test_other_equipment_is_asked_for_from_today_on(
        self, make_plan, plans, scene, database, clock
    ):
        plan_id = make_plan()
        clock.advance(days=16)
        plans.put_equipment(
            actor=scene.manager, plan_id=plan_id, equipment_ids=[scene.other_lift_id], reason="x"
        )

        rows = database.rows(
            "SELECT equipment_id, min(due_on) AS first FROM maintenance_task"
            " WHERE NOT is_withdrawn GROUP BY 1"
        )
        assert rows == [{"equipment_id": scene.other_lift_id, "first": TODAY + timedelta(days=30)}]


class TestLists:
    def test_by_state_equipment_and_page(self, make_plan, plans, scene):
        first, second = make_plan(), make_plan(equipment_ids=[scene.pump_id])
        plans.pause(actor=scene.manager, plan_id=second, reason="x")

        def ids(**which):
            return [plan.id for plan in plans.list_plans(actor=scene.manager, **which)]

        assert ids() == [second, first]
        assert ids(state=PlanState.ACTIVE) == [first]
        assert ids(equipment_id=scene.pump_id) == [second]
        assert ids(before_id=second) == [first]
        assert ids(limit=1) == [second]
        assert ids(community_id=9_999_999) == []
        with pytest.raises(InvalidInput):
            ids(limit=0)
