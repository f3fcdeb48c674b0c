import json
import re
from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.charges import Changes, ChargeMethod, Charger, Price, Terms
from domain.money import Rounding, round_half_up
from domain.periods import Proration, Span
from domain.shares import ShareBy
from domain.traces import explain, percent

LONG_AGO = date(2000, 1, 1)
YEAR = Span(date(2025, 1, 1), date(2026, 1, 1))
MARCH = Span(date(2025, 3, 1), date(2025, 4, 1))
OF_MARCH = "2025-03-01 ~ 2025-03-31"
DATED = {"from": "2025-03-01", "until": "2025-04-01", "rounding": "fen", "rounding_fen": 0}


def explained(terms, span=MARCH, **more):
    """What is said of the only line of a charge."""
    [line] = Charger(terms).charge(span, area=Decimal("89.37"), **more)
    return explain(json.loads(line.trace), line.amount_fen)


def fixed(price="80", surcharge="0", **more):
    price = Price(Decimal(price), LONG_AGO, surcharge=Decimal(surcharge))
    return Terms(ChargeMethod.FIXED, (price,), **more)


def by_area(price="2.35", surcharge="0", **more):
    price = Price(Decimal(price), LONG_AGO, surcharge=Decimal(surcharge))
    return Terms(ChargeMethod.AREA, (price,), **more)


class TestPriced:
    @pytest.mark.parametrize(
        ("terms", "sentence"),
        [
            (by_area(), "89.37 ㎡ × 2.35 元/㎡·月 = 210.02 元"),
            (by_area(surcharge="5"), "（89.37 ㎡ × 2.35 元/㎡·月 + 附加费 5 元/月） = 215.02 元"),
            (fixed(), "80 元/月 = 80.00 元"),
            (fixed(surcharge="5.5"), "（80 元/月 + 附加费 5.5 元/月） = 85.50 元"),
            (
                by_area(rounding=Rounding.YUAN),
                "89.37 ㎡ × 2.35 元/㎡·月 = 210.00 元（四舍五入到元，-0.02 元）",
            ),
            (
                fixed("80.06", rounding=Rounding.JIAO),
                "80.06 元/月 = 80.10 元（四舍五入到角，+0.04 元）",
            ),
        ],
    )
    def test_a_whole_month(self, terms, sentence):
        assert explained(terms) == f"{OF_MARCH}：{sentence}"

    def test_months_and_coefficient(self):
        assert explained(by_area(), YEAR, coefficient=Decimal("0.70")) == (
            "2025-01-01 ~ 2025-12-31：89.37 ㎡ × 2.35 元/㎡·月 × 系数 0.7 × 12 个月 = 1764.16 元"
        )

    def test_vacant_days(self):
        terms = by_area(vacancy_rate=Decimal("0.7"))

        assert explained(terms, changes=Changes((), (MARCH,))) == (
            f"{OF_MARCH}：89.37 ㎡ × 2.35 元/㎡·月 × 空置 70% = 147.01 元"
        )

    def test_what_changed_on_the_first_day(self):
        cuts = ((date(2025, 3, 17), "area"), (date(2025, 3, 17), "owner"))

        _, line = Charger(fixed("31")).charge(MARCH, changes=Changes(cuts))

        assert explain(json.loads(line.trace), line.amount_fen) == (
            "2025-03-17 ~ 2025-03-31（面积变更、产权变更）：31 元/月 × 15/31 个月 = 15.00 元"
        )

    @pytest.mark.parametrize("word", ["price", "area", "owner", "vacancy"])
    def test_every_word_for_a_change_is_chinese(self, word):
        trace = DATED | {"method": "fixed", "unit_price": "1", "months": "1", "since": [word]}

        assert word not in explain(trace, 100)


class TestPerPeriod:
    @pytest.mark.parametrize(
        ("span", "surcharge", "sum_up"),
        [
            (YEAR, "0", "80 元/期 = 80.00 元"),
            (YEAR, "2", "（80 元/期 + 附加费 2 元/月 × 12 个月） = 104.00 元"),
            (Span(date(2025, 8, 1), date(2026, 1, 1)), "0", "80 元/期 × 5/12 期 = 33.33 元"),
            (
                Span(date(2025, 12, 17), date(2026, 1, 1)),
                "0",
                "80 元/期 × 15/31 个月 ÷ 12 个月 = 3.23 元",
            ),
            (
                Span(date(2025, 8, 1), date(2026, 1, 1)),
                "2",
                "（80 元/期 × 5/12 期 + 附加费 2 元/月 × 5 个月） = 43.33 元",
            ),
        ],
    )
    def test_a_price_per_period(self, span, surcharge, sum_up):
        sentence = explained(fixed(surcharge=surcharge, period_months=12), span)

        assert sentence == f"{span}：{sum_up}"

    def test_with_vacant_days(self):
        terms = fixed(surcharge="2", period_months=12, vacancy_rate=Decimal("0.5"))

        assert explained(terms, YEAR, changes=Changes((), (YEAR,))) == (
            "2025-01-01 ~ 2025-12-31：（80 元/期 + 附加费 2 元/月 × 12 个月） × 空置 50% = 52.00 元"
        )


