"""What may become of a bill batch and of a bill.

Source: domain.md D4. ``overdue`` is derived and "being paid" is a lock row: neither is a state.
"""

from __future__ import annotations

from enum import StrEnum

from domain.errors import Conflict


class BatchState(StrEnum):
    """The states of a bill batch."""

    DRAFT = "draft"
    GENERATING = "generating"
    FAILED = "failed"
    PENDING_REVIEW = "pending_review"
    REJECTED = "rejected"
    APPROVED = "approved"
    PUBLISHED = "published"
    CANCELLED = "cancelled"


BATCH_MOVES: dict[BatchState, frozenset[BatchState]] = {
    BatchState.DRAFT: frozenset({BatchState.GENERATING, BatchState.CANCELLED}),
    BatchState.GENERATING: frozenset(
        {BatchState.PENDING_REVIEW, BatchState.FAILED, BatchState.CANCELLED}
    ),
    BatchState.FAILED: frozenset({BatchState.GENERATING, BatchState.CANCELLED}),
    BatchState.PENDING_REVIEW: frozenset(
        {BatchState.GENERATING, BatchState.APPROVED, BatchState.REJECTED, BatchState.CANCELLED}
    ),
    BatchState.REJECTED: frozenset({BatchState.DRAFT, BatchState.CANCELLED}),
    BatchState.APPROVED: frozenset({BatchState.PUBLISHED, BatchState.CANCELLED}),
    BatchState.PUBLISHED: frozenset(),
    BatchState.CANCELLED: frozenset(),
}


class BillState(StrEnum):
    """The states of a bill."""

    PENDING_REVIEW = "pending_review"
    CANCELLED = "cancelled"
    PUBLISHED = "published"
    PARTIALLY_PAID = "partially_paid"
    PAID = "paid"
    VOIDED = "voided"
    WRITTEN_OFF = "written_off"


BILL_MOVES: dict[BillState, frozenset[BillState]] = {
    BillState.PENDING_REVIEW: frozenset({BillState.PUBLISHED, BillState.PAID, BillState.CANCELLED}),
    BillState.CANCELLED: frozenset(),
    BillState.PUBLISHED: frozenset(
        {BillState.PARTIALLY_PAID, BillState.PAID, BillState.VOIDED, BillState.WRITTEN_OFF}
    ),
    BillState.PARTIALLY_PAID: frozenset(
        {BillState.PUBLISHED, BillState.PAID, BillState.WRITTEN_OFF}
    ),
    # A refund leads back, as far as it takes what was paid.
    BillState.PAID: frozenset({BillState.PUBLISHED, BillState.PARTIALLY_PAID}),
    BillState.VOIDED: frozenset(),
    BillState.WRITTEN_OFF: frozenset(),
}


class LineKind(StrEnum):
    """What a bill line is: what is owed, or what was taken off or added, in this order.

    A waiver, a discount for paying early and its restoring may join a published bill.
    """

    PRINCIPAL = "principal"
    DISCOUNT = "discount"
    ADJUSTMENT = "adjustment"
    WAIVER = "waiver"
    RESTORED = "restored"
    """A discount for paying early that a refund of the payment took back."""


JOINS_LATER = (LineKind.DISCOUNT, LineKind.WAIVER, LineKind.RESTORED)
"""Lines that may join a bill after it was published; their traces say on which day they did."""

LIVE_BILLS = frozenset(BillState) - {BillState.CANCELLED, BillState.VOIDED}
"""Of these at most one may exist per (house, item, period)."""
PAYABLE_BILLS = frozenset({BillState.PUBLISHED, BillState.PARTIALLY_PAID})
OWNER_SEES = PAYABLE_BILLS | {BillState.PAID}
BATCH_SHOWN = {
    BatchState.DRAFT: "草稿",
    BatchState.GENERATING: "生成中",
    BatchState.FAILED: "生成失败",
    BatchState.PENDING_REVIEW: "待审核",
    BatchState.REJECTED: "已退回",
    BatchState.APPROVED: "已审核",
    BatchState.PUBLISHED: "已发布",
    BatchState.CANCELLED: "已取消",
}


class BatchCannotMove(Conflict):
    """The batch is not in a state that allows this step."""

    code = "batch_cannot_move"


def check_batch_move(old: BatchState, new: BatchState) -> None:
    """Refuse a step that the table does not hold.

    Raises:
        BatchCannotMove: the step is not allowed.
    """
    if new not in BATCH_MOVES[old]:
        raise BatchCannotMove(f"批次当前为“{BATCH_SHOWN[old]}”，不能变为“{BATCH_SHOWN[new]}”")
