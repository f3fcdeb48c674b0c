"""What may be written of communities, buildings, houses, spaces, cars and equipment, by column."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from enum import StrEnum

from domain.cells import BadCell, read_text
from domain.charges import trim
from domain.equipment import EquipmentCategory, Importance
from domain.errors import InvalidInput
from domain.houses import BuildingType, SpaceRight
from domain.periods import LiableFromRule, add_months
from domain.plates import tidy_plate
from domain.reading_sheet import tidy_meter_no
from domain.sheets import name_building, tidy_unit_no

Value = str | int | Decimal | date | None
Reader = Callable[[object, date], Value]
"""Reads what was typed, or gives the Chinese reason as `BadCell`; the day is today's."""

NOTE_LIMIT = 200
FIRST_YEAR = 1949
_YEARS_AHEAD = 5
_WARRANTY_YEARS = 50
_NUMBER = re.compile(r"\A[0-9]{1,12}(?:\.[0-9]{1,12})?\Z", re.ASCII)
_WHOLE = re.compile(r"\A-?[0-9]{1,9}\Z", re.ASCII)
_DAY = re.compile(r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}\Z", re.ASCII)


def _text(limit: int, what: str = "", tidy: Callable[[str], str] = str) -> Reader:
    """Read one line; with ``what`` it must not be empty."""

    def read(given: object, _today: date) -> Value:
        if not isinstance(given, str):
            raise BadCell("应为文字")
        found = tidy(read_text(given, limit=limit))
        if what and not found:
            raise BadCell(f"请填写{what}")
        return found

    return read


def _note(given: object, _today: date) -> Value:
    if not isinstance(given, str):
        raise BadCell("应为文字")
    found = given.strip()
    if len(found) > NOTE_LIMIT:
        raise BadCell(f"请在 {NOTE_LIMIT} 个字以内")
    if not found.replace("\n", "").isprintable():
        raise BadCell("含有不能显示的字符")
    return found


def _number(most: int, places: int = 4, *, least: int | None = None) -> Reader:
    """Read a decimal above 0, or from ``least`` on, below or up to ``most``."""
    step = Decimal(1).scaleb(-places)
    floor = "大于 0" if least is None else f"不小于 {least}"

    def read(given: object, _today: date) -> Value:
        number = given
        if isinstance(given, str) and _NUMBER.match(given.strip()):
            number = Decimal(given.strip())
        elif isinstance(given, int) and not isinstance(given, bool):
            number = Decimal(given)
        if not isinstance(number, Decimal) or not number.is_finite():
            raise BadCell("不是数字")
        is_low = number <= 0 if least is None else number < least
        if is_low or number > most or number % step:
            raise BadCell(f"应{floor}且不超过 {most}，最多 {places} 位小数")
        return number

    return read


def _whole(least: int, most: int) -> Reader:
    def read(given: object, _today: date) -> Value:
        number = int(given) if isinstance(given, str) and _WHOLE.match(given.strip()) else given
        if isinstance(number, bool) or not isinstance(number, int) or not least <= number <= most:
            raise BadCell(f"应为 {least} 至 {most} 的整数")
        return number

    return read


def read_day(given: object, today: date, *, years_ahead: int = _YEARS_AHEAD) -> date:
    """Read a day from 1949 on and at most some years ahead.

    Raises:
        BadCell: it is none.
    """
    day = given
    if isinstance(given, str) and _DAY.match(given.strip()):
        try:
            day = date.fromisoformat(given.strip())
        except ValueError as error:
            raise BadCell("日期不存在") from error
    if type(day) is not date:
        raise BadCell("不是日期，例如 2020-06-01")
    if day.year < FIRST_YEAR:
        raise BadCell("年份太早，请核对日期")
    if day > add_months(today, 12 * years_ahead):
        raise BadCell(f"最多写到 {years_ahead} 年以后，请核对日期")
    return day


def _past(given: object, today: date) -> Value:
    day = read_day(given, today)
    if day > today:
        raise BadCell("日期在将来，请核对")
    return day


def _far_day(given: object, today: date) -> Value:
    return read_day(given, today, years_ahead=_WARRANTY_YEARS)


def _one_of(words: type[StrEnum], *more: str) -> Reader:
    known = (*more, *words)

    def read(given: object, _today: date) -> Value:
        if not isinstance(given, str) or given not in known:
            raise BadCell("请从给出的选项中选择")
        return str(given)

    return read


def _or_none(reader: Reader) -> Reader:
    """Let nothing, or empty text, stand for nothing."""

    def read(given: object, today: date) -> Value:
        is_empty = given is None or (isinstance(given, str) and not given.strip())
        return None if is_empty else reader(given, today)

    return read


def _row_id(given: object, _today: date) -> Value:
    number = int(given) if isinstance(given, str) and _WHOLE.match(given) else given
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number < 2**63:
        raise BadCell("编号不对")
    return number


def _plate(given: object, _today: date) -> Value:
    plate = tidy_plate(given) if isinstance(given, str) and len(given) <= 20 else None
    if plate is None:
        raise BadCell("车牌看不懂，例如 粤B96741，新能源 粤BD12345")
    return plate


