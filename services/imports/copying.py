"""Rows for COPY: values as its text format wants them, and ids before there are rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import text

from services.unit_of_work import Transaction

_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
_NEXT_IDS = text(
    "SELECT array_agg(nextval(CAST(:sequence AS regclass))) FROM generate_series(1, :count)"
)


def copy_line(values: Sequence[Any]) -> str:
    """Write one row for `Transaction.copy_text`; nothing that a value holds can end it early."""
    return "\t".join([_as_text(value) for value in values]) + "\n"


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        is_plain = "\\" not in value and value.isprintable()
        return value if is_plain else value.translate(_ESCAPES)
    if value is None:
        return "\\N"
    return str(value)


def take_ids(tx: Transaction, table: str, count: int) -> list[int]:
    """Take so many ids of a table; those of a transaction that fails are never used."""
    if not count:
        return []
    found = tx.session.execute(_NEXT_IDS, {"sequence": f"{table}_id_seq", "count": count})
    return list(found.scalar_one())
