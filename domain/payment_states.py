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
    ALIPAY = "alipay"
    CASH = "cash"
    CARD = "card"
    BANK_TRANSFER = "bank_transfer"
    CHEQUE = "cheque"
    PREPAID = "prepaid"
    DEPOSIT = "deposit"


CHANNEL_SHOWN = {
    PaymentChannel.WECHAT: "微信支付",
    PaymentChannel.ALIPAY: "支付宝",
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
ONLINE = frozenset({PaymentChannel.WECHAT, PaymentChannel.ALIPAY})
HELD_MONEY = frozenset({PaymentChannel.PREPAID, PaymentChannel.DEPOSIT})
"""Channels that bring no new money in."""


class PayWay(StrEnum):
    """How a payer reaches an online channel: inside which app, or by scanning."""

    MINIAPP = "miniapp"
    JSAPI = "jsapi"
    """A page opened inside WeChat, under the official account."""
    NATIVE = "native"
    """A QR code that WeChat scans."""
    H5 = "h5"
    """A page in another browser that opens WeChat."""
    ALIPAY_WAP = "alipay_wap"
    ALIPAY_PAGE = "alipay_page"
    ALIPAY_QR = "alipay_qr"

    @property
    def channel(self) -> PaymentChannel:
        """Through which channel the money comes."""
        is_alipay = self.value.startswith("alipay")
        return PaymentChannel.ALIPAY if is_alipay else PaymentChannel.WECHAT


NEEDS_OPENID = frozenset({PayWay.MINIAPP, PayWay.JSAPI})
"""Ways in which WeChat must be told who pays, under the app in whose name it is asked."""


SCANNED = frozenset({PayWay.NATIVE, PayWay.ALIPAY_QR})
"""Ways that show a QR code for the payer's phone to scan."""


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
