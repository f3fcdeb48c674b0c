import json
from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.charges import ChargeMethod, Charger, Price, PriceMissing, Terms, trim
from domain.money import Rounding, round_half_up
from domain.periods import Proration, Span, add_months, count_months
from domain.traces import explain

LONG_AGO = date(2000, 1, 1)
YEAR = Span(date(2025, 1, 1), date(2026, 1, 1))
MARCH = Span(date(2025, 3, 1), date(2025, 4, 1))
JUNE = Span(date(2025, 6, 1), date(2025, 7, 1))


def area_terms(price, **changes):
    return Terms(ChargeMethod.AREA, (Price(Decimal(price), LONG_AGO),), **changes)


def charge(terms, span, area=None, coefficient="1"):
    lines = Charger(terms).charge(
        span, area=None if area is None else Decimal(area), coefficient=Decimal(coefficient)
    )
    return [line.amount_fen for line in lines]


class TestGoldenVectors:
    """Source: domain.md D15."""

    @pytest.mark.parametrize(
        ("area", "terms", "span", "amounts_fen"),
        [
            ("89.37", area_terms("2.35"), MARCH, [21002]),
            ("100.24", area_terms("1.40"), YEAR, [168403]),
            ("100.24", area_terms("1.40", rounding=Rounding.YUAN), YEAR, [168400]),
            ("130.70", area_terms("0.15"), MARCH, [1961]),
            (
                "89.37",
                area_terms("2.35"),
                Span(date(2025, 3, 17), date(2025, 4, 1)),
                [10162],
            ),
            (
                "89.37",
                area_terms("2.35"),
                Span(date(2025, 1, 10), date(2025, 3, 15)),
                [45391],
            ),
            (
                "89.37",
                area_terms("2.35", proration=Proration.DAYS_30),
                Span(date(2025, 1, 10), date(2025, 3, 15)),
                [46204],
            ),
        ],
    )
    def test_area(self, area, terms, span, amounts_fen):
        assert charge(terms, span, area) == amounts_fen

    def test_price_change_splits_the_line(self):
        change = date(2025, 6, 16)
        terms = Terms(
            ChargeMethod.AREA,
            (Price(Decimal("2.35"), LONG_AGO, change), Price(Decimal("2.50"), change)),
        )

        assert charge(terms, JUNE, "89.37") == [10501, 11171]

    def test_fixed_part_of_a_month(self):
        terms = Terms(ChargeMethod.FIXED, (Price(Decimal("80.00"), LONG_AGO),))

        assert charge(terms, Span(date(2025, 2, 1), date(2025, 2, 6))) == [1429]

    def test_vacancy_as_coefficient(self):
        assert charge(area_terms("2.35"), MARCH, "89.37", "0.7") == [14701]


AREAS = st.decimals(min_value="0.01", max_value="99999", places=4)
PRICES = st.decimals(min_value="0.000001", max_value="9999", places=6)
DAYS = st.dates(min_value=date(2010, 1, 1), max_value=date(2040, 1, 1))


class TestCharger:
    @given(AREAS, PRICES, DAYS, st.integers(1, 800), st.sampled_from(Proration))
    def test_equals_the_exact_fraction_rounded_once(self, area, price, day, days, proration):
        span = Span(day, date.fromordinal(day.toordinal() + days))
        terms = Terms(ChargeMethod.AREA, (Price(price, LONG_AGO),), proration=proration)

        exact = 100 * Fraction(price) * Fraction(area) * count_months(span, proration)
        assert charge(terms, span, str(area)) == [round_half_up(exact)]

    @given(AREAS, PRICES, DAYS, st.integers(1, 28))
    def test_a_price_change_to_the_same_price_moves_at_most_a_fen(self, area, price, day, cut):
        span = Span(day.replace(day=1), add_months(day.replace(day=1), 1))
        change = span.starts_on.replace(day=cut)
        whole = Terms(ChargeMethod.AREA, (Price(price, LONG_AGO),))
        parted = Terms(ChargeMethod.AREA, (Price(price, LONG_AGO, change), Price(price, change)))

        difference = sum(charge(parted, span, str(area))) - sum(charge(whole, span, str(area)))
        assert abs(difference) <= 1

    def test_days_without_a_price_are_an_exception_and_never_zero(self):
        terms = Terms(ChargeMethod.AREA, (Price(Decimal("2.35"), date(2025, 6, 16)),))

        with pytest.raises(PriceMissing) as missing:
            Charger(terms).charge(JUNE, area=Decimal("89.37"))

        assert missing.value.days == Span(date(2025, 6, 1), date(2025, 6, 16))

    def test_an_area_charge_without_an_area_is_a_mistake_of_ours(self):
        with pytest.raises(ValueError, match="needs an area"):
            Charger(area_terms("2.35")).charge(MARCH)

    def test_more_decimals_than_the_column_holds_are_refused(self):
        with pytest.raises(ValueError, match="four decimals"):
            Charger(area_terms("2.35")).charge(MARCH, area=Decimal("1.00001"))


class TestTrace:
    def test_holds_all_that_made_the_amount(self):
        terms = area_terms("2.350000", rounding=Rounding.JIAO)
        [line] = Charger(terms).charge(
            Span(date(2025, 3, 17), date(2025, 4, 1)), area=Decimal("89.3700")
        )

        assert json.loads(line.trace) == {
            "method": "area",
            "unit_price": "2.35",
            "months": "15/31",
            "from": "2025-03-17",
            "until": "2025-04-01",
            "rounding": "jiao",
            "rounding_fen": -2,
            "area": "89.37",
            "coefficient": "1",
        }

    @pytest.mark.parametrize(
        ("terms", "coefficient", "sentence"),
        [
            (
                area_terms("2.35"),
                "1",
                "2025-03-01 ~ 2025-03-31：89.37 ㎡ × 2.35 元/㎡·月 = 210.02 元",
            ),
            (
                area_terms("2.35"),
                "0.7",
                "2025-03-01 ~ 2025-03-31：89.37 ㎡ × 2.35 元/㎡·月 × 系数 0.7 = 147.01 元",
            ),
            (
                area_terms("2.35", rounding=Rounding.JIAO),
                "1",
                (
                    "2025-03-01 ~ 2025-03-31：89.37 ㎡ × 2.35 元/㎡·月 = 210.00 元"
                    "（四舍五入到角，-0.02 元）"
                ),
            ),
            (
                Terms(ChargeMethod.FIXED, (Price(Decimal("80"), LONG_AGO),)),
                "1",
                "2025-03-01 ~ 2025-03-31：80 元/月 = 80.00 元",
            ),
        ],
    )
    def test_is_explained_in_one_sentence(self, terms, coefficient, sentence):
        [line] = Charger(terms).charge(
            MARCH, area=Decimal("89.37"), coefficient=Decimal(coefficient)
        )

        assert explain(json.loads(line.trace), line.amount_fen) == sentence

    def test_names_the_part_of_a_month(self):
        [line] = Charger(area_terms("2.35")).charge(
            Span(date(2025, 3, 17), date(2025, 4, 1)), area=Decimal("89.37")
        )

        assert "× 15/31 个月 = 101.62 元" in explain(json.loads(line.trace), line.amount_fen)

    @pytest.mark.parametrize(
        ("number", "text"),
        [("2.350000", "2.35"), ("100", "100"), ("100.00", "100"), ("1E+2", "100")],
    )
    def test_numbers_lose_their_trailing_zeros_only(self, number, text):
        assert trim(Decimal(number)) == text
