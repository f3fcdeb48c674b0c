"""How a member of staff proves who they are: password and, where it is on, a second factor."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import select, update

from domain.errors import NotSignedIn, PropertyError
from models import RecoveryCode, Staff
from services.passwords import Passwords
from services.ports import SecretBox, TotpCodes
from services.sign_in_attempts import Visit, close_attempt, hmac_of_name, open_attempt
from services.staff.rows import lock_staff
from services.unit_of_work import Transaction, UnitOfWork

T = TypeVar("T")

DOOR = "staff"


class WrongCredentials(NotSignedIn):
    """Login name or password is wrong, or the account is switched off: never told which."""

    code = "wrong_credentials"
    message = "登录名或密码不正确"


class TotpNeeded(NotSignedIn):
    """The password was right; a code of the authenticator app is missing."""

    code = "totp_needed"
    message = "请输入动态验证码"


class WrongTotp(NotSignedIn):
    """The password was right; the code is wrong, old, or was used before."""

    code = "wrong_totp"
    message = "动态验证码不正确或已使用"


@dataclass(frozen=True)
class StaffProofs:
    """Looks at passwords and second factors; every look is counted first."""

    unit_of_work: UnitOfWork
    passwords: Passwords
    box: SecretBox
    codes: TotpCodes
    key: bytes

    def hmac_of(self, login_name: str) -> str:
        """Make of a login name what is kept of it with attempts and resets."""
        return hmac_of_name(self.key, DOOR, login_name)

    def prove(
        self,
        *,
        login_name: str,
        password: str,
        totp: str,
        visit: Visit,
        then: Callable[[Transaction, Staff], T],
    ) -> T:
        """Look at the proofs and, if they are right, do a step with the locked member of staff.

        Known and unknown names take the same statements and one look at a hash.

        Raises:
            SignInTooSoon: too many wrong ones came before.
            WrongCredentials, TotpNeeded, WrongTotp: they are not right.
        """

        def begin(tx: Transaction) -> tuple[int, Staff | None]:
            attempt_id = open_attempt(
                tx, door=DOOR, login_hmac=self.hmac_of(login_name), visit=visit
            )
            staff = tx.session.execute(
                select(Staff).where(Staff.login_name == login_name, Staff.is_active)
            ).scalar_one_or_none()
            return attempt_id, staff

        attempt_id, staff = self.unit_of_work.run(begin)
        seen_hash = staff.password_hash if staff else ""
        if not self.passwords.is_right(seen_hash, password) or staff is None:
            raise WrongCredentials
        kept_hash = self.passwords.renewed(seen_hash, password)
        staff_id = staff.id

        def finish(tx: Transaction) -> T | PropertyError:
            staff = lock_staff(tx, staff_id)
            if not staff.is_active or staff.password_hash != seen_hash:
                return WrongCredentials()
            if staff.totp_sealed and not totp:
                # The right password is no failure, and no pass either.
                close_attempt(tx, attempt_id, "half")
                return TotpNeeded()
            if staff.totp_sealed and not self.take_factor(tx, staff, totp):
                return WrongTotp()
            close_attempt(tx, attempt_id, "passed")
            staff.password_hash = kept_hash
            return then(tx, staff)

        proven = self.unit_of_work.run(finish)
        if isinstance(proven, PropertyError):
            raise proven
        return proven

    def take_factor(self, tx: Transaction, staff: Staff, code: str) -> bool:
        """Use up a code of the app, or a recovery code, of a locked member of staff."""
        secret = self.box.open(staff.totp_sealed)
        step = self.codes.step_of(secret=secret, code=code, at=tx.now)
        if step is not None:
            if step <= staff.totp_last_step:
                return False
            staff.totp_last_step = step
            return True
        used = tx.session.execute(
            update(RecoveryCode)
            .where(
                RecoveryCode.staff_id == staff.id,
                RecoveryCode.code_hmac == self.recovery_hmac(code),
                RecoveryCode.used_at.is_(None),
            )
            .values(used_at=tx.now)
            .returning(RecoveryCode.id)
        ).scalar_one_or_none()
        return used is not None

    def recovery_hmac(self, code: str) -> str:
        """Make of a recovery code what is kept of it."""
        plain = code.strip().lower()
        return hmac.new(self.key, f"recovery:{plain}".encode(), hashlib.sha256).hexdigest()
