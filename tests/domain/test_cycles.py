from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.cycles import (
    CYCLE_MONTHS,
    BillingTiming,
    Cycle,
    CycleAnchor,
    issue_and_due,
    periods_billed_in,
)
from domain.periods import Span, add_months, calendar_month

ADVANCE, ARREARS = BillingTiming.IN_ADVANCE, BillingTiming.IN_ARREARS
CALENDAR, ANNIVERSARY = CycleAnchor.CALENDAR, CycleAnchor.ANNIVERSARY


def billed(cycle, year, month, anchor_on=None):
    return periods_billed_in(cycle, calendar_month(date(year, month, 1)), anchor_on=anchor_on)


def months_from(day, how_many):
    first = day.replace(day=1)
    return [calendar_month(add_months(first, number)) for number in range(how_many)]


class TestGoldenVectors:
    """Source: domain.md D15."""

    def test_the_last_of_january_plus_months(self):
        cycle = Cycle(1, ANNIVERSARY, ADVANCE)
        begins = [
            period.starts_on
            for month in months_from(date(2025, 1, 31), 5)
            for period in periods_billed_in(cycle, month, anchor_on=date(2025, 1, 31))
        ]

        assert begins == [
            date(2025, 1, 31),
            date(2025, 2, 28),
            date(2025, 3, 31),
            date(2025, 4, 30),
            date(2025, 5, 31),
        ]


class TestCycle:
    @pytest.mark.parametrize("months", [0, 4, 5, 24, -1])
    def test_has_one_of_the_known_lengths(self, months):
        with pytest.raises(ValueError, match="months"):
            Cycle(months, CALENDAR, ADVANCE)

    @pytest.mark.parametrize("from_month", [0, 13])
    def test_begins_in_a_month_of_the_year(self, from_month):
        with pytest.raises(ValueError, match="no month"):
            Cycle(3, CALENDAR, ADVANCE, from_month)


class TestCalendar:
    def test_a_month_is_billed_by_its_own_run_either_way(self):
        march = Span(date(2025, 3, 1), date(2025, 4, 1))

        for timing in BillingTiming:
            assert billed(Cycle(1, CALENDAR, timing), 2025, 3) == (march,)

    def test_a_quarter_is_billed_in_its_first_or_its_last_month(self):
        quarter = Span(date(2025, 2, 1), date(2025, 5, 1))
        advance, arrears = (Cycle(3, CALENDAR, timing, 2) for timing in (ADVANCE, ARREARS))

        assert [billed(advance, 2025, month) for month in (1, 2, 3, 4)] == [(), (quarter,), (), ()]
        assert [billed(arrears, 2025, month) for month in (2, 3, 4, 5)] == [(), (), (quarter,), ()]

    def test_a_year_may_begin_in_july(self):
        year = Span(date(2024, 7, 1), date(2025, 7, 1))

        assert billed(Cycle(12, CALENDAR, ARREARS, 7), 2025, 6) == (year,)
        assert billed(Cycle(12, CALENDAR, ADVANCE, 7), 2024, 7) == (year,)

    def test_does_not_look_at_the_hand_over(self):
        cycle = Cycle(6, CALENDAR, ADVANCE)

        assert billed(cycle, 2025, 1, date(2025, 6, 6)) == billed(cycle, 2025, 1)


class TestAnniversary:
    def test_in_arrears_a_period_is_billed_where_it_ends(self):
        cycle = Cycle(1, ANNIVERSARY, ARREARS)
        anchor_on = date(2025, 1, 31)

        assert billed(cycle, 2025, 1, anchor_on) == ()
        assert billed(cycle, 2025, 2, anchor_on) == (Span(anchor_on, date(2025, 2, 28)),)

    def test_from_a_first_the_end_counts_to_the_month_before(self):
        cycle = Cycle(3, ANNIVERSARY, ARREARS)

        assert billed(cycle, 2025, 4, date(2025, 2, 1)) == (
            Span(date(2025, 2, 1), date(2025, 5, 1)),
        )

    def test_has_no_period_before_the_hand_over(self):
        for timing in BillingTiming:
            assert billed(Cycle(1, ANNIVERSARY, timing), 2024, 12, date(2025, 1, 31)) == ()

    def test_a_leap_day_comes_back(self):
        assert billed(Cycle(12, ANNIVERSARY, ADVANCE), 2028, 2, date(2024, 2, 29)) == (
            Span(date(2028, 2, 29), date(2029, 2, 28)),
        )

    def test_without_a_hand_over_the_question_is_a_mistake_of_ours(self):
        with pytest.raises(ValueError, match="counts from"):
            billed(Cycle(1, ANNIVERSARY, ADVANCE), 2025, 1)