class TestTruth:
    @given(
        st.decimals(min_value="0.01", max_value=999, places=4),
        st.decimals(min_value="0.01", max_value=99, places=6),
        st.decimals(min_value=0, max_value=99, places=2),
        st.sampled_from([None, 1, 3, 12]),
        st.dates(date(2024, 1, 1), date(2026, 1, 1)),
        st.integers(1, 400),
        st.sampled_from(Proration),
        st.booleans(),
    )
    def test_the_sum_that_is_told_comes_to_the_amount(
        self, area, price, surcharge, period_months, day, days, proration, is_vacant
    ):
        """A reader with a calculator gets what is asked for."""
        span = Span(day, date.fromordinal(day.toordinal() + days))
        terms = Terms(
            ChargeMethod.FIXED if period_months else ChargeMethod.AREA,
            (Price(price, LONG_AGO, surcharge=surcharge),),
            period_months=period_months,
            proration=proration,
            vacancy_rate=Decimal("0.7"),
        )
        changes = Changes((), (span,) if is_vacant else ())

        [line] = Charger(terms).charge(span, area=area, changes=changes)

        sentence = explain(json.loads(line.trace), line.amount_fen)
        _, _, told = sentence.partition("：")
        told, _, result = told.rpartition(" = ")
        assert computed(told) == Decimal(line.amount_fen) / 100 == Decimal(result.split()[0])


def computed(told):
    """Compute what a sentence says, rounded half up to fen."""
    words = told.translate(str.maketrans("（）×÷", "()*/"))
    words = re.sub(r"([0-9.]+)%", r"(\1 / 100)", words)
    words = re.sub(r"元/(㎡·月|月|期)|个月|期|㎡|附加费|空置|系数", "", words)
    words = re.sub(r"([0-9]+)/([0-9]+)", r"(\1 / \2)", words)
    words = re.sub(r"[0-9]+(\.[0-9]+)?", lambda found: f"Fraction('{found[0]}')", words)
    value = eval(words, {"Fraction": Fraction, "__builtins__": {}})
    return Decimal(round_half_up(100 * value)) / 100


METER_SEGMENT = {
    "meter_no": "W1",
    "from_on": "2025-02-28",
    "from": "1338.15",
    "until_on": "2025-03-31",
    "until": "1362.4",
    "multiplier": "1",
    "turned": "0",
    "usage": "24.25",
}
METER_TRACE = DATED | {
    "method": "meter",
    "meter_kind": "cold_water",
    "usage": "24.25",
    "segments": [METER_SEGMENT],
    "unit_price": "3.85",
}
METER_READ = "表 W1（2025-02-28 至 2025-03-31）1362.4 − 1338.15 = 24.25 吨"


