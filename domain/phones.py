"""Mainland mobile numbers: one normaliser and one mask for every door."""

from __future__ import annotations

import re

from domain.errors import InvalidInput

CLOSED_PHONE = "deleted-"
"""Opens what stands for the phone of a closed account."""
_MOBILE = re.compile(r"\A1[3-9][0-9]{9}\Z", re.ASCII)
_SEPARATORS = re.compile(r"[\s\-]")
_TYPED = re.compile(r"(?<!\d)((?:86[\s\-]?)?1[3-9]\d)[\s\-]?\d{4}[\s\-]?(\d{4})(?!\d)")
"""Digits of every script, as people type them."""


class NotAPhone(InvalidInput):
    """The text is not a mainland mobile number."""

    code = "not_a_phone"
    message = "手机号格式不对，应为 11 位数字"


def normalise_phone(text: str) -> str:
    """Bring a mobile number to its 11 digits; spaces, hyphens and a leading +86/86 may go.

    Raises:
        NotAPhone: what is left is not a mainland mobile number in ASCII digits.
    """
    if not isinstance(text, str):
        raise NotAPhone
    digits = _SEPARATORS.sub("", text)
    digits = digits.removeprefix("+86")
    if len(digits) == 13:
        digits = digits.removeprefix("86")
    if not _MOBILE.match(digits):
        raise NotAPhone
    return digits


def mask_phone(phone: str | None) -> str:
    """Show a phone as ``199****0001``; nothing for none."""
    return f"{phone[:3]}****{phone[-4:]}" if phone else ""


def mask_typed_phones(text: str) -> str:
    """Mask phones in what a person typed, also ``138 1234 5678`` and ``138-1234-5678``."""
    return _TYPED.sub(r"\1****\2", text)


def closed_phone(account_id: int) -> str:
    """Make what stands for the phone of an account that was closed: the number may be another's."""
    return f"{CLOSED_PHONE}{account_id}"