CYCLES = st.builds(
    Cycle,
    st.sampled_from(CYCLE_MONTHS),
    st.sampled_from(CycleAnchor),
    st.sampled_from(BillingTiming),
    st.integers(1, 12),
)
DAYS = st.dates(min_value=date(2001, 1, 1), max_value=date(2080, 1, 1))


class TestPeriodsBilledIn:
    @given(CYCLES, DAYS)
    def test_periods_tile_time(self, cycle, anchor_on):
        periods = [
            period
            for month in months_from(anchor_on, 40)
            for period in periods_billed_in(cycle, month, anchor_on=anchor_on)
        ]

        assert len(periods) >= 2
        assert all(before.ends_before == after.starts_on for before, after in pairwise(periods))
        if cycle.anchor is ANNIVERSARY:
            assert periods[0].starts_on == anchor_on

    @given(CYCLES, DAYS, st.integers(0, 60))
    def test_every_period_is_billed_in_exactly_one_month(self, cycle, anchor_on, number):
        first = (
            anchor_on if cycle.anchor is ANNIVERSARY else date(anchor_on.year, cycle.from_month, 1)
        )
        period = Span(
            add_months(first, number * cycle.months), add_months(first, (number + 1) * cycle.months)
        )
        around = months_from(add_months(period.starts_on, -14), 42)

        assert [
            month
            for month in around
            if period in periods_billed_in(cycle, month, anchor_on=anchor_on)
        ] == [
            calendar_month(period.starts_on if cycle.timing is ADVANCE else period.last_day)
            if cycle.timing is ADVANCE or period.ends_before.day == 1
            else calendar_month(period.ends_before)
        ]

    @given(CYCLES, DAYS, DAYS)
    def test_a_month_bills_at_most_one_period_of_a_house(self, cycle, anchor_on, day):
        assert len(periods_billed_in(cycle, calendar_month(day), anchor_on=anchor_on)) <= 1


MARCH = Span(date(2025, 3, 1), date(2025, 4, 1))


def dates(period=MARCH, timing=ADVANCE, issue_offset_days=0, due_days=15, due_day=None):
    return issue_and_due(
        period=period,
        timing=timing,
        issue_offset_days=issue_offset_days,
        due_days=due_days,
        due_day=due_day,
    )


class TestIssueAndDue:
    def test_in_advance_counts_from_the_first_day(self):
        assert dates(issue_offset_days=4) == (date(2025, 3, 5), date(2025, 3, 20))

    def test_in_arrears_counts_from_the_day_after_the_last(self):
        assert dates(timing=ARREARS) == (date(2025, 4, 1), date(2025, 4, 16))

    def test_may_be_issued_before_the_period(self):
        assert dates(issue_offset_days=-5)[0] == date(2025, 2, 24)

    @pytest.mark.parametrize(
        ("issue_on", "due_day", "due_on"),
        [
            (date(2025, 3, 1), 20, date(2025, 3, 20)),
            (date(2025, 3, 20), 20, date(2025, 3, 20)),
            (date(2025, 3, 21), 20, date(2025, 4, 20)),
            (date(2025, 2, 1), 31, date(2025, 2, 28)),
            (date(2025, 2, 28), 31, date(2025, 2, 28)),
            (date(2025, 1, 31), 30, date(2025, 2, 28)),
            (date(2025, 12, 25), 10, date(2026, 1, 10)),
        ],
    )
    def test_a_due_day_is_the_first_on_or_after_the_issue(self, issue_on, due_day, due_on):
        period = Span(issue_on, add_months(issue_on, 1))

        assert dates(period, due_day=due_day) == (issue_on, due_on)

    @pytest.mark.parametrize("due_day", [0, 32])
    def test_there_is_no_such_due_day(self, due_day):
        with pytest.raises(ValueError, match="no month has"):
            dates(due_day=due_day)

    @given(DAYS, st.integers(1, 31))
    def test_a_due_day_is_never_more_than_a_month_away(self, issue_on, due_day):
        _, due_on = dates(Span(issue_on, add_months(issue_on, 1)), due_day=due_day)

        assert 0 <= (due_on - issue_on).days <= 31
        assert due_on == min(
            day
            for day in (add_months(date(2000, 1, due_day), number) for number in range(1200))
            if day >= issue_on
        )
