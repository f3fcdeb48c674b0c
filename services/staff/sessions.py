"""Sessions of members of staff: opened by password, ended at once, for whatever front."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select, update

from domain.actors import (
    MONEY_ROLES,
    Actor,
    MustFirst,
    Permission,
    Role,
    signed_in_staff,
    staff_id_of,
)
from domain.errors import NotFound, NotSignedIn
from domain.personal_data import LOG_KEPT
from domain.tokens import hash_of_token, new_token
from models import PasswordReset, SignInAttempt, Staff, StaffSession
from services.audit import record
from services.passwords import Passwords
from services.sign_in_attempts import Visit
from services.staff.proofs import StaffProofs
from services.staff.rows import actor_of, end_sessions, own_words_of, set_password
from services.unit_of_work import Transaction, UnitOfWork

TOKEN_PREFIX = "ss_"  # noqa: S105 - how a session's token is told from a program's key
FRESH_FOR = timedelta(minutes=10)
IDLE = timedelta(minutes=30)
LIFE = timedelta(hours=12)
"""Source: NIST SP 800-63B-4, 2.2.3: at most 12 hours, 30 minutes idle, with power over others."""
REMEMBERED_IDLE = timedelta(days=7)
REMEMBERED_LIFE = timedelta(days=30)
"""Only if asked for, on a device of one's own."""
_SEEN_STEP = timedelta(minutes=1)
_WORDS_LIMIT = 200
_SHOWN = 100


@dataclass(frozen=True, slots=True)
class StaffSignedIn:
    """A session with a new token, which is told this once; ``must_first`` goes before all else."""

    token: str = field(repr=False)
    expires_at: datetime
    name: str
    role: Role
    must_first: MustFirst | None


@dataclass(frozen=True, slots=True)
class StaffSessionView:
    """One of one's own sessions."""

    id: int
    device: str
    ip: str
    is_remembered: bool
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    is_current: bool


