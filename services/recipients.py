"""Who is told of a thing, and where they can be reached."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from domain.periods import local_date
from models import Account, HousePerson, OwnerPhone, WechatIdentity
from services.unit_of_work import Transaction


def official_openids(tx: Transaction, *, account_id: int) -> Sequence[str]:
    """List the official-account openids at which an account can be reached now."""
    return tx.session.scalars(
        select(WechatIdentity.openid)
        .where(WechatIdentity.account_id == account_id, WechatIdentity.is_following)
        .order_by(WechatIdentity.id)
    ).all()


def owner_openids(tx: Transaction, *, house_id: int) -> Sequence[str]:
    """List the official-account openids at which a house's present owners can be reached."""
    today = local_date(tx.now)
    return tx.session.scalars(
        select(WechatIdentity.openid)
        .distinct()
        .join(Account, Account.id == WechatIdentity.account_id)
        .join(OwnerPhone, OwnerPhone.phone == Account.phone)
        .join(HousePerson, HousePerson.owner_id == OwnerPhone.owner_id)
        .where(
            OwnerPhone.opens_houses,
            HousePerson.house_id == house_id,
            HousePerson.role.in_(["title_holder", "co_owner"]),
            HousePerson.person_from <= today,
            HousePerson.person_until.is_(None) | (HousePerson.person_until > today),
            Account.is_active,
            WechatIdentity.is_following,
        )
        .order_by(WechatIdentity.openid)
    ).all()
