"""The second factor of members of staff: offered, proven, taken away by themselves."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from sqlalchemy import delete

from domain.actors import Actor, Permission, staff_id_of
from domain.errors import Conflict
from models import RecoveryCode, Staff
from services.audit import record
from services.staff.proofs import StaffProofs, WrongTotp
from services.staff.rows import drop_totp, end_sessions, lock_staff
from services.unit_of_work import Transaction, UnitOfWork

RECOVERY_CODES = 10
_HALF = 5


class NoTotpOffered(Conflict):
    """No secret was shown that a code could be of."""

    code = "no_totp_offered"
    message = "请先获取动态验证码的二维码"


@dataclass(frozen=True, slots=True)
class TotpOffer:
    """A secret for an authenticator app, as it is typed and as the address in a QR code."""

    secret: str = field(repr=False)
    uri: str = field(repr=False)


@dataclass(frozen=True)
class StaffTotp:
    """Members of staff and their authenticator apps."""

    unit_of_work: UnitOfWork
    proofs: StaffProofs

    def offer(self, *, actor: Actor) -> TotpOffer:
        """Make a secret; it counts only once a code of it was given, and one before it till then.

        Raises:
            ReauthenticationNeeded: the password was given too long ago.
        """
        actor.must(Permission.MANAGE_OWN_STAFF_SESSION)
        actor.must_be_fresh()
        secret = self.proofs.codes.new_secret()
        sealed = self.proofs.box.seal(secret)

        def work(tx: Transaction) -> TotpOffer:
            staff = lock_staff(tx, staff_id_of(actor))
            staff.totp_offered_sealed = sealed
            return TotpOffer(
                secret, self.proofs.codes.uri(secret=secret, login_name=staff.login_name)
            )

        return self.unit_of_work.run(work)

    def confirm(self, *, actor: Actor, code: str) -> tuple[str, ...]:
        """Switch the second factor on and return ten recovery codes, told this once.

        Other sessions end.

        Raises:
            NoTotpOffered: no secret was asked for.
            WrongTotp: the code is not of the offered secret.
            ReauthenticationNeeded: the password was given too long ago.
        """
        actor.must(Permission.MANAGE_OWN_STAFF_SESSION)
        actor.must_be_fresh()
        recovery = tuple(
            f"{secrets.token_hex(_HALF)[:_HALF]}-{secrets.token_hex(_HALF)[:_HALF]}"
            for _ in range(RECOVERY_CODES)
        )

        def work(tx: Transaction) -> None:
            staff = lock_staff(tx, staff_id_of(actor))
            if not staff.totp_offered_sealed:
                raise NoTotpOffered
            secret = self.proofs.box.open(staff.totp_offered_sealed)
            step = self.proofs.codes.step_of(secret=secret, code=code, at=tx.now)
            if step is None:
                raise WrongTotp
            staff.totp_sealed, staff.totp_offered_sealed = staff.totp_offered_sealed, ""
            staff.totp_last_step = step
            end_sessions(tx, staff.id, but=actor.session_id)
            tx.session.execute(delete(RecoveryCode).where(RecoveryCode.staff_id == staff.id))
            tx.session.add_all(
                RecoveryCode(staff_id=staff.id, code_hmac=self.proofs.recovery_hmac(one))
                for one in recovery
            )
            _note(tx, actor, "staff_totp_on", staff)

        self.unit_of_work.run(work)
        return recovery

    def switch_off(self, *, actor: Actor) -> None:
        """Take one's own second factor away; a new password goes first, as it may be a short one.

        Raises:
            ReauthenticationNeeded: password and code were given too long ago.
        """
        actor.must(Permission.MANAGE_OWN_STAFF_SESSION)
        actor.must_be_fresh()

        def work(tx: Transaction) -> None:
            staff = lock_staff(tx, staff_id_of(actor))
            drop_totp(tx, staff)
            staff.must_change_password = True
            end_sessions(tx, staff.id, but=actor.session_id)
            _note(tx, actor, "staff_totp_off", staff)

        self.unit_of_work.run(work)


def _note(tx: Transaction, actor: Actor, action: str, staff: Staff) -> None:
    record(tx, actor, action, subject_type="staff", subject_id=staff.id)
