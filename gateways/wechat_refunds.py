"""Refunds of WeChat Pay: asked for and asked about by our number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from domain.errors import PlatformRefused, PlatformUnavailable
from gateways.order_numbers import check_number
from gateways.wechat_calls import ABSENT_REFUND, WechatCalls
from gateways.wechat_notices import CHANNEL, read_refund
from services.pay_ports import ChannelRefund, NoticeRefused, RefundToSend, RefundWord

_NUMBER_LIMIT = 64
_REASON_LIMIT = 80


class WechatRefunds:
    """The refunds of one merchant.

    Source: https://pay.weixin.qq.com/doc/v3/merchant/4012556457 (platforms.md 4.6).
    """

    def __init__(self, calls: WechatCalls) -> None:
        self._calls = calls

    def send(self, refund: RefundToSend) -> ChannelRefund:
        """Ask for money to go back; sent again with the same number it is the same refund.

        Raises:
            PlatformRefused: NOT_ENOUGH, or another plain no.
            PlatformUnavailable: it may have been accepted.
        """
        check_number(refund.refund_no, longest=_NUMBER_LIMIT)
        answer = self._calls.call(
            "refund",
            self._calls.sdk.refund,
            out_refund_no=refund.refund_no,
            out_trade_no=refund.out_trade_no,
            amount={
                "refund": refund.amount_fen,
                "total": refund.total_fen,
                "currency": "CNY",
            },
            reason=refund.reason[:_REASON_LIMIT],
            # Left out, the SDK would name the address of payments.
            notify_url=f"{self._calls.account.notify_url}/refund",
        )
        return self._refund_asked_for(answer, refund.refund_no, refund.out_trade_no)

    def query(self, *, refund_no: str, out_trade_no: str) -> ChannelRefund:
        """Ask for a refund; an unknown number is ABSENT.

        Raises:
            PlatformRefused: the question itself is refused.
            PlatformUnavailable: no usable answer.
        """
        check_number(refund_no, longest=_NUMBER_LIMIT)
        try:
            answer = self._calls.call(
                "query refund", self._calls.sdk.query_refund, out_refund_no=refund_no
            )
        except PlatformRefused as refused:
            if refused.vendor_code != ABSENT_REFUND:
                raise
            return ChannelRefund(
                channel=CHANNEL,
                mchid=self._calls.account.mchid,
                out_trade_no=out_trade_no,
                refund_no=refund_no,
                word=RefundWord.ABSENT,
            )
        return self._refund_asked_for(answer, refund_no, out_trade_no)

    def _refund_asked_for(
        self, answer: Mapping[str, Any], refund_no: str, out_trade_no: str
    ) -> ChannelRefund:
        try:
            found = read_refund(answer, mchid=self._calls.account.mchid, status="status")
        except NoticeRefused:
            raise PlatformUnavailable from None
        if (found.refund_no, found.out_trade_no) != (refund_no, out_trade_no):
            raise PlatformUnavailable
        return found