@dataclass(frozen=True)
class StaffSessions:
    """The doors of members of staff."""

    unit_of_work: UnitOfWork
    proofs: StaffProofs
    passwords: Passwords
    requires_totp: bool

    def sign_in(
        self,
        *,
        actor: Actor,
        login_name: str,
        password: str,
        visit: Visit,
        totp: str = "",
        remember: bool = False,
    ) -> StaffSignedIn:
        """Open a session for whoever proves to be a member of staff.

        Raises:
            SignInTooSoon, WrongCredentials, TotpNeeded, WrongTotp: see `StaffProofs.prove`.
        """
        actor.must(Permission.SIGN_IN)

        def open_session(tx: Transaction, staff: Staff) -> StaffSignedIn:
            token = _new_token()
            life = REMEMBERED_LIFE if remember else LIFE
            row = StaffSession(
                staff_id=staff.id,
                token_sha256=hash_of_token(token),
                device=visit.device_words[:_WORDS_LIMIT],
                ip=visit.ip,
                is_remembered=remember,
                created_at=tx.now,
                seen_at=tx.now,
                expires_at=tx.now + life,
                reauthenticated_at=tx.now,
            )
            tx.session.add(row)
            tx.session.flush()
            who = actor_of(tx.session, staff, request_id=actor.request_id)
            _note(tx, who, "staff_signed_in", staff.id, session_id=row.id, remembered=remember)
            return self._told(row, staff, token)

        return self.proofs.prove(
            login_name=login_name, password=password, totp=totp, visit=visit, then=open_session
        )

    def authenticate(self, *, token: str, request_id: str = "") -> Actor:
        """Tell which member of staff holds a session; role, scope and state are read each time.

        Raises:
            NotSignedIn: unknown, ended, expired or idle too long, or the account is switched off.
        """
        now = self.unit_of_work.clock.now()
        with self.unit_of_work.reading() as session:
            found = session.execute(
                select(StaffSession, Staff)
                .join(Staff, Staff.id == StaffSession.staff_id)
                .where(
                    StaffSession.token_sha256 == hash_of_token(token),
                    StaffSession.ended_at.is_(None),
                    StaffSession.expires_at > now,
                    Staff.is_active,
                )
            ).one_or_none()
            if found is None:
                raise NotSignedIn
            row, staff = found
            who = actor_of(session, staff, request_id=request_id)
            session_id, seen_at = row.id, row.seen_at
            idle = REMEMBERED_IDLE if row.is_remembered else IDLE
            if seen_at + idle <= now:
                raise NotSignedIn
            actor = signed_in_staff(
                who,
                session_id=session_id,
                is_fresh=row.reauthenticated_at + FRESH_FOR > now,
                must_first=self._must_first(staff),
            )
        if seen_at + _SEEN_STEP <= now:
            self.unit_of_work.run(lambda tx: _see(tx, session_id))
        return actor

    def reauthenticate(
        self, *, actor: Actor, password: str, visit: Visit, totp: str = ""
    ) -> StaffSignedIn:
        """Prove oneself again on this device; the session goes on under a new token.

        Raises:
            SignInTooSoon, WrongCredentials, TotpNeeded, WrongTotp: see `StaffProofs.prove`.
        """
        actor.must(Permission.MANAGE_OWN_STAFF_SESSION)

        def renew(tx: Transaction, staff: Staff) -> StaffSignedIn:
            row, token = self._own_session(tx, actor), _new_token()
            row.token_sha256, row.reauthenticated_at = hash_of_token(token), tx.now
            _note(tx, actor, "staff_reauthenticated", staff.id, session_id=row.id)
            return self._told(row, staff, token)

        return self.proofs.prove(
            login_name=self._login_name(actor),
            password=password,
            totp=totp,
            visit=visit,
            then=renew,
        )

    def change_password(
        self, *, actor: Actor, password: str, new_password: str, visit: Visit, totp: str = ""
    ) -> StaffSignedIn:
        """Set one's own password; other sessions end, this one goes on under a new token.

        Raises:
            WeakPassword: the new one can be guessed, or is the old one.
            SignInTooSoon, WrongCredentials, TotpNeeded, WrongTotp: see `StaffProofs.prove`.
        """
        actor.must(Permission.MANAGE_OWN_STAFF_SESSION)
        with self.unit_of_work.reading() as session:
            staff = session.get_one(Staff, staff_id_of(actor))
            words = [*own_words_of(session, staff), password]
            has_factor, login_name = bool(staff.totp_sealed), staff.login_name
        new_hash = self.passwords.hash_chosen(
            new_password, has_second_factor=has_factor, own_words=words
        )

        def change(tx: Transaction, staff: Staff) -> StaffSignedIn:
            row, token = self._own_session(tx, actor), _new_token()
            set_password(tx, staff, new_hash, must_change=False, keeps=row.id)
            row.token_sha256, row.reauthenticated_at = hash_of_token(token), tx.now
            _note(tx, actor, "staff_password_changed", staff.id)
            return self._told(row, staff, token)

        return self.proofs.prove(
            login_name=login_name, password=password, totp=totp, visit=visit, then=change
        )

    def list_own(self, *, actor: Actor) -> Sequence[StaffSessionView]:
        """List the sessions in which one is signed in, newest use first, at most 100."""
        actor.must(Permission.MANAGE_OWN_STAFF_SESSION)
        now = self.unit_of_work.clock.now()
        with self.unit_of_work.reading() as session:
            rows = session.scalars(
                select(StaffSession)
                .where(
                    StaffSession.staff_id == staff_id_of(actor),
                    StaffSession.ended_at.is_(None),
                    StaffSession.expires_at > now,
                )
                .order_by(StaffSession.seen_at.desc(), StaffSession.id.desc())
                .limit(_SHOWN)
            ).all()
        return [
            StaffSessionView(
                id=row.id,
                device=row.device,
                ip=row.ip,
                is_remembered=row.is_remembered,
                created_at=row.created_at,
                seen_at=row.seen_at,
                expires_at=row.expires_at,
                is_current=row.id == actor.session_id,
            )
            for row in rows
            if row.seen_at + (REMEMBERED_IDLE if row.is_remembered else IDLE) > now
        ]

    def end_own(self, *, actor: Actor, session_id: int) -> None:
        """End one of one's own sessions at once.

        Raises:
            NotFound: no such session, it has ended, or it is not one's own.
        """
        actor.must(Permission.MANAGE_OWN_STAFF_SESSION)

        def work(tx: Transaction) -> None:
            ended = tx.session.execute(
                update(StaffSession)
                .where(
                    StaffSession.id == session_id,
                    StaffSession.staff_id == staff_id_of(actor),
                    StaffSession.ended_at.is_(None),
                )
                .values(ended_at=tx.now)
                .returning(StaffSession.id)
            ).scalar_one_or_none()
            if ended is None:
                raise NotFound
            _note(tx, actor, "staff_session_ended", staff_id_of(actor), session_id=session_id)

        self.unit_of_work.run(work)

    def sign_out(self, *, actor: Actor) -> None:
        """End the session through which one acts.

        Raises:
            NotFound: it has ended meanwhile.
        """
        actor.must(Permission.MANAGE_OWN_STAFF_SESSION)
        self.end_own(actor=actor, session_id=actor.session_id or 0)

    def end_all_own(self, *, actor: Actor) -> None:
        """End every session of one's own, this one too."""
        actor.must(Permission.MANAGE_OWN_STAFF_SESSION)

        def work(tx: Transaction) -> None:
            end_sessions(tx, staff_id_of(actor))
            _note(tx, actor, "staff_signed_out_everywhere", staff_id_of(actor))

        self.unit_of_work.run(work)

    def drop_old(self, *, actor: Actor) -> int:
        """Forget attempts, sessions and links of more than 190 days ago and return how many."""
        actor.must(Permission.RUN_PLATFORM_WORK)

        def work(tx: Transaction) -> int:
            gone = 0
            for table, when in (
                (SignInAttempt, SignInAttempt.at),
                (StaffSession, StaffSession.expires_at),
                (PasswordReset, PasswordReset.expires_at),
            ):
                old = delete(table).where(when < tx.now - LOG_KEPT).returning(table.id)
                gone += len(tx.session.scalars(old).all())
            return gone

        return self.unit_of_work.run(work)

    def _must_first(self, staff: Staff) -> MustFirst | None:
        if staff.must_change_password:
            return MustFirst.CHANGE_PASSWORD
        if self.requires_totp and Role(staff.role) in MONEY_ROLES and not staff.totp_sealed:
            return MustFirst.SET_UP_TOTP
        return None

    def _told(self, row: StaffSession, staff: Staff, token: str) -> StaffSignedIn:
        return StaffSignedIn(
            token, row.expires_at, staff.name, Role(staff.role), self._must_first(staff)
        )

    def _login_name(self, actor: Actor) -> str:
        with self.unit_of_work.reading() as session:
            return session.execute(
                select(Staff.login_name).where(Staff.id == staff_id_of(actor))
            ).scalar_one()

    def _own_session(self, tx: Transaction, actor: Actor) -> StaffSession:
        row = tx.session.execute(
            select(StaffSession)
            .where(StaffSession.id == actor.session_id, StaffSession.ended_at.is_(None))
            .with_for_update()
        ).scalar_one_or_none()
        if row is None:
            raise NotSignedIn
        return row


def _see(tx: Transaction, session_id: int) -> None:
    tx.session.execute(
        update(StaffSession).where(StaffSession.id == session_id).values(seen_at=tx.now)
    )


def _new_token() -> str:
    return TOKEN_PREFIX + new_token()


def _note(tx: Transaction, actor: Actor, action: str, staff_id: int, **facts: Any) -> None:
    record(tx, actor, action, subject_type="staff", subject_id=staff_id, facts=dict(facts))
