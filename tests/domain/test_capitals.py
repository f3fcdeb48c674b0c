"""Amounts in capitals: the published examples, and every amount can be read back."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain.capitals import in_capitals
from domain.money import MAX_FEN

DIGITS = {word: value for value, word in enumerate("零壹贰叁肆伍陆柒捌玖")}
UNITS = {"拾": 10, "佰": 100, "仟": 1000}


def read_whole(words):
    """Whole yuan of words: each 万 and 亿 closes the group before it."""
    total, group, digit = 0, 0, 0
    for word in words:
        if word in DIGITS:
            digit = DIGITS[word]
        elif word in UNITS:
            group, digit = group + digit * UNITS[word], 0
        else:
            total += (group + digit) * {"万": 10**4, "亿": 10**8}[word]
            group, digit = 0, 0
    return total + group + digit


def read_back(words):
    """The amount in fen that words name."""
    found = re.fullmatch(r"(?:([^元角分整]+)元)?零?(?:(.)角)?(?:(.)分)?整?", words)
    yuan, jiao, fen = found.groups()
    return read_whole(yuan or "") * 100 + DIGITS[jiao or "零"] * 10 + DIGITS[fen or "零"]


class TestInCapitals:
    @pytest.mark.parametrize(
        ("amount_fen", "words"),
        [
            # The examples of the rules themselves, where they leave no choice or ours is one.
            (140950, "壹仟肆佰零玖元伍角"),
            (600714, "陆仟零柒元壹角肆分"),
            (168032, "壹仟陆佰捌拾元零叁角贰分"),
            (10700053, "壹拾万柒仟元零伍角叁分"),
            (1640902, "壹万陆仟肆佰零玖元零贰分"),
            (32504, "叁佰贰拾伍元零肆分"),
        ],
    )
    def test_as_the_rules_show(self, amount_fen, words):
        assert in_capitals(amount_fen) == words

    @pytest.mark.parametrize(
        ("amount_fen", "words"),
        [
            (0, "零元整"),
            (1, "壹分"),
            (10, "壹角"),
            (99, "玖角玖分"),
            (100, "壹元整"),
            (101, "壹元零壹分"),
            (110, "壹元壹角"),
            (1000, "壹拾元整"),
            (1001, "壹拾元零壹分"),
            (1010, "壹拾元零壹角"),
            (1100, "壹拾壹元整"),
            (126000, "壹仟贰佰陆拾元整"),
            (100508, "壹仟零伍元零捌分"),
            (1000000, "壹万元整"),
            (1000100, "壹万零壹元整"),
            (1050000, "壹万零伍佰元整"),
            (1500000, "壹万伍仟元整"),
            (10500000, "壹拾万伍仟元整"),
            (10050000, "壹拾万零伍佰元整"),
            (100000000, "壹佰万元整"),
            (1005000000, "壹仟零伍万元整"),
            (10000000000, "壹亿元整"),
            (10000000001, "壹亿元零壹分"),
            (10000000100, "壹亿零壹元整"),
            (10000500000, "壹亿零伍仟元整"),
            (10005000000, "壹亿零伍万元整"),
            (10005000100, "壹亿零伍万零壹元整"),
            (15000000000, "壹亿伍仟万元整"),
            (MAX_FEN, "玖亿玖仟玖佰玖拾玖万玖仟玖佰玖拾玖元玖角玖分"),
        ],
    )
    def test_zeros_and_groups(self, amount_fen, words):
        assert in_capitals(amount_fen) == words

    @given(st.integers(0, MAX_FEN))
    @example(10000000010)
    @example(70000000)
    def test_can_be_read_back(self, amount_fen):
        words = in_capitals(amount_fen)

        assert read_back(words) == amount_fen
        assert "零零" not in words

    @given(st.integers(0, MAX_FEN))
    def test_only_whole_yuan_end_with_the_closing_word(self, amount_fen):
        assert in_capitals(amount_fen).endswith("整") == (amount_fen % 100 == 0)

    @pytest.mark.parametrize("amount", [-1, MAX_FEN + 1, True, 1.0, "1"])
    def test_is_no_amount(self, amount):
        with pytest.raises(ValueError, match="no amount"):
            in_capitals(amount)
