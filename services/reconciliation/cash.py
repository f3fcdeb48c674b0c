"""The cash side of reconciliation: each day of a counter against what its cashiers counted.

A run's ``channel`` is ``cash`` and its ``mchid`` the community's code. Its counts are shifts and
counted shifts; its sums what was expected of the counted ones and what was counted, with floats.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from domain.actors import Actor, Permission
from domain.periods import SHANGHAI, local_date, start_of_local_day
from domain.reconciliation_states import CaseKind, CaseState, RunState
from domain.shifts import SHIFT_SHOWN
from models import CashierShift, Community, ReconciliationCase, ReconciliationRun
from services.counter.shift_views import ShiftView, read_shifts, say_differences
from services.tasks import close_task, open_task
from services.unit_of_work import Transaction, UnitOfWork

log = logging.getLogger(__name__)

CASH_RUN = "cash"
_READY_AFTER = timedelta(hours=34)
"""From the beginning of a day until ten the next morning, as for the channels' statements."""
_CAUGHT_UP = 30
"""So many missed days are caught up with at most."""
_LOOKED_AT_AGAIN = timedelta(hours=1)
_NOT_COUNTED = "shift_not_counted"
_GOES_ON = (CaseState.OPEN, CaseState.ESCALATED)


@dataclass(frozen=True, slots=True)
class _Found:
    """A difference: ``ours_fen`` was expected, ``theirs_fen`` counted; neither before a count."""

    ours_fen: int | None
    theirs_fen: int | None
    detail: str


@dataclass(frozen=True)
class CashReconciliation:
    """Finds shifts whose count differs, and shifts that nobody counted by the next morning."""

    unit_of_work: UnitOfWork

    def run_due(self, *, actor: Actor) -> int:
        """Compare every day that is due and return how many were.

        A day is due at ten the next morning, from the first shift of the community on, with or
        without shifts; one with a shift that nobody counted, or with a difference that nobody
        explained, is looked at again every hour. One that fails stops no other.

        Source: domain.md D5; issue 4, item 7.
        """
        actor.must(Permission.RUN_PLATFORM_WORK)
        due = self._due_days()
        for community_id, day in due:
            try:
                self._run(community_id, day)
            except Exception:
                log.exception("a day of a counter could not be compared", extra={"day": str(day)})
        return len(due)

    def _run(self, community_id: int, day: date) -> None:
        self.unit_of_work.run(lambda tx: _compare(tx, community_id, day))

    def _due_days(self) -> Sequence[tuple[int, date]]:
        now = self.unit_of_work.clock.now()
        newest = local_date(now - _READY_AFTER)
        oldest = newest - timedelta(days=_CAUGHT_UP - 1)
        with self.unit_of_work.snapshot() as session:
            began = session.execute(
                select(Community.id, Community.code, func.min(CashierShift.opened_at))
                .join(CashierShift, CashierShift.community_id == Community.id)
                .group_by(Community.id)
                .order_by(Community.id)
            ).all()
            runs = session.execute(
                select(
                    ReconciliationRun.mchid, ReconciliationRun.day, ReconciliationRun.next_at
                ).where(ReconciliationRun.channel == CASH_RUN)
            ).all()
        known = {(code, day) for code, day, _ in runs}
        again = {(code, day) for code, day, next_at in runs if next_at and next_at <= now}
        due = []
        for community_id, code, first_at in began:
            first = max(local_date(first_at), oldest)
            days = {first + timedelta(days=n) for n in range((newest - first).days + 1)}
            missed = {day for day in days if (code, day) not in known}
            due += [
                (community_id, day)
                for day in sorted(missed | {day for which, day in again if which == code})
            ]
        return due


def _compare(tx: Transaction, community_id: int, day: date) -> None:
    community = tx.session.get_one(Community, community_id)
    run = _begin(tx, community.code, day)
    shifts = read_shifts(
        tx.session,
        CashierShift.community_id == community_id,
        CashierShift.opened_at >= start_of_local_day(day),
        CashierShift.opened_at < start_of_local_day(day + timedelta(days=1)),
    )
    for shift in shifts:
        _tell(tx, shift)
    _write_cases(tx, run, community_id, _find(shifts))
    counted = [shift for shift in shifts if shift.counts]
    counts = [count for shift in counted for count in shift.counts]
    run.our_count, run.their_count = len(shifts), len(counted)
    run.our_paid_fen = sum(count.expected_fen for count in counts)
    run.their_paid_fen = sum(count.counted_fen for count in counts)
    run.state, run.done_at, run.tries = RunState.DONE, tx.now, run.tries + 1
    is_unclear = any(not shift.counts or shift.needs_note for shift in shifts)
    run.next_at = tx.now + _LOOKED_AT_AGAIN if is_unclear else None


def _begin(tx: Transaction, code: str, day: date) -> ReconciliationRun:
    """Find or begin the run of a day and lock it."""
    named = {"channel": CASH_RUN, "mchid": code, "day": day}
    tx.session.execute(
        insert(ReconciliationRun)
        .values(**named, state=RunState.WAITING, started_at=tx.now)
        .on_conflict_do_nothing()
    )
    return tx.session.execute(
        select(ReconciliationRun).filter_by(**named).with_for_update()
    ).scalar_one()


def _find(shifts: Sequence[ShiftView]) -> dict[str, _Found]:
    """Find what differs, by the shift, and by its way of paying once it was counted."""
    found = {}
    for shift in shifts:
        who = f"班次 {shift.id}（{shift.cashier}）"
        if not shift.counts:
            since = _shown(shift.opened_at)
            detail = f"{who}{since} 开班，仍为“{SHIFT_SHOWN[shift.state]}”，没有清点"
            found[str(shift.id)] = _Found(None, None, detail)
        for count in shift.counts:
            if count.difference_fen:
                why = f"：{shift.note}" if shift.note else "，未说明原因"
                found[f"{shift.id}:{count.channel}"] = _Found(
                    count.expected_fen,
                    count.counted_fen,
                    f"{who}{say_differences([count])}{why}",
                )
    return found


def _tell(tx: Transaction, shift: ShiftView) -> None:
    subject = f"shift:{shift.id}"
    if shift.counts:
        close_task(tx, kind=_NOT_COUNTED, subject=subject)
        return
    open_task(
        tx,
        kind=_NOT_COUNTED,
        subject=subject,
        title=f"班次 {shift.id}（{shift.cashier}）{_shown(shift.opened_at)} 开班，次日仍未清点",
        community_id=shift.community_id,
    )


def _write_cases(
    tx: Transaction, run: ReconciliationRun, community_id: int, found: Mapping[str, _Found]
) -> None:
    """Write what was found; what is not found any more has resolved itself."""
    cases = {
        case.key: case
        for case in tx.session.scalars(
            select(ReconciliationCase).where(ReconciliationCase.run_id == run.id)
        )
    }
    for key, case in cases.items():
        if key not in found and case.state in _GOES_ON:
            case.state, case.ended_at = CaseState.AUTO_RESOLVED, tx.now
    for key, one in found.items():
        known = cases.get(key)
        if known is None:
            tx.session.add(
                ReconciliationCase(
                    run_id=run.id,
                    community_id=community_id,
                    kind=CaseKind.CASH,
                    key=key,
                    ours_fen=one.ours_fen,
                    theirs_fen=one.theirs_fen,
                    detail=one.detail,
                    state=CaseState.OPEN,
                    opened_at=tx.now,
                )
            )
        elif known.state in _GOES_ON:
            known.detail = one.detail


def _shown(at: datetime) -> str:
    return f"{at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}"
