"""The cash side of reconciliation: each day of a counter against what its cashiers counted.

A run's ``channel`` is ``cash`` and its ``mchid`` the community's code. Its counts are shifts and
counted shifts; its sums what was expected of the counted ones and what was counted, with floats.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import func, select

from domain.actors import Actor, Permission
from domain.payment_states import PaymentChannel
from domain.periods import SHANGHAI, local_date, start_of_local_day
from domain.reconciliation_states import CaseKind, RunState
from domain.reconciling import Difference
from domain.shifts import SHIFT_SHOWN
from models import CashierShift, Community, ReconciliationRun
from services.counter.shift_views import ShiftView, read_shifts, say_differences
from services.reconciliation.days import begin_run, list_missed, newest_day
from services.reconciliation.found import sync_cases
from services.tasks import close_task, open_task
from services.unit_of_work import Transaction, UnitOfWork

log = logging.getLogger(__name__)

CASH_RUN = PaymentChannel.CASH
_LOOKED_AT_AGAIN = timedelta(hours=1)
_NOT_COUNTED = "shift_not_counted"


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
        newest = newest_day(now)
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
        due = []
        for community_id, code, first_at in began:
            own = [(day, next_at) for which, day, next_at in runs if which == code]
            missed = list_missed(local_date(first_at), newest, {day for day, _ in own})
            again = [day for day, next_at in own if next_at and next_at <= now]
            due += [(community_id, day) for day in sorted([*missed, *again])]
        return due


def _compare(tx: Transaction, community_id: int, day: date) -> None:
    community = tx.session.get_one(Community, community_id)
    run = begin_run(tx, CASH_RUN, community.code, day)
    shifts = read_shifts(
        tx.session,
        CashierShift.community_id == community_id,
        CashierShift.opened_at >= start_of_local_day(day),
        CashierShift.opened_at < start_of_local_day(day + timedelta(days=1)),
    )
    for shift in shifts:
        _tell(tx, shift)
    sync_cases(tx, run, _find(shifts), lambda _: community_id)
    counted = [shift for shift in shifts if shift.counts]
    counts = [count for shift in counted for count in shift.counts]
    run.our_count, run.their_count = len(shifts), len(counted)
    run.our_paid_fen = sum(count.expected_fen for count in counts)
    run.their_paid_fen = sum(count.counted_fen for count in counts)
    run.state, run.done_at, run.tries = RunState.DONE, tx.now, run.tries + 1
    is_unclear = any(not shift.counts or shift.needs_note for shift in shifts)
    run.next_at = tx.now + _LOOKED_AT_AGAIN if is_unclear else None


def _find(shifts: Sequence[ShiftView]) -> Iterator[Difference]:
    """Find what differs, by the shift, and by its way of paying once it was counted."""
    for shift in shifts:
        who = f"班次 {shift.id}（{shift.cashier}）"
        if not shift.counts:
            since = _shown(shift.opened_at)
            detail = f"{who}{since} 开班，仍为“{SHIFT_SHOWN[shift.state]}”，没有清点"
            yield _differ(str(shift.id), None, None, detail)
        for count in shift.counts:
            if count.difference_fen:
                why = f"：{shift.note}" if shift.note else "，未说明原因"
                yield _differ(
                    f"{shift.id}:{count.channel}",
                    count.expected_fen,
                    count.counted_fen,
                    f"{who}{say_differences([count])}{why}",
                )


def _differ(key: str, expected_fen: int | None, counted_fen: int | None, detail: str) -> Difference:
    return Difference(CaseKind.CASH, key, key, False, expected_fen, counted_fen, detail)


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


def _shown(at: datetime) -> str:
    return f"{at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}"
