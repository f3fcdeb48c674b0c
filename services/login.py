"""Signing in by phone code and by WeChat, and the sessions that follow."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func, select, text, true, update

from domain.actors import Actor, Permission, owner_actor
from domain.errors import (
    InvalidInput,
    NotAllowed,
    NotSignedIn,
    PlatformRefused,
    PropertyError,
    TooMany,
)
from domain.messages import Channel, MessageKind
from domain.periods import local_date, start_of_local_day
from domain.phones import mask_phone, normalise_phone
from models import Account, LoginCode, SessionToken, WechatIdentity
from services.accounts import bind_houses, bind_identity, open_account
from services.audit import record
from services.outbox import queue_message
from services.ports import MiniProgram, WechatLogin
from services.unit_of_work import Transaction, UnitOfWork

CODE_LIFE = timedelta(minutes=5)
CODE_TRIES = 5
CODE_PAUSE = timedelta(seconds=60)
CODES_PER_PHONE_AND_HOUR = 5
CODES_PER_PHONE_AND_DAY = 10
CODES_PER_IP_AND_DAY = 20
"""Source: domain.md D11."""
SESSION_LIFE = timedelta(days=30)
SIGN_IN = "sign_in"
_CODE_SPENT = {"40029", "40163"}
"""Source: platforms.md 4.4: invalid, or used already."""


class WrongCode(InvalidInput):
    """The code is wrong, used, expired, or for another phone or purpose: never told which."""

    code = "wrong_code"
    message = "验证码不正确或已过期"


class CodeTooSoon(TooMany):
    """A phone, an address or all of us together asked for too many codes."""

    code = "code_too_soon"
    message = "获取验证码太频繁，请稍后再试"


class WechatNotBound(NotSignedIn):
    """This WeChat identity belongs to no account yet: sign in by phone once."""

    code = "wechat_not_bound"
    message = "请先用手机号登录一次"


class WechatCodeUsed(InvalidInput):
    """WeChat does not know the code, or it was used or expired: the client asks for a new one."""

    code = "wechat_code_used"
    message = "微信授权已失效，请重试"


class AccountDisabled(NotAllowed):
    """The account was switched off."""

    code = "account_disabled"
    message = "账号已停用，请联系物业"


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A new session. ``token`` is shown this once; only its hash is kept."""

    token: str
    expires_at: datetime
    phone_masked: str
    house_count: int


