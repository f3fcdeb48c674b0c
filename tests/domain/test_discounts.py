from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.discounts import DiscountKind, DiscountRule, discount, early_payment
from domain.periods import Span

LONG_AGO = date(2000, 1, 1)
MARCH = Span(date(2025, 3, 1), date(2025, 4, 1))
ISSUED_ON = date(2025, 3, 1)


def make_rule(kind=DiscountKind.PERCENTAGE, **changes):
    given = {
        "id": 1,
        "name": "优惠",
        "kind": kind,
        "percent": None,
        "amount_fen": None,
        "buy_months": None,
        "free_months": None,
        "early_days": None,
        "priority": 100,
        "is_stackable": True,
        "cap_fen": None,
        "starts_on": LONG_AGO,
        "ends_before": None,
    }
    return DiscountRule(**(given | changes))


def percentage(percent, **changes):
    return make_rule(percent=Decimal(percent), **changes)


def fixed(amount_fen, **changes):
    return make_rule(DiscountKind.FIXED, amount_fen=amount_fen, **changes)


def vacancy(percent, **changes):
    return make_rule(DiscountKind.VACANCY, percent=Decimal(percent), **changes)


def free_months(buy, free, **changes):
    return make_rule(DiscountKind.FREE_MONTHS, buy_months=buy, free_months=free, **changes)


def early(percent, days=10, **changes):
    kind = DiscountKind.EARLY_PAYMENT
    return make_rule(kind, percent=Decimal(percent), early_days=days, **changes)


def lines(*rules, principal_fen=21002, vacant_fen=0, months=Fraction(1), period=MARCH):
    return discount(
        principal_fen=principal_fen,
        vacant_fen=vacant_fen,
        months=months,
        period=period,
        rules=rules,
    )


def amounts(*rules, **bill):
    return [line.amount_fen for line in lines(*rules, **bill)]


class TestKinds:
    @pytest.mark.parametrize(
        ("rule", "bill", "amount_fen", "note"),
        [
            (percentage(5), {}, -1050, "9.5 折：210.02 元 × 5%"),
            (percentage("10.0000"), {}, -2100, "9 折：210.02 元 × 10%"),
            (percentage(100), {}, -21002, "全免：210.02 元 × 100%"),
            (percentage("33.3333"), {}, -7001, "减 33.3333%：210.02 元 × 33.3333%"),
            (percentage(5), {"principal_fen": 10}, -1, "9.5 折：0.10 元 × 5%"),
            (fixed(2000), {}, -2000, "每张账单减 20.00 元"),
            (vacancy(30), {"vacant_fen": 10000}, -3000, "空置期 7 折：100.00 元 × 30%"),
            (vacancy(100), {"vacant_fen": 10000}, -10000, "空置期全免：100.00 元 × 100%"),
            (
                free_months(11, 1),
                {"principal_fen": 252024, "months": Fraction(12)},
                -21002,
                "买 11 个月送 1 个月，12 个月中免 1 个月：2520.24 元 × 1/12",
            ),
            (
                free_months(5, 1),
                {"principal_fen": 252024, "months": Fraction(12)},
                -42004,
                "买 5 个月送 1 个月，12 个月中免 2 个月：2520.24 元 × 1/6",
            ),
            (
                free_months(5, 1),
                {"principal_fen": 10000, "months": Fraction(25, 2)},
                -1600,
                "买 5 个月送 1 个月，25/2 个月中免 2 个月：100.00 元 × 4/25",
            ),
        ],
    )
    def test_one_rule(self, rule, bill, amount_fen, note):
        [line] = lines(rule, **bill)

        assert (line.amount_fen, line.note) == (amount_fen, note)
        assert (line.rule_id, line.name, line.kind) == (rule.id, rule.name, rule.kind)

    @pytest.mark.parametrize(
        ("rule", "bill"),
        [
            (percentage(5), {"principal_fen": 0}),
            (percentage(5), {"principal_fen": 9}),
            (percentage(5), {"principal_fen": -100}),
            (vacancy(30), {"vacant_fen": 0}),
            (free_months(11, 1), {"months": Fraction(35, 3)}),
            (free_months(11, 1), {"months": Fraction(0)}),
            (early(5), {}),
        ],
    )
    def test_what_comes_to_nothing_makes_no_line(self, rule, bill):
        assert lines(rule, **bill) == []

    def test_basis_is_what_the_rule_was_applied_to(self):
        found = lines(percentage(5), vacancy(30, id=2), vacant_fen=10000)

        assert [line.basis_fen for line in found] == [21002, 10000]

    @pytest.mark.parametrize("kind", [kind for kind in DiscountKind if kind != "early_payment"])
    def test_a_rule_without_its_fields_is_a_mistake_of_ours(self, kind):
        with pytest.raises(ValueError, match="lacks"):
            lines(make_rule(kind), months=Fraction(12))


