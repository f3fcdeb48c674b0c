"""What a retired house still takes: money that it owes, and nothing new."""

from __future__ import annotations

from sqlalchemy import select

from domain.errors import Conflict
from models import House
from services.unit_of_work import Transaction


class HouseRetired(Conflict):
    """The house is retired: nothing new is kept, registered or charged for it."""

    code = "house_retired"
    message = "该房屋已停用，不能再办理新业务"


def hold_house(tx: Transaction, house_id: int) -> None:
    """Keep a house from being retired until this transaction ends.

    Raises:
        HouseRetired: it is retired.
    """
    retired_on = tx.session.execute(
        select(House.retired_on)
        .where(House.id == house_id)
        .with_for_update(read=True, key_share=True)
    ).scalar_one_or_none()
    if retired_on is not None:
        raise HouseRetired
