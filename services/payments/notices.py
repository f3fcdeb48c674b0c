"""Payment notices: kept, verified, compared with our order, booked."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from sqlalchemy import select

from domain.actors import system_actor
from models import PaymentOrder
from services.inbox import Inbox, Posted
from services.pay_ports import ChannelTrade, NoticeRefused, PayChannel
from services.payments.settle import Settlement, Verdict, find_mismatch
from services.tasks import open_task
from services.unit_of_work import UnitOfWork

log = logging.getLogger(__name__)

SOURCE = "wechatpay"
TOO_LARGE = "too_large"


@dataclass(frozen=True)
class PaymentNotices:
    """What the channel tells us unasked."""

    unit_of_work: UnitOfWork
    channel: PayChannel
    inbox: Inbox
    settlement: Settlement

    def take(self, *, posted: Posted, request_id: str) -> Verdict:
        """Book what a notice says; when this returns, it is committed.

        The raw notice is stored first, in its own transaction. What is not signed by the platform
        for this merchant, or contradicts our order, is refused and changes nothing but the record;
        the sweep asks the channel itself for the truth. A signed success for an order that we do
        not know is money all the same and goes to suspense.

        Raises:
            NoticeRefused: with the reason that now stands in the record.
        """
        notice_id = self.inbox.keep(source=SOURCE, posted=posted, request_id=request_id)
        try:
            trade = self._read(posted)
            self._compare(trade)
        except NoticeRefused as refused:
            log.warning("payment notice refused", extra={"reason": refused.reason})
            self.inbox.judge(notice_id=notice_id, verdict=refused.reason)
            raise
        verdict = self.settlement.settle(
            actor=system_actor("微信支付通知", request_id), trade=trade
        )
        self.inbox.judge(notice_id=notice_id, verdict=verdict)
        return verdict

    def _read(self, posted: Posted) -> ChannelTrade:
        if posted.is_too_large:
            raise NoticeRefused(TOO_LARGE)
        return self.channel.read_notice(
            headers=posted.headers,
            body=posted.body,
            received_at=self.unit_of_work.clock.now(),
        )

    def _compare(self, trade: ChannelTrade) -> None:
        """Refuse what cannot be ours; only facts that never change are looked at here.

        Whether a bill is still open is no such fact: that is decided after the unique insert.
        """
        with self.unit_of_work.reading() as session:
            order = session.execute(
                select(PaymentOrder.amount_fen, PaymentOrder.openid).where(
                    PaymentOrder.out_trade_no == trade.out_trade_no
                )
            ).one_or_none()
        mismatch = find_mismatch(
            trade,
            mchid=self.channel.mchid,
            appid=self.channel.appid,
            amount_fen=order.amount_fen if order else trade.amount_fen,
        )
        if mismatch == "other_amount":
            self._tell_of_other_amount(trade)
        if mismatch:
            raise NoticeRefused(mismatch)
        if order and trade.payer_openid and order.openid != trade.payer_openid:
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
