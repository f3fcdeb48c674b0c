"""An owner invites family or a tenant to a house: one token for one phone, once, for seven days."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import ColumnElement, func, or_, select, update

from domain.actors import Actor, Permission
from domain.errors import Conflict, InvalidInput, NotFound
from domain.house_roles import NO_DECISION, ROLE_SHOWN, Rights
from domain.houses import house_label
from domain.periods import local_date
from domain.phones import mask_phone, normalise_phone
from models import Account, Building, Community, House, HouseInvitation
from services.audit import record
from services.people.binding_rows import (
    Newcomer,
    bind,
    owner_house_ids,
    put_newcomer_on_file,
)
from services.people.rows import check_words, put_rights, run_with_phone
from services.retirement import hold_house
from services.unit_of_work import Transaction, UnitOfWork

INVITATION_LIFE = timedelta(days=7)
OPEN_PER_HOUSE = 10
_ROLES = ("family", "tenant")


class TooManyInvitations(Conflict):
    """A house has too many open invitations."""

    code = "too_many_invitations"
    message = "该房屋未接受的邀请太多，请先撤回一些"


@dataclass(frozen=True, slots=True)
class Invited:
    """Whom an owner invites, as what, and until when."""

    phone: str
    name: str
    role: str
    rights: Rights = NO_DECISION
    until: date | None = None


@dataclass(frozen=True, slots=True)
class NewInvitation:
    """An invitation that was just made. ``token`` is told this once; only its hash is kept."""

    id: int
    token: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class InvitationView:
    """An invitation that one made, or that one's phone was given."""

    id: int
    community: str
    house: str
    phone_masked: str
    name: str
    role: str
    role_shown: str
    state: str
    expires_at: datetime
    is_own: bool


