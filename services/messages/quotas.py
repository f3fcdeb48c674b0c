"""The ledger of what people permit: one accepted prompt is one message of a template.

Source: platforms.md 4.3: the platform has no query; +1 on accept, -1 on a message that it took, 0
where it says that nothing is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import text

from domain.messages import Channel
from services.messages.senders import Claimed
from services.ports import SubscribeSender
from services.unit_of_work import Transaction

_OF = """
      FROM wechat_identity identity
     WHERE identity.id = permitted.identity_id AND identity.appid = :appid
       AND identity.openid = :openid AND permitted.template_id = :template_id
"""
_TAKE = text(
    f"""
    UPDATE subscribe_quota permitted SET quota = permitted.quota - 1, changed_at = :now
    {_OF} AND permitted.quota > 0
    RETURNING permitted.quota
    """  # noqa: S608 - made of constants
)
_GIVE_BACK = text(
    f"""
    UPDATE subscribe_quota permitted SET quota = permitted.quota + 1, changed_at = :now {_OF}
    """  # noqa: S608 - made of constants
)
_END = text(
    f"""
    UPDATE subscribe_quota permitted SET quota = 0, changed_at = :now {_OF}
    """  # noqa: S608 - made of constants
)
_ADD = text(
    """
    INSERT INTO subscribe_quota (identity_id, template_id, quota, changed_at)
    SELECT id, :template_id, 1, :now FROM wechat_identity
     WHERE appid = :appid AND openid = :openid
    ON CONFLICT (identity_id, template_id)
    DO UPDATE SET quota = subscribe_quota.quota + 1, changed_at = :now
    """
)


def use_permissions(
    tx: Transaction, subscribe: SubscribeSender, batch: Sequence[Claimed]
) -> list[Claimed]:
    """Use up a permission for each subscribe message of a batch, and say in it if there was none.

    In a fixed order, for the locks.
    """
    return [
        replace(message, has_permission=_take(tx, subscribe, message))
        if message.channel is Channel.SUBSCRIBE
        else message
        for message in sorted(batch, key=lambda message: (message.recipient, message.kind))
    ]


def give_permission_back(tx: Transaction, subscribe: SubscribeSender, message: Claimed) -> None:
    """Undo `use_permissions` for one message that the platform did not take."""
    if message.channel is Channel.SUBSCRIBE and message.has_permission:
        tx.session.execute(_GIVE_BACK, _of(tx, subscribe, message))


def end_permission(tx: Transaction, subscribe: SubscribeSender, message: Claimed) -> None:
    """Note that nothing is permitted: the platform said so of this message."""
    tx.session.execute(_END, _of(tx, subscribe, message))


def add_quota(tx: Transaction, *, appid: str, openid: str, template_id: str) -> None:
    """Note one accepted prompt, told by the platform; the openid must be known."""
    tx.session.execute(_ADD, _given(tx, appid, openid, template_id))


def end_quota(tx: Transaction, *, appid: str, openid: str, template_id: str) -> None:
    """Note that somebody switched a template off."""
    tx.session.execute(_END, _given(tx, appid, openid, template_id))


def _take(tx: Transaction, subscribe: SubscribeSender, message: Claimed) -> bool:
    if message.kind not in subscribe.templates:
        return False
    left = tx.session.execute(_TAKE, _of(tx, subscribe, message)).scalar_one_or_none()
    return left is not None


def _of(tx: Transaction, subscribe: SubscribeSender, message: Claimed) -> dict[str, object]:
    return _given(tx, subscribe.appid, message.recipient, subscribe.templates[message.kind])


def _given(tx: Transaction, appid: str, openid: str, template_id: str) -> dict[str, object]:
    return {"appid": appid, "openid": openid, "template_id": template_id, "now": tx.now}
