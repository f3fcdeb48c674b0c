"""Alipay for one seller: pages, codes, refunds; the rest it hands on."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, NoReturn

from domain.errors import PlatformRefused, PlatformUnavailable
from domain.money import format_yuan
from domain.payment_states import PaymentChannel, PayWay
from gateways.alipay_calls import BEIJING, TIME_FORM, AlipayCalls
from gateways.alipay_notices import (
    CHANNEL,
    read_fen,
    read_notice,
    read_text,
    read_time,
    read_trade,
)
from gateways.alipay_statements import read_statement
from gateways.merchant_accounts import AlipayAccount
from gateways.order_numbers import check_number
from services.pay_ports import (
    ChannelRefund,
    ChannelTrade,
    NoticeRefused,
    OrderToOpen,
    PrepayTicket,
    RefundToSend,
    RefundWord,
    Statement,
    TradeState,
)
from services.ports import Clock

_log = logging.getLogger(__name__)

_PAGES = {
    PayWay.ALIPAY_WAP: ("alipay.trade.wap.pay", "QUICK_WAP_WAY"),
    PayWay.ALIPAY_PAGE: ("alipay.trade.page.pay", "FAST_INSTANT_TRADE_PAY"),
}
_SUBJECT_LIMIT = 256
_REASON_LIMIT = 256
_NUMBER_LIMIT = 64
_NOT_IN_SUBJECTS = str.maketrans(dict.fromkeys("{}/=&", " "))
"""Braces break the SDK's and others' check of answers; the rest Alipay refuses.

