"""Codes that prove a phone for something else than signing in; steps inside a transaction."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, select, text, true

from domain.messages import Channel, MessageKind
from domain.periods import local_date, start_of_local_day
from models import LoginCode
from services.login import (
    CODE_LIFE,
    CODE_PAUSE,
    CODE_TRIES,
    CODES_PER_IP_AND_DAY,
    CODES_PER_PHONE_AND_DAY,
    CODES_PER_PHONE_AND_HOUR,
    CodeTooSoon,
)
from services.outbox import queue_message
from services.unit_of_work import Transaction


@dataclass(frozen=True)
class PhoneCodes:
    """Sends and tries codes, counted together with the codes of signing in."""

    code_key: bytes
    daily_cap: int

    def send(self, tx: Transaction, *, phone: str, purpose: str, ip: str) -> None:
        """Send a code for one phone and purpose.

        Raises:
            CodeTooSoon: by the limits of D11, or everybody's daily cap.
        """
        for key in sorted({f"code:{phone}", f"code:{ip}"}):
            tx.session.execute(
                text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"), {"key": key}
            )
        self._check_limits(tx, phone=phone, ip=ip)
        code = f"{secrets.randbelow(1_000_000):06d}"
        row = LoginCode(
            phone=phone,
            purpose=purpose,
            code_hmac=self._hmac(phone, purpose, code),
            ip=ip,
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
            recipient=phone,
            payload={"code": code, "minutes": str(CODE_LIFE // timedelta(minutes=1))},
            dedup_key=f"login_code:{row.id}",
            expires_at=row.expires_at,
        )

    def try_code(self, tx: Transaction, *, phone: str, purpose: str, code: str) -> bool:
        """Tell whether a code is the newest for the phone and purpose, and use it up.

        A wrong guess costs one of five tries, so the caller must commit it.
        """
        row = tx.session.execute(
            select(LoginCode)
            .where(LoginCode.phone == phone, LoginCode.purpose == purpose)
            .order_by(LoginCode.created_at.desc(), LoginCode.id.desc())
            .limit(1)
            .with_for_update()
        ).scalar_one_or_none()
        given = self._hmac(phone, purpose, code)
        matches = hmac.compare_digest(given, row.code_hmac if row else "")
        if row is None or row.used_at or row.expires_at <= tx.now or row.tries_left == 0:
            return False
        if not matches:
            row.tries_left -= 1
            return False
        row.used_at = tx.now
        return True

    def _check_limits(self, tx: Transaction, *, phone: str, ip: str) -> None:
        by_phone = LoginCode.phone == phone
        newest = tx.session.execute(
            select(func.max(LoginCode.created_at)).where(by_phone)
        ).scalar_one()
        if newest is not None and tx.now - newest < CODE_PAUSE:
            left = CODE_PAUSE - (tx.now - newest)
            raise CodeTooSoon(retry_after_s=int(left.total_seconds()) + 1)
        midnight = start_of_local_day(local_date(tx.now))
        tomorrow_s = int((midnight + timedelta(days=1) - tx.now).total_seconds()) + 1
        for condition, since, limit, retry_after_s in (
            (by_phone, tx.now - timedelta(hours=1), CODES_PER_PHONE_AND_HOUR, 3600),
            (by_phone, midnight, CODES_PER_PHONE_AND_DAY, tomorrow_s),
            (LoginCode.ip == ip, midnight, CODES_PER_IP_AND_DAY, tomorrow_s),
            (true(), midnight, self.daily_cap, tomorrow_s),
        ):
            asked = tx.session.execute(
                select(func.count())
                .select_from(LoginCode)
                .where(condition, LoginCode.created_at >= since)
            ).scalar_one()
            if asked >= limit:
                raise CodeTooSoon(retry_after_s=retry_after_s)

    def _hmac(self, phone: str, purpose: str, code: str) -> str:
        words = f"{purpose}:{phone}:{code}".encode()
        return hmac.new(self.code_key, words, hashlib.sha256).hexdigest()
