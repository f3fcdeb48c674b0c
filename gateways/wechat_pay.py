"""WeChat Pay API v3 for one merchant: its orders, by all four ways; the rest it hands on."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from typing import Any
from urllib.parse import quote

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from wechatpayv3 import WeChatPayType

from domain.errors import PlatformRefused, PlatformUnavailable
from domain.payment_states import NEEDS_OPENID, PaymentChannel, PayWay
from gateways.merchant_accounts import WechatAccount
from gateways.order_numbers import check_number
from gateways.wechat_calls import ABSENT_ORDER, WechatCalls, answer_text
from gateways.wechat_notices import CHANNEL, read_notice, read_trade
from gateways.wechat_refunds import WechatRefunds
from gateways.wechat_statements import read_statement
from services.pay_ports import (
    ChannelRefund,
    ChannelTrade,
    NoticeRefused,
    OrderToOpen,
    PrepayTicket,
    RefundToSend,
    Statement,
    TradeState,
)
from services.ports import Clock

_log = logging.getLogger(__name__)

_BEIJING = timezone(timedelta(hours=8))
_DESCRIPTION_LIMIT = 127
_NUMBER_LIMIT = 32
_NOTHING_TO_CLOSE = frozenset({"ORDER_CLOSED", ABSENT_ORDER})


@dataclass(frozen=True, slots=True)
class _Way:
    """How the platform calls a way, and in which field of the answer is what to pay with."""

    pay_type: WeChatPayType
    answer: str


_WAYS = {
    PayWay.MINIAPP: _Way(WeChatPayType.MINIPROG, "prepay_id"),
    PayWay.JSAPI: _Way(WeChatPayType.JSAPI, "prepay_id"),
    PayWay.NATIVE: _Way(WeChatPayType.NATIVE, "code_url"),
    PayWay.H5: _Way(WeChatPayType.H5, "h5_url"),
}


class WechatPay:
    """A merchant of WeChat Pay; `services.pay_ports.PayChannel`.

    The SDK builds and signs the requests. What the platform signed is verified by our own code.

    Source: platforms.md 2 and 4.6.
    """

    channel = PaymentChannel.WECHAT
    ways = frozenset(_WAYS)
    is_absent_final = True

    def __init__(self, *, account: WechatAccount, clock: Clock) -> None:
        self.account = account
        self._calls = WechatCalls(account=account, clock=clock)
        self._cipher = AESGCM(account.apiv3_key.encode())
        self._refunds = WechatRefunds(self._calls)

    @property
    def mchid(self) -> str:
        """The merchant number that receives the money."""
        return self.account.mchid

    def appid_for(self, way: PayWay) -> str:
        """Tell the app: the official account inside WeChat's pages, else the mini-program."""
        if way is PayWay.JSAPI:
            return self.account.official_appid
        return self.account.miniapp_appid

    def open_order(self, order: OrderToOpen) -> str:
        """Open or re-open an order; a prepay_id or code is good for two hours, a page for 5 min.

        Raises:
            PlatformRefused: such as ORDERPAID, ORDER_CLOSED, OUT_TRADE_NO_USED, PARAM_ERROR.
            PlatformUnavailable: the order may exist: query it by the same number.
        """
        check_number(order.out_trade_no, longest=_NUMBER_LIMIT)
        way = _WAYS[order.way]
        opened = self._call(
            "open",
            self._calls.sdk.pay,
            description=order.description[:_DESCRIPTION_LIMIT],
            out_trade_no=order.out_trade_no,
            amount={"total": order.amount_fen, "currency": "CNY"},
            time_expire=order.expires_at.astimezone(_BEIJING).isoformat(timespec="seconds"),
            appid=self.appid_for(order.way),
            pay_type=way.pay_type,
            **_who_pays(order),
        )
        ticket = answer_text(opened, way.answer)
        if order.way is PayWay.H5 and order.return_url:
            mark = "&" if "?" in ticket else "?"
            return f"{ticket}{mark}redirect_url={quote(order.return_url, safe='')}"
        return ticket

    def sign_ticket(self, *, way: PayWay, prepay_id: str, now: datetime) -> PrepayTicket:
        """Sign what ``wx.requestPayment`` or ``getBrandWCPayRequest`` needs; calls nobody."""
        appid = self.appid_for(way)
        time_stamp = str(int(now.timestamp()))
        nonce_str = secrets.token_hex(16)
        package = f"prepay_id={prepay_id}"
        return PrepayTicket(
            appid=appid,
            time_stamp=time_stamp,
            nonce_str=nonce_str,
            package=package,
            sign_type="RSA",
            pay_sign=self._calls.sdk.sign([appid, time_stamp, nonce_str, package]),
        )

    def query(self, *, out_trade_no: str) -> ChannelTrade:
        """Ask for a trade by our number; an unknown number is state ABSENT.

        Raises:
            PlatformRefused: the question itself is refused, such as SIGN_ERROR.
            PlatformUnavailable: no usable answer.
        """
        check_number(out_trade_no, longest=_NUMBER_LIMIT)
        try:
            answer = self._call("query", self._calls.sdk.query, out_trade_no=out_trade_no)
        except PlatformRefused as refused:
            if refused.vendor_code != ABSENT_ORDER:
                raise
            return ChannelTrade(
                channel=CHANNEL,
                mchid=self.mchid,
                appid=self.account.miniapp_appid,
                out_trade_no=out_trade_no,
                state=TradeState.ABSENT,
            )
        return _trade_asked_for(answer, out_trade_no)

    def close(self, *, out_trade_no: str) -> None:
        """Close an unpaid order; closing a closed or absent one is no error.

        Raises:
            PlatformRefused: ORDERPAID when it was paid meanwhile.
            PlatformUnavailable: it may be closed or not.
        """
        check_number(out_trade_no, longest=_NUMBER_LIMIT)
        try:
            self._call("close", self._calls.sdk.close, out_trade_no=out_trade_no)
        except PlatformRefused as refused:
            if refused.vendor_code not in _NOTHING_TO_CLOSE:
                raise

    def refund(self, refund: RefundToSend) -> ChannelRefund:
        """Ask for money to go back; its notice comes to an address of its own.

        Raises:
            PlatformRefused: NOT_ENOUGH when the account holds too little, or another plain no.
            PlatformUnavailable: it may have been accepted: ask by the same number.
        """
        return self._refunds.send(refund)

    def query_refund(self, *, refund_no: str, out_trade_no: str) -> ChannelRefund:
        """Ask for a refund by our number; an unknown number is ABSENT.

        Raises:
            PlatformRefused: the question itself is refused.
            PlatformUnavailable: no usable answer.
        """
        return self._refunds.query(refund_no=refund_no, out_trade_no=out_trade_no)

    def read_statement(self, day: date) -> Statement:
        """Download and check the trade bill of a past day, made after ten in the morning.

        Raises:
            StatementNotReady: it is not made yet.
            StatementBroken: checksum, layout or sums do not fit.
            PlatformRefused: the question is refused, such as for a day too long ago.
            PlatformUnavailable: no usable answer.
        """
        return read_statement(self._calls, day)

    def knows(self, serial: str) -> bool:
        """Whether a notice may be signed by this serial or key id for this merchant."""
        return self._calls.signatures.knows(serial)

    def read_notice(
        self, *, headers: Mapping[str, str], body: bytes, received_at: datetime
    ) -> ChannelTrade | ChannelRefund:
        """Verify, decrypt and read a notice; calls nobody, compares only the merchant.

        Raises:
            NoticeRefused: it is not a notice the platform signed for this merchant within 300 s.
        """
        said = read_notice(
            headers=headers,
            body=body,
            received_at=received_at,
            signatures=self._calls.signatures,
            cipher=self._cipher,
        )
        if said.mchid != self.mchid:
            raise NoticeRefused("other_merchant")
        return said

    def _call(self, what: str, send: Callable[..., Any], **kwargs: Any) -> dict[str, Any]:
        return self._calls.call(what, send, **kwargs)


def _who_pays(order: OrderToOpen) -> dict[str, Any]:
    if order.way in NEEDS_OPENID:
        return {"payer": {"openid": order.openid}}
    if order.way is PayWay.H5:
        return {"scene_info": {"payer_client_ip": order.payer_ip, "h5_info": {"type": "Wap"}}}
    return {}


def _trade_asked_for(answer: Mapping[str, Any], out_trade_no: str) -> ChannelTrade:
    try:
        trade = read_trade(answer)
    except NoticeRefused:
        _log.warning("wechat pay query: the answer is not a trade")
        raise PlatformUnavailable from None
    if trade.out_trade_no != out_trade_no:
        raise PlatformUnavailable
    return trade
