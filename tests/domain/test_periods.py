from datetime import UTC, date, datetime
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.periods import (
    LiableFromRule,
    Proration,
    Span,
    add_months,
    calendar_month,
    count_months,
    local_date,
    seconds_to_midnight,
    split_months,
    start_of_local_day,
)

DAYS = st.dates(min_value=date(2000, 1, 1), max_value=date(2090, 1, 1))


@st.composite
def spans(draw):
    starts_on, ends_before = sorted(draw(st.lists(DAYS, min_size=2, max_size=2, unique=True)))
    return Span(starts_on, ends_before)


class TestMonthArithmetic:
    @pytest.mark.parametrize(
        ("months", "day"),
        [
            (1, date(2025, 2, 28)),
            (2, date(2025, 3, 31)),
            (3, date(2025, 4, 30)),
            (4, date(2025, 5, 31)),
            (-1, date(2024, 12, 31)),
        ],
    )
    def test_counts_from_the_anchor_and_clamps(self, months, day):
        assert add_months(date(2025, 1, 31), months) == day

    def test_leap_day_becomes_the_28th_in_common_years(self):
        assert add_months(date(2024, 2, 29), 12) == date(2025, 2, 28)
        assert add_months(date(2024, 2, 29), 48) == date(2028, 2, 29)

    @given(DAYS, st.integers(min_value=0, max_value=600))
    def test_never_leaves_the_month_that_was_meant(self, anchor, months):
        moved = add_months(anchor, months)

        index = anchor.year * 12 + anchor.month - 1 + months
        assert (moved.year * 12 + moved.month - 1) == index
        assert moved.day <= anchor.day


class TestCountMonths:
    @pytest.mark.parametrize(
        ("span", "proration", "months"),
        [
            (Span(date(2025, 3, 17), date(2025, 4, 1)), Proration.ACTUAL_MONTH, Fraction(15, 31)),
            (
                Span(date(2025, 1, 10), date(2025, 3, 15)),
                Proration.ACTUAL_MONTH,
                Fraction(22, 31) + 1 + Fraction(14, 31),
            ),
            (Span(date(2025, 1, 10), date(2025, 3, 15)), Proration.DAYS_30, Fraction(66, 30)),
            (Span(date(2025, 1, 10), date(2025, 3, 15)), Proration.WHOLE_MONTH, Fraction(3)),
            (Span(date(2025, 2, 1), date(2025, 2, 6)), Proration.ACTUAL_MONTH, Fraction(5, 28)),
        ],
    )
    def test_golden_vectors(self, span, proration, months):
        assert count_months(span, proration) == months

    @given(DAYS, st.sampled_from(Proration), st.integers(min_value=1, max_value=30))
    def test_whole_months_count_one_each(self, day, proration, months):
        first = day.replace(day=1)

        assert count_months(Span(first, add_months(first, months)), proration) == months

    @given(spans(), st.lists(DAYS, max_size=4), st.sampled_from(Proration))
    def test_parts_add_up_to_the_whole_wherever_they_are_cut(self, span, cuts, proration):
        parts = split_months(span, cuts, proration)

        assert sum(months for _, months in parts) == count_months(span, proration)
        assert all(months >= 0 for _, months in parts)
        assert parts[0][0].starts_on == span.starts_on
        assert parts[-1][0].ends_before == span.ends_before


class TestAnniversaryMonths:
    @given(DAYS, st.integers(0, 120), st.integers(1, 30), st.sampled_from(Proration))
    def test_whole_months_from_the_anchor_count_one_each(self, anchor, skipped, months, proration):
        span = Span(add_months(anchor, skipped), add_months(anchor, skipped + months))

        assert count_months(span, proration, anchor) == months

    @pytest.mark.parametrize("day", [28, 29, 30, 31])
    @pytest.mark.parametrize("month", range(12))
    def test_every_month_of_a_late_anchor_counts_one(self, day, month):
        anchor = date(2024, 1, day)

        span = Span(add_months(anchor, month), add_months(anchor, month + 1))

        assert count_months(span, anchor=anchor) == 1

    def test_a_part_is_of_the_days_between_two_anniversaries(self):
        """From 31 January the month has 28 days: to 28 February."""
        span = Span(date(2025, 2, 14), date(2025, 2, 28))

        assert count_months(span, anchor=date(2025, 1, 31)) == Fraction(14, 28)

    @given(DAYS, spans(), st.lists(DAYS, max_size=4), st.sampled_from(Proration))
    def test_parts_add_up_to_the_whole(self, anchor, span, cuts, proration):
        parts = split_months(span, cuts, proration, anchor)

        assert sum(months for _, months in parts) == count_months(span, proration, anchor)
        assert all(months >= 0 for _, months in parts)


class TestSpan:
    def test_is_shown_inclusive(self):
        assert str(Span(date(2025, 7, 1), date(2025, 8, 1))) == "2025-07-01 ~ 2025-07-31"

    def test_cutting_outside_leaves_nothing(self):
        october = calendar_month(date(2026, 10, 24))

        assert not october.within(starts_on=date(2026, 11, 1), ends_before=None)
        assert october.within(starts_on=date(2026, 11, 1), ends_before=None).days == 0


class TestLocalDays:
    def test_the_night_belongs_to_the_local_day(self):
        assert local_date(datetime(2026, 10, 31, 16, 30, tzinfo=UTC)) == date(2026, 11, 1)

    def test_a_local_day_begins_at_sixteen_utc(self):
        assert start_of_local_day(date(2026, 11, 1)) == datetime(2026, 10, 31, 16, tzinfo=UTC)


@pytest.mark.parametrize(
    ("rule", "liable_from"),
    [
        (LiableFromRule.HANDOVER_DATE, date(2025, 3, 17)),
        (LiableFromRule.NEXT_MONTH_FIRST, date(2025, 4, 1)),
    ],
)
def test_liability_begins_by_the_communitys_rule(rule, liable_from):
    assert rule.liable_from(date(2025, 3, 17)) == liable_from


class TestSecondsToMidnight:
    @pytest.mark.parametrize(
        ("instant", "seconds"),
        [
            (datetime(2026, 11, 25, 15, 59, 59, tzinfo=UTC), 2),
            (datetime(2026, 11, 25, 16, 0, tzinfo=UTC), 86401),
        ],
    )
    def test_is_that_of_shanghai_and_never_less(self, instant, seconds):
        assert seconds_to_midnight(instant) == seconds
