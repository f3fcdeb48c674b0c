"""Days that are to be compared, of a channel's account or a community's counter, and their runs."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from domain.periods import local_date
from domain.reconciliation_states import RunState
from models import ReconciliationRun
from services.unit_of_work import Transaction

_READY_AFTER = timedelta(hours=34)
"""From the beginning of a day until ten the next morning, when its statement is made.

Source: WeChat Pay, 4012556654 (platforms.md 4.6).
"""
CAUGHT_UP = 30
"""So many missed days are caught up with at most."""


def newest_day(now: datetime) -> date:
    """Tell the newest day that can be compared."""
    return local_date(now - _READY_AFTER)


def list_missed(first: date, newest: date, known: Collection[date]) -> list[date]:
    """List the days without a run from a day on, as far as they are caught up with."""
    first = max(first, newest - timedelta(days=CAUGHT_UP - 1))
    days = [first + timedelta(days=n) for n in range((newest - first).days + 1)]
    return [day for day in days if day not in known]


def begin_run(tx: Transaction, channel: str, mchid: str, day: date) -> ReconciliationRun:
    """Find or begin the run of a day, and lock it."""
    tx.session.execute(
        insert(ReconciliationRun)
        .values(channel=channel, mchid=mchid, day=day, state=RunState.WAITING, started_at=tx.now)
        .on_conflict_do_nothing()
    )
    return lock_run(tx, channel, mchid, day)


def lock_run(tx: Transaction, channel: str, mchid: str, day: date) -> ReconciliationRun:
    """Lock the run of a day that was begun."""
    return tx.session.execute(
        select(ReconciliationRun)
        .where(
            ReconciliationRun.channel == channel,
            ReconciliationRun.mchid == mchid,
            ReconciliationRun.day == day,
        )
        .with_for_update()
    ).scalar_one()
