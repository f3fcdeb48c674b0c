from datetime import date
from decimal import Decimal

import pytest

from domain.meters import MeterSpan, Reading
from domain.tiers import USAGE_SCALE
from domain.usages import find_unusual, in_units, monthly_usages, trim


def span(*readings, multiplier=1, modulus=None):
    found = tuple(
        Reading(date.fromisoformat(day), Decimal(str(reading)), *rest)
        for day, reading, *rest in readings
    )
    return MeterSpan("W1", Decimal(multiplier), modulus and Decimal(modulus), found)


def monthly(*readings):
    """Readings at the end of the months from January 2026 on."""
    ends = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    return span(
        *(
            (f"2026-{month:02d}-{ends[month - 1]}", reading)
            for month, reading in enumerate(readings, start=1)
        )
    )


def usages(meter):
    return [(str(month)[:7], in_units(usage)) for month, usage in monthly_usages(meter)]


class TestMonthlyUsages:
    def test_each_month_is_what_was_counted_since_the_one_before(self):
        assert usages(monthly(100, 103, "108.5")) == [
            ("2026-02", 3),
            ("2026-03", Decimal("5.5")),
        ]

    def test_the_last_reading_of_a_month_ends_it(self):
        found = span(("2026-01-31", 100), ("2026-02-10", 101), ("2026-02-28", 104))

        assert usages(found) == [("2026-02", 4)]

    def test_months_without_a_reading_share_what_was_used(self):
        found = span(("2025-11-30", 100), ("2026-02-28", 106))

        assert usages(found) == [("2025-12", 2), ("2026-01", 2), ("2026-02", 2)]

    def test_multiplier_and_rollover_count(self):
        found = span(("2026-01-31", 9990), ("2026-02-28", 5, True), multiplier=40, modulus=10_000)

        assert usages(found) == [("2026-02", 600)]

    def test_what_came_before_a_counter_that_went_back_says_nothing(self):
        assert usages(monthly(100, 103, 50, 54)) == [("2026-04", 4)]

    @pytest.mark.parametrize("readings", [(), (100,)])
    def test_without_two_months_there_is_none(self, readings):
        assert usages(monthly(*readings)) == []


class TestFindUnusual:
    def test_over_three_times_the_mean_of_the_months_before(self):
        unusual = find_unusual(monthly(100, 102, 104, 106, "112.1"))

        assert unusual == (Decimal("6.1"), 2)

    def test_three_times_is_not_over(self):
        assert find_unusual(monthly(100, 102, 104, 106, 112)) is None

    def test_three_months_before_are_needed(self):
        assert find_unusual(monthly(100, 102, 104, 999)) is None
        assert find_unusual(monthly(100)) is None

    def test_only_six_months_count(self):
        unusual = find_unusual(monthly(100, 900, 902, 904, 906, 908, 910, 912, 919))

        assert unusual == (7, 2)


@pytest.mark.parametrize(
    ("number", "shown"), [("591.7500", "591.75"), ("600.0000", "600"), ("0.0000", "0")]
)
def test_zeros_at_the_end_are_taken_away(number, shown):
    assert str(trim(Decimal(number))) == shown


def test_units_have_four_decimals():
    assert in_units(USAGE_SCALE // 3) == Decimal("0.3333")
