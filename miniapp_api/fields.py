"""Form fields with Chinese reasons; every input of the API is made of these."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from marshmallow import RAISE, Schema, fields, validate

from domain.files import PHOTOS_PER_SUBJECT

_DAY = re.compile(r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}\Z", re.ASCII)
MAX_ID = 2**63 - 1
"""The largest id that a BIGINT holds."""

WORDS: dict[str, str | list[Any] | dict[Any, Any]] = {
    "required": "必填",
    "null": "不能为空",
    "invalid": "格式不对",
    "invalid_utf8": "格式不对",
    "too_large": "数字太大",
}


class Input(Schema):
    """What a client sends; a field that is not named is refused."""

    class Meta:
        """A schema that takes nothing it does not name."""

        unknown = RAISE

    error_messages = {  # noqa: RUF012 - marshmallow's own way to say it
        "unknown": "不认识这个字段",
        "type": "应为 JSON 对象",
    }


class Words(fields.String):
    """Text of a limited length, as the database takes it."""

    def __init__(self, *, limit: int, pattern: str | None = None, **kwargs: Any) -> None:
        checks: list[validate.Validator] = [
            validate.Length(min=1, max=limit, error=f"应为 1 至 {limit} 个字"),
            # The one character that PostgreSQL takes nowhere.
            validate.ContainsNoneOf("\0", error="格式不对"),
        ]
        if pattern:
            checks.append(validate.Regexp(pattern, error="格式不对"))
            # A pattern's $ also matches before a line end.
            checks.append(validate.ContainsNoneOf("\n", error="格式不对"))
        super().__init__(validate=checks, error_messages=WORDS, **kwargs)


class _Whole(fields.Integer):
    """A whole number: no bool, no float, and as text in ASCII digits only."""

    def _validated(self, value: Any) -> int:
        is_text = isinstance(value, str) and not self.strict
        if is_text and not (value.isascii() and value.isdigit() and len(value) < 20):
            raise self.make_error("invalid", input=value)
        if not is_text and (isinstance(value, bool) or not isinstance(value, int)):
            raise self.make_error("invalid", input=value)
        return super()._validated(value)


class RowId(_Whole):
    """The id of a row: from 1 to what the database can hold."""

    def __init__(self, *, strict: bool = True, **kwargs: Any) -> None:
        super().__init__(
            strict=strict,
            validate=validate.Range(1, MAX_ID, error="编号不对"),
            error_messages=WORDS,
            **kwargs,
        )


class Count(_Whole):
    """A small number in a query string, such as a page size."""

    def __init__(self, *, most: int, **kwargs: Any) -> None:
        super().__init__(
            validate=validate.Range(1, most, error=f"应为 1 至 {most}"),
            error_messages=WORDS,
            **kwargs,
        )


class Amount(_Whole):
    """A whole number of a body, such as fen or minutes, within limits."""

    def __init__(self, *, least: int, most: int, **kwargs: Any) -> None:
        super().__init__(
            strict=True,
            validate=validate.Range(least, most, error=f"应为 {least} 至 {most}"),
            error_messages=WORDS,
            **kwargs,
        )


class OneOf(fields.String):
    """One word of a closed list."""

    def __init__(self, words: list[str], **kwargs: Any) -> None:
        super().__init__(
            validate=validate.OneOf(words, error="可选：" + "、".join(words)),
            error_messages=WORDS,
            **kwargs,
        )


class ListOf(fields.List[Any]):
    """A list of limited length."""

    def __init__(self, inner: fields.Field[Any], *, most: int, **kwargs: Any) -> None:
        super().__init__(
            inner,
            validate=validate.Length(1, most, error=f"应有 1 至 {most} 项"),
            error_messages=WORDS,
            **kwargs,
        )


class PhotoIds(fields.List[Any]):
    """Photos that were handed in before, at most nine; none where it is left out."""

    def __init__(self) -> None:
        error = f"最多 {PHOTOS_PER_SUBJECT} 张照片"
        super().__init__(
            RowId(),
            validate=validate.Length(0, PHOTOS_PER_SUBJECT, error=error),
            error_messages=WORDS,
            load_default=(),
        )


class Day(fields.Date):
    """A day as ``2026-10-31``, and in no other of ISO's forms."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(error_messages={**WORDS, "invalid": "应为日期，例如 2026-10-31"}, **kwargs)

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> date:
        if not isinstance(value, str) or not _DAY.match(value):
            raise self.make_error("invalid", input=value)
        return super()._deserialize(value, attr, data, **kwargs)


class Flag(fields.Boolean):
    """True or false, and nothing that only looks like it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(error_messages={**WORDS, "invalid": "应为 true 或 false"}, **kwargs)

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return super()._deserialize(value, attr, data, **kwargs)


class NestedIn(fields.Nested):
    """A JSON object inside another."""

    def __init__(self, nested: type[Input], **kwargs: Any) -> None:
        super().__init__(nested, error_messages={**WORDS, "type": "应为 JSON 对象"}, **kwargs)
