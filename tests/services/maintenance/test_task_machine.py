"""Random acts by random people on random tasks: no move but those of the table, and no gap."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from domain.equipment import EquipmentState
from domain.errors import Conflict, NotAllowed
from domain.maintenance_rules import Basis
from domain.maintenance_states import TASK_MOVES, Doer
from domain.periods import local_date
from tests.services.maintenance.conftest import GOOD, SYSTEM, WORDS, set_scene

ACTS = ("start", "submit", "verify", "send_back", "skip", "cancel")
PEOPLE = ("manager", "engineer", "colleague")


class Tasks(RuleBasedStateMachine):
    """Two plans for two lifts, those who work on them, and the clock."""

    services = None
    database = None

    @initialize()
    def set_the_scene(self):
        self.database.empty()
        self.scene = set_scene(self.services, self.database)
        self.keys = 0
        self.plan_ids = [
            self.services.maintenance_plans.add(
                actor=self.scene.manager,
                community_id=self.scene.community_id,
                words=replace(WORDS, basis=basis),
                equipment_ids=[self.scene.lift_id, self.scene.other_lift_id],
            )
            for basis in Basis
        ]

    def tolerate(self, act, **values):
        try:
            act(**values)
        except (Conflict, NotAllowed):
            return

    @rule(act=st.sampled_from(ACTS), who=st.sampled_from(PEOPLE), which=st.integers(0, 9))
    def act(self, act, who, which):
        rows = self.database.rows(
            "SELECT id FROM maintenance_task WHERE NOT is_withdrawn ORDER BY due_on, id LIMIT 10"
        )
        if not rows:
            return
        self.keys += 1
        more = {"findings": GOOD} if act == "submit" else {}
        if act in ("send_back", "skip", "cancel"):
            more = {"reason": "原因"}
        self.tolerate(
            getattr(self.services.maintenance_tasks, act),
            actor=getattr(self.scene, who),
            task_id=rows[which % len(rows)]["id"],
            client_key=f"key-{self.keys:08d}",
            **more,
        )

    @rule(act=st.sampled_from(("pause", "resume")), which=st.integers(0, 1))
    def stop_or_go(self, act, which):
        self.tolerate(
            getattr(self.services.maintenance_plans, act),
            actor=self.scene.manager,
            plan_id=self.plan_ids[which],
            reason="原因",
        )

    @rule(days=st.integers(1, 40))
    def let_days_pass(self, days):
        self.services.clock.advance(days=days)
        self.services.maintenance_generation.generate_due(actor=SYSTEM)
        self.services.maintenance_reminders.remind_due(actor=SYSTEM)

    @rule(state=st.sampled_from(EquipmentState))
    def use_or_stop_a_lift(self, state):
        before = self.database.value(
            "SELECT state FROM equipment WHERE id = :id", id=self.scene.lift_id
        )
        if state is EquipmentState.SCRAPPED:
            return
        self.tolerate(
            self.services.equipment_register.change_state,
            actor=self.scene.manager,
            equipment_id=self.scene.lift_id,
            state=state,
            expected=EquipmentState(before),
            changed_on=local_date(self.services.clock.now()),
            reason="原因",
        )

    @invariant()
    def every_move_is_of_the_table_and_done_by_whom_it_says(self):
        roles = {
            self.scene.manager.id: Doer.APPROVER,
            self.scene.engineer.id: Doer.ENGINEER,
            self.scene.colleague.id: Doer.ENGINEER,
            None: Doer.PLAN,
        }
        for event in self.database.rows("SELECT * FROM maintenance_task_event"):
            to, doer = TASK_MOVES[event["from_state"], event["act"]]
            assert to == event["to_state"]
            assert doer is roles[event["staff_id"]]

    @invariant()
    def events_chain_from_the_beginning_to_the_present(self):
        chains = {}
        for event in self.database.rows("SELECT * FROM maintenance_task_event ORDER BY id"):
            chains.setdefault(event["task_id"], []).append(event)
        for task in self.database.rows("SELECT id, state FROM maintenance_task"):
            chain = chains.get(task["id"], [])
            states = ["scheduled", *[event["to_state"] for event in chain]]
            assert task["state"] == states[-1]
            assert [event["from_state"] for event in chain] == states[:-1]

    @invariant()
    def by_completion_at_most_one_is_open(self):
        rows = self.database.rows(
            "SELECT count(*) AS open FROM maintenance_task JOIN maintenance_plan"
            " ON maintenance_plan.id = plan_id WHERE basis = 'after_completion'"
            " AND maintenance_task.state IN ('scheduled', 'reminded', 'in_progress', 'submitted')"
            " GROUP BY equipment_id"
        )
        assert all(row["open"] == 1 for row in rows)

    @invariant()
    def a_fixed_calendar_that_goes_on_has_no_gap(self):
        for lift in (self.scene.lift_id, self.scene.other_lift_id):
            days = [
                row["due_on"]
                for row in self.database.rows(
                    "SELECT due_on FROM maintenance_task JOIN maintenance_plan"
                    " ON maintenance_plan.id = plan_id WHERE basis = 'fixed_calendar'"
                    " AND maintenance_plan.state = 'active' AND NOT is_withdrawn"
                    " AND due_on >= maintenance_plan.counts_from AND equipment_id = :lift"
                    " AND due_on >= (SELECT counts_from FROM maintenance_plan_equipment own"
                    " WHERE own.plan_id = maintenance_plan.id AND own.equipment_id = :lift)"
                    " ORDER BY due_on",
                    lift=lift,
                )
            ]
            assert all((b - a).days == 15 for a, b in pairwise(days))


@pytest.mark.slow
def test_no_walk_leaves_the_table(services, database):
    Tasks.services, Tasks.database = services, database

    run_state_machine_as_test(
        Tasks,
        settings=settings(
            max_examples=25,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
