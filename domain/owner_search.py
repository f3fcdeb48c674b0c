"""Reading what people type to find an owner: names, letters, parts of phones, houses, mixed."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum

from domain.errors import InvalidInput

TEXT_LIMIT = 60
_WORDS_LIMIT = 6
_SHORTEST_PHONE_PART = 3
_PHONE_DIGITS = 11
_BREAKS = re.compile(r"[\s,，、;；]+")
_RUNS = re.compile(r"[0-9]+|[a-z]+|[^0-9a-z\W_]+")
_HOUSE_MARKS = re.compile(r"号楼|单元|[栋幢座楼室号#/\-~—]")


class BindingFilter(StrEnum):
    """Whether somebody is bound by an owner."""

    BOUND = "bound"
    NOT_BOUND = "not_bound"
    PENDING = "pending"


BINDING_SHOWN = {
    BindingFilter.BOUND: "已绑定",
    BindingFilter.NOT_BOUND: "未绑定",
    BindingFilter.PENDING: "待审核",
}


@dataclass(frozen=True, slots=True)
class HouseWords:
    """A house as it was typed: a room alone, with its building, or with its unit too."""

    room: str
    unit: str = ""
    building: str = ""


@dataclass(frozen=True, slots=True)
class SearchWords:
    """What was typed, by kind; every single one must match."""

    names: tuple[str, ...] = ()
    letters: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    houses: tuple[HouseWords, ...] = ()


def read_search(text: str) -> SearchWords:
    """Read a search: full width becomes half, case and separators do not matter.

    ``王五 138`` is a name and a part of a phone, ``wangwu`` and ``ww`` are letters of a name,
    ``3-1-502`` and ``3栋502`` are houses.

    Raises:
        InvalidInput: too long, more than six words, or a number too short for a phone.
    """
    plain = _fold(text)
    if len(plain) > TEXT_LIMIT:
        raise InvalidInput(fields={"text": [f"请在 {TEXT_LIMIT} 个字以内"]})
    words = [word for word in _BREAKS.split(plain) if word]
    if len(words) > _WORDS_LIMIT:
        raise InvalidInput(fields={"text": [f"最多 {_WORDS_LIMIT} 个词"]})
    names: list[str] = []
    letters: list[str] = []
    phones: list[str] = []
    houses: list[HouseWords] = []
    for word in words:
        if _is_house(word):
            houses.append(read_house(word))
            continue
        for run in _RUNS.findall(_without_marks_of_phone(word)):
            kind = phones if run[0].isdigit() else letters if run.isascii() else names
            kind.append(run)
    if any(len(part) < _SHORTEST_PHONE_PART for part in phones):
        raise InvalidInput(fields={"text": [f"手机号至少输入 {_SHORTEST_PHONE_PART} 位数字"]})
    return SearchWords(tuple(names), tuple(letters), tuple(phones), tuple(houses))


def read_house(text: str) -> HouseWords:
    """Read a house as people type it: ``502``, ``3-502``, ``3-1-502``, ``3栋1单元502室``.

    Raises:
        InvalidInput: nothing of a house is in it.
    """
    plain = _fold(text).replace(" ", "")
    parts = [part for part in _HOUSE_MARKS.split(plain) if part]
    if not parts or len(plain) > TEXT_LIMIT or len(parts) > 3:
        raise InvalidInput(fields={"house": ["请输入房号，例如 3-1-502 或 502"]})
    if len(parts) == 3:
        return HouseWords(parts[2], parts[1], parts[0])
    if len(parts) == 2:
        return HouseWords(parts[1], "", parts[0])
    return HouseWords(parts[0])


def _fold(text: str) -> str:
    return unicodedata.normalize("NFKC", text).strip().lower()


def _is_house(word: str) -> bool:
    has_number = any(character.isdigit() for character in word)
    return bool(has_number and _HOUSE_MARKS.search(word) and word == _without_marks_of_phone(word))


def _without_marks_of_phone(word: str) -> str:
    """Bring ``138-0000-0001`` and ``+86138…`` to digits; leave everything else."""
    digits = word.removeprefix("+86").replace("-", "")
    return digits if digits.isdigit() and len(digits) == _PHONE_DIGITS else word
