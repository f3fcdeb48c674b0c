"""Bills as their owners see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from sqlalchemy import Select, exists, func, select

from domain.actors import Actor, Permission
from domain.bill_states import OWNER_SEES, PAYABLE_BILLS, BillState
from domain.errors import NotFound
from domain.houses import house_label
from domain.periods import Span, local_date
from domain.traces import explain
from models import Bill, BillLine, BillLock, Building, FeeItem, House, HouseBinding
from services.bindings import sees_bills_of
from services.unit_of_work import UnitOfWork


class BillFilter(StrEnum):
    """Which of their bills an owner asks for."""

    UNPAID = "unpaid"
    PAID = "paid"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class BillView:
    """One bill. ``is_overdue`` is derived: past the due date in Shanghai and not paid."""

    id: int
    bill_no: str
    house_id: int
    house: str
    item: str
    period: Span
    due_date: date
    state: BillState
    amount_fen: int
    paid_fen: int
    is_overdue: bool
    is_in_payment: bool

    @property
    def outstanding_fen(self) -> int:
        """What is left to pay."""
        return self.amount_fen - self.paid_fen


@dataclass(frozen=True, slots=True)
class LineView:
    """One line: its amount, how it came about in a sentence, and the trace behind that."""

    line_no: int
    amount_fen: int
    explanation: str
    trace: dict[str, Any]


@dataclass(frozen=True, slots=True)
class BillDetail:
    """A bill and all its lines."""

    bill: BillView
    lines: tuple[LineView, ...]


@dataclass(frozen=True, slots=True)
class Outstanding:
    """What an owner has left to pay over all their houses."""

    bill_count: int
    amount_fen: int


@dataclass(frozen=True)
class OwnBills:
    """What the signed-in owner may know of bills: those of houses bound to them."""

    unit_of_work: UnitOfWork

    def list_own(
        self,
        *,
        actor: Actor,
        which: BillFilter,
        house_id: int | None,
        before_id: int | None,
        limit: int,
    ) -> Sequence[BillView]:
        """List published bills, newest first, from below ``before_id``."""
        query = self._own(actor).order_by(Bill.id.desc()).limit(limit)
        if which is BillFilter.UNPAID:
            query = query.where(Bill.state.in_(PAYABLE_BILLS))
        elif which is BillFilter.PAID:
            query = query.where(Bill.state == BillState.PAID)
        if house_id is not None:
            query = query.where(Bill.house_id == house_id)
        if before_id is not None:
            query = query.where(Bill.id < before_id)
        return self._read(query)

    def show(self, *, actor: Actor, bill_id: int) -> BillDetail:
        """Show one bill and why it is what it is.

        Raises:
            NotFound: none, not published, or not theirs.
        """
        found = self._read(self._own(actor).where(Bill.id == bill_id))
        if not found:
            raise NotFound
        with self.unit_of_work.reading() as session:
            lines = session.scalars(
                select(BillLine).where(BillLine.bill_id == bill_id).order_by(BillLine.line_no)
            ).all()
        return BillDetail(
            found[0],
            tuple(
                LineView(
                    line.line_no, line.amount_fen, explain(line.trace, line.amount_fen), line.trace
                )
                for line in lines
            ),
        )

    def sum_outstanding(self, *, actor: Actor) -> Outstanding:
        """Count and add up what is left to pay, in SQL over everything."""
        actor.must(Permission.VIEW_OWN_BILLS)
        with self.unit_of_work.reading() as session:
            count, amount_fen = session.execute(
                select(func.count(), func.coalesce(func.sum(Bill.amount_fen - Bill.paid_fen), 0))
                .join(HouseBinding, sees_bills_of(Bill.house_id, actor))
                .where(Bill.state.in_(PAYABLE_BILLS))
            ).one()
        return Outstanding(count, int(amount_fen))

    def _own(self, actor: Actor) -> Select[Bill, str, str, str, str, bool]:
        actor.must(Permission.VIEW_OWN_BILLS)
        return (
            select(
                Bill,
                Building.name,
                House.unit_no,
                House.room_no,
                FeeItem.name,
                exists().where(BillLock.bill_id == Bill.id),
            )
            .join(HouseBinding, sees_bills_of(Bill.house_id, actor))
            .join(House, House.id == Bill.house_id)
            .join(Building, Building.id == House.building_id)
            .join(FeeItem, FeeItem.id == Bill.fee_item_id)
            .where(Bill.state.in_(OWNER_SEES))
        )

    def _read(self, query: Select[Bill, str, str, str, str, bool]) -> list[BillView]:
        today = local_date(self.unit_of_work.clock.now())
        with self.unit_of_work.reading() as session:
            rows = session.execute(query).all()
        return [
            BillView(
                id=bill.id,
                bill_no=bill.bill_no,
                house_id=bill.house_id,
                house=house_label(building, unit_no, room_no),
                item=item,
                period=Span(bill.period_from, bill.period_until),
                due_date=bill.due_date,
                state=BillState(bill.state),
                amount_fen=bill.amount_fen,
                paid_fen=bill.paid_fen,
                is_overdue=bill.state in PAYABLE_BILLS and bill.due_date < today,
                is_in_payment=in_payment,
            )
            for bill, building, unit_no, room_no, item, in_payment in rows
        ]
