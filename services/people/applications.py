"""Applications to be bound to a house where the phone on file does not say it, and their review."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import ColumnElement, func, or_, select

from domain.actors import Actor, Permission, staff_id_of
from domain.errors import Conflict, InvalidInput, NotFound, NotSignedIn, TooMany
from domain.files import FileSubject
from domain.house_roles import OWNING_ROLES
from models import (
    Account,
    BindingApplication,
    House,
    HousePerson,
    Owner,
    OwnerPhone,
)
from services.audit import record
from services.estate import find_community, find_house
from services.files.attaching import attach_photos
from services.people.application_rows import ApplicationView, for_applicant, read_applications
from services.people.binding_rows import (
    Newcomer,
    bind,
    find_person,
    present_part,
    put_newcomer_on_file,
)
from services.people.rows import run_with_phone
from services.reasons import check_reason
from services.retirement import hold_house
from services.scopes import houses_in_scope, in_scope, lock_house
from services.unit_of_work import Transaction, UnitOfWork

PENDING_AT_ONCE = 5
APPLICATIONS_A_DAY = 10
_ROLES = ("owner", "family", "tenant")
_LIMITS = {"house": 40, "name": 50, "proof": 500}


class AlreadyApplied(Conflict):
    """The same house was asked for and is not decided yet."""

    code = "already_applied"
    message = "您已申请绑定此房屋，请等待审核"


class TooManyApplications(TooMany):
    """An account has asked for too many houses."""

    code = "too_many_applications"
    message = "申请太多，请等待已有申请审核后再试"


class ApplicationDecided(Conflict):
    """The application was decided or withdrawn before."""

    code = "application_decided"
    message = "该申请已处理"


@dataclass(frozen=True, slots=True)
class WantedBinding:
    """What somebody asks for: the community by code or name, the house in words, and proof.

    ``photo_ids`` are photos of papers that they handed in before.
    """

    community: str
    house: str
    name: str
    role: str
    proof: str
    photo_ids: Sequence[int] = ()


@dataclass(frozen=True)
class BindingApplications:
    """Takes applications and reviews them."""

    unit_of_work: UnitOfWork

    def apply(self, *, actor: Actor, wanted: WantedBinding) -> int:
        """Ask to be bound to a house and return the application's id.

        The answer is the same whether there is such a house or not: houses are not for asking.

        Raises:
            InvalidInput: a field cannot be used, or there is no such community.
            NotFound: a photo is not theirs, or was used before.
            AlreadyApplied: the same waits to be decided.
            TooManyApplications: five wait already, or ten were made within a day.
        """
        actor.must(Permission.MANAGE_OWN_BINDINGS)
        _check_wanted(wanted)

        def work(tx: Transaction) -> int:
            account = _lock_account(tx, actor.account_id)
            try:
                community_id = find_community(tx.session, actor, wanted.community.strip()).id
            except NotFound as unknown:
                fields = {"community": ["没有这个小区，请填写小区全名"]}
                raise InvalidInput(fields=fields) from unknown
            _check_flood(tx, account.id, community_id, wanted.house.strip())
            row = BindingApplication(
                account_id=account.id,
                community_id=community_id,
                house_text=wanted.house.strip(),
                house_id=_guess_house(tx, actor, community_id, wanted.house),
                name=wanted.name.strip(),
                role=wanted.role,
                proof=wanted.proof.strip(),
                state="pending",
                created_at=tx.now,
            )
            tx.session.add(row)
            tx.session.flush()
            attach_photos(
                tx,
                actor=actor,
                photo_ids=wanted.photo_ids,
                subject_type=FileSubject.BINDING_APPLICATION,
                subject_id=row.id,
                community_id=community_id,
            )
            _note(tx, actor, "binding_applied", row, before=None, reason="")
            return row.id

        return self.unit_of_work.run(work)

    def list_own(self, *, actor: Actor) -> Sequence[ApplicationView]:
        """List one's own applications and what became of them, newest first."""
        actor.must(Permission.MANAGE_OWN_BINDINGS)
        with self.unit_of_work.reading() as session:
            found = read_applications(
                session, BindingApplication.account_id == actor.account_id, limit=50
            )
        return [for_applicant(view) for view in found]

    def withdraw(self, *, actor: Actor, application_id: int) -> None:
        """Take one's own application back.

        Raises:
            NotFound: no such application of one's own.
            ApplicationDecided: it was decided before.
        """
        actor.must(Permission.MANAGE_OWN_BINDINGS)

        def work(tx: Transaction) -> None:
            row = _lock(tx, application_id, BindingApplication.account_id == actor.account_id)
            row.state, row.decided_at = "withdrawn", tx.now
            _note(tx, actor, "binding_withdrawn", row, before="pending", reason="")

        self.unit_of_work.run(work)

    def list_applications(
        self,
        *,
        actor: Actor,
        community_id: int | None = None,
        state: str = "pending",
        before_id: int | None = None,
        limit: int = 50,
    ) -> Sequence[ApplicationView]:
        """List applications for staff, newest first.

        An application that fits no house is shown to those who see the whole community.
        """
        actor.must(Permission.REVIEW_BINDINGS)
        where = [_in_scope(actor), BindingApplication.state == state]
        if community_id is not None:
            where.append(BindingApplication.community_id == community_id)
        if before_id is not None:
            where.append(BindingApplication.id < before_id)
        with self.unit_of_work.reading() as session:
            return read_applications(session, *where, limit=limit)

    def approve(
        self,
        *,
        actor: Actor,
        application_id: int,
        house_id: int | None = None,
        owner_id: int | None = None,
        until: date | None = None,
        reason: str,
    ) -> int:
        """Bind the applicant and return the binding's id.

        ``house_id`` is needed where the words fitted no house. Whoever says they are an owner is
        bound as an owner on file: the one with their phone, or the one named by ``owner_id``, who
        then gets the phone as one more. Family and tenants are put on file.

        Raises:
            NotFound: no such application, house or owner of that house.
            ApplicationDecided: it was decided before.
            AlreadyBound: the account is bound to the house.
            PhoneTaken: the phone is another owner's.
            InvalidInput: no reason, or the house or owner must be chosen.
        """
        actor.must(Permission.REVIEW_BINDINGS)
        check_reason(reason)
        staff_id = staff_id_of(actor)

        def work(tx: Transaction) -> int:
            row = _lock(tx, application_id, _in_scope(actor))
            if row.house_id is None and house_id is None:
                raise InvalidInput(fields={"house_id": ["请选择房屋"]})
            house = lock_house(tx, actor, house_id or row.house_id or 0)
            if house.community_id != row.community_id:
                raise NotFound
            hold_house(tx, house.id)
            account = tx.session.get_one(Account, row.account_id)
            if row.role == "owner":
                part = _owner_part(tx, house, account.phone, owner_id)
            else:
                newcomer = Newcomer(account, row.name, row.role, until=until)
                _, part = put_newcomer_on_file(tx, actor, house, newcomer)
            row.binding_id = bind(
                tx, actor, account_id=account.id, part=part, because="application"
            )
            row.state, row.house_id = "approved", house.id
            _decide(tx, actor, row, staff_id, reason, "binding_approved")
            return row.binding_id

        return run_with_phone(self.unit_of_work, work)

    def reject(self, *, actor: Actor, application_id: int, reason: str) -> None:
        """Refuse an application; the applicant reads the reason.

        Raises:
            NotFound: no such application.
            ApplicationDecided: it was decided before.
            InvalidInput: no reason.
        """
        actor.must(Permission.REVIEW_BINDINGS)
        check_reason(reason)
        staff_id = staff_id_of(actor)

        def work(tx: Transaction) -> None:
            row = _lock(tx, application_id, _in_scope(actor))
            row.state = "rejected"
            _decide(tx, actor, row, staff_id, reason, "binding_rejected")

        self.unit_of_work.run(work)


