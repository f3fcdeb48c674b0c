"""Steps that give files to what they tell of, and that read them back with it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, false, select, update
from sqlalchemy.orm import Session

from domain.actors import Actor, ActorKind
from domain.errors import NotFound
from domain.files import LOOSE_LIFE, PHOTOS_PER_SUBJECT, FileKind, FileSubject
from models import StoredFile
from services.files.refusals import TooManyFiles
from services.unit_of_work import Transaction


@dataclass(frozen=True, slots=True)
class FileView:
    """A file that belongs to something; the fronts make its links of the id."""

    id: int
    kind: FileKind
    file_name: str
    size: int
    width: int | None
    height: int | None


def handed_in_by(actor: Actor) -> ColumnElement[bool]:
    """Hold rows of `StoredFile` to those of whoever acts."""
    if actor.kind is ActorKind.OWNER and actor.id is not None:
        return StoredFile.account_id == actor.id
    if actor.kind is ActorKind.STAFF and actor.id is not None:
        return StoredFile.staff_id == actor.id
    return false()


def attach_photos(
    tx: Transaction,
    *,
    actor: Actor,
    photo_ids: Sequence[int],
    subject_type: FileSubject,
    subject_id: int,
    community_id: int,
) -> None:
    """Give photos to what they tell of: each once, and only by whoever handed it in.

    Raises:
        TooManyFiles: more than nine.
        NotFound: one is not theirs, is gone, or belongs to something already.
    """
    if len(photo_ids) > PHOTOS_PER_SUBJECT:
        raise TooManyFiles
    _attach(tx, actor, FileKind.PHOTO, photo_ids, subject_type, subject_id, community_id)


def attach_document(
    tx: Transaction,
    *,
    actor: Actor,
    document_id: int,
    subject_type: FileSubject,
    subject_id: int,
    community_id: int,
) -> None:
    """Give a document to what it tells of: once, and only by whoever handed it in.

    Raises:
        NotFound: it is not theirs, is gone, or belongs to something already.
    """
    _attach(tx, actor, FileKind.DOCUMENT, [document_id], subject_type, subject_id, community_id)


def _attach(
    tx: Transaction,
    actor: Actor,
    kind: FileKind,
    ids: Sequence[int],
    subject_type: FileSubject,
    subject_id: int,
    community_id: int,
) -> None:
    if not ids:
        return
    taken = tx.session.scalars(
        update(StoredFile)
        .where(
            StoredFile.id.in_(ids),
            StoredFile.kind == kind,
            StoredFile.subject_type.is_(None),
            StoredFile.created_at >= tx.now - LOOSE_LIFE,
            handed_in_by(actor),
        )
        .values(
            subject_type=subject_type,
            subject_id=subject_id,
            community_id=community_id,
            attached_at=tx.now,
        )
        .returning(StoredFile.id)
    ).all()
    if len(taken) != len(set(ids)):
        raise NotFound("照片或文件已失效，请重新上传")


def files_of(
    session: Session, *, subject_type: FileSubject, subject_ids: Sequence[int]
) -> dict[int, list[FileView]]:
    """Read the files of each of these things, oldest first; who may see them was asked before."""
    found: dict[int, list[FileView]] = defaultdict(list)
    if not subject_ids:
        return found
    rows = session.execute(
        select(
            StoredFile.subject_id,
            StoredFile.id,
            StoredFile.kind,
            StoredFile.file_name,
            StoredFile.size,
            StoredFile.width,
            StoredFile.height,
        )
        .where(StoredFile.subject_type == subject_type, StoredFile.subject_id.in_(subject_ids))
        .order_by(StoredFile.id)
    )
    for row in rows:
        found[row.subject_id].append(
            FileView(row.id, FileKind(row.kind), row.file_name, row.size, row.width, row.height)
        )
    return found
