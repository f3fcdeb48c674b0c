from datetime import date
from decimal import Decimal

import pytest

from domain.discount_rules import DiscountKind, DiscountRule, check_rule

SOUND = {
    DiscountKind.PERCENTAGE: {"percent": Decimal(5)},
    DiscountKind.FIXED: {"amount_fen": 2000},
    DiscountKind.FREE_MONTHS: {"buy_months": 11, "free_months": 1},
    DiscountKind.EARLY_PAYMENT: {"percent": Decimal("2.5"), "early_days": 10},
    DiscountKind.VACANCY: {"percent": Decimal(30)},
}
EXTRAS = {
    "percent": Decimal(5),
    "amount_fen": 2000,
    "buy_months": 11,
    "free_months": 1,
    "early_days": 10,
}


def make_rule(kind=DiscountKind.PERCENTAGE, **changes):
    given = dict.fromkeys(EXTRAS) | SOUND[kind]
    given |= {
        "id": 1,
        "name": "预缴优惠",
        "kind": kind,
        "priority": 100,
        "is_stackable": True,
        "cap_fen": None,
        "starts_on": date(2025, 1, 1),
        "ends_before": None,
    }
    return DiscountRule(**(given | changes))


@pytest.mark.parametrize("kind", DiscountKind)
class TestFieldsOfAKind:
    def test_alone_are_sound(self, kind):
        assert check_rule(make_rule(kind)) == {}

    def test_are_needed(self, kind):
        missing = make_rule(kind, **dict.fromkeys(SOUND[kind]))

        assert check_rule(missing) == {key: ["请填写"] for key in SOUND[kind]}

    def test_of_other_kinds_are_superfluous(self, kind):
        others = set(EXTRAS) - set(SOUND[kind])

        assert check_rule(make_rule(kind, **EXTRAS | SOUND[kind])) == {
            key: ["这类优惠不用填写"] for key in others
        }


class TestCheckRule:
    @pytest.mark.parametrize(
        ("field", "kind", "value"),
        [
            ("name", DiscountKind.FIXED, ""),
            ("name", DiscountKind.FIXED, "  "),
            ("name", DiscountKind.FIXED, "优" * 21),
            ("percent", DiscountKind.PERCENTAGE, Decimal(0)),
            ("percent", DiscountKind.PERCENTAGE, Decimal(-5)),
            ("percent", DiscountKind.EARLY_PAYMENT, Decimal("100.0001")),
            ("percent", DiscountKind.VACANCY, Decimal("3.33333")),
            ("percent", DiscountKind.VACANCY, Decimal("NaN")),
            ("percent", DiscountKind.VACANCY, Decimal("Infinity")),
            ("amount_fen", DiscountKind.FIXED, 0),
            ("amount_fen", DiscountKind.FIXED, 10**11),
            ("buy_months", DiscountKind.FREE_MONTHS, 0),
            ("free_months", DiscountKind.FREE_MONTHS, 25),
            ("early_days", DiscountKind.EARLY_PAYMENT, 0),
            ("priority", DiscountKind.FIXED, -1),
            ("priority", DiscountKind.FIXED, 1000),
            ("cap_fen", DiscountKind.PERCENTAGE, 0),
            ("cap_fen", DiscountKind.FIXED, 100),
            ("ends_before", DiscountKind.FIXED, date(2025, 1, 1)),
        ],
    )
    def test_names_the_field_and_says_why(self, field, kind, value):
        problems = check_rule(make_rule(kind, **{field: value}))

        assert list(problems) == [field]
        assert all(reason and not reason.endswith("。") for reason in problems[field])

    @pytest.mark.parametrize(
        ("kind", "changes"),
        [
            (DiscountKind.PERCENTAGE, {"percent": Decimal("5.00000")}),
            (DiscountKind.PERCENTAGE, {"percent": Decimal(100), "cap_fen": 1}),
            (DiscountKind.PERCENTAGE, {"name": " 优惠 "}),
            (DiscountKind.FREE_MONTHS, {"buy_months": 24, "free_months": 24}),
            (DiscountKind.FIXED, {"ends_before": date(2025, 1, 2), "priority": 0}),
        ],
    )
    def test_takes_the_edges(self, kind, changes):
        assert check_rule(make_rule(kind, **changes)) == {}

    def test_reports_all_fields_at_once(self):
        problems = check_rule(make_rule(name="", percent=None, cap_fen=-1))

        assert set(problems) == {"name", "percent", "cap_fen"}
