"""What makes an item or a price that can be charged; no database is asked."""

import re
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from domain.charges import ChargeMethod
from domain.errors import InvalidInput
from domain.meters import MeterKind
from services.fees.checks import NewFeeItem, NewPrice, check_item, find_price_problems

TIERS = [("180", "5"), (None, "7")]
ITEMS = {
    ChargeMethod.AREA: {"unit_price": Decimal("2.35")},
    ChargeMethod.FIXED: {"unit_price": Decimal(80)},
    ChargeMethod.METER: {"unit_price": Decimal(5), "meter_kind": MeterKind.COLD_WATER},
    ChargeMethod.FORMULA: {"formula": "area * months"},
    ChargeMethod.SHARE: {},
    ChargeMethod.ONE_OFF: {},
}


def make(method=ChargeMethod.AREA, **changes):
    item = NewFeeItem("WY", "物业费", ChargeMethod(method), None, date(2026, 1, 1))
    return replace(item, **(ITEMS[ChargeMethod(method)] | changes))


def refused(item):
    """The fields that are refused, with their reasons."""
    with pytest.raises(InvalidInput) as refusal:
        check_item(item)
    return refusal.value.fields


class TestSound:
    @pytest.mark.parametrize("method", ChargeMethod)
    def test_every_method_has_a_sound_item(self, method):
        check_item(make(method))

    @pytest.mark.parametrize(
        ("method", "changes"),
        [
            ("meter", {"unit_price": None, "tiers": TIERS}),
            ("meter", {"surcharge": Decimal("0.5")}),
            ("formula", {"formula": "usage * 2", "meter_kind": MeterKind.GAS}),
            ("formula", {"formula": "area * rate", "constants": {"rate": Decimal("0.5")}}),
            ("fixed", {"is_per_period": True, "cycle_months": 12}),
            ("area", {"vacancy_rate": Decimal(0)}),
            ("area", {"vacancy_rate": Decimal("0.12345678")}),
            ("formula", {"vacancy_rate": Decimal("0.7")}),
            ("area", {"unit_price": Decimal("0.000001")}),
            ("area", {"unit_price": Decimal("999999.999999")}),
            ("area", {"surcharge": Decimal("999999.999999")}),
            ("area", {"name": "长" * 20}),
            ("area", {"code": "ABCD"}),
            ("area", {"due_day": 31}),
            ("area", {"due_days": 0, "issue_offset_days": 365}),
        ],
    )
    def test_what_only_looks_unusual_is_taken(self, method, changes):
        check_item(make(method, **changes))


