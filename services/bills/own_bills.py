"""Bills as their owners see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from sqlalchemy import Select, exists, select

from domain.actors import Actor, Permission
from domain.bill_states import OWNER_SEES, BillState
from domain.errors import NotFound
from domain.houses import house_label
from domain.periods import Span, local_date
from domain.traces import explain
from models import Bill, BillLine, BillLock, Building, FeeItem, House
from services.bindings import own_bill_ids
from services.late_fees import LateFeeView, show_late_fee
from services.payments.quotes import is_payable, owes_late_fee, read_quotes
from services.unit_of_work import UnitOfWork


class BillFilter(StrEnum):
    """Which of their bills an owner asks for."""

    UNPAID = "unpaid"
    PAID = "paid"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class BillView:
    """One bill. ``is_overdue`` is derived: past the due date in Shanghai and not paid.

    ``late_fee_fen`` is what is left of the late fee as of today, ``discount_fen`` what goes off
    for paying all of it today.
    """

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
    late_fee_fen: int
    discount_fen: int
    is_overdue: bool
    is_in_payment: bool

    @property
    def outstanding_fen(self) -> int:
        """What paying it today costs."""
        return self.amount_fen - self.paid_fen + self.late_fee_fen - self.discount_fen


@dataclass(frozen=True, slots=True)
class LineView:
    """One line: its amount, how it came about in a sentence, and the trace behind that."""

    line_no: int
    amount_fen: int
    explanation: str
    trace: dict[str, Any]


@dataclass(frozen=True, slots=True)
class BillDetail:
    """A bill, all its lines, and its late fee today and tomorrow."""

    bill: BillView
    lines: tuple[LineView, ...]
    late_fee: LateFeeView


@dataclass(frozen=True, slots=True)
class Outstanding:
    """What paying everything today costs an owner over all their houses.

    ``amount_fen`` has the late fees in it and the discounts off.
    """

    bill_count: int
    amount_fen: int
    late_fee_fen: int
    discount_fen: int


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
            query = query.where(is_payable())
        elif which is BillFilter.PAID:
            query = query.where(Bill.state == BillState.PAID, ~owes_late_fee())
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
            late_fee = show_late_fee(session, bill_id, self._today())
        return BillDetail(
            found[0],
            tuple(
                LineView(
                    line.line_no, line.amount_fen, explain(line.trace, line.amount_fen), line.trace
                )
                for line in lines
            ),
            late_fee,
        )

    def sum_outstanding(self, *, actor: Actor) -> Outstanding:
        """Count and add up what everything that is open costs today."""
        actor.must(Permission.VIEW_OWN_BILLS)
        with self.unit_of_work.reading() as session:
            bill_ids = session.scalars(
                select(Bill.id).where(Bill.id.in_(own_bill_ids(actor, self._today())), is_payable())
            ).all()
            quotes = read_quotes(session, bill_ids, self._today()).values()
        return Outstanding(
            bill_count=len(quotes),
            amount_fen=sum(quote.amount_fen for quote in quotes),
            late_fee_fen=sum(quote.late_fee_fen for quote in quotes),
            discount_fen=sum(quote.discount_fen for quote in quotes),
        )

    def _today(self) -> date:
        return local_date(self.unit_of_work.clock.now())

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
            .join(House, House.id == Bill.house_id)
            .join(Building, Building.id == House.building_id)
            .join(FeeItem, FeeItem.id == Bill.fee_item_id)
            .where(Bill.id.in_(own_bill_ids(actor, self._today())), Bill.state.in_(OWNER_SEES))
        )

    def _read(self, query: Select[Bill, str, str, str, str, bool]) -> list[BillView]:
        today = self._today()
        with self.unit_of_work.reading() as session:
            rows = session.execute(query).all()
            quotes = read_quotes(session, [row[0].id for row in rows], today)
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
                late_fee_fen=quotes[bill.id].late_fee_fen,
                discount_fen=quotes[bill.id].discount_fen,
                is_overdue=bill.due_date < today and quotes[bill.id].amount_fen > 0,
                is_in_payment=in_payment,
            )
            for bill, building, unit_no, room_no, item, in_payment in rows
        ]