@dataclass(frozen=True)
class Login:
    """The doors of owners."""

    unit_of_work: UnitOfWork
    mini_program: MiniProgram
    code_key: bytes
    daily_cap: int

    def request_code(self, *, actor: Actor, phone: str, ip: str) -> None:
        """Send a sign-in code by SMS; the answer and the work are the same for every phone.

        Raises:
            NotAPhone: not a mainland mobile number.
            CodeTooSoon: by the limits of D11, or everybody's daily cap.
        """
        actor.must(Permission.SIGN_IN)
        phone = normalise_phone(phone)
        code = f"{secrets.randbelow(1_000_000):06d}"

        def work(tx: Transaction) -> None:
            for key in sorted((f"code:{phone}", f"code:{ip}")):
                tx.session.execute(
                    text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"), {"key": key}
                )
            self._check_limits(tx, phone=phone, ip=ip)
            row = LoginCode(
                phone=phone,
                purpose=SIGN_IN,
                code_hmac=self._hmac(phone, SIGN_IN, code),
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

        self.unit_of_work.run(work)

    def _check_limits(self, tx: Transaction, *, phone: str, ip: str) -> None:
        by_phone = LoginCode.phone == phone
        midnight = start_of_local_day(local_date(tx.now))
        newest = tx.session.execute(
            select(func.max(LoginCode.created_at)).where(by_phone)
        ).scalar_one()
        if newest is not None and tx.now - newest < CODE_PAUSE:
            left = CODE_PAUSE - (tx.now - newest)
            raise CodeTooSoon(retry_after_s=int(left.total_seconds()) + 1)
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

    def sign_in_by_code(
        self, *, actor: Actor, phone: str, code: str, wechat_code: str | None = None
    ) -> SignedIn:
        """Open a session for a phone that proves itself by the newest code sent to it.

        With a ``wx.login`` code the openid is bound too, so that the next visit needs no phone.

        Raises:
            NotAPhone, WrongCode: each wrong guess costs one of five tries.
            AccountDisabled: switched off.
            WechatCodeUsed, PlatformRefused, PlatformUnavailable: WeChat did not take
                ``wechat_code``; the phone code is not used up.
        """
        actor.must(Permission.SIGN_IN)
        phone = normalise_phone(phone)
        wechat = None
        if wechat_code:
            # Guessed at first, so that nobody can have us ask WeChat without a code of ours.
            if not self.unit_of_work.run(
                lambda tx: self._try_code(tx, phone=phone, code=code, spends=False)
            ):
                raise WrongCode
            wechat = self._ask_wechat(wechat_code)

        def work(tx: Transaction) -> SignedIn | None:
            # A wrong guess must be committed, so it is an answer and not an exception in here.
            if not self._try_code(tx, phone=phone, code=code, spends=True):
                return None
            return self._open_session(tx, actor, phone=phone, wechat=wechat)

        signed_in = self.unit_of_work.run(work)
        if signed_in is None:
            raise WrongCode
        return signed_in

    def _try_code(self, tx: Transaction, *, phone: str, code: str, spends: bool) -> bool:
        row = tx.session.execute(
            select(LoginCode)
            .where(LoginCode.phone == phone, LoginCode.purpose == SIGN_IN)
            .order_by(LoginCode.created_at.desc(), LoginCode.id.desc())
            .limit(1)
            .with_for_update()
        ).scalar_one_or_none()
        given = self._hmac(phone, SIGN_IN, code)
        matches = hmac.compare_digest(given, row.code_hmac if row else "")
        if row is None or row.used_at or row.expires_at <= tx.now or row.tries_left == 0:
            return False
        if not matches:
            row.tries_left -= 1
            return False
        if spends:
            row.used_at = tx.now
        return True

    def sign_in_by_wechat(self, *, actor: Actor, wechat_code: str) -> SignedIn:
        """Open a session for a WeChat identity that was bound before; no phone code needed.

        Raises:
            WechatNotBound: nobody signed in with this WeChat yet.
            AccountDisabled: switched off.
            WechatCodeUsed, PlatformRefused, PlatformUnavailable: WeChat did not take the code.
        """
        actor.must(Permission.SIGN_IN)
        wechat = self._ask_wechat(wechat_code)

        def work(tx: Transaction) -> SignedIn:
            phone = tx.session.execute(
                select(Account.phone)
                .join(WechatIdentity, WechatIdentity.account_id == Account.id)
                .where(WechatIdentity.appid == wechat.appid, WechatIdentity.openid == wechat.openid)
            ).scalar_one_or_none()
            if phone is None:
                raise WechatNotBound
            return self._open_session(tx, actor, phone=phone, wechat=wechat)

        return self.unit_of_work.run(work)

    def sign_in_by_wechat_phone(
        self, *, actor: Actor, wechat_code: str, phone_code: str
    ) -> SignedIn:
        """Open a session by the mini-program's one-tap phone number.

        Raises:
            AccountDisabled: switched off.
            WechatCodeUsed, PlatformRefused, PlatformUnavailable: WeChat did not take a code.
        """
        actor.must(Permission.SIGN_IN)
        wechat = self._ask_wechat(wechat_code)
        try:
            phone = normalise_phone(self.mini_program.phone_number(code=phone_code))
        except PlatformRefused as refusal:
            raise _as_input(refusal) from refusal
        return self.unit_of_work.run(
            lambda tx: self._open_session(tx, actor, phone=phone, wechat=wechat)
        )

    def _ask_wechat(self, wechat_code: str) -> WechatLogin:
        try:
            return self.mini_program.sign_in(code=wechat_code)
        except PlatformRefused as refusal:
            raise _as_input(refusal) from refusal

    def _open_session(
        self, tx: Transaction, actor: Actor, *, phone: str, wechat: WechatLogin | None
    ) -> SignedIn:
        account = open_account(tx, phone=phone)
        if not account.is_active:
            raise AccountDisabled
        if wechat:
            bind_identity(
                tx,
                actor,
                account_id=account.id,
                appid=wechat.appid,
                openid=wechat.openid,
                unionid=wechat.unionid,
            )
        bind_houses(tx, actor, account_id=account.id)
        token = secrets.token_urlsafe(32)
        expires_at = tx.now + SESSION_LIFE
        tx.session.add(
            SessionToken(
                token_sha256=_sha256(token),
                account_id=account.id,
                openid=wechat.openid if wechat else "",
                created_at=tx.now,
                expires_at=expires_at,
            )
        )
        record(tx, actor, "signed_in", subject_type="account", subject_id=account.id)
        houses = tx.session.execute(
            text(
                "SELECT count(*) FROM house_binding"
                " WHERE account_id = :account_id AND status = 'active'"
            ),
            {"account_id": account.id},
        ).scalar_one()
        return SignedIn(token, expires_at, mask_phone(phone), houses)

    def authenticate(self, *, token: str, request_id: str = "") -> Actor:
        """Tell which owner holds a session token.

        Raises:
            NotSignedIn: unknown, expired or signed out, or the account was switched off.
        """
        with self.unit_of_work.reading() as session:
            found = session.execute(
                select(Account.id, SessionToken.openid)
                .join(SessionToken, SessionToken.account_id == Account.id)
                .where(
                    SessionToken.token_sha256 == _sha256(token),
                    SessionToken.revoked_at.is_(None),
                    SessionToken.expires_at > self.unit_of_work.clock.now(),
                    Account.is_active,
                )
            ).one_or_none()
        if found is None:
            raise NotSignedIn
        return owner_actor(account_id=found.id, request_id=request_id, openid=found.openid)

    def sign_out(self, *, actor: Actor, token: str) -> None:
        """End the session of this device at once."""
        actor.must(Permission.MANAGE_OWN_SESSION)

        def work(tx: Transaction) -> None:
            _revoke(tx, SessionToken.token_sha256 == _sha256(token), actor)
            record(tx, actor, "signed_out", subject_type="account", subject_id=actor.account_id)

        self.unit_of_work.run(work)

    def sign_out_everywhere(self, *, actor: Actor) -> None:
        """End every session of the account at once, and let no WeChat in again without a code.

        Whoever does this may have lost a phone, and the WeChat on it.
        """
        actor.must(Permission.MANAGE_OWN_SESSION)

        def work(tx: Transaction) -> None:
            _revoke(tx, true(), actor)
            tx.session.execute(
                update(WechatIdentity)
                .where(
                    WechatIdentity.account_id == actor.account_id,
                    WechatIdentity.appid == self.mini_program.appid,
                )
                .values(account_id=None)
            )
            record(
                tx,
                actor,
                "signed_out_everywhere",
                subject_type="account",
                subject_id=actor.account_id,
            )

        self.unit_of_work.run(work)


def _revoke(tx: Transaction, which: ColumnElement[bool], actor: Actor) -> None:
    tx.session.execute(
        update(SessionToken)
        .where(
            which,
            SessionToken.account_id == actor.account_id,
            SessionToken.revoked_at.is_(None),
        )
        .values(revoked_at=tx.now)
    )


def _as_input(refusal: PlatformRefused) -> PropertyError:
    """Tell a code that the client must renew from a refusal that is our own trouble."""
    return WechatCodeUsed() if refusal.vendor_code in _CODE_SPENT else refusal


def _sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
