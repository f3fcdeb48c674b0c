"""Handing files in: checked, made anew, kept, and theirs until they are used or a day is over."""

from __future__ import annotations

import hashlib
import logging
import secrets
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select

from domain.actors import Actor, ActorKind, Permission
from domain.errors import PlatformUnavailable
from domain.files import (
    DOCUMENT_LIMIT,
    LOOSE_LIFE,
    LOOSE_LIMIT,
    PHOTO_LIMIT,
    FileKind,
    document_type,
)
from models import StoredFile
from services.file_ports import FileStore, PhotoMaker
from services.files.attaching import FileView, handed_in_by
from services.files.refusals import (
    DocumentRefused,
    DocumentTooLarge,
    FileMissing,
    PhotoTooLarge,
    TooManyLooseFiles,
)
from services.unit_of_work import Transaction, UnitOfWork

log = logging.getLogger(__name__)
_JPEG = "image/jpeg"
_SWEPT = 500
"""Rows that one sweep removes; the next one goes on."""
_NAME_LIMIT = 100


@dataclass(frozen=True)
class FileDesk:
    """Takes photos and documents, and clears away those that were never used."""

    unit_of_work: UnitOfWork
    store: FileStore
    photos: PhotoMaker

    def take_photo(self, *, actor: Actor, content: bytes) -> FileView:
        """Keep a photo, drawn anew; the bytes as they were handed in are kept nowhere.

        Raises:
            FileMissing, PhotoTooLarge, PhotoUnreadable: it is no photo that we take.
            TooManyLooseFiles: thirty of theirs wait for their use.
            PlatformUnavailable: the store did not take it; the next sweep clears up.
        """
        actor.must(Permission.HAND_IN_FILES)
        if not content:
            raise FileMissing
        if len(content) > PHOTO_LIMIT:
            raise PhotoTooLarge
        self._must_have_room(actor)
        remade = self.photos.remake(content)
        now = self.unit_of_work.clock.now()
        key = _new_key(now)
        small_key = f"{key}-small"
        view = self._note(
            actor,
            StoredFile(
                kind=FileKind.PHOTO,
                key=key,
                small_key=small_key,
                content_type=_JPEG,
                size=len(remade.full),
                sha256=hashlib.sha256(remade.full).hexdigest(),
                width=remade.width,
                height=remade.height,
                created_at=now,
            ),
        )
        self.store.put(key, remade.full, content_type=_JPEG)
        self.store.put(small_key, remade.small, content_type=_JPEG)
        return view

    def take_document(self, *, actor: Actor, content: bytes, file_name: str) -> FileView:
        """Keep a document as it is; it is only ever given out as a file to be saved.

        Raises:
            FileMissing, DocumentTooLarge, DocumentRefused: it is no document that we take.
            TooManyLooseFiles: thirty of theirs wait for their use.
            PlatformUnavailable: the store did not take it; the next sweep clears up.
        """
        actor.must(Permission.HAND_IN_DOCUMENTS)
        if not content:
            raise FileMissing
        if len(content) > DOCUMENT_LIMIT:
            raise DocumentTooLarge
        content_type = document_type(file_name, content)
        if content_type is None:
            raise DocumentRefused
        self._must_have_room(actor)
        now = self.unit_of_work.clock.now()
        key = _new_key(now)
        view = self._note(
            actor,
            StoredFile(
                kind=FileKind.DOCUMENT,
                key=key,
                content_type=content_type,
                file_name=_tidy_name(file_name),
                size=len(content),
                sha256=hashlib.sha256(content).hexdigest(),
                created_at=now,
            ),
        )
        self.store.put(key, content, content_type=content_type)
        return view

    def sweep(self, *, actor: Actor) -> int:
        """Remove files that belong to nothing after a day, and return how many.

        The bytes go first and the row only once they are gone, so that a store that is away, or a
        sweep that is cut off, leaves nothing behind that the next sweep does not find. Nobody can
        attach them meanwhile: they are too old.
        """
        actor.must(Permission.RUN_PLATFORM_WORK)
        old = (
            select(StoredFile.id, StoredFile.key, StoredFile.small_key)
            .where(
                StoredFile.subject_type.is_(None),
                StoredFile.created_at < self.unit_of_work.clock.now() - LOOSE_LIFE,
            )
            .order_by(StoredFile.created_at)
            .limit(_SWEPT)
        )
        with self.unit_of_work.reading() as session:
            rows = session.execute(old).all()
        gone = [row.id for row in rows if self._remove(row.key, row.small_key)]
        if gone:
            self.unit_of_work.run(
                lambda tx: tx.session.execute(delete(StoredFile).where(StoredFile.id.in_(gone)))
            )
        return len(gone)

    def _remove(self, *keys: str | None) -> bool:
        try:
            for key in filter(None, keys):
                self.store.delete(key)
        except PlatformUnavailable:
            log.warning("a file waits for the next sweep: the store did not answer")
            return False
        return True

    def _must_have_room(self, actor: Actor) -> None:
        with self.unit_of_work.reading() as session:
            loose = session.scalar(
                select(func.count()).where(handed_in_by(actor), StoredFile.subject_type.is_(None))
            )
        if (loose or 0) >= LOOSE_LIMIT:
            raise TooManyLooseFiles

    def _note(self, actor: Actor, row: StoredFile) -> FileView:
        """Write the row before the store has the bytes: so there are never bytes without one."""
        if actor.kind is ActorKind.OWNER:
            row.account_id = actor.id
        else:
            row.staff_id = actor.id

        def work(tx: Transaction) -> FileView:
            tx.session.add(row)
            tx.session.flush()
            return FileView(
                row.id, FileKind(row.kind), row.file_name or "", row.size, row.width, row.height
            )

        return self.unit_of_work.run(work)


def _new_key(now: datetime) -> str:
    """Make a key that nobody can guess, below its month: stores and people like small folders."""
    return f"{now:%Y/%m}/{secrets.token_hex(16)}"


def _tidy_name(file_name: str) -> str:
    """Keep the end of a name, without what cannot be printed and without its folders."""
    plain = "".join(mark for mark in file_name if mark.isprintable())
    return plain.replace("\\", "/").rpartition("/")[2][-_NAME_LIMIT:]
