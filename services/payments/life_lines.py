"""The lines of a payment's life, each kind read from where it is on record."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from domain.money import show_yuan
from domain.payment_states import CHANNEL_SHOWN, OrderState, PaymentChannel
from domain.periods import SHANGHAI, local_date
from domain.reconciliation_states import (
    CASE_SHOWN,
    CASE_STATE_SHOWN,
    CaseKind,
    CaseState,
    RunState,
)
from domain.refund_states import REFUND_SHOWN, RefundState
from domain.settling import AllocationKind
from models import (
    Allocation,
    AuditEntry,
    Bill,
    ChannelCall,
    Payment,
    PaymentOrder,
    PaymentOrderBill,
    PlatformNotice,
    PrepaidEntry,
    Receipt,
    ReceiptMark,
    ReconciliationCase,
    ReconciliationRun,
    Refund,
    Suspense,
    SuspenseResolution,
)
from services.payments.life_words import say_call, say_verdict
from services.payments.notices import NoticeSource
from services.payments.suspense import SUSPENSE_SHOWN

_MARKS = {"void": "收据作废", "refunded": "收据注明已退款", "printed": "打印收据"}


@dataclass(frozen=True, slots=True)
class LifeLine:
    """One thing that happened: ``what`` is a stable English word, ``words`` is for people."""

    at: datetime
    what: str
    words: str
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Traced:
    """Everything that belongs to one life."""

    numbers: tuple[str, ...]
    orders: Sequence[PaymentOrder]
    payments: Sequence[Payment]
    refunds: Sequence[Refund]

    @property
    def order_ids(self) -> list[int]:
        """The orders' ids."""
        return [order.id for order in self.orders]

    @property
    def payment_ids(self) -> list[int]:
        """The payments' ids."""
        return [payment.id for payment in self.payments]

    @property
    def refund_ids(self) -> list[int]:
        """The refunds' ids."""
        return [refund.id for refund in self.refunds]


def read_lines(session: Session, traced: Traced) -> list[LifeLine]:
    """Read all lines of a life in the order of time; at one instant in that of cause."""
    readers = (_bills, _calls, _notices, _payments, _held, _receipts, _refunds, _reconciled)
    lines = [line for read in readers for line in read(session, traced)]
    return sorted([*_orders(traced), *lines], key=lambda line: line.at)


def _bills(session: Session, traced: Traced) -> Iterator[LifeLine]:
    meant = select(PaymentOrderBill.bill_id).where(PaymentOrderBill.order_id.in_(traced.order_ids))
    paid = select(Allocation.bill_id).where(Allocation.payment_id.in_(traced.payment_ids))
    for bill in session.scalars(
        select(Bill)
        .where(or_(Bill.id.in_(meant), Bill.id.in_(paid)), Bill.published_at.is_not(None))
        .order_by(Bill.id)
    ):
        if bill.published_at is not None:
            words = f"账单 {bill.bill_no} 发布，{show_yuan(bill.amount_fen)}"
            facts = {"bill_no": bill.bill_no, "amount_fen": bill.amount_fen, "state": bill.state}
            yield LifeLine(bill.published_at, "bill_published", words, facts)


def _orders(traced: Traced) -> Iterator[LifeLine]:
    for order in traced.orders:
        shown = CHANNEL_SHOWN[PaymentChannel(order.channel)]
        yield LifeLine(
            order.created_at,
            "order_created",
            f"{shown}下单 {show_yuan(order.amount_fen)}，订单号 {order.out_trade_no}",
            {
                "out_trade_no": order.out_trade_no,
                "way": order.way,
                "mchid": order.mchid,
                "amount_fen": order.amount_fen,
            },
        )
        if order.paid_seen_at is not None:
            yield LifeLine(order.paid_seen_at, "paid_seen", "查询得知渠道已收款")
        if order.ended_at is not None and order.state != OrderState.SUCCEEDED:
            why = f"（{order.refused_because}）" if order.refused_because else ""
            failed = order.state == OrderState.FAILED
            words = f"渠道拒绝下单{why}" if failed else "订单关闭"
            yield LifeLine(order.ended_at, f"order_{order.state}", words)


def _calls(session: Session, traced: Traced) -> Iterator[LifeLine]:
    about = or_(
        ChannelCall.order_id.in_(traced.order_ids), ChannelCall.refund_id.in_(traced.refund_ids)
    )
    for call in session.scalars(select(ChannelCall).where(about).order_by(ChannelCall.id)):
        words = say_call(call.what, call.outcome)
        facts = {"call": call.what, "outcome": call.outcome, "took_ms": call.took_ms}
        yield LifeLine(call.at, "channel_call", words, facts)


