"""What may become of a payment order.

Source: domain.md D5 and promise M8: nothing leaves a terminal state; money that arrives after a
close is a payment all the same, and the order stays closed.
"""

from __future__ import annotations

from enum import StrEnum


class OrderState(StrEnum):
    """The states of a payment order."""

    CREATED = "created"
    PREPAYING = "prepaying"
    UNKNOWN = "unknown"
    SUCCEEDED = "succeeded"
    CLOSED = "closed"
    FAILED = "failed"


ORDER_MOVES: dict[OrderState, frozenset[OrderState]] = {
    OrderState.CREATED: frozenset(
        {
            OrderState.PREPAYING,
            OrderState.UNKNOWN,
            OrderState.SUCCEEDED,
            OrderState.CLOSED,
            OrderState.FAILED,
        }
    ),
    OrderState.PREPAYING: frozenset({OrderState.SUCCEEDED, OrderState.CLOSED, OrderState.FAILED}),
    OrderState.UNKNOWN: frozenset(
        {OrderState.PREPAYING, OrderState.SUCCEEDED, OrderState.CLOSED, OrderState.FAILED}
    ),
    OrderState.SUCCEEDED: frozenset(),
    OrderState.CLOSED: frozenset(),
    OrderState.FAILED: frozenset(),
}

OPEN_ORDERS = frozenset({OrderState.CREATED, OrderState.PREPAYING, OrderState.UNKNOWN})
