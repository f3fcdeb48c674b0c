"""What to do when a platform refuses a message, and how long to wait before the next try."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

from domain.messages import Channel


class Reaction(StrEnum):
    """What a refusal means for the message and for its channel."""

    WAIT_A_MINUTE = "wait_a_minute"
    """Too fast: the channel rests for a minute, the message keeps its turn."""
    REST_UNTIL_MIDNIGHT = "rest_until_midnight"
    """The day's quota is used up: the channel rests until midnight Beijing time."""
    ALARM = "alarm"
    """Our configuration is wrong: the channel rests, and a person is told."""
    NOT_FOLLOWING = "not_following"
    """This recipient cannot be reached here until they follow again: take the other channel."""
    NOT_PERMITTED = "not_permitted"
    """Refused, or no permission is left: the ledger goes to 0, take the other channel."""
    OTHER_CHANNEL = "other_channel"
    """This message will never be taken here: take the other channel."""


_ALARM_CODES = frozenset(
    {
        "40001",
        "40014",
        "42001",
        "40013",
        "40125",
        "40243",
        "40164",
        "40037",
        "41030",
        "48001",
        "AuthFailure.SecretIdNotFound",
        "AuthFailure.SignatureFailure",
        "AuthFailure.SignatureExpire",
        "FailedOperation.InsufficientBalanceInSmsPackage",
        "FailedOperation.SignatureIncorrectOrUnapproved",
        "FailedOperation.TemplateIncorrectOrUnapproved",
        "UnauthorizedOperation.SmsSdkAppIdVerifyFail",
    }
)
_REACTIONS: dict[Channel, dict[str, Reaction]] = {
    Channel.OFFICIAL_TEMPLATE: {
        "45009": Reaction.REST_UNTIL_MIDNIGHT,
        "45009_minute": Reaction.WAIT_A_MINUTE,
        "45011": Reaction.WAIT_A_MINUTE,
        "40003": Reaction.NOT_FOLLOWING,
        "43004": Reaction.NOT_FOLLOWING,
    },
    Channel.SUBSCRIBE: {
        "45009": Reaction.REST_UNTIL_MIDNIGHT,
        "45009_minute": Reaction.WAIT_A_MINUTE,
        "45011": Reaction.WAIT_A_MINUTE,
        "43101": Reaction.NOT_PERMITTED,
    },
    Channel.SMS: {
        "LimitExceeded.AppDailyLimit": Reaction.REST_UNTIL_MIDNIGHT,
        "LimitExceeded.DailyLimit": Reaction.REST_UNTIL_MIDNIGHT,
        "RequestLimitExceeded": Reaction.WAIT_A_MINUTE,
    },
    Channel.MAIL: {
        "530": Reaction.ALARM,
        "534": Reaction.ALARM,
        "535": Reaction.ALARM,
        "off": Reaction.ALARM,
    },
}

ATTEMPTS_CAP = 9
"""Tries without a usable answer before a person is told; the pauses below add up to four hours."""
_PAUSES_S = (5, 15, 30, 60, 300, 900, 3600, 3 * 3600)


def react(channel: Channel, vendor_code: str) -> Reaction:
    """Tell what a refusal means; an unknown code means that this message will never be taken.

    Source: platforms.md 4.4; of mail the reply codes of RFC 4954, 6: who we are was not accepted.
    """
    if vendor_code in _ALARM_CODES:
        return Reaction.ALARM
    return _REACTIONS.get(channel, {}).get(vendor_code, Reaction.OTHER_CHANNEL)


def pause_before(attempt: int) -> timedelta:
    """Tell how long to wait after the n-th try without an answer, n from 1."""
    return timedelta(seconds=_PAUSES_S[min(attempt, len(_PAUSES_S)) - 1])
