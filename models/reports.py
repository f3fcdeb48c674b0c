"""The maintained summary that report pages read: sums, and the changes not yet folded in."""

from __future__ import annotations

from datetime import date

from sqlalchemy import BigInteger, Index
from sqlalchemy.orm import Mapped, mapped_column

from models.base import BigId, Fen, Model


class CollectionSummary(Model):
    """Receivable and received of the published bills that share all of these keys.

    ``period_month`` is the first of the month in which the period begins. No references: it is
    derived from `Bill`, and `flask verify ledger` compares the two.
    """

    __tablename__ = "collection_summary"

    community_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    period_month: Mapped[date] = mapped_column(primary_key=True)
    building_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    fee_item_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    due_date: Mapped[date] = mapped_column(primary_key=True)
    bill_count: Mapped[int] = mapped_column(BigInteger)
    receivable_fen: Mapped[Fen]
    received_fen: Mapped[Fen]
    written_off_fen: Mapped[Fen]


class CollectionChange(Model):
    """A change of the summary, written with what caused it; folded in and deleted by a job.

    Appending never waits for another payment, as an update of one row of sums would.
    """

    __tablename__ = "collection_change"
    __table_args__ = (Index("ix_collection_change_community_id", "community_id"),)

    id: Mapped[BigId]
    community_id: Mapped[int] = mapped_column(BigInteger)
    period_month: Mapped[date]
    building_id: Mapped[int] = mapped_column(BigInteger)
    fee_item_id: Mapped[int] = mapped_column(BigInteger)
    due_date: Mapped[date]
    bill_count: Mapped[int] = mapped_column(BigInteger)
    receivable_fen: Mapped[Fen]
    received_fen: Mapped[Fen]
    written_off_fen: Mapped[Fen]
