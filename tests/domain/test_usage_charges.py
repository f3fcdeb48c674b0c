import json
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.charges import Price, PriceMissing
from domain.meters import MeterKind, Segment
from domain.money import Rounding, round_half_up
from domain.periods import Span
from domain.tiers import USAGE_SCALE, TierTable, TierWindow
from domain.traces import explain
from domain.usage_charges import UsageCharger, UsageTerms, segment_text, usage_text

LONG_AGO = date(2020, 1, 1)
OCTOBER = Span(date(2026, 10, 1), date(2026, 11, 1))
STEPS = [("180", "5"), ("260", "7"), (None, "9")]


def plain(unit_price, starts_on=LONG_AGO, ends_before=None, **more):
    return Price(Decimal(unit_price), starts_on, ends_before, **more)


def tiered(rows=STEPS, starts_on=LONG_AGO, ends_before=None, **more):
    return Price(None, starts_on, ends_before, tiers=TierTable.read(rows), **more)


def charger(*prices, **more):
    return UsageCharger(UsageTerms(MeterKind.COLD_WATER, prices, **more))


def segment(usage, from_on=date(2026, 9, 30), until_on=date(2026, 10, 31), meter_no="W1", start=0):
    usage = Decimal(usage)
    return Segment(
        meter_no,
        from_on,
        Decimal(start),
        until_on,
        start + usage,
        Decimal(1),
        Decimal(0),
        int(usage * USAGE_SCALE),
    )


def scaled(usage):
    return int(Decimal(usage) * USAGE_SCALE)


def amounts(lines):
    return [line.amount_fen for line in lines]


def traces(lines):
    return [json.loads(line.trace) for line in lines]


class TestUnitPrice:
    @pytest.mark.parametrize(
        ("usage", "price", "fen"),
        [("24.25", "3.85", 9336), ("18", "0.5283", 951), ("1000", "0.5283", 52830), ("0", "5", 0)],
    )
    def test_golden_vectors(self, usage, price, fen):
        """Source: domain.md D15."""
        lines = charger(plain(price)).charge(segments=[segment(usage)], period=OCTOBER)

        assert amounts(lines) == [fen]

    def test_segments_are_summed_before_they_are_rounded(self):
        """Source: domain.md D15, a swapped meter."""
        segments = [
            segment("7.5", until_on=date(2026, 10, 12), start=Decimal("812.6")),
            segment("6.4", from_on=date(2026, 10, 12), meter_no="W2"),
        ]

        lines = charger(plain("3.85")).charge(segments=segments, period=OCTOBER)

        assert amounts(lines) == [5352]
        [trace] = traces(lines)
        assert trace["usage"] == "13.9"
        assert [one["meter_no"] for one in trace["segments"]] == ["W1", "W2"]

    def test_the_trace_holds_all_that_made_the_amount(self):
        lines = charger(plain("3.850000")).charge(segments=[segment("24.2500")], period=OCTOBER)

        assert traces(lines) == [
            {
                "method": "meter",
                "meter_kind": "cold_water",
                "from": "2026-10-01",
                "until": "2026-11-01",
                "usage": "24.25",
                "segments": [
                    {
                        "meter_no": "W1",
                        "from_on": "2026-09-30",
                        "from": "0",
                        "until_on": "2026-10-31",
                        "until": "24.25",
                        "multiplier": "1",
                        "turned": "0",
                        "usage": "24.25",
                    }
                ],
                "unit_price": "3.85",
                "rounding": "fen",
                "rounding_fen": 0,
            }
        ]

    @pytest.mark.parametrize("meter_no", ['3"单元', "W\\1", "W\t1", "水表１"])
    def test_a_strange_meter_number_stays_what_it_is(self, meter_no):
        lines = charger(plain("1")).charge(
            segments=[segment("5", meter_no=meter_no)], period=OCTOBER
        )

        [trace] = traces(lines)
        assert trace["segments"][0]["meter_no"] == meter_no
        assert f"表 {meter_no}（" in explain(trace, 500)

    @pytest.mark.parametrize(
        ("rounding", "fen", "rounding_fen"),
        [(Rounding.FEN, 9336, 0), (Rounding.JIAO, 9340, 4), (Rounding.YUAN, 9300, -36)],
    )
    def test_is_rounded_by_the_items_policy(self, rounding, fen, rounding_fen):
        lines = charger(plain("3.85"), rounding=rounding).charge(
            segments=[segment("24.25")], period=OCTOBER
        )

        assert amounts(lines) == [fen]
        assert traces(lines)[0]["rounding_fen"] == rounding_fen


