"""Shapes that routes about owners and bindings share."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from marshmallow import Schema, fields, validate

from domain.house_roles import Rights
from miniapp_api.fields import WORDS, Count, Flag, Input, RowId, Words

PAGE_CAP = 100
_SHARE = r"^(0\.[0-9]{1,8}|1(\.0{1,8})?)$"


class RightsIn(Input):
    """What an owner decides for family or a tenant; what is left out is as the role has it."""

    may_see_bills = Flag(allow_none=True, load_default=None)
    may_pay = Flag(allow_none=True, load_default=None)
    may_report = Flag(allow_none=True, load_default=None)


class RightsOut(Schema):
    """What somebody may do about a house, all decisions counted."""

    may_see_bills = fields.Boolean(required=True)
    may_pay = fields.Boolean(required=True)
    may_report = fields.Boolean(required=True)


class ReasonIn(Input):
    """Why it is done: kept with the act."""

    reason = Words(limit=200, required=True, metadata={"example": "业主本人到店办理"})


class StaffPage(Input):
    """Which community, by code or name, and from where on."""

    community = Words(limit=50, metadata={"example": "CH"})
    before_id = RowId(strict=False, load_default=None)
    limit = Count(most=PAGE_CAP, load_default=50)


class IdOut(Schema):
    """The id of what was made."""

    id = fields.Integer(required=True)


def share_field(**kwargs: Any) -> Words:
    """Make the field of a share: from above 0 to 1, as text, such as ``0.5``."""
    return Words(limit=10, pattern=_SHARE, metadata={"example": "0.5"}, **kwargs)


def read_share(text: str | None) -> Decimal | None:
    """Read a share that the field took; none for none."""
    return None if text is None else Decimal(text)


def read_rights(given: dict[str, bool | None] | None) -> Rights:
    """Read decided rights; all as the role has it when none were given."""
    return Rights(**(given or {}))


class Optional(fields.String):
    """Text that may be empty, of a limited length."""

    def __init__(self, *, limit: int, **kwargs: Any) -> None:
        super().__init__(
            validate=[
                validate.Length(max=limit, error=f"请在 {limit} 个字以内"),
                validate.ContainsNoneOf("\0", error="格式不对"),
            ],
            error_messages=WORDS,
            **kwargs,
        )
