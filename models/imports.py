"""Workbooks that clerks handed in, how far they got, and what they changed."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from domain.imports import FILE_LIMIT, ImportState
from models.base import BigId, Instant, Model, Words, one_of


class ImportBatch(Model):
    """One sheet that was handed in; a dry run at the shell leaves no row.

    ``problems`` is a list of ``{row, column, value, why, suggestion}``, rows as Excel counts them.
    ``foreseen`` is what the check said, ``counts`` what was done.
    """

    __tablename__ = "import_batch"
    __table_args__ = (
        one_of("state", ImportState),
        Index("ix_import_batch_community_id", "community_id", "id"),
        Index(
            "ix_import_batch_busy",
            "id",
            postgresql_where=text("state IN ('uploaded', 'checking', 'importing', 'undoing')"),
        ),
    )

    id: Mapped[BigId]
    community_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("community.id"))
    sheet: Mapped[Words]
    file_name: Mapped[Words]
    file_sha256: Mapped[Words]
    state: Mapped[Words]
    staff_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("staff.id"))
    """Who handed it in, if a member of staff did; the work is done by their permissions."""
    rows_total: Mapped[int]
    rows_done: Mapped[int] = mapped_column(server_default="0")
    attempts: Mapped[int] = mapped_column(server_default="0")
    """How often a worker has begun since the last chunk that it finished."""
    foreseen: Mapped[dict[str, int]] = mapped_column(JSONB, server_default=text("'{}'"))
    counts: Mapped[dict[str, int]] = mapped_column(JSONB, server_default=text("'{}'"))
    problems: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default=text("'[]'"))
    failure: Mapped[Words] = mapped_column(server_default="")
    """Why it failed or could not be undone, in Chinese."""
    created_at: Mapped[Instant]
    finished_at: Mapped[Instant | None]
    undone_at: Mapped[Instant | None]


class ImportFile(Model):
    """The workbook of a batch as it was handed in, and the same sheet with what is wrong in it."""

    __tablename__ = "import_file"
    __table_args__ = (
        CheckConstraint(f"octet_length(content) BETWEEN 1 AND {FILE_LIMIT}", name="content_size"),
    )

    batch_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("import_batch.id"), primary_key=True
    )
    content: Mapped[bytes] = mapped_column(LargeBinary)
    errors: Mapped[bytes | None] = mapped_column(LargeBinary)


class ImportStep(Model):
    """What one transaction of an import did, so that it can be undone.

    ``made`` are ids by table; ``changed`` is a list of ``{table, id, before, after}`` with values
    of columns as text.
    """

    __tablename__ = "import_step"

    batch_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("import_batch.id"), primary_key=True
    )
    step_no: Mapped[int] = mapped_column(primary_key=True)
    made: Mapped[dict[str, list[int]]] = mapped_column(JSONB)
    changed: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
