"""What an account may see and pay: asked in the query, in one place."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    ScalarSelect,
    func,
    or_,
    select,
    union_all,
)
from sqlalchemy.orm import InstrumentedAttribute, Session

from domain.actors import Actor
from domain.bill_states import BillState
from domain.transfers import UnpaidChoice
from models import (
    Account,
    Allocation,
    Bill,
    HouseBinding,
    HouseTransfer,
    OwnerPhone,
    TransferDebt,
    TransferParty,
)


def sees_bills_of(
    house_id: InstrumentedAttribute[int], actor: Actor, today: date
) -> ColumnElement[bool]:
    """Join a house to the actor's live binding that lets them see its bills and money.

    Owners and family do, a tenant where an owner allows it. Source: domain.md D11.
    """
    return _is_live(house_id, actor, today) & _sees()


def pays_bills_of(
    house_id: InstrumentedAttribute[int], actor: Actor, today: date
) -> ColumnElement[bool]:
    """Join a house to the actor's live binding that lets them pay for it."""
    return _is_live(house_id, actor, today) & _sees() & _pays()


def own_bill_ids(actor: Actor, today: date, *, to_pay: bool = False) -> CompoundSelect[tuple[int]]:
    """Select the ids of all live bills that the actor may see, or pay.

    These are the bills of bound houses, without those of before a transfer that are the sellers'
    debt; and, as a seller, just those, though the house is no longer bound.

    Source: docs/adr/0023.
    """
    binds = pays_bills_of if to_pay else sees_bills_of
    of_houses = (
        select(Bill.id)
        .join(HouseBinding, binds(Bill.house_id, actor, today))
        .where(Bill.is_live, ~_is_sellers())
    )
    of_sales = (
        select(TransferDebt.bill_id)
        .join(HouseTransfer, HouseTransfer.id == TransferDebt.transfer_id)
        .join(TransferParty, TransferParty.transfer_id == HouseTransfer.id)
        .join(OwnerPhone, OwnerPhone.owner_id == TransferParty.owner_id)
        .join(Account, Account.phone == OwnerPhone.phone)
        .where(
            Account.id == actor.account_id,
            OwnerPhone.opens_houses,
            TransferParty.side == "seller",
            HouseTransfer.undone_at.is_(None),
        )
    )
    return union_all(of_houses, of_sales)


def sellers_bill_ids(session: Session, actor: Actor, house_id: int, today: date) -> Sequence[int]:
    """List the bills of a house that were its sellers' business and stay theirs to see."""
    return session.scalars(
        select(Bill.id)
        .join(HouseBinding, sees_bills_of(Bill.house_id, actor, today))
        .where(Bill.house_id == house_id, _is_sellers())
    ).all()


def bought_on() -> ScalarSelect[date]:
    """Tell of a row of `HouseBinding` since when its house is the business of whoever is bound.

    None where they were bound before any transfer.
    """
    return (
        select(func.max(HouseTransfer.cut_on))
        .where(
            HouseTransfer.house_id == HouseBinding.house_id,
            HouseTransfer.undone_at.is_(None),
            HouseTransfer.made_at <= HouseBinding.created_at,
        )
        .correlate(HouseBinding)
        .scalar_subquery()
    )


def _is_sellers() -> ColumnElement[bool]:
    """Hold bills of a bound house to those of before a transfer that the buyers did not assume.

    With open bills that were assumed, what was paid by then is still the sellers' alone.
    """
    is_debt = select(TransferDebt.bill_id).where(TransferDebt.bill_id == Bill.id).exists()
    is_paid_since = (
        select(Allocation.id)
        .where(Allocation.bill_id == Bill.id, Allocation.created_at > HouseTransfer.made_at)
        .exists()
    )
    is_of_before = (
        select(HouseTransfer.id)
        .where(
            HouseTransfer.house_id == Bill.house_id,
            HouseTransfer.undone_at.is_(None),
            HouseTransfer.cut_on >= Bill.period_until,
            HouseTransfer.made_at <= HouseBinding.created_at,
            (HouseTransfer.unpaid == UnpaidChoice.SELLER)
            | ((Bill.state == BillState.PAID) & ~is_paid_since),
        )
        .exists()
    )
    return is_debt | is_of_before


def _is_live(
    house_id: InstrumentedAttribute[int], actor: Actor, today: date
) -> ColumnElement[bool]:
    return (
        (HouseBinding.house_id == house_id)
        & (HouseBinding.account_id == actor.account_id)
        & is_live_binding(today)
    )


def is_live_binding(today: date) -> ColumnElement[bool]:
    """Hold rows of `HouseBinding` to those that give anything today."""
    return (HouseBinding.status == "active") & or_(
        HouseBinding.live_until.is_(None), HouseBinding.live_until > today
    )


def _sees() -> ColumnElement[bool]:
    """The SQL twin of `domain.house_roles.rights_of`, which a test holds it to."""
    return (HouseBinding.role == "owner") | func.coalesce(
        HouseBinding.may_see_bills, HouseBinding.role == "family"
    )


def _pays() -> ColumnElement[bool]:
    return (HouseBinding.role == "owner") | func.coalesce(
        HouseBinding.may_pay, HouseBinding.role == "family"
    )
