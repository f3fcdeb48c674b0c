"""Every message we can send, its fields in order, and the channels it may take."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class Channel(StrEnum):
    """A way to reach a person."""

    OFFICIAL_TEMPLATE = "official_template"
    SMS = "sms"
    MAIL = "mail"


class MessageKind(StrEnum):
    """What a message is about."""

    LOGIN_CODE = "login_code"
    BILL_PUBLISHED = "bill_published"
    PAYMENT_RECEIVED = "payment_received"
    PASSWORD_RESET = "password_reset"  # noqa: S105 - a kind, no password
    HOUSE_REGISTERED = "house_registered"


@dataclass(frozen=True, slots=True)
class MessageShape:
    """The payload keys a message carries, and where each goes on a channel.

    ``template_fields`` maps a payload key to the official-account template's field key;
    ``sms_params`` lists payload keys in the order of the SMS template's numbers. ``mail_subject``
    and ``mail_text`` have payload keys in braces. What ``is_secret`` is wiped once it was sent.
    """

    sms_params: tuple[str, ...]
    template_fields: dict[str, str]
    is_secret: bool = False
    mail_subject: str = ""
    mail_text: str = ""


MESSAGES: dict[MessageKind, MessageShape] = {
    MessageKind.LOGIN_CODE: MessageShape(("code", "minutes"), {}, is_secret=True),
    MessageKind.BILL_PUBLISHED: MessageShape(
        ("house", "amount", "due_on"),
        {"house": "thing1", "items": "thing2", "amount": "amount3", "due_on": "time4"},
    ),
    MessageKind.PAYMENT_RECEIVED: MessageShape(
        ("house", "amount", "receipt_no"),
        {
            "house": "thing1",
            "amount": "amount2",
            "paid_at": "time3",
            "receipt_no": "character_string4",
        },
    ),
    MessageKind.PASSWORD_RESET: MessageShape(
        (),
        {},
        is_secret=True,
        mail_subject="安居：设置新密码",
        mail_text=(
            "您好，{name}：\n\n有人为您的账号申请设置新密码。如果是您本人，请在 {minutes} 分钟内"
            "打开下面的链接，链接只能使用一次：\n\n{url}\n\n如果不是您本人，请不要打开，"
            "也不要转发这封邮件，您的密码没有改变。\n"
        ),
    ),
    MessageKind.HOUSE_REGISTERED: MessageShape(("community", "house"), {}),
}

_AMOUNT_FIELD = re.compile(r"\Aamount[0-9]+\Z")
"""A field of a template, such as ``amount3``; the words of an SMS bring their own 元."""
_THING_LIMIT = 20
"""Source: platforms.md 4.3, official api_sendmessage page: ``thing`` holds 20 characters."""


def fit_field(field_key: str, value: str) -> str:
    """Shorten a text field to the platform's limit by code points; never a number or date.

    An amount gets its sign: the platform allows one, and people read ``¥408.89`` better.
    Line breaks become spaces, and an empty value becomes a dash, since the platform refuses both.
    """
    text = " ".join(value.split()) or "-"
    if field_key.startswith("thing") and len(text) > _THING_LIMIT:
        return text[: _THING_LIMIT - 1] + "…"
    if _AMOUNT_FIELD.match(field_key) and text[0].isdigit():
        return f"¥{text}"
    return text
