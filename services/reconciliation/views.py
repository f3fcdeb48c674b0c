"""What people are shown of reconciliations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session, defer

from domain.reconciliation_states import CASE_SHOWN, CaseKind, CaseState, RunState
from models import ReconciliationCase, ReconciliationRun, Staff
from services.reconciliation.found import UNSETTLED


@dataclass(frozen=True, slots=True)
class RunView:
    """A day of an account: what each side says, and how many differences wait for somebody.

    ``error`` is empty or a short English word why the newest try read nothing; ``next_at`` is when
    it is looked at again by itself.
    """

    id: int
    channel: str
    mchid: str
    day: date
    state: RunState
    error: str
    tries: int
    next_at: datetime | None
    done_at: datetime | None
    has_statement: bool
    our_count: int
    their_count: int
    our_paid_fen: int
    their_paid_fen: int
    our_refunded_fen: int
    their_refunded_fen: int
    unsettled: int


@dataclass(frozen=True, slots=True)
class CaseView:
    """One difference; amounts are None on the side that does not have it."""

    id: int
    run_id: int
    channel: str
    mchid: str
    day: date
    community_id: int | None
    kind: CaseKind
    kind_shown: str
    key: str
    ours_fen: int | None
    theirs_fen: int | None
    detail: str
    state: CaseState
    owner: str | None
    note: str
    opened_at: datetime
    ended_at: datetime | None


def read_runs(
    session: Session, *conditions: ColumnElement[bool], limit: int = 200
) -> Sequence[RunView]:
    """Read runs, the newest day first."""
    unsettled = (
        select(func.count())
        .select_from(ReconciliationCase)
        .where(
            ReconciliationCase.run_id == ReconciliationRun.id,
            ReconciliationCase.state.in_(UNSETTLED),
        )
        .scalar_subquery()
    )
    rows = session.execute(
        select(ReconciliationRun, unsettled)
        .options(defer(ReconciliationRun.statement))
        .where(*conditions)
        .order_by(ReconciliationRun.day.desc(), ReconciliationRun.channel, ReconciliationRun.mchid)
        .limit(limit)
    ).all()
    return [
        RunView(
            id=run.id,
            channel=run.channel,
            mchid=run.mchid,
            day=run.day,
            state=RunState(run.state),
            error=run.error,
            tries=run.tries,
            next_at=run.next_at,
            done_at=run.done_at,
            has_statement=run.has_statement,
            our_count=run.our_count,
            their_count=run.their_count,
            our_paid_fen=run.our_paid_fen,
            their_paid_fen=run.their_paid_fen,
            our_refunded_fen=run.our_refunded_fen,
            their_refunded_fen=run.their_refunded_fen,
            unsettled=count,
        )
        for run, count in rows
    ]


def read_cases(
    session: Session, *conditions: ColumnElement[bool], limit: int = 200
) -> Sequence[CaseView]:
    """Read differences, the newest day first."""
    rows = session.execute(
        select(ReconciliationCase, ReconciliationRun, Staff.name)
        .join(ReconciliationRun, ReconciliationRun.id == ReconciliationCase.run_id)
        .options(defer(ReconciliationRun.statement))
        .outerjoin(Staff, Staff.id == ReconciliationCase.owner_staff_id)
        .where(*conditions)
        .order_by(ReconciliationRun.day.desc(), ReconciliationCase.id)
        .limit(limit)
    ).all()
    return [
        CaseView(
            id=case.id,
            run_id=run.id,
            channel=run.channel,
            mchid=run.mchid,
            day=run.day,
            community_id=case.community_id,
            kind=CaseKind(case.kind),
            kind_shown=CASE_SHOWN[CaseKind(case.kind)],
            key=case.key,
            ours_fen=case.ours_fen,
            theirs_fen=case.theirs_fen,
            detail=case.detail,
            state=CaseState(case.state),
            owner=owner,
            note=case.note,
            opened_at=case.opened_at,
            ended_at=case.ended_at,
        )
        for case, run, owner in rows
    ]
