from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.money import (
    MAX_FEN,
    NotAnAmount,
    Rounding,
    divide_half_up,
    format_yuan,
    parse_yuan,
    round_half_up,
    show_yuan,
)


class TestRounding:
    @pytest.mark.parametrize(
        ("value", "rounding", "fen"),
        [
            (Fraction("0.5"), Rounding.FEN, 1),
            (Fraction("0.4999999999"), Rounding.FEN, 0),
            (Fraction("2.5"), Rounding.FEN, 3),
            (Fraction("-0.5"), Rounding.FEN, -1),
            (Fraction("-0.49"), Rounding.FEN, 0),
            (Fraction(5), Rounding.JIAO, 10),
            (Fraction("4.99"), Rounding.JIAO, 0),
            (Fraction(50), Rounding.YUAN, 100),
            (Fraction(168403), Rounding.YUAN, 168400),
        ],
    )
    def test_halves_go_away_from_zero(self, value, rounding, fen):
        assert round_half_up(value, rounding) == fen

    @given(st.fractions(), st.sampled_from(Rounding))
    def test_is_within_half_a_step_and_a_multiple_of_it(self, value, rounding):
        rounded = round_half_up(value, rounding)

        assert rounded % rounding.step_fen == 0
        assert abs(rounded - value) * 2 <= rounding.step_fen

    @given(st.fractions())
    def test_is_odd(self, value):
        assert round_half_up(-value) == -round_half_up(value)

    @given(st.integers(), st.integers(min_value=1), st.integers(min_value=1, max_value=9))
    def test_does_not_depend_on_how_the_fraction_is_written(self, numerator, denominator, times):
        assert divide_half_up(numerator * times, denominator * times) == divide_half_up(
            numerator, denominator
        )


class TestYuan:
    @given(st.integers(min_value=0, max_value=MAX_FEN))
    def test_what_is_written_reads_back(self, amount_fen):
        assert parse_yuan(format_yuan(amount_fen)) == amount_fen

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "-1",
            "+1",
            " 1",
            "1 ",
            "1.",
            ".5",
            "1.234",
            "1e3",
            "1_000",
            "1,000",
            "NaN",
            "Infinity",
            "１２",
            "²",
            "1\n",
            "1000000000",
            True,
            None,
            12,
            1.5,
        ],
    )
    def test_refuses_what_is_no_plain_amount(self, text):
        with pytest.raises(NotAnAmount):
            parse_yuan(text)

    @pytest.mark.parametrize(
        ("amount_fen", "shown"),
        [(126000, "¥1,260.00"), (0, "¥0.00"), (-500, "-¥5.00"), (7, "¥0.07")],
    )
    def test_is_shown_as_people_read_it(self, amount_fen, shown):
        assert show_yuan(amount_fen) == shown
