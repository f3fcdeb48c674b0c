"""Shapes that routes about base data share."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from marshmallow import Schema, fields, validate

from domain.charges import trim
from domain.houses import SpaceRight
from miniapp_api.fields import WORDS, Day, Input, NestedIn, OneOf, RowId, Words
from miniapp_api.people_fields import Optional, ReasonIn

_MOST = 10**6
RIGHTS = [str(right) for right in SpaceRight]


class NumberIn(fields.String):
    """A decimal as text such as ``"89.37"``; its use-case says what it may be."""

    def __init__(self, *, allow_none: bool = True, **kwargs: Any) -> None:
        super().__init__(
            allow_none=allow_none,
            validate=validate.Regexp(
                r"\A[0-9]{1,12}(\.[0-9]{1,12})?\Z", error="应为数字，例如 89.37"
            ),
            metadata={"example": "89.37"},
            error_messages=WORDS,
            **kwargs,
        )


class WholeIn(fields.Integer):
    """A whole number, or null."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            strict=True,
            allow_none=True,
            validate=validate.Range(-_MOST, _MOST, error="数字太大"),
            error_messages={**WORDS, "invalid": "应为整数"},
            **kwargs,
        )

    def _validated(self, value: Any) -> int:
        if isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        found: int = super()._validated(value)
        return found


class NumberOut(fields.String):
    """A decimal as text without zeros at its end."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        if isinstance(value, Decimal):
            return trim(value)
        return super()._serialize(value, attr, obj, **kwargs)


def text_in(limit: int) -> Optional:
    """Make the field of one line of text that may be empty."""
    return Optional(limit=limit, allow_none=False)


class OptionalReasonIn(Input):
    """Why it is done; needed where bills depend on it."""

    reason = Optional(limit=200, load_default="")


class RetireIn(ReasonIn):
    """From which day on it is no more."""

    retired_on = Day(required=True)


class CommunityColumnsIn(Input):
    """Columns of a community."""

    name = Words(limit=50)
    address = text_in(200)
    province = text_in(30)
    city = text_in(30)
    district = text_in(30)
    street = text_in(50)
    street_no = text_in(50)
    land_area = NumberIn()
    built_area = NumberIn()
    building_type = text_in(20)
    green_percent = NumberIn()
    completed_on = Day(allow_none=True)
    developer = text_in(100)
    service_phone = text_in(30)
    note = text_in(200)
    liable_from_rule = text_in(30)


class BuildingColumnsIn(Input):
    """Columns of a building."""

    name = Words(limit=20)
    building_type = text_in(20)
    floor_count = WholeIn()
    note = text_in(200)


class UnitColumnsIn(Input):
    """Columns of a unit."""

    floor_count = WholeIn()
    lift_count = WholeIn()
    note = text_in(200)


class HouseColumnsIn(Input):
    """Columns of a house, areas in ㎡."""

    building_id = RowId()
    unit_no = text_in(20)
    room_no = Words(limit=20)
    floor_no = WholeIn()
    layout = text_in(30)
    building_area = NumberIn()
    inner_area = NumberIn()
    billing_area = NumberIn()
    fee_coefficient = NumberIn()
    handover_date = Day(allow_none=True)
    household_size = WholeIn()
    note = text_in(200)


class SpaceColumnsIn(Input):
    """Columns of a parking space, area in ㎡."""

    space_no = Words(limit=30)
    zone = text_in(30)
    area = NumberIn()
    right_kind = OneOf(RIGHTS)
    house_id = RowId(allow_none=True)
    owner_id = RowId(allow_none=True)
    note = text_in(200)


class CarColumnsIn(Input):
    """Columns of a car."""

    plate_no = Words(limit=20)
    space_id = RowId(allow_none=True)
    owner_id = RowId(allow_none=True)
    note = text_in(200)


class MeterColumnsIn(Input):
    """Columns of a meter that may be corrected."""

    meter_no = Words(limit=40)
    modulus = NumberIn()


class CommunityEditIn(OptionalReasonIn):
    """What changes, and what each of it was when it was looked at."""

    changes = NestedIn(CommunityColumnsIn, required=True)
    expected = NestedIn(CommunityColumnsIn, required=True)


class BuildingEditIn(OptionalReasonIn):
    """What changes, and what each of it was when it was looked at."""

    changes = NestedIn(BuildingColumnsIn, required=True)
    expected = NestedIn(BuildingColumnsIn, required=True)


class UnitEditIn(OptionalReasonIn):
    """What changes of a unit, and what each of it was."""

    unit_no = Words(limit=20, required=True)
    changes = NestedIn(UnitColumnsIn, required=True)
    expected = NestedIn(UnitColumnsIn, required=True)


class HouseEditIn(OptionalReasonIn):
    """What changes, what each of it was, and for areas and coefficients from which day on."""

    changes = NestedIn(HouseColumnsIn, required=True)
    expected = NestedIn(HouseColumnsIn, required=True)
    holds_from = Day(load_default=None, allow_none=True)


class SpaceEditIn(OptionalReasonIn):
    """What changes, and what each of it was when it was looked at."""

    changes = NestedIn(SpaceColumnsIn, required=True)
    expected = NestedIn(SpaceColumnsIn, required=True)


class CarEditIn(OptionalReasonIn):
    """What changes, and what each of it was when it was looked at."""

    changes = NestedIn(CarColumnsIn, required=True)
    expected = NestedIn(CarColumnsIn, required=True)


class MeterEditIn(ReasonIn):
    """What changes, and what each of it was when it was looked at."""

    changes = NestedIn(MeterColumnsIn, required=True)
    expected = NestedIn(MeterColumnsIn, required=True)


class SpanOut(Schema):
    """A period; its last day is the one before ``period_until``."""

    period_from = fields.Date(required=True, attribute="starts_on")
    period_until = fields.Date(required=True, attribute="ends_before")


def seen_of(form: dict[str, Any]) -> dict[str, Any]:
    """Take a change as its use-case takes it: what was expected is what was seen."""
    return {
        "changes": form["changes"],
        "seen": form["expected"],
        "reason": form["reason"],
    }
