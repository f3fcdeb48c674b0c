"""The clocks of a repair: when it is due, after the pauses that it had."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from sqlalchemy import select, update

from domain.repairs import (
    Clock,
    Pause,
    PauseReason,
    QuoteState,
    RepairPriority,
    SlaMinutes,
    sla_clock,
)
from models import RepairOrder, RepairPause, RepairQuote
from services.repairs.rules import rules_of
from services.unit_of_work import Transaction


def start_clocks(tx: Transaction, repair: RepairOrder, minutes: SlaMinutes) -> None:
    """Let all clocks of a repair begin now; what came before counts no more."""
    repair.clock_from_at = tx.now
    _reckon(tx, repair, minutes, ())


def start_pause(
    tx: Transaction, repair: RepairOrder, reason: PauseReason, until_on: date | None = None
) -> None:
    """Stop the clocks of a repair that was just moved to a state in which they stand still."""
    tx.session.add(
        RepairPause(repair_id=repair.id, reason=reason, started_at=tx.now, until_on=until_on)
    )
    tx.session.flush()


def end_pause(tx: Transaction, repair: RepairOrder) -> None:
    """Let the clocks of a repair run on: what it waited does not count."""
    tx.session.execute(
        update(RepairPause)
        .where(RepairPause.repair_id == repair.id, RepairPause.ended_at.is_(None))
        .values(ended_at=tx.now)
    )
    minutes = rules_of(tx.session, repair.community_id).sla[RepairPriority(repair.priority)]
    _reckon(tx, repair, minutes, _pauses(tx, repair))


def drop_what_waits(tx: Transaction, repair: RepairOrder) -> None:
    """End the pause of a repair that has ended, and ask for no price any more."""
    tx.session.execute(
        update(RepairPause)
        .where(RepairPause.repair_id == repair.id, RepairPause.ended_at.is_(None))
        .values(ended_at=tx.now)
    )
    tx.session.execute(
        update(RepairQuote)
        .where(RepairQuote.repair_id == repair.id, RepairQuote.state == QuoteState.PENDING)
        .values(state=QuoteState.REFUSED, decided_at=tx.now)
    )


def _pauses(tx: Transaction, repair: RepairOrder) -> Sequence[Pause]:
    rows = tx.session.execute(
        select(RepairPause.started_at, RepairPause.ended_at).where(
            RepairPause.repair_id == repair.id
        )
    ).all()
    return [Pause(row.started_at, row.ended_at) for row in rows]


def _reckon(
    tx: Transaction, repair: RepairOrder, minutes: SlaMinutes, pauses: Sequence[Pause]
) -> None:
    def clock(limit: int) -> Clock:
        return sla_clock(started_at=repair.clock_from_at, minutes=limit, pauses=pauses, now=tx.now)

    finish = clock(minutes.finish)
    repair.response_due_at = clock(minutes.response).due_at
    repair.arrive_due_at = clock(minutes.arrive).due_at
    repair.finish_due_at = finish.due_at
    repair.warn_due_at = finish.warn_at
    tx.session.flush()
