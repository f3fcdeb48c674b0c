"""The maintained summary of bills: kept by triggers as changes, folded into sums by a job.

What a page reads is always the sums and the changes together, in one statement, and so exact.
"""

from __future__ import annotations

from sqlalchemy import Subquery, select, text, union_all

from models import CollectionChange, CollectionSummary
from services.unit_of_work import Transaction

_FOLD = text(
    """
    WITH folded AS (
        DELETE FROM collection_change
        RETURNING community_id, period_month, building_id, fee_item_id, due_date, bill_count,
                  receivable_fen, received_fen, written_off_fen),
    added AS (
        INSERT INTO collection_summary AS kept
               (community_id, period_month, building_id, fee_item_id, due_date, bill_count,
                receivable_fen, received_fen, written_off_fen)
        SELECT community_id, period_month, building_id, fee_item_id, due_date,
               sum(bill_count), sum(receivable_fen), sum(received_fen), sum(written_off_fen)
          FROM folded GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
        ON CONFLICT (community_id, period_month, building_id, fee_item_id, due_date)
        DO UPDATE SET bill_count = kept.bill_count + excluded.bill_count,
                      receivable_fen = kept.receivable_fen + excluded.receivable_fen,
                      received_fen = kept.received_fen + excluded.received_fen,
                      written_off_fen = kept.written_off_fen + excluded.written_off_fen)
    SELECT count(*) FROM folded
    """
)


def fold(tx: Transaction) -> int:
    """Add all changes to the sums, delete them, and return how many there were.

    Readers and payments go on meanwhile; a second fold waits for the first.
    """
    tx.hold("fold_summary")
    return int(tx.session.execute(_FOLD).scalar_one())


def maintained(community_id: int) -> Subquery:
    """Give the facts of a community's bills as sums: see `services.reports.facts`.

    Rows of the same keys may occur many times: whoever reads adds up.
    """
    parts = [
        select(
            table.period_month,
            table.building_id,
            table.fee_item_id,
            table.due_date,
            table.receivable_fen,
            table.received_fen,
            table.written_off_fen,
        ).where(table.community_id == community_id)
        for table in (CollectionSummary, CollectionChange)
    ]
    return union_all(*parts).subquery("facts")
