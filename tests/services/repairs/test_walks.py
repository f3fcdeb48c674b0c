"""Random acts by random people: no repair ever leaves the table, and its events tell all of it."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.errors import PropertyError
from domain.repair_states import (
    CLOCK_STOPS,
    ENDED,
    MOVES,
    UNASSIGNED,
    WORKED_ON,
    RepairAct,
    RepairState,
)
from domain.repairs import DispatchMode, PauseReason

ACTS = (
    "offer",
    "assign",
    "rotate",
    "grab",
    "accept",
    "give_back",
    "transfer",
    "arrive",
    "suspend",
    "resume",
    "quote",
    "approve",
    "refuse",
    "finish",
    "finish_charged",
    "confirm",
    "reopen",
    "cancel",
    "force_close",
    "tell",
    "rate",
    "look",
    "take_back_charge",
    "days_pass",
)
PEOPLE = ("owner", "family", "neighbour", "clerk", "manager", "engineer", "colleague", "stranger")
STEPS = st.lists(st.tuples(st.sampled_from(ACTS), st.sampled_from(PEOPLE)), max_size=30)
LIKELY = st.lists(
    st.sampled_from(
        [
            ("assign", "clerk"),
            ("grab", "colleague"),
            ("accept", "engineer"),
            ("arrive", "engineer"),
            ("suspend", "engineer"),
            ("resume", "engineer"),
            ("quote", "engineer"),
            ("approve", "owner"),
            ("finish", "engineer"),
            ("finish_charged", "engineer"),
            ("take_back_charge", "manager"),
            ("look", "manager"),
            ("reopen", "family"),
            ("confirm", "owner"),
        ]
    ),
    max_size=30,
)
"""What happens in earnest, so that walks come far."""
ALLOWED = {(move.from_state, move.act, move.to_state) for move in MOVES}


@pytest.fixture
def act(services, desk, finish, clock, database):
    """Let somebody try something; a refusal is an answer too."""

    def act(name, who, repair_id):
        actor = getattr(desk, who)
        work, dispatch = services.repair_work, services.repair_dispatch
        owner = services.owner_repair_acts
        given = {"actor": actor, "repair_id": repair_id}
        other = desk.engineer.id if who == "colleague" else desk.colleague.id
        acts = {
            "offer": lambda: dispatch.offer(**given),
            "assign": lambda: dispatch.assign(**given, staff_id=desk.engineer.id),
            "rotate": lambda: dispatch.rotate(**given),
            "grab": lambda: dispatch.grab(**given),
            "accept": lambda: work.accept(**given),
            "give_back": lambda: work.give_back(**given, reason="忙"),
            "transfer": lambda: work.transfer(**given, staff_id=other, reason="忙"),
            "arrive": lambda: work.arrive(**given),
            "suspend": lambda: work.suspend(
                **given,
                waits_for=PauseReason.OWNER,
                until_on=clock.now().date() + timedelta(days=3),
                note="等",
            ),
            "resume": lambda: work.resume(**given),
            "quote": lambda: work.quote(**given, amount_fen=100, note="件"),
            "approve": lambda: owner.decide_quote(**given, agrees=True),
            "refuse": lambda: owner.decide_quote(**given, agrees=False),
            "finish": lambda: finish(repair_id, actor=actor),
            "finish_charged": lambda: finish(repair_id, actor=actor, charge_fen=100),
            "confirm": lambda: owner.confirm(**given),
            "reopen": lambda: owner.reopen(**given, reason="还漏"),
            "cancel": lambda: owner.cancel(**given, reason="不用了"),
            "force_close": lambda: dispatch.force_close(**given, reason="失联"),
            "tell": lambda: dispatch.tell(**given, note="在路上"),
            "rate": lambda: owner.rate(**given, score=4),
            "look": lambda: services.repair_watch.look(actor=desk.machine),
            "take_back_charge": lambda: [
                services.one_offs.cancel(actor=desk.manager, charge_id=row["id"], reason="免收")
                for row in database.rows("SELECT id FROM one_off_charge WHERE state = 'open'")
            ],
            "days_pass": lambda: clock.advance(days=2),
        }
        try:
            acts[name]()
        except PropertyError as refusal:
            return refusal
        return None

    return act


@pytest.fixture
def check(database, repair):
    """What holds of a repair whatever was tried."""

    def check(repair_id):
        row = repair(repair_id)
        rows = database.rows(
            "SELECT * FROM repair_event WHERE repair_id = :id ORDER BY id", id=repair_id
        )
        at = None
        for event in rows:
            assert event["from_state"] == at, "events leave no gap"
            if at is not None and event["act"] != RepairAct.NOTE:
                assert (at, event["act"], event["to_state"]) in ALLOWED
            at = event["to_state"]
        assert at == row["state"]
        assert (row["state"] in ENDED) == (row["ended_at"] is not None)
        if row["state"] in UNASSIGNED:
            assert row["assignee_staff_id"] is None
        if row["state"] in WORKED_ON:
            assert row["assignee_staff_id"] is not None
        assert row["state"] != RepairState.FINISHED
        open_pauses = database.value(
            "SELECT count(*) FROM repair_pause WHERE repair_id = :id AND ended_at IS NULL",
            id=repair_id,
        )
        assert open_pauses == (row["state"] in CLOCK_STOPS)
        pending = database.value(
            "SELECT count(*) FROM repair_quote WHERE repair_id = :id AND state = 'pending'",
            id=repair_id,
        )
        assert pending == (row["state"] == RepairState.AWAITING_QUOTE_APPROVAL)
        owed = row["one_off_charge_id"] is not None
        assert (row["charge_fen"] > 0) == owed
        return rows

    return check


class TestWalk:
    @pytest.mark.parametrize("mode", DispatchMode)
    @pytest.mark.parametrize("steps", [STEPS, LIKELY], ids=["any", "likely"])
    def test_never_leaves_the_table(self, act, check, report, set_mode, mode, steps):
        set_mode(mode)

        @settings(
            max_examples=15,
            deadline=None,
            suppress_health_check=[HealthCheck.function_scoped_fixture],
        )
        @given(walk=steps)
        def go(walk):
            repair_id = report()
            for name, who in walk:
                act(name, who, repair_id)
                check(repair_id)

        go()

    def test_strangers_change_nothing(self, act, check, at_work, database):
        repair_id = at_work()
        before = check(repair_id)

        for name in ACTS:
            if name in ("look", "take_back_charge", "days_pass"):
                continue
            for who in ("neighbour", "stranger", "colleague"):
                assert act(name, who, repair_id) is not None

        assert check(repair_id) == before

    def test_ended_repairs_change_no_more(self, act, check, at_work):
        repair_id = at_work()
        act("force_close", "manager", repair_id)
        before = check(repair_id)

        for name in ACTS:
            for who in PEOPLE:
                act(name, who, repair_id)

        assert check(repair_id) == before
