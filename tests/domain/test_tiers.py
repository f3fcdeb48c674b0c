import json
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.money import divide_half_up
from domain.tiers import (
    CHARGE_SCALE,
    MAX_PEOPLE,
    USAGE_SCALE,
    BadTiers,
    Tier,
    TierStep,
    TierTable,
    TierWindow,
    scale_up,
    window_start,
)

ROWS = [("180", "5"), ("260", "7"), (None, "9")]
TABLE = TierTable.read(ROWS)


def charge_fen(table, used_before, usage):
    return divide_half_up(
        table.charge(used_before * USAGE_SCALE, usage * USAGE_SCALE), CHARGE_SCALE // 100
    )


def slow_charge(table, used_before, usage):
    """The cost of a scaled usage by the definition, tier by tier, in Decimal."""

    def cost(used):
        total, begins = Decimal(0), Decimal(0)
        for upto, price in table.tiers:
            ends = used if upto is None else min(used, upto)
            total += max(ends - begins, Decimal(0)) * price
            begins = begins if upto is None else upto
        return total

    before, after = (Decimal(used).scaleb(-8) for used in (used_before, used_before + usage))
    return cost(after) - cost(before)


@st.composite
def tables(draw):
    limits = draw(
        st.lists(
            st.decimals(min_value="0.0001", max_value="9999", places=4), max_size=9, unique=True
        )
    )
    prices = st.decimals(min_value="0.000001", max_value="999", places=6)
    return TierTable(tuple(Tier(upto, draw(prices)) for upto in [*sorted(limits), None]))


USAGES = st.integers(0, 20_000 * USAGE_SCALE)


class TestGoldenVectors:
    """Source: domain.md D15."""

    @pytest.mark.parametrize(
        ("used_before", "usage", "amount_fen"),
        [(0, 300, 182000), (170, 25, 15500), (255, 10, 8000)],
    )
    def test_tiers(self, used_before, usage, amount_fen):
        assert charge_fen(TABLE, used_before, usage) == amount_fen


class TestRead:
    @pytest.mark.parametrize(
        ("rows", "message"),
        [
            ([], "阶梯价格应当有 1 到 10 档"),
            ([*((str(n), "1") for n in range(1, 11)), (None, "1")], "阶梯价格应当有 1 到 10 档"),
            ([("180", "5")], "第 1 档是最后一档，不能有上限"),
            ([(None, "5"), (None, "7")], "第 1 档缺少上限，只有最后一档可以没有上限"),
            ([("180", "5"), ("180", "6"), (None, "7")], "第 2 档的上限应当大于前一档的上限"),
            ([("180", "5"), ("90.5", "6"), (None, "7")], "第 2 档的上限应当大于前一档的上限"),
            ([("0", "5"), (None, "7")], "第 1 档的上限应当大于 0，最多四位小数"),
            ([("180", "5"), (None, "0.000000")], "第 2 档的单价应当大于 0，最多六位小数"),
            ([("180",)], "第 1 档应当有上限和单价两项"),
            (["12"], "第 1 档应当有上限和单价两项"),
            ([7], "第 1 档应当有上限和单价两项"),
        ],
    )
    def test_says_which_row_is_wrong(self, rows, message):
        with pytest.raises(BadTiers) as refused:
            TierTable.read(rows)

        assert refused.value.message == message

    @pytest.mark.parametrize(
        "upto",
        ["", "-1", "+1", "1e3", "１８０", "٣", "1_0", " 180", "180\n", "1.00001", "NaN", 180, 1.5],
    )
    def test_limits_are_plain_digits(self, upto):
        with pytest.raises(BadTiers, match="第 1 档的上限不是数字"):
            TierTable.read([(upto, "5"), (None, "7")])

    @pytest.mark.parametrize(
        "price", ["", "-1", "５", "1e3", ".5", "5.", "0.0000001", "1234567", None, 5]
    )
    def test_prices_are_plain_digits(self, price):
        with pytest.raises(BadTiers, match="第 2 档的单价不是数字"):
            TierTable.read([("180", "5"), (None, price)])

    def test_one_open_tier_is_a_table(self):
        assert charge_fen(TierTable.read([(None, "3.85")]), 1000, 2) == 770

    def test_a_table_made_in_code_is_held_to_the_same_rules(self):
        for bad in ("NaN", "-1", "1.0000001", "Infinity"):
            with pytest.raises(BadTiers):
                TierTable((Tier(None, Decimal(bad)),))

    @given(tables())
    def test_what_is_stored_as_json_comes_back(self, table):
        assert TierTable.read(json.loads(json.dumps(table.as_rows()))) == table

    def test_stores_numbers_without_trailing_zeros_or_exponent(self):
        assert TierTable.read([("100.50", "5.000000"), (None, "10")]).as_rows() == [
            ("100.5", "5"),
            (None, "10"),
        ]