def _check_wanted(wanted: WantedBinding) -> None:
    fields: dict[str, list[str]] = {}
    for field, limit in _LIMITS.items():
        text = str(getattr(wanted, field)).strip()
        if not 1 <= len(text) <= limit or not text.replace("\n", "").isprintable():
            fields[field] = [f"请填写，{limit} 字以内"]
    if wanted.role not in _ROLES:
        fields["role"] = ["应为业主、家庭成员或租客"]
    if fields:
        raise InvalidInput(fields=fields)


def _lock_account(tx: Transaction, account_id: int) -> Account:
    """Lock the account, so that its applications are counted one after another."""
    account = tx.session.execute(
        select(Account).where(Account.id == account_id, Account.is_active).with_for_update()
    ).scalar_one_or_none()
    if account is None:
        raise NotSignedIn
    return account


def _check_flood(tx: Transaction, account_id: int, community_id: int, house_text: str) -> None:
    own = BindingApplication.account_id == account_id
    pending = tx.session.execute(
        select(BindingApplication.community_id, BindingApplication.house_text).where(
            own, BindingApplication.state == "pending"
        )
    ).all()
    if (community_id, house_text) in [tuple(one) for one in pending]:
        raise AlreadyApplied
    made_today = tx.session.execute(
        select(func.count()).where(own, BindingApplication.created_at > tx.now - timedelta(days=1))
    ).scalar_one()
    if len(pending) >= PENDING_AT_ONCE or made_today >= APPLICATIONS_A_DAY:
        raise TooManyApplications(retry_after_s=86_400)


