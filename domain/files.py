"""Files that people hand in: photos and documents, what they may be and what they belong to."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

PHOTO_LIMIT = 10 * 1024 * 1024
"""Bytes of a photo as it is handed in; WeChat's own camera gives less than 5 MB."""
DOCUMENT_LIMIT = 20 * 1024 * 1024
PHOTOS_PER_SUBJECT = 9
"""As many as WeChat lets people choose at once."""
LOOSE_LIMIT = 30
"""Files that one person may have handed in without using them yet."""
LOOSE_LIFE = timedelta(hours=24)
"""After this a file that belongs to nothing is removed."""


class FileKind(StrEnum):
    """What a file is."""

    PHOTO = "photo"
    DOCUMENT = "document"


class FileSubject(StrEnum):
    """What a file belongs to."""

    BINDING_APPLICATION = "binding_application"
    EQUIPMENT = "equipment"
    EQUIPMENT_DOCUMENT = "equipment_document"
    FEEDBACK = "feedback"
    FEEDBACK_EVENT = "feedback_event"
    MAINTENANCE_RESULT = "maintenance_result"
    NOTICE = "notice"
    REPAIR = "repair"
    REPAIR_EVENT = "repair_event"


class FileSize(StrEnum):
    """In which size a photo is asked for; a document has only its own."""

    FULL = "full"
    SMALL = "small"


DOCUMENT_TYPES = {
    "pdf": "application/pdf",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "png": "image/png",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
"""Documents that are taken, by the end of their name."""
_BEGINNINGS = {
    "pdf": b"%PDF-",
    "jpg": b"\xff\xd8\xff",
    "jpeg": b"\xff\xd8\xff",
    "png": b"\x89PNG\r\n\x1a\n",
    "docx": b"PK\x03\x04",
    "xlsx": b"PK\x03\x04",
}


def document_type(file_name: str, content: bytes) -> str | None:
    """Tell the content type of a document whose name and first bytes agree; None for others."""
    ending = file_name.rpartition(".")[2].lower()
    beginning = _BEGINNINGS.get(ending)
    if beginning is None or not content.startswith(beginning):
        return None
    return DOCUMENT_TYPES[ending]
