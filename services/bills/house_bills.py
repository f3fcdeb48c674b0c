"""Bills as staff see them: any house's, with every line explained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select

from domain.actors import Actor, Permission
from domain.bill_states import BillState
from domain.errors import NotFound
from domain.periods import Span
from domain.traces import explain
from models import Bill, BillLine, FeeItem, House
from services.scopes import houses_in_scope
from services.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True)
class HouseBill:
    """One bill of a house, whatever its state."""

    id: int
    bill_no: str
    item: str
    period: Span
    due_date: date
    state: BillState
    amount_fen: int
    paid_fen: int
    replaces_bill_no: str | None


@dataclass(frozen=True)
class HouseBills:
    """What staff may know of the bills of a community's houses."""

    unit_of_work: UnitOfWork

    def find(self, *, actor: Actor, community_id: int, bill_no: str) -> int:
        """Tell the id of a community's bill by its number.

        Raises:
            NotFound: there is none.
        """
        actor.must(Permission.VIEW_HOUSE_MONEY)
        actor.must_reach(community_id)
        with self.unit_of_work.reading() as session:
            found = session.execute(
                select(Bill.id)
                .join(House, House.id == Bill.house_id)
                .where(
                    Bill.community_id == community_id,
                    Bill.bill_no == bill_no,
                    houses_in_scope(actor),
                )
            ).scalar_one_or_none()
        if found is None:
            raise NotFound(f"没有账单号为 {bill_no} 的账单")
        return found

    def list_bills(self, *, actor: Actor, house_id: int) -> Sequence[HouseBill]:
        """List all bills of a house, newest first, cancelled and voided ones too."""
        actor.must(Permission.VIEW_HOUSE_MONEY)
        replaced = select(Bill.id, Bill.bill_no).subquery()
        with self.unit_of_work.reading() as session:
            rows = session.execute(
                select(Bill, FeeItem.name, replaced.c.bill_no)
                .join(FeeItem, FeeItem.id == Bill.fee_item_id)
                .outerjoin(replaced, replaced.c.id == Bill.replaces_bill_id)
                .join(House, House.id == Bill.house_id)
                .where(Bill.house_id == house_id, houses_in_scope(actor))
                .order_by(Bill.id.desc())
            ).all()
        return [
            HouseBill(
                id=bill.id,
                bill_no=bill.bill_no,
                item=item,
                period=Span(bill.period_from, bill.period_until),
                due_date=bill.due_date,
                state=BillState(bill.state),
                amount_fen=bill.amount_fen,
                paid_fen=bill.paid_fen,
                replaces_bill_no=replaces,
            )
            for bill, item, replaces in rows
        ]

    def explain(self, *, actor: Actor, bill_id: int) -> Sequence[str]:
        """Say of each line of a bill how it came about.

        Raises:
            NotFound: no such bill.
        """
        actor.must(Permission.VIEW_HOUSE_MONEY)
        with self.unit_of_work.reading() as session:
            lines = session.scalars(
                select(BillLine)
                .join(Bill, Bill.id == BillLine.bill_id)
                .join(House, House.id == Bill.house_id)
                .where(BillLine.bill_id == bill_id, houses_in_scope(actor))
                .order_by(BillLine.line_no)
            ).all()
        if not lines:
            raise NotFound
        return [explain(line.trace, line.amount_fen) for line in lines]
