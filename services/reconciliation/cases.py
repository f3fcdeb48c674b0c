"""What staff do with differences: look, take one over, settle it with words, pass it on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import ColumnElement, func, select

from domain.actors import Actor, Permission
from domain.errors import Conflict, InvalidInput, NotFound
from domain.reconciliation_states import CASE_MOVES, CaseKind, CaseState
from models import ReconciliationCase, ReconciliationRun, Staff
from services.audit import record
from services.reconciliation.found import UNSETTLED, tell_of_cases
from services.reconciliation.views import CaseView, RunView, read_cases, read_runs
from services.scopes import in_scope
from services.unit_of_work import Transaction, UnitOfWork

_NOTE_LENGTHS = range(1, 501)


class CaseSettled(Conflict):
    """The difference was handled, or resolved itself."""

    code = "case_settled"
    message = "这条差异已经处理或已自动消除"


@dataclass(frozen=True)
class ReconciliationCases:
    """The differences that were found, each with an owner and a state."""

    unit_of_work: UnitOfWork

    def list_runs(
        self, *, actor: Actor, channel: str | None = None, day: date | None = None
    ) -> Sequence[RunView]:
        """List the newest 200 runs, the newest day first."""
        actor.must(Permission.RECONCILE)
        actor.must_cover(None)
        conditions: list[ColumnElement[bool]] = []
        if channel is not None:
            conditions.append(ReconciliationRun.channel == channel)
        if day is not None:
            conditions.append(ReconciliationRun.day == day)
        with self.unit_of_work.reading() as session:
            return read_runs(session, *conditions)

    def list_cases(
        self,
        *,
        actor: Actor,
        is_unsettled: bool = False,
        channel: str | None = None,
        day: date | None = None,
        community_id: int | None = None,
    ) -> Sequence[CaseView]:
        """List differences, the newest day first, at most 200."""
        actor.must(Permission.RECONCILE)
        conditions = [in_scope(ReconciliationCase.community_id, actor)]
        if is_unsettled:
            conditions.append(ReconciliationCase.state.in_(UNSETTLED))
        if channel is not None:
            conditions.append(ReconciliationRun.channel == channel)
        if day is not None:
            conditions.append(ReconciliationRun.day == day)
        if community_id is not None:
            conditions.append(ReconciliationCase.community_id == community_id)
        with self.unit_of_work.reading() as session:
            return read_cases(session, *conditions)

    def show(self, *, actor: Actor, case_id: int) -> CaseView:
        """Show one difference.

        Raises:
            NotFound: there is no such difference.
        """
        actor.must(Permission.RECONCILE)
        with self.unit_of_work.reading() as session:
            found = read_cases(
                session,
                ReconciliationCase.id == case_id,
                in_scope(ReconciliationCase.community_id, actor),
            )
        if not found:
            raise NotFound("没有这条差异")
        return found[0]

    def assign(self, *, actor: Actor, case_id: int, login_name: str) -> None:
        """Make a member of staff the one who sees to a difference.

        Raises:
            NotFound: no such difference, or nobody active has the login name.
            CaseSettled: it is settled.
        """
        actor.must(Permission.RECONCILE)

        def work(tx: Transaction) -> None:
            case = _lock(tx, actor, case_id)
            staff_id = tx.session.execute(
                select(Staff.id).where(Staff.login_name == login_name, Staff.is_active)
            ).scalar_one_or_none()
            if staff_id is None:
                raise NotFound("没有这位员工，或已停用")
            if case.state not in UNSETTLED:
                raise CaseSettled
            case.owner_staff_id = staff_id
            _record(tx, actor, case, "reconciliation_assigned", owner=login_name)

        self.unit_of_work.run(work)

    def handle(self, *, actor: Actor, case_id: int, note: str) -> None:
        """Settle a difference with words that say how; it stays settled whatever is found again.

        Raises:
            NotFound: there is no such difference.
            CaseSettled: it is settled already.
            InvalidInput: no words, or over 500 characters.
        """
        actor.must(Permission.RECONCILE)
        self._move(actor, case_id, CaseState.HANDLED, note)

    def escalate(self, *, actor: Actor, case_id: int, note: str) -> None:
        """Pass a difference on that one cannot settle, saying why.

        Raises:
            NotFound, CaseSettled, InvalidInput: as for `handle`.
        """
        actor.must(Permission.RECONCILE)
        self._move(actor, case_id, CaseState.ESCALATED, note)

    def _move(self, actor: Actor, case_id: int, to: CaseState, note: str) -> None:
        note = note.strip()
        if len(note) not in _NOTE_LENGTHS:
            raise InvalidInput(fields={"note": ["请写明处理情况，500 字以内"]})

        def work(tx: Transaction) -> None:
            case = _lock(tx, actor, case_id)
            if to not in CASE_MOVES[CaseState(case.state)]:
                raise CaseSettled
            case.state, case.note = to, note
            case.ended_at = None if to in UNSETTLED else tx.now
            if case.owner_staff_id is None:
                case.owner_staff_id = actor.id
            _record(tx, actor, case, f"reconciliation_{to}", note=note)
            _tell(tx, case)

        self.unit_of_work.run(work)


def _lock(tx: Transaction, actor: Actor, case_id: int) -> ReconciliationCase:
    case = tx.session.get(ReconciliationCase, case_id, with_for_update=True)
    if case is None or not actor.scope.covers(case.community_id):
        raise NotFound("没有这条差异")
    return case


def _tell(tx: Transaction, case: ReconciliationCase) -> None:
    if case.kind == CaseKind.CASH:
        return
    tx.session.flush()
    unsettled = tx.session.execute(
        select(func.count())
        .select_from(ReconciliationCase)
        .where(ReconciliationCase.run_id == case.run_id, ReconciliationCase.state.in_(UNSETTLED))
    ).scalar_one()
    tell_of_cases(tx, tx.session.get_one(ReconciliationRun, case.run_id), unsettled)


def _record(
    tx: Transaction, actor: Actor, case: ReconciliationCase, action: str, **facts: str
) -> None:
    record(
        tx,
        actor,
        action,
        subject_type="reconciliation_case",
        subject_id=case.id,
        community_id=case.community_id,
        facts={"kind": case.kind, "key": case.key} | facts,
    )
