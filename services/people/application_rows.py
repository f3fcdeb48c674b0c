"""Applications as they are shown, to the applicant and to staff."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from domain.files import FileSubject
from domain.house_roles import ROLE_SHOWN
from domain.houses import house_label
from domain.phones import mask_phone
from models import Account, BindingApplication, Building, Community, House
from services.files.attaching import FileView, files_of


@dataclass(frozen=True, slots=True)
class ApplicationView:
    """An application; only staff are told for which house it was taken, and who may be meant."""

    id: int
    community: str
    house_text: str
    name: str
    role: str
    role_shown: str
    proof: str
    state: str
    created_at: datetime
    decided_at: datetime | None
    decision_note: str
    phone_masked: str = ""
    house_id: int | None = None
    house: str = ""
    photos: Sequence[FileView] = ()
    """Photos of papers that prove it."""


def read_applications(
    session: Session, *where: ColumnElement[bool], limit: int
) -> list[ApplicationView]:
    """Read applications, newest first."""
    rows = session.execute(
        select(
            BindingApplication,
            Community.name,
            Account.phone,
            Building.name,
            House.unit_no,
            House.room_no,
        )
        .join(Community, Community.id == BindingApplication.community_id)
        .join(Account, Account.id == BindingApplication.account_id)
        .outerjoin(House, House.id == BindingApplication.house_id)
        .outerjoin(Building, Building.id == House.building_id)
        .where(*where)
        .order_by(BindingApplication.id.desc())
        .limit(limit)
    ).all()
    photos = files_of(
        session,
        subject_type=FileSubject.BINDING_APPLICATION,
        subject_ids=[row.id for row, *_ in rows],
    )
    return [
        ApplicationView(
            row.id,
            community,
            row.house_text,
            row.name,
            row.role,
            ROLE_SHOWN[row.role],
            row.proof,
            row.state,
            row.created_at,
            row.decided_at,
            row.decision_note,
            mask_phone(phone),
            row.house_id,
            house_label(building, unit_no, room_no) if row.house_id else "",
            photos[row.id],
        )
        for row, community, phone, building, unit_no, room_no in rows
    ]


def for_applicant(view: ApplicationView) -> ApplicationView:
    """Leave out for which house the words were taken."""
    return replace(view, house_id=None, house="")