class TestInForce:
    @pytest.mark.parametrize(
        ("starts_on", "ends_before", "applies"),
        [
            (MARCH.starts_on, None, True),
            (MARCH.starts_on, date(2025, 3, 2), True),
            (date(2025, 3, 2), None, False),
            (LONG_AGO, MARCH.starts_on, False),
        ],
    )
    def test_on_the_first_day_of_the_period(self, starts_on, ends_before, applies):
        rule = percentage(5, starts_on=starts_on, ends_before=ends_before)

        assert bool(lines(rule)) == applies


class TestStacking:
    def test_goes_by_priority_and_then_id(self):
        found = lines(
            fixed(1, id=3, priority=20), fixed(2, id=2, priority=20), fixed(3, id=9, priority=10)
        )

        assert [line.rule_id for line in found] == [9, 2, 3]

    def test_percentages_are_of_the_original_principal(self):
        assert amounts(percentage(10), percentage(10, id=2), principal_fen=10000) == [-1000, -1000]

    def test_one_that_stands_alone_ends_the_list(self):
        assert amounts(fixed(100, is_stackable=False), fixed(50, id=2)) == [-100]

    def test_one_that_stands_alone_does_not_follow_another(self):
        assert amounts(fixed(100), fixed(50, id=2, is_stackable=False), fixed(7, id=3)) == [
            -100,
            -7,
        ]

    def test_one_that_comes_to_nothing_stops_nobody(self):
        assert amounts(vacancy(30, is_stackable=False), fixed(50, id=2)) == [-50]

    def test_the_last_one_is_cut_to_what_is_left(self):
        found = lines(fixed(20000), fixed(5000, id=2), fixed(1, id=3))

        assert [line.amount_fen for line in found] == [-20000, -1002]
        assert found[1].note == "每张账单减 50.00 元，减到应缴为 0 为止"


class TestCap:
    def test_cuts_a_rule_and_says_so(self):
        [line] = lines(percentage(50, cap_fen=5000))

        assert line.amount_fen == -5000
        assert line.note == "5 折：210.02 元 × 50%，最多减 50.00 元"

    def test_that_is_just_met_is_not_mentioned(self):
        [line] = lines(percentage(50, cap_fen=10501))

        assert line.note == "5 折：210.02 元 × 50%"


