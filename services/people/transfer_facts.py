"""What a transfer finds: owners, bills, prepaid money, bindings and tenants of a house."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from domain.bill_states import PAYABLE_BILLS
from domain.house_roles import OWNING_ROLES, ROLE_SHOWN
from domain.periods import Span
from domain.transfers import Parting, part_bill
from models import (
    Bill,
    BillLock,
    FeeItem,
    HouseBinding,
    HousePerson,
    Owner,
    PrepaidAccount,
    TransferDebt,
)
from services.people.part_rows import show_share


@dataclass(frozen=True, slots=True)
class TransferPerson:
    """Somebody of the house at the cut day: a seller, or one who stays or goes with them."""

    person_id: int
    owner_id: int
    name: str
    role: str
    role_shown: str
    share_ratio: str | None
    person_until: date | None


@dataclass(frozen=True, slots=True)
class TransferBill:
    """A published bill that a transfer has to do with; ``parting`` where it covers the cut day."""

    id: int
    bill_no: str
    item: str
    period: Span
    amount_fen: int
    open_fen: int
    is_in_payment: bool
    parting: Parting | None


@dataclass(frozen=True, slots=True)
class TransferPrepaid:
    """A prepaid account of the house with money in it."""

    account_id: int
    item: str
    balance_fen: int


def read_people_on(session: Session, house_id: int, day: date) -> list[TransferPerson]:
    """Read who is somebody to a house on a day or later, by part."""
    rows = session.execute(
        select(HousePerson, Owner.name)
        .join(Owner, Owner.id == HousePerson.owner_id)
        .where(
            HousePerson.house_id == house_id,
            or_(HousePerson.person_until.is_(None), HousePerson.person_until > day),
        )
        .order_by(HousePerson.id)
    ).all()
    return [
        TransferPerson(
            row.id,
            row.owner_id,
            name,
            row.role,
            ROLE_SHOWN[row.role],
            show_share(row.share_ratio),
            row.person_until,
        )
        for row, name in rows
    ]


def version_of(house_id: int, people: Sequence[TransferPerson]) -> str:
    """Make the mark of a house's people that a preview gives and the act must bring back."""
    words = [str(house_id)] + [
        f"{one.person_id}:{one.role}:{one.share_ratio}:{one.person_until}" for one in people
    ]
    return hashlib.sha256("|".join(words).encode()).hexdigest()[:32]


def is_owning(person: TransferPerson) -> bool:
    """Tell whether somebody owns the house, wholly or partly."""
    return person.role in OWNING_ROLES


def read_bills(session: Session, house_id: int, cut_on: date) -> list[TransferBill]:
    """Read the bills of before the cut day that are open, and those that cover it, oldest first.

    Bills that are an earlier seller's debt are theirs and stay out.
    """
    rows = session.execute(
        select(Bill, FeeItem.name, BillLock.bill_id.is_not(None))
        .join(FeeItem, FeeItem.id == Bill.fee_item_id)
        .outerjoin(BillLock, BillLock.bill_id == Bill.id)
        .outerjoin(TransferDebt, TransferDebt.bill_id == Bill.id)
        .where(
            Bill.house_id == house_id,
            Bill.is_live,
            Bill.published_at.is_not(None),
            TransferDebt.bill_id.is_(None),
            Bill.period_from < cut_on,
            or_(Bill.state.in_(PAYABLE_BILLS), Bill.period_until > cut_on),
        )
        .order_by(Bill.period_from, Bill.id)
    ).all()
    found = []
    for bill, item, is_in_payment in rows:
        period = Span(bill.period_from, bill.period_until)
        is_open = bill.state in PAYABLE_BILLS
        found.append(
            TransferBill(
                bill.id,
                bill.bill_no,
                item,
                period,
                bill.amount_fen,
                bill.amount_fen - bill.paid_fen if is_open else 0,
                is_in_payment,
                part_bill(bill.amount_fen, period, cut_on),
            )
        )
    return found


def read_prepaid(session: Session, house_id: int) -> list[TransferPrepaid]:
    """Read what the house has paid ahead, by account."""
    rows = session.execute(
        select(PrepaidAccount.id, FeeItem.name, PrepaidAccount.balance_fen)
        .outerjoin(FeeItem, FeeItem.id == PrepaidAccount.fee_item_id)
        .where(PrepaidAccount.house_id == house_id, PrepaidAccount.balance_fen > 0)
        .order_by(PrepaidAccount.id)
    ).all()
    return [TransferPrepaid(id_, item or "通用", balance_fen) for id_, item, balance_fen in rows]


def count_bindings(session: Session, house_id: int, owner_ids: Sequence[int]) -> int:
    """Count the live bindings of people of a house."""
    return len(
        session.scalars(
            select(HouseBinding.id).where(
                HouseBinding.house_id == house_id,
                HouseBinding.owner_id.in_(owner_ids),
                HouseBinding.status == "active",
            )
        ).all()
    )