class TestCharge:
    @given(tables(), USAGES, USAGES)
    def test_equals_the_definition_exactly(self, table, used_before, usage):
        charged = table.charge(used_before, usage)

        assert Decimal(charged).scaleb(-14) == slow_charge(table, used_before, usage)

    @given(tables(), USAGES, USAGES, USAGES)
    def test_two_readings_cost_what_one_would(self, table, used_before, first, second):
        at_once = table.charge(used_before, first + second)

        assert at_once == table.charge(used_before, first) + table.charge(
            used_before + first, second
        )

    @given(tables(), USAGES, USAGES)
    def test_a_limit_belongs_to_the_cheaper_tier_and_no_usage_is_free(
        self, table, used_before, usage
    ):
        assert table.charge(used_before, 0) == 0
        assert (table.charge(used_before, usage) > 0) == (usage > 0)

    @pytest.mark.parametrize(("used_before", "usage"), [(-1, 5), (5, -1)])
    def test_negative_usage_is_a_mistake_of_ours(self, used_before, usage):
        with pytest.raises(ValueError, match="never negative"):
            TABLE.charge(used_before, usage)
        with pytest.raises(ValueError, match="never negative"):
            TABLE.steps(used_before, usage)


class TestSteps:
    def test_names_only_the_tiers_in_which_something_falls(self):
        assert TABLE.steps(170 * USAGE_SCALE, 25 * USAGE_SCALE) == [
            TierStep(1, 10 * USAGE_SCALE, Decimal(5)),
            TierStep(2, 15 * USAGE_SCALE, Decimal(7)),
        ]
        assert [step.tier_no for step in TABLE.steps(180 * USAGE_SCALE, 80 * USAGE_SCALE)] == [2]
        assert TABLE.steps(180 * USAGE_SCALE, 0) == []

    @given(tables(), USAGES, USAGES)
    def test_add_up_to_the_usage_and_to_the_charge(self, table, used_before, usage):
        steps = table.steps(used_before, usage)

        assert sum(step.usage for step in steps) == usage
        assert sum(step.usage * scale_up(step.unit_price, 10**6) for step in steps) == table.charge(
            used_before, usage
        )
        assert all(step.usage > 0 for step in steps)


class TestForPeople:
    def test_multiplies_the_limits(self):
        assert TABLE.for_people(3).as_rows() == [("540", "5"), ("780", "7"), (None, "9")]

    @pytest.mark.parametrize("people", [0, -1, MAX_PEOPLE + 1])
    def test_nobody_is_a_mistake_of_ours(self, people):
        with pytest.raises(ValueError, match="people"):
            TABLE.for_people(people)

    @given(tables(), st.integers(1, 9), USAGES)
    def test_costs_what_each_alone_would_pay_for_an_equal_part(self, table, people, usage):
        assert table.for_people(people).charge(0, usage * people) == people * table.charge(0, usage)


class TestWindowStart:
    @pytest.mark.parametrize(
        ("window", "day", "year_from_month", "starts_on"),
        [
            (TierWindow.MONTH, date(2025, 3, 31), 7, date(2025, 3, 1)),
            (TierWindow.YEAR, date(2025, 3, 31), 1, date(2025, 1, 1)),
            (TierWindow.YEAR, date(2025, 3, 31), 4, date(2024, 4, 1)),
            (TierWindow.YEAR, date(2025, 4, 1), 4, date(2025, 4, 1)),
            (TierWindow.YEAR, date(2025, 12, 31), 12, date(2025, 12, 1)),
        ],
    )
    def test_begins_on_the_first_of_the_month(self, window, day, year_from_month, starts_on):
        assert window_start(window, day, year_from_month) == starts_on

    @given(st.dates(min_value=date(2000, 1, 1)), st.integers(1, 12))
    def test_a_year_holds_its_day(self, day, year_from_month):
        starts_on = window_start(TierWindow.YEAR, day, year_from_month)

        assert starts_on <= day
        assert (day.year - starts_on.year) * 12 + day.month - starts_on.month < 12
        assert (starts_on.month, starts_on.day) == (year_from_month, 1)


class TestScaleUp:
    @pytest.mark.parametrize("number", ["0.00001", "NaN"])
    def test_refuses_what_does_not_fit(self, number):
        with pytest.raises(ValueError, match=r"decimals|NaN"):
            scale_up(Decimal(number), 10**4)

    def test_is_exact_beyond_the_precision_of_the_context(self):
        assert scale_up(Decimal("12345678901234567890123456789.1234"), 10**4) == int(
            "123456789012345678901234567891234"
        )
