"""Codes sent to phones: limited on every side, bound to phone, purpose and device, used once."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func, select, true

from domain.addresses import network_of
from domain.errors import InvalidInput, TooMany
from domain.messages import Channel, MessageKind
from domain.periods import local_date, start_of_local_day
from models import LoginCode
from services.outbox import queue_message
from services.sign_in_attempts import Visit
from services.tasks import open_task
from services.unit_of_work import Transaction

CODE_LIFE = timedelta(minutes=5)
CODE_TRIES = 5
CODE_PAUSE = timedelta(seconds=60)
CODES_PER_PHONE_AND_HOUR = 5
CODES_PER_PHONE_AND_DAY = 10
CODES_PER_IP_AND_DAY = 20
"""Source: domain.md D11. With IPv6 an address is a home, the /64."""
CODES_PER_DEVICE_AND_DAY = 10
CODES_PER_NETWORK_AND_DAY = 100
"""Five busy addresses of a /24: an office or a hotel, and no farm of addresses."""
SIGN_IN = "sign_in"
STAFF_RESET = "staff_reset"
OWNER_RESET = "owner_reset"
_NOBODY = "nobody"


class WrongCode(InvalidInput):
    """The code is wrong, used, expired, or for another phone or purpose: never told which."""

    code = "wrong_code"
    message = "验证码不正确或已过期"


class CodeTooSoon(TooMany):
    """A phone, an address, a device or all of us together asked for too many codes."""

    code = "code_too_soon"
    message = "获取验证码太频繁，请稍后再试"


@dataclass(frozen=True)
class PhoneCodes:
    """Steps that write and take codes; ``daily_cap`` is for all phones and purposes together."""

    code_key: bytes
    daily_cap: int

    def hold(self, tx: Transaction, *phones: str, visit: Visit) -> None:
        """Be the only one that sends codes to these phones, or from this place.

        Whoever sends to several phones in one transaction holds all of them first.
        """
        tx.hold(
            *(f"code:{phone}" for phone in phones),
            f"code:{visit.home}",
            f"code:{network_of(visit.ip)}",
            f"code:device:{visit.device_sha256}",
        )

    def send(
        self, tx: Transaction, *, phone: str, purpose: str, visit: Visit, recipient: str | None
    ) -> CodeTooSoon | None:
        """Write a code for a phone and its message to the recipient; tell if it is too soon.

        Without a recipient all is the same and the message is dropped unsent. ``phone`` is what
        codes are counted by, usually the phone. A refusal is an answer and not raised, as the task
        about a used-up budget must be committed.
        """
        self.hold(tx, phone, visit=visit)
        if too_soon := self._too_soon(tx, phone=phone, visit=visit):
            return too_soon
        code = f"{secrets.randbelow(1_000_000):06d}"
        row = LoginCode(
            phone=phone,
            purpose=purpose,
            code_hmac=self.hmac_of(phone, purpose, visit.device_sha256, code),
            ip=visit.home,
            network=network_of(visit.ip),
            device_sha256=visit.device_sha256,
            tries_left=CODE_TRIES,
            created_at=tx.now,
            expires_at=tx.now + CODE_LIFE,
        )
        tx.session.add(row)
        tx.session.flush()
        queue_message(
            tx,
            kind=MessageKind.LOGIN_CODE,
            channel=Channel.SMS,
            recipient=recipient or _NOBODY,
            payload={
                "code": code if recipient else "",
                "minutes": str(CODE_LIFE // timedelta(minutes=1)),
            },
            dedup_key=f"login_code:{row.id}",
            expires_at=row.expires_at if recipient else tx.now,
        )
        return None

    def take(
        self,
        tx: Transaction,
        *,
        phone: str,
        purpose: str,
        code: str,
        visit: Visit,
        spends: bool,
    ) -> bool:
        """Tell whether a code is the newest one of a phone; a wrong guess costs one of five tries.

        The row is locked first, so that guesses at the same moment cost their tries one by one. A
        wrong guess must be committed: whoever calls this may not raise in the same transaction.
        """
        row = tx.session.execute(
            select(LoginCode)
            .where(LoginCode.phone == phone, LoginCode.purpose == purpose)
            .order_by(LoginCode.created_at.desc(), LoginCode.id.desc())
            .limit(1)
            .with_for_update()
        ).scalar_one_or_none()
        given = self.hmac_of(phone, purpose, visit.device_sha256, code)
        matches = hmac.compare_digest(given, row.code_hmac if row else "")
        if row is None or row.used_at or row.expires_at <= tx.now or row.tries_left == 0:
            return False
        if not matches:
            row.tries_left -= 1
            return False
        if spends:
            row.used_at = tx.now
        return True

    def hmac_of(self, phone: str, purpose: str, device_sha256: str, code: str) -> str:
        """Make of a code what is kept of it."""
        words = f"{purpose}:{phone}:{device_sha256}:{code}".encode()
        return hmac.new(self.code_key, words, hashlib.sha256).hexdigest()

    def _too_soon(self, tx: Transaction, *, phone: str, visit: Visit) -> CodeTooSoon | None:
        by_phone = LoginCode.phone == phone
        newest = tx.session.execute(
            select(func.max(LoginCode.created_at)).where(by_phone)
        ).scalar_one()
        if newest is not None and tx.now - newest < CODE_PAUSE:
            left = CODE_PAUSE - (tx.now - newest)
            return CodeTooSoon(retry_after_s=int(left.total_seconds()) + 1)
        midnight = start_of_local_day(local_date(tx.now))
        tomorrow_s = int((midnight + timedelta(days=1) - tx.now).total_seconds()) + 1
        hour_ago = tx.now - timedelta(hours=1)
        limits: list[tuple[ColumnElement[bool], datetime, int, int]] = [
            (by_phone, hour_ago, CODES_PER_PHONE_AND_HOUR, 3600),
            (by_phone, midnight, CODES_PER_PHONE_AND_DAY, tomorrow_s),
            (LoginCode.ip == visit.home, midnight, CODES_PER_IP_AND_DAY, tomorrow_s),
            (
                LoginCode.network == network_of(visit.ip),
                midnight,
                CODES_PER_NETWORK_AND_DAY,
                tomorrow_s,
            ),
        ]
        if visit.device:
            by_device = LoginCode.device_sha256 == visit.device_sha256
            limits.append((by_device, midnight, CODES_PER_DEVICE_AND_DAY, tomorrow_s))
        for condition, since, limit, retry_after_s in limits:
            if _asked(tx, condition, since) >= limit:
                return CodeTooSoon(retry_after_s=retry_after_s)
        if _asked(tx, true(), midnight) >= self.daily_cap:
            open_task(
                tx,
                kind="sms_cap_reached",
                subject=str(local_date(tx.now)),
                title=f"今天的验证码短信已达上限 {self.daily_cap} 条，已停发，请查是否有人恶意获取",
            )
            return CodeTooSoon(retry_after_s=tomorrow_s)
        return None


def _asked(tx: Transaction, condition: ColumnElement[bool], since: datetime) -> int:
    return tx.session.execute(
        select(func.count()).select_from(LoginCode).where(condition, LoginCode.created_at >= since)
    ).scalar_one()
