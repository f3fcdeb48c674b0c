import json
from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.charges import Changes, ChargeMethod, Charger, Price, PriceMissing, Terms, trim
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


class TestSurcharge:
    def test_is_per_month_on_top(self):
        terms = Terms(
            ChargeMethod.AREA, (Price(Decimal("2.35"), LONG_AGO, surcharge=Decimal("20")),)
        )

        assert charge(terms, YEAR, "89.37") == [252023 + 24000]

    def test_is_rounded_together_with_the_rest(self):
        """0.335 + 0.335 yuan are 0.67, and not 0.34 twice."""
        terms = Terms(
            ChargeMethod.FIXED, (Price(Decimal("0.335"), LONG_AGO, surcharge=Decimal("0.335")),)
        )

        assert charge(terms, MARCH) == [67]

    def test_counts_parts_of_a_month(self):
        terms = Terms(ChargeMethod.AREA, (Price(Decimal("1"), LONG_AGO, surcharge=Decimal("20")),))

        assert charge(terms, Span(date(2025, 3, 17), date(2025, 4, 1)), "100") == [5806]

    def test_does_not_grow_with_the_area(self):
        terms = Terms(ChargeMethod.AREA, (Price(Decimal("1"), LONG_AGO, surcharge=Decimal("20")),))

        assert charge(terms, MARCH, "100", "2") == [22000]


class TestPerPeriod:
    def year(self, price="80", surcharge="0"):
        price = Price(Decimal(price), LONG_AGO, surcharge=Decimal(surcharge))
        return Terms(ChargeMethod.FIXED, (price,), period_months=12)

    def test_a_whole_period_costs_the_price_once(self):
        assert charge(self.year(), YEAR) == [8000]

    def test_a_part_of_it_costs_its_part(self):
        assert charge(self.year(), Span(date(2025, 8, 1), date(2026, 1, 1))) == [3333]

    def test_a_surcharge_stays_per_month(self):
        assert charge(self.year(surcharge="2"), YEAR) == [10400]


class TestVacancy:
    TERMS = area_terms("2.35", vacancy_rate=Decimal("0.7"))
    HALF = Span(date(2025, 3, 17), date(2025, 4, 1))

    def lines(self, changes, terms=TERMS):
        return Charger(terms).charge(MARCH, area=Decimal("89.37"), changes=changes)

    def test_vacant_days_cost_their_part_and_are_marked(self):
        cuts = ((self.HALF.starts_on, "vacancy"),)

        lines = self.lines(Changes(cuts, (self.HALF,)))

        assert [(line.amount_fen, line.is_vacant) for line in lines] == [
            (10840, False),
            (7114, True),
        ]

    def test_a_house_that_was_vacant_all_along_has_one_line(self):
        """Source: domain.md D15, vacancy 70 %."""
        [line] = self.lines(Changes((), (MARCH,)))

        assert (line.amount_fen, line.is_vacant) == (14701, True)

    def test_the_surcharge_is_reduced_as_well(self):
        terms = Terms(
            ChargeMethod.FIXED,
            (Price(Decimal("80"), LONG_AGO, surcharge=Decimal("20")),),
            vacancy_rate=Decimal("0.7"),
        )

        [line] = Charger(terms).charge(MARCH, changes=Changes((), (MARCH,)))

        assert line.amount_fen == 7000

    def test_without_a_rate_vacant_days_cost_the_same_and_are_still_marked(self):
        [line] = self.lines(Changes((), (MARCH,)), terms=area_terms("2.35"))

        assert (line.amount_fen, line.is_vacant) == (21002, True)
        assert "vacancy_rate" not in json.loads(line.trace)

    def test_the_day_after_the_last_vacant_one_is_not_vacant(self):
        changes = Changes((), (self.HALF,))

        assert not changes.is_vacant_on(date(2025, 3, 16))
        assert changes.is_vacant_on(date(2025, 3, 17))
        assert changes.is_vacant_on(date(2025, 3, 31))
        assert not changes.is_vacant_on(date(2025, 4, 1))


class TestChanges:
    def since(self, terms, changes):
        lines = Charger(terms).charge(JUNE, area=Decimal("89.37"), changes=changes)
        traces = [json.loads(line.trace) for line in lines]
        return [(trace["from"], trace.get("since")) for trace in traces]

    def test_each_line_says_what_changed_on_its_first_day(self):
        change = date(2025, 6, 16)
        terms = Terms(
            ChargeMethod.AREA,
            (Price(Decimal("2.35"), LONG_AGO, change), Price(Decimal("2.50"), change)),
        )
        cuts = ((date(2025, 6, 10), "owner"), (change, "area"))

        assert self.since(terms, Changes(cuts)) == [
            ("2025-06-01", None),
            ("2025-06-10", ["owner"]),
            ("2025-06-16", ["price", "area"]),
        ]

    def test_what_changed_on_the_first_liable_day_splits_nothing(self):
        cuts = ((JUNE.starts_on, "owner"), (JUNE.ends_before, "owner"))

        assert self.since(area_terms("2.35"), Changes(cuts)) == [("2025-06-01", None)]

    def test_houses_with_other_changes_do_not_share_the_work(self):
        charger = Charger(area_terms("2.35"))
        area = Decimal("89.37")

        whole = charger.charge(JUNE, area=area)
        split = charger.charge(JUNE, area=area, changes=Changes(((date(2025, 6, 16), "owner"),)))

        assert [len(whole), len(split)] == [1, 2]

    @given(
        AREAS,
        PRICES,
        DAYS,
        st.integers(1, 400),
        st.lists(st.integers(1, 400), max_size=6),
        st.sampled_from(Proration),
        st.decimals(min_value=0, max_value=999, places=6),
    )
    def test_any_split_moves_the_sum_by_less_than_a_fen_per_piece(
        self, area, price, day, days, offsets, proration, surcharge
    ):
        span = Span(day, date.fromordinal(day.toordinal() + days))
        terms = Terms(
            ChargeMethod.AREA,
            (Price(price, LONG_AGO, surcharge=surcharge),),
            proration=proration,
        )
        cuts = sorted({date.fromordinal(day.toordinal() + offset) for offset in offsets})
        charger = Charger(terms)

        [whole] = charger.charge(span, area=area)
        pieces = charger.charge(
            span, area=area, changes=Changes(tuple((cut, "owner") for cut in cuts))
        )

        moved = sum(piece.amount_fen for piece in pieces) - whole.amount_fen
        assert abs(moved) <= len(pieces)
        assert all(piece.amount_fen >= 0 for piece in pieces)


class TestAnchor:
    @pytest.mark.parametrize(
        ("anchor", "span"),
        [
            (date(2025, 1, 31), Span(date(2025, 1, 31), date(2025, 2, 28))),
            (date(2025, 1, 31), Span(date(2025, 2, 28), date(2025, 3, 31))),
            (date(2025, 1, 17), Span(date(2025, 3, 17), date(2025, 4, 17))),
        ],
    )
    def test_a_month_from_the_handover_day_is_one_month(self, anchor, span):
        [line] = Charger(area_terms("1")).charge(span, area=Decimal(100), anchor=anchor)

        assert line.amount_fen == 10000

    def test_houses_of_another_day_do_not_share_the_work(self):
        charger = Charger(area_terms("1"))
        span = Span(date(2025, 3, 17), date(2025, 4, 17))

        charger.charge(span, area=Decimal(100), anchor=date(2025, 1, 17))
        [line] = charger.charge(span, area=Decimal(100))

        assert line.amount_fen == 10172  # 15/31 + 16/30 months


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
