import json
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.charges import NO_CHANGES, Changes, ChargeMethod, Price, PriceMissing, Terms
from domain.formula_charges import charge_formula
from domain.formulas import Formula, FormulaFailed
from domain.money import Rounding
from domain.periods import Proration, Span
from domain.traces import explain

LONG_AGO = date(2000, 1, 1)
JUNE = Span(date(2025, 6, 1), date(2025, 7, 1))
MIDDLE = date(2025, 6, 16)
HOUSE = {
    "area": Decimal("89.37"),
    "inner_area": Decimal("70"),
    "coefficient": Decimal(1),
    "floor": 3,
    "households": 864,
    "usage": None,
}


def price(text, starts_on=LONG_AGO, ends_before=None, constants=None, **more):
    formula = Formula.read(text, constants or {})
    return Price(None, starts_on, ends_before, formula=formula, **more)


def terms(*prices, **more):
    return Terms(ChargeMethod.FORMULA, prices, **more)


def charge(terms, liable=JUNE, changes=NO_CHANGES, anchor=None, **house):
    return charge_formula(
        terms, liable, values_on=lambda _day: HOUSE | house, changes=changes, anchor=anchor
    )


def amounts(lines):
    return [line.amount_fen for line in lines]


def traces(lines):
    return [json.loads(line.trace) for line in lines]


class TestWhole:
    def test_is_exact_and_rounded_once(self):
        assert amounts(charge(terms(price("area * 2.35 * months")))) == [21002]

    def test_months_are_those_of_the_liable_days(self):
        half = Span(MIDDLE, JUNE.ends_before)

        assert amounts(charge(terms(price("100 * months")), half)) == [5000]

    def test_months_go_by_the_items_proration_and_the_anchor(self):
        half = Span(date(2025, 3, 17), date(2025, 4, 1))
        anchored = Span(date(2025, 1, 31), date(2025, 2, 28))
        formula = price("100 * months")

        assert amounts(charge(terms(formula, proration=Proration.WHOLE_MONTH), half)) == [10000]
        assert amounts(charge(terms(formula), anchored, anchor=date(2025, 1, 31))) == [10000]

    def test_a_surcharge_is_per_month_on_top(self):
        half = Span(MIDDLE, JUNE.ends_before)

        lines = charge(terms(price("10", surcharge=Decimal(20))), half)

        assert amounts(lines) == [2000]

    @pytest.mark.parametrize(
        ("rounding", "fen", "rounding_fen"),
        [(Rounding.FEN, 21002, 0), (Rounding.JIAO, 21000, -2), (Rounding.YUAN, 21000, -2)],
    )
    def test_is_rounded_by_the_items_policy(self, rounding, fen, rounding_fen):
        lines = charge(terms(price("area * 2.35"), rounding=rounding))

        assert amounts(lines) == [fen]
        assert traces(lines)[0]["rounding_fen"] == rounding_fen

    def test_the_trace_holds_formula_and_values(self):
        constants = {"rate": Decimal("0.5")}

        lines = charge(terms(price("max(area * rate, 20) * months", constants=constants)))

        assert traces(lines) == [
            {
                "method": "formula",
                "formula": "max(area * rate, 20) * months",
                "values": {"area": "89.37", "months": "1"},
                "from": "2025-06-01",
                "until": "2025-07-01",
                "rounding": "fen",
                "rounding_fen": 0,
            }
        ]


class TestTroubles:
    """Source: domain.md D1: an exception row, never 0."""

    def test_days_without_a_formula(self):
        with pytest.raises(PriceMissing):
            charge(terms(price("area", MIDDLE)))

    def test_a_unit_price_is_no_formula(self):
        with pytest.raises(PriceMissing):
            charge(terms(Price(Decimal(2), LONG_AGO)))

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("usage * 2", "公式需要用量"),
            ("10 / (floor - 3)", "除数为 0"),
            ("10 - area", "小于 0"),
            ("area * 99999999999", "超过"),
        ],
    )
    def test_a_formula_that_fails_is_no_zero(self, text, why):
        with pytest.raises(FormulaFailed, match=why):
            charge(terms(price(text)))


