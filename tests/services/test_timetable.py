from datetime import UTC, datetime, timedelta

import pytest

from jobs.tasks import JOBS
from services.timetable import SLOTS_KEPT, TIMETABLE, Entry

ENTRY = Entry("sweep_messages", timedelta(seconds=60))
NOON = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)


@pytest.fixture
def tick(services, clock):
    clock.set(NOON)
    return lambda run=lambda: None, entry=ENTRY: services.timetable.tick(entry, run=run)


@pytest.fixture
def slots(database):
    return lambda: database.rows("SELECT * FROM job_slot ORDER BY slot_at, job")


class TestEntry:
    @pytest.mark.parametrize("seconds", [0, 1, 59.999])
    def test_an_instant_belongs_to_the_slot_that_began_before_it(self, seconds):
        assert ENTRY.newest_slot(NOON + timedelta(seconds=seconds)) == NOON

    def test_the_next_slot_begins_sharply(self):
        assert ENTRY.newest_slot(NOON + timedelta(seconds=60)) == NOON + timedelta(seconds=60)

    def test_every_entry_of_the_timetable_is_a_job(self):
        assert {entry.job for entry in TIMETABLE} <= set(JOBS)
        assert len({entry.job for entry in TIMETABLE}) == len(TIMETABLE)


class TestTick:
    def test_whoever_takes_the_slot_runs_it_and_notes_the_outcome(self, tick, slots):
        assert tick(run=lambda: 7) is True

        assert slots() == [
            {
                "job": "sweep_messages",
                "slot_at": NOON,
                "started_at": NOON,
                "finished_at": NOON,
                "outcome": "7",
            }
        ]

    def test_a_slot_runs_once(self, tick):
        ran = []
        tick(run=lambda: ran.append("first"))

        assert tick(run=lambda: ran.append("second")) is False

        assert ran == ["first"]

    def test_the_next_slot_runs_again(self, tick, clock, slots):
        tick()
        clock.advance(seconds=60)

        assert tick() is True

        assert len(slots()) == 2

    def test_after_downtime_only_the_newest_slot_runs(self, tick, clock, slots):
        tick()
        clock.advance(hours=5)

        tick()

        assert [slot["slot_at"] for slot in slots()] == [NOON, NOON + timedelta(hours=5)]

    def test_entries_do_not_take_each_other_s_slots(self, tick):
        tick()

        assert tick(entry=Entry("sweep_payments", timedelta(seconds=30))) is True

    def test_a_failure_is_noted_and_the_next_slot_tries_again(self, tick, clock, slots, caplog):
        def fail():
            raise LookupError

        assert tick(run=fail) is True
        clock.advance(seconds=60)
        assert tick(run=lambda: "well") is True

        assert [slot["outcome"] for slot in slots()] == ["failed", "well"]
        assert [record.job for record in caplog.records] == ["sweep_messages"]

    def test_the_job_may_open_its_own_transaction(self, tick, unit_of_work, slots):
        tick(run=lambda: unit_of_work.run(lambda tx: "done"))

        assert slots()[0]["outcome"] == "done"

    def test_of_many_tickers_one_runs(self, tick, together):
        ran = []

        results = together(*[lambda: tick(run=lambda: ran.append(None))] * 6)

        assert sorted(results) == [False] * 5 + [True]
        assert ran == [None]


class TestDropOldSlots:
    def test_old_ones_go_and_are_counted(self, services, tick, clock, slots):
        tick()
        clock.advance(seconds=60)
        tick()
        clock.set(NOON + SLOTS_KEPT + timedelta(seconds=1))

        assert services.timetable.drop_old_slots() == 1

        assert [slot["slot_at"] for slot in slots()] == [NOON + timedelta(seconds=60)]
        assert services.timetable.drop_old_slots() == 0
