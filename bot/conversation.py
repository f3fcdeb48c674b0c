"""What a push means, and what is answered: thin turns over the use-cases."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bot import replies
from domain.actors import Actor, ActorKind, system_actor
from domain.messages import Channel
from services import assembly
from services.bills.own_bills import BillFilter

_SHOWN = 5
_LISTED = ("SubscribeMsgPopupEvent", "SubscribeMsgChangeEvent", "SubscribeMsgSentEvent")
_MOST_ENTRIES = 10
"""A prompt has three templates at most; what is longer is not of the platform."""
_EXPLAINED = 3
"""How many bills one answer explains."""


def dedup_key(message: dict[str, Any]) -> str:
    """Tell two copies of a push from two pushes.

    Source: platforms.md 4.1: messages by MsgId, events by sender, time and what they are. Those of
    subscribe messages say what they are in their list: two of one second are two.
    """
    names = (
        ("MsgId",)
        if message.get("MsgId")
        else ("FromUserName", "CreateTime", "Event", "EventKey", "MsgID")
    )
    listed = [
        str(entry.get(name) or "")[:80]
        for entry in read_list(message)
        for name in ("TemplateId", "MsgID", "SubscribeStatusString")
    ]
    return "|".join([*(str(message.get(name) or "")[:200] for name in names), *listed])


def read_list(message: dict[str, Any]) -> list[dict[str, Any]]:
    """Read the list of an event of subscribe messages: none, one object, or an array of them.

    Source: platforms.md 1.5: JSON has it as ``List``, XML inside of an element named by the event.
    """
    found = message.get("List")
    for name in _LISTED:
        if isinstance(message.get(name), dict):
            found = message[name].get("List")
    entries = found if isinstance(found, list) else [found]
    return [entry for entry in entries if isinstance(entry, dict)][:_MOST_ENTRIES]


def answer_miniapp(
    services_: assembly.Services, message: dict[str, Any], *, request_id: str
) -> None:
    """Take a push of the mini-program: what people permit, and what became of messages.

    Its openids are not the official account's: none of the turns below may see them.
    """
    if message.get("MsgType") != "event":
        return
    actor = system_actor("小程序事件", request_id)
    openid, event = str(message.get("FromUserName") or ""), message.get("Event")
    entries = read_list(message)
    answers = [
        (str(one.get("TemplateId") or ""), str(one.get("SubscribeStatusString") or ""))
        for one in entries
    ]
    if event == "subscribe_msg_popup_event":
        services_.subscriptions.note_prompt(actor=actor, openid=openid, answers=answers)
    elif event == "subscribe_msg_change_event":
        services_.subscriptions.note_change(actor=actor, openid=openid, answers=answers)
    elif event == "subscribe_msg_sent_event":
        _note_sent(services_, actor, entries)


def _note_sent(services_: assembly.Services, actor: Actor, entries: list[dict[str, Any]]) -> None:
    for one in entries:
        code = str(one.get("ErrorCode", ""))
        services_.outbox.note_result(
            actor=actor,
            provider_id=str(one.get("MsgID") or ""),
            status="success" if code == "0" else f"failed:{code}"[:60],
            channel=Channel.SUBSCRIBE,
        )


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
