"""Share pools: an amount that houses bear together for a period."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from domain.actors import Actor, Permission
from domain.bill_states import BatchState
from domain.charges import ChargeMethod
from domain.cycles import Cycle, CycleAnchor, periods_billed_in
from domain.errors import Conflict, InvalidInput, NotFound
from domain.money import MAX_FEN, round_half_up
from domain.periods import Span, calendar_month
from domain.shares import ShareBy
from models import Bill, BillBatch, Building, FeeItem, House, SharePool, SharePoolWeight
from services.audit import record
from services.bills.run_items import make_run_item
from services.scopes import in_scope
from services.unit_of_work import Transaction, UnitOfWork, violates

_STEP = Decimal("0.0001")
_PRICE_STEP = Decimal("0.000001")
_LIMIT = Decimal(10**9)


class PoolExists(Conflict):
    """The item has a pool for the period already."""

    code = "pool_exists"
    message = "这个项目本期已有公摊总额，请先撤销原来的"


class PoolBilled(Conflict):
    """Bills of the pool are published: it can neither be changed nor shared again."""

    code = "pool_billed"
    message = "本期公摊账单已发布，不能再改动，请用账单调整更正"


@dataclass(frozen=True, slots=True)
class NewPool:
    """A pool as it is typed: an amount in fen, or units times a unit price in yuan.

    Without buildings the whole community bears it; ``weights`` by house id only for ``custom``.
    """

    share_by: ShareBy
    amount_fen: int | None = None
    units: Decimal | None = None
    unit_price: Decimal | None = None
    building_ids: Sequence[int] = ()
    weights: Mapping[int, Decimal] = field(default_factory=dict)
    source_document: str = ""

    @property
    def total_fen(self) -> int:
        """The whole, rounded half up once."""
        if self.amount_fen is not None:
            return self.amount_fen
        return round_half_up(100 * Fraction(self.units or 0) * Fraction(self.unit_price or 0))


@dataclass(frozen=True, slots=True)
class PoolView:
    """A pool on file."""

    id: int
    fee_item_id: int
    item: str
    period: Span
    amount_fen: int
    share_by: ShareBy
    state: str
    source_document: str


@dataclass(frozen=True)
class SharePools:
    """What is shared out."""

    unit_of_work: UnitOfWork

    def add(
        self, *, actor: Actor, community_id: int, fee_item_id: int, month: date, pool: NewPool
    ) -> int:
        """Put the pool of an item on file for the period that the run of a month bills.

        Raises:
            InvalidInput: a field cannot be used, or the item bills no period in that month.
            PoolExists: there is one for the period.
            PoolBilled: bills of the period are published.
            NotFound: no such item of the community that is shared, or no such building or house.
        """
        actor.must(Permission.MANAGE_FEES)
        actor.must_cover(community_id)
        _check(pool)

        def work(tx: Transaction) -> int:
            item = _lock_item(tx, community_id, fee_item_id)
            period = _period(item, calendar_month(month))
            _refuse_billed(tx.session, item.id, period)
            _check_scope(tx.session, community_id, pool)
            row = SharePool(
                community_id=community_id,
                fee_item_id=item.id,
                period_from=period.starts_on,
                period_until=period.ends_before,
                amount_fen=pool.total_fen,
                units=pool.units,
                unit_price=pool.unit_price,
                share_by=pool.share_by,
                building_ids=sorted(set(pool.building_ids)) or None,
                source_document=pool.source_document.strip(),
                made_by_staff_id=actor.id,
                created_at=tx.now,
            )
            tx.session.add(row)
            tx.session.flush()
            tx.session.add_all(
                SharePoolWeight(pool_id=row.id, house_id=house_id, weight=weight)
                for house_id, weight in sorted(pool.weights.items())
            )
            record(
                tx,
                actor,
                "pool_added",
                subject_type="share_pool",
                subject_id=row.id,
                community_id=community_id,
                facts={
                    "period": str(period),
                    "amount_fen": row.amount_fen,
                    "share_by": pool.share_by,
                    "source_document": row.source_document,
                },
            )
            return row.id

        try:
            return self.unit_of_work.run(work)
        except IntegrityError as error:
            if violates(error, "uq_share_pool_open"):
                raise PoolExists from error
            raise

    def cancel(self, *, actor: Actor, pool_id: int, reason: str) -> None:
        """Withdraw a pool of which nothing is published; bills under review are made anew.

        Raises:
            InvalidInput: no reason given.
            NotFound: no open pool.
            PoolBilled: bills of its period are published.
        """
        actor.must(Permission.MANAGE_FEES)
        if not reason.strip():
            raise InvalidInput(fields={"reason": ["请填写原因"]})

        def work(tx: Transaction) -> None:
            pool = tx.session.execute(
                select(SharePool)
                .where(
                    SharePool.id == pool_id,
                    SharePool.state == "open",
                    in_scope(SharePool.community_id, actor),
                )
                .with_for_update()
            ).scalar_one_or_none()
            if pool is None:
                raise NotFound
            _refuse_billed(tx.session, pool.fee_item_id, Span(pool.period_from, pool.period_until))
            pool.state = "cancelled"
            record(
                tx,
                actor,
                "pool_cancelled",
                subject_type="share_pool",
                subject_id=pool_id,
                community_id=pool.community_id,
                facts={"reason": reason.strip()[:200]},
            )

        self.unit_of_work.run(work)

    def list_pools(self, *, actor: Actor, community_id: int) -> Sequence[PoolView]:
        """List the pools of a community, newest period first."""
        actor.must(Permission.VIEW_ESTATE)
        actor.must_cover(community_id)
        with self.unit_of_work.reading() as session:
            rows = session.execute(
                select(SharePool, FeeItem.name)
                .join(FeeItem, FeeItem.id == SharePool.fee_item_id)
                .where(SharePool.community_id == community_id)
                .order_by(SharePool.period_from.desc(), SharePool.id.desc())
            ).all()
        return [
            PoolView(
                id=row.id,
                fee_item_id=row.fee_item_id,
                item=name,
                period=Span(row.period_from, row.period_until),
                amount_fen=row.amount_fen,
                share_by=ShareBy(row.share_by),
                state=row.state,
                source_document=row.source_document,
            )
            for row, name in rows
        ]


def _lock_item(tx: Transaction, community_id: int, fee_item_id: int) -> FeeItem:
    item = tx.session.execute(
        select(FeeItem)
        .where(
            FeeItem.id == fee_item_id,
            FeeItem.community_id == community_id,
            FeeItem.charge_method == ChargeMethod.SHARE,
        )
        .with_for_update()
    ).scalar_one_or_none()
    if item is None:
        raise NotFound("没有这个公摊项目")
    return item


def _period(item: FeeItem, month: Span) -> Span:
    cycle: Cycle = make_run_item(item, ()).cycle
    if cycle.anchor is CycleAnchor.ANNIVERSARY:
        raise InvalidInput("公摊项目只能按自然月周期收费")
    periods = periods_billed_in(cycle, month, anchor_on=None)
    if not periods:
        raise InvalidInput(fields={"month": ["这个项目在该月没有要出账的周期"]})
    return periods[0]


def _refuse_billed(session: Session, fee_item_id: int, period: Span) -> None:
    """Refuse a pool whose bills are published or approved for publication."""
    billed = session.execute(
        select(Bill.id)
        .join(BillBatch, BillBatch.id == Bill.batch_id)
        .where(
            Bill.fee_item_id == fee_item_id,
            Bill.period_from == period.starts_on,
            Bill.is_live,
            BillBatch.state.in_([BatchState.APPROVED, BatchState.PUBLISHED]),
        )
        .limit(1)
    ).first()
    if billed is not None:
        raise PoolBilled


def _check(pool: NewPool) -> None:
    fields: dict[str, list[str]] = {}
    if why := _amount_problem(pool):
        fields["amount_fen"] = [why]
    if (pool.share_by is ShareBy.CUSTOM) != bool(pool.weights):
        fields["weights"] = ["按约定权重分摊时填写权重，其他方式不填"]
    elif not all(_is_fine(weight, _STEP) for weight in pool.weights.values()):
        fields["weights"] = ["权重应大于 0、最多 4 位小数"]
    if len(pool.source_document.strip()) > 100:
        fields["source_document"] = ["依据请在 100 字以内"]
    if fields:
        raise InvalidInput(fields=fields)


def _amount_problem(pool: NewPool) -> str:
    given = (pool.units is not None, pool.unit_price is not None)
    if (pool.amount_fen is not None) == any(given) or any(given) != all(given):
        return "请填写总额，或一起填写用量和单价"
    if not (_is_fine(pool.units, _STEP) and _is_fine(pool.unit_price, _PRICE_STEP)):
        return "用量应大于 0、最多 4 位小数，单价应大于 0、最多 6 位小数"
    if not 1 <= pool.total_fen <= MAX_FEN:
        return "总额应大于 0 且不超过 999,999,999.99 元"
    return ""


def _is_fine(number: Decimal | None, step: Decimal) -> bool:
    return number is None or (number.is_finite() and 0 < number < _LIMIT and not number % step)


def _check_scope(session: Session, community_id: int, pool: NewPool) -> None:
    """Refuse buildings and houses of elsewhere."""
    for model, ids in ((Building, set(pool.building_ids)), (House, set(pool.weights))):
        if not ids:
            continue
        found = session.scalars(
            select(model.id).where(model.id.in_(ids), model.community_id == community_id)
        ).all()
        if len(found) != len(ids):
            raise NotFound("有楼栋或房屋不属于这个小区")
