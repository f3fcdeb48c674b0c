"""What may become of a refund, and where the money that it gives back was.

Source: domain.md D5 and promise M8. The request and its approval are states of the
`ApprovalRequest`; a `Refund` exists once somebody may pay it out. An abnormal refund waits for a
person: it ends when the channel, or that person, says how.
"""

from __future__ import annotations

from enum import StrEnum


class RefundState(StrEnum):
    """The states of a refund."""

    PROCESSING = "processing"
    """It is to be sent, or was sent and the channel has not said how it ended."""
    ABNORMAL = "abnormal"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    """The channel paid nothing and will not: nothing changed for the bills."""


REFUND_MOVES: dict[RefundState, frozenset[RefundState]] = {
    RefundState.PROCESSING: frozenset(
        {RefundState.SUCCEEDED, RefundState.FAILED, RefundState.ABNORMAL}
    ),
    RefundState.ABNORMAL: frozenset({RefundState.SUCCEEDED, RefundState.FAILED}),
    RefundState.SUCCEEDED: frozenset(),
    RefundState.FAILED: frozenset(),
}
REFUND_SHOWN = {
    RefundState.PROCESSING: "退款处理中",
    RefundState.ABNORMAL: "退款异常，待人工处理",
    RefundState.SUCCEEDED: "已退款",
    RefundState.FAILED: "退款失败",
}


class RefundKind(StrEnum):
    """Why money goes out; 原路退款/冲红/退预存/退押金."""

    PAYMENT = "payment"
    REVERSAL = "reversal"
    PREPAID = "prepaid"
    DEPOSIT = "deposit"


class RefundSource(StrEnum):
    """Where a part of the money that a refund gives back was: on a bill, prepaid, in suspense."""

    BILL = "bill"
    PREPAID = "prepaid"
    SUSPENSE = "suspense"
    DEPOSIT = "deposit"


class SurplusPolicy(StrEnum):
    """What becomes of money for a bill that does not take it any more; 多收款处理.

    Source: domain.md D5 rule 6.
    """

    PREPAID = "prepaid"
    REFUND = "refund"
    ASK = "ask"
    """It stays in suspense until a person places it."""


class ResolutionKind(StrEnum):
    """What became of money in suspense."""

    PREPAID = "prepaid"
    REFUND = "refund"
