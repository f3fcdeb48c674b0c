"""Steps that write what a comparison found: cases, and the tasks that tell people of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from sqlalchemy import ARRAY, Text, any_, literal, select

from domain.payment_states import CHANNEL_SHOWN, PaymentChannel
from domain.reconciliation_states import CaseKind, CaseState
from domain.reconciling import Difference
from models import PaymentOrder, ReconciliationCase, ReconciliationRun, Refund
from services.tasks import close_task, open_task
from services.unit_of_work import Transaction

UNSETTLED = (CaseState.OPEN, CaseState.ESCALATED)
DIFFERS = "reconciliation_differs"
FAILED = "reconciliation_failed"


def subject_of(run: ReconciliationRun) -> str:
    """Name a run as tasks do."""
    return f"{run.channel}:{run.mchid}:{run.day}"


def write_cases(tx: Transaction, run: ReconciliationRun, found: Iterable[Difference]) -> int:
    """Write a run's differences, tell people of them, and return how many wait for somebody."""
    unsettled = sync_cases(tx, run, found, lambda one: _community_of(tx, run, one))
    tell_of_cases(tx, run, unsettled)
    return unsettled


def sync_cases(
    tx: Transaction,
    run: ReconciliationRun,
    found: Iterable[Difference],
    community_of: Callable[[Difference], int | None],
) -> int:
    """Write a run's differences, those of before included, and return how many wait for somebody.

    What is not found any more is resolved by itself; what is found again is open again. A case
    that somebody handled stays as they left it.
    """
    by_key = {(one.kind, one.key): one for one in found}
    cases = tx.session.scalars(
        select(ReconciliationCase)
        .where(ReconciliationCase.run_id == run.id)
        .order_by(ReconciliationCase.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    for case in cases:
        again = by_key.pop((CaseKind(case.kind), case.key), None)
        if again is None and case.state in UNSETTLED:
            case.state, case.ended_at = CaseState.AUTO_RESOLVED, tx.now
        elif again is not None and case.state == CaseState.AUTO_RESOLVED:
            case.state, case.ended_at = CaseState.OPEN, None
        if again is not None:
            case.ours_fen, case.theirs_fen = again.ours_fen, again.theirs_fen
            case.detail = again.detail
    fresh = [
        ReconciliationCase(
            run_id=run.id,
            community_id=community_of(one),
            kind=one.kind,
            key=one.key,
            ours_fen=one.ours_fen,
            theirs_fen=one.theirs_fen,
            detail=one.detail,
            state=CaseState.OPEN,
            opened_at=tx.now,
        )
        for one in by_key.values()
    ]
    tx.session.add_all(fresh)
    tx.session.flush()
    return sum(case.state in UNSETTLED for case in (*cases, *fresh))


def _community_of(tx: Transaction, run: ReconciliationRun, one: Difference) -> int | None:
    if one.is_refund:
        asked = select(Refund.community_id).where(Refund.refund_no == one.number)
    else:
        asked = select(PaymentOrder.community_id).where(
            PaymentOrder.out_trade_no == one.number, PaymentOrder.mchid == run.mchid
        )
    return tx.session.execute(asked).scalar_one_or_none()


def tell_of_cases(tx: Transaction, run: ReconciliationRun, unsettled: int) -> None:
    """Open the task of a run with open differences, or end it when the last was settled."""
    if not unsettled:
        close_task(tx, kind=DIFFERS, subject=subject_of(run))
        return
    open_task(
        tx,
        kind=DIFFERS,
        subject=subject_of(run),
        title=f"{say_run(run)}对账有差异，请逐条核实处理（flask reconcile list）",
    )


def say_run(run: ReconciliationRun) -> str:
    """Name a run as people do."""
    shown = CHANNEL_SHOWN.get(PaymentChannel(run.channel), run.channel)
    return f"{shown}商户 {run.mchid} {run.day} "


def find_lost(
    tx: Transaction, run: ReconciliationRun, found: Iterable[Difference]
) -> Sequence[int]:
    """Find the orders of ours that the channel says were paid, though not to our knowledge."""
    numbers = [one.number for one in found if one.kind is CaseKind.MISSING_LOCAL]
    return tx.session.scalars(
        select(PaymentOrder.id)
        .where(
            # As one array: a statement may hold more rows than a query may have parameters.
            PaymentOrder.out_trade_no == any_(literal(numbers, ARRAY(Text))),
            PaymentOrder.channel == run.channel,
            PaymentOrder.mchid == run.mchid,
        )
        .order_by(PaymentOrder.id)
    ).all()
