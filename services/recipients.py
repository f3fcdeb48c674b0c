"""Who is told of a thing, and where they can be reached."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from models import WechatIdentity
from services.unit_of_work import Transaction


def official_openids(tx: Transaction, *, account_id: int) -> Sequence[str]:
    """List the official-account openids at which an account can be reached now."""
    return tx.session.scalars(
        select(WechatIdentity.openid)
        .where(WechatIdentity.account_id == account_id, WechatIdentity.is_following)
        .order_by(WechatIdentity.id)
    ).all()
