"""What every act with money is asked for: an amount, and why."""

from __future__ import annotations

from domain.errors import InvalidInput
from domain.money import MAX_FEN

_LENGTHS = range(1, 201)


def check_reason(reason: str, *, field: str = "reason") -> None:
    """Refuse an act without a reason.

    Raises:
        InvalidInput: no words, or more than 200 characters.
    """
    if problems := _of_reason(reason, field):
        raise InvalidInput(fields=problems)


def check_amount_and_reason(amount_fen: int, reason: str, *, field: str = "reason") -> None:
    """Refuse an act about no money, or without a reason.

    Raises:
        InvalidInput: the amount is none that can be, there are no words, or more than 200
            characters.
    """
    problems = _of_reason(reason, field)
    if not 1 <= amount_fen <= MAX_FEN:
        problems["amount_fen"] = ["金额应大于 0"]
    if problems:
        raise InvalidInput(fields=problems)


def _of_reason(reason: str, field: str) -> dict[str, list[str]]:
    if len(reason.strip()) in _LENGTHS:
        return {}
    return {field: ["请填写原因，200 字以内"]}