AREA = _number(100_000)
_LAND = _number(100_000_000)
COMMUNITY: Mapping[str, Reader] = {
    "name": _text(50, "小区名称"),
    "address": _text(200),
    "province": _text(30),
    "city": _text(30),
    "district": _text(30),
    "street": _text(50),
    "street_no": _text(50),
    "land_area": _or_none(_LAND),
    "built_area": _or_none(_LAND),
    "building_type": _one_of(BuildingType, ""),
    "green_percent": _or_none(_number(100, 2, least=0)),
    "completed_on": _or_none(_past),
    "developer": _text(100),
    "service_phone": _text(30),
    "note": _note,
    "liable_from_rule": _one_of(LiableFromRule),
}
BUILDING: Mapping[str, Reader] = {
    "name": _text(20, "楼栋名称，例如 1栋", name_building),
    "building_type": _one_of(BuildingType, ""),
    "floor_count": _or_none(_whole(1, 200)),
    "note": _note,
}
UNIT: Mapping[str, Reader] = {
    "floor_count": _or_none(_whole(1, 200)),
    "lift_count": _or_none(_whole(0, 20)),
    "note": _note,
}
UNIT_NO = _text(20, "", tidy_unit_no)
HOUSE: Mapping[str, Reader] = {
    "building_id": _row_id,
    "unit_no": UNIT_NO,
    "room_no": _text(20, "房号"),
    "floor_no": _or_none(_whole(-9, 200)),
    "layout": _text(30),
    "building_area": AREA,
    "inner_area": _or_none(AREA),
    "billing_area": AREA,
    "fee_coefficient": _number(1000),
    "handover_date": _or_none(read_day),
    "household_size": _or_none(_whole(1, 100)),
    "note": _note,
}
SPACE: Mapping[str, Reader] = {
    "space_no": _text(30, "车位号"),
    "zone": _text(30),
    "area": _or_none(AREA),
    "right_kind": _one_of(SpaceRight),
    "house_id": _or_none(_row_id),
    "owner_id": _or_none(_row_id),
    "note": _note,
}
CAR: Mapping[str, Reader] = {
    "plate_no": _plate,
    "space_id": _or_none(_row_id),
    "owner_id": _or_none(_row_id),
    "note": _note,
}
METER: Mapping[str, Reader] = {
    "meter_no": lambda given, _today: tidy_meter_no(given if isinstance(given, str) else ""),
    "modulus": _or_none(_number(9_999_999_999)),
}
EQUIPMENT: Mapping[str, Reader] = {
    "building_id": _or_none(_row_id),
    "asset_no": _text(30),
    "name": _text(50, "设备名称"),
    "category": _one_of(EquipmentCategory),
    "importance": _one_of(Importance),
    "brand": _text(50),
    "model_no": _text(50),
    "serial_no": _text(50),
    "floor": _text(20),
    "place": _text(100),
    "purchased_on": _or_none(_past),
    "installed_on": _or_none(_past),
    "warranty_until": _or_none(_far_day),
    "statutory_until": _or_none(_far_day),
    "supplier": _text(100),
    "maintainer": _text(100),
    "maintainer_phone": _text(30),
    "contract_until": _or_none(_far_day),
    "custodian_id": _or_none(_row_id),
    "note": _note,
}
BILLED = frozenset(
    {
        "liable_from_rule",
        "building_area",
        "inner_area",
        "billing_area",
        "fee_coefficient",
        "handover_date",
        "household_size",
        "floor_no",
        "building_id",
    }
)
"""Columns that bills depend on: nobody changes them without a reason."""


def read_values(
    readers: Mapping[str, Reader], given: Mapping[str, object], *, today: date
) -> dict[str, Value]:
    """Read what was given of some columns, the way it goes on file.

    Raises:
        InvalidInput: a value cannot be used, or a name is none of these; ``fields`` says which.
    """
    found: dict[str, Value] = {}
    fields: dict[str, list[str]] = {}
    for name, value in given.items():
        reader = readers.get(name)
        if reader is None:
            fields[name] = ["不能修改这一项"]
            continue
        try:
            found[name] = reader(value, today)
        except BadCell as bad:
            fields[name] = ["，".join(filter(None, (bad.why, bad.suggestion)))]
    if fields:
        raise InvalidInput(fields=fields)
    return found


def as_json(value: object) -> str | int | bool | None:
    """Write a value as audit rows keep it: decimals plainly, days as ISO."""
    if isinstance(value, Decimal):
        return trim(value)
    if isinstance(value, date):
        return value.isoformat()
    if value is None or isinstance(value, str | int):
        return value
    raise TypeError(f"no column holds {type(value).__name__}")


def is_same(on_file: object, seen: object) -> bool:
    """Tell whether a value on file still is the one that somebody saw, however they write it."""
    if isinstance(on_file, Decimal) and isinstance(seen, str) and _NUMBER.match(seen):
        return on_file == Decimal(seen)
    if isinstance(on_file, Decimal) and isinstance(seen, Decimal | int):
        return on_file == seen
    if not isinstance(seen, str | int | Decimal | date | None):
        return False
    return as_json(on_file) == as_json(seen)
