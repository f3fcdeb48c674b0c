"""Which items a new batch charges: those whose time has come."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from sqlalchemy import func, select

from domain.bill_states import BatchState, LineKind
from domain.charges import ChargeMethod
from domain.cycles import BillingTiming, CycleAnchor, periods_billed_in
from domain.errors import Conflict, InvalidInput, NotFound
from domain.periods import Span
from models import Bill, BillBatch, BillLine, FeeItem, OneOffCharge, SharePool
from services.bills.run_items import make_run_item
from services.unit_of_work import Transaction

ADVANCE_DAYS = 62
"""How long before its month a batch in advance may be made; more is a typing mistake."""


class PeriodNotOver(InvalidInput):
    """Bills in arrears are made for a period that has ended."""

    code = "period_not_over"
    message = "账期还没有结束，不能生成后付账单"


class PoolMissing(InvalidInput):
    """A shared item has nothing to share in the period."""

    code = "pool_missing"
    message = "公摊项目本期还没有公摊总额，请先录入"


class PoolAlreadyShared(Conflict):
    """The pool's bills are published: a second run would share it twice."""

    code = "pool_already_shared"
    message = "本期公摊已分摊并发布，不能再次分摊"


def choose_items(
    tx: Transaction, *, community_id: int, month: Span, chosen: Sequence[int], today: date
) -> list[int]:
    """Tell the items of a batch: the chosen ones, or all active ones whose time has come.

    Raises:
        NotFound: a chosen item is not an active one of the community.
        PeriodNotOver: it is billed in arrears and the month has not ended, or the month is far off.
        PoolMissing, PoolAlreadyShared: it is shared and has no pool, or one that was shared.
        InvalidInput: there is nothing to charge.
    """
    active = {
        item.id: item
        for item in tx.session.scalars(
            select(FeeItem).where(FeeItem.community_id == community_id, FeeItem.is_active)
        )
    }
    if not set(chosen) <= set(active):
        raise NotFound("没有这个收费项目，或它已停用")
    if not active:
        raise InvalidInput("小区还没有收费项目，请先添加")
    ready: list[int] = []
    refusals: list[InvalidInput | Conflict] = []
    for item_id in sorted(set(chosen) or active):
        refusal = _why_not(tx, active[item_id], month, today)
        if refusal is None:
            ready.append(item_id)
        elif chosen:
            raise refusal
        else:
            refusals.append(refusal)
    if not ready:
        raise refusals[0]
    return ready


def _why_not(
    tx: Transaction, item: FeeItem, month: Span, today: date
) -> InvalidInput | Conflict | None:
    if item.billing_timing == BillingTiming.IN_ARREARS:
        if month.ends_before > today:
            return PeriodNotOver()
    elif month.starts_on > today + timedelta(days=ADVANCE_DAYS):
        return PeriodNotOver("账期还太远，预付账单最多提前两个月生成")
    if item.charge_method == ChargeMethod.SHARE:
        return _why_not_shared(tx, item, month)
    if item.charge_method == ChargeMethod.ONE_OFF:
        charge = tx.session.execute(
            select(OneOffCharge.id)
            .where(
                OneOffCharge.fee_item_id == item.id,
                OneOffCharge.state == "open",
                OneOffCharge.charged_on >= month.starts_on,
                OneOffCharge.charged_on < month.ends_before,
            )
            .limit(1)
        ).first()
        return None if charge else InvalidInput("本月没有临时收费")
    return None


def _why_not_shared(tx: Transaction, item: FeeItem, month: Span) -> InvalidInput | Conflict | None:
    cycle = make_run_item(item, ()).cycle
    if cycle.anchor is CycleAnchor.ANNIVERSARY:
        return PoolMissing()
    # A pool of several months is billed in one of them only.
    periods = periods_billed_in(cycle, month, anchor_on=None)
    if not periods:
        return InvalidInput("公摊项目在该月没有要出账的周期")
    pool = tx.session.scalars(
        select(SharePool).where(
            SharePool.fee_item_id == item.id,
            SharePool.state == "open",
            SharePool.period_from == periods[0].starts_on,
        )
    ).one_or_none()
    if pool is None:
        return PoolMissing()
    shared_fen = tx.session.execute(
        select(func.sum(BillLine.amount_fen))
        .join(Bill, Bill.id == BillLine.bill_id)
        .join(BillBatch, BillBatch.id == Bill.batch_id)
        .where(
            BillLine.kind == LineKind.PRINCIPAL,
            Bill.fee_item_id == item.id,
            Bill.period_from == pool.period_from,
            Bill.is_live,
            BillBatch.state == BatchState.PUBLISHED,
        )
    ).scalar_one()
    # Less than the pool: a share was voided, and its house waits for another bill.
    return PoolAlreadyShared() if (shared_fen or 0) >= pool.amount_fen else None
