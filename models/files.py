"""Files that people handed in: the rows; their bytes lie in the file store."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.files import FileKind, FileSubject
from models.base import BigId, Instant, Model, Words, one_of


class StoredFile(Model):
    """A photo or a document: first of whoever handed it in, then of what it was attached to.

    ``key`` is where its bytes lie in the store; of a photo the small form lies under ``small_key``.
    """

    __tablename__ = "stored_file"
    __table_args__ = (
        one_of("kind", FileKind),
        one_of("subject_type", FileSubject),
        CheckConstraint(
            "(account_id IS NULL) <> (staff_id IS NULL)", name="handed_in_by_one_person"
        ),
        CheckConstraint(
            "(subject_type IS NULL) = (subject_id IS NULL)"
            " AND (subject_type IS NULL) = (attached_at IS NULL)"
            " AND (subject_type IS NULL) = (community_id IS NULL)",
            name="attached_as_a_whole",
        ),
        CheckConstraint("(kind = 'photo') = (small_key IS NOT NULL)", name="photo_has_small"),
        CheckConstraint("size > 0", name="size_range"),
        Index(
            "ix_stored_file_subject",
            "subject_type",
            "subject_id",
            "id",
            postgresql_where=text("subject_type IS NOT NULL"),
        ),
        Index(
            "ix_stored_file_loose",
            "created_at",
            postgresql_where=text("subject_type IS NULL"),
        ),
        Index("ix_stored_file_account_id", "account_id"),
        Index("ix_stored_file_staff_id", "staff_id"),
    )

    id: Mapped[BigId]
    kind: Mapped[Words]
    key: Mapped[Words] = mapped_column(unique=True)
    small_key: Mapped[str | None] = mapped_column(unique=True)
    content_type: Mapped[Words]
    file_name: Mapped[Words] = mapped_column(server_default="")
    """As it was called by whoever handed a document in."""
    size: Mapped[int] = mapped_column(Integer)
    sha256: Mapped[Words]
    width: Mapped[int | None]
    height: Mapped[int | None]
    account_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("account.id"))
    staff_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("staff.id"))
    created_at: Mapped[Instant]
    subject_type: Mapped[str | None]
    subject_id: Mapped[int | None] = mapped_column(BigInteger)
    community_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("community.id"))
    attached_at: Mapped[Instant | None]
