"""What the use-cases need to keep files: a place for bytes, and hands that remake photos."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class FileStore(Protocol):
    """Keeps bytes by key. Keys are ours: letters, digits, ``-`` and ``/``."""

    def put(self, key: str, content: bytes, *, content_type: str) -> None:
        """Keep bytes; the same key again takes the place of what was there.

        Raises:
            PlatformUnavailable: the store did not take them.
        """
        ...

    def get(self, key: str) -> bytes:
        """Give the bytes back.

        Raises:
            NotFound: there is nothing under the key.
            PlatformUnavailable: the store did not answer.
        """
        ...

    def delete(self, key: str) -> None:
        """Remove bytes; a key without any is no fault.

        Raises:
            PlatformUnavailable: the store did not answer.
        """
        ...


@dataclass(frozen=True, slots=True)
class RemadePhoto:
    """A photo drawn anew as JPEG: nothing of the file as it was handed in is left."""

    full: bytes
    small: bytes
    width: int
    height: int


class PhotoMaker(Protocol):
    """Draws photos anew."""

    def remake(self, content: bytes) -> RemadePhoto:
        """Draw a photo anew, upright, without any metadata, at most 1,600 pixels on a side.

        Raises:
            PhotoUnreadable, PhotoTooLarge: it is no photo that we take.
        """
        ...