class TestRefused:
    @pytest.mark.parametrize(
        ("method", "changes", "field"),
        [
            ("area", {"code": "W"}, "code"),
            ("area", {"code": "WYFEE"}, "code"),
            ("area", {"code": "wy"}, "code"),
            ("area", {"code": "W1"}, "code"),
            ("area", {"code": "ＷＹ"}, "code"),
            ("area", {"name": " "}, "name"),
            ("area", {"name": "长" * 21}, "name"),
            ("area", {"issue_offset_days": -1}, "issue_offset_days"),
            ("area", {"issue_offset_days": 366}, "issue_offset_days"),
            ("area", {"due_days": -1}, "due_days"),
            ("area", {"due_days": 366}, "due_days"),
            ("area", {"due_day": 0}, "due_day"),
            ("area", {"due_day": 32}, "due_day"),
            ("area", {"cycle_months": 0}, "cycle_months"),
            ("area", {"cycle_months": 4}, "cycle_months"),
            ("area", {"cycle_from_month": 0}, "cycle_from_month"),
            ("area", {"cycle_from_month": 13}, "cycle_from_month"),
            ("meter", {"tier_from_month": 0}, "tier_from_month"),
            ("meter", {"tier_from_month": 13}, "tier_from_month"),
            ("area", {"vacancy_rate": Decimal("-0.1")}, "vacancy_rate"),
            ("area", {"vacancy_rate": Decimal("1.1")}, "vacancy_rate"),
            ("area", {"vacancy_rate": Decimal("NaN")}, "vacancy_rate"),
            ("area", {"vacancy_rate": Decimal("0.123456789")}, "vacancy_rate"),
            ("meter", {"vacancy_rate": Decimal("0.7")}, "vacancy_rate"),
            ("share", {"vacancy_rate": Decimal("0.7")}, "vacancy_rate"),
            ("one_off", {"vacancy_rate": Decimal("0.7")}, "vacancy_rate"),
            ("meter", {"meter_kind": None}, "meter_kind"),
            ("area", {"meter_kind": MeterKind.GAS}, "meter_kind"),
            ("share", {"meter_kind": MeterKind.GAS}, "meter_kind"),
            ("area", {"is_per_period": True}, "is_per_period"),
            ("formula", {"is_per_period": True}, "is_per_period"),
            ("area", {"unit_price": None}, "unit_price"),
            ("area", {"unit_price": Decimal(0)}, "unit_price"),
            ("area", {"unit_price": Decimal("-1")}, "unit_price"),
            ("area", {"unit_price": Decimal(1_000_000)}, "unit_price"),
            ("area", {"unit_price": Decimal("NaN")}, "unit_price"),
            ("area", {"unit_price": Decimal("0.0000001")}, "unit_price"),
            ("meter", {"unit_price": None}, "unit_price"),
            ("meter", {"tiers": TIERS}, "unit_price"),
            ("area", {"tiers": TIERS}, "tiers"),
            ("fixed", {"unit_price": None, "tiers": TIERS}, "tiers"),
            ("area", {"formula": "area"}, "formula"),
            ("meter", {"formula": "usage"}, "formula"),
            ("formula", {"formula": None}, "formula"),
            ("formula", {"unit_price": Decimal(1)}, "unit_price"),
            ("formula", {"tiers": TIERS}, "tiers"),
            ("share", {"unit_price": Decimal(1)}, "unit_price"),
            ("one_off", {"unit_price": Decimal(1)}, "unit_price"),
            ("share", {"tiers": TIERS}, "tiers"),
            ("one_off", {"formula": "area"}, "formula"),
            ("area", {"surcharge": Decimal("-0.01")}, "surcharge"),
            ("area", {"surcharge": Decimal("NaN")}, "surcharge"),
            ("area", {"surcharge": Decimal(1_000_000)}, "surcharge"),
            ("area", {"surcharge": Decimal("0.0000001")}, "surcharge"),
            ("share", {"surcharge": Decimal(1)}, "surcharge"),
            ("one_off", {"surcharge": Decimal(1)}, "surcharge"),
            ("meter", {"unit_price": None, "tiers": []}, "tiers"),
            ("meter", {"unit_price": None, "tiers": [("180", "5")]}, "tiers"),
            ("meter", {"unit_price": None, "tiers": [("180", "abc"), (None, "7")]}, "tiers"),
            ("formula", {"formula": ""}, "formula"),
            ("formula", {"formula": "area **"}, "formula"),
            ("formula", {"formula": "__import__('os')"}, "formula"),
            ("formula", {"formula": "area * rate"}, "formula"),
            ("formula", {"constants": {"area": Decimal(1)}}, "formula"),
        ],
    )
    def test_what_cannot_be_charged_is_named_with_a_chinese_reason(self, method, changes, field):
        fields = refused(make(method, **changes))

        assert set(fields) == {field}
        assert all(re.search(r"[一-鿿]", reason) for reason in fields[field])

    def test_everything_wrong_is_named_at_once(self):
        item = make(code="", name="", unit_price=Decimal(0), due_days=-1, cycle_months=5)

        assert set(refused(item)) == {"code", "name", "unit_price", "due_days", "cycle_months"}

    def test_a_table_says_which_row(self):
        item = make("meter", unit_price=None, tiers=[("180", "5"), ("100", "7"), (None, "9")])

        assert refused(item) == {"tiers": ["第 2 档的上限应当大于前一档的上限"]}

    def test_a_formula_says_which_part(self):
        [reason] = refused(make("formula", formula="area * price"))["formula"]

        assert "第 8 个字“price”" in reason


class TestPrice:
    def test_a_sound_price_has_no_problems(self):
        assert find_price_problems(ChargeMethod.AREA, NewPrice(Decimal("2.35"))) == {}

    def test_a_price_of_another_way_is_named_with_the_method(self):
        problems = find_price_problems(ChargeMethod.AREA, NewPrice(tiers=TIERS))

        assert problems == {"tiers": ["按面积收费不使用这一项"]}

    def test_both_ways_are_one_too_many(self):
        price = NewPrice(Decimal(5), tiers=TIERS)

        assert find_price_problems(ChargeMethod.METER, price) == {
            "unit_price": ["单价与阶梯只能填一种"]
        }
