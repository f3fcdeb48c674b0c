import pytest

from domain.people import mask_name


@pytest.mark.parametrize(
    ("name", "shown"),
    [("王五", "王*"), ("欧阳娜娜", "欧***"), ("李", "*"), (" 王五 ", "王*"), ("", ""), ("  ", "")],
)
def test_only_the_first_character_is_shown(name, shown):
    assert mask_name(name) == shown
