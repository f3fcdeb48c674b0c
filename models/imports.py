"""Workbooks that clerks handed in and how far they got."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import BigId, Instant, Model, Words, one_of

IMPORT_STATES = ("importing", "finished", "failed")


class ImportBatch(Model):
    """One committed import of one sheet; dry runs leave no row.

    ``problems`` is a list of ``{row, column, value, why, suggestion}``, rows as Excel counts them.
    """

    __tablename__ = "import_batch"
    __table_args__ = (
        one_of("state", IMPORT_STATES),
        Index("ix_import_batch_community_id", "community_id", "id"),
    )

    id: Mapped[BigId]
    community_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("community.id"))
    sheet: Mapped[Words]
    file_name: Mapped[Words]
    file_sha256: Mapped[Words]
    state: Mapped[Words]
    rows_total: Mapped[int]
    rows_done: Mapped[int] = mapped_column(server_default="0")
    counts: Mapped[dict[str, int]] = mapped_column(JSONB, server_default=text("'{}'"))
    problems: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default=text("'[]'"))
    created_at: Mapped[Instant]
    finished_at: Mapped[Instant | None]
