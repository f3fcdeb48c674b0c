"""Gapless numbers per community and series, taken in the transaction that uses them."""

from __future__ import annotations

from sqlalchemy import text

from services.unit_of_work import Transaction

_TAKE = text(
    "INSERT INTO number_series (community_id, series, last_number)"
    " VALUES (:community_id, :series, :count)"
    " ON CONFLICT (community_id, series)"
    " DO UPDATE SET last_number = number_series.last_number + :count"
    " RETURNING last_number"
)


def take_numbers(tx: Transaction, *, community_id: int, series: str, count: int = 1) -> int:
    """Take ``count`` numbers in a row and return the first; the series is locked until commit.

    With a count of 0 it tells which number comes next.

    A rollback gives them back, so no number is ever missing.
    """
    last = tx.session.execute(
        _TAKE, {"community_id": community_id, "series": series, "count": count}
    ).scalar_one()
    return int(last) - count + 1
