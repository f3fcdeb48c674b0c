from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.shares import NothingToShareOver, split


class TestGoldenVectors:
    """Source: domain.md D15."""

    def test_over_three_equal(self):
        assert split(10000, {1: 1, 2: 1, 3: 1}) == {1: 3334, 2: 3333, 3: 3333}

    def test_over_areas(self):
        areas = {1: Decimal("89.37"), 2: Decimal("120.15"), 3: Decimal("66.48")}

        assert split(10000, areas) == {1: 3238, 2: 4353, 3: 2409}

    def test_over_shares(self):
        assert split(21001, {1: 50, 2: 30, 3: 20}) == {1: 10501, 2: 6300, 3: 4200}

    def test_over_thirteen_hundred_equal(self):
        shares = split(10000, dict.fromkeys(range(1, 1301), 1))

        assert set(shares.values()) == {7, 8}
        assert sum(shares.values()) == 10000


WEIGHTS = st.dictionaries(
    st.integers(1, 10**9),
    st.one_of(st.integers(0, 10**6), st.decimals(min_value=0, max_value=10**6, places=4)),
    min_size=1,
    max_size=40,
).filter(lambda weights: any(weights.values()))
TOTALS = st.integers(0, 10**11)


class TestSplit:
    @given(TOTALS, WEIGHTS)
    def test_adds_up_to_the_total(self, total_fen, weights):
        assert sum(split(total_fen, weights).values()) == total_fen

    @given(TOTALS, WEIGHTS)
    def test_each_is_within_one_fen_of_its_exact_share(self, total_fen, weights):
        whole = sum(Fraction(weight) for weight in weights.values())

        for id_, share_fen in split(total_fen, weights).items():
            assert abs(share_fen - total_fen * Fraction(weights[id_]) / whole) < 1

    @given(TOTALS, WEIGHTS, st.randoms(use_true_random=False))
    def test_the_order_of_the_weights_does_not_matter(self, total_fen, weights, random):
        shuffled = list(weights.items())
        random.shuffle(shuffled)

        assert list(split(total_fen, dict(shuffled)).items()) == list(
            split(total_fen, weights).items()
        )

    @given(TOTALS, WEIGHTS, st.integers(1, 1000))
    def test_only_proportions_matter(self, total_fen, weights, factor):
        scaled = {id_: weight * factor for id_, weight in weights.items()}

        assert split(total_fen, scaled) == split(total_fen, weights)

    @given(TOTALS, WEIGHTS)
    def test_the_larger_weight_never_pays_less(self, total_fen, weights):
        shares = split(total_fen, weights)
        by_weight = sorted(shares, key=lambda id_: (weights[id_], -id_))

        assert [shares[id_] for id_ in by_weight] == sorted(shares.values())

    def test_ties_go_to_the_smaller_id_whatever_the_order(self):
        assert split(2, {30: 1, 7: 1, 12: 1}) == {7: 1, 12: 1, 30: 0}

    def test_the_larger_remainder_goes_before_the_smaller_id(self):
        assert split(1, {1: 1, 2: 2}) == {1: 0, 2: 1}

    def test_weight_zero_gets_no_entry(self):
        assert split(100, {1: Decimal("0.0000"), 2: 0, 3: Decimal("0.5")}) == {3: 100}

    def test_nothing_is_shared_as_nothing(self):
        assert split(0, {1: 1, 2: 1}) == {1: 0, 2: 0}

    @pytest.mark.parametrize("weights", [{}, {1: 0}, {1: Decimal(0), 2: 0}])
    def test_without_a_positive_weight_there_is_nobody_to_pay(self, weights):
        with pytest.raises(NothingToShareOver):
            split(100, weights)

    def test_a_negative_weight_or_total_is_a_mistake_of_ours(self):
        with pytest.raises(ValueError, match="weight"):
            split(100, {1: 5, 2: Decimal("-0.1")})
        with pytest.raises(ValueError, match="-1 fen"):
            split(-1, {1: 5})

    def test_a_hundred_thousand_houses_are_shared_over(self):
        weights = {id_: Decimal(id_ % 9973 + 1).scaleb(-4) for id_ in range(100_000)}

        assert sum(split(12_345_678_901, weights).values()) == 12_345_678_901
