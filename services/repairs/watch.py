"""What the clock does with repairs: it tells of late ones and closes what nobody answered for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, func, select, update

from domain.actors import Actor, Permission
from domain.repair_states import CLOCK_STOPS, RepairAct, RepairSide, RepairState
from domain.repairs import ACCEPT_WITHIN_MINUTES, AUTO_CLOSE_AFTER
from models import RepairOrder, RepairRule
from services.paid_repairs import settle_what_waits
from services.repair_moves import move
from services.repair_telling import tell_managers
from services.tasks import open_task
from services.unit_of_work import Transaction, UnitOfWork

_AT_ONCE = 200
_BEFORE_FINISH = (
    RepairState.SUBMITTED,
    RepairState.PENDING_DISPATCH,
    RepairState.GRABBABLE,
    RepairState.ASSIGNED,
    RepairState.ACCEPTED,
    RepairState.IN_PROGRESS,
    RepairState.REOPENED,
)
"""Where the clocks run; a repair that is suspended, or waits for a price, is late for nobody."""


@dataclass(frozen=True)
class RepairWatch:
    """Looks at open repairs every minute; each telling happens once."""

    unit_of_work: UnitOfWork

    def look(self, *, actor: Actor) -> int:
        """Tell of what is late, let what was paid go on, close what nobody confirmed; count all."""
        actor.must(Permission.RUN_PLATFORM_WORK)
        run = self.unit_of_work.run
        return (
            run(_tell_unaccepted)
            + run(_tell_of_warnings)
            + run(_tell_of_breaches)
            + run(settle_what_waits)
            + run(lambda tx: _close_unanswered(tx, actor))
        )


def _tell_unaccepted(tx: Transaction) -> int:
    """Tell of repairs that their engineer, or nobody, took within the community's time."""
    minutes = func.coalesce(RepairRule.accept_minutes, ACCEPT_WITHIN_MINUTES)
    since = func.coalesce(RepairOrder.assigned_at, RepairOrder.clock_from_at)
    late = since + minutes * timedelta(minutes=1) < tx.now
    waits = RepairOrder.state.in_(
        [RepairState.PENDING_DISPATCH, RepairState.GRABBABLE, RepairState.ASSIGNED]
    )
    query = (
        select(RepairOrder)
        .outerjoin(RepairRule, RepairRule.community_id == RepairOrder.community_id)
        .where(waits, RepairOrder.escalated_at.is_(None), late)
    )
    return _tell(tx, query, "escalated_at", "repair_unaccepted", "报修 {} 超时无人接单", "无人接单")


def _tell_of_warnings(tx: Transaction) -> int:
    query = _running(
        RepairOrder.warned_at.is_(None),
        RepairOrder.warn_due_at <= tx.now,
        RepairOrder.finish_due_at >= tx.now,
    )
    return _tell(tx, query, "warned_at", "repair_warning", "报修 {} 即将超过完成时限", "即将超时")


def _tell_of_breaches(tx: Transaction) -> int:
    query = _running(RepairOrder.breached_at.is_(None), is_breached(tx.now))
    return _tell(tx, query, "breached_at", "repair_breached", "报修 {} 已超过服务时限", "已超时")


def is_breached(now: datetime) -> ColumnElement[bool]:
    """Tell of a row of `RepairOrder` whose clocks run whether one of its limits is past.

    The SQL twin of `domain.repairs.sla_clock`, which keeps the due times.
    """
    return (
        (RepairOrder.accepted_at.is_(None) & (RepairOrder.response_due_at < now))
        | (RepairOrder.arrived_at.is_(None) & (RepairOrder.arrive_due_at < now))
        | (RepairOrder.finish_due_at < now)
    ) & RepairOrder.state.not_in(sorted(CLOCK_STOPS))


def _running(*where: ColumnElement[bool]) -> Select[RepairOrder]:
    return select(RepairOrder).where(RepairOrder.state.in_(_BEFORE_FINISH), *where)


def _tell(
    tx: Transaction, query: Select[RepairOrder], column: str, kind: str, words: str, brief: str
) -> int:
    """Open a task for each, and tell the managers of its place; once, as the column says."""
    late = tx.session.scalars(
        query.order_by(RepairOrder.id)
        .limit(_AT_ONCE)
        .with_for_update(of=RepairOrder, skip_locked=True)
    ).all()
    for repair in late:
        open_task(
            tx,
            kind=kind,
            subject=f"repair:{repair.id}",
            title=words.format(repair.repair_no),
            community_id=repair.community_id,
        )
        tell_managers(tx, repair, brief, f"{kind}:{tx.now.timestamp():.0f}")
    tx.session.execute(
        update(RepairOrder)
        .where(RepairOrder.id.in_([repair.id for repair in late]))
        .values({column: tx.now})
    )
    return len(late)


def _close_unanswered(tx: Transaction, actor: Actor) -> int:
    silent = tx.session.scalars(
        select(RepairOrder)
        .where(
            RepairOrder.state == RepairState.AWAITING_CONFIRMATION,
            RepairOrder.confirm_from_at <= tx.now - AUTO_CLOSE_AFTER,
        )
        .order_by(RepairOrder.id)
        .limit(_AT_ONCE)
        .with_for_update(skip_locked=True)
    ).all()
    for repair in silent:
        move(
            tx,
            actor,
            repair,
            RepairAct.AUTO_CLOSE,
            RepairSide.SYSTEM,
            values={"ended_at": tx.now},
        )
    return len(silent)
