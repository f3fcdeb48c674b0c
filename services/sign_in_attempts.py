"""Passwords that were tried: counted before they are looked at, so that guessing soon takes hours.

Failures of strangers elsewhere do not lock a person out: where somebody has signed in before, only
what was tried from there counts.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func, select, update

from domain.addresses import home_of
from domain.errors import TooMany
from models import SignInAttempt
from services.unit_of_work import Transaction

FREE_FAILURES = 5
FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(hours=1)
"""After five failures from one place each costs twice the pause of before, up to an hour."""
MEMORY = timedelta(hours=24)
STRANGE_FAILURES = 20
STRANGE_WINDOW = timedelta(hours=1)
STRANGE_PAUSE = timedelta(minutes=1)
"""A name that is guessed from everywhere takes one stranger a minute, all of them together."""
KNOWN_FOR = timedelta(days=90)


class SignInTooSoon(TooMany):
    """Too many wrong passwords were tried; the right one is not looked at before the pause ends."""

    code = "sign_in_too_soon"
    message = "密码错误次数过多，请稍后再试"


@dataclass(frozen=True, slots=True)
class Visit:
    """Where somebody stands: the address, and the nonce of their device if it sent one."""

    ip: str
    device: str = ""
    device_words: str = ""
    """What the device calls itself."""

    @property
    def home(self) -> str:
        """The address as it is counted."""
        return home_of(self.ip)

    @property
    def device_sha256(self) -> str:
        """The device as it is kept."""
        return hashlib.sha256(self.device.encode()).hexdigest() if self.device else ""


def hmac_of_name(key: bytes, door: str, login_name: str) -> str:
    """Make of a login name what is kept of it with an attempt."""
    return hmac.new(key, f"{door}:{login_name}".encode(), hashlib.sha256).hexdigest()


def open_attempt(
    tx: Transaction, *, door: str, login_hmac: str, visit: Visit, is_proven: bool = False
) -> int:
    """Count a password as wrong before it is looked at, and return the attempt's id.

    Attempts on one name wait for each other here, so that each sees those before it. What
    ``is_proven`` otherwise, such as by a code of the phone, need not wait.

    Raises:
        SignInTooSoon: the pause of this place, or of strangers, is not over; nothing is counted.
    """
    tx.hold(f"sign_in:{login_hmac}")
    by_device = _passed(tx, login_hmac, SignInAttempt.device_sha256 == visit.device_sha256)
    by_home = _passed(tx, login_hmac, SignInAttempt.ip == visit.home)
    is_known_device = bool(visit.device) and by_device
    place = (
        SignInAttempt.device_sha256 == visit.device_sha256
        if is_known_device
        else SignInAttempt.ip == visit.home
    )
    is_known = is_known_device or by_home
    if not is_proven:
        _check_place(tx, login_hmac, place)
    if not is_known and not is_proven:
        _check_strangers(tx, login_hmac)
    attempt = SignInAttempt(
        door=door,
        login_hmac=login_hmac,
        ip=visit.home,
        device_sha256=visit.device_sha256,
        at=tx.now,
        outcome="failed",
        is_known=is_known,
    )
    tx.session.add(attempt)
    tx.session.flush()
    return attempt.id


def close_attempt(tx: Transaction, attempt_id: int, outcome: str) -> None:
    """Say that an attempt was no failure: ``passed``, or ``half`` without the second factor."""
    tx.session.execute(
        update(SignInAttempt).where(SignInAttempt.id == attempt_id).values(outcome=outcome)
    )


def _passed(tx: Transaction, login_hmac: str, place: ColumnElement[bool]) -> bool:
    return tx.session.execute(
        select(
            select(SignInAttempt.id)
            .where(
                SignInAttempt.login_hmac == login_hmac,
                place,
                SignInAttempt.outcome == "passed",
                SignInAttempt.at > tx.now - KNOWN_FOR,
            )
            .exists()
        )
    ).scalar_one()


def _check_place(tx: Transaction, login_hmac: str, place: ColumnElement[bool]) -> None:
    """Look at the failures from here since the last time the password was right."""
    here = (SignInAttempt.login_hmac == login_hmac, place, SignInAttempt.at > tx.now - MEMORY)
    since = (
        select(func.coalesce(func.max(SignInAttempt.id), 0))
        .where(*here, SignInAttempt.outcome == "passed")
        .scalar_subquery()
    )
    failures, newest = tx.session.execute(
        select(func.count(), func.max(SignInAttempt.at)).where(
            *here, SignInAttempt.outcome == "failed", SignInAttempt.id > since
        )
    ).one()
    if failures >= FREE_FAILURES:
        pause = min(FIRST_PAUSE * 2 ** min(failures - FREE_FAILURES, 10), LONGEST_PAUSE)
        _wait(tx.now, newest + pause)


def _check_strangers(tx: Transaction, login_hmac: str) -> None:
    failures, newest = tx.session.execute(
        select(func.count(), func.max(SignInAttempt.at)).where(
            SignInAttempt.login_hmac == login_hmac,
            SignInAttempt.outcome == "failed",
            ~SignInAttempt.is_known,
            SignInAttempt.at > tx.now - STRANGE_WINDOW,
        )
    ).one()
    if failures >= STRANGE_FAILURES:
        _wait(tx.now, newest + STRANGE_PAUSE)


def _wait(now: datetime, until: datetime) -> None:
    if until > now:
        raise SignInTooSoon(retry_after_s=int((until - now).total_seconds()) + 1)
