"""Rows of houses that a change of base data locks, and what stands in the way of retiring one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from sqlalchemy import SQLColumnExpression, func, select
from sqlalchemy.orm import Session

from domain.actors import Actor
from domain.bill_states import PAYABLE_BILLS, BatchState, BillState
from domain.errors import Conflict, NotFound
from domain.money import show_yuan
from domain.payment_states import OPEN_ORDERS
from models import (
    Bill,
    BillAdjustment,
    BillBatch,
    Building,
    Deposit,
    House,
    OneOffCharge,
    PaymentOrder,
    PaymentOrderBill,
    PrepaidAccount,
)
from services import scopes
from services.base_data.changes import refuse_retired
from services.bills.freshness import hold_reviews
from services.estate import house_label_column
from services.scopes import buildings_in_scope, houses_in_scope
from services.unit_of_work import Transaction


class HouseNameTaken(Conflict):
    """Another house of the community is called so."""

    code = "house_name_taken"
    message = "本小区已有同名房屋，请核对楼栋、单元和房号"


def lock_house(tx: Transaction, actor: Actor, house_id: int) -> House:
    """Lock a house in scope, and keep batches under review from being approved meanwhile.

    Raises:
        NotFound: there is none.
    """
    community_id = tx.session.scalars(
        select(House.community_id).where(House.id == house_id, houses_in_scope(actor))
    ).one_or_none()
    if community_id is None:
        raise NotFound
    hold_reviews(tx.session, [community_id])
    return scopes.lock_house(tx, actor, house_id)


def hold_building(
    tx: Transaction, actor: Actor, building_id: int, *, community_id: int | None = None
) -> Building:
    """Keep a building in scope from being retired until the transaction ends.

    Raises:
        NotFound: there is none, or none in this community.
        IsRetired: it is retired.
    """
    wanted = [Building.id == building_id, buildings_in_scope(actor)]
    if community_id is not None:
        wanted.append(Building.community_id == community_id)
    building = tx.session.execute(
        select(Building).where(*wanted).with_for_update(read=True)
    ).scalar_one_or_none()
    if building is None:
        raise NotFound("没有这个楼栋")
    refuse_retired(building)
    return building


def label_of(session: Session, house_id: int) -> str:
    """Name a house the way its owners do."""
    return session.execute(
        select(house_label_column())
        .select_from(House)
        .join(Building, Building.id == House.building_id)
        .where(House.id == house_id)
    ).scalar_one()


def refuse_taken_name(session: Session, house: House) -> None:
    """Refuse a name that another house of the community has, however its parts are written.

    Raises:
        HouseNameTaken: one has it.
    """
    session.flush()
    found = session.execute(
        select(House.id)
        .join(Building, Building.id == House.building_id)
        .where(
            House.community_id == house.community_id,
            House.id != house.id,
            house_label_column() == label_of(session, house.id),
        )
        .limit(1)
    ).first()
    if found is not None:
        raise HouseNameTaken


def find_blocks(session: Session, house_id: int, retired_on: date) -> list[str]:
    """Say in Chinese what must be settled before a house is retired from a day on."""
    return [words for words in _blocks(session, house_id, retired_on) if words]


def _blocks(session: Session, house_id: int, retired_on: date) -> Iterator[str]:
    count, fen = _sum(
        session,
        Bill.amount_fen - Bill.paid_fen,
        Bill.house_id == house_id,
        Bill.is_live,
        Bill.state.in_(PAYABLE_BILLS),
    )
    yield f"未缴账单 {count} 张共 {show_yuan(fen)}" if count else ""
    approved = select(BillBatch.id).where(BillBatch.state == BatchState.APPROVED)
    count, fen = _sum(
        session,
        Bill.amount_fen,
        Bill.house_id == house_id,
        Bill.is_live,
        Bill.state == BillState.PENDING_REVIEW,
        Bill.batch_id.in_(approved),
    )
    yield f"已审核待发布账单 {count} 张共 {show_yuan(fen)}" if count else ""
    count, fen = _sum(
        session,
        PrepaidAccount.balance_fen,
        PrepaidAccount.house_id == house_id,
        PrepaidAccount.balance_fen > 0,
    )
    yield f"预存余额 {show_yuan(fen)}" if count else ""
    left = Deposit.amount_fen - Deposit.deducted_fen - Deposit.returned_fen
    count, fen = _sum(session, left, Deposit.house_id == house_id, left > 0)
    yield f"未退押金 {count} 笔共 {show_yuan(fen)}" if count else ""
    of_bills = (
        select(PaymentOrderBill.order_id)
        .join(Bill, Bill.id == PaymentOrderBill.bill_id)
        .where(Bill.house_id == house_id)
    )
    count, _ = _sum(
        session,
        PaymentOrder.amount_fen,
        PaymentOrder.state.in_(OPEN_ORDERS),
        (PaymentOrder.topup_house_id == house_id) | PaymentOrder.id.in_(of_bills),
    )
    yield f"进行中的支付 {count} 笔" if count else ""
    count, fen = _sum(
        session,
        OneOffCharge.amount_fen,
        OneOffCharge.house_id == house_id,
        OneOffCharge.state == "open",
        OneOffCharge.charged_on >= retired_on,
    )
    yield f"停用日及以后的临时收费 {count} 笔共 {show_yuan(fen)}" if count else ""
    count, _ = _sum(
        session,
        BillAdjustment.amount_fen,
        BillAdjustment.house_id == house_id,
        BillAdjustment.state == "open",
    )
    yield f"未用于账单的调整 {count} 笔" if count else ""


def _sum(
    session: Session, fen: SQLColumnExpression[int], *which: SQLColumnExpression[bool]
) -> tuple[int, int]:
    """Count rows and add up what is asked of them."""
    count, total = session.execute(
        select(func.count(), func.coalesce(func.sum(fen), 0)).where(*which)
    ).one()
    return count, int(total)
