"""The table of a repair's life, and the one function of its clocks."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.repair_states import (
    ACT_SHOWN,
    ENDED,
    MOVES,
    OPEN,
    STATE_SHOWN,
    RepairAct,
    RepairCannotMove,
    RepairSide,
    RepairState,
    check_move,
)
from domain.repairs import (
    CATEGORY_SHOWN,
    CAUSE_SHOWN,
    DEFAULT_SLA,
    PAUSE_SHOWN,
    PRIORITY_SHOWN,
    SOURCE_SHOWN,
    FaultCause,
    Pause,
    PauseReason,
    RepairCategory,
    RepairPriority,
    RepairSource,
    sla_clock,
)

START = datetime(2026, 11, 1, 8, tzinfo=UTC)


class TestTable:
    def test_has_one_line_for_each_state_and_act(self):
        assert len({(move.from_state, move.act) for move in MOVES}) == len(MOVES)

    def test_nothing_leaves_an_end(self):
        assert not [move for move in MOVES if move.from_state in ENDED]

    def test_every_open_state_can_be_left_and_forced_shut(self):
        forced = {move.from_state for move in MOVES if move.act is RepairAct.FORCE_CLOSE}
        left = {move.from_state for move in MOVES if move.act is not RepairAct.FORCE_CLOSE}

        assert forced == OPEN
        assert left == OPEN

    def test_every_state_is_reached(self):
        seen = {RepairState.SUBMITTED}
        for _ in RepairState:
            seen |= {move.to_state for move in MOVES if move.from_state in seen}

        assert seen == set(RepairState)

    @pytest.mark.parametrize("state", RepairState)
    def test_allows_its_lines_and_nothing_else(self, state):
        lines = {
            (move.act, side): move.to_state
            for move in MOVES
            for side in move.sides
            if move.from_state is state
        }

        for act in RepairAct:
            for side in RepairSide:
                if (act, side) in lines:
                    assert check_move(state, act, side) is lines[act, side]
                else:
                    with pytest.raises(RepairCannotMove):
                        check_move(state, act, side)

    @pytest.mark.parametrize(
        ("shown", "words"),
        [
            (STATE_SHOWN, RepairState),
            (ACT_SHOWN, RepairAct),
            (CATEGORY_SHOWN, RepairCategory),
            (PRIORITY_SHOWN, RepairPriority),
            (SOURCE_SHOWN, RepairSource),
            (CAUSE_SHOWN, FaultCause),
            (PAUSE_SHOWN, PauseReason),
        ],
    )
    def test_everything_has_a_word(self, shown, words):
        assert set(shown) == set(words)

    def test_the_usual_limits_are_in_order(self):
        assert set(DEFAULT_SLA) == set(RepairPriority)
        assert all(one.response <= one.arrive <= one.finish for one in DEFAULT_SLA.values())


@st.composite
def pauses(draw):
    """Pauses that do not overlap, in whole minutes from some minutes before the start on."""
    found = []
    at = draw(st.integers(-30, 60))
    for _ in range(draw(st.integers(0, 5))):
        at += draw(st.integers(0, 50))
        length = draw(st.integers(0, 50))
        found.append((at, at + length))
        at += length
    return found


def count_to_due(minutes, spans):
    """Count minute by minute what is not paused, as a person with a watch would."""
    at, worked = 0, 0
    while worked < minutes:
        if not any(begins <= at < ends for begins, ends in spans):
            worked += 1
        at += 1
    return at


class TestClock:
    @given(minutes=st.integers(1, 200), spans=pauses(), now=st.integers(0, 600))
    def test_counts_what_is_not_paused(self, minutes, spans, now):
        clock = sla_clock(
            started_at=START,
            minutes=minutes,
            pauses=[
                Pause(START + timedelta(minutes=a), START + timedelta(minutes=b))
                for a, b in reversed(spans)
            ],
            now=START + timedelta(minutes=now),
        )

        due = count_to_due(minutes, spans)
        assert clock.due_at == START + timedelta(minutes=due)
        assert clock.is_breached == (now > due)
        assert clock.warn_at <= clock.due_at
        assert not (clock.is_warning and clock.is_breached)

    def test_an_open_pause_moves_the_limit_with_the_time(self):
        clock = sla_clock(
            started_at=START,
            minutes=60,
            pauses=[Pause(START + timedelta(minutes=30), None)],
            now=START + timedelta(days=3),
        )

        assert not clock.is_breached
        assert clock.due_at == START + timedelta(days=3, minutes=30)

    @pytest.mark.parametrize(
        ("minutes", "warning", "breached"),
        [(79, False, False), (80, True, False), (100, True, False), (101, False, True)],
    )
    def test_warns_at_four_fifths(self, minutes, warning, breached):
        clock = sla_clock(
            started_at=START, minutes=100, pauses=[], now=START + timedelta(minutes=minutes)
        )

        assert (clock.is_warning, clock.is_breached) == (warning, breached)
