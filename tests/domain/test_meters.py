from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.meters import (
    KIND_SHOWN,
    UNIT_SHOWN,
    MeterKind,
    MeterSpan,
    Reading,
    ReadingFellBack,
    ReadingMissing,
    check_reading,
    is_unusual,
    measure,
)
from domain.money import divide_half_up
from domain.tiers import USAGE_SCALE

FIRST = date(2025, 3, 1)


def readings(*shown, rollovers=()):
    """Readings ten days apart; ``rollovers`` are the positions that a person declared."""
    return tuple(
        Reading(FIRST + timedelta(days=10 * place), Decimal(number), place in rollovers)
        for place, number in enumerate(shown)
    )


def meter(*shown, rollovers=(), multiplier="1", modulus="100000"):
    return MeterSpan(
        meter_no="S-1",
        multiplier=Decimal(multiplier),
        modulus=None if modulus is None else Decimal(modulus),
        readings=readings(*shown, rollovers=rollovers),
    )


def charge_fen(price, *spans):
    """Usage of all meters times a flat price in yuan, rounded once."""
    rate = 100 * Fraction(price) * sum(measure(span).usage for span in spans) / USAGE_SCALE
    return divide_half_up(rate.numerator, rate.denominator)


class TestGoldenVectors:
    """Source: domain.md D15."""

    def test_meter(self):
        assert charge_fen("3.85", meter("1338.15", "1362.40")) == 9336

    def test_multiplier(self):
        assert charge_fen("0.5283", meter("11.90", "12.35", multiplier="40")) == 951

    def test_a_thousand_kwh(self):
        assert charge_fen("0.5283", meter("500", "1500")) == 52830

    def test_rollover_of_five_digits(self):
        assert charge_fen("3.85", meter("99987", "00021", rollovers=[1])) == 13090

    def test_swap(self):
        assert charge_fen("3.85", meter("812.6", "820.1"), meter("0.0", "6.4")) == 5352


NUMBERS = st.decimals(min_value=0, max_value="99999.9999", places=4)
MULTIPLIERS = st.decimals(min_value="0.0001", max_value="999", places=4)


class TestMeasure:
    def test_tells_everything_that_made_the_usage(self):
        segment = measure(meter("99987", "00021", "30.5", rollovers=[1], multiplier="2"))

        assert segment == (
            "S-1",
            FIRST,
            Decimal(99987),
            FIRST + timedelta(days=20),
            Decimal("30.5"),
            Decimal(2),
            Decimal(100000),
            87 * USAGE_SCALE,
        )

    def test_a_counter_may_turn_more_than_once(self):
        segment = measure(meter("900", "100", "950", "50", rollovers=[1, 3], modulus="1000"))

        assert segment.turned == 2000
        assert segment.usage == 1150 * USAGE_SCALE

    def test_no_use_is_a_usage_of_zero(self):
        assert measure(meter("10", "10")).usage == 0

    def test_a_rollover_before_the_first_reading_is_no_longer_of_interest(self):
        assert measure(meter("21", "22", rollovers=[0])).turned == 0

    @pytest.mark.parametrize("shown", [(), ("10",)])
    def test_without_two_readings_there_is_no_usage_and_never_a_zero(self, shown):
        with pytest.raises(ReadingMissing, match="读数") as missing:
            measure(meter(*shown))

        assert missing.value.why.startswith("表 S-1")

    @pytest.mark.parametrize(
        ("span", "why"),
        [
            (meter("10", "9.9999"), "表 S-1 在 2025-03-11 的读数 9.9999 小于上次的 10"),
            (meter("10", "20", "15", "30"), "小于上次的 20"),
            (meter("99", "1", rollovers=[1], modulus=None), "没有设置量程"),
            (meter("10", "20", rollovers=[1]), "不小于上次的 10"),
            (meter("10", "10", rollovers=[1]), "不小于上次的 10"),
            (meter("120000", "5", rollovers=[1]), "上次的 120000 已超过量程"),
        ],
    )
    def test_a_fall_that_nothing_explains_is_refused(self, span, why):
        with pytest.raises(ReadingFellBack) as fell:
            measure(span)

        assert why in fell.value.why

    def test_readings_out_of_order_are_a_mistake_of_ours(self):
        span = meter("10", "20")
        turned = MeterSpan(span.meter_no, span.multiplier, None, span.readings[::-1])

        with pytest.raises(ValueError, match="order"):
            measure(turned)

    def test_a_multiplier_is_positive(self):
        with pytest.raises(ValueError, match="multiplier"):
            measure(meter("1", "2", multiplier="0"))

    @given(st.lists(NUMBERS, min_size=2, max_size=6), MULTIPLIERS)
    def test_counts_the_sum_of_the_steps_exactly(self, shown, multiplier):
        shown = sorted(shown)
        steps = sum(after - before for before, after in pairwise(shown))

        usage = measure(meter(*shown, multiplier=multiplier)).usage
        assert Fraction(usage, USAGE_SCALE) == Fraction(steps) * Fraction(multiplier)

    @given(
        st.integers(0, 999),
        st.lists(st.integers(0, 999), min_size=1, max_size=6),
        st.integers(1, 400),
    )
    def test_a_turning_counter_counts_what_went_through(self, start, used, multiplier):
        total, shown, rollovers = start, [start], []
        for place, units in enumerate(used, start=1):
            total += units
            if total % 1000 < shown[-1]:
                rollovers.append(place)
            shown.append(total % 1000)

        span = meter(*shown, rollovers=rollovers, modulus="1000", multiplier=multiplier)
        assert measure(span).usage == sum(used) * multiplier * USAGE_SCALE

    @given(st.lists(NUMBERS, max_size=5), st.sets(st.integers(1, 4)))
    def test_whatever_is_counted_is_never_negative(self, shown, rollovers):
        span = meter(*shown, rollovers=rollovers, modulus="50000")
        try:
            usage = measure(span).usage
        except (ReadingMissing, ReadingFellBack):
            return

        assert usage >= 0