def _notices(session: Session, traced: Traced) -> Iterator[LifeLine]:
    for notice in session.execute(
        select(
            PlatformNotice.id,
            PlatformNotice.source,
            PlatformNotice.received_at,
            PlatformNotice.verdict,
            PlatformNotice.remote_ip,
        )
        .where(
            PlatformNotice.out_trade_no.in_(traced.numbers),
            PlatformNotice.source.in_(list(NoticeSource)),
        )
        .order_by(PlatformNotice.id)
    ):
        facts = {
            "notice_id": notice.id,
            "source": notice.source,
            "verdict": notice.verdict,
            "remote_ip": notice.remote_ip,
        }
        words = f"收到渠道通知：{say_verdict(notice.verdict)}"
        yield LifeLine(notice.received_at, "notice", words, facts)


def _payments(session: Session, traced: Traced) -> Iterator[LifeLine]:
    for payment in traced.payments:
        paid_at = payment.paid_at.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")
        shown = CHANNEL_SHOWN[PaymentChannel(payment.channel)]
        words = f"{shown}收款 {show_yuan(payment.amount_fen)} 入账（付款时间 {paid_at}）"
        facts = {
            "transaction_id": payment.provider_transaction_id,
            "amount_fen": payment.amount_fen,
            "paid_at": payment.paid_at.isoformat(),
        }
        yield LifeLine(payment.booked_at, "payment_booked", words, facts)
    for row in session.execute(
        select(
            Allocation.created_at,
            Bill.bill_no,
            Allocation.kind,
            func.sum(Allocation.amount_fen).label("amount_fen"),
        )
        .join(Bill, Bill.id == Allocation.bill_id)
        .where(Allocation.payment_id.in_(traced.payment_ids))
        .group_by(Allocation.created_at, Bill.bill_no, Allocation.kind, Allocation.refund_id)
        .order_by(Allocation.created_at, Bill.bill_no, Allocation.kind.desc())
    ):
        amount_fen = int(row.amount_fen)
        part = "本金" if row.kind == AllocationKind.PRINCIPAL else "滞纳金"
        verb = "抵缴" if amount_fen > 0 else "冲回"
        words = f"{verb}账单 {row.bill_no} {part} {show_yuan(abs(amount_fen))}"
        facts = {"bill_no": row.bill_no, "kind": row.kind, "amount_fen": amount_fen}
        yield LifeLine(row.created_at, "allocated", words, facts)


def _held(session: Session, traced: Traced) -> Iterator[LifeLine]:
    of_ours = Suspense.payment_id.in_(traced.payment_ids)
    for held in session.scalars(select(Suspense).where(of_ours).order_by(Suspense.id)):
        why = SUSPENSE_SHOWN.get(held.reason, held.reason)
        words = f"{show_yuan(held.amount_fen)} 无法入账，转暂存（{why}）"
        facts = {"reason": held.reason, "amount_fen": held.amount_fen}
        yield LifeLine(held.created_at, "suspense", words, facts)
    for placed in session.scalars(
        select(SuspenseResolution)
        .join(Suspense, Suspense.id == SuspenseResolution.suspense_id)
        .where(of_ours)
        .order_by(SuspenseResolution.id)
    ):
        where = "原路退回" if placed.refund_id is not None else "转入预存"
        words = f"暂存款 {show_yuan(placed.amount_fen)} {where}"
        facts = {"kind": placed.kind, "amount_fen": placed.amount_fen, "note": placed.note}
        yield LifeLine(placed.created_at, "suspense_placed", words, facts)
    for entry in session.scalars(
        select(PrepaidEntry)
        .where(
            or_(
                PrepaidEntry.payment_id.in_(traced.payment_ids),
                PrepaidEntry.refund_id.in_(traced.refund_ids),
            )
        )
        .order_by(PrepaidEntry.id)
    ):
        way = "存入" if entry.amount_fen > 0 else "支出"
        words = f"预存账户{way} {show_yuan(abs(entry.amount_fen))}"
        facts = {"kind": entry.kind, "amount_fen": entry.amount_fen}
        yield LifeLine(entry.created_at, "prepaid", words, facts)


