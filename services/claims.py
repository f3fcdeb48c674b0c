"""Work that is due by a row of its own: claimed one at a time, so that nobody does it twice."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from sqlalchemy import TextClause, text

from services.unit_of_work import UnitOfWork

CLAIM_LIFE = timedelta(seconds=40)
"""Longer than query, close and query again may take; a worker that died is made up for after it."""
_AT_ONCE = 500
"""So many are looked at before the timetable has its next turn."""


def claim_of(table: str) -> TextClause:
    """Write the statement that claims the row of a table which has been due the longest."""
    return text(
        f"""
        UPDATE {table} SET query_at = :until, query_count = query_count + 1
         WHERE id = (SELECT id FROM {table} WHERE query_at <= :now
                      ORDER BY query_at LIMIT 1 FOR UPDATE SKIP LOCKED)
        RETURNING id
        """  # noqa: S608 - the table is named by our own modules
    )


def claim_each(unit_of_work: UnitOfWork, claim: TextClause) -> Iterator[int]:
    """Claim rows that are due, one by one, each in a transaction that ends before it is given out.

    Whoever dies over a row leaves it due again after `CLAIM_LIFE`.
    """
    for _ in range(_AT_ONCE):
        row_id = unit_of_work.run(
            lambda tx: tx.session.scalar(claim, {"now": tx.now, "until": tx.now + CLAIM_LIFE})
        )
        if row_id is None:
            return
        yield row_id
