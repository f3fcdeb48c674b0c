"""How a member of staff proves who they are: password and, where it is on, a second factor."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import update

from domain.errors import NotSignedIn, PropertyError
from models import RecoveryCode, Staff
from services.password_doors import prove
from services.passwords import Passwords
from services.ports import SecretBox, TotpCodes
from services.sign_in_attempts import Visit, close_attempt, hmac_of_name
from services.unit_of_work import Transaction, UnitOfWork

T = TypeVar("T")

DOOR = "staff"


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

        Raises:
            SignInTooSoon: too many wrong ones came before.
            WrongCredentials, TotpNeeded, WrongTotp: they are not right.
        """

        def second(tx: Transaction, staff: Staff, attempt_id: int) -> PropertyError | None:
            if not staff.totp_sealed:
                return None
            if not totp:
                # The right password is no failure, and no pass either.
                close_attempt(tx, attempt_id, "half")
                return TotpNeeded()
            return None if self.take_factor(tx, staff, totp) else WrongTotp()

        return prove(
            self.unit_of_work,
            self.passwords,
            Staff,
            door=DOOR,
            login_hmac=self.hmac_of(login_name),
            login_name=login_name,
            password=password,
            visit=visit,
            second=second,
            then=then,
        )

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
