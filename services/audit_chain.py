"""The hash chain over audit rows: linked after the fact, and checked from the first link on.

Rows are written by many transactions at once, so they are not linked as they are written: that
would make every act of everybody wait for one lock. One sealer at a time links what is committed,
in the order of ids; a row that commits late gets a later link (docs/adr/0024).

Source: reliability.md, A2 and pattern 12.
"""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Row, Select, Text, cast, func, insert, select

from domain.actors import Actor, Permission
from models import AuditEntry, AuditLink
from services.tasks import close_task, open_task
from services.unit_of_work import Transaction, UnitOfWork

START = hashlib.sha256("安居审计链".encode()).hexdigest()
"""What stands before the first link."""
BROKEN = "audit_chain_broken"
_CHUNK = 2_000
_LOOK_BACK = 100_000
"""How many ids before the newest linked one a row may still commit; `verify` looks at all."""
_LATE = timedelta(minutes=10)
_SLIPPED_IN = timedelta(days=1)
"""By how much a row may be older than a sealing that did not see it.

Whoever slips a row in under an old date has it linked by our own sealer a minute later. No
transaction is open for a day, and a clock that is wrong by less raises no alarm for ever.
"""
_SHOWN = 20
_LOCK = "audit_chain"
_NAMES = tuple(column.key for column in AuditEntry.__table__.columns)
_COLUMNS = tuple(
    cast(column, Text).label(column.key) if column.key == "facts" else column
    for column in AuditEntry.__table__.columns
)
"""What is hashed: every column. Facts are the text that PostgreSQL writes of JSONB: one form, with
all digits of a number, and nothing that only a reader of JSON could stumble over."""
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ChainHead:
    """The newest link; whoever keeps its hash elsewhere can tell a chain that was made anew."""

    number: int
    sha256: str


