"""What may become of a cashier's shift: 交接班.

Source: domain.md D5, ``open → closing(counted) → closed → handed_over``; idea 18, blind count.
"""

from __future__ import annotations

from enum import StrEnum


class ShiftState(StrEnum):
    """The states of a shift."""

    OPEN = "open"
    CLOSING = "closing"
    """No more money is taken; the cashier counts, before the system's total is shown."""
    CLOSED = "closed"
    HANDED_OVER = "handed_over"


SHIFT_MOVES: dict[ShiftState, frozenset[ShiftState]] = {
    ShiftState.OPEN: frozenset({ShiftState.CLOSING}),
    ShiftState.CLOSING: frozenset({ShiftState.OPEN, ShiftState.CLOSED}),
    ShiftState.CLOSED: frozenset({ShiftState.HANDED_OVER}),
    ShiftState.HANDED_OVER: frozenset(),
}
SHIFT_SHOWN = {
    ShiftState.OPEN: "当班",
    ShiftState.CLOSING: "清点中",
    ShiftState.CLOSED: "已日结",
    ShiftState.HANDED_OVER: "已交款",
}
