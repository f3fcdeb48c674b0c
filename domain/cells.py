"""Reading what clerks type into a cell: each kind has one strict reader with a Chinese reason."""

from __future__ import annotations

import re
import unicodedata
from datetime import date, datetime, timedelta
from decimal import Decimal

from domain.phones import NotAPhone, normalise_phone

Cell = str | float | int | bool | date | datetime
"""A cell as the workbook reader gives it; an empty cell is an empty string."""

_EXCEL_DAY_ZERO = date(1899, 12, 30)
_EXCEL_DAYS = range(18_264, 73_051)
"""Serial numbers of 1950 to 2099."""
_DATE = re.compile(r"\A([0-9]{4})[-./年]([0-9]{1,2})[-./月]([0-9]{1,2})日?\Z", re.ASCII)
_MIDNIGHT = re.compile(r"[ T]00?:00(:00)?(\.0+)?\Z", re.ASCII)
"""What programs write behind a day when they export it as text."""
_COMPACT_DATE = re.compile(r"\A([0-9]{4})([0-9]{2})([0-9]{2})\Z", re.ASCII)
_NUMBER = re.compile(r"\A[0-9]{1,7}(\.[0-9]{1,4})?\Z", re.ASCII)
_LONG_NUMBER = re.compile(r"\A[0-9]{1,10}(\.[0-9]{1,4})?\Z", re.ASCII)
_AREA_LIMIT = 1_000_000
_READING_LIMIT = 10**10
_AREA_UNIT = re.compile(r"(平方米|平米|㎡|m2|m²)\Z", re.IGNORECASE)
_READING_UNIT = re.compile(r"(吨|方|立方米|立方|m3|度|kwh|千瓦时|gj)\Z", re.IGNORECASE)
_EMAIL = re.compile(r"\A[^@\s]+@[^@\s]+\.[^@\s]+\Z")
_PERCENT = re.compile(r"\A([0-9]{1,3}(?:\.[0-9]{1,6})?)%\Z", re.ASCII)
_FRACTION = re.compile(r"\A([0-9]{1,9})/([0-9]{1,9})\Z", re.ASCII)
_SHARE_STEP = Decimal("0.00000001")
_FLOAT_NOISE = Decimal("0.000001")


class BadCell(Exception):
    """A cell that cannot be read. Not a `PropertyError`: it becomes one problem of a sheet."""

    def __init__(self, why: str, suggestion: str = "") -> None:
        super().__init__(why)
        self.why = why
        self.suggestion = suggestion


def read_text(cell: Cell, *, limit: int) -> str:
    """Read text: full-width forms become plain, ends are trimmed, whole floats lose their ``.0``.

    Raises:
        BadCell: longer than the limit, a control character, a formula, or a date: spreadsheets turn
            a room such as ``3-1`` into one by themselves.
    """
    if isinstance(cell, str):
        text = unicodedata.normalize("NFKC", cell).strip()
    elif isinstance(cell, bool):
        raise BadCell("不是文字", "请填写文字")
    elif isinstance(cell, date):
        raise BadCell("被表格改成了日期", "请把该列设为文本后重新填写")
    else:
        text = str(int(cell) if isinstance(cell, float) and cell.is_integer() else cell)
    if len(text) > limit:
        raise BadCell(f"超过 {limit} 个字", "请缩短")
    if not text.isprintable() and any(
        unicodedata.category(character) in ("Cc", "Cf", "Co", "Cs") for character in text
    ):
        raise BadCell("含有不可见字符", "请重新输入")
    if text.startswith(("=", "@")):
        raise BadCell("是公式而不是文字", "请粘贴为数值")
    return text


def read_area(cell: Cell) -> Decimal:
    """Read an area in ㎡ with at most four decimals.

    Raises:
        BadCell: not a plain positive number.
    """
    what, example = "面积", "89.37"
    area = _read_number(cell, _AREA_UNIT, _AREA_LIMIT, what=what, example=example)
    if area <= 0:
        raise BadCell(f"{what}必须大于 0", f"例如 {example}")
    return area


