from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.message_fields import fit_field
from domain.messages import MESSAGES, URGENT_KINDS, MessageKind, is_quiet, morning_after

PREFIXES = ("thing", "phrase", "name", "letter", "character_string", "time", "amount", "number")
LIMITS = {"thing": 20, "phrase": 5, "name": 20, "letter": 32, "character_string": 32}


def at(hour, minute=0, day=25):
    """Beijing time as UTC."""
    return datetime(2026, 11, day, (hour - 8) % 24, minute, tzinfo=UTC).replace(
        day=day if hour >= 8 else day - 1
    )


class TestFitField:
    @pytest.mark.parametrize(
        ("key", "value", "fitted"),
        [
            ("phrase2", "已派工完成了吗", "已派工完成"),
            ("phrase2", "OK", "无"),
            ("character_string4", "收据CH-2026-01", "CH-2026-01"),
            ("character_string4", "ＡＢ１２", "AB12"),
            ("character_string4", "收据", "-"),
            ("character_string4", "1" * 40, "1" * 32),
            ("name1", "欧阳" * 6, "欧阳" * 5),
            ("name1", "Alexander Hamilton Jr", "Alexander Hamilton J"),
            ("time3", "2026年12月1日 23:59 ~ 2026年12月2日 23:59", None),
            ("amount3", "1234567890.12", "¥1234567890.12"),
            ("thing1", "👨‍👩‍👧" * 9, None),
        ],
    )
    def test_by_the_prefix(self, key, value, fitted):
        if key.startswith("thing"):
            assert len(fit_field(key, value)) == 20
        else:
            assert fit_field(key, value) == (value if fitted is None else fitted)

    @given(st.sampled_from(PREFIXES), st.text(max_size=200))
    def test_is_never_empty_nor_broken_nor_too_long(self, prefix, value):
        fitted = fit_field(f"{prefix}1", value)

        assert fitted.strip()
        assert "\n" not in fitted
        assert "\r" not in fitted
        if prefix in LIMITS:
            assert len(fitted) <= LIMITS[prefix]

    @given(st.text(max_size=200))
    def test_a_character_string_holds_no_character(self, value):
        assert fit_field("character_string1", value).isascii()


class TestQuietHours:
    @pytest.mark.parametrize(
        ("instant", "quiet"),
        [
            (at(22), True),
            (at(23, 59), True),
            (at(0), True),
            (at(7, 59), True),
            (at(8), False),
            (at(21, 59), False),
        ],
    )
    def test_from_ten_to_eight(self, instant, quiet):
        assert is_quiet(instant) is quiet

    @pytest.mark.parametrize(
        ("instant", "morning"),
        [(at(22), at(8, day=26)), (at(3), at(8)), (at(7, 59), at(8)), (at(8), at(8, day=26))],
    )
    def test_the_next_morning(self, instant, morning):
        assert morning_after(instant) == morning

    def test_codes_pass(self):
        assert {MessageKind.LOGIN_CODE, MessageKind.PASSWORD_RESET} <= set(URGENT_KINDS)
        assert MessageKind.BILL_OVERDUE not in URGENT_KINDS


class TestShapes:
    @pytest.mark.parametrize("kind", MessageKind)
    def test_a_page_has_no_leading_slash(self, kind):
        assert not MESSAGES[kind].page.startswith("/")
        assert bool(MESSAGES[kind].page) == bool(MESSAGES[kind].subscribe_fields)

    @pytest.mark.parametrize("kind", MessageKind)
    def test_what_is_secret_goes_by_no_template(self, kind):
        shape = MESSAGES[kind]
        assert not (shape.is_secret and (shape.template_fields or shape.subscribe_fields))
