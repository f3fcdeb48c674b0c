"""What may become of a payment order.

Source: domain.md D5 and promise M8: nothing leaves a terminal state; money that arrives after a
close is a payment all the same, and the order stays closed.
"""

from __future__ import annotations

from enum import StrEnum


class PaymentChannel(StrEnum):
    """By which way money reaches a bill; 支付渠道.

    ``prepaid`` and ``deposit`` move money that the company holds already: no cash comes in.
    """

    WECHAT = "wechat"
    CASH = "cash"
    CARD = "card"
    BANK_TRANSFER = "bank_transfer"
    CHEQUE = "cheque"
    PREPAID = "prepaid"
    DEPOSIT = "deposit"


CHANNEL_SHOWN = {
    PaymentChannel.WECHAT: "微信支付",
    PaymentChannel.CASH: "现金",
    PaymentChannel.CARD: "刷卡",
    PaymentChannel.BANK_TRANSFER: "银行转账",
    PaymentChannel.CHEQUE: "支票",
    PaymentChannel.PREPAID: "预存抵扣",
    PaymentChannel.DEPOSIT: "押金抵扣",
}
OVER_THE_COUNTER = frozenset(
    {
        PaymentChannel.CASH,
        PaymentChannel.CARD,
        PaymentChannel.BANK_TRANSFER,
        PaymentChannel.CHEQUE,
    }
)
HELD_MONEY = frozenset({PaymentChannel.PREPAID, PaymentChannel.DEPOSIT})
"""Channels that bring no new money in."""


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
