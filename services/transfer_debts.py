"""Whose debt bills are that come out after their house was sold; a step of publishing."""

from __future__ import annotations

from sqlalchemy import text

from services.unit_of_work import Transaction

_MARK_LATE_BILLS = text(
    """
    INSERT INTO transfer_debt (bill_id, transfer_id)
    SELECT DISTINCT ON (bill.id) bill.id, transfer.id
      FROM bill JOIN house_transfer transfer ON transfer.house_id = bill.house_id
       AND transfer.undone_at IS NULL AND transfer.unpaid = 'seller'
       AND transfer.cut_on >= bill.period_until
     WHERE bill.batch_id = :batch_id AND bill.state = 'published'
     ORDER BY bill.id, transfer.cut_on
    ON CONFLICT DO NOTHING
    """
)


def mark_late_bills(tx: Transaction, batch_id: int) -> None:
    """Make published bills of days before a house was sold the sellers' debt.

    Source: docs/adr/0023.
    """
    tx.session.execute(_MARK_LATE_BILLS, {"batch_id": batch_id})