def read_reading(cell: Cell) -> Decimal:
    """Read what a counter shows, with at most ten digits and four decimals.

    Raises:
        BadCell: not a plain number from 0 on.
    """
    what, example = "读数", "603.35"
    reading = _read_number(cell, _READING_UNIT, _READING_LIMIT, what=what, example=example)
    if reading < 0:
        raise BadCell(f"{what}不能小于 0", f"例如 {example}")
    return reading


def _read_number(
    cell: Cell, unit: re.Pattern[str], limit: int, *, what: str, example: str
) -> Decimal:
    """Read a number below the limit; whether it may be negative or 0 is for the caller to say."""
    if isinstance(cell, (int, float)) and not isinstance(cell, bool):
        number = Decimal(repr(cell))
        if number.is_finite() and abs(number) < limit:
            tidy = round(number, 4)
            number = tidy if abs(tidy - number) < _FLOAT_NOISE else number
    else:
        text = unit.sub("", _plain(cell)).strip()
        is_negative = text.startswith("-")
        if not _LONG_NUMBER.match(text.removeprefix("-")):
            raise BadCell(f"{what}不是数字", f"例如 {example}")
        number = -Decimal(text[1:]) if is_negative else Decimal(text)
    if not number.is_finite():
        raise BadCell(f"{what}不是数字", f"例如 {example}")
    if abs(number) >= limit or round(number, 4) != number:
        raise BadCell(f"{what}超出范围或小数过长", "最多 4 位小数")
    return number


def read_date(cell: Cell) -> date:
    """Read a day: a date cell, an Excel serial number, or text in any usual form.

    Raises:
        BadCell: not a date, or a day that does not exist.
    """
    if isinstance(cell, datetime):
        return cell.date()
    if isinstance(cell, date):
        return cell
    if isinstance(cell, (int, float)) and not isinstance(cell, bool):
        is_whole = isinstance(cell, int) or cell.is_integer()
        if is_whole and int(cell) in _EXCEL_DAYS:
            return _EXCEL_DAY_ZERO + timedelta(days=int(cell))
        # 20200501 typed as a number
        cell = str(int(cell)) if is_whole else ""
    text = _MIDNIGHT.sub("", _plain(cell))
    match = _DATE.match(text) or _COMPACT_DATE.match(text)
    if not match:
        raise BadCell("不是日期", "例如 2020-06-01")
    try:
        return date(*(int(part) for part in match.groups()))
    except ValueError as error:
        raise BadCell("日期不存在", "请核对年月日") from error


def read_phone(cell: Cell) -> str:
    """Read a mainland mobile number; a number cell is fine as long as no digit was lost.

    Raises:
        BadCell: anything else.
    """
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    text = _plain(cell)
    if "E+" in text.upper():
        raise BadCell("手机号被表格改成了科学计数法，末位已丢失", "请把该列设为文本后重新填写")
    try:
        return normalise_phone(text)
    except NotAPhone as error:
        raise BadCell(error.message, "请填写 11 位手机号") from error


def read_email(cell: Cell) -> str:
    """Read an e-mail address, or nothing.

    Raises:
        BadCell: there is text that is no address.
    """
    text = read_text(cell, limit=100)
    if text and not _EMAIL.match(text):
        raise BadCell("邮箱格式不对", "例如 name@example.com，或留空")
    return text


def read_share(cell: Cell) -> Decimal | None:
    """Read a share such as ``50%``, ``0.5`` or ``1/3``; nothing when empty.

    Raises:
        BadCell: not a share above 0 and up to the whole.
    """
    text = _plain(cell)
    if not text:
        return None
    if (match := _FRACTION.match(text)) and int(match[2]):
        share = Decimal(match[1]) / Decimal(match[2])
    elif match := _PERCENT.match(text):
        share = Decimal(match[1]) / 100
    elif _NUMBER.match(text):
        share = Decimal(text)
    else:
        raise BadCell("产权份额看不懂", "例如 50%")
    if not _SHARE_STEP <= share <= 1:
        raise BadCell("产权份额应大于 0 且不超过 100%", "例如 50%")
    return share.quantize(_SHARE_STEP)


def _plain(cell: Cell) -> str:
    return unicodedata.normalize("NFKC", str(cell)).strip()
