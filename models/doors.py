"""How people get in: sessions of staff, attempts, resets, second factors, role grants."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.actors import Role
from models.base import BigId, Instant, Model, Words, one_of

DOORS = ("staff", "owner")
OUTCOMES = ("failed", "half", "passed")
GRANT_STATES = ("requested", "granted", "refused")


class StaffSession(Model):
    """One device on which a member of staff is signed in; only the token's hash is kept."""

    __tablename__ = "staff_session"
    __table_args__ = (
        UniqueConstraint("token_sha256"),
        Index("ix_staff_session_staff_id", "staff_id"),
    )

    id: Mapped[BigId]
    staff_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("staff.id"))
    token_sha256: Mapped[Words]
    device: Mapped[Words]
    """What the device calls itself, for the person to tell their sessions apart."""
    ip: Mapped[Words]
    is_remembered: Mapped[bool]
    created_at: Mapped[Instant]
    seen_at: Mapped[Instant]
    """The newest request, to the minute."""
    expires_at: Mapped[Instant]
    reauthenticated_at: Mapped[Instant]
    """When the password was given last on this device."""
    ended_at: Mapped[Instant | None]


class SignInAttempt(Model):
    """One password that was tried: written before it is looked at, so that none goes uncounted.

    ``half`` is a right password that waits for its second factor. Rows for login names that we do
    not have are written too; the name is kept as an HMAC, as people type passwords there.
    """

    __tablename__ = "sign_in_attempt"
    __table_args__ = (
        one_of("door", DOORS),
        one_of("outcome", OUTCOMES),
        Index("ix_sign_in_attempt_login_hmac", "login_hmac", "at"),
        Index("ix_sign_in_attempt_at", "at"),
    )

    id: Mapped[BigId]
    door: Mapped[Words]
    login_hmac: Mapped[Words]
    ip: Mapped[Words]
    device_sha256: Mapped[Words]
    at: Mapped[Instant]
    outcome: Mapped[Words]
    is_known: Mapped[bool]
    """Came from an address or a device that had signed in with this name before."""


class PasswordReset(Model):
    """A link by which a member of staff may set a new password once.

    Without a member of staff nobody has the name that was given: the row is the same work.
    """

    __tablename__ = "password_reset"
    __table_args__ = (
        UniqueConstraint("token_sha256"),
        Index("ix_password_reset_login_hmac", "login_hmac", "created_at"),
    )

    id: Mapped[BigId]
    staff_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("staff.id"))
    login_hmac: Mapped[Words]
    ip: Mapped[Words]
    token_sha256: Mapped[Words]
    created_at: Mapped[Instant]
    expires_at: Mapped[Instant]
    used_at: Mapped[Instant | None]


class RecoveryCode(Model):
    """A code that stands in once for the second factor of a member of staff."""

    __tablename__ = "recovery_code"
    __table_args__ = (UniqueConstraint("staff_id", "code_hmac"),)

    id: Mapped[BigId]
    staff_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("staff.id"))
    code_hmac: Mapped[Words]
    used_at: Mapped[Instant | None]


class RoleGrant(Model):
    """A role with power over money that one administrator asks for and somebody else grants."""

    __tablename__ = "role_grant"
    __table_args__ = (
        one_of("role", Role),
        one_of("state", GRANT_STATES),
        CheckConstraint(
            "decided_by_staff_id <> requested_by_staff_id AND decided_by_staff_id <> staff_id",
            name="two_people",
        ),
        CheckConstraint(
            "(state = 'requested') = (decided_by_staff_id IS NULL)", name="decided_by_somebody"
        ),
        Index(
            "uq_role_grant_open",
            "staff_id",
            unique=True,
            postgresql_where=text("state = 'requested'"),
        ),
    )

    id: Mapped[BigId]
    staff_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("staff.id"))
    role: Mapped[Words]
    state: Mapped[Words]
    opens_account: Mapped[bool]
    """The account was made for this role and is switched on with it."""
    requested_by_staff_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("staff.id"))
    requested_at: Mapped[Instant]
    decided_by_staff_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("staff.id"))
    decided_at: Mapped[Instant | None]
