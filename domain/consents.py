"""What an owner may be asked to agree to, and which of it is asked now."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class ConsentKind(StrEnum):
    """A text, or a purpose, that takes an owner's word."""

    PRIVACY_POLICY = "privacy_policy"
    TERMS = "terms"
    MARKETING = "marketing"


class ConsentAct(StrEnum):
    """What they said."""

    GIVEN = "given"
    WITHDRAWN = "withdrawn"


class ConsentChannel(StrEnum):
    """By which way it reached us; ``deletion`` is the end of the account."""

    MINI_PROGRAM = "mini_program"
    WEB = "web"
    DELETION = "deletion"


CONSENT_SHOWN = {
    ConsentKind.PRIVACY_POLICY: "隐私政策",
    ConsentKind.TERMS: "用户协议",
    ConsentKind.MARKETING: "接收推广信息",
}
ASKED = (ConsentKind.PRIVACY_POLICY, ConsentKind.TERMS)
"""What every owner is asked for; the rest is theirs to offer."""


def still_needed(
    held: Mapping[ConsentKind, str], current: Mapping[ConsentKind, str]
) -> tuple[ConsentKind, ...]:
    """Tell which texts an owner has not agreed to in their current version.

    ``held`` has the versions that were given and not withdrawn since.
    """
    return tuple(kind for kind in ASKED if held.get(kind) != current[kind])
