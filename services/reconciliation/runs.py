"""Reconciling days with the channels' statements: which are due, and each from end to end."""

from __future__ import annotations

import hashlib
import logging
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from sqlalchemy import func, select

from domain.actors import Actor, Permission
from domain.errors import InvalidInput, PlatformRefused, PlatformUnavailable
from domain.periods import local_date
from domain.reconciliation_states import RunState
from domain.reconciling import Entry, compare, list_missing
from models import PaymentOrder, ReconciliationRun
from services.pay_ports import (
    PayChannel,
    PayChannels,
    Statement,
    StatementBroken,
    StatementNotReady,
)
from services.payments.order_rows import Asks
from services.reconciliation.books import add_up, read_books, read_entries
from services.reconciliation.days import begin_run, list_missed, lock_run, newest_day
from services.reconciliation.found import FAILED, find_lost, say_run, subject_of, write_cases
from services.reconciliation.views import RunView, read_runs
from services.tasks import close_task, open_task
from services.unit_of_work import Transaction, UnitOfWork

log = logging.getLogger(__name__)

_OLDEST = 90
"""The channels keep statements for three months."""
_NOT_READY_WAIT = timedelta(minutes=30)
_FAILED_WAIT = timedelta(hours=1)
_TRIES = 24
_LATE_AFTER = 48
"""So many times half an hour without a statement a person is told."""
_CLAIM = timedelta(minutes=10)
_LOOKED_AT_AGAIN = timedelta(days=1)
_PUT_OFF_WAIT = timedelta(hours=6)
_PUT_OFF_DAYS = 4
_LOOKED_AT_DAYS = 8
_NEIGHBOURS = 10


@dataclass(frozen=True, slots=True)
class _Around:
    """What statements of other days have of what was missing, and which could not be read."""

    entries: Sequence[Entry] = ()
    unread: frozenset[date] = frozenset()


@dataclass(frozen=True)
class Reconciliation:
    """Compares each day of each merchant account with what the channel says of it."""

    unit_of_work: UnitOfWork
    channels: PayChannels
    sweep: Asks

    def run_due(self, *, actor: Actor) -> int:
        """Reconcile every day that is due and return how many were tried.

        A day is due after ten the next morning, whether there was an order or not; missed days of
        the last 30 are caught up with. One that fails stops no other.
        """
        actor.must(Permission.RECONCILE)
        actor.must_cover(None)
        due = [
            (account.channel, account.mchid, day)
            for account in self.channels.all()
            for day in self._due_days(account)
        ]
        for channel, mchid, day in due:
            try:
                self.run(actor=actor, channel=channel, mchid=mchid, day=day)
            except Exception:
                log.exception("a day could not be reconciled", extra={"day": str(day)})
                self._fail(channel, mchid, day, "unexpected")
        return len(due)

    def run(self, *, actor: Actor, channel: str, mchid: str, day: date) -> RunView:
        """Download a day's statement, compare both ways, and keep what was found.

        Nothing is ever put right by a comparison. Only where the channel says that an order of
        ours was paid and we have no money of it, the channel is asked about that order, as the
        sweep would, and the day is compared again. A day whose statement could not be read is
        waiting or failed, and says why: it is never "no difference".

        Raises:
            InvalidInput: the day is not over, or over three months ago.
            MerchantUnknown: we hold no keys for the account.

        Source: domain.md D5; reliability.md M5, F30.
        """
        actor.must(Permission.RECONCILE)
        actor.must_cover(None)
        self._check_day(day)
        account = self.channels.of(channel, mchid)
        run_id = self.unit_of_work.run(lambda tx: _begin(tx, channel, mchid, day))
        try:
            statement = account.read_statement(day)
        except StatementNotReady:
            self.unit_of_work.run(lambda tx: _wait(tx, run_id))
        except StatementBroken as broken:
            self._fail(channel, mchid, day, f"broken:{broken.reason}")
        except PlatformRefused as refused:
            self._fail(channel, mchid, day, f"refused:{refused.vendor_code}")
        except PlatformUnavailable:
            self._fail(channel, mchid, day, "unavailable")
        else:
            self._compare(account, run_id, statement)
        with self.unit_of_work.reading() as session:
            return read_runs(session, ReconciliationRun.id == run_id)[0]

    def _compare(self, account: PayChannel, run_id: int, statement: Statement) -> None:
        around = self._look_around(account, statement)
        lost = self.unit_of_work.run(lambda tx: _write(tx, run_id, statement, around))
        asked = [order_id for order_id in lost if self._ask(order_id)]
        if asked:
            self.unit_of_work.run(lambda tx: _write(tx, run_id, statement, around))

    def _ask(self, order_id: int) -> bool:
        try:
            self.sweep.ask(order_id=order_id)
        except (PlatformRefused, PlatformUnavailable):
            log.warning("channel did not tell", extra={"order_id": order_id})
            return False
        return True

    def _look_around(self, account: PayChannel, statement: Statement) -> _Around:
        """Read statements of other days for what is missing here and may stand there."""
        theirs = read_entries(statement)
        with self.unit_of_work.reading() as session:
            booked = read_books(
                session,
                channel=statement.channel,
                mchid=statement.mchid,
                day=statement.day,
                named=theirs,
            )
        missing = {one.key for one in list_missing((one.entry for one in booked), theirs)}
        days = {day for one in booked if one.entry.key in missing for day in one.also_on}
        entries: list[Entry] = []
        unread = set()
        for day in sorted(days)[-_NEIGHBOURS:]:
            try:
                entries += read_entries(account.read_statement(day))
            except (StatementNotReady, StatementBroken, PlatformRefused, PlatformUnavailable):
                unread.add(day)
        return _Around(entries, frozenset(unread))

    def _due_days(self, account: PayChannel) -> Sequence[date]:
        now = self.unit_of_work.clock.now()
        newest = newest_day(now)
        with self.unit_of_work.reading() as session:
            rows = session.execute(
                select(ReconciliationRun.day, ReconciliationRun.next_at).where(
                    ReconciliationRun.channel == account.channel,
                    ReconciliationRun.mchid == account.mchid,
                    ReconciliationRun.day > newest - timedelta(days=_OLDEST),
                )
            ).all()
            first_order_at: datetime | None = session.execute(
                select(func.min(PaymentOrder.created_at)).where(
                    PaymentOrder.channel == account.channel,
                    PaymentOrder.mchid == account.mchid,
                )
            ).scalar_one()
        known = {day for day, _ in rows}
        first = min(
            [newest, *known, *([local_date(first_order_at)] if first_order_at is not None else [])]
        )
        again = [day for day, next_at in rows if next_at is not None and next_at <= now]
        return sorted([*list_missed(first, newest, known), *again])

    def _check_day(self, day: date) -> None:
        today = local_date(self.unit_of_work.clock.now())
        if not today - timedelta(days=_OLDEST) <= day < today:
            raise InvalidInput(fields={"day": ["只能核对昨天至 90 天前的日期"]})

    def _fail(self, channel: str, mchid: str, day: date, error: str) -> None:
        log.error("a statement could not be read", extra={"day": str(day), "reason": error})
        self.unit_of_work.run(lambda tx: _mark_failed(tx, channel, mchid, day, error))