@dataclass(frozen=True, slots=True)
class ChainReport:
    """What a check of the whole chain found; ``problems`` are sentences, the first ones only."""

    looked_at: int
    head: ChainHead
    problems: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing was found."""
        return not self.problems


@dataclass(frozen=True)
class AuditChain:
    """Links audit rows and proves that none was changed, taken out or slipped in."""

    unit_of_work: UnitOfWork

    def seal(self, *, actor: Actor) -> int:
        """Link every committed row that has no link yet and return how many there were.

        May run anywhere at any time: whoever comes second waits and finds nothing left. The new
        head goes to the log: links that are taken off the end later are missing from the chain.
        """
        actor.must(Permission.RUN_PLATFORM_WORK)
        linked = 0
        while heads := self.unit_of_work.run(_seal_chunk):
            linked += len(heads)
            _log_head(heads[-1])
        return linked

    def verify(self, *, actor: Actor, head: str = "") -> ChainReport:
        """Walk the whole chain on one snapshot; ``head`` is a hash that must be in it.

        Costs no memory by the number of rows.

        Raises:
            NotFound: the actor works for a part of the company only.
        """
        actor.must(Permission.CHECK_LEDGER)
        actor.must_cover(None)
        with self.unit_of_work.snapshot() as session:
            walk = _Walk(wanted=head)
            for row in session.execute(_linked(), execution_options={"yield_per": _CHUNK}):
                walk.step(row)
            late = session.execute(
                _unlinked()
                .with_only_columns(func.count(), func.min(AuditEntry.id))
                .where(AuditEntry.at < self.unit_of_work.clock.now() - _LATE)
            ).one()
            return walk.done(late_count=late[0], first_late=late[1])

    def check_and_tell(self, *, actor: Actor) -> int:
        """Verify the chain, write its head to the log, and keep a task open while it is broken.

        Returns how many problems there are. The log is kept on other machines than the database
        (docs/production.md), so that a chain made anew is found out by an older head.
        """
        actor.must(Permission.CHECK_LEDGER)
        actor.must_cover(None)
        report = self.verify(actor=actor)
        _log_head(report.head)

        def tell(tx: Transaction) -> None:
            if report.holds:
                close_task(tx, kind=BROKEN, subject="chain")
                return
            open_task(
                tx,
                kind=BROKEN,
                subject="chain",
                title=f"操作记录被改动过，请立即联系维护人员：{report.problems[0]}",
            )

        self.unit_of_work.run(tell)
        return len(report.problems)


def canonical_bytes(row: Row[Any]) -> bytes:
    """Write a row of `audit_rows` so that equal rows have equal bytes and others have not.

    JSON with sorted keys and no spaces; instants in UTC to the microsecond.
    """
    values = {name: getattr(row, name) for name in _NAMES}
    values["at"] = _instant(values["at"])
    return json.dumps(values, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def audit_rows() -> Select[Any]:
    """Select audit rows as they are hashed."""
    return select(*_COLUMNS)


def link_of(previous: str, linked_at: datetime, content: bytes) -> str:
    """Hash a row together with the link before it and the instant of linking."""
    head = f"{previous}\n{_instant(linked_at)}\n".encode()
    return hashlib.sha256(head + content).hexdigest()


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _log_head(head: ChainHead) -> None:
    log.info("the head of the audit chain", extra={"number": head.number, "sha256": head.sha256})


def _seal_chunk(tx: Transaction) -> list[ChainHead]:
    tx.hold(_LOCK)
    newest = tx.session.execute(
        select(AuditLink.number, AuditLink.sha256).order_by(AuditLink.number.desc()).limit(1)
    ).one_or_none()
    number, previous = newest or (0, START)
    floor = tx.session.execute(select(func.max(AuditLink.audit_entry_id))).scalar_one() or 0
    rows = tx.session.execute(
        _unlinked()
        .with_only_columns(*_COLUMNS)
        .where(AuditEntry.id > floor - _LOOK_BACK)
        .order_by(AuditEntry.id)
        .limit(_CHUNK)
    ).all()
    links, heads = [], []
    for row in rows:
        number, previous = number + 1, link_of(previous, tx.now, canonical_bytes(row))
        heads.append(ChainHead(number, previous))
        links.append(
            {
                "number": number,
                "audit_entry_id": row.id,
                "sha256": previous,
                "linked_at": tx.now,
            }
        )
    if links:
        tx.session.execute(insert(AuditLink), links)
    return heads


def _unlinked() -> Select[int]:
    has_link = select(AuditLink.number).where(AuditLink.audit_entry_id == AuditEntry.id).exists()
    return select(AuditEntry.id).where(~has_link)


def _linked() -> Select[Any]:
    return (
        select(
            AuditLink.number,
            AuditLink.sha256,
            AuditLink.audit_entry_id,
            AuditLink.linked_at,
            *_COLUMNS,
        )
        .outerjoin(AuditEntry, AuditEntry.id == AuditLink.audit_entry_id)
        .order_by(AuditLink.number)
    )


@dataclass
class _Walk:
    """Where a check of the chain stands."""

    wanted: str
    number: int = 0
    previous: str = START
    looked_at: int = 0
    is_found: bool = False
    sealed_at: datetime | None = None
    sealed_count: int = 0
    horizon: datetime | None = None
    """The newest sealing before the one at hand that left nothing over."""
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.is_found = self.wanted == START

    def step(self, row: Row[Any]) -> None:
        is_slipped_in = self._is_slipped_in(row)
        if row.number != self.number + 1:
            self._note(f"第 {self.number + 1} 环至第 {row.number - 1} 环不见了")
        if row.id is None:
            self._note(f"第 {row.number} 环的操作记录（编号 {row.audit_entry_id}）被删除")
        elif row.sha256 != link_of(self.previous, row.linked_at, canonical_bytes(row)):
            self._note(f"第 {row.number} 环与操作记录（编号 {row.id}）不符")
        elif is_slipped_in:
            self._note(f"第 {row.number} 环的操作记录（编号 {row.id}）是后来插入的")
        self.is_found = self.is_found or row.sha256 == self.wanted
        self.number, self.previous = row.number, row.sha256
        self.looked_at += 1

    def _is_slipped_in(self, row: Row[Any]) -> bool:
        """Tell whether a row says that it is older than a sealing which had not found it.

        A sealing that filled its chunk may have left rows for the next one.
        """
        if row.linked_at != self.sealed_at:
            if self.sealed_at and self.sealed_count < _CHUNK:
                self.horizon = self.sealed_at
            self.sealed_at, self.sealed_count = row.linked_at, 0
        self.sealed_count += 1
        if self.horizon is None or row.at is None:
            return False
        return bool(row.at < self.horizon - _SLIPPED_IN)

    def done(self, *, late_count: int, first_late: int | None) -> ChainReport:
        if late_count:
            self._note(f"有 {late_count} 条操作记录没有入链，从编号 {first_late} 起")
        if self.wanted and not self.is_found:
            self._note("给出的链头不在链中：链可能被重做过")
        return ChainReport(
            self.looked_at, ChainHead(self.number, self.previous), tuple(self.problems)
        )

    def _note(self, problem: str) -> None:
        if len(self.problems) < _SHOWN:
            self.problems.append(problem)
