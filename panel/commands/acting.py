"""What all commands share: who acts, on which community, and how a refusal is told."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import wraps
from pathlib import Path
from typing import Any, NoReturn, ParamSpec, TypeVar

import click
from flask import current_app

from domain.actors import Actor, operator
from domain.errors import InvalidInput, NotAllowed, PropertyError
from domain.sheets import Problem
from panel.commands.wording import say_fields, say_who_may
from services import assembly

P = ParamSpec("P")
R = TypeVar("R")

_PROBLEMS_SHOWN = 50
_NOT_UTF_8 = re.compile("[\ud800-\udfff]")
"""What Python makes of bytes on the command line that are not UTF-8."""


class InYears(click.DateTime):
    """A day or a month within some years: outside of them dates cannot be reckoned with."""

    def __init__(self, form: str, years: range, meant: str) -> None:
        super().__init__([form])
        self._years, self._meant = years, meant

    def convert(self, value: Any, param: Any, ctx: Any) -> datetime:
        """Read it and look at its year."""
        try:
            day: datetime = super().convert(value, param, ctx)
        except click.BadParameter:
            self.fail(self._meant, param, ctx)
        if day.year not in self._years:
            self.fail(f"年份应在 {self._years[0]} 至 {self._years[-1]} 之间", param, ctx)
        return day


class NewFile(click.Path):
    """A file to write, in a folder that is there."""

    def __init__(self) -> None:
        super().__init__(dir_okay=False, writable=True, path_type=Path)

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """Look for the folder before anything is reckoned."""
        folder = Path(value).parent
        if not os.path.isdir(folder):  # Path.is_dir raises at a name too long
            self.fail(f"没有文件夹 {click.format_filename(folder)}", param, ctx)
        return super().convert(value, param, ctx)


DAY_YEARS = range(1950, 3000)
DAY = InYears("%Y-%m-%d", DAY_YEARS, "应为日期，例如 2026-09-15")
MONTH = InYears("%Y-%m", range(2000, 3000), "应为月份，例如 2026-09")
NEW_FILE = NewFile()
ROW_ID = click.IntRange(1, 2**63 - 1)
as_staff = click.option(
    "--as", "login_name", required=True, metavar="登录名", help="以哪位员工的身份操作。"
)
as_staff_or_operator = click.option(
    "--as",
    "login_name",
    default=None,
    metavar="登录名",
    help="以哪位员工的身份操作；不写则记为命令行操作员。",
)
in_community = click.option(
    "--community", "code", required=True, metavar="编号", help="小区编号或名称，例如 CH。"
)


def find_services() -> assembly.Services:
    """Find the services of this app."""
    app: Any = current_app
    return assembly.of(app)


def telling(command: Callable[P, R]) -> Callable[P, R]:
    """End with exit code 1 and a sentence when a use-case refuses."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        if any(_is_not_utf_8(value) for value in kwargs.values()):
            give_up("参数中有不是 UTF-8 的字符，请检查终端的编码")
        try:
            return command(*args, **kwargs)
        except InvalidInput as error:
            give_up("\n  ".join([error.message, *say_fields(error.fields)]))
        except NotAllowed as error:
            give_up(error.message + say_who_may(error.permission))
        except PropertyError as error:
            give_up(error.message)

    return run


def _is_not_utf_8(value: object) -> bool:
    if isinstance(value, tuple):
        return any(map(_is_not_utf_8, value))
    return isinstance(value, str | Path) and _NOT_UTF_8.search(str(value)) is not None


def give_up(message: str) -> NoReturn:
    """Say why it did not work and end with exit code 1."""
    click.secho(f"没有完成：{message}", fg="red", err=True)
    sys.exit(1)


def save_file(path: Path, content: bytes) -> None:
    """Write a file that was asked for and say so, or give up."""
    try:
        path.write_bytes(content)
    except OSError as error:
        give_up(f"不能写入文件 {path}（{error.strerror}）")
    click.echo(f"已保存 {path}（{len(content):,} 字节）")


def progress_bar(label: str) -> Callable[[int, int], None]:
    """Make a callback that shows how far a long command is."""

    def show(done: int, total: int) -> None:
        end = "\n" if done >= total else "\r"
        click.echo(f"{label} {done}/{total}", nl=False)
        click.echo(end, nl=False)

    return show


def tell_problems(problems: Sequence[Problem]) -> None:
    """Say where a sheet is wrong and why; of very many problems only the first."""
    for problem in problems[:_PROBLEMS_SHOWN]:
        click.echo(
            f"  第 {problem.row} 行 {problem.column}“{problem.value}”："
            f"{problem.why}。{problem.suggestion}"
        )
    if len(problems) > _PROBLEMS_SHOWN:
        click.echo(f"  ……还有 {len(problems) - _PROBLEMS_SHOWN} 处")


def act_as(login_name: str | None) -> Actor:
    """Become the member of staff, or the operator who holds this shell.

    Raises:
        NotFound: nobody active has this login name.
    """
    if login_name is None:
        return operator()
    return find_services().staff.act_as(login_name=login_name)


def find_actor_and_community(login_name: str | None, code: str) -> tuple[Actor, int]:
    """Tell who acts and the id of the community that is meant."""
    found = find_services()
    actor = act_as(login_name)
    return actor, found.estate.show_community(actor=actor, code=code).id
