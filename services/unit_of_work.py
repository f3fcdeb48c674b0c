"""The one place that opens, commits and rolls back transactions."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import TypeVar

from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from services.ports import Clock, JobQueue

log = logging.getLogger(__name__)
T = TypeVar("T")

_TRIES = 5
_TRY_AGAIN = {"40001", "40P01"}
"""SQLSTATEs of a serialization failure and of a deadlock: the whole unit is run again."""
_COPY_ROWS = 5_000
_inside: ContextVar[bool] = ContextVar("inside_unit_of_work", default=False)


class NestedUnitOfWork(RuntimeError):
    """A use-case called another use-case inside its transaction: a mistake of ours."""


@dataclass
class Transaction:
    """An open transaction, handed to the steps of one use-case; ``now`` is the same for all."""

    session: Session
    now: datetime
    deferred: list[tuple[str, dict[str, int]]] = field(default_factory=list)

    def wake(self, job: str, **ids: int) -> None:
        """Enqueue a job once after the commit; what it must do is already in a row."""
        if (job, ids) not in self.deferred:
            self.deferred.append((job, ids))

    def hold(self, *names: str) -> None:
        """Be the only one that holds these names until the transaction ends.

        They are taken in one order by everybody, so that nobody waits in a circle.
        """
        for name in sorted(set(names)):
            self.session.execute(
                text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": name}
            )

    def copy_text(self, table: str, columns: str, rows: Iterable[str]) -> None:
        """Stream rows into a table by COPY.

        ``columns`` are names separated by spaces; each row is one line of COPY's text format, tabs
        between values, with its line end. All of it is ours: nothing a user typed may stand here
        unescaped.
        """
        cursor = self.session.connection().connection.cursor()
        with cursor.copy(f"COPY {table} ({', '.join(columns.split())}) FROM STDIN") as copy:
            for block in _blocks(rows):
                copy.write(block)


def _blocks(rows: Iterable[str]) -> Iterator[str]:
    """Join rows to blocks: a call of libpq for each row would cost more than the row."""
    iterator = iter(rows)
    while block := "".join(islice(iterator, _COPY_ROWS)):
        yield block


@dataclass(frozen=True)
class UnitOfWork:
    """Runs each use-case in one READ COMMITTED transaction of its own."""

    engine: Engine
    queue: JobQueue
    clock: Clock

    def run(self, work: Callable[[Transaction], T]) -> T:
        """Run the work, commit, then enqueue what it deferred.

        A serialization failure or deadlock re-runs the whole work up to five times. A queue that
        does not answer costs nothing: the sweep finds the rows.

        Raises:
            NestedUnitOfWork: called from inside another unit of work.
        """
        attempt = 1
        while True:
            try:
                result, deferred = self._once(work)
            except (DBAPIError, self.engine.dialect.loaded_dbapi.Error) as error:
                if attempt == _TRIES or _sqlstate(error) not in _TRY_AGAIN:
                    raise
                log.warning("unit of work runs again", extra={"attempt": attempt})
                time.sleep(random.uniform(0, 0.01 * 2**attempt))  # noqa: S311 - jitter, no secret
                attempt += 1
            else:
                self._wake(deferred)
                return result

    def _once(self, work: Callable[[Transaction], T]) -> tuple[T, list[tuple[str, dict[str, int]]]]:
        with _guard(), Session(self.engine, expire_on_commit=False) as session:
            tx = Transaction(session=session, now=self.clock.now())
            try:
                result = work(tx)
                session.commit()
            except BaseException:
                session.rollback()
                raise
        return result, tx.deferred

    def _wake(self, deferred: list[tuple[str, dict[str, int]]]) -> None:
        for job, ids in deferred:
            try:
                self.queue.enqueue(job, **ids)
            except Exception as error:  # noqa: BLE001 - whatever it is, the work is committed
                log.warning(
                    "could not enqueue; the sweep will",
                    extra={"job": job, "error": type(error).__name__},
                )

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Read without a transaction: each statement sees what is committed as it starts."""
        with _guard(), Session(self.engine) as session:
            session.connection(execution_options={"isolation_level": "AUTOCOMMIT"})
            yield session

    @contextmanager
    def snapshot(self) -> Iterator[Session]:
        """Read many statements from one unchanging view of the data."""
        with _guard(), Session(self.engine) as session:
            session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
            yield session
            session.rollback()

    @contextmanager
    def exclusive(self, name: str) -> Iterator[bool]:
        """Hold a name across many units of work, and tell whether it was free.

        It is free again when the block ends or the process dies, whichever comes first.
        """
        with self.engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            key = {"key": name}
            is_ours = connection.execute(
                text("SELECT pg_try_advisory_lock(hashtextextended(:key, 1))"), key
            ).scalar_one()
            try:
                yield bool(is_ours)
            finally:
                if is_ours:
                    connection.execute(
                        text("SELECT pg_advisory_unlock(hashtextextended(:key, 1))"), key
                    )


@contextmanager
def _guard() -> Iterator[None]:
    if _inside.get():
        raise NestedUnitOfWork("a use-case may not call another use-case inside its transaction")
    token = _inside.set(True)
    try:
        yield
    finally:
        _inside.reset(token)


def _sqlstate(error: Exception) -> str | None:
    """Tell PostgreSQL's code of an error; COPY speaks to the driver, so its errors come bare."""
    return getattr(getattr(error, "orig", error), "sqlstate", None)


def violates(error: IntegrityError, constraint: str) -> bool:
    """Tell whether an integrity error is the breach of the named constraint or unique index."""
    diagnostics = getattr(error.orig, "diag", None)
    return getattr(diagnostics, "constraint_name", None) == constraint