class TestMetered:
    def test_usage_times_price(self):
        assert explain(METER_TRACE, 9336) == (
            f"{OF_MARCH}：{METER_READ}，24.25 吨 × 3.85 元/吨 = 93.36 元"
        )

    def test_multiplier_and_rollover(self):
        segment = METER_SEGMENT | {"multiplier": "40", "turned": "100000", "until": "21"}

        assert "（21 − 1338.15 + 翻转 100000）× 倍率 40 = 24.25 吨" in explain(
            METER_TRACE | {"segments": [segment]}, 1
        )

    def test_two_meters(self):
        other = METER_SEGMENT | {"meter_no": "W2"}

        assert f"{METER_READ}；表 W2（" in explain(
            METER_TRACE | {"segments": [METER_SEGMENT, other]}, 1
        )

    def test_a_surcharge(self):
        trace = METER_TRACE | {"surcharge": "5", "months": "1"}

        assert explain(trace, 9836).endswith(
            "，24.25 吨 × 3.85 元/吨 + 附加费 5 元/月 × 1 个月 = 98.36 元"
        )

    @pytest.mark.parametrize(
        ("used_before", "window", "before"),
        [
            ("0", "year", ""),
            ("170", "year", "（本年度此前已用 170 吨）"),
            ("3", "month", "（本月此前已用 3 吨）"),
        ],
    )
    def test_tiers(self, used_before, window, before):
        trace = METER_TRACE | {
            "tiers": [["1", "10", "5"], ["2", "14.25", "7"]],
            "used_before": used_before,
            "window": window,
        }

        assert explain(trace, 14975) == (
            f"{OF_MARCH}：{METER_READ}，第 1 档 10 吨 × 5 元 + 第 2 档 14.25 吨 × 7 元{before}"
            " = 149.75 元"
        )

    def test_no_usage_in_any_tier(self):
        trace = METER_TRACE | {"tiers": [], "used_before": "0", "window": "month"}

        assert explain(trace, 0).endswith("，0 吨 = 0.00 元")

    @pytest.mark.parametrize(
        ("kind", "unit"),
        [
            ("cold_water", "吨"),
            ("hot_water", "吨"),
            ("electricity", "度"),
            ("gas", "m³"),
            ("heat", "GJ"),
        ],
    )
    def test_units_of_each_kind(self, kind, unit):
        assert f"24.25 {unit} × 3.85 元/{unit}" in explain(METER_TRACE | {"meter_kind": kind}, 9336)


SHARE_TRACE = {
    "method": "share",
    "pool_id": 1,
    "pool_fen": 10000,
    "share_by": "area",
    "weight": "89.37",
    "weights": "276",
    "households": 3,
    "from": "2025-03-01",
    "until": "2025-04-01",
}


class TestShared:
    def test_by_area(self):
        assert explain(SHARE_TRACE, 3238) == (
            f"{OF_MARCH}：公摊总额 100.00 元，3 户按计费面积（㎡）分摊，本户占 89.37/276 = 32.38 元"
        )

    def test_of_units_at_a_price(self):
        trace = SHARE_TRACE | {"units": "100.5", "unit_price": "0.5283"}

        assert "公摊总额 100.00 元（100.5 × 0.5283 元），" in explain(trace, 3238)

    @pytest.mark.parametrize("share_by", ShareBy)
    def test_every_way_of_sharing_has_a_chinese_name(self, share_by):
        assert str(share_by) not in explain(SHARE_TRACE | {"share_by": str(share_by)}, 1)


class TestOthers:
    def test_a_one_off_charge(self):
        trace = {
            "method": "one_off",
            "charge_id": 1,
            "charged_on": "2025-03-09",
            "source_document": "维修单 BX1",
        }

        assert explain(trace, 5000) == "2025-03-09：维修单 BX1，50.00 元"

    def test_a_discount(self):
        trace = {"method": "discount", "name": "九五折", "note": "9.5 折：210.02 元 × 5%"}

        assert explain(trace, -1050) == "优惠“九五折”：9.5 折：210.02 元 × 5%，-10.50 元"

    def test_a_waiver(self):
        assert explain({"method": "waiver", "reason": "漏水"}, -500) == "减免：漏水，-5.00 元"

    @pytest.mark.parametrize(
        ("amount_fen", "to_prepaid_fen", "words"),
        [
            (500, 0, "调增 5.00 元"),
            (-500, 0, "调减 5.00 元"),
            (-500, 250, "调减 5.00 元，其余 2.50 元转入预存"),
            (0, 750, "调减 0.00 元，其余 7.50 元转入预存"),
        ],
    )
    def test_an_adjustment(self, amount_fen, to_prepaid_fen, words):
        trace = {
            "method": "adjustment",
            "adjustment_id": 1,
            "of_bill_no": "CH202502WY000001",
            "reason": "多算面积",
            "to_prepaid_fen": to_prepaid_fen,
        }

        assert explain(trace, amount_fen) == f"更正账单 CH202502WY000001：多算面积，{words}"

    def test_a_method_that_nobody_knows_is_a_mistake_of_ours(self):
        with pytest.raises(KeyError):
            explain({"method": "by_mood"}, 1)

    @pytest.mark.parametrize(
        ("ratio", "text"),
        [
            ("0.7", "70%"),
            ("1", "100%"),
            ("0.125", "12.5%"),
            ("0", "0%"),
            ("0.00000001", "0.000001%"),
        ],
    )
    def test_a_ratio_is_told_in_percent(self, ratio, text):
        assert percent(ratio) == text
