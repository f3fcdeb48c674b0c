"""Bill batches: drafted, reviewed, approved by somebody else, or sent back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from domain.actors import Actor, Permission
from domain.bill_states import BatchState, BillState, check_batch_move
from domain.errors import InvalidInput, NotFound
from domain.houses import house_label
from domain.periods import Span, calendar_month, local_date
from models import (
    Bill,
    BillBatch,
    BillBatchItem,
    BillException,
    Building,
    Community,
    FeeItem,
    House,
    Staff,
)
from services.audit import record
from services.bills.drafting import choose_items
from services.bills.findings import check_reviewer, check_ticks
from services.bills.freshness import check_fresh
from services.bills.gates import BatchDoesNotAddUp, check_gates
from services.scopes import find_batch, in_scope
from services.unit_of_work import Transaction, UnitOfWork

EXCEPTIONS_SHOWN = 200

# One join and one grouping: joined with a second grouping, a planner without fresh statistics once
# chose to repeat that grouping for every bill.
_CONTENT_SHA256 = text(
    """
    SELECT encode(sha256(convert_to(coalesce(string_agg(sha256, '' ORDER BY id), ''), 'UTF8')),
                  'hex')
      FROM (SELECT bill.id,
                   encode(sha256(convert_to(concat_ws(';', bill.id, bill_no, house_id, fee_item_id,
                       period_from, period_until, issue_date, due_date, bill.amount_fen,
                       string_agg(concat_ws(':', line_no, bill_line.amount_fen, trace), '|'
                                  ORDER BY line_no)
                   ), 'UTF8')), 'hex') AS sha256
              FROM bill JOIN bill_line ON bill_line.bill_id = bill.id
             WHERE bill.batch_id = :batch_id AND bill.state = 'pending_review'
             GROUP BY bill.id) bills
    """
)


@dataclass(frozen=True, slots=True)
class ItemSum:
    """How much a batch charges for one item."""

    item: str
    bill_count: int
    amount_fen: int


@dataclass(frozen=True, slots=True)
class BuildingSum:
    """How much a batch charges in one building."""

    building: str
    bill_count: int
    amount_fen: int


@dataclass(frozen=True, slots=True)
class ExceptionRow:
    """A house that could not be charged, and why."""

    house: str
    item: str
    why: str


@dataclass(frozen=True, slots=True)
class BatchRow:
    """A batch in a list."""

    id: int
    period: Span
    state: BatchState
    bill_count: int
    amount_fen: int
    made_by: str


@dataclass(frozen=True, slots=True)
class BatchView:
    """A batch with its sums by item, and its first exceptions of ``exception_count``."""

    id: int
    community_id: int
    period: Span
    state: BatchState
    houses_total: int
    houses_done: int
    bill_count: int
    amount_fen: int
    items: tuple[ItemSum, ...]
    buildings: tuple[BuildingSum, ...]
    exception_count: int
    exceptions: tuple[ExceptionRow, ...]
    content_sha256: str | None


@dataclass(frozen=True)
class BillBatches:
    """The life of a batch around its generation and publication."""

    unit_of_work: UnitOfWork

    def draft(
        self, *, actor: Actor, community_id: int, month: date, fee_item_ids: Sequence[int] = ()
    ) -> int:
        """Open a batch for the calendar month that holds ``month`` and return its id.

        It bills the periods that end in the month, or begin in it for items in advance. Without
        chosen items all active ones of the community whose time has come are charged.

        Raises:
            NotFound: no such community, or an item is not one of its active items.
            PeriodNotOver: the month has not ended in Shanghai, or is far off.
            PoolMissing, PoolAlreadyShared: a chosen item is shared and has nothing to share.
            InvalidInput: the community has nothing to charge.
        """
        actor.must(Permission.GENERATE_BILLS)
        actor.must_cover(community_id)
        period = calendar_month(month)

        def work(tx: Transaction) -> int:
            if tx.session.get(Community, community_id) is None:
                raise NotFound
            chosen = choose_items(
                tx,
                community_id=community_id,
                month=period,
                chosen=fee_item_ids,
                today=local_date(tx.now),
            )
            batch = BillBatch(
                community_id=community_id,
                period_from=period.starts_on,
                period_until=period.ends_before,
                state=BatchState.DRAFT,
                made_by_staff_id=actor.id,
                created_at=tx.now,
            )
            tx.session.add(batch)
            tx.session.flush()
            tx.session.add_all(
                BillBatchItem(batch_id=batch.id, fee_item_id=item_id) for item_id in chosen
            )
            record(
                tx,
                actor,
                "batch_drafted",
                subject_type="bill_batch",
                subject_id=batch.id,
                community_id=community_id,
                facts={"period": str(period), "fee_item_ids": chosen},
            )
            return batch.id

        return self.unit_of_work.run(work)

    def list_batches(self, *, actor: Actor, community_id: int) -> Sequence[BatchRow]:
        """List the batches of a community, newest first."""
        actor.must(Permission.VIEW_ESTATE)
        actor.must_cover(community_id)
        with self.unit_of_work.reading() as session:
            rows = session.execute(
                select(BillBatch, Staff.name)
                .join(Staff, Staff.id == BillBatch.made_by_staff_id)
                .where(BillBatch.community_id == community_id)
                .order_by(BillBatch.id.desc())
            ).all()
        return [
            BatchRow(
                id=batch.id,
                period=Span(batch.period_from, batch.period_until),
                state=BatchState(batch.state),
                bill_count=batch.bill_count,
                amount_fen=batch.amount_fen,
                made_by=made_by,
            )
            for batch, made_by in rows
        ]

    def show(self, *, actor: Actor, batch_id: int) -> BatchView:
        """Show a batch for review.

        Raises:
            NotFound: no such batch.
        """
        actor.must(Permission.VIEW_ESTATE)
        with self.unit_of_work.reading() as session:
            batch = find_batch(session, actor, batch_id)
            items = _sums(session, batch_id)
            buildings = _sums_by_building(session, batch_id)
            exception_count = session.execute(
                select(func.count())
                .select_from(BillException)
                .where(BillException.batch_id == batch_id)
            ).scalar_one()
            exceptions = session.execute(
                select(Building.name, House.unit_no, House.room_no, FeeItem.name, BillException.why)
                .join(House, House.id == BillException.house_id)
                .join(Building, Building.id == House.building_id)
                .join(FeeItem, FeeItem.id == BillException.fee_item_id)
                .where(BillException.batch_id == batch_id)
                .order_by(House.id, FeeItem.id)
                .limit(EXCEPTIONS_SHOWN)
            ).all()
        return BatchView(
            id=batch.id,
            community_id=batch.community_id,
            period=Span(batch.period_from, batch.period_until),
            state=BatchState(batch.state),
            houses_total=batch.houses_total,
            houses_done=batch.houses_done,
            bill_count=batch.bill_count,
            amount_fen=batch.amount_fen,
            items=items,
            buildings=buildings,
            exception_count=exception_count,
            exceptions=tuple(
                ExceptionRow(house_label(building, unit_no, room_no), item, why)
                for building, unit_no, room_no, item, why in exceptions
            ),
            content_sha256=batch.content_sha256,
        )

    def approve(self, *, actor: Actor, batch_id: int) -> str:
        """Approve a batch, freeze the hash of all its bills and lines, and return the hash.

        Raises:
            NotFound, BatchCannotMove: no such batch, or not under review.
            ReviewerIsMaker: the community asks for a second person.
            BatchStale: base data changed since; computing it again gives other bills.
            FindingsNotTicked: differences or exceptions were not looked at.
            BatchDoesNotAddUp: lines, bills, pools and batch disagree.
        """
        actor.must(Permission.REVIEW_BILLS)

        def work(tx: Transaction) -> str:
            batch = lock_batch(tx, actor, batch_id, BatchState.APPROVED)
            check_reviewer(tx, actor, batch)
            content_sha256 = check_content(tx, batch)
            check_fresh(tx, batch)
            check_ticks(tx, batch_id)
            batch.content_sha256 = content_sha256
            batch.state = BatchState.APPROVED
            batch.approved_by_staff_id = actor.id
            batch.approved_at = tx.now
            _record_move(tx, actor, batch, "batch_approved", sha256=batch.content_sha256)
            return batch.content_sha256

        return self.unit_of_work.run(work)

    def send_back(self, *, actor: Actor, batch_id: int, reason: str) -> None:
        """Reject a batch under review: its bills are cancelled, and it may be generated again.

        Raises:
            NotFound, BatchCannotMove: no such batch, or not under review.
            InvalidInput: no reason given.
        """
        actor.must(Permission.REVIEW_BILLS)
        self._drop(actor, batch_id, BatchState.REJECTED, reason)

    def cancel(self, *, actor: Actor, batch_id: int, reason: str) -> None:
        """Give up a batch that was not published; its bills are cancelled.

        Raises:
            NotFound, BatchCannotMove: no such batch, or published already.
            InvalidInput: no reason given.
        """
        actor.must(Permission.GENERATE_BILLS)
        self._drop(actor, batch_id, BatchState.CANCELLED, reason)

    def _drop(self, actor: Actor, batch_id: int, state: BatchState, reason: str) -> None:
        if not reason.strip():
            raise InvalidInput(fields={"reason": ["请填写原因"]})

        def work(tx: Transaction) -> None:
            batch = lock_batch(tx, actor, batch_id, state)
            tx.session.execute(
                update(Bill)
                .where(Bill.batch_id == batch_id, Bill.state == BillState.PENDING_REVIEW)
                .values(state=BillState.CANCELLED)
            )
            batch.state = state
            batch.bill_count = batch.amount_fen = 0
            batch.content_sha256 = None
            _record_move(tx, actor, batch, f"batch_{state}", reason=reason.strip()[:200])

        self.unit_of_work.run(work)


def lock_batch(tx: Transaction, actor: Actor, batch_id: int, new: BatchState) -> BillBatch:
    """Lock a batch of the actor's scope that may move to a state.

    Raises:
        NotFound: no such batch.
        BatchCannotMove: the step is not allowed from where it stands.
    """
    batch = tx.session.execute(
        select(BillBatch)
        .where(BillBatch.id == batch_id, in_scope(BillBatch.community_id, actor))
        .with_for_update()
    ).scalar_one_or_none()
    if batch is None:
        raise NotFound
    check_batch_move(BatchState(batch.state), new)
    return batch


def check_content(tx: Transaction, batch: BillBatch) -> str:
    """Check that everything adds up and return the hash over all bills and lines.

    Raises:
        BatchDoesNotAddUp: with the rows that do not.
    """
    check_gates(tx.session, batch.id)
    count, amount_fen = tx.session.execute(
        select(func.count(), func.coalesce(func.sum(Bill.amount_fen), 0)).where(
            Bill.batch_id == batch.id, Bill.state == BillState.PENDING_REVIEW
        )
    ).one()
    if (count, amount_fen) != (batch.bill_count, batch.amount_fen):
        raise BatchDoesNotAddUp
    found: str = tx.session.execute(_CONTENT_SHA256, {"batch_id": batch.id}).scalar_one()
    return found


def _sums(session: Session, batch_id: int) -> tuple[ItemSum, ...]:
    rows = session.execute(
        select(FeeItem.name, func.count(), func.sum(Bill.amount_fen))
        .join(FeeItem, FeeItem.id == Bill.fee_item_id)
        .where(Bill.batch_id == batch_id, Bill.state != BillState.CANCELLED)
        .group_by(FeeItem.id)
        .order_by(FeeItem.id)
    ).all()
    return tuple(ItemSum(item, count, int(amount_fen)) for item, count, amount_fen in rows)


def _sums_by_building(session: Session, batch_id: int) -> tuple[BuildingSum, ...]:
    rows = session.execute(
        select(Building.name, func.count(), func.sum(Bill.amount_fen))
        .join(House, House.id == Bill.house_id)
        .join(Building, Building.id == House.building_id)
        .where(Bill.batch_id == batch_id, Bill.state != BillState.CANCELLED)
        .group_by(Building.id)
        .order_by(Building.id)
    ).all()
    return tuple(BuildingSum(name, count, int(amount_fen)) for name, count, amount_fen in rows)


def _record_move(
    tx: Transaction, actor: Actor, batch: BillBatch, action: str, **facts: str
) -> None:
    record(
        tx,
        actor,
        action,
        subject_type="bill_batch",
        subject_id=batch.id,
        community_id=batch.community_id,
        facts={"bill_count": batch.bill_count, "amount_fen": batch.amount_fen, **facts},
    )
