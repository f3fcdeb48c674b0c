"""Keys by which programs of members of staff call the API, such as a meter reading system."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import select, update

from domain.actors import Actor, MustFirst, Permission
from domain.errors import InvalidInput, NotFound, NotSignedIn
from domain.tokens import hash_of_token, new_token
from models import Staff, StaffToken
from services.audit import record
from services.scopes import staff_in_scope
from services.staff.rows import actor_of
from services.unit_of_work import Transaction, UnitOfWork

KEY_PREFIX = "sk_"
"""A key never looks like the token of a session."""
_NAME_LIMIT = 40


@dataclass(frozen=True, slots=True)
class NewStaffToken:
    """A key that was just made. ``token`` is told this once; only its hash is kept."""

    id: int
    token: str


@dataclass(frozen=True, slots=True)
class StaffTokenView:
    """A key as it is on file."""

    id: int
    name: str
    created_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True)
class StaffTokens:
    """The keys of members of staff."""

    unit_of_work: UnitOfWork

    def create(self, *, actor: Actor, login_name: str, name: str) -> NewStaffToken:
        """Make a key that may do what its owner's role may do, until it is revoked.

        Raises:
            NotFound: nobody active has this login name.
            InvalidInput: the name is empty or too long.
            ReauthenticationNeeded: the password was given too long ago.
        """
        actor.must(Permission.MANAGE_STAFF)
        actor.must_be_fresh()
        name = name.strip()
        if not 1 <= len(name) <= _NAME_LIMIT or not name.isprintable():
            raise InvalidInput(fields={"name": [f"请填写用途，{_NAME_LIMIT} 字以内"]})
        token = KEY_PREFIX + new_token()

        def work(tx: Transaction) -> int:
            staff_id = tx.session.execute(
                select(Staff.id).where(
                    Staff.login_name == login_name, Staff.is_active, staff_in_scope(actor)
                )
            ).scalar_one_or_none()
            if staff_id is None:
                raise NotFound(f"没有登录名为 {login_name} 的员工")
            row = StaffToken(
                staff_id=staff_id, name=name, token_sha256=hash_of_token(token), created_at=tx.now
            )
            tx.session.add(row)
            tx.session.flush()
            _note(tx, actor, "staff_token_created", row.id, staff_id=staff_id, name=name)
            return row.id

        return NewStaffToken(self.unit_of_work.run(work), token)

    def revoke(self, *, actor: Actor, token_id: int) -> None:
        """End a key at once; it opens nothing any more, and is not made valid again.

        Raises:
            NotFound: no such key, or it was revoked before.
        """
        actor.must(Permission.MANAGE_STAFF)

        def work(tx: Transaction) -> None:
            staff_id = tx.session.execute(
                update(StaffToken)
                .where(
                    StaffToken.id == token_id,
                    StaffToken.revoked_at.is_(None),
                    StaffToken.staff_id == Staff.id,
                    staff_in_scope(actor),
                )
                .values(revoked_at=tx.now)
                .returning(StaffToken.staff_id)
            ).scalar_one_or_none()
            if staff_id is None:
                raise NotFound
            _note(tx, actor, "staff_token_revoked", token_id, staff_id=staff_id)

        self.unit_of_work.run(work)

    def list_tokens(self, *, actor: Actor, login_name: str) -> Sequence[StaffTokenView]:
        """List the keys of a member of staff, newest first, revoked ones too."""
        actor.must(Permission.MANAGE_STAFF)
        with self.unit_of_work.reading() as session:
            rows = session.execute(
                select(StaffToken.id, StaffToken.name, StaffToken.created_at, StaffToken.revoked_at)
                .join(Staff, Staff.id == StaffToken.staff_id)
                .where(Staff.login_name == login_name, staff_in_scope(actor))
                .order_by(StaffToken.id.desc())
            ).all()
        return [StaffTokenView(*row) for row in rows]

    def authenticate(self, *, token: str, request_id: str = "") -> Actor:
        """Tell which member of staff a key belongs to.

        A key is never fresh, so it gives no money or power away, and it does nothing while its
        owner must change their password.

        Raises:
            NotSignedIn: unknown or revoked, or the member of staff was switched off.
        """
        with self.unit_of_work.reading() as session:
            staff = session.execute(
                select(Staff)
                .join(StaffToken, StaffToken.staff_id == Staff.id)
                .where(
                    StaffToken.token_sha256 == hash_of_token(token),
                    StaffToken.revoked_at.is_(None),
                    Staff.is_active,
                )
            ).scalar_one_or_none()
            if staff is None:
                raise NotSignedIn
            actor = actor_of(session, staff, request_id=request_id)
        must_first = MustFirst.CHANGE_PASSWORD if staff.must_change_password else None
        return replace(actor, is_fresh=False, must_first=must_first)


def _note(tx: Transaction, actor: Actor, action: str, token_id: int, **facts: object) -> None:
    record(tx, actor, action, subject_type="staff_token", subject_id=token_id, facts=dict(facts))