Source: platforms.md 3; https://opendocs.alipay.com/open/028r8t
"""
_ABSENT = "ACQ.TRADE_NOT_EXIST"
_WRONG_STATE = frozenset(
    {"ACQ.TRADE_STATUS_ERROR", "ACQ.REASON_TRADE_STATUS_INVALID", "ACQ.REASON_ILLEGAL_STATUS"}
)
_PAID = frozenset({TradeState.SUCCESS, TradeState.REFUND})
_OUR_WORDS = {
    "ACQ.SELLER_BALANCE_NOT_ENOUGH": "NOT_ENOUGH",
    "ACQ.TRADE_HAS_SUCCESS": "ORDERPAID",
}
"""What the port names for both channels."""


class Alipay:
    """A seller on Alipay; `services.pay_ports.PayChannel`.

    Source: platforms.md 3 and 4.7.
    """

    channel = PaymentChannel.ALIPAY
    ways = frozenset({*_PAGES, PayWay.ALIPAY_QR})
    is_absent_final = False

    def __init__(self, *, account: AlipayAccount, clock: Clock) -> None:
        self.account = account
        self._calls = AlipayCalls(account=account)
        self._clock = clock

    @property
    def mchid(self) -> str:
        """The seller's id."""
        return self.account.seller_id

    @property
    def app_id(self) -> str:
        """The app that its notices name."""
        return self.account.app_id

    def appid_for(self, way: PayWay) -> str:  # noqa: ARG002 - the port's; Alipay has one app
        """Tell the app: one for all ways."""
        return self.account.app_id

    def open_order(self, order: OrderToOpen) -> str:
        """Make the address of a page, which calls nobody, or have a code made.

        Raises:
            PlatformRefused: such as ORDERPAID, ACQ.TRADE_HAS_CLOSE, ACQ.CONTEXT_INCONSISTENT.
            PlatformUnavailable: the code may exist: it is payable only by whom it is shown to.
        """
        check_number(order.out_trade_no, longest=_NUMBER_LIMIT)
        if order.way is PayWay.ALIPAY_QR:
            return self._open_code(order)
        method, product = _PAGES[order.way]
        biz = {
            **_offer(order),
            "product_code": product,
            "time_expire": order.expires_at.astimezone(BEIJING).strftime(TIME_FORM),
        }
        if order.way is PayWay.ALIPAY_WAP and order.return_url:
            biz["quit_url"] = order.return_url
        query = self._calls.signed(
            method, biz, notify_url=self.account.notify_url, return_url=order.return_url
        )
        return f"{self.account.api_base}?{query}"

    def _open_code(self, order: OrderToOpen) -> str:
        minutes = int((order.expires_at - self._clock.now()).total_seconds()) // 60
        lifetime = f"{max(minutes, 1)}m"
        # The one ends the code, the other the trade that it makes when it is scanned.
        biz = {**_offer(order), "qr_code_timeout_express": lifetime, "timeout_express": lifetime}
        answer = self._call("alipay.trade.precreate", biz, notify_url=self.account.notify_url)
        return self._text(answer, "qr_code")

    def sign_ticket(
        self,
        *,
        way: PayWay,  # noqa: ARG002 - the port's; there is nothing to sign
        prepay_id: str,  # noqa: ARG002
        now: datetime,  # noqa: ARG002
    ) -> PrepayTicket:
        """Refuse: Alipay's ways have no ticket; a page or a code is all there is.

        Raises:
            PlatformRefused: always.
        """
        raise PlatformRefused("支付宝没有调起支付的凭证", vendor_code="NO_TICKET")

    def query(self, *, out_trade_no: str) -> ChannelTrade:
        """Ask for a trade by our number; ABSENT also while nobody has used its page or code.

        Raises:
            PlatformRefused: the question itself is refused.
            PlatformUnavailable: no usable answer.
        """
        check_number(out_trade_no, longest=_NUMBER_LIMIT)
        try:
            answer = self._call("alipay.trade.query", {"out_trade_no": out_trade_no})
        except PlatformRefused as refused:
            if refused.vendor_code != _ABSENT:
                raise
            return ChannelTrade(
                channel=CHANNEL,
                mchid=self.mchid,
                appid=self.app_id,
                out_trade_no=out_trade_no,
                state=TradeState.ABSENT,
            )
        try:
            trade = read_trade(answer, account=self.account, paid_at_name="send_pay_date")
        except NoticeRefused:
            _unusable("query")
        if trade.out_trade_no != out_trade_no:
            _unusable("query")
        return trade

    def close(self, *, out_trade_no: str) -> None:
        """Close an unpaid trade; closing a closed or absent one is no error.

        Raises:
            PlatformRefused: ORDERPAID when it was paid meanwhile.
            PlatformUnavailable: it may be closed or not.
        """
        check_number(out_trade_no, longest=_NUMBER_LIMIT)
        try:
            self._call("alipay.trade.close", {"out_trade_no": out_trade_no})
        except PlatformRefused as refused:
            if refused.vendor_code == _ABSENT:
                return
            if refused.vendor_code not in _WRONG_STATE:
                raise
            self._explain_unclosed(out_trade_no)

    def _explain_unclosed(self, out_trade_no: str) -> None:
        """Tell paid from closed, which Alipay refuses by the same word."""
        state = self.query(out_trade_no=out_trade_no).state
        if state in _PAID:
            raise PlatformRefused("订单已经支付", vendor_code="ORDERPAID")
        if state not in (TradeState.CLOSED, TradeState.ABSENT):
            raise PlatformUnavailable

    def refund(self, refund: RefundToSend) -> ChannelRefund:
        """Pay back, in part or whole; where no money moved now, ask what there is by this number.

        Raises:
            PlatformRefused: NOT_ENOUGH when the account holds too little, or another plain no.
            PlatformUnavailable: it may have been paid back: ask by the same number.
        """
        check_number(refund.refund_no, longest=_NUMBER_LIMIT)
        answer = self._call(
            "alipay.trade.refund",
            {
                "out_trade_no": refund.out_trade_no,
                "refund_amount": format_yuan(refund.amount_fen),
                "out_request_no": refund.refund_no,
                "refund_reason": refund.reason.translate(_NOT_IN_SUBJECTS)[:_REASON_LIMIT],
            },
        )
        if answer.get("out_trade_no") != refund.out_trade_no:
            _unusable("refund")
        if answer.get("fund_change") != "Y":
            return self.query_refund(refund_no=refund.refund_no, out_trade_no=refund.out_trade_no)
        # Its refund_fee is all that was paid back of the trade; the query tells of this one.
        return self._refund(refund.refund_no, refund.out_trade_no, answer, amount_fen=None)

    def query_refund(self, *, refund_no: str, out_trade_no: str) -> ChannelRefund:
        """Ask for a refund by our number; ABSENT when none was made by it.

        Raises:
            PlatformRefused: the question itself is refused.
            PlatformUnavailable: no usable answer.
        """
        check_number(refund_no, longest=_NUMBER_LIMIT)
        biz = {
            "out_trade_no": out_trade_no,
            "out_request_no": refund_no,
            "query_options": ["gmt_refund_pay"],
        }
        try:
            answer = self._call("alipay.trade.fastpay.refund.query", biz)
        except PlatformRefused as refused:
            if refused.vendor_code != _ABSENT:
                raise
            answer = {}
        if answer.get("refund_status", "") != "REFUND_SUCCESS":
            return ChannelRefund(
                channel=CHANNEL,
                mchid=self.mchid,
                out_trade_no=out_trade_no,
                refund_no=refund_no,
                word=RefundWord.ABSENT,
            )
        if (answer.get("out_request_no"), answer.get("out_trade_no")) != (refund_no, out_trade_no):
            _unusable("refund query")
        try:
            amount_fen = read_fen(answer, "refund_amount")
        except NoticeRefused:
            _unusable("refund query")
        return self._refund(refund_no, out_trade_no, answer, amount_fen=amount_fen)

    def _refund(
        self,
        refund_no: str,
        out_trade_no: str,
        answer: Mapping[str, Any],
        *,
        amount_fen: int | None,
    ) -> ChannelRefund:
        try:
            has_time = bool(answer.get("gmt_refund_pay"))
            refunded_at = read_time(answer, "gmt_refund_pay") if has_time else None
        except NoticeRefused:
            _unusable("refund")
        return ChannelRefund(
            channel=CHANNEL,
            mchid=self.mchid,
            out_trade_no=out_trade_no,
            refund_no=refund_no,
            word=RefundWord.SUCCESS,
            amount_fen=amount_fen,
            refunded_at=refunded_at,
        )

    def read_statement(self, day: date) -> Statement:
        """Download and check the trade bill of a past day.

        Raises:
            StatementNotReady: there is none yet, and it is not noon of the next day.
            StatementBroken: archive, layout or sums do not fit.
            PlatformRefused: the question is refused, such as for today.
            PlatformUnavailable: no usable answer.
        """
        return read_statement(self._calls, day, now=self._clock.now())

    def read_notice(
        self, *, form: Mapping[str, str], received_at: datetime
    ) -> ChannelTrade | ChannelRefund:
        """Verify and read the form of a notice; calls nobody.

        Raises:
            NoticeRefused: it is not a notice that Alipay signed for this app and seller.
        """
        return read_notice(form=form, account=self.account, received_at=received_at)

    def _call(self, method: str, biz: Mapping[str, Any], **common: str) -> dict[str, Any]:
        try:
            return self._calls.call(method, biz, **common)
        except PlatformRefused as refused:
            ours = _OUR_WORDS.get(refused.vendor_code, refused.vendor_code)
            raise PlatformRefused(refused.message, vendor_code=ours) from None

    def _text(self, answer: Mapping[str, Any], name: str) -> str:
        try:
            return read_text(answer, name)
        except NoticeRefused:
            _unusable(name)


def _offer(order: OrderToOpen) -> dict[str, str]:
    return {
        "out_trade_no": order.out_trade_no,
        "total_amount": format_yuan(order.amount_fen),
        "subject": order.description.translate(_NOT_IN_SUBJECTS).strip()[:_SUBJECT_LIMIT],
    }


def _unusable(what: str) -> NoReturn:
    _log.warning("alipay %s: the answer is not usable", what)
    raise PlatformUnavailable
