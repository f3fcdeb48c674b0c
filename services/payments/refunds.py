"""Refunds by the way the money came: sent, asked about, and booked once the channel says how."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update

from domain.actors import Actor, Permission, system_actor
from domain.errors import NotFound, PlatformRefused, PlatformUnavailable
from domain.money import show_yuan
from domain.refund_states import REFUND_SHOWN, RefundState
from models import Payment, Receipt, ReceiptMark, Refund
from services.audit import record
from services.claims import claim_each, claim_of
from services.pay_ports import ChannelRefund, PayChannel, PayChannels, RefundToSend, RefundWord
from services.payments.channel_calls import ChannelCalls
from services.payments.refund_rows import (
    carry_out_parts,
    give_up_parts,
    lock_payment,
    move_refund,
)
from services.tasks import open_task
from services.unit_of_work import Transaction, UnitOfWork

log = logging.getLogger(__name__)

_CLAIM = claim_of("refund")
_WAITS = (*[timedelta(minutes=1)] * 5, timedelta(minutes=10), timedelta(minutes=30))
_LONGEST_WAIT = timedelta(hours=1)
"""Asked every minute, more slowly after five. Source: reliability.md, provider rules."""
_NOT_ENOUGH = "NOT_ENOUGH"
_MOVING = (RefundState.PROCESSING, RefundState.ABNORMAL)


@dataclass(frozen=True)
class Refunds:
    """Sends refunds and books what becomes of them, each once, under one number for ever."""

    unit_of_work: UnitOfWork
    channels: PayChannels
    calls: ChannelCalls

    def send_due(self, *, actor: Actor) -> int:
        """Send or ask about every refund that is due, and return how many were.

        One that cannot be asked about stops no other; it is due again soon.
        """
        actor.must(Permission.RUN_PLATFORM_WORK)
        count = 0
        for refund_id in claim_each(self.unit_of_work, _CLAIM):
            count += 1
            try:
                self.push(refund_id=refund_id)
            except Exception:
                log.exception("a refund could not be sent", extra={"refund_id": refund_id})
        return count

    def push(self, *, refund_id: int) -> None:
        """Bring one refund on: ask what became of it, and send it if the channel never saw it.

        A refund is asked about before it is sent again, and only the channel's own "no", looked at
        twice, ends it: silence leaves it as it is. Whatever happens it keeps its number.

        Source: domain.md D5; reliability.md pattern 4.
        """
        with self.unit_of_work.reading() as session:
            found = session.execute(
                select(Refund, Payment)
                .join(Payment, Payment.id == Refund.payment_id)
                .where(Refund.id == refund_id, Refund.query_at.is_not(None))
            ).one_or_none()
        if found is None or found[0].state not in _MOVING:
            return
        refund, payment = found
        channel = self.channels.of(payment.channel, payment.mchid)
        try:
            word = self._ask_or_send(channel, refund, payment)
        except PlatformUnavailable:
            self._wait(refund, refund.query_count)
            return
        except PlatformRefused as refused:
            self._refused(refund, refused.vendor_code)
            return
        self.take_word(word, request_id="")

    def _ask_or_send(self, channel: PayChannel, refund: Refund, payment: Payment) -> ChannelRefund:
        if refund.query_count > 1:
            word = self._query(channel, refund, payment)
            if word.word is not RefundWord.ABSENT:
                return word
        to_send = RefundToSend(
            refund_no=refund.refund_no,
            out_trade_no=payment.out_trade_no,
            amount_fen=refund.amount_fen,
            total_fen=payment.amount_fen,
            reason=refund.reason,
        )
        try:
            with self.calls.noting("refund", refund_id=refund.id) as said:
                word = channel.refund(to_send)
                said.outcome = word.word
        except PlatformRefused as refused:
            if refused.vendor_code == _NOT_ENOUGH:
                raise
            # A "no" to what was sent twice may stand beside a "yes" to the first.
            word = self._query(channel, refund, payment)
            if word.word is RefundWord.ABSENT:
                raise
        return word

    def _query(self, channel: PayChannel, refund: Refund, payment: Payment) -> ChannelRefund:
        with self.calls.noting("query_refund", refund_id=refund.id) as said:
            word = channel.query_refund(
                refund_no=refund.refund_no, out_trade_no=payment.out_trade_no
            )
            said.outcome = word.word
        return word

    def _wait(self, refund: Refund, tried: int) -> None:
        self.unit_of_work.run(
            lambda tx: tx.session.execute(
                update(Refund)
                .where(Refund.id == refund.id, Refund.state.in_(_MOVING))
                .values(query_at=_next_look(tried, tx.now))
            )
        )

    def _refused(self, refund: Refund, vendor_code: str) -> None:
        if vendor_code == _NOT_ENOUGH:
            self._wait(refund, len(_WAITS) - 1)
            self._tell(refund, "refund_not_enough", "商户账户余额不足，充值后会自动重试")
            return
        self._end(refund.id, RefundState.FAILED, refused_because=vendor_code)

    def take_word(self, word: ChannelRefund, *, request_id: str) -> str:
        """Book what a channel says of a refund of ours, from a notice or an answer.

        Returns what became of it: ``booked``, ``noted``, ``already_ended``, ``unknown_refund`` or
        ``other_amount``; the last two are put before a person and change nothing.
        """
        with self.unit_of_work.reading() as session:
            found = session.execute(
                select(Refund, Payment)
                .join(Payment, Payment.id == Refund.payment_id)
                .where(Refund.refund_no == word.refund_no, Payment.mchid == word.mchid)
            ).one_or_none()
        if found is None or found[1].out_trade_no != word.out_trade_no:
            self._tell_of_unknown(word)
            return "unknown_refund"
        refund = found[0]
        if word.amount_fen is not None and word.amount_fen != refund.amount_fen:
            self._tell(refund, "refund_of_other_amount", "渠道退款金额与申请不符，请核实")
            return "other_amount"
        if word.word is RefundWord.SUCCESS:
            return self._end(
                refund.id,
                RefundState.SUCCEEDED,
                request_id=request_id,
                refunded_at=word.refunded_at,
                provider_refund_id=word.provider_refund_id,
            )
        if word.word is RefundWord.CLOSED:
            return self._end(refund.id, RefundState.FAILED, refused_because="CLOSED")
        if word.word is RefundWord.ABNORMAL:
            return self._mark_abnormal(refund)
        self._wait(refund, refund.query_count)
        return "noted"

    def _end(
        self, refund_id: int, state: RefundState, *, request_id: str = "", **values: object
    ) -> str:
        return self.unit_of_work.run(
            lambda tx: end_refund(tx, system_actor("退款", request_id), refund_id, state, **values)
        )

    def _mark_abnormal(self, refund: Refund) -> str:
        def work(tx: Transaction) -> str:
            moved = move_refund(
                tx,
                refund.id,
                _MOVING,
                state=RefundState.ABNORMAL,
                query_at=tx.now + _LONGEST_WAIT,
            )
            if moved is None:
                return "already_ended"
            _open_task(tx, moved, "refund_abnormal", "退款异常，请到商户平台处理")
            return "noted"

        return self.unit_of_work.run(work)

    def _tell(self, refund: Refund, kind: str, words: str) -> None:
        self.unit_of_work.run(lambda tx: _open_task(tx, refund, kind, words))

    def _tell_of_unknown(self, word: ChannelRefund) -> None:
        number = word.refund_no or word.provider_refund_id
        self.unit_of_work.run(
            lambda tx: open_task(
                tx,
                kind="refund_unknown",
                subject=f"{word.out_trade_no}:{number}"[:200],
                title=f"渠道说订单 {word.out_trade_no} 有一笔我们没有的退款 {number}，请核实",
            )
        )


def end_refund(
    tx: Transaction, actor: Actor, refund_id: int, state: RefundState, **values: object
) -> str:
    """End a refund as succeeded or failed, with all that follows; once, whoever says so."""
    named = tx.session.get_one(Refund, refund_id)
    if named.payment_id is None:
        raise NotFound
    payment = lock_payment(tx, named.payment_id)
    if state is RefundState.SUCCEEDED:
        values["refunded_at"] = values.get("refunded_at") or tx.now
    refund = move_refund(tx, refund_id, _MOVING, state=state, query_at=None, **values)
    if refund is None:
        _tell_of_contradiction(tx, refund_id, state)
        return "already_ended"
    if state is RefundState.SUCCEEDED:
        carry_out_parts(tx, refund)
        _mark_receipt(tx, payment, refund)
    else:
        give_up_parts(tx, refund)
        _open_task(tx, refund, "refund_failed", f"退款失败（{refund.refused_because}），请重新处理")
    record(
        tx,
        actor,
        f"refund_{state}",
        subject_type="refund",
        subject_id=refund.id,
        community_id=refund.community_id,
        facts={
            "refund_no": refund.refund_no,
            "out_trade_no": payment.out_trade_no,
            "amount_fen": refund.amount_fen,
            "refused_because": refund.refused_because,
        },
    )
    return "booked"


def _tell_of_contradiction(tx: Transaction, refund_id: int, state: RefundState) -> None:
    """Put before a person that a channel says of a refund that has ended otherwise than it did.

    Money may have gone out of which our books say that it stayed.
    """
    ended = tx.session.get_one(Refund, refund_id, populate_existing=True)
    if ended.state == state:
        return
    words = f"我方记为“{REFUND_SHOWN[RefundState(ended.state)]}”，渠道后来说“{REFUND_SHOWN[state]}”"
    _open_task(tx, ended, "refund_contradicted", f"{words}，请到商户平台核实")


def _mark_receipt(tx: Transaction, payment: Payment, refund: Refund) -> None:
    """Note on the receipt of a payment that money of it went back; all of it voids the receipt."""
    receipt = tx.session.execute(
        select(Receipt).where(Receipt.payment_id == payment.id)
    ).scalar_one_or_none()
    if receipt is None:
        return
    tx.session.flush()
    refunded = tx.session.scalars(
        select(Refund.amount_fen).where(
            Refund.payment_id == payment.id, Refund.state == RefundState.SUCCEEDED
        )
    ).all()
    is_void = sum(refunded) >= payment.amount_fen
    tx.session.add(
        ReceiptMark(
            receipt_id=receipt.id,
            kind="void" if is_void else "refunded",
            refund_id=refund.id,
            amount_fen=refund.amount_fen,
            staff_id=refund.staff_id,
            created_at=tx.now,
        )
    )


def _open_task(tx: Transaction, refund: Refund, kind: str, words: str) -> None:
    open_task(
        tx,
        kind=kind,
        subject=refund.refund_no,
        title=f"退款 {refund.refund_no}（{show_yuan(refund.amount_fen)}）：{words}",
        community_id=refund.community_id,
    )


def _next_look(tried: int, now: datetime) -> datetime:
    return now + (_WAITS[tried - 1] if 0 < tried <= len(_WAITS) else _LONGEST_WAIT)
