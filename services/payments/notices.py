"""Notices of the channels: kept, verified, compared with our order, booked."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import select

from domain.actors import system_actor
from models import PaymentOrder
from services.inbox import Inbox, Posted
from services.pay_ports import (
    ChannelRefund,
    ChannelTrade,
    NoticeRefused,
    PayChannels,
    TradeState,
)
from services.payments.refunds import Refunds
from services.payments.settle import Settlement, find_mismatch
from services.tasks import open_task
from services.unit_of_work import UnitOfWork

log = logging.getLogger(__name__)

TOO_LARGE = "too_large"


class NoticeSource(StrEnum):
    """Who sent a notice, as it stands on the record."""

    WECHATPAY = "wechatpay"
    ALIPAY = "alipay"


@dataclass(frozen=True)
class PaymentNotices:
    """What the channels tell us unasked."""

    unit_of_work: UnitOfWork
    channels: PayChannels
    inbox: Inbox
    settlement: Settlement
    refunds: Refunds

    def take_wechat(self, *, posted: Posted, request_id: str) -> str:
        """Book what a notice of WeChat Pay says, of a payment or a refund; see `_take`."""
        return self._take(
            NoticeSource.WECHATPAY,
            posted,
            request_id,
            lambda now: self.channels.read_wechat_notice(
                headers=posted.headers, body=posted.body, received_at=now
            ),
        )

    def take_alipay(self, *, posted: Posted, request_id: str) -> str:
        """Book what a notice of Alipay says, of a payment or a refund; see `_take`."""
        return self._take(
            NoticeSource.ALIPAY,
            posted,
            request_id,
            lambda now: self.channels.read_alipay_notice(body=posted.body, received_at=now),
        )

    def _take(
        self,
        source: NoticeSource,
        posted: Posted,
        request_id: str,
        read: Callable[[datetime], ChannelTrade | ChannelRefund],
    ) -> str:
        """Book what a notice says; when this returns its verdict, that is committed.

        The raw notice is stored first, in its own transaction. What is not signed by the platform
        for one of our merchants, or contradicts our order, is refused and changes nothing but the
        record; the sweep asks the channel itself for the truth. A signed success for an order that
        we do not know is money all the same and goes to suspense.

        Raises:
            NoticeRefused: with the reason that now stands in the record.
        """
        notice_id = self.inbox.keep(source=source, posted=posted, request_id=request_id)
        try:
            if posted.is_too_large:
                raise NoticeRefused(TOO_LARGE)
            told = read(self.unit_of_work.clock.now())
            if isinstance(told, ChannelTrade):
                self._compare(told)
        except NoticeRefused as refused:
            log.warning("payment notice refused", extra={"reason": refused.reason})
            self.inbox.judge(notice_id=notice_id, verdict=refused.reason)
            raise
        try:
            return self._book(told, notice_id, request_id)
        except Exception:
            # It is signed, so whose life it belongs to is known even where booking it failed.
            self.inbox.name_order(notice_id=notice_id, out_trade_no=told.out_trade_no)
            raise

    def _book(self, told: ChannelTrade | ChannelRefund, notice_id: int, request_id: str) -> str:
        if isinstance(told, ChannelTrade) and told.state is TradeState.SUCCESS:
            actor = system_actor("支付通知", request_id)
            return self.settlement.settle(actor=actor, trade=told, notice_id=notice_id)
        if isinstance(told, ChannelRefund):
            verdict = self.refunds.take_word(told, request_id=request_id)
        else:
            # Alipay also tells of trades that were begun or closed: nothing was paid.
            verdict = f"noted_{told.state.lower()}"
        self.inbox.name_order(notice_id=notice_id, out_trade_no=told.out_trade_no)
        self.inbox.judge(notice_id=notice_id, verdict=verdict)
        return verdict

    def _compare(self, trade: ChannelTrade) -> None:
        """Refuse what cannot be ours; only facts that never change are looked at here.

        Whether a bill is still open is no such fact: that is decided after the unique insert.
        """
        if trade.state is not TradeState.SUCCESS:
            return
        with self.unit_of_work.reading() as session:
            order = session.execute(
                select(
                    PaymentOrder.mchid,
                    PaymentOrder.appid,
                    PaymentOrder.amount_fen,
                    PaymentOrder.openid,
                ).where(
                    PaymentOrder.out_trade_no == trade.out_trade_no,
                    PaymentOrder.channel == trade.channel,
                )
            ).one_or_none()
        if order is None:
            # Whose keys opened it, is one of our merchants: the gateway saw to that.
            return
        mismatch = find_mismatch(
            trade, mchid=order.mchid, appid=order.appid, amount_fen=order.amount_fen
        )
        if mismatch == "other_amount":
            self._tell_of_other_amount(trade)
        if mismatch:
            raise NoticeRefused(mismatch)
        if order.openid and trade.payer_openid and order.openid != trade.payer_openid:
            raise NoticeRefused("other_payer")

    def _tell_of_other_amount(self, trade: ChannelTrade) -> None:
        self.unit_of_work.run(
            lambda tx: open_task(
                tx,
                kind="notice_of_other_amount",
                subject=trade.out_trade_no,
                title=f"订单 {trade.out_trade_no} 的支付通知金额与订单不符，请核实",
            )
        )
