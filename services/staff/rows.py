"""Steps on members of staff that several use-cases share."""

from __future__ import annotations

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from domain.actors import Actor, Role, staff_actor
from models import Community, PasswordReset, RecoveryCode, Staff, StaffScope, StaffSession
from services.passwords import ONE_TIME_LIFE
from services.scopes import scope_of
from services.unit_of_work import Transaction


def lock_staff(tx: Transaction, staff_id: int) -> Staff:
    """Take a member of staff to change them."""
    return tx.session.execute(
        select(Staff).where(Staff.id == staff_id).with_for_update()
    ).scalar_one()


def end_sessions(tx: Transaction, staff_id: int, *, but: int | None = None) -> None:
    """End every session of a member of staff, or all but one."""
    tx.session.execute(
        update(StaffSession)
        .where(
            StaffSession.staff_id == staff_id,
            StaffSession.ended_at.is_(None),
            StaffSession.id != (but or 0),
        )
        .values(ended_at=tx.now)
    )


def set_password(
    tx: Transaction,
    staff: Staff,
    password_hash: str,
    *,
    must_change: bool,
    keeps: int | None = None,
) -> None:
    """Give a locked member of staff a password; sessions, but one, and open links end with it."""
    staff.password_hash, staff.must_change_password = password_hash, must_change
    staff.one_time_until = tx.now + ONE_TIME_LIFE if must_change else None
    end_sessions(tx, staff.id, but=keeps)
    tx.session.execute(
        update(PasswordReset)
        .where(PasswordReset.staff_id == staff.id, PasswordReset.used_at.is_(None))
        .values(used_at=tx.now)
    )


def drop_totp(tx: Transaction, staff: Staff) -> None:
    """Take the second factor from a locked member of staff, with its recovery codes."""
    staff.totp_sealed = staff.totp_offered_sealed = ""
    tx.session.execute(delete(RecoveryCode).where(RecoveryCode.staff_id == staff.id))


def own_words_of(session: Session, staff: Staff) -> list[str]:
    """Tell what others know of a member of staff, which makes no password."""
    communities = session.execute(
        select(Community.name, Community.code)
        .join(StaffScope, StaffScope.community_id == Community.id)
        .where(StaffScope.staff_id == staff.id)
    ).all()
    known = [staff.login_name, staff.name, staff.phone or "", (staff.email or "").split("@")[0]]
    return [*known, *(word for row in communities for word in row)]


def actor_of(session: Session, staff: Staff, *, request_id: str = "") -> Actor:
    """Make of a member of staff somebody who acts."""
    return staff_actor(
        staff_id=staff.id,
        name=staff.name,
        role=Role(staff.role),
        scope=scope_of(session, staff_id=staff.id, sees_all=staff.sees_all),
        request_id=request_id,
    )