def _begin(tx: Transaction, channel: str, mchid: str, day: date) -> int:
    run = begin_run(tx, channel, mchid, day)
    run.tries, run.next_at = run.tries + 1, tx.now + _CLAIM
    return run.id


def _wait(tx: Transaction, run_id: int) -> None:
    run = tx.session.get_one(ReconciliationRun, run_id, with_for_update=True)
    run.error, run.next_at = StatementNotReady.code, tx.now + _NOT_READY_WAIT
    if run.state != RunState.DONE:
        run.state = RunState.WAITING
    if run.tries >= _LATE_AFTER:
        _tell_of_failure(tx, run, "渠道一天多还没有生成对账单")


def _mark_failed(tx: Transaction, channel: str, mchid: str, day: date, error: str) -> None:
    run = lock_run(tx, channel, mchid, day)
    run.error = error
    run.next_at = tx.now + _FAILED_WAIT if run.tries < _TRIES else None
    if run.state != RunState.DONE:
        # What was read whole before stays read.
        run.state = RunState.FAILED
    _tell_of_failure(tx, run, f"没有读到对账单（{error}），未核对")


def _tell_of_failure(tx: Transaction, run: ReconciliationRun, words: str) -> None:
    open_task(tx, kind=FAILED, subject=subject_of(run), title=f"{say_run(run)}对账：{words}")


def _write(tx: Transaction, run_id: int, statement: Statement, around: _Around) -> Sequence[int]:
    """Compare and write everything of a run; tells which orders of ours may be lost money."""
    run = tx.session.get_one(ReconciliationRun, run_id, with_for_update=True)
    theirs = read_entries(statement)
    booked = read_books(tx.session, channel=run.channel, mchid=run.mchid, day=run.day, named=theirs)
    may_wait = local_date(tx.now) <= run.day + timedelta(days=_PUT_OFF_DAYS)
    put_off = {
        one.entry.key for one in booked if may_wait and not one.also_on.isdisjoint(around.unread)
    }
    found = compare(
        [
            replace(one.entry, is_expected=one.entry.is_expected and one.entry.key not in put_off)
            for one in booked
        ],
        theirs,
        elsewhere=around.entries,
    )
    _note(run, statement, [one.entry for one in booked if one.entry.is_expected], theirs)
    unsettled = write_cases(tx, run, found)
    run.state, run.done_at, run.error, run.tries = RunState.DONE, tx.now, "", 0
    run.next_at = _next_look(tx, run, unsettled=unsettled, is_put_off=bool(put_off))
    close_task(tx, kind=FAILED, subject=subject_of(run))
    return find_lost(tx, run, found)


def _note(
    run: ReconciliationRun, statement: Statement, ours: Sequence[Entry], theirs: Sequence[Entry]
) -> None:
    run.has_statement = bool(statement.content)
    run.statement = zlib.compress(statement.content) if statement.content else None
    run.statement_sha256 = (
        hashlib.sha256(statement.content).hexdigest() if statement.content else ""
    )
    our_sums, their_sums = add_up(ours), add_up(theirs)
    run.our_count, run.their_count = our_sums.count, their_sums.count
    run.our_paid_fen, run.their_paid_fen = our_sums.paid_fen, their_sums.paid_fen
    run.our_refunded_fen, run.their_refunded_fen = (
        our_sums.refunded_fen,
        their_sums.refunded_fen,
    )


def _next_look(
    tx: Transaction, run: ReconciliationRun, *, unsettled: int, is_put_off: bool
) -> datetime | None:
    if is_put_off:
        return tx.now + _PUT_OFF_WAIT
    if unsettled and local_date(tx.now) <= run.day + timedelta(days=_LOOKED_AT_DAYS):
        return tx.now + _LOOKED_AT_AGAIN
    return None