class TestIsUnusual:
    @pytest.mark.parametrize(
        ("usage", "earlier", "unusual"),
        [
            (31, [10, 10, 10], True),
            (30, [10, 10, 10], False),
            (10**9, [10, 10], False),
            (10**9, [], False),
            (1, [0, 0, 0], True),
            (0, [0, 0, 0], False),
            (31, [900, 10, 10, 10, 10, 10, 10], True),
            (31, [10, 10, 10, 10, 10, 10, 900], False),
            (5, [1, 2, 2], False),
            (6, [1, 2, 2], True),
        ],
    )
    def test_is_over_three_times_the_mean_of_six_months(self, usage, earlier, unusual):
        assert is_unusual(usage, earlier) is unusual


BEFORE = Reading(date(2025, 3, 1), Decimal(100))
AFTER = Reading(date(2025, 5, 1), Decimal(300))


def check(reading="200", **changes):
    return check_reading(
        **{
            "reading": Decimal(reading),
            "read_on": date(2025, 4, 1),
            "before": BEFORE,
            "after": None,
            "is_rollover": False,
            "modulus": Decimal(100000),
            "opened_on": date(2025, 1, 1),
            "closed_on": None,
            "today": date(2025, 6, 1),
            **changes,
        }
    )


class TestCheckReading:
    @pytest.mark.parametrize(
        "changes",
        [
            {},
            {"reading": "100"},
            {"reading": "200.12340"},
            {"before": None},
            {"after": AFTER},
            {"after": AFTER, "reading": "300"},
            {"modulus": None},
            {"reading": "20", "is_rollover": True},
            {"reading": "500", "after": AFTER._replace(is_rollover=True)},
            {"read_on": date(2025, 6, 1)},
            {"read_on": date(2025, 4, 1), "closed_on": date(2025, 4, 1)},
            {"read_on": date(2025, 1, 1), "before": None},
        ],
    )
    def test_takes_what_can_be_true(self, changes):
        assert check(**changes) == ""

    @pytest.mark.parametrize(
        ("changes", "why"),
        [
            ({"reading": "NaN"}, "读数不是数字"),
            ({"reading": "-0.1"}, "读数不能小于 0"),
            ({"reading": "1E+10", "modulus": None}, "读数太大"),
            ({"reading": "1.00001"}, "读数最多四位小数"),
            ({"reading": "100000"}, "读数应当小于量程 100000"),
            ({"read_on": date(2025, 6, 2)}, "抄表日期不能晚于今天"),
            ({"read_on": date(2024, 12, 31)}, "抄表日期早于该表启用的 2025-01-01"),
            ({"closed_on": date(2025, 3, 31)}, "抄表日期晚于该表停用的 2025-03-31"),
            ({"read_on": BEFORE.read_on}, "该表在 2025-03-01 已有读数 100"),
            ({"read_on": date(2025, 2, 1)}, "抄表日期早于上次的 2025-03-01"),
            ({"reading": "99"}, "读数小于上次的 100；如果表走过了量程，请登记归零"),
            (
                {"reading": "99", "is_rollover": True, "modulus": None},
                "该表没有设置量程，不能登记归零",
            ),
            (
                {"reading": "100", "is_rollover": True},
                "读数不小于上次的读数，不能登记归零",
            ),
            ({"is_rollover": True, "before": None}, "读数不小于上次的读数，不能登记归零"),
            (
                {"reading": "20", "is_rollover": True, "modulus": Decimal(90)},
                "上次的 100 已超过量程 90，不能登记归零",
            ),
            ({"reading": "301", "after": AFTER}, "读数大于 2025-05-01 的 300"),
            (
                {"read_on": AFTER.read_on, "after": AFTER},
                "该表在 2025-05-01 已有读数 300",
            ),
            (
                {"read_on": date(2025, 5, 2), "after": AFTER},
                "抄表日期晚于下次的 2025-05-01",
            ),
            (
                {"reading": "300", "after": AFTER._replace(is_rollover=True)},
                "2025-05-01 的读数登记了归零，这个读数应当大于它的 300",
            ),
        ],
    )
    def test_says_why_not(self, changes, why):
        assert check(**changes) == why

    @given(
        st.integers(0, 99),
        st.integers(0, 99),
        st.integers(0, 99),
        st.booleans(),
        st.booleans(),
        st.sampled_from([None, Decimal(90), Decimal(100)]),
    )
    def test_what_passes_can_be_measured(self, first, new, last, turned, turned_after, modulus):
        before = BEFORE._replace(reading=Decimal(first))
        middle = Reading(date(2025, 4, 1), Decimal(new), turned)
        after = AFTER._replace(reading=Decimal(last), is_rollover=turned_after)
        why = check(new, before=before, after=after, is_rollover=turned, modulus=modulus)
        # The reading after was taken once itself, against a counter of this size.
        if why or (turned_after and modulus is None):
            return

        span = MeterSpan("S-1", Decimal(1), modulus, (before, middle, after))
        assert measure(span).usage >= 0


class TestShown:
    def test_every_kind_has_a_name_and_a_unit(self):
        assert set(KIND_SHOWN) == set(UNIT_SHOWN) == set(MeterKind)
