"""When maintenance falls due."""

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidInput
from domain.maintenance_rules import Basis, DueRule, PlanUnit

ANCHORS = st.dates(date(2000, 1, 1), date(2060, 12, 31))
RULES = st.one_of(
    st.builds(DueRule, st.integers(1, 10), st.just(PlanUnit.YEAR)),
    st.builds(
        DueRule,
        st.integers(1, 400),
        st.sampled_from([PlanUnit.DAY, PlanUnit.WEEK, PlanUnit.MONTH]),
    ),
    st.builds(
        lambda days: DueRule(fixed_days=tuple(f"{day:%m-%d}" for day in days)),
        st.sets(st.dates(date(2024, 1, 1), date(2024, 12, 31)), min_size=1, max_size=8),
    ),
)


def month_by_month(anchor, last):
    rule = DueRule(1, PlanUnit.MONTH)
    return rule.due_days(anchor, first=anchor, last=last)


class TestGolden:
    def test_the_last_of_january_never_drifts(self):
        assert month_by_month(date(2026, 1, 31), date(2026, 5, 31)) == [
            date(2026, 1, 31),
            date(2026, 2, 28),
            date(2026, 3, 31),
            date(2026, 4, 30),
            date(2026, 5, 31),
        ]

    def test_in_a_leap_year_february_has_one_day_more(self):
        assert date(2028, 2, 29) in month_by_month(date(2028, 1, 31), date(2028, 3, 31))

    def test_a_leap_day_comes_back_after_four_years(self):
        rule = DueRule(1, PlanUnit.YEAR)

        assert rule.due_days(
            date(2024, 2, 29), first=date(2025, 1, 1), last=date(2028, 12, 31)
        ) == [
            date(2025, 2, 28),
            date(2026, 2, 28),
            date(2027, 2, 28),
            date(2028, 2, 29),
        ]

    def test_a_lift_every_fifteen_days(self):
        rule = DueRule(15, PlanUnit.DAY)

        assert rule.due_days(
            date(2026, 11, 1), first=date(2026, 11, 2), last=date(2026, 12, 1)
        ) == [
            date(2026, 11, 16),
            date(2026, 12, 1),
        ]

    def test_weeks_keep_the_day_of_the_week(self):
        rule = DueRule(2, PlanUnit.WEEK)

        days = rule.due_days(date(2026, 11, 2), first=date(2026, 11, 3), last=date(2026, 12, 31))

        assert [day.weekday() for day in days] == [0] * 4

    def test_fixed_days_of_each_year(self):
        rule = DueRule(fixed_days=("09-15", "02-29"))

        assert rule.due_days(date(2027, 3, 1), first=date(2020, 1, 1), last=date(2028, 12, 31)) == [
            date(2027, 9, 15),
            date(2028, 2, 29),
            date(2028, 9, 15),
        ]

    def test_two_fixed_days_that_fall_together_are_one(self):
        rule = DueRule(fixed_days=("02-28", "02-29"))

        assert rule.due_days(date(2026, 1, 1), first=date(2026, 1, 1), last=date(2026, 12, 31)) == [
            date(2026, 2, 28)
        ]


class TestProperties:
    @given(RULES, ANCHORS, st.integers(0, 1200), st.integers(0, 400))
    def test_days_are_in_order_within_the_span_and_not_before_the_anchor(
        self, rule, anchor, ahead, length
    ):
        first = anchor + timedelta(days=ahead)
        last = first + timedelta(days=length)

        days = rule.due_days(anchor, first=first, last=last)

        assert days == sorted(set(days))
        assert all(first <= day <= last for day in days)

    @given(RULES, ANCHORS, st.integers(0, 900), st.lists(st.integers(1, 200), max_size=6))
    def test_a_span_in_pieces_gives_what_the_whole_gives(self, rule, anchor, ahead, pieces):
        first = anchor + timedelta(days=ahead)
        found, low = [], first
        for piece in pieces:
            high = low + timedelta(days=piece - 1)
            found += rule.due_days(anchor, first=low, last=high)
            low = high + timedelta(days=1)

        assert found == rule.due_days(anchor, first=first, last=low - timedelta(days=1))

    @given(RULES, ANCHORS)
    def test_no_gap_is_longer_than_the_longest(self, rule, anchor):
        days = rule.due_days(anchor, first=anchor, last=anchor + timedelta(days=4000))

        gaps = [(b - a).days for a, b in pairwise(days)]
        assert all(0 < gap <= rule.longest_gap for gap in gaps)

    @given(st.integers(1, 120), ANCHORS, st.integers(0, 200))
    def test_months_are_counted_from_the_anchor(self, every, anchor, count):
        day = DueRule(every, PlanUnit.MONTH).step(anchor, count)

        assert (day.year - anchor.year) * 12 + day.month - anchor.month == every * count
        assert day.day <= anchor.day

    def test_the_end_of_the_calendar_is_no_error(self):
        rule = DueRule(10, PlanUnit.YEAR)

        assert rule.due_days(date(9995, 1, 1), first=date(9995, 1, 1), last=date.max) == [
            date(9995, 1, 1)
        ]


class TestCheck:
    @pytest.mark.parametrize(
        ("rule", "field"),
        [
            (DueRule(0, PlanUnit.DAY), "every"),
            (DueRule(-1, PlanUnit.MONTH), "every"),
            (DueRule(10**9, PlanUnit.DAY), "every"),
            (DueRule(11, PlanUnit.YEAR), "every"),
            (DueRule(3, None), "every"),
            (DueRule(None, PlanUnit.DAY), "every"),
            (DueRule(), "every"),
            (DueRule(1, PlanUnit.DAY, ("01-01",)), "fixed_days"),
            (DueRule(fixed_days=("02-30",)), "fixed_days"),
            (DueRule(fixed_days=("13-01",)), "fixed_days"),
            (DueRule(fixed_days=("1-1",)), "fixed_days"),
            (DueRule(fixed_days=("01-01", "01-01")), "fixed_days"),
            (DueRule(fixed_days=tuple(f"01-{n:02d}" for n in range(1, 32)) * 3), "fixed_days"),
            (DueRule(fixed_days=("٠١-٠١",)), "fixed_days"),
        ],
    )
    def test_refuses_what_nothing_sensible_follows_from(self, rule, field):
        with pytest.raises(InvalidInput) as refused:
            rule.check(basis=Basis.FIXED_CALENDAR)

        assert list(refused.value.fields) == [field]

    def test_fixed_days_are_not_counted_from_completion(self):
        with pytest.raises(InvalidInput):
            DueRule(fixed_days=("03-15",)).check(basis=Basis.AFTER_COMPLETION)

    @pytest.mark.parametrize(
        "rule",
        [DueRule(15, PlanUnit.DAY), DueRule(10, PlanUnit.YEAR), DueRule(fixed_days=("02-29",))],
    )
    def test_takes_the_rest(self, rule):
        rule.check(basis=Basis.FIXED_CALENDAR)

    def test_fixed_days_have_no_steps(self):
        with pytest.raises(ValueError, match="no steps"):
            DueRule(fixed_days=("03-15",)).step(date(2026, 1, 1), 1)

    def test_says_itself(self):
        assert str(DueRule(15, PlanUnit.DAY)) == "每 15 天"
        assert str(DueRule(fixed_days=("03-15", "09-15"))) == "每年 03-15、09-15"
