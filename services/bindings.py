"""What an account may see and pay: asked in the query, in one place."""

from __future__ import annotations

from datetime import date

from sqlalchemy import ColumnElement, CompoundSelect, func, or_, select, union_all
from sqlalchemy.orm import InstrumentedAttribute

from domain.actors import Actor
from models import (
    Account,
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
    is_sellers = select(TransferDebt.bill_id).where(TransferDebt.bill_id == Bill.id).exists()
    is_of_before = (
        select(HouseTransfer.id)
        .where(
            HouseTransfer.house_id == Bill.house_id,
            HouseTransfer.undone_at.is_(None),
            HouseTransfer.unpaid == "seller",
            HouseTransfer.cut_on >= Bill.period_until,
            HouseTransfer.made_at <= HouseBinding.created_at,
        )
        .exists()
    )
    of_houses = (
        select(Bill.id)
        .join(HouseBinding, binds(Bill.house_id, actor, today))
        .where(Bill.is_live, ~is_sellers, ~is_of_before)
    )
    of_sales = (
        select(TransferDebt.bill_id)
        .join(HouseTransfer, HouseTransfer.id == TransferDebt.transfer_id)
        .join(TransferParty, TransferParty.transfer_id == HouseTransfer.id)
        .join(OwnerPhone, OwnerPhone.owner_id == TransferParty.owner_id)
        .join(Account, Account.phone == OwnerPhone.phone)
        .where(
            Account.id == actor.account_id,
            TransferParty.side == "seller",
            HouseTransfer.undone_at.is_(None),
        )
    )
    return union_all(of_houses, of_sales)


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
