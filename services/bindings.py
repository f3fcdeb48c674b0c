"""Which houses an account may see the bills of: asked in the query, in one place."""

from __future__ import annotations

from sqlalchemy import ColumnElement
from sqlalchemy.orm import InstrumentedAttribute

from domain.actors import Actor
from models import HouseBinding


def sees_bills_of(house_id: InstrumentedAttribute[int], actor: Actor) -> ColumnElement[bool]:
    """Join a house to the actor's live binding in a role that may see and pay bills.

    Tenants see bills only where the owner allows it, which nobody can yet. Source: domain.md D11.
    """
    return (
        (HouseBinding.house_id == house_id)
        & (HouseBinding.account_id == actor.account_id)
        & (HouseBinding.status == "active")
        & (HouseBinding.role != "tenant")
    )
