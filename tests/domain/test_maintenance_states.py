"""The tables of states of equipment, plans and tasks."""

from domain.equipment import (
    CATEGORY_SHOWN,
    CODE_PATTERN,
    DOCUMENT_SHOWN,
    EXPIRY_SHOWN,
    IMPORTANCE_SHOWN,
    STATE_MOVES,
    STATE_SHOWN,
    DocumentType,
    EquipmentCategory,
    EquipmentState,
    ExpiryKind,
    Importance,
    new_code,
)
from domain.maintenance_states import (
    KIND_SHOWN,
    OPEN,
    PLAN_MOVES,
    PLAN_SHOWN,
    TASK_MOVES,
    TASK_SHOWN,
    VERDICT_SHOWN,
    Doer,
    MaintenanceKind,
    PlanState,
    TaskAct,
    TaskState,
    Verdict,
)


class TestTasks:
    def test_what_was_verified_or_skipped_is_over(self):
        over = {TaskState.VERIFIED, TaskState.SKIPPED}

        assert not [state for state, _ in TASK_MOVES if state in over]

    def test_only_a_plan_brings_a_cancelled_task_back(self):
        assert [
            (act, doer) for (state, act), (_, doer) in TASK_MOVES.items() if state == "cancelled"
        ] == [(TaskAct.REVIVE, Doer.PLAN)]

    def test_every_state_can_be_reached_and_every_act_is_used(self):
        reached = {to for to, _ in TASK_MOVES.values()} | {TaskState.SCHEDULED}

        assert reached == set(TaskState)
        assert {act for _, act in TASK_MOVES} == set(TaskAct)

    def test_every_move_leads_on(self):
        assert all(state != to for (state, _), (to, _) in TASK_MOVES.items())
        assert {state for state, _ in TASK_MOVES} == OPEN | {TaskState.CANCELLED}


class TestOthers:
    def test_what_is_scrapped_or_ended_stays_so(self):
        assert STATE_MOVES[EquipmentState.SCRAPPED] == PLAN_MOVES[PlanState.ENDED] == frozenset()

    def test_what_is_in_use_is_not_scrapped_at_once(self):
        assert EquipmentState.SCRAPPED not in STATE_MOVES[EquipmentState.IN_USE]
        assert EquipmentState.SCRAPPED in STATE_MOVES[EquipmentState.STOPPED]

    def test_no_state_follows_itself(self):
        assert not [state for state, to in STATE_MOVES.items() if state in to]

    def test_everything_has_words(self):
        for words, kind in (
            (STATE_SHOWN, EquipmentState),
            (CATEGORY_SHOWN, EquipmentCategory),
            (IMPORTANCE_SHOWN, Importance),
            (DOCUMENT_SHOWN, DocumentType),
            (EXPIRY_SHOWN, ExpiryKind),
            (TASK_SHOWN, TaskState),
            (PLAN_SHOWN, PlanState),
            (VERDICT_SHOWN, Verdict),
            (KIND_SHOWN, MaintenanceKind),
        ):
            assert set(words) == set(kind)


class TestCode:
    def test_is_long_and_never_twice(self):
        import re

        codes = {new_code() for _ in range(1000)}

        assert len(codes) == 1000
        assert all(re.fullmatch(CODE_PATTERN, code) for code in codes)