class TestPriceSplit:
    CHANGE = date(2026, 10, 11)

    def split(self, usage, **more):
        prices = (plain("2", ends_before=self.CHANGE), plain("3", self.CHANGE))
        return charger(*prices).charge(segments=[segment(usage, **more)], period=OCTOBER)

    def test_usage_is_spread_over_the_days_it_was_counted_on(self):
        lines = self.split("31")

        assert amounts(lines) == [2000, 6300]
        assert [(trace["from"], trace["usage"], trace.get("since")) for trace in traces(lines)] == [
            ("2026-10-01", "10", None),
            ("2026-10-11", "21", ["price"]),
        ]

    def test_a_broken_part_stays_exact(self):
        lines = self.split("1")

        assert [trace["usage"] for trace in traces(lines)] == ["10/31", "21/31"]
        assert amounts(lines) == [65, 203]  # 20/31 and 63/31 yuan

    def test_days_before_the_period_count_by_the_price_they_had(self):
        lines = self.split("40", from_on=date(2026, 9, 21))

        assert amounts(lines) == [3800, 6300]

    def test_a_price_that_ended_before_the_period_prices_what_was_caught_up(self):
        prices = (plain("2", ends_before=OCTOBER.starts_on), plain("3", OCTOBER.starts_on))

        lines = charger(*prices).charge(
            segments=[segment("61", from_on=date(2026, 8, 31))], period=OCTOBER
        )

        assert amounts(lines) == [6000, 9300]
        assert traces(lines)[0]["from"] == "2026-10-01"

    def test_days_without_a_price_are_an_exception(self):
        late = charger(plain("3", self.CHANGE))

        with pytest.raises(PriceMissing):
            late.charge(segments=[segment("31")], period=OCTOBER)

    def test_an_ended_price_is_an_exception(self):
        ended = charger(plain("2", ends_before=self.CHANGE))

        with pytest.raises(PriceMissing):
            ended.charge(segments=[segment("31")], period=OCTOBER)

    def test_no_usage_without_a_price_is_still_an_exception(self):
        gone = charger(plain("2", ends_before=LONG_AGO + timedelta(days=9)))

        with pytest.raises(PriceMissing):
            gone.charge(segments=[segment("0")], period=OCTOBER)

    @given(
        st.decimals(min_value="0.0001", max_value=99999, places=4),
        st.decimals(min_value="0.000001", max_value=99, places=6),
        st.lists(st.integers(-10, 40), max_size=5, unique=True),
        st.integers(0, 40),
    )
    def test_a_change_to_the_same_price_moves_less_than_a_fen_per_line(
        self, usage, price, offsets, early
    ):
        days = sorted(OCTOBER.starts_on + timedelta(days=offset) for offset in offsets)
        edges = [LONG_AGO, *days, None]
        prices = [plain(price, since, until) for since, until in pairwise(edges)]
        counted = segment(usage, from_on=date(2026, 9, 30) - timedelta(days=early))

        lines = charger(*prices).charge(segments=[counted], period=OCTOBER)

        exact = round_half_up(100 * Fraction(usage) * Fraction(price))
        assert abs(sum(amounts(lines)) - exact) <= len(lines)
        assert sum(Fraction(trace["usage"]) for trace in traces(lines)) == Fraction(usage)


