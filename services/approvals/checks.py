"""Whether a bill lets a money act happen: looked at when it is asked for, and when it is done."""

from __future__ import annotations

from sqlalchemy import func, select, text

from domain.bill_states import OWNER_SEES, PAYABLE_BILLS, BillState
from domain.charges import ChargeMethod
from domain.errors import Conflict, InvalidInput
from domain.money import show_yuan
from models import Bill, BillAdjustment, BillLateFee, FeeItem
from services.unit_of_work import Transaction

_BECAME_PREPAID = text(
    """
    SELECT EXISTS (
        SELECT FROM bill_line WHERE bill_id = :bill_id AND kind = 'adjustment'
           AND (trace ->> 'to_prepaid_fen')::bigint > 0)
    """
)


class BillHasPayment(Conflict):
    """Something was paid of the bill: it cannot be voided."""

    code = "bill_has_payment"
    message = "账单已有缴费，不能作废，请改用账单调整"


class BillNotOpen(Conflict):
    """The bill is not in a state that allows it."""

    code = "bill_not_open"
    message = "账单当前状态不能这样处理"


class MoreThanOpen(InvalidInput):
    """More is asked for than there is."""

    code = "more_than_open"
    message = "金额超过可处理的余额"


def check_open(bill: Bill, amount_fen: int) -> None:
    """Refuse unless so much of a bill is open.

    Raises:
        BillNotOpen, MoreThanOpen: it is not.
    """
    if bill.state not in PAYABLE_BILLS:
        raise BillNotOpen
    if bill.amount_fen - bill.paid_fen < amount_fen:
        raise MoreThanOpen("金额超过账单未缴部分")


def check_voidable(tx: Transaction, bill: Bill) -> None:
    """Refuse unless a bill is published and nothing was paid of it, nor of its late fee.

    What became prepaid of a note that it carries would be given again with the next bill, and a
    note of it that another bill carries would stay without its reason: both refuse.

    Raises:
        BillHasPayment, BillNotOpen: it is not.

    Source: domain.md D4.
    """
    late_fee = tx.session.get(BillLateFee, bill.id)
    if bill.paid_fen or (late_fee is not None and late_fee.paid_fen):
        raise BillHasPayment
    if tx.session.execute(_BECAME_PREPAID, {"bill_id": bill.id}).scalar_one():
        raise BillNotOpen("账单上的调减已有余额转入预存，不能作废，请改用账单调整")
    carried_by = tx.session.scalars(
        select(Bill.bill_no)
        .join(BillAdjustment, BillAdjustment.applied_bill_id == Bill.id)
        .where(
            BillAdjustment.community_id == bill.community_id,
            BillAdjustment.house_id == bill.house_id,
            BillAdjustment.of_bill_id == bill.id,
            BillAdjustment.state == "applied",
        )
        .order_by(BillAdjustment.id)
    ).first()
    if carried_by is not None:
        raise BillNotOpen(f"这张账单的调整已计入账单 {carried_by}，不能作废，请改用账单调整")
    if bill.state != BillState.PUBLISHED:
        raise BillNotOpen


def check_adjustable(tx: Transaction, bill: Bill, note_fen: int) -> None:
    """Refuse a note of a bill that no next bill can carry, or that takes too much off it.

    The credit notes of a bill together never exceed it. Only one that is asked for waits at a time
    (`uq_approval_request_open`), so those that exist are all there is to count.

    Raises:
        BillNotOpen: it was voided or written off, or its item charges once.
        MoreThanOpen: the credit notes would exceed it.
    """
    if bill.state not in OWNER_SEES:
        raise BillNotOpen
    item = tx.session.get_one(FeeItem, bill.fee_item_id)
    if item.charge_method == ChargeMethod.ONE_OFF:
        raise BillNotOpen("临时收费账单请作废后重新录入，不能调整")
    if -note_fen > bill.amount_fen:
        raise MoreThanOpen("调减金额超过原账单金额")
    if note_fen > 0:
        return
    credited = tx.session.execute(
        select(func.coalesce(func.sum(-BillAdjustment.amount_fen), 0)).where(
            BillAdjustment.community_id == bill.community_id,
            BillAdjustment.house_id == bill.house_id,
            BillAdjustment.of_bill_id == bill.id,
            BillAdjustment.amount_fen < 0,
            BillAdjustment.state != "cancelled",
        )
    ).scalar_one()
    credited_fen = int(credited)
    if credited_fen - note_fen > bill.amount_fen:
        raise MoreThanOpen(f"这张账单已调减 {show_yuan(credited_fen)}，加上这笔超过原账单金额")
