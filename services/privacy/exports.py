"""Copies of their own data that owners ask for, made by a worker and erased after a week."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import undefer

from domain.actors import Actor, Permission
from domain.errors import Conflict, NotFound, TooMany
from domain.periods import local_date, seconds_to_midnight, start_of_local_day
from domain.privacy_states import EXPORT_ATTEMPTS, EXPORT_LIFE, EXPORTS_PER_DAY, ExportState
from models import Account, PrivacyExport
from services.audit import record
from services.ports import DocumentWriter
from services.privacy.copies import write_copy
from services.privacy.own_data import gather
from services.unit_of_work import Transaction, UnitOfWork

log = logging.getLogger(__name__)
_LISTED = 20


class ExportUnderWay(Conflict):
    """A copy was asked for already and is not ready yet."""

    code = "export_under_way"
    message = "已申请过个人信息副本，正在准备，请稍候"


class ExportTooOften(TooMany):
    """Three copies were asked for today."""

    code = "export_too_often"
    message = "今天申请的次数已满，请明天再试"


@dataclass(frozen=True, slots=True)
class ExportView:
    """A copy that was asked for; the file can be had until ``expires_at``."""

    id: int
    state: ExportState
    asked_at: datetime
    ended_at: datetime | None
    expires_at: datetime | None


@dataclass(frozen=True)
class PrivacyExports:
    """Copies by account: asked, made, handed out, erased."""

    unit_of_work: UnitOfWork
    documents: DocumentWriter

    def ask(self, *, actor: Actor) -> ExportView:
        """Ask for a copy of all that is held about the account.

        Raises:
            ExportUnderWay: one is being made.
            ExportTooOften: three were asked for today.
        """
        actor.must(Permission.MANAGE_OWN_PRIVACY)

        def work(tx: Transaction) -> ExportView:
            account_id = actor.account_id
            tx.session.execute(select(Account.id).where(Account.id == account_id).with_for_update())
            own = select(func.count()).where(PrivacyExport.account_id == account_id)
            if tx.session.scalar(own.where(PrivacyExport.state == ExportState.ASKED)):
                raise ExportUnderWay
            today = start_of_local_day(local_date(tx.now))
            if (tx.session.scalar(own.where(PrivacyExport.asked_at >= today)) or 0) >= (
                EXPORTS_PER_DAY
            ):
                raise ExportTooOften(retry_after_s=seconds_to_midnight(tx.now))
            row = PrivacyExport(account_id=account_id, state=ExportState.ASKED, asked_at=tx.now)
            tx.session.add(row)
            tx.session.flush()
            _record(tx, actor, "privacy_export_asked", row)
            tx.wake("make_privacy_exports")
            return _view(row)

        return self.unit_of_work.run(work)

    def list_own(self, *, actor: Actor) -> Sequence[ExportView]:
        """List the copies that the account asked for, newest first, at most 20."""
        actor.must(Permission.MANAGE_OWN_PRIVACY)
        with self.unit_of_work.reading() as session:
            rows = session.scalars(
                select(PrivacyExport)
                .where(PrivacyExport.account_id == actor.account_id)
                .order_by(PrivacyExport.id.desc())
                .limit(_LISTED)
            )
            return [_view(row) for row in rows]

    def file(self, *, actor: Actor, export_id: int) -> bytes:
        """Hand out the file of one's own copy; each time is on record.

        Raises:
            NotFound: none, not theirs, not ready, or a week is over.
        """
        actor.must(Permission.MANAGE_OWN_PRIVACY)

        def work(tx: Transaction) -> bytes:
            row = tx.session.execute(
                select(PrivacyExport)
                .options(undefer(PrivacyExport.content))
                .where(
                    PrivacyExport.id == export_id,
                    PrivacyExport.account_id == actor.account_id,
                    PrivacyExport.state == ExportState.READY,
                    PrivacyExport.expires_at > tx.now,
                )
            ).scalar_one_or_none()
            if row is None or row.content is None:
                raise NotFound
            _record(tx, actor, "privacy_export_taken", row)
            return row.content

        return self.unit_of_work.run(work)

    def make_due(self, *, actor: Actor) -> int:
        """Make the copies that were asked for, oldest first, and return how many are ready.

        What fails is tried three times by later runs. One worker at a time does this.
        """
        actor.must(Permission.RUN_PLATFORM_WORK)
        made = 0
        with self.unit_of_work.exclusive("privacy_exports") as is_ours:
            if not is_ours:
                return 0
            with self.unit_of_work.reading() as session:
                asked = session.scalars(
                    select(PrivacyExport.id)
                    .where(PrivacyExport.state == ExportState.ASKED)
                    .order_by(PrivacyExport.id)
                ).all()
            for export_id in asked:
                made += self._make(actor, export_id)
        return made

    def _make(self, actor: Actor, export_id: int) -> bool:
        account_id = self.unit_of_work.run(lambda tx: _begin(tx, export_id))
        if account_id is None:
            return False
        try:
            with self.unit_of_work.snapshot() as session:
                parts = gather(session, account_id)
            now = self.unit_of_work.clock.now()
            content = write_copy(self.documents, parts, made_at=now)
        except Exception:
            log.exception("a copy of personal data was not made", extra={"export_id": export_id})
            return False

        def work(tx: Transaction) -> bool:
            row = _lock(tx, export_id)
            if row is None:
                return False
            row.state, row.content = ExportState.READY, content
            row.ended_at, row.expires_at = tx.now, tx.now + EXPORT_LIFE
            _record(tx, actor, "privacy_export_made", row)
            return True

        return self.unit_of_work.run(work)


def _begin(tx: Transaction, export_id: int) -> int | None:
    """Count an attempt and tell whose copy it is; none where there is nothing to do."""
    row = _lock(tx, export_id)
    if row is None:
        return None
    if row.attempts >= EXPORT_ATTEMPTS:
        row.state, row.ended_at = ExportState.FAILED, tx.now
        return None
    row.attempts += 1
    return row.account_id


def _lock(tx: Transaction, export_id: int) -> PrivacyExport | None:
    return tx.session.execute(
        select(PrivacyExport)
        .where(PrivacyExport.id == export_id, PrivacyExport.state == ExportState.ASKED)
        .with_for_update()
    ).scalar_one_or_none()


def _record(tx: Transaction, actor: Actor, action: str, row: PrivacyExport) -> None:
    record(
        tx,
        actor,
        action,
        subject_type="account",
        subject_id=row.account_id,
        facts={"export_id": row.id},
    )


def _view(row: PrivacyExport) -> ExportView:
    return ExportView(row.id, ExportState(row.state), row.asked_at, row.ended_at, row.expires_at)
