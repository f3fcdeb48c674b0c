import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.passwords import (
    LENGTH_CAP,
    WeakPassword,
    check_password,
    new_one_time_password,
)

COMMON = frozenset({"password", "woaini1314", "iloveyou", "qwerty", "anju888", "dragon"})
OWN = ("wangfang", "王芳", "19900000001", "翠湖花园", "CH")
GOOD = "three green ladders"


def reasons(password, *, has_second_factor=False):
    try:
        check_password(password, has_second_factor=has_second_factor, own_words=OWN, common=COMMON)
    except WeakPassword as refusal:
        return refusal.fields["password"]
    return []


class TestLength:
    def test_fifteen_alone(self):
        assert reasons("kq7-mb2-xw9-ruf") == []
        assert "至少 15" in reasons("kq7-mb2-xw9-ru")[0]

    def test_eight_beside_a_second_factor(self):
        assert reasons("kq7mb2xw", has_second_factor=True) == []
        assert "至少 8" in reasons("kq7mb2x", has_second_factor=True)[0]

    def test_at_most_256(self):
        long = "".join(chr(0x4E00 + number) for number in range(LENGTH_CAP))
        assert reasons(long) == []
        assert "最多 256" in reasons(long + "x")[0]

    def test_a_megabyte_is_refused_without_being_looked_at(self):
        assert reasons("x" * 1_000_000) == ["最多 256 个字符"]


class TestNoComposition:
    @pytest.mark.parametrize(
        "password",
        [
            GOOD,
            "correcthorsebatterystaple",
            "我家门前有两棵枣树一棵也是枣树",
            "8305 5172 9941 6620",
        ],
    )
    def test_words_of_one_kind_are_enough(self, password):
        assert reasons(password) == []


class TestCommon:
    @pytest.mark.parametrize(
        "password",
        [
            "password",
            "Password",
            "PASSWORD2026",
            "P@ssw0rd",
            "p-a-s-s-w-o-r-d",
            "ｐａｓｓｗｏｒｄ",
            "passwordpassword",
            "woaini1314woaini1314",
            "WoAiNi1314",
            "iloveyou123456789",
        ],
    )
    def test_in_any_dress(self, password):
        assert "这是常见的密码" in reasons(password, has_second_factor=True)

    @pytest.mark.parametrize(
        "password",
        [
            "1234567890123456",
            "abcdefghijklmnop",
            "qwertyuiopasdfgh",
            "zyxwvutsrqponmlk",
            "aaaaaaaaaaaaaaaa",
            "abababababababab",
            "1112221112221112",
        ],
    )
    def test_runs_and_repeats(self, password):
        assert "这是常见的密码" in reasons(password)


class TestOwnWords:
    @pytest.mark.parametrize(
        "password",
        [
            "wangfang19900000001",
            "王芳王芳王芳王芳王芳王芳王芳1",
            "WangFang-2026!!!",
            "翠湖花园翠湖花园翠湖花园翠湖花园",
            "anju-anju-anju-2026",
            "物业物业物业物业物业物业物业物业",
        ],
    )
    def test_what_others_know_is_no_password(self, password):
        assert "不能只由姓名" in reasons(password)[0] or "常见" in reasons(password)[0]

    def test_one_in_a_longer_whole_is_fine(self):
        assert reasons("wangfang three green ladders") == []


class TestOneTime:
    def test_is_good_and_never_the_same(self):
        made = {new_one_time_password() for _ in range(200)}

        assert len(made) == 200
        for password in made:
            assert re.fullmatch(r"([a-hjkmnp-z2-9]{5}-){3}[a-hjkmnp-z2-9]{5}", password)
            assert reasons(password) == []


@given(st.text(max_size=300))
def test_any_text_is_taken_or_refused_with_a_reason(password):
    for reason in reasons(password):
        assert re.search("[一-鿿]", reason)
