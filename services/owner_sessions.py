"""Sessions of owners, whichever door they came through."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, text, true, update
from sqlalchemy.orm import InstrumentedAttribute

from domain.actors import Actor
from domain.consents import ConsentKind
from domain.errors import NotAllowed
from domain.phones import mask_phone
from domain.tokens import hash_of_token, new_token
from models import SessionToken
from services.accounts import bind_houses, bind_identity, open_account
from services.audit import record
from services.ports import WechatLogin
from services.privacy.consents import consents_needed
from services.unit_of_work import Transaction

SESSION_LIFE = timedelta(days=30)


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
    must_change_password: bool = False
    consent_needed: tuple[ConsentKind, ...] = ()
    """Which texts they are asked to agree to; nothing waits for it (docs/adr/0025)."""


def open_owner_session(
    tx: Transaction,
    actor: Actor,
    *,
    phone: str,
    wechat: WechatLogin | None,
    texts: Mapping[ConsentKind, str],
    by_password: bool = False,
) -> SignedIn:
    """Open a session for the account of a phone, which is made if there is none.

    ``texts`` are the versions of what owners are asked to agree to.

    Raises:
        AccountDisabled: switched off.
    """
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
    token = new_token()
    expires_at = tx.now + SESSION_LIFE
    tx.session.add(
        SessionToken(
            token_sha256=hash_of_token(token),
            account_id=account.id,
            openid=wechat.openid if wechat else "",
            by_password=by_password,
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
    return SignedIn(
        token,
        expires_at,
        mask_phone(phone),
        houses,
        by_password and account.must_change_password,
        consents_needed(tx.session, account.id, texts),
    )


def end_owner_sessions(
    tx: Transaction,
    account_id: int,
    which: ColumnElement[bool] | InstrumentedAttribute[bool] | None = None,
) -> None:
    """End all sessions of an account, or those of a kind."""
    tx.session.execute(
        update(SessionToken)
        .where(
            true() if which is None else which,
            SessionToken.account_id == account_id,
            SessionToken.revoked_at.is_(None),
        )
        .values(revoked_at=tx.now)
    )
