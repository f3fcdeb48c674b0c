"""What the use-cases need of WeChat Pay and Alipay: one shape for both, amounts in whole fen.

Every call may raise the two vendor kinds: `PlatformRefused` (the answer is no; ``vendor_code`` is
the platform's word) and `PlatformUnavailable` (no usable answer: whether it had an effect is
unknown, so the same number is asked about or sent again, never another).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol

from domain.errors import Conflict
from domain.payment_states import PaymentChannel, PayWay


class TradeState(StrEnum):
    """What the channel says of an order of ours."""

    SUCCESS = "SUCCESS"
    NOTPAY = "NOTPAY"
    CLOSED = "CLOSED"
    REFUND = "REFUND"
    """Paid, and some or all of it refunded."""
    ABSENT = "ABSENT"
    """The channel does not know the order."""
    OTHER = "OTHER"
    """A state we have no rule for, such as USERPAYING or REVOKED: ask again later."""


@dataclass(frozen=True, slots=True)
class OrderToOpen:
    """What the channel needs to open an order; repeated exactly, it is the same order.

    ``openid`` is the payer's under `PayChannel.appid_for` the way, where `NEEDS_OPENID`;
    ``payer_ip`` is for the ways that open WeChat from another browser. ``return_url`` is where the
    payer's browser goes afterwards; it proves nothing.
    """

    out_trade_no: str
    amount_fen: int
    description: str
    way: PayWay
    expires_at: datetime
    openid: str = ""
    payer_ip: str = ""
    return_url: str = ""


@dataclass(frozen=True, slots=True)
class ChannelTrade:
    """What a channel says of one trade, verified and decrypted but compared with nothing of ours.

    ``amount_fen``, ``transaction_id`` and ``paid_at`` are set when money moved. For Alipay
    ``mchid`` is the seller's id and ``appid`` the app's.
    """

    channel: str
    mchid: str
    appid: str
    out_trade_no: str
    state: TradeState
    transaction_id: str = ""
    amount_fen: int | None = None
    currency: str = ""
    payer_openid: str = ""
    paid_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RefundToSend:
    """A refund by the way the money came; the same number is refunded once however often sent."""

    refund_no: str
    out_trade_no: str
    amount_fen: int
    total_fen: int
    """What was paid in all."""
    reason: str


class RefundWord(StrEnum):
    """What the channel says of a refund of ours."""

    PROCESSING = "PROCESSING"
    SUCCESS = "SUCCESS"
    CLOSED = "CLOSED"
    ABNORMAL = "ABNORMAL"
    ABSENT = "ABSENT"
    """The channel does not know the number: it never arrived, or nothing came of it."""


@dataclass(frozen=True, slots=True)
class ChannelRefund:
    """What a channel says of one refund, verified; ``amount_fen`` is what it gives back.

    A notice may leave ``refund_no`` empty when the channel does not know ours.
    """

    channel: str
    mchid: str
    out_trade_no: str
    refund_no: str
    word: RefundWord
    provider_refund_id: str = ""
    amount_fen: int | None = None
    refunded_at: datetime | None = None


class StatementNotReady(Conflict):
    """The channel has not made the statement of that day yet: ask again later."""

    code = "statement_not_ready"
    message = "渠道的对账单还没有生成，请稍后再试"


class StatementBroken(Conflict):
    """What was downloaded is not a whole statement; ``reason`` is a short English word."""

    code = "statement_broken"
    message = "下载的对账单不完整或格式不对"

    def __init__(self, reason: str) -> None:
        super().__init__()
        self.reason = reason


@dataclass(frozen=True, slots=True)
class StatementRow:
    """One trade or one refund of a day as the channel's statement has it.

    ``amount_fen`` is above zero for both. ``refund_no`` is set for refunds only.
    """

    out_trade_no: str
    transaction_id: str
    amount_fen: int
    refund_no: str = ""
    provider_refund_id: str = ""
    status: str = ""

    @property
    def is_refund(self) -> bool:
        """Whether money went back."""
        return bool(self.refund_no)


@dataclass(frozen=True, slots=True)
class Statement:
    """A day's whole statement, checked; ``content`` is the file, empty if there was no trade."""

    channel: str
    mchid: str
    day: date
    rows: Sequence[StatementRow]
    content: bytes


@dataclass(frozen=True, slots=True)
class PrepayTicket:
    """What goes to ``wx.requestPayment`` or ``getBrandWCPayRequest``; names in WeChat's case.

    Source: WeChat Pay, 小程序调起支付 and JSAPI调起支付 (platforms.md 2.1).
    """

    appid: str
    time_stamp: str
    nonce_str: str
    package: str
    sign_type: str
    pay_sign: str