class TestTiers:
    @pytest.mark.parametrize(
        ("before", "usage", "fen", "tiers"),
        [
            ("0", "300", 182000, [["1", "180", "5"], ["2", "80", "7"], ["3", "40", "9"]]),
            ("170", "25", 15500, [["1", "10", "5"], ["2", "15", "7"]]),
            ("255", "10", 8000, [["2", "5", "7"], ["3", "5", "9"]]),
            ("0", "0", 0, []),
        ],
    )
    def test_golden_vectors(self, before, usage, fen, tiers):
        """Source: domain.md D15."""
        lines = charger(tiered(), window=TierWindow.YEAR).charge(
            segments=[segment(usage)], period=OCTOBER, used_before=scaled(before)
        )

        assert amounts(lines) == [fen]
        [trace] = traces(lines)
        assert (trace["tiers"], trace["used_before"], trace["window"]) == (tiers, before, "year")

    def test_monthly_limits_count_for_each_month_of_a_period(self):
        period = Span(date(2026, 9, 1), date(2026, 11, 1))

        lines = charger(tiered(), months=2).charge(segments=[segment("360")], period=period)

        assert amounts(lines) == [180000]

    def test_yearly_limits_do_not(self):
        lines = charger(tiered(), months=2, window=TierWindow.YEAR).charge(
            segments=[segment("300")], period=OCTOBER
        )

        assert amounts(lines) == [182000]

    @pytest.mark.parametrize(("people", "fen"), [(3, 3000), (1, 5000), (None, 5000)])
    def test_limits_per_person_grow_with_the_household(self, people, fen):
        lines = charger(tiered([("10", "1"), (None, "2")]), is_per_person=True).charge(
            segments=[segment("30")], period=OCTOBER, people=people
        )

        assert amounts(lines) == [fen]

    def test_people_do_not_matter_where_limits_are_per_house(self):
        lines = charger(tiered([("10", "1"), (None, "2")])).charge(
            segments=[segment("30")], period=OCTOBER, people=3
        )

        assert amounts(lines) == [5000]

    def test_a_broken_surcharge_is_exact(self):
        """5.000001 yuan of water and 15/31 of 20 yuan are rounded together."""
        half = Span(date(2026, 10, 17), date(2026, 11, 1))

        lines = charger(tiered([(None, "1.000001")], surcharge=Decimal(20))).charge(
            segments=[segment("5")], period=half
        )

        exact = 100 * (5 * Fraction("1.000001") + Fraction(20 * 15, 31))
        assert amounts(lines) == [round_half_up(exact)]
        assert (traces(lines)[0]["surcharge"], traces(lines)[0]["months"]) == ("20", "15/31")

    def test_rounded_to_whole_yuan(self):
        lines = charger(tiered([(None, "1.5")]), rounding=Rounding.YUAN).charge(
            segments=[segment("1")], period=OCTOBER
        )

        assert amounts(lines) == [200]
        assert traces(lines)[0]["rounding_fen"] == 50


class TestSurcharge:
    def test_is_per_month_of_the_period(self):
        lines = charger(plain("2", surcharge=Decimal(3))).charge(
            segments=[segment("10")], period=OCTOBER
        )

        assert amounts(lines) == [2300]

    def test_each_price_brings_its_own_for_its_days(self):
        change = date(2026, 10, 11)
        prices = (
            plain("2", ends_before=change, surcharge=Decimal(31)),
            plain("2", change, surcharge=Decimal(62)),
        )

        lines = charger(*prices).charge(segments=[segment("31")], period=OCTOBER)

        assert amounts(lines) == [2000 + 1000, 4200 + 4200]

    def test_what_was_caught_up_brings_none_of_earlier_months(self):
        prices = (
            plain("2", ends_before=OCTOBER.starts_on, surcharge=Decimal(31)),
            plain("2", OCTOBER.starts_on, surcharge=Decimal(31)),
        )

        lines = charger(*prices).charge(
            segments=[segment("61", from_on=date(2026, 8, 31))], period=OCTOBER
        )

        assert sum(amounts(lines)) == 12200 + 3100
        assert [trace.get("surcharge") for trace in traces(lines)] == [None, "31"]


