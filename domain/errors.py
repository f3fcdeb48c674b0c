"""The kinds of refusal; specific ones stand beside what raises them, numbers in the fronts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar


class PropertyError(Exception):
    """An anticipated refusal.

    ``code`` is stable English snake_case for programs; ``message`` is Chinese for the person.
    """

    code: ClassVar[str] = "property_error"
    message: str = "操作没有完成"

    def __init__(self, message: str | None = None) -> None:
        if message is not None:
            self.message = message
        super().__init__(self.message)


class InvalidInput(PropertyError):
    """What was sent cannot be used. ``fields`` maps each bad field to its Chinese reasons."""

    code = "invalid_input"
    message = "填写的内容有误，请检查"

    def __init__(
        self, message: str | None = None, *, fields: Mapping[str, list[str]] | None = None
    ) -> None:
        super().__init__(message)
        self.fields: dict[str, list[str]] = dict(fields or {})


class NotSignedIn(PropertyError):
    """No valid session."""

    code = "not_signed_in"
    message = "请先登录"


class NotAllowed(PropertyError):
    """The actor lacks the permission; ``permission`` names it where one alone is lacking."""

    code = "not_allowed"
    message = "没有权限进行此操作"

    def __init__(self, message: str | None = None, *, permission: str | None = None) -> None:
        super().__init__(message)
        self.permission = permission


class NotFound(PropertyError):
    """There is no such thing, or it is not theirs: never told apart."""

    code = "not_found"
    message = "没有找到"


class Conflict(PropertyError):
    """The state of things does not permit it now."""

    code = "conflict"
    message = "当前状态不能进行此操作"


class TooMany(PropertyError):
    """Too often; ``retry_after_s`` says when to come back."""

    code = "too_many"
    message = "操作太频繁，请稍后再试"

    def __init__(self, message: str | None = None, *, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class PlatformRefused(PropertyError):
    """A platform said no for good; the same call will not succeed. ``vendor_code`` is its word."""

    code = "platform_refused"
    message = "平台拒绝了这次请求"

    def __init__(self, message: str | None = None, *, vendor_code: str = "") -> None:
        super().__init__(message)
        self.vendor_code = vendor_code


class PlatformUnavailable(PropertyError):
    """A platform did not answer, or asked to come back; the result of the call is unknown."""

    code = "platform_unavailable"
    message = "平台暂时没有响应，请稍后再试"

    def __init__(self, message: str | None = None, *, retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