class PayChannel(Protocol):
    """One merchant account of a channel."""

    @property
    def channel(self) -> PaymentChannel:
        """WeChat Pay or Alipay."""
        ...

    @property
    def mchid(self) -> str:
        """The account that receives the money: merchant number, or Alipay's seller id."""
        ...

    @property
    def ways(self) -> frozenset[PayWay]:
        """The ways it offers."""
        ...

    @property
    def is_absent_final(self) -> bool:
        """Whether an order that the channel does not know cannot be paid any more.

        Not so with Alipay: a page or code that was handed out makes the trade when it is used.
        """
        ...

    def appid_for(self, way: PayWay) -> str:
        """Tell the app in whose name orders of this way are opened."""
        ...

    def open_order(self, order: OrderToOpen) -> str:
        """Open, or with the same number and parameters re-open, and return what to pay with.

        MINIAPP, JSAPI: the prepay_id. NATIVE, ALIPAY_QR: the text of the QR code. H5, ALIPAY_WAP,
        ALIPAY_PAGE: the address to send the browser to. Alipay's pages call nobody.
        """
        ...

    def sign_ticket(self, *, way: PayWay, prepay_id: str, now: datetime) -> PrepayTicket:
        """Sign what the client needs for MINIAPP and JSAPI; calls nobody."""
        ...

    def query(self, *, out_trade_no: str) -> ChannelTrade:
        """Ask for a trade by our number; an unknown number is state ABSENT, not an error."""
        ...

    def close(self, *, out_trade_no: str) -> None:
        """Close an unpaid order; closing a closed or absent one is no error.

        Raises:
            PlatformRefused: ``vendor_code`` ORDERPAID when it was paid meanwhile: query again.
        """
        ...

    def refund(self, refund: RefundToSend) -> ChannelRefund:
        """Ask for money to go back; what is answered is only that it was accepted.

        Raises:
            PlatformRefused: NOT_ENOUGH when the account holds too little: the same again later.
        """
        ...

    def query_refund(self, *, refund_no: str, out_trade_no: str) -> ChannelRefund:
        """Ask for a refund by our number; an unknown number is ABSENT, not an error."""
        ...

    def read_statement(self, day: date) -> Statement:
        """Download and check a past day's statement.

        Raises:
            StatementNotReady: it is not made yet.
            StatementBroken: checksum, layout or sums do not fit.
        """
        ...


class NoticeRefused(Exception):
    """A notice that is not what the platform would send; ``reason`` is a short English word.

    Not a `PropertyError`: it never reaches a person, and the front answers in the platform's form.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class MerchantUnknown(Conflict):
    """The settings hold no keys for the merchant account."""

    code = "merchant_unknown"
    message = "没有配置这个商户号的密钥，请联系管理员"


class PayChannels(Protocol):
    """All merchant accounts that we hold keys of."""

    def all(self) -> Sequence[PayChannel]:
        """List them, the default of each channel first."""
        ...

    def default(self, channel: PaymentChannel) -> PayChannel | None:
        """Find the account that takes money where a community names none, if there is one."""
        ...

    def of(self, channel: str, mchid: str) -> PayChannel:
        """Find an account by its number.

        Raises:
            MerchantUnknown: there are no keys for it.
        """
        ...

    def read_wechat_notice(
        self, *, headers: Mapping[str, str], body: bytes, received_at: datetime
    ) -> ChannelTrade | ChannelRefund:
        """Verify and decrypt a notice of WeChat Pay; calls nobody, whatever the headers say.

        Checks in this order: header form, serial on the allow-list, age within 300 s, signature,
        decryption, shape, and that the merchant whose key opened it is the one it names. It
        compares no other business field.

        Raises:
            NoticeRefused: any of these fails; the reason is for our records.
        """
        ...

    def read_alipay_notice(
        self, *, body: bytes, received_at: datetime
    ) -> ChannelTrade | ChannelRefund:
        """Verify and read a notice of Alipay, form-encoded; calls nobody.

        Checks in this order: shape, app on the allow-list, sign_type RSA2, signature, age of its
        ``notify_time`` within 26 hours (its last copy comes after 25), seller. A notice of a refund
        comes to the same address and is told apart.

        Raises:
            NoticeRefused: any of these fails; the reason is for our records.
        """
        ...
