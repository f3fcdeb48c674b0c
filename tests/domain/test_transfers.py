from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.periods import Span
from domain.transfers import Parting, SharesDoNotAddUp, check_shares, part_bill

OCTOBER = Span(date(2026, 10, 1), date(2026, 11, 1))
FIRST = date(2026, 1, 1)


class TestPartBill:
    @pytest.mark.parametrize(
        ("amount_fen", "day", "parting"),
        [
            (21002, 15, Parting(14, 17, 9485, 11517)),
            (3100, 2, Parting(1, 30, 100, 3000)),
            (3100, 31, Parting(30, 1, 3000, 100)),
            (1, 15, Parting(14, 17, 0, 1)),
            (0, 15, Parting(14, 17, 0, 0)),
        ],
    )
    def test_by_days(self, amount_fen, day, parting):
        assert part_bill(amount_fen, OCTOBER, date(2026, 10, day)) == parting

    def test_of_equal_remainders_the_odd_fen_is_the_sellers(self):
        period = Span(FIRST, FIRST + timedelta(days=2))

        assert part_bill(101, period, FIRST + timedelta(days=1)) == Parting(1, 1, 51, 50)

    @pytest.mark.parametrize("cut_on", [OCTOBER.starts_on, OCTOBER.ends_before, FIRST])
    def test_a_day_that_is_not_inside_parts_nothing(self, cut_on):
        assert part_bill(21002, OCTOBER, cut_on) is None

    @given(
        amount_fen=st.integers(0, 10**13),
        seller_days=st.integers(1, 400),
        buyer_days=st.integers(1, 400),
    )
    def test_the_parts_add_up_and_are_within_a_fen_of_exact(
        self, amount_fen, seller_days, buyer_days
    ):
        period = Span(FIRST, FIRST + timedelta(days=seller_days + buyer_days))

        parting = part_bill(amount_fen, period, FIRST + timedelta(days=seller_days))

        assert parting.seller_days == seller_days
        assert parting.buyer_days == buyer_days
        assert parting.seller_fen + parting.buyer_fen == amount_fen
        assert abs(parting.seller_fen * period.days - amount_fen * seller_days) < period.days


class TestShares:
    @pytest.mark.parametrize(
        "shares",
        [[], [None], [None, None], ["1"], ["0.6", "0.4"], ["0.6", None], ["1", None]],
    )
    def test_that_can_be(self, shares):
        check_shares([share and Decimal(share) for share in shares])

    @pytest.mark.parametrize("shares", [["0.9"], ["0.6", "0.5"], ["0.33333333"] * 3, ["1.1", None]])
    def test_that_cannot(self, shares):
        with pytest.raises(SharesDoNotAddUp) as refusal:
            check_shares([share and Decimal(share) for share in shares])

        assert "应等于 1" in refusal.value.fields["share_ratio"][0]
