"""Is everything configured and reachable? Answers in sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, select, text
from sqlalchemy.exc import SQLAlchemyError

from domain.actors import Actor, Permission
from domain.errors import PropertyError
from models import JobSlot, OutboxMessage, StaffTask
from services.ports import Probe
from services.unit_of_work import UnitOfWork

_TICKER_SILENT = timedelta(minutes=3)
_MESSAGE_STUCK = timedelta(minutes=10)


_COUNTS = text(
    """
    SELECT (SELECT count(*) FROM outbox_message WHERE state IN ('pending', 'sending'))
               AS messages_waiting,
           (SELECT count(*) FROM outbox_message WHERE state = 'failed') AS messages_failed,
           (SELECT count(*) FROM payment_order
             WHERE state IN ('created', 'prepaying', 'unknown')) AS orders_open,
           (SELECT count(*) FROM suspense) AS payments_in_suspense,
           (SELECT count(*) FROM staff_task WHERE done_at IS NULL) AS tasks_open,
           (SELECT count(*) FROM staff_task
             WHERE done_at IS NULL AND kind LIKE 'watch\\_%') AS payments_stuck,
           (SELECT count(*) FROM reconciliation_case
             WHERE state IN ('open', 'escalated')) AS differences_open
    """
)


@dataclass(frozen=True, slots=True)
class Finding:
    """What was seen of one link."""

    name: str
    is_well: bool
    sentence: str


@dataclass(frozen=True)
class Doctor:
    """Looks at every link of the product for real."""

    unit_of_work: UnitOfWork
    probes: Sequence[Probe]
    migration_heads: frozenset[str]

    def is_ready(self) -> bool:
        """Tell whether the database answers and has all migrations."""
        return self._check_database().is_well

    def examine(self, *, actor: Actor) -> Sequence[Finding]:
        """Try every link; one that is broken stops no other."""
        actor.must(Permission.CHECK_LEDGER)
        findings = [self._check_database()]
        if findings[0].is_well:
            findings += [self._check_ticker(), self._check_messages(), self._check_tasks()]
        for probe in self.probes:
            try:
                findings.append(Finding(probe.name, True, probe.check()))
            except PropertyError as error:
                findings.append(Finding(probe.name, False, error.message))
        return findings

    def count(self) -> dict[str, int]:
        """Count what alarms look at: a growing number means that somebody must look."""
        with self.unit_of_work.reading() as session:
            row = session.execute(_COUNTS).mappings().one()
        return {name: int(value) for name, value in row.items()}

    def _check_database(self) -> Finding:
        name = "数据库"
        try:
            with self.unit_of_work.reading() as session:
                version = session.execute(text("SHOW server_version")).scalar_one()
                isolation = session.execute(text("SHOW default_transaction_isolation")).scalar_one()
                heads = frozenset(session.scalars(text("SELECT version_num FROM alembic_version")))
        except SQLAlchemyError:
            return Finding(
                name, False, "连接不上，或还没有建表，请检查 DATABASE_URL 并运行 flask db upgrade"
            )
        if heads != self.migration_heads:
            return Finding(name, False, "结构不是最新的，请运行 flask db upgrade")
        if isolation != "read committed":
            return Finding(name, False, f"默认隔离级别是 {isolation}，应为 read committed")
        return Finding(name, True, f"PostgreSQL {version}，结构最新")

    def _check_ticker(self) -> Finding:
        with self.unit_of_work.reading() as session:
            newest = session.execute(select(func.max(JobSlot.started_at))).scalar_one()
        now = self.unit_of_work.clock.now()
        if newest is None or now - newest > _TICKER_SILENT:
            return Finding("定时任务", False, "最近 3 分钟没有运行，请启动 flask jobs tick")
        return Finding("定时任务", True, f"{int((now - newest).total_seconds())} 秒前运行过")

    def _check_messages(self) -> Finding:
        now = self.unit_of_work.clock.now()
        with self.unit_of_work.reading() as session:
            waiting = session.execute(
                select(func.count())
                .select_from(OutboxMessage)
                .where(
                    OutboxMessage.state.in_(("pending", "sending")),
                    OutboxMessage.created_at < now - _MESSAGE_STUCK,
                )
            ).scalar_one()
        if waiting:
            return Finding("消息发送", False, f"有 {waiting} 条消息等了 10 分钟以上还没有发出")
        return Finding("消息发送", True, "没有积压")

    def _check_tasks(self) -> Finding:
        with self.unit_of_work.reading() as session:
            titles = session.scalars(
                select(StaffTask.title).where(StaffTask.done_at.is_(None)).limit(1)
            ).all()
            count = session.execute(
                select(func.count()).select_from(StaffTask).where(StaffTask.done_at.is_(None))
            ).scalar_one()
        if count:
            return Finding("待人处理", False, f"有 {count} 件待办，例如：{titles[0]}")
        return Finding("待人处理", True, "没有待办")
