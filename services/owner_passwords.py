"""Accounts of owners with a preset login name and password, bound to a phone on file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from sqlalchemy import exists, select
from sqlalchemy.exc import IntegrityError

from domain.actors import Actor, Permission
from domain.consents import ConsentKind
from domain.errors import NotFound
from domain.phones import normalise_phone
from domain.tokens import hash_of_token
from models import Account, Owner, SessionToken
from services.accounts import open_account
from services.audit import record
from services.owner_sessions import (
    SignedIn,
    end_owner_sessions,
    open_owner_session,
)
from services.password_doors import LoginNameTaken, prove, refuse_login_name
from services.passwords import ONE_TIME_LIFE, Passwords
from services.phone_codes import OWNER_RESET, CodeTooSoon, PhoneCodes, WrongCode
from services.scopes import in_scope
from services.sign_in_attempts import Visit, hmac_of_name
from services.unit_of_work import Transaction, UnitOfWork, violates

T = TypeVar("T")

_DOOR = "owner"


@dataclass(frozen=True, slots=True)
class OwnerAccount:
    """A login name with a one-time password, which is told this once."""

    account_id: int
    login_name: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class OwnerPasswords:
    """The door of owners by password.

    It is the only factor here, so the rule is that of staff without a second one: 15 characters.
    Whoever forgets it proves to have the phone; that code opens a session by itself as well.
    """

    unit_of_work: UnitOfWork
    passwords: Passwords
    codes: PhoneCodes
    key: bytes
    texts: Mapping[ConsentKind, str]
    """The versions of what owners are asked to agree to."""

    def hand_out(self, *, actor: Actor, phone: str, login_name: str) -> OwnerAccount:
        """Give the account of an owner's phone a login name and a one-time password.

        The same phone again gets a new password, and its sessions by password end.

        Raises:
            NotFound: no owner in scope has this phone on file.
            LoginNameTaken: another account has the login name.
            NotAPhone, InvalidInput: phone or name cannot be used.
            ReauthenticationNeeded: the password was given too long ago.
        """
        actor.must(Permission.HAND_OUT_OWNER_ACCOUNTS)
        actor.must_be_fresh()
        phone = normalise_phone(phone)
        refuse_login_name(login_name)
        made = self.passwords.make_one_time()

        def work(tx: Transaction) -> OwnerAccount:
            on_file = exists().where(Owner.phone == phone, in_scope(Owner.community_id, actor))
            if not tx.session.execute(select(on_file)).scalar_one():
                raise NotFound("没有业主登记了这个手机号")
            account = open_account(tx, phone=phone)
            account.login_name, account.password_hash = login_name, made.password_hash
            account.must_change_password = True
            account.one_time_until = tx.now + ONE_TIME_LIFE
            tx.session.flush()
            end_owner_sessions(tx, account.id, SessionToken.by_password)
            record(
                tx,
                actor,
                "owner_password_handed_out",
                subject_type="account",
                subject_id=account.id,
                facts={"login_name": login_name},
            )
            return OwnerAccount(account.id, login_name, made.password)

        try:
            return self.unit_of_work.run(work)
        except IntegrityError as error:
            if violates(error, "uq_account_login_name"):
                raise LoginNameTaken from error
            raise

    def sign_in(self, *, actor: Actor, login_name: str, password: str, visit: Visit) -> SignedIn:
        """Open a session; with a one-time password it can do nothing but set a new one.

        Raises:
            SignInTooSoon: too many wrong passwords came before.
            WrongCredentials: name or password is wrong, or the account is switched off.
        """
        actor.must(Permission.SIGN_IN)
        return self._prove(
            login_name,
            password,
            visit,
            lambda tx, account: open_owner_session(
                tx, actor, phone=account.phone, wechat=None, texts=self.texts, by_password=True
            ),
        )

    def change_password(
        self, *, actor: Actor, token: str, password: str, new_password: str, visit: Visit
    ) -> None:
        """Set one's own password; all sessions but the one with this token end.

        Raises:
            SignInTooSoon, WrongCredentials: as for `sign_in`.
            WeakPassword: the new one can be guessed, or is the old one.
        """
        actor.must(Permission.MANAGE_OWN_SESSION)
        with self.unit_of_work.reading() as session:
            account = session.get_one(Account, actor.account_id)
            login_name, words = account.login_name or "", [*_known(account), password]
        new_hash = self.passwords.hash_chosen(
            new_password, has_second_factor=False, own_words=words
        )

        def change(tx: Transaction, account: Account) -> None:
            account.password_hash, account.must_change_password = new_hash, False
            account.one_time_until = None
            end_owner_sessions(tx, account.id, SessionToken.token_sha256 != hash_of_token(token))
            _note(tx, actor, "owner_password_changed", account)

        self._prove(login_name, password, visit, change)

    def ask_reset(self, *, actor: Actor, phone: str, visit: Visit) -> None:
        """Send a code by which a password may be set; answer and work are the same for all phones.

        Raises:
            NotAPhone: not a mainland mobile number.
            CodeTooSoon: by the limits of D11, or everybody's daily cap.
        """
        actor.must(Permission.SIGN_IN)
        phone = normalise_phone(phone)

        def work(tx: Transaction) -> CodeTooSoon | None:
            return self.codes.send(
                tx, phone=phone, purpose=OWNER_RESET, visit=visit, recipient=phone
            )

        too_soon = self.unit_of_work.run(work)
        if too_soon:
            raise too_soon

    def reset_by_code(
        self, *, actor: Actor, phone: str, code: str, new_password: str, visit: Visit
    ) -> None:
        """Set a password with the newest code; every session of the account ends.

        Raises:
            NotAPhone, WrongCode: each wrong guess costs one of five tries; a phone without a
                preset account has no right code either.
            WeakPassword: the password can be guessed; the code is not used up.
        """
        actor.must(Permission.SIGN_IN)
        phone = normalise_phone(phone)

        def take(tx: Transaction, *, spends: bool) -> Account | None:
            account = tx.session.execute(
                select(Account)
                .where(Account.phone == phone, Account.login_name.is_not(None), Account.is_active)
                .with_for_update()
            ).scalar_one_or_none()
            is_right = self.codes.take(
                tx, phone=phone, purpose=OWNER_RESET, code=code, visit=visit, spends=spends
            )
            return account if is_right else None

        account = self.unit_of_work.run(lambda tx: take(tx, spends=False))
        if account is None:
            raise WrongCode
        new_hash = self.passwords.hash_chosen(
            new_password, has_second_factor=False, own_words=_known(account)
        )

        def work(tx: Transaction) -> bool:
            account = take(tx, spends=True)
            if account is None:
                return False
            account.password_hash, account.must_change_password = new_hash, False
            account.one_time_until = None
            end_owner_sessions(tx, account.id)
            _note(tx, actor, "owner_password_forgotten", account)
            return True

        if not self.unit_of_work.run(work):
            raise WrongCode

    def _prove(
        self,
        login_name: str,
        password: str,
        visit: Visit,
        then: Callable[[Transaction, Account], T],
    ) -> T:
        return prove(
            self.unit_of_work,
            self.passwords,
            Account,
            door=_DOOR,
            login_hmac=hmac_of_name(self.key, _DOOR, login_name),
            login_name=login_name,
            password=password,
            visit=visit,
            then=then,
        )


def _known(account: Account) -> list[str]:
    return [account.login_name or "", account.phone]


def _note(tx: Transaction, actor: Actor, action: str, account: Account) -> None:
    record(tx, actor, action, subject_type="account", subject_id=account.id)