class TestSplit:
    SOLD = Changes(((MIDDLE, "owner"),))

    @pytest.mark.parametrize("text", ["area * months", "area", "10", "usage * 2 + 1"])
    def test_a_split_period_costs_what_the_whole_does(self, text):
        """What a formula does not take per month, such as usage, is not charged twice."""
        [whole] = charge(terms(price(text)), usage=Decimal("12"))

        lines = charge(terms(price(text)), changes=self.SOLD, usage=Decimal("12"))

        assert len(lines) == 2
        assert abs(sum(amounts(lines)) - whole.amount_fen) <= 1

    def test_each_stretch_says_its_part_and_why(self):
        lines = charge(terms(price("100 * months")), changes=self.SOLD)

        assert amounts(lines) == [5000, 5000]
        assert [(trace["part"], trace.get("since")) for trace in traces(lines)] == [
            ("1/2", None),
            ("1/2", ["owner"]),
        ]

    def test_a_new_formula_holds_from_its_day(self):
        lines = charge(terms(price("100", ends_before=MIDDLE), price("200", MIDDLE)))

        assert amounts(lines) == [5000, 10000]
        assert [trace["formula"] for trace in traces(lines)] == ["100", "200"]

    def test_each_stretch_has_the_area_of_its_days(self):
        def values_on(day):
            return HOUSE | {"area": Decimal(100) if day < MIDDLE else Decimal(200)}

        lines = charge_formula(
            terms(price("area")), JUNE, values_on=values_on, changes=Changes(((MIDDLE, "area"),))
        )

        assert amounts(lines) == [5000, 10000]

    def test_vacant_days_cost_their_part_of_formula_and_surcharge(self):
        vacant = Span(MIDDLE, JUNE.ends_before)
        changes = Changes(((MIDDLE, "vacancy"),), (vacant,))

        lines = charge(
            terms(price("80", surcharge=Decimal(20)), vacancy_rate=Decimal("0.7")), changes=changes
        )

        assert amounts(lines) == [5000, 3500]
        assert [line.is_vacant for line in lines] == [False, True]
        assert [trace.get("vacancy_rate") for trace in traces(lines)] == [None, "0.7"]

    def test_vacant_days_are_marked_also_where_they_cost_the_same(self):
        [line] = charge(terms(price("80")), changes=Changes((), (JUNE,)))

        assert (line.amount_fen, line.is_vacant) == (8000, True)
        assert "vacancy_rate" not in json.loads(line.trace)

    @given(
        st.sampled_from(["area * months", "max(area, 20)", "usage * 3", "round(area / 3, 2) + 1"]),
        st.decimals(min_value="0.01", max_value=9999, places=4),
        st.lists(st.integers(1, 120), max_size=5, unique=True),
        st.sampled_from(Proration),
    )
    def test_any_split_moves_the_sum_by_less_than_a_fen_per_piece(
        self, text, area, offsets, proration
    ):
        span = Span(date(2025, 1, 10), date(2025, 5, 3))
        cuts = sorted(date.fromordinal(span.starts_on.toordinal() + one) for one in offsets)
        item = terms(price(text, surcharge=Decimal("7.77")), proration=proration)
        usage = Decimal("31.5")

        [whole] = charge(item, span, area=area, usage=usage)
        pieces = charge(
            item,
            span,
            changes=Changes(tuple((cut, "owner") for cut in cuts)),
            area=area,
            usage=usage,
        )

        assert abs(sum(amounts(pieces)) - whole.amount_fen) <= len(pieces)


class TestExplained:
    def test_the_whole(self):
        [line] = charge(terms(price("area * 2.35 * months")))

        assert explain(json.loads(line.trace), line.amount_fen) == (
            "2025-06-01 ~ 2025-06-30：公式 area * 2.35 * months"
            "（计费面积 89.37，月数 1） = 210.02 元"
        )

    def test_a_part_with_everything_that_made_it(self):
        changes = Changes(((MIDDLE, "vacancy"),), (Span(MIDDLE, JUNE.ends_before),))
        item = terms(price("80", surcharge=Decimal(20)), vacancy_rate=Decimal("0.7"))

        line = charge(item, changes=changes)[1]

        assert explain(json.loads(line.trace), line.amount_fen) == (
            "2025-06-16 ~ 2025-06-30（空置状态变更）：公式 80，本段占 1/2，"
            "另加附加费 20 元/月 × 1/2 个月，空置按 70% 收 = 35.00 元"
        )
