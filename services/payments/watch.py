"""The watch over money that was paid and is not booked: it tells people, and mends nothing."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, exists, or_, select
from sqlalchemy.orm import Session

from domain.actors import Actor, Permission
from domain.payment_states import OPEN_ORDERS
from domain.refund_states import RefundState
from models import Payment, PaymentOrder, PlatformNotice, Refund
from services.payments.notices import NoticeSource
from services.tasks import close_tasks_but, open_task
from services.unit_of_work import Transaction, UnitOfWork

log = logging.getLogger(__name__)

_SLOW = timedelta(minutes=3)
"""Within so long what the channel said was paid is booked, and a notice has its verdict."""
_LOOKED_BACK = timedelta(days=3)
_OPEN_TOO_LONG = timedelta(minutes=5)
_REFUND_SLOW = timedelta(days=1)
_RECEIVED = "received"
_AT_MOST = 100
NOT_BOOKED = "watch_not_booked"
NO_VERDICT = "watch_no_verdict"
STILL_OPEN = "watch_still_open"
REFUND_STUCK = "watch_refund_stuck"
KINDS = (NOT_BOOKED, NO_VERDICT, STILL_OPEN, REFUND_STUCK)


@dataclass(frozen=True, slots=True)
class Stuck:
    """One thing that should have gone on by now; ``subject`` is its number."""

    kind: str
    subject: str
    words: str
    community_id: int | None = None


@dataclass(frozen=True)
class PaymentWatch:
    """Looks for what is stuck."""

    unit_of_work: UnitOfWork

    def look(self, *, actor: Actor) -> int:
        """Keep a task open for everything that is stuck now, and return how many that are.

        Stuck are: an order that the channel said was paid, and a notice without a verdict, three
        minutes later; an order five minutes past its end that is open; a refund of yesterday. What
        goes on by itself ends its task.

        Source: domain.md, idea 5.
        """
        actor.must(Permission.RUN_PLATFORM_WORK)
        stuck = self.unit_of_work.run(_look)
        for one in stuck:
            log.error("money is stuck", extra={"kind": one.kind, "subject": one.subject})
        return len(stuck)


def _look(tx: Transaction) -> Sequence[Stuck]:
    found: Mapping[str, Sequence[Stuck]] = {
        NOT_BOOKED: _not_booked(tx.session, tx.now),
        NO_VERDICT: _without_verdict(tx.session, tx.now),
        STILL_OPEN: _still_open(tx.session, tx.now),
        REFUND_STUCK: _refunds(tx.session, tx.now),
    }
    for kind in KINDS:
        for one in found[kind]:
            open_task(
                tx,
                kind=kind,
                subject=one.subject,
                title=one.words,
                community_id=one.community_id,
            )
        close_tasks_but(tx, kind=kind, subjects=[one.subject for one in found[kind]])
    return [one for kind in KINDS for one in found[kind]]


def _not_booked(session: Session, now: datetime) -> Sequence[Stuck]:
    orders = session.scalars(
        select(PaymentOrder)
        .where(
            PaymentOrder.paid_seen_at < now - _SLOW,
            ~exists().where(Payment.order_id == PaymentOrder.id),
        )
        .order_by(PaymentOrder.id)
        .limit(_AT_MOST)
    ).all()
    return [
        Stuck(
            NOT_BOOKED,
            order.out_trade_no,
            f"订单 {order.out_trade_no} 渠道已收款超过 3 分钟仍未入账，"
            f"请查询（flask money life {order.out_trade_no} --ask）",
            order.community_id,
        )
        for order in orders
    ]


def _without_verdict(session: Session, now: datetime) -> Sequence[Stuck]:
    """Find notices that were kept and never judged: our own work on them failed or was cut off.

    A later copy of the same notice that was judged mends it.
    """
    later = PlatformNotice.__table__.alias("later")
    notices = session.execute(
        select(PlatformNotice.id, PlatformNotice.source, PlatformNotice.out_trade_no)
        .where(
            PlatformNotice.source.in_(list(NoticeSource)),
            PlatformNotice.received_at < now - _SLOW,
            PlatformNotice.received_at > now - _LOOKED_BACK,
            PlatformNotice.verdict == _RECEIVED,
            ~exists().where(
                or_(
                    later.c.body_sha256 == PlatformNotice.body_sha256,
                    and_(
                        PlatformNotice.out_trade_no.is_not(None),
                        later.c.out_trade_no == PlatformNotice.out_trade_no,
                    ),
                ),
                later.c.source == PlatformNotice.source,
                later.c.id > PlatformNotice.id,
                later.c.verdict != _RECEIVED,
                later.c.out_trade_no.is_not(None),
            ),
        )
        .order_by(PlatformNotice.id)
        .limit(_AT_MOST)
    ).all()
    return [
        Stuck(
            NO_VERDICT,
            f"notice:{notice_id}",
            f"渠道通知 {notice_id}（{source}，订单 {number or '不详'}）收到超过 3 分钟没有处理结果",
        )
        for notice_id, source, number in notices
    ]


def _still_open(session: Session, now: datetime) -> Sequence[Stuck]:
    orders = session.scalars(
        select(PaymentOrder)
        .where(
            PaymentOrder.state.in_(OPEN_ORDERS),
            PaymentOrder.expires_at < now - _OPEN_TOO_LONG,
        )
        .order_by(PaymentOrder.id)
        .limit(_AT_MOST)
    ).all()
    return [
        Stuck(
            STILL_OPEN,
            order.out_trade_no,
            f"订单 {order.out_trade_no} 过期超过 5 分钟仍未关闭，账单被占用，请检查渠道是否可用",
            order.community_id,
        )
        for order in orders
    ]


def _refunds(session: Session, now: datetime) -> Sequence[Stuck]:
    refunds = session.scalars(
        select(Refund)
        .where(
            Refund.state == RefundState.PROCESSING,
            Refund.created_at < now - _REFUND_SLOW,
        )
        .order_by(Refund.id)
        .limit(_AT_MOST)
    ).all()
    return [
        Stuck(
            REFUND_STUCK,
            refund.refund_no,
            f"退款 {refund.refund_no} 超过 1 天仍在处理中，请到商户平台核实",
            refund.community_id,
        )
        for refund in refunds
    ]
