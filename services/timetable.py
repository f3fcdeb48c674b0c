"""What runs by the clock: slots are unique rows, and whoever inserts one runs it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, update
from sqlalchemy.dialects.postgresql import insert

from models import JobSlot
from services.unit_of_work import Transaction, UnitOfWork

_EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Entry:
    """One job that runs every so often.

    After downtime only the newest slot runs: each of these jobs does the work of all missed slots.
    """

    job: str
    every: timedelta

    def newest_slot(self, now: datetime) -> datetime:
        """Tell the start of the slot that holds the instant."""
        return _EPOCH + (now - _EPOCH) // self.every * self.every


TIMETABLE = (
    Entry("sweep_payments", timedelta(seconds=30)),
    Entry("send_refunds", timedelta(seconds=30)),
    Entry("sweep_messages", timedelta(seconds=60)),
    Entry("resume_generation", timedelta(seconds=60)),
    Entry("work_imports", timedelta(seconds=30)),
    Entry("offset_prepaid", timedelta(minutes=5)),
    Entry("fold_summary", timedelta(seconds=60)),
    Entry("reconcile_cash", timedelta(hours=1)),
    Entry("watch_payments", timedelta(seconds=60)),
    Entry("reconcile_channels", timedelta(minutes=15)),
    Entry("verify_ledger", timedelta(hours=1)),
    Entry("seal_audit", timedelta(seconds=60)),
    Entry("verify_audit", timedelta(hours=24)),
    Entry("make_privacy_exports", timedelta(seconds=30)),
    Entry("close_accounts", timedelta(hours=1)),
    Entry("publish_notices", timedelta(seconds=60)),
    Entry("remind_of_bills", timedelta(hours=1)),
    Entry("erase_outdated", timedelta(hours=24)),
    Entry("generate_maintenance", timedelta(hours=1)),
    Entry("watch_equipment", timedelta(hours=6)),
    Entry("watch_repairs", timedelta(seconds=60)),
    Entry("sweep_files", timedelta(hours=1)),
    Entry("drop_old_slots", timedelta(hours=1)),
    Entry("drop_old_doors", timedelta(hours=24)),
)
SLOTS_KEPT = timedelta(days=7)


@dataclass(frozen=True)
class Timetable:
    """Takes slots and runs what they stand for."""

    unit_of_work: UnitOfWork

    def tick(self, entry: Entry, *, run: Callable[[], object]) -> bool:
        """Run an entry if nobody has taken its newest slot yet, and tell whether it ran.

        Any number of tickers may call this at once: the unique slot row lets one of them win. A
        job that fails is logged and noted in its slot; the next slot tries again.

        Source: reliability.md, pattern 8 and J4.
        """
        slot_at = entry.newest_slot(self.unit_of_work.clock.now())
        if not self._take(entry, slot_at):
            return False
        try:
            outcome = str(run())
        except Exception:
            log.exception("a job of the timetable failed", extra={"job": entry.job})
            outcome = "failed"
        self._finish(entry, slot_at, outcome)
        return True

    def drop_old_slots(self) -> int:
        """Forget slots of more than a week ago and return how many."""

        def work(tx: Transaction) -> int:
            gone = tx.session.scalars(
                delete(JobSlot).where(JobSlot.slot_at < tx.now - SLOTS_KEPT).returning(JobSlot.job)
            ).all()
            return len(gone)

        return self.unit_of_work.run(work)

    def _take(self, entry: Entry, slot_at: datetime) -> bool:
        def work(tx: Transaction) -> bool:
            taken = tx.session.execute(
                insert(JobSlot)
                .values(job=entry.job, slot_at=slot_at, started_at=tx.now)
                .on_conflict_do_nothing()
                .returning(JobSlot.job)
            ).scalar_one_or_none()
            return taken is not None

        return self.unit_of_work.run(work)

    def _finish(self, entry: Entry, slot_at: datetime, outcome: str) -> None:
        self.unit_of_work.run(
            lambda tx: tx.session.execute(
                update(JobSlot)
                .where(JobSlot.job == entry.job, JobSlot.slot_at == slot_at)
                .values(finished_at=tx.now, outcome=outcome)
            )
        )
