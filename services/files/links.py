"""Links to files: whoever was shown one may follow it for minutes, and nobody else."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import select

from domain.actors import Actor, Permission
from domain.errors import NotFound
from domain.files import FileKind, FileSize
from models import StoredFile
from services.file_ports import FileStore
from services.unit_of_work import UnitOfWork

_STEP_S = 300


@dataclass(frozen=True, slots=True)
class FileContent:
    """The bytes of a file, what they are, and how the file is called."""

    content: bytes
    content_type: str
    kind: FileKind
    file_name: str


@dataclass(frozen=True)
class FileLinks:
    """Makes links to files, and follows them.

    A link is made only where somebody is shown what the file belongs to; the signature says so. It
    holds for five to ten minutes: within five, a page shows the same links again, and phones keep
    what they loaded.

    Source: reliability.md V5: object-scoped, signed, at most ten minutes.
    """

    unit_of_work: UnitOfWork
    store: FileStore
    key: bytes

    def sign(self, *, file_id: int, size: FileSize = FileSize.FULL) -> dict[str, str]:
        """Give the arguments of a link's query: ``size``, ``until`` and ``sign``."""
        now = int(self.unit_of_work.clock.now().timestamp())
        until = (now // _STEP_S + 2) * _STEP_S
        return {"size": size, "until": str(until), "sign": self._sign(file_id, size, until)}

    def open(
        self, *, actor: Actor, file_id: int, size: FileSize, until: int, sign: str
    ) -> FileContent:
        """Follow a link.

        Raises:
            NotFound: it was not made by us, is too old, or the file is gone.
            PlatformUnavailable: the store did not answer.
        """
        actor.must(Permission.FOLLOW_FILE_LINKS)
        if not hmac.compare_digest(sign.encode(), self._sign(file_id, size, until).encode()):
            raise NotFound
        if datetime.fromtimestamp(until, UTC) < self.unit_of_work.clock.now():
            raise NotFound
        with self.unit_of_work.reading() as session:
            row = session.execute(
                select(
                    StoredFile.kind,
                    StoredFile.key,
                    StoredFile.small_key,
                    StoredFile.content_type,
                    StoredFile.file_name,
                ).where(StoredFile.id == file_id)
            ).one_or_none()
        if row is None:
            raise NotFound
        key = row.small_key if size is FileSize.SMALL and row.small_key else row.key
        return FileContent(self.store.get(key), row.content_type, FileKind(row.kind), row.file_name)

    def _sign(self, file_id: int, size: FileSize, until: int) -> str:
        words = f"{file_id}:{size}:{until}".encode()
        return hmac.digest(self.key, words, hashlib.sha256).hex()[:32]