class TestEarlyPayment:
    def pay(self, *rules, paid_on=ISSUED_ON, open_fen=21002):
        return early_payment(open_fen=open_fen, issue_date=ISSUED_ON, paid_on=paid_on, rules=rules)

    def test_takes_off_what_is_open(self):
        line = self.pay(early(5))

        assert line is not None
        assert (line.amount_fen, line.basis_fen) == (-1050, 21002)
        assert line.note == "10 天内缴费 9.5 折：210.02 元 × 5%"

    @pytest.mark.parametrize(
        ("paid_on", "applies"),
        [
            (date(2025, 2, 20), True),
            (date(2025, 3, 1), True),
            (date(2025, 3, 10), True),
            (date(2025, 3, 11), False),
        ],
    )
    def test_counts_the_issue_date_as_the_first_day(self, paid_on, applies):
        assert (self.pay(early(5, days=10), paid_on=paid_on) is not None) == applies

    def test_takes_one_rule_by_priority_and_then_id(self):
        rules = [
            early(1, days=30, id=1, priority=50),
            early(2, days=20, id=3, priority=20),
            early(3, days=20, id=2, priority=20),
            early(9, days=2, id=4, priority=1),
        ]

        line = self.pay(*rules, paid_on=date(2025, 3, 15))

        assert line is not None
        assert line.rule_id == 2

    def test_must_be_in_force_when_the_bill_is_issued(self):
        assert self.pay(early(5, starts_on=date(2025, 3, 2)), paid_on=date(2025, 3, 3)) is None
        assert self.pay(early(5, ends_before=date(2025, 3, 2)), paid_on=date(2025, 3, 3))

    def test_is_capped(self):
        line = self.pay(early(50, cap_fen=1000))

        assert line is not None
        assert line.amount_fen == -1000

    @pytest.mark.parametrize("open_fen", [0, 9])
    def test_nothing_off_is_no_line(self, open_fen):
        assert self.pay(early(5), open_fen=open_fen) is None

    def test_other_kinds_do_not_count(self):
        assert self.pay(percentage(5), fixed(100)) is None

    def test_a_rule_without_its_fields_is_a_mistake_of_ours(self):
        with pytest.raises(ValueError, match="lacks"):
            self.pay(make_rule(DiscountKind.EARLY_PAYMENT))


PERCENTS = st.decimals(min_value="0.0001", max_value=100, places=4)
AMOUNTS = st.integers(1, 60000)
COMMON = {
    "priority": st.integers(0, 3),
    "is_stackable": st.booleans(),
    "cap_fen": st.none() | AMOUNTS,
    "starts_on": st.sampled_from([LONG_AGO, MARCH.starts_on + timedelta(days=1)]),
}
RULES = st.lists(
    st.builds(percentage, PERCENTS, **COMMON)
    | st.builds(vacancy, PERCENTS, **COMMON)
    | st.builds(fixed, AMOUNTS, **COMMON)
    | st.builds(free_months, st.integers(1, 12), st.integers(1, 3), **COMMON),
    max_size=5,
).map(lambda rules: [make_rule(**_fields(rule) | {"id": n}) for n, rule in enumerate(rules)])
BILLS = st.fixed_dictionaries(
    {
        "principal_fen": st.integers(0, 50000),
        "vacant_fen": st.integers(0, 50000),
        "months": st.fractions(0, 24, max_denominator=31),
    }
)


def _fields(rule):
    return {name: getattr(rule, name) for name in DiscountRule.__slots__}


class TestDiscount:
    @given(RULES, BILLS)
    def test_takes_off_between_nothing_and_the_whole(self, rules, bill):
        found = lines(*rules, **bill)

        assert -bill["principal_fen"] <= sum(line.amount_fen for line in found) <= 0
        assert all(line.amount_fen < 0 for line in found)

    @given(RULES, BILLS, st.randoms(use_true_random=False))
    def test_does_not_depend_on_the_order_given(self, rules, bill, random):
        mixed = random.sample(rules, len(rules))

        assert lines(*mixed, **bill) == lines(*rules, **bill)

    @given(RULES, BILLS, AMOUNTS, st.data())
    def test_a_cap_never_makes_its_rule_larger(self, rules, bill, cap_fen, data):
        capped = [make_rule(**_fields(rule) | {"cap_fen": None}) for rule in rules]
        if not capped:
            return
        chosen = data.draw(st.sampled_from(capped))
        tighter = [
            make_rule(**_fields(rule) | {"cap_fen": cap_fen}) if rule is chosen else rule
            for rule in capped
        ]

        before, after = lines(*capped, **bill), lines(*tighter, **bill)

        assert _of(chosen, after) <= min(_of(chosen, before), cap_fen)
        assert _total(after) <= _total(before)

    @given(RULES, BILLS)
    def test_only_one_stands_alone(self, rules, bill):
        alone = {rule.id for rule in rules if not rule.is_stackable}
        applied = [line.rule_id for line in lines(*rules, **bill)]

        assert len(applied) == 1 or not alone & set(applied)


def _of(rule, found):
    return sum(-line.amount_fen for line in found if line.rule_id == rule.id)


def _total(found):
    return sum(-line.amount_fen for line in found)
