"""Ending bindings, with the sessions and invitations that hang on them; a step of many acts."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import ColumnElement, select, tuple_, update

from domain.actors import Actor
from models import Account, HouseBinding, HouseInvitation, OwnerPhone, SessionToken, WechatIdentity
from services.audit import record
from services.unit_of_work import Transaction


class Ended(NamedTuple):
    """A binding that was ended."""

    id: int
    account_id: int
    house_id: int
    owner_id: int


def end_bindings(
    tx: Transaction,
    actor: Actor,
    which: ColumnElement[bool],
    *,
    because: str,
    reason: str = "",
    ends_sessions: bool = True,
) -> list[Ended]:
    """End live bindings, the open invitations of their accounts, and the accounts' sessions.

    ``because`` is one of `models.accounts.ENDED_BECAUSE`. Every device of the accounts must sign in
    again; each binding is audited.

    Source: domain.md D11.
    """
    ended = [
        Ended(*row)
        for row in tx.session.execute(
            update(HouseBinding)
            .where(HouseBinding.status.in_(["pending", "active"]), which)
            .values(status="revoked", ended_at=tx.now, ended_because=because)
            .returning(
                HouseBinding.id,
                HouseBinding.account_id,
                HouseBinding.house_id,
                HouseBinding.owner_id,
            )
        ).all()
    ]
    if not ended:
        return []
    pairs = [(one.house_id, one.account_id) for one in ended]
    tx.session.execute(
        update(HouseInvitation)
        .where(
            tuple_(HouseInvitation.house_id, HouseInvitation.invited_by_account_id).in_(pairs),
            HouseInvitation.state == "open",
        )
        .values(state="revoked", ended_at=tx.now)
    )
    if ends_sessions:
        end_sessions(tx, sorted({one.account_id for one in ended}))
    for one in ended:
        record(
            tx,
            actor,
            "house_unbound",
            subject_type="house",
            subject_id=one.house_id,
            facts={"account_id": one.account_id, "because": because, "reason": reason},
        )
    return ended


def end_sessions(tx: Transaction, account_ids: list[int]) -> None:
    """Sign every device of the accounts out."""
    tx.session.execute(
        update(SessionToken)
        .where(SessionToken.account_id.in_(account_ids), SessionToken.revoked_at.is_(None))
        .values(revoked_at=tx.now)
    )


def part_from_phone(tx: Transaction, actor: Actor, *, owner_id: int, phone: str) -> list[Ended]:
    """End what rested on a phone that an owner no longer has.

    Who holds the number next gets nothing of it: bindings end, devices are signed out, and where
    the number is on no owner any more, no WeChat opens its account without a code.
    """
    ended = end_bindings(
        tx,
        actor,
        (HouseBinding.owner_id == owner_id)
        & HouseBinding.account_id.in_(select(Account.id).where(Account.phone == phone)),
        because="phone",
    )
    account_id = tx.session.execute(
        select(Account.id).where(Account.phone == phone)
    ).scalar_one_or_none()
    is_on_file = tx.session.scalars(select(OwnerPhone.id).where(OwnerPhone.phone == phone)).first()
    if account_id is not None:
        end_sessions(tx, [account_id])
        if is_on_file is None:
            tx.session.execute(
                update(WechatIdentity)
                .where(WechatIdentity.account_id == account_id)
                .values(account_id=None)
            )
    return ended
