"""What a push means, and what is answered: thin turns over the use-cases."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bot import replies
from domain.actors import Actor, ActorKind, system_actor
from services import assembly
from services.bills.own_bills import BillFilter

_SHOWN = 5
_EXPLAINED = 3
"""How many bills one answer explains."""


def dedup_key(message: dict[str, Any]) -> str:
    """Tell two copies of a push from two pushes.

    Source: platforms.md 4.1: messages by MsgId, events by sender, time and what they are.
    """
    names = (
        ("MsgId",)
        if message.get("MsgId")
        else ("FromUserName", "CreateTime", "Event", "EventKey", "MsgID")
    )
    return "|".join(str(message.get(name) or "")[:200] for name in names)


def answer_miniapp(_message: dict[str, Any]) -> str | None:
    """Take a push of the mini-program; it is on record, and there is nothing to do or say yet.

    Its openids are not the official account's: none of the turns below may see them.
    """
    return None


def answer(services_: assembly.Services, message: dict[str, Any], *, request_id: str) -> str | None:
    """Do what a push asks for and return the text to reply, or None for silence."""
    openid = str(message.get("FromUserName") or "")
    kind = str(message.get("MsgType") or "")
    if kind == "event":
        return _event(services_, message, openid, request_id)
    if kind == "text":
        actor = services_.accounts.who(openid=openid, request_id=request_id)
        return _text(services_, actor, str(message.get("Content") or ""))
    return replies.HELP


def _event(
    services_: assembly.Services, message: dict[str, Any], openid: str, request_id: str
) -> str | None:
    actor = system_actor("公众号事件", request_id)
    event = str(message.get("Event") or "")
    if event == "subscribe":
        services_.accounts.follow(actor=actor, openid=openid)
        return replies.WELCOME
    if event in ("unsubscribe", "user_authorization_revoke", "user_authorization_cancellation"):
        services_.accounts.unfollow(actor=actor, openid=openid)
    elif event == "TEMPLATESENDJOBFINISH":
        services_.outbox.note_result(
            actor=actor,
            provider_id=str(message.get("MsgID") or ""),
            status=str(message.get("Status") or ""),
        )
    elif event == "CLICK":
        who = services_.accounts.who(openid=openid, request_id=request_id)
        return _text(services_, who, str(message.get("EventKey") or ""))
    return None


def _text(services_: assembly.Services, actor: Actor, content: str) -> str:
    wanted = content.strip()
    for words, turn in _TURNS:
        if any(word in wanted for word in words):
            return turn(services_, actor)
    return replies.HELP


def _bills(services_: assembly.Services, actor: Actor) -> str:
    if actor.kind is not ActorKind.OWNER:
        return replies.NOT_BOUND
    outstanding = services_.own_bills.sum_outstanding(actor=actor)
    if not outstanding.bill_count:
        return replies.NOTHING_OWED
    bills = services_.own_bills.list_own(
        actor=actor, which=BillFilter.UNPAID, house_id=None, before_id=None, limit=_SHOWN
    )
    return replies.owed(
        [
            (bill.house, f"{bill.item} {bill.period.starts_on:%Y-%m}", bill.outstanding_fen)
            for bill in bills
        ],
        bill_count=outstanding.bill_count,
        amount_fen=outstanding.amount_fen,
    )


def _why(services_: assembly.Services, actor: Actor) -> str:
    if actor.kind is not ActorKind.OWNER:
        return replies.NOT_BOUND
    bills = services_.own_bills.list_own(
        actor=actor, which=BillFilter.UNPAID, house_id=None, before_id=None, limit=_EXPLAINED
    )
    if not bills:
        return replies.NOTHING_OWED
    details = [services_.own_bills.show(actor=actor, bill_id=bill.id) for bill in bills]
    return replies.explained(
        [
            (
                f"{one.bill.house} {one.bill.item} {one.bill.period.starts_on:%Y-%m}",
                one.bill.outstanding_fen,
                [line.explanation for line in one.lines],
            )
            for one in details
        ]
    )


def _binding(_services: assembly.Services, actor: Actor) -> str:
    return replies.BOUND if actor.kind is ActorKind.OWNER else replies.NOT_BOUND


_TURNS: tuple[tuple[tuple[str, ...], Callable[[assembly.Services, Actor], str]], ...] = (
    (("为什么", "怎么算", "明细"), _why),
    (("账单", "缴费", "欠费", "物业费"), _bills),
    (("绑定", "认证"), _binding),
)
