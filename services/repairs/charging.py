"""What a house owes for a repair: a one-off charge, whose bill lets the repair go on once paid."""

from __future__ import annotations

from sqlalchemy import select

from domain.actors import Actor
from domain.errors import Conflict
from domain.money import format_yuan
from domain.periods import local_date
from domain.repairs import QuoteState
from models import RepairOrder, RepairQuote
from services.fees.one_offs import NewCharge, add_charge
from services.repairs.rules import rules_of
from services.unit_of_work import Transaction


class ChargeNotAgreed(Conflict):
    """The owner has not agreed to so much."""

    code = "charge_not_agreed"
    message = "收费金额超过业主已同意的报价，请先提交报价"


class RepairsNotCharged(Conflict):
    """The community has no item on which repairs are charged, or it is no house's repair."""

    code = "repairs_not_charged"
    message = "公共区域报修或未设置报修收费项目的小区不能收费"


class RepairCharged(Conflict):
    """The repair has its charge already."""

    code = "repair_charged"
    message = "这张工单已经登记过收费"


def charge_repair(tx: Transaction, actor: Actor, repair: RepairOrder, amount_fen: int) -> int:
    """Put a repair's charge on file and return its id; the run of its month bills it.

    Raises:
        RepairsNotCharged: there is no house, or no item to charge it on.
        RepairCharged: it was charged before it was opened again.
        ChargeNotAgreed: the newest quote that the owner agreed to is lower.
        HouseRetired: the house is retired.
    """
    fee_item_id = rules_of(tx.session, repair.community_id).fee_item_id
    if repair.house_id is None or fee_item_id is None:
        raise RepairsNotCharged
    if repair.one_off_charge_id is not None:
        raise RepairCharged
    agreed = tx.session.execute(
        select(RepairQuote.amount_fen)
        .where(RepairQuote.repair_id == repair.id, RepairQuote.state == QuoteState.APPROVED)
        .order_by(RepairQuote.id.desc())
        .limit(1)
    ).scalar_one_or_none()
    if agreed is None or amount_fen > agreed:
        raise ChargeNotAgreed
    return add_charge(
        tx,
        actor,
        NewCharge(
            community_id=repair.community_id,
            house_id=repair.house_id,
            fee_item_id=fee_item_id,
            charged_on=local_date(tx.now),
            amount_fen=amount_fen,
            source_document=f"报修 {repair.repair_no}，业主已同意报价 {format_yuan(agreed)} 元",
        ),
    )
