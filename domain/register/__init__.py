"""The personal data register: every column that tells of a person, why it is held and how long.

A new column of text, JSON, addresses or files stands here or on the reviewed list of
tests/architecture/test_personal_data.py, or that test fails.
"""

from __future__ import annotations

from collections.abc import Iterator

from domain.personal_data import Held
from domain.register.accounts import ACCOUNTS
from domain.register.money import MONEY
from domain.register.people import PEOPLE
from domain.register.repairs import REPAIRS
from domain.register.work import WORK

REGISTER: tuple[Held, ...] = (*ACCOUNTS, *PEOPLE, *MONEY, *WORK, *REPAIRS)
HEADINGS = (
    "数据",
    "内容",
    "谁的",
    "类别",
    "用途",
    "依据",
    "保存多久",
    "注销账号时",
    "是否在副本中",
)


def rows_of(register: tuple[Held, ...] = REGISTER) -> Iterator[tuple[str, ...]]:
    """Tell each line in the words of `HEADINGS`."""
    for held in register:
        yield (
            f"{held.title} `{held.table}`",
            "、".join(f"{words} `{column}`" for column, words in held.columns.items()),
            held.whose,
            held.category,
            held.why,
            held.basis,
            held.kept,
            held.on_deletion,
            "是" if held.exported else f"否：{held.unexported}",
        )


def as_markdown(register: tuple[Held, ...] = REGISTER) -> str:
    """Write the register as the table of docs/privacy.md."""
    lines = [HEADINGS, ("---",) * len(HEADINGS), *rows_of(register)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
