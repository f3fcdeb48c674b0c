"""Columns of base data at the shell: named by ``--set 列=值``, and shown one a line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal

import click

from domain.charges import trim
from domain.errors import InvalidInput
from domain.field_words import FIELD_SHOWN

set_columns = click.option(
    "--set",
    "sets",
    multiple=True,
    metavar="列=值",
    help="列名用中文或英文，例如 建筑面积=92.10；值留空即清除。可多次。",
)
reason_option = click.option("--reason", default="", help="原因；影响账单的修改必填，200 字以内。")
needed_reason = click.option("--reason", required=True, help="原因，记录在案，200 字以内。")


def read_sets(sets: Iterable[str], columns: Iterable[str]) -> dict[str, object]:
    """Read ``列=值`` pairs of some columns, named in Chinese or as they are in the database.

    Raises:
        InvalidInput: a pair has no sign, names none of the columns, or one of them twice.
    """
    names = {FIELD_SHOWN.get(column, column): column for column in columns}
    names |= {column: column for column in columns}
    found: dict[str, object] = {}
    for pair in sets:
        name, sign, value = pair.partition("=")
        column = names.get(name.strip())
        if not sign or column is None:
            raise InvalidInput(f"看不懂 {pair}，应为 列=值，可用的列：{'、'.join(_shown(columns))}")
        if column in found:
            raise InvalidInput(f"{name.strip()} 写了两次")
        found[column] = value.strip()
    return found


def seen_in(view: object, changes: Mapping[str, object]) -> dict[str, object]:
    """Tell what the columns that change are in a view that was read just now."""
    return {column: getattr(view, column) for column in changes}


def tell_columns(view: object, columns: Iterable[str]) -> None:
    """Show columns of a view, one a line; empty ones are left out."""
    for column in columns:
        value = getattr(view, column)
        if value not in (None, ""):
            click.echo(f"  {FIELD_SHOWN.get(column, column)}：{show_value(value)}")


def show_value(value: object) -> str:
    """Write a value for people: nothing is a dash, decimals are plain."""
    if isinstance(value, Decimal):
        return trim(value)
    if isinstance(value, date):
        return value.isoformat()
    return "—" if value in (None, "") else str(value)


def _shown(columns: Iterable[str]) -> list[str]:
    return [FIELD_SHOWN.get(column, column) for column in columns]
