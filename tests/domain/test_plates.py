import pytest

from domain.plates import tidy_plate


@pytest.mark.parametrize(
    ("typed", "plate"),
    [
        ("粤B96741", "粤B96741"),
        ("粤b·96741", "粤B96741"),
        ("粤 B 96741", "粤B96741"),
        ("粤Ｂ９６７４１", "粤B96741"),
        ("粤B-96741", "粤B96741"),
        ("粤BD12345", "粤BD12345"),
        ("粤BDA1234", "粤BDA1234"),
        ("粤B12345F", "粤B12345F"),
        ("粤Z1234港", "粤Z1234港"),
        ("粤B1234学", "粤B1234学"),
    ],
)
def test_a_plate_is_tidied(typed, plate):
    assert tidy_plate(typed) == plate


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "96741",
        "粤B9674",
        "粤B967411",
        "粤O12345",
        "粤BI2345",
        "B粤96741",
        "粤B96741粤B96742",
        "无",
    ],
)
def test_what_is_no_plate_is_none(typed):
    assert tidy_plate(typed) is None
