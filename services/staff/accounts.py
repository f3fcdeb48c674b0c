"""Staff accounts: handed out, changed, switched off; every change acts on the next request."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from domain.actors import MONEY_ROLES, Actor, ActorKind, Permission, Role
from domain.errors import InvalidInput, NotFound
from domain.phones import mask_phone, normalise_phone
from models import Staff
from services.audit import record
from services.password_doors import LoginNameTaken, check_login_name
from services.passwords import ONE_TIME_LIFE, Passwords
from services.scopes import staff_in_scope
from services.staff.grants import ask_for_role
from services.staff.reach import Reach, pieces_of, set_scope
from services.staff.rows import actor_of, drop_totp, end_sessions, set_password
from services.unit_of_work import Transaction, UnitOfWork, violates

T = TypeVar("T")

_MAIL = re.compile(
    r"\A[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+\Z", re.ASCII
)
_MAIL_LIMIT = 200


@dataclass(frozen=True, slots=True)
class StaffView:
    """A member of staff; ``scope`` is empty for the whole company, else its pieces in words."""

    id: int
    login_name: str
    name: str
    role: Role
    is_active: bool
    phone_masked: str
    has_email: bool
    has_password: bool
    has_totp: bool
    scope: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HandedOut:
    """An account with its one-time password, which is told this once.

    With a ``grant_id`` it opens only after somebody else has granted the role.
    """

    staff_id: int
    login_name: str
    password: str = field(repr=False)
    grant_id: int | None


@dataclass(frozen=True)
class StaffAccounts:
    """Who works here, in which role, and for which communities."""

    unit_of_work: UnitOfWork
    passwords: Passwords

    def create(
        self,
        *,
        actor: Actor,
        login_name: str,
        name: str,
        role: Role,
        phone: str = "",
        email: str = "",
        reach: Reach | None = None,
    ) -> HandedOut:
        """Hand out an account with a one-time password; login names are case-sensitive.

        A role with power over money that a member of staff hands out waits for a second person,
        and the account with it; whoever holds the machine's shell needs none.

        Raises:
            LoginNameTaken: the login name is in use.
            InvalidInput: a name, phone or e-mail address cannot be used.
            NotFound: no such community or building, or out of the actor's own scope.
        """
        self._check(actor)
        if fields := _name_faults(name) | check_login_name(login_name):
            raise InvalidInput(fields=fields)
        contacts = {"phone": _phone(phone), "email": _email(email)}
        made = self.passwords.make_one_time()
        waits = role in MONEY_ROLES and actor.kind is ActorKind.STAFF

        def work(tx: Transaction) -> HandedOut:
            staff = Staff(
                login_name=login_name,
                name=name.strip(),
                role=role,
                is_active=not waits,
                created_at=tx.now,
                password_hash=made.password_hash,
                must_change_password=True,
                one_time_until=tx.now + ONE_TIME_LIFE,
                **contacts,
            )
            tx.session.add(staff)
            tx.session.flush()
            set_scope(tx, actor, staff, reach or Reach())
            _note(tx, actor, "staff_created", staff, login_name=login_name, role=role)
            grant_id = ask_for_role(tx, actor, staff, role, opens=True) if waits else None
            return HandedOut(staff.id, login_name, made.password, grant_id)

        try:
            return self.unit_of_work.run(work)
        except IntegrityError as error:
            if violates(error, "uq_staff_login_name"):
                raise LoginNameTaken from error
            raise

    def edit(
        self,
        *,
        actor: Actor,
        staff_id: int,
        name: str | None = None,
        phone: str | None = None,
        email: str | None = None,
    ) -> int | None:
        """Change name, phone or e-mail address; None leaves one as it is, empty takes it away.

        By phone and e-mail a password can be set anew, so changing them asks for a second person
        as `reset_password` does; returns the grant's id then.

        Raises:
            NotFound: no such member of staff in scope.
            GrantPending: a role was asked for already.
            InvalidInput: a name, phone or e-mail address cannot be used.
        """
        self._check(actor)
        values: dict[str, str | None] = {}
        if name is not None:
            if fields := _name_faults(name):
                raise InvalidInput(fields=fields)
            values["name"] = name.strip()
        if phone is not None:
            values["phone"] = _phone(phone)
        if email is not None:
            values["email"] = _email(email)

        def work(tx: Transaction, staff: Staff) -> int | None:
            changed = [key for key, value in values.items() if getattr(staff, key) != value]
            for key in changed:
                setattr(staff, key, values[key])
            if changed:
                _note(tx, actor, "staff_edited", staff, changed=changed)
            return _by_two(tx, actor, staff) if {"phone", "email"} & set(changed) else None

        return self._change(actor, staff_id, work)

    def change_role(self, *, actor: Actor, staff_id: int, role: Role) -> int | None:
        """Give another role, which ends the sessions; returns the grant's id if one must wait.

        Raises:
            NotFound: no such member of staff in scope.
            GrantPending: a role was asked for already.
        """
        self._check(actor)

        def work(tx: Transaction, staff: Staff) -> int | None:
            if staff.role == role:
                return None
            if role in MONEY_ROLES and actor.kind is ActorKind.STAFF:
                return ask_for_role(tx, actor, staff, role, opens=False)
            _note(tx, actor, "staff_role_changed", staff, before=staff.role, after=role)
            staff.role = role
            end_sessions(tx, staff.id)
            return None

        return self._change(actor, staff_id, work)

    def change_scope(self, *, actor: Actor, staff_id: int, reach: Reach) -> None:
        """Set for which communities and buildings somebody works; an empty reach is all.

        Raises:
            NotFound: no such member of staff, community or building in the actor's own scope.
        """
        self._check(actor)
        self._change(actor, staff_id, lambda tx, staff: set_scope(tx, actor, staff, reach))

    def disable(self, *, actor: Actor, staff_id: int) -> None:
        """Switch an account off at once: sessions end, keys open nothing.

        Raises:
            NotFound: no such member of staff in scope.
        """
        self._check(actor)

        def work(tx: Transaction, staff: Staff) -> None:
            if staff.is_active:
                staff.is_active = False
                end_sessions(tx, staff.id)
                _note(tx, actor, "staff_disabled", staff)

        self._change(actor, staff_id, work)

    def enable(self, *, actor: Actor, staff_id: int) -> int | None:
        """Switch an account on again; returns the grant's id if its role waits for one.

        Raises:
            NotFound: no such member of staff in scope.
            GrantPending: its role was asked for already.
        """
        self._check(actor)

        def work(tx: Transaction, staff: Staff) -> int | None:
            if staff.is_active:
                return None
            if Role(staff.role) in MONEY_ROLES and actor.kind is ActorKind.STAFF:
                return ask_for_role(tx, actor, staff, Role(staff.role), opens=True)
            staff.is_active = True
            _note(tx, actor, "staff_enabled", staff)
            return None

        return self._change(actor, staff_id, work)

    def reset_password(self, *, actor: Actor, staff_id: int, drops_totp: bool = False) -> HandedOut:
        """Hand out a new one-time password; sessions and open links end.

        ``drops_totp`` is for whoever lost phone and recovery codes. Where the role has power over
        money and a member of staff resets it, the account is closed until a second person grants
        the role anew: nobody steps alone into the place of another.

        Raises:
            NotFound: no such member of staff in scope.
            GrantPending: a role was asked for already.
        """
        self._check(actor)
        made = self.passwords.make_one_time()

        def work(tx: Transaction, staff: Staff) -> HandedOut:
            set_password(tx, staff, made.password_hash, must_change=True)
            if drops_totp:
                drop_totp(tx, staff)
            _note(tx, actor, "staff_password_reset", staff, dropped_totp=drops_totp)
            grant_id = _by_two(tx, actor, staff)
            return HandedOut(staff.id, staff.login_name, made.password, grant_id)

        return self._change(actor, staff_id, work)

    def find_id(self, *, actor: Actor, login_name: str) -> int:
        """Tell the id of a login name.

        Raises:
            NotFound: nobody in scope has it.
        """
        actor.must(Permission.MANAGE_STAFF)
        with self.unit_of_work.reading() as session:
            staff_id = session.execute(
                select(Staff.id).where(Staff.login_name == login_name, staff_in_scope(actor))
            ).scalar_one_or_none()
        if staff_id is None:
            raise NotFound(f"没有登录名为 {login_name} 的员工")
        return staff_id

    def list_all(self, *, actor: Actor) -> Sequence[StaffView]:
        """List everybody in scope who has an account, by login name."""
        actor.must(Permission.MANAGE_STAFF)
        with self.unit_of_work.reading() as session:
            rows = session.scalars(
                select(Staff).where(staff_in_scope(actor)).order_by(Staff.login_name)
            ).all()
            return [_view(row, pieces_of(session, row)) for row in rows]

    def act_as(self, *, login_name: str, request_id: str = "") -> Actor:
        """Become a member of staff at the machine's own shell.

        Raises:
            NotFound: nobody active has this login name.
        """
        with self.unit_of_work.reading() as session:
            staff = session.execute(
                select(Staff).where(Staff.login_name == login_name, Staff.is_active)
            ).scalar_one_or_none()
            if staff is None:
                raise NotFound(f"没有登录名为 {login_name} 的员工，可用 flask staff create 添加")
            return actor_of(session, staff, request_id=request_id)

    def _check(self, actor: Actor) -> None:
        actor.must(Permission.MANAGE_STAFF)
        actor.must_be_fresh()

    def _change(self, actor: Actor, staff_id: int, change: Callable[[Transaction, Staff], T]) -> T:
        def work(tx: Transaction) -> T:
            staff = tx.session.execute(
                select(Staff).where(Staff.id == staff_id, staff_in_scope(actor)).with_for_update()
            ).scalar_one_or_none()
            if staff is None:
                raise NotFound
            return change(tx, staff)

        return self.unit_of_work.run(work)


def _by_two(tx: Transaction, actor: Actor, staff: Staff) -> int | None:
    if Role(staff.role) not in MONEY_ROLES or actor.kind is not ActorKind.STAFF:
        return None
    staff.is_active = False
    end_sessions(tx, staff.id)
    return ask_for_role(tx, actor, staff, Role(staff.role), opens=True)


def _view(staff: Staff, scope: tuple[str, ...]) -> StaffView:
    return StaffView(
        id=staff.id,
        login_name=staff.login_name,
        name=staff.name,
        role=Role(staff.role),
        is_active=staff.is_active,
        phone_masked=mask_phone(staff.phone),
        has_email=bool(staff.email),
        has_password=bool(staff.password_hash),
        has_totp=bool(staff.totp_sealed),
        scope=scope,
    )


def _name_faults(name: str) -> dict[str, list[str]]:
    return {} if 1 <= len(name.strip()) <= 40 else {"name": ["请填写姓名，40 字以内"]}


def _phone(phone: str) -> str | None:
    return normalise_phone(phone) if phone.strip() else None


def _email(email: str) -> str | None:
    email = email.strip()
    if email and (len(email) > _MAIL_LIMIT or not _MAIL.match(email)):
        raise InvalidInput(fields={"email": ["邮箱格式不对"]})
    return email or None


def _note(tx: Transaction, actor: Actor, action: str, staff: Staff, **facts: Any) -> None:
    record(tx, actor, action, subject_type="staff", subject_id=staff.id, facts=facts)
