"""Money acts that one member of staff asks for and another decides.

Whoever decides does so within the limit of their role, for all they approve for a house in one
local day. A void has no limit: it makes room for a correct bill and gives nothing away.
"""

from __future__ import annotations

from enum import StrEnum

from domain.actors import Role


class ApprovalKind(StrEnum):
    """What is asked for; 减免/作废/核销/滞纳金减免/账单调整/预存退款/退押金/收款退款."""

    WAIVER = "waiver"
    VOID = "void"
    WRITE_OFF = "write_off"
    LATE_FEE_WAIVER = "late_fee_waiver"
    ADJUSTMENT = "adjustment"
    PREPAID_REFUND = "prepaid_refund"
    DEPOSIT_RETURN = "deposit_return"
    PAYMENT_REFUND = "payment_refund"


APPROVAL_SHOWN = {
    ApprovalKind.WAIVER: "减免",
    ApprovalKind.VOID: "作废账单",
    ApprovalKind.WRITE_OFF: "核销",
    ApprovalKind.LATE_FEE_WAIVER: "滞纳金减免",
    ApprovalKind.ADJUSTMENT: "账单调整",
    ApprovalKind.PREPAID_REFUND: "预存退款",
    ApprovalKind.DEPOSIT_RETURN: "退押金",
    ApprovalKind.PAYMENT_REFUND: "收款退款",
}


class ApprovalState(StrEnum):
    """The states of a request."""

    REQUESTED = "requested"
    APPROVED = "approved"
    REJECTED = "rejected"


APPROVAL_MOVES: dict[ApprovalState, frozenset[ApprovalState]] = {
    ApprovalState.REQUESTED: frozenset({ApprovalState.APPROVED, ApprovalState.REJECTED}),
    ApprovalState.APPROVED: frozenset(),
    ApprovalState.REJECTED: frozenset(),
}

APPROVAL_LIMIT_FEN: dict[Role, int] = {
    Role.MANAGER: 5_000_000,
    Role.FINANCE: 500_000,
}
"""How much one person of a role may give away to a house in a local day, in fen; other roles may
not decide.

Source: domain.md D3 ("a limit per role"); the figures are ours until roles have settings.
"""

WITHOUT_LIMIT = frozenset({ApprovalKind.VOID})
"""What gives nothing away: it counts towards no limit, and none stops it."""
