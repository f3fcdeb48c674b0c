"""What owners asked about their data, as managers and administrators oversee it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, exists, literal, select, true, union_all

from domain.actors import Actor, Permission
from domain.phones import CLOSED_PHONE, mask_phone
from models import Account, AccountDeletion, House, HouseBinding, PrivacyExport
from services.scopes import houses_in_scope
from services.unit_of_work import UnitOfWork

EXPORT, DELETION = "export", "deletion"
_LISTED = 200


@dataclass(frozen=True, slots=True)
class RequestView:
    """One request: ``kind`` is ``export`` or ``deletion``; a closed account has no phone."""

    kind: str
    id: int
    account_id: int
    phone_masked: str
    state: str
    asked_at: datetime
    due_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True)
class PrivacyRequests:
    """The requests of owners of the actor's data scope."""

    unit_of_work: UnitOfWork

    def list_requests(self, *, actor: Actor) -> Sequence[RequestView]:
        """List requests, newest first, at most 200.

        An account is in scope by a house it is or was bound to; one of no house is for whoever
        works for the whole company.
        """
        actor.must(Permission.VIEW_PRIVACY_REQUESTS)
        both = union_all(
            select(
                literal(EXPORT).label("kind"),
                PrivacyExport.id.label("id"),
                PrivacyExport.account_id.label("account_id"),
                PrivacyExport.state.label("state"),
                PrivacyExport.asked_at.label("asked_at"),
                PrivacyExport.expires_at.label("due_at"),
                PrivacyExport.ended_at.label("ended_at"),
            ),
            select(
                literal(DELETION),
                AccountDeletion.id,
                AccountDeletion.account_id,
                AccountDeletion.state,
                AccountDeletion.asked_at,
                AccountDeletion.due_at,
                AccountDeletion.ended_at,
            ),
        ).subquery()
        with self.unit_of_work.reading() as session:
            rows = session.execute(
                select(both, Account.phone)
                .join(Account, Account.id == both.c.account_id)
                .where(_in_scope(actor))
                .order_by(both.c.asked_at.desc(), both.c.kind, both.c.id.desc())
                .limit(_LISTED)
            ).all()
        return [
            RequestView(
                row.kind,
                row.id,
                row.account_id,
                "" if row.phone.startswith(CLOSED_PHONE) else mask_phone(row.phone),
                row.state,
                row.asked_at,
                row.due_at,
                row.ended_at,
            )
            for row in rows
        ]


def _in_scope(actor: Actor) -> ColumnElement[bool]:
    if actor.scope.community_ids is None:
        return true()
    return exists(
        select(HouseBinding.id)
        .join(House, House.id == HouseBinding.house_id)
        .where(HouseBinding.account_id == Account.id, houses_in_scope(actor))
    )
