"""Documents of equipment: each in versions, the newest of which holds, with a day it runs out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from domain.actors import Actor, ActorKind, Permission
from domain.cells import BadCell, read_text
from domain.equipment import DOCUMENT_SHOWN, DocumentType
from domain.errors import InvalidInput
from domain.estate_fields import EQUIPMENT, read_values
from domain.files import FileSubject
from domain.periods import local_date
from models import Equipment, EquipmentDocument, Staff
from services.audit import record
from services.equipment.lookup import find_equipment, lock_equipment
from services.files.attaching import FileView, attach_document, files_of
from services.unit_of_work import Transaction, UnitOfWork

_TITLE_LIMIT = 60
_SHOWN = 200


@dataclass(frozen=True, slots=True)
class NewDocument:
    """A version of a document: what it is, how it is called, until when it holds, and its file."""

    doc_type: DocumentType
    title: str
    document_id: int
    expires_on: date | None = None


@dataclass(frozen=True, slots=True)
class DocumentView:
    """A version of a document; older ones are no longer ``is_newest``."""

    id: int
    doc_type: str
    doc_type_shown: str
    title: str
    version: int
    is_newest: bool
    expires_on: date | None
    who: str
    at: datetime
    file: FileView | None


@dataclass(frozen=True)
class EquipmentDocuments:
    """Keeps the documents of equipment."""

    unit_of_work: UnitOfWork

    def add(self, *, actor: Actor, equipment_id: int, new: NewDocument) -> int:
        """Add a document, or a new version where there is one of this type and title.

        Returns:
            The id of the version.

        Raises:
            InvalidInput: the title or the day cannot be used.
            NotFound: no such equipment, or no such file that the actor handed in.
        """
        actor.must(Permission.MANAGE_EQUIPMENT)
        title = _read_title(new.title)
        today = local_date(self.unit_of_work.clock.now())
        _check_day(new.expires_on, today)

        def work(tx: Transaction) -> int:
            row = lock_equipment(tx, actor, equipment_id)
            newest = tx.session.scalar(
                select(func.max(EquipmentDocument.version)).where(
                    EquipmentDocument.equipment_id == equipment_id,
                    EquipmentDocument.doc_type == new.doc_type,
                    EquipmentDocument.title == title,
                )
            )
            document = EquipmentDocument(
                equipment_id=equipment_id,
                doc_type=new.doc_type,
                title=title,
                version=(newest or 0) + 1,
                expires_on=new.expires_on,
                staff_id=actor.id if actor.kind is ActorKind.STAFF else None,
                at=tx.now,
            )
            tx.session.add(document)
            tx.session.flush()
            attach_document(
                tx,
                actor=actor,
                document_id=new.document_id,
                subject_type=FileSubject.EQUIPMENT_DOCUMENT,
                subject_id=document.id,
                community_id=row.community_id,
            )
            record(
                tx,
                actor,
                "equipment_document_added",
                subject_type="equipment",
                subject_id=row.id,
                community_id=row.community_id,
                facts={"title": title, "version": document.version},
            )
            return document.id

        return self.unit_of_work.run(work)

    def list_documents(self, *, actor: Actor, equipment_id: int) -> Sequence[DocumentView]:
        """List the documents of equipment with all their versions, newest first, at most 200.

        Raises:
            NotFound: no such equipment in scope.
        """
        actor.must(Permission.VIEW_EQUIPMENT)
        with self.unit_of_work.reading() as session:
            find_equipment(session, actor, equipment_id)
            return read_documents(session, equipment_id)


def read_documents(session: Session, equipment_id: int) -> Sequence[DocumentView]:
    """Read the documents of equipment that is in scope, newest first."""
    rows = session.execute(
        select(EquipmentDocument, func.coalesce(Staff.name, ""))
        .outerjoin(Staff, Staff.id == EquipmentDocument.staff_id)
        .where(EquipmentDocument.equipment_id == equipment_id)
        .order_by(EquipmentDocument.id.desc())
        .limit(_SHOWN)
    ).all()
    files = files_of(
        session,
        subject_type=FileSubject.EQUIPMENT_DOCUMENT,
        subject_ids=[row.id for row, _ in rows],
    )
    seen: set[tuple[str, str]] = set()
    found = []
    for row, who in rows:
        own = files.get(row.id, [])
        found.append(
            DocumentView(
                id=row.id,
                doc_type=row.doc_type,
                doc_type_shown=DOCUMENT_SHOWN[DocumentType(row.doc_type)],
                title=row.title,
                version=row.version,
                is_newest=(row.doc_type, row.title) not in seen,
                expires_on=row.expires_on,
                who=who,
                at=row.at,
                file=own[0] if own else None,
            )
        )
        seen.add((row.doc_type, row.title))
    return found


def newest_documents(
    session: Session, *where: ColumnElement[bool]
) -> Sequence[tuple[Equipment, str, date]]:
    """Read the newest versions that run out some day, with their equipment and title."""
    name = (EquipmentDocument.equipment_id, EquipmentDocument.doc_type, EquipmentDocument.title)
    newest = (
        select(EquipmentDocument.id)
        .ext(distinct_on(*name))
        .order_by(*name, EquipmentDocument.version.desc())
    )
    rows = session.execute(
        select(Equipment, EquipmentDocument.title, EquipmentDocument.expires_on)
        .join(EquipmentDocument, EquipmentDocument.equipment_id == Equipment.id)
        .where(EquipmentDocument.id.in_(newest), *where)
        .order_by(EquipmentDocument.id)
    ).all()
    return [(row, title, day) for row, title, day in rows if day is not None]


def _read_title(text: str) -> str:
    try:
        title = read_text(text, limit=_TITLE_LIMIT)
    except BadCell as bad:
        raise InvalidInput(fields={"title": [bad.why]}) from bad
    if not title:
        raise InvalidInput(fields={"title": ["请填写文件名称"]})
    return title


def _check_day(expires_on: date | None, today: date) -> None:
    readers = {"expires_on": EQUIPMENT["statutory_until"]}
    read_values(readers, {"expires_on": expires_on}, today=today)