def _guess_house(tx: Transaction, actor: Actor, community_id: int, words: str) -> int | None:
    try:
        return find_house(tx.session, actor, community_id, words)
    except NotFound:
        return None


def _owner_part(tx: Transaction, house: House, phone: str, owner_id: int | None) -> HousePerson:
    holder = find_person(tx, house, phone)
    chosen = holder.id if holder is not None and owner_id is None else owner_id
    if chosen is None:
        raise InvalidInput(fields={"owner_id": ["请选择申请人是房屋的哪一位业主"]})
    part = present_part(tx, house.id, chosen)
    if part is None or part.role not in OWNING_ROLES:
        raise NotFound("此人不是该房屋现在的业主")
    if holder is None or holder.id != chosen:
        owner = tx.session.get_one(Owner, chosen)
        closed = tx.session.scalars(
            select(OwnerPhone).where(OwnerPhone.owner_id == chosen, OwnerPhone.phone == phone)
        ).one_or_none()
        if closed is not None:
            closed.opens_houses = True
        elif owner.phone is None:
            owner.phone = phone
        else:
            tx.session.add(
                OwnerPhone(
                    owner_id=chosen,
                    community_id=house.community_id,
                    phone=phone,
                    is_primary=False,
                    label="申请绑定",
                    created_at=tx.now,
                )
            )
        tx.session.flush()
    return part


def _in_scope(actor: Actor) -> ColumnElement[bool]:
    whole = in_scope(BindingApplication.community_id, actor)
    if not actor.scope.building_ids:
        return whole
    houses = select(House.id).where(houses_in_scope(actor))
    return or_(whole, BindingApplication.house_id.in_(houses))


def _lock(tx: Transaction, application_id: int, *where: ColumnElement[bool]) -> BindingApplication:
    row = tx.session.execute(
        select(BindingApplication)
        .where(BindingApplication.id == application_id, *where)
        .with_for_update()
    ).scalar_one_or_none()
    if row is None:
        raise NotFound
    if row.state != "pending":
        raise ApplicationDecided
    return row


def _decide(
    tx: Transaction,
    actor: Actor,
    row: BindingApplication,
    staff_id: int,
    reason: str,
    action: str,
) -> None:
    row.decided_by_staff_id, row.decided_at = staff_id, tx.now
    row.decision_note = reason.strip()
    tx.session.flush()
    _note(tx, actor, action, row, before="pending", reason=reason.strip())


def _note(
    tx: Transaction,
    actor: Actor,
    action: str,
    row: BindingApplication,
    *,
    before: str | None,
    reason: str,
) -> None:
    record(
        tx,
        actor,
        action,
        subject_type="binding_application",
        subject_id=row.id,
        community_id=row.community_id,
        facts={
            "before": None if before is None else {"state": before},
            "after": {"state": row.state, "house_id": row.house_id, "role": row.role},
            "reason": reason,
        },
    )