@dataclass(frozen=True)
class HouseInvitations:
    """Makes, accepts and revokes invitations."""

    unit_of_work: UnitOfWork

    def invite(self, *, actor: Actor, house_id: int, invited: Invited) -> NewInvitation:
        """Invite a phone to a house that one owns; an earlier open one to it is revoked.

        Raises:
            NotFound: the house is not bound to the account as an owner's.
            TooManyInvitations: ten are open.
            InvalidInput: a field cannot be used; NotAPhone: not a mobile number.
        """
        actor.must(Permission.MANAGE_OWN_BINDINGS)
        number = normalise_phone(invited.phone)
        check_words(name=invited.name)
        token = secrets.token_urlsafe(24)

        def work(tx: Transaction) -> NewInvitation:
            _check(invited, local_date(tx.now))
            house = _lock_own_house(tx, actor.account_id, house_id)
            hold_house(tx, house_id)
            tx.session.execute(
                update(HouseInvitation)
                .where(
                    HouseInvitation.house_id == house_id,
                    HouseInvitation.state == "open",
                    or_(
                        HouseInvitation.phone == number,
                        HouseInvitation.expires_at <= tx.now,
                    ),
                )
                .values(state="revoked", ended_at=tx.now)
            )
            is_open = (HouseInvitation.house_id == house_id) & (HouseInvitation.state == "open")
            if tx.session.execute(select(func.count()).where(is_open)).scalar_one() >= (
                OPEN_PER_HOUSE
            ):
                raise TooManyInvitations
            row = HouseInvitation(
                house_id=house_id,
                invited_by_account_id=actor.account_id,
                phone=number,
                name=invited.name.strip(),
                role=invited.role,
                stays_until=invited.until,
                token_sha256=_hash(token),
                state="open",
                created_at=tx.now,
                expires_at=tx.now + INVITATION_LIFE,
            )
            put_rights(row, invited.rights)
            tx.session.add(row)
            tx.session.flush()
            _note(tx, actor, "house_invited", house, row, before=None)
            return NewInvitation(row.id, token, row.expires_at)

        return self.unit_of_work.run(work)

    def list_own(self, *, actor: Actor) -> Sequence[InvitationView]:
        """List invitations that one made, and open ones to one's own phone, newest first."""
        actor.must(Permission.MANAGE_OWN_BINDINGS)
        now = self.unit_of_work.clock.now()
        phone = select(Account.phone).where(Account.id == actor.account_id).scalar_subquery()
        is_own = HouseInvitation.invited_by_account_id == actor.account_id
        to_me: ColumnElement[bool] = (HouseInvitation.phone == phone) & (
            HouseInvitation.state == "open"
        )
        with self.unit_of_work.reading() as session:
            rows = session.execute(
                select(HouseInvitation, Community.name, Building.name, House.unit_no, House.room_no)
                .join(House, House.id == HouseInvitation.house_id)
                .join(Building, Building.id == House.building_id)
                .join(Community, Community.id == House.community_id)
                .where(or_(is_own, to_me & (HouseInvitation.expires_at > now)))
                .order_by(HouseInvitation.id.desc())
                .limit(100)
            ).all()
        return [
            InvitationView(
                row.id,
                community,
                house_label(building, unit_no, room_no),
                mask_phone(row.phone),
                row.name,
                row.role,
                ROLE_SHOWN[row.role],
                "expired" if row.state == "open" and row.expires_at <= now else row.state,
                row.expires_at,
                row.invited_by_account_id == actor.account_id,
            )
            for row, community, building, unit_no, room_no in rows
        ]

    def revoke(self, *, actor: Actor, invitation_id: int) -> None:
        """Take back an open invitation of one's own.

        Raises:
            NotFound: no such open invitation of one's own.
        """
        actor.must(Permission.MANAGE_OWN_BINDINGS)

        def work(tx: Transaction) -> None:
            row = tx.session.execute(
                select(HouseInvitation)
                .where(
                    HouseInvitation.id == invitation_id,
                    HouseInvitation.invited_by_account_id == actor.account_id,
                    HouseInvitation.state == "open",
                )
                .with_for_update()
            ).scalar_one_or_none()
            if row is None:
                raise NotFound
            row.state, row.ended_at = "revoked", tx.now
            house = tx.session.get_one(House, row.house_id)
            _note(tx, actor, "house_invitation_revoked", house, row, before="open")

        self.unit_of_work.run(work)

    def accept(self, *, actor: Actor, token: str) -> int:
        """Take an invitation and return the binding's id; the account's phone must be the invited.

        Raises:
            NotFound: no such open invitation for this phone, it is too old, or whoever made it
                owns the house no longer.
            AlreadyBound: the account is bound to the house.
        """
        actor.must(Permission.MANAGE_OWN_BINDINGS)

        def work(tx: Transaction) -> int:
            account = tx.session.get_one(Account, actor.account_id)
            row = tx.session.execute(
                select(HouseInvitation)
                .where(
                    HouseInvitation.token_sha256 == _hash(token),
                    HouseInvitation.phone == account.phone,
                    HouseInvitation.state == "open",
                    HouseInvitation.expires_at > tx.now,
                )
                .with_for_update()
            ).scalar_one_or_none()
            if row is None or _has_left(row, local_date(tx.now)):
                raise NotFound
            house = _lock_own_house(tx, row.invited_by_account_id, row.house_id)
            rights = Rights(row.may_see_bills, row.may_pay, row.may_report)
            newcomer = Newcomer(account, row.name, row.role, rights, row.stays_until)
            _, part = put_newcomer_on_file(tx, actor, house, newcomer)
            row.binding_id = bind(tx, actor, account_id=account.id, part=part, because="invitation")
            row.state, row.ended_at = "accepted", tx.now
            _note(tx, actor, "house_invitation_accepted", house, row, before="open")
            return row.binding_id

        return run_with_phone(self.unit_of_work, work)


def _check(invited: Invited, today: date) -> None:
    if invited.role not in _ROLES:
        raise InvalidInput(fields={"role": ["应为家庭成员或租客"]})
    if invited.until is not None and invited.until <= today:
        raise InvalidInput(fields={"until": ["应晚于今天"]})


def _has_left(row: HouseInvitation, today: date) -> bool:
    return row.stays_until is not None and row.stays_until <= today


def _lock_own_house(tx: Transaction, account_id: int, house_id: int) -> House:
    house = tx.session.execute(
        select(House).where(House.id == house_id).with_for_update()
    ).scalar_one_or_none()
    if house is None or house_id not in owner_house_ids(tx.session, account_id, local_date(tx.now)):
        raise NotFound
    return house


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _note(
    tx: Transaction,
    actor: Actor,
    action: str,
    house: House,
    row: HouseInvitation,
    *,
    before: str | None,
) -> None:
    record(
        tx,
        actor,
        action,
        subject_type="house",
        subject_id=house.id,
        community_id=house.community_id,
        facts={
            "before": None if before is None else {"state": before},
            "after": {
                "state": row.state,
                "phone": mask_phone(row.phone),
                "role": row.role,
                "stays_until": row.stays_until.isoformat() if row.stays_until else None,
            },
            "reason": "",
        },
    )
