"""The templates that a property company chose for its notices, and which notice takes which.

Beside the two of bills and payments of the official account, which have settings of their own.
"""

from simulator.chance import BASE64URL, Chance

_SUBSCRIBE = {
    "bill_published": "bill",
    "bill_due_soon": "bill",
    "bill_overdue": "bill",
    "repair_progress": "progress",
    "feedback_reply": "progress",
    "notice": "notice",
}
_OFFICIAL = {
    "bill_due_soon": "bill_published",
    "bill_overdue": "bill_published",
    "repair_progress": "progress",
    "feedback_reply": "progress",
    "notice": "notice",
    "work_order": "work",
    "feedback_received": "work",
    "maintenance_due": "work",
}
_SMS = {
    "bill_due_soon": "bill_reminder",
    "bill_overdue": "bill_reminder",
    "repair_progress": "progress",
    "feedback_reply": "progress",
    "notice": "notice",
    "work_order": "work",
    "feedback_received": "work",
    "maintenance_due": "work",
}
_WECHAT_NAMES = (
    "wx_subscribe_bill",
    "wx_subscribe_progress",
    "wx_subscribe_notice",
    "wx_progress",
    "wx_notice",
    "wx_work",
)
_SMS_NAMES = ("sms_bill_reminder", "sms_progress", "sms_notice", "sms_work")
NAMES = frozenset({*_WECHAT_NAMES, *_SMS_NAMES})


def make(chance: Chance) -> dict[str, str]:
    """Give each template an id."""
    wechat = {name: chance.text(43, BASE64URL) for name in _WECHAT_NAMES}
    return wechat | {name: chance.digits(7) for name in _SMS_NAMES}


def subscribe(ids: dict[str, str]) -> str:
    """Return the setting of the mini-program's templates."""
    return _setting(ids, "wx_subscribe_", _SUBSCRIBE)


def official(ids: dict[str, str]) -> str:
    """Return the setting of the account's further templates."""
    return _setting(ids, "wx_", _OFFICIAL)


def sms(ids: dict[str, str]) -> str:
    """Return the setting of the further short messages."""
    return _setting(ids, "sms_", _SMS)


def _setting(ids: dict[str, str], prefix: str, chosen: dict[str, str]) -> str:
    return ",".join(f"{kind}={ids[prefix + name]}" for kind, name in chosen.items())