def _receipts(session: Session, traced: Traced) -> Iterator[LifeLine]:
    of_ours = Receipt.payment_id.in_(traced.payment_ids)
    for receipt in session.scalars(select(Receipt).where(of_ours).order_by(Receipt.id)):
        words = f"开出收据 {receipt.receipt_no}，{show_yuan(receipt.amount_fen)}"
        facts = {"receipt_no": receipt.receipt_no, "amount_fen": receipt.amount_fen}
        yield LifeLine(receipt.issued_at, "receipt", words, facts)
    for mark, receipt_no in session.execute(
        select(ReceiptMark, Receipt.receipt_no)
        .join(Receipt, Receipt.id == ReceiptMark.receipt_id)
        .where(of_ours)
        .order_by(ReceiptMark.id)
    ):
        words = f"{_MARKS.get(mark.kind, mark.kind)} {receipt_no}"
        facts = {"mark": mark.kind, "amount_fen": mark.amount_fen}
        yield LifeLine(mark.created_at, "receipt_mark", words, facts)


def _refunds(session: Session, traced: Traced) -> Iterator[LifeLine]:
    for refund in traced.refunds:
        amount = show_yuan(refund.amount_fen)
        facts = {
            "refund_no": refund.refund_no,
            "amount_fen": refund.amount_fen,
            "state": refund.state,
            "provider_refund_id": refund.provider_refund_id,
        }
        words = f"发起退款 {refund.refund_no} {amount}：{refund.reason}"
        yield LifeLine(refund.created_at, "refund_begun", words, facts)
        if refund.refunded_at is not None:
            words = f"退款 {refund.refund_no} {amount} {REFUND_SHOWN[RefundState.SUCCEEDED]}"
            # The channel tells whole seconds: its word must not stand before our asking.
            at = max(refund.refunded_at, refund.created_at)
            yield LifeLine(at, "refund_succeeded", words, facts)
    for entry in session.scalars(
        select(AuditEntry)
        .where(
            AuditEntry.subject_type == "refund",
            AuditEntry.subject_id.in_(traced.refund_ids),
            AuditEntry.action == f"refund_{RefundState.FAILED}",
        )
        .order_by(AuditEntry.id)
    ):
        words = f"退款 {entry.facts['refund_no']} 失败（{entry.facts['refused_because']}）"
        yield LifeLine(entry.at, "refund_failed", words, dict(entry.facts))


def _reconciled(session: Session, traced: Traced) -> Iterator[LifeLine]:
    for run in session.execute(
        select(
            ReconciliationRun.id,
            ReconciliationRun.channel,
            ReconciliationRun.day,
            ReconciliationRun.done_at,
        )
        .where(ReconciliationRun.state == RunState.DONE, or_(False, *_days(traced)))
        .order_by(ReconciliationRun.id)
    ):
        words = f"与{CHANNEL_SHOWN[PaymentChannel(run.channel)]} {run.day} 对账单核对完毕"
        facts = {"run_id": run.id, "day": run.day.isoformat()}
        yield LifeLine(run.done_at, "reconciled", words, facts)
    numbers = (*traced.numbers, *(refund.refund_no for refund in traced.refunds))
    for case in session.scalars(
        select(ReconciliationCase)
        .where(func.split_part(ReconciliationCase.key, ":", 1).in_(numbers))
        .order_by(ReconciliationCase.id)
    ):
        words = f"对账差异：{CASE_SHOWN[CaseKind(case.kind)]}，{case.detail}"
        facts = {
            "case_id": case.id,
            "state": case.state,
            "ours_fen": case.ours_fen,
            "theirs_fen": case.theirs_fen,
            "note": case.note,
        }
        yield LifeLine(case.opened_at, "reconciliation_case", words, facts)
        if case.ended_at is not None:
            words = f"对账差异{CASE_STATE_SHOWN[CaseState(case.state)]}：{case.note}".rstrip("：")
            yield LifeLine(case.ended_at, "reconciliation_case_ended", words, facts)


def _days(traced: Traced) -> Iterator[ColumnElement[bool]]:
    by_id = {payment.id: payment for payment in traced.payments}
    for payment in traced.payments:
        yield _run_of(payment, payment.paid_at)
    for refund in traced.refunds:
        paid = by_id.get(refund.payment_id or 0)
        if paid is not None and refund.refunded_at is not None:
            yield _run_of(paid, refund.refunded_at)


def _run_of(payment: Payment, at: datetime) -> ColumnElement[bool]:
    return (
        (ReconciliationRun.channel == payment.channel)
        & (ReconciliationRun.mchid == payment.mchid)
        & (ReconciliationRun.day == local_date(at))
    )