class TestWindows:
    def test_a_month_has_nothing_before_it(self):
        assert not charger(tiered()).terms.window_start(OCTOBER)

    @pytest.mark.parametrize(
        ("from_month", "starts_on"),
        [(1, date(2026, 1, 1)), (7, date(2026, 7, 1)), (11, date(2025, 11, 1))],
    )
    def test_a_year_begins_in_its_month(self, from_month, starts_on):
        terms = charger(tiered(), window=TierWindow.YEAR, window_from_month=from_month).terms

        assert terms.window_start(OCTOBER) == Span(starts_on, OCTOBER.starts_on)

    def test_a_year_that_begins_now_has_nothing_before_it(self):
        terms = charger(tiered(), window=TierWindow.YEAR, window_from_month=10).terms

        assert not terms.window_start(OCTOBER)

    @pytest.mark.parametrize(
        ("window", "change", "fen"),
        [
            (TierWindow.MONTH, date(2026, 10, 2), 1000),
            (TierWindow.MONTH, date(2026, 10, 1), 9000),
            (TierWindow.YEAR, date(2026, 10, 1), 1000),
            (TierWindow.YEAR, date(2026, 1, 2), 1000),
            (TierWindow.YEAR, date(2026, 1, 1), 9000),
        ],
    )
    def test_a_new_table_begins_with_the_next_window(self, window, change, fen):
        """Source: domain.md D1."""
        prices = (tiered([(None, "1")], ends_before=change), tiered([(None, "9")], change))

        lines = charger(*prices, window=window).charge(segments=[segment("10")], period=OCTOBER)

        assert amounts(lines) == [fen]

    def test_a_table_after_a_unit_price_waits_for_the_next_month(self):
        change = date(2026, 10, 11)
        prices = (plain("2", ends_before=change), tiered([(None, "9")], change))

        lines = charger(*prices).charge(segments=[segment("31")], period=OCTOBER)

        assert amounts(lines) == [6200]

    def test_a_unit_price_after_a_table_prices_all_since_the_last_reading(self):
        """The last reading was taken some days before the change: nothing lies in a gap."""
        change = OCTOBER.starts_on
        prices = (tiered([(None, "9")], ends_before=change), plain("2", change))

        lines = charger(*prices).charge(
            segments=[segment("30", from_on=date(2026, 9, 28))], period=OCTOBER
        )

        assert amounts(lines) == [6000]

    def test_a_table_that_begins_later_is_a_first_price(self):
        lines = charger(tiered([(None, "9")], date(2026, 10, 11)), plain("2", date(2027, 1, 1)))

        assert amounts(lines.charge(segments=[segment("10")], period=OCTOBER)) == [9000]

    def test_after_the_last_table_ended_there_is_no_price(self):
        change = date(2026, 1, 1)
        prices = (tiered(ends_before=change), plain("1", change, date(2026, 2, 1)))

        with pytest.raises(PriceMissing):
            charger(*prices).charge(segments=[segment("10")], period=OCTOBER)


class TestRecall:
    def recalled(self, charger, usage, text):
        known = charger.recall(OCTOBER, usage)
        assert known is not None
        fen, before, after = known
        return fen, json.loads(f"{before}{text}{after}")

    @given(
        st.decimals(min_value=0, max_value=9999, places=4),
        st.decimals(min_value=0, max_value=99, places=6),
        st.sampled_from(Rounding),
    )
    def test_equals_what_charging_would_give(self, usage, surcharge, rounding):
        known = charger(tiered(surcharge=surcharge), rounding=rounding)
        neighbour = segment(usage, meter_no="邻居", start=7)
        known.charge(segments=[segment(usage)], period=OCTOBER)

        fen, trace = self.recalled(
            known,
            scaled(usage),
            segment_text(
                '"邻居"',
                neighbour.from_on,
                "7",
                neighbour.until_on,
                usage_text(neighbour.usage + 7 * USAGE_SCALE),
                usage_text(neighbour.usage),
            ),
        )

        [line] = charger(tiered(surcharge=surcharge), rounding=rounding).charge(
            segments=[neighbour], period=OCTOBER
        )
        assert (fen, trace) == (line.amount_fen, json.loads(line.trace))

    def test_another_usage_or_period_is_not_known(self):
        known = charger(tiered())
        known.charge(segments=[segment("30")], period=OCTOBER)

        assert known.recall(OCTOBER, scaled("31")) is None
        assert known.recall(Span(date(2026, 11, 1), date(2026, 12, 1)), scaled("30")) is None

    def test_what_came_after_other_usage_is_not_remembered(self):
        known = charger(tiered(), window=TierWindow.YEAR)
        known.charge(segments=[segment("30")], period=OCTOBER, used_before=scaled("170"))

        assert known.recall(OCTOBER, scaled("30")) is None

    def test_what_depends_on_the_household_is_not_remembered(self):
        known = charger(tiered(), is_per_person=True)
        known.charge(segments=[segment("30")], period=OCTOBER, people=3)

        assert known.recall(OCTOBER, scaled("30")) is None

    def test_what_goes_by_unit_price_is_not_remembered(self):
        known = charger(plain("2"))
        known.charge(segments=[segment("30")], period=OCTOBER)

        assert known.recall(OCTOBER, scaled("30")) is None


class TestUsageText:
    @pytest.mark.parametrize(
        ("usage", "text"),
        [
            (0, "0"),
            (scaled("24.25"), "24.25"),
            (scaled("0.00000001"), "0.00000001"),
            (scaled("100"), "100"),
            (Fraction(scaled("5")), "5"),
            (Fraction(scaled("10"), 31), "10/31"),
        ],
    )
    def test_reads_as_people_write(self, usage, text):
        assert usage_text(usage) == text
