"""Every message we can send, its fields in order, and the channels it may take."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from enum import StrEnum

from domain.periods import SHANGHAI


class Channel(StrEnum):
    """A way to reach a person."""

    SUBSCRIBE = "subscribe"
    """A message of the mini-program; each costs one permission that the person gave."""
    OFFICIAL_TEMPLATE = "official_template"
    SMS = "sms"
    MAIL = "mail"
    VISIT = "visit"
    """Nothing reaches them: somebody goes there. Never sent; the row is a line of the list."""


class MessageKind(StrEnum):
    """What a message is about."""

    LOGIN_CODE = "login_code"
    BILL_PUBLISHED = "bill_published"
    BILL_DUE_SOON = "bill_due_soon"
    BILL_OVERDUE = "bill_overdue"
    PAYMENT_RECEIVED = "payment_received"
    PASSWORD_RESET = "password_reset"  # noqa: S105 - a kind, no password
    HOUSE_REGISTERED = "house_registered"
    REPAIR_PROGRESS = "repair_progress"
    WORK_ORDER = "work_order"
    FEEDBACK_RECEIVED = "feedback_received"
    FEEDBACK_REPLY = "feedback_reply"
    NOTICE = "notice"
    MAINTENANCE_DUE = "maintenance_due"


@dataclass(frozen=True, slots=True)
class MessageShape:
    """The payload keys a message carries, and where each goes on a channel.

    ``template_fields`` maps a payload key to the official-account template's field key, and
    ``subscribe_fields`` to that of the mini-program's; the settings may name other keys.
    ``sms_params`` lists payload keys in the order of the SMS template's numbers. ``mail_subject``
    and ``mail_text`` have payload keys in braces. What ``is_secret`` is wiped once it was sent.
    ``page`` is where a tap leads in the mini-program, with payload keys in braces.

    ``is_urgent`` goes out at night and beyond the daily cap. ``needs_bills`` is told only to those
    who may see the house's bills. ``costs_by_default`` says whether SMS is used where a community
    has decided nothing.
    """

    sms_params: tuple[str, ...]
    template_fields: dict[str, str]
    is_secret: bool = False
    mail_subject: str = ""
    mail_text: str = ""
    subscribe_fields: dict[str, str] = field(default_factory=dict)
    page: str = ""
    is_urgent: bool = False
    needs_bills: bool = False
    costs_by_default: bool = False


_BILL_TEMPLATE = {"house": "thing1", "items": "thing2", "amount": "amount3", "due_on": "time4"}
_BILL_SUBSCRIBE = {"house": "thing1", "amount": "amount2", "due_on": "time3"}
_BILL_PAGE = "pages/bills/bills"
_PROGRESS = {"title": "thing1", "state": "phrase2", "at": "time3", "note": "thing4"}
_WORK = {"title": "thing1", "place": "thing2", "at": "time3"}
_NOTICE = {"title": "thing1", "community": "thing2", "at": "time3"}


def _work_mail(subject: str, sentence: str) -> tuple[str, str]:
    return (
        f"安居：{subject}",
        f"您好：\n\n{sentence}\n\n事项：{{title}}\n地点：{{place}}\n时间：{{at}}\n",
    )


_ORDER_MAIL = _work_mail("您有新的工单", "有一张工单需要您处理。")
_FEEDBACK_MAIL = _work_mail("收到新的投诉或建议", "有一条投诉或建议等待处理。")
_UPKEEP_MAIL = _work_mail("设备保养到期", "有一台设备的保养到期，请安排。")

MESSAGES: dict[MessageKind, MessageShape] = {
    MessageKind.LOGIN_CODE: MessageShape(
        ("code", "minutes"), {}, is_secret=True, is_urgent=True, costs_by_default=True
    ),
    MessageKind.BILL_PUBLISHED: MessageShape(
        ("house", "amount", "due_on"),
        _BILL_TEMPLATE,
        subscribe_fields=_BILL_SUBSCRIBE,
        page=_BILL_PAGE,
        needs_bills=True,
        costs_by_default=True,
    ),
    MessageKind.BILL_DUE_SOON: MessageShape(
        ("house", "amount", "due_on"),
        _BILL_TEMPLATE,
        subscribe_fields=_BILL_SUBSCRIBE,
        page=_BILL_PAGE,
        needs_bills=True,
        costs_by_default=True,
    ),
    MessageKind.BILL_OVERDUE: MessageShape(
        ("house", "amount", "due_on"),
        _BILL_TEMPLATE,
        subscribe_fields=_BILL_SUBSCRIBE,
        page=_BILL_PAGE,
        needs_bills=True,
        costs_by_default=True,
    ),
    MessageKind.PAYMENT_RECEIVED: MessageShape(
        ("house", "amount", "receipt_no"),
        {
            "house": "thing1",
            "amount": "amount2",
            "paid_at": "time3",
            "receipt_no": "character_string4",
        },
        is_urgent=True,
        needs_bills=True,
    ),
    MessageKind.PASSWORD_RESET: MessageShape(
        (),
        {},
        is_secret=True,
        is_urgent=True,
        mail_subject="安居：设置新密码",
        mail_text=(
            "您好，{name}：\n\n有人为您的账号申请设置新密码。如果是您本人，请在 {minutes} 分钟内"
            "打开下面的链接，链接只能使用一次：\n\n{url}\n\n如果不是您本人，请不要打开，"
            "也不要转发这封邮件，您的密码没有改变。\n"
        ),
    ),
    MessageKind.HOUSE_REGISTERED: MessageShape(("community", "house"), {}, costs_by_default=True),
    MessageKind.REPAIR_PROGRESS: MessageShape(
        ("title", "state"),
        _PROGRESS,
        subscribe_fields=_PROGRESS,
        page="pages/repairs/repairs",
    ),
    MessageKind.WORK_ORDER: MessageShape(
        ("title", "place"),
        _WORK,
        mail_subject=_ORDER_MAIL[0],
        mail_text=_ORDER_MAIL[1],
        is_urgent=True,
        costs_by_default=True,
    ),
    MessageKind.FEEDBACK_RECEIVED: MessageShape(
        ("title", "place"), _WORK, mail_subject=_FEEDBACK_MAIL[0], mail_text=_FEEDBACK_MAIL[1]
    ),
    MessageKind.FEEDBACK_REPLY: MessageShape(
        ("title", "state"),
        _PROGRESS,
        subscribe_fields=_PROGRESS,
        page="pages/feedback/feedback",
    ),
    MessageKind.NOTICE: MessageShape(
        ("title", "community"),
        _NOTICE,
        subscribe_fields=_NOTICE,
        page="pages/notices/notices",
    ),
    MessageKind.MAINTENANCE_DUE: MessageShape(
        ("title", "place"), _WORK, mail_subject=_UPKEEP_MAIL[0], mail_text=_UPKEEP_MAIL[1]
    ),
}
URGENT_KINDS = tuple(kind for kind, shape in MESSAGES.items() if shape.is_urgent)

DAILY_CAP = 6
"""Messages that are not urgent to one person on one day; more of them wait for the next."""
_DAY_STARTS, _NIGHT_STARTS = time(8), time(22)
"""Beijing time. Source: domain.md, idea 17: quiet hours."""


def morning_after(instant: datetime) -> datetime:
    """Tell when the next day's messages may go out: 8:00 in Beijing, later than the instant."""
    local = instant.astimezone(SHANGHAI)
    morning = local.replace(hour=_DAY_STARTS.hour, minute=0, second=0, microsecond=0)
    if local.time() >= _DAY_STARTS:
        morning += timedelta(days=1)
    return morning.astimezone(instant.tzinfo)


def is_quiet(instant: datetime) -> bool:
    """Tell whether people sleep: from 22:00 to 8:00 in Beijing."""
    local = instant.astimezone(SHANGHAI).time()
    return not _DAY_STARTS <= local < _NIGHT_STARTS
