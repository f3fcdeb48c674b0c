"""The moves of prepaid accounts (预存) and deposits (押金)."""

from __future__ import annotations

from enum import StrEnum


class PrepaidMove(StrEnum):
    """How a prepaid balance changes; the sign of the amount follows from it, save corrections.

    Source: domain.md D3.
    """

    TOPUP = "topup"
    OFFSET = "offset"
    REFUND = "refund"
    TRANSFER = "transfer"
    CORRECTION = "correction"


PREPAID_SHOWN = {
    PrepaidMove.TOPUP: "预存",
    PrepaidMove.OFFSET: "抵扣账单",
    PrepaidMove.REFUND: "退款",
    PrepaidMove.TRANSFER: "转移",
    PrepaidMove.CORRECTION: "更正",
}


class DepositMove(StrEnum):
    """What happens to a deposit."""

    TAKE = "take"
    DEDUCT = "deduct"
    RETURN = "return"


DEPOSIT_SHOWN = {
    DepositMove.TAKE: "收取押金",
    DepositMove.DEDUCT: "押金抵扣",
    DepositMove.RETURN: "退还押金",
}
