"""The morning after: shifts that differ and shifts that nobody counted stand as differences."""

from datetime import datetime, time, timedelta

import pytest

from domain.actors import system_actor
from domain.errors import NotAllowed
from domain.payment_states import PaymentChannel
from domain.periods import SHANGHAI
from jobs.tasks import JOBS

CASH = PaymentChannel.CASH


@pytest.fixture(autouse=True)
def afternoon(clock, today):
    clock.set(datetime.combine(today(), time(15), SHANGHAI))


@pytest.fixture
def here(scene):
    return {"actor": scene.cashier, "community_id": scene.community_id}


@pytest.fixture
def close(services, here):
    def close(cash_fen, note="", **slips_fen):
        services.shifts.begin_close(**here)
        counted = {PaymentChannel(way): fen for way, fen in slips_fen.items()}
        counted[CASH] = cash_fen
        return services.shifts.count(**here, counted_fen=counted, note=note)

    return close


@pytest.fixture
def run_due(services):
    return lambda: services.cash_reconciliation.run_due(actor=system_actor("现金对账"))


@pytest.fixture
def next_morning(clock, today, run_due):
    """Let it be so many hours of the next day and do what is due."""

    def next_morning(hour=10):
        clock.set(datetime.combine(today() + timedelta(days=1), time(hour), SHANGHAI))
        return run_due()

    return next_morning


@pytest.fixture
def cases(database):
    return lambda: database.rows(
        "SELECT kind, key, ours_fen, theirs_fen, state, detail FROM reconciliation_case ORDER BY id"
    )


@pytest.fixture
def runs(database):
    return lambda: database.rows(
        "SELECT channel, mchid, day, state, our_count, their_count, our_paid_fen, their_paid_fen,"
        " next_at IS NOT NULL AS again FROM reconciliation_run ORDER BY id"
    )


@pytest.fixture
def tasks(database):
    return lambda: [
        row["kind"]
        for row in database.rows("SELECT kind FROM staff_task WHERE done_at IS NULL ORDER BY id")
    ]


class TestRun:
    def test_a_day_that_fits_has_no_difference(self, take, close, next_morning, runs, cases, today):
        day = today()
        take(5000)
        close(5000)

        assert next_morning() == 1

        assert runs() == [
            {
                "channel": "cash",
                "mchid": "CH1",
                "day": day,
                "state": "done",
                "our_count": 1,
                "their_count": 1,
                "our_paid_fen": 5000,
                "their_paid_fen": 5000,
                "again": False,
            }
        ]
        assert cases() == []

    def test_each_way_that_differs_is_a_case(self, take, close, next_morning, cases, runs):
        take(5000)
        take(700, channel=PaymentChannel.CARD)
        close(5200, card=500, note="找零少给，刷卡单缺一张")

        next_morning()

        assert [tuple(case.values())[:5] for case in cases()] == [
            ("cash", "1:cash", 5000, 5200, "open"),
            ("cash", "1:card", 700, 500, "open"),
        ]
        assert "现金长款 ¥2.00：找零少给" in cases()[0]["detail"]
        assert not runs()[0]["again"]

    def test_a_reason_that_is_given_later_is_taken_over(
        self, services, here, take, close, next_morning, clock, run_due, cases, runs
    ):
        take(5000)
        shift = close(4000)
        next_morning()
        assert "未说明原因" in cases()[0]["detail"]

        services.shifts.explain(**here, shift_id=shift.id, note="多找了")
        clock.advance(hours=1)
        run_due()

        assert "现金短款 ¥10.00：多找了" in cases()[0]["detail"]
        assert not runs()[0]["again"]

    def test_a_shift_that_nobody_counted_shows_no_sum(self, take, next_morning, cases, tasks, runs):
        take(5000)

        next_morning()

        [case] = cases()
        assert (case["key"], case["ours_fen"], case["theirs_fen"], case["state"]) == (
            "1",
            None,
            None,
            "open",
        )
        assert "没有清点" in case["detail"]
        assert tasks() == ["shift_not_counted"]
        assert (runs()[0]["our_paid_fen"], runs()[0]["again"]) == (0, True)

    def test_once_it_was_counted_it_resolves_itself(
        self, take, close, next_morning, clock, run_due, cases, tasks, runs
    ):
        take(5000)
        next_morning()
        close(4500, note="多找了")
        assert run_due() == 0
        clock.advance(hours=1)

        assert run_due() == 1

        assert [(case["key"], case["state"]) for case in cases()] == [
            ("1", "auto_resolved"),
            ("1:cash", "open"),
        ]
        assert tasks() == ["shift_difference"]
        assert not runs()[0]["again"]
        assert run_due() == 0

    def test_what_somebody_handled_stays_so(
        self, take, close, next_morning, clock, run_due, cases, database
    ):
        take(5000)
        close(4500)
        next_morning()
        database.do("UPDATE reconciliation_case SET state = 'handled', note = '已核实'")
        clock.advance(hours=1)

        run_due()

        assert [case["state"] for case in cases()] == ["handled"]


class TestWhen:
    def test_not_before_ten(self, take, close, next_morning, run_due, runs):
        take(5000)
        close(5000)
        assert run_due() == 0

        assert next_morning(hour=9) == 0
        assert runs() == []

    def test_missed_days_are_caught_up_with_and_empty_days_are_days(
        self, take, close, clock, run_due, runs, today
    ):
        first = today()
        take(5000)
        close(5000)
        clock.advance(days=3)

        assert run_due() == 3

        assert [(run["day"], run["our_count"]) for run in runs()] == [
            (first, 1),
            (first + timedelta(days=1), 0),
            (first + timedelta(days=2), 0),
        ]

    def test_a_month_at_most(self, take, close, clock, run_due, runs):
        take(5000)
        close(5000)
        clock.advance(days=100)

        assert run_due() == 30

    def test_a_counter_that_was_never_used_has_no_days(self, scene, next_morning):
        assert next_morning() == 0

    def test_only_the_clock_runs_it(self, services, scene):
        with pytest.raises(NotAllowed):
            services.cash_reconciliation.run_due(actor=scene.manager)

    def test_the_job_does_it(self, take, close, clock, queue, runs, app):
        take(5000)
        close(5000)
        clock.advance(days=1)

        with app.app_context():
            assert JOBS["reconcile_cash"]() == 1
        assert len(runs()) == 1

    def test_at_once_is_once(self, take, close, clock, run_due, runs, cases, together):
        take(5000)
        close(4500)
        clock.advance(days=1)

        together(*[run_due] * 4)

        assert len(runs()) == 1
        assert len(cases()) == 1
