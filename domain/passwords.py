"""What a password must be. No rule on its kinds of characters, and none wears out by age.

Source: NIST SP 800-63B-4, 3.1.1.2 (2025-08): 15 characters where it is the only factor, 8 beside a
second one, and none of a list of common and own words.
"""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Container, Iterable, Iterator

from domain.errors import InvalidInput

LENGTH_ALONE = 15
LENGTH_WITH_SECOND_FACTOR = 8
LENGTH_CAP = 256
"""More makes nothing safer and costs us time."""
PRODUCT_WORDS = ("anju", "安居", "wuye", "物业")
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
"""Read out and typed from paper without doubt: no 0 and o, no 1 and l and i."""
_GROUPS, _GROUP_LENGTH = 4, 5
_NO_LETTER = re.compile(r"[\W_]")
_TAIL = re.compile(r"\A(.*?)[0-9]+\Z", re.DOTALL)
_LOOKALIKES = str.maketrans("013457@$!", "oleastasi")
_RUNS = (
    "1234567890" * 3,
    "0987654321" * 3,
    "abcdefghijklmnopqrstuvwxyz" * 2,
    "zyxwvutsrqponmlkjihgfedcba" * 2,
    "qwertyuiopasdfghjklzxcvbnm" * 2,
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p" * 2,
)
_OWN_WORD_LENGTH = 3
_REST_LENGTH = 8


class WeakPassword(InvalidInput):
    """The password is too short, too long, common, or made of what everybody knows of its owner."""

    code = "weak_password"
    message = "这个密码不够安全，请换一个"


def check_password(
    password: str,
    *,
    has_second_factor: bool,
    own_words: Iterable[str],
    common: Container[str],
) -> None:
    """Refuse a password that can be guessed.

    ``own_words`` are what others know of its owner: login name, name, phone, community.
    ``common`` holds words in lower case.

    Raises:
        WeakPassword: with the reasons.
    """
    shortest = LENGTH_WITH_SECOND_FACTOR if has_second_factor else LENGTH_ALONE
    reasons = []
    if len(password) < shortest:
        reasons.append(f"至少 {shortest} 个字符，可以是几个不相干的词")
    if len(password) > LENGTH_CAP:
        reasons.append(f"最多 {LENGTH_CAP} 个字符")
    elif any(word in common for word in _cores(password)) or _is_run(_plain(password)):
        reasons.append("这是常见的密码")
    elif _is_mostly(password, own_words):
        reasons.append("不能只由姓名、登录名、手机号、小区名或产品名组成")
    if reasons:
        raise WeakPassword(fields={"password": reasons})


def new_one_time_password() -> str:
    """Make a password to hand out: 20 random characters in groups, 99 bits."""
    groups = (
        "".join(secrets.choice(_ALPHABET) for _ in range(_GROUP_LENGTH)) for _ in range(_GROUPS)
    )
    return "-".join(groups)


def _plain(password: str) -> str:
    """Bring a password to what people mean by it: no case, width, spaces or marks."""
    return _NO_LETTER.sub("", _folded(password))


def _folded(password: str) -> str:
    return unicodedata.normalize("NFKC", password).casefold()


def _cores(password: str) -> Iterator[str]:
    """Tell the words that a password is only a dress of."""
    undressed = _NO_LETTER.sub("", _folded(password).translate(_LOOKALIKES))
    for dress in (_plain(password), undressed):
        yield dress
        yield _unit(dress)
        tail = _TAIL.match(dress)
        if tail:
            yield tail[1]
            yield _unit(tail[1])


def _unit(word: str) -> str:
    """Tell what a word repeats, such as ``anju`` of ``anjuanjuanju``; itself if nothing."""
    if not word:
        return word
    length = (word + word).find(word, 1)
    return word[:length]


def _is_run(plain: str) -> bool:
    """Tell keys or signs in their order, and one or two signs over and over."""
    return any(plain in run for run in _RUNS) or len(_unit(plain)) <= 2 or len(set(plain)) <= 3


def _is_mostly(password: str, own_words: Iterable[str]) -> bool:
    rest = _plain(password)
    found = False
    for word in sorted(map(_plain, (*own_words, *PRODUCT_WORDS)), key=len, reverse=True):
        if len(word) >= _OWN_WORD_LENGTH or not word.isascii():
            found = found or (bool(word) and word in rest)
            rest = rest.replace(word, "") if word else rest
    return found and len(rest) < _REST_LENGTH
