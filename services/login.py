"""Signing in by phone code and by WeChat, and the sessions that follow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import select, update

from domain.actors import Actor, MustFirst, Permission, owner_actor
from domain.consents import ConsentKind
from domain.errors import InvalidInput, NotSignedIn, PlatformRefused, PropertyError
from domain.phones import normalise_phone
from domain.tokens import hash_of_token
from models import Account, SessionToken, WechatIdentity
from services.audit import record
from services.owner_sessions import (
    SignedIn,
    end_owner_sessions,
    open_owner_session,
)
from services.phone_codes import SIGN_IN, PhoneCodes, WrongCode
from services.ports import MiniProgram, WechatLogin
from services.sign_in_attempts import Visit
from services.unit_of_work import Transaction, UnitOfWork

_CODE_SPENT = {"40029", "40163"}
"""Source: platforms.md 4.4: invalid, or used already."""


class WechatNotBound(NotSignedIn):
    """This WeChat identity belongs to no account yet: sign in by phone once."""

    code = "wechat_not_bound"
    message = "请先用手机号登录一次"


class WechatCodeUsed(InvalidInput):
    """WeChat does not know the code, or it was used or expired: the client asks for a new one."""

    code = "wechat_code_used"
    message = "微信授权已失效，请重试"


@dataclass(frozen=True)
class Login:
    """The doors of owners."""

    unit_of_work: UnitOfWork
    mini_program: MiniProgram
    codes: PhoneCodes
    texts: Mapping[ConsentKind, str]
    """The versions of what owners are asked to agree to."""

    def request_code(self, *, actor: Actor, phone: str, visit: Visit) -> None:
        """Send a sign-in code by SMS; the answer and the work are the same for every phone.

        Raises:
            NotAPhone: not a mainland mobile number.
            CodeTooSoon: by the limits of D11, or everybody's daily cap.
        """
        actor.must(Permission.SIGN_IN)
        phone = normalise_phone(phone)
        too_soon = self.unit_of_work.run(
            lambda tx: self.codes.send(
                tx, phone=phone, purpose=SIGN_IN, visit=visit, recipient=phone
            )
        )
        if too_soon:
            raise too_soon

    def sign_in_by_code(
        self,
        *,
        actor: Actor,
        phone: str,
        code: str,
        visit: Visit,
        wechat_code: str | None = None,
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
                lambda tx: self._take(tx, phone, code, visit, spends=False)
            ):
                raise WrongCode
            wechat = self._ask_wechat(wechat_code)

        def work(tx: Transaction) -> SignedIn | None:
            # A wrong guess must be committed, so it is an answer and not an exception in here.
            if not self._take(tx, phone, code, visit, spends=True):
                return None
            return open_owner_session(tx, actor, phone=phone, wechat=wechat, texts=self.texts)

        signed_in = self.unit_of_work.run(work)
        if signed_in is None:
            raise WrongCode
        return signed_in

    def _take(self, tx: Transaction, phone: str, code: str, visit: Visit, *, spends: bool) -> bool:
        return self.codes.take(
            tx, phone=phone, purpose=SIGN_IN, code=code, visit=visit, spends=spends
        )

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
            return open_owner_session(tx, actor, phone=phone, wechat=wechat, texts=self.texts)

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
            lambda tx: open_owner_session(tx, actor, phone=phone, wechat=wechat, texts=self.texts)
        )

    def _ask_wechat(self, wechat_code: str) -> WechatLogin:
        try:
            return self.mini_program.sign_in(code=wechat_code)
        except PlatformRefused as refusal:
            raise _as_input(refusal) from refusal

    def authenticate(self, *, token: str, request_id: str = "") -> Actor:
        """Tell which owner holds a session token.

        Raises:
            NotSignedIn: unknown, expired or signed out, or the account was switched off.
        """
        with self.unit_of_work.reading() as session:
            found = session.execute(
                select(
                    Account.id,
                    SessionToken.openid,
                    (SessionToken.by_password & Account.must_change_password).label("must_change"),
                )
                .join(SessionToken, SessionToken.account_id == Account.id)
                .where(
                    SessionToken.token_sha256 == hash_of_token(token),
                    SessionToken.revoked_at.is_(None),
                    SessionToken.expires_at > self.unit_of_work.clock.now(),
                    Account.is_active,
                )
            ).one_or_none()
        if found is None:
            raise NotSignedIn
        return owner_actor(
            account_id=found.id,
            request_id=request_id,
            openid=found.openid,
            must_first=MustFirst.CHANGE_PASSWORD if found.must_change else None,
        )

    def sign_out(self, *, actor: Actor, token: str) -> None:
        """End the session of this device at once."""
        actor.must(Permission.MANAGE_OWN_SESSION)

        def work(tx: Transaction) -> None:
            end_owner_sessions(
                tx, actor.account_id, SessionToken.token_sha256 == hash_of_token(token)
            )
            record(tx, actor, "signed_out", subject_type="account", subject_id=actor.account_id)

        self.unit_of_work.run(work)

    def sign_out_everywhere(self, *, actor: Actor) -> None:
        """End every session of the account at once, and let no WeChat in again without a code.

        Whoever does this may have lost a phone, and the WeChat on it.
        """
        actor.must(Permission.MANAGE_OWN_SESSION)

        def work(tx: Transaction) -> None:
            end_owner_sessions(tx, actor.account_id)
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


def _as_input(refusal: PlatformRefused) -> PropertyError:
    """Tell a code that the client must renew from a refusal that is our own trouble."""
    return WechatCodeUsed() if refusal.vendor_code in _CODE_SPENT else refusal
