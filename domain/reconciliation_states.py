"""What may become of a day's reconciliation with a channel, and of a difference it found.

Source: domain.md D5: a run that read nothing is failed, not "no difference".
"""

from __future__ import annotations

from enum import StrEnum


class RunState(StrEnum):
    """The states of a run."""

    WAITING = "waiting"
    """The channel has not made its statement yet, or did not answer: it is tried again."""
    DONE = "done"
    FAILED = "failed"


class CaseKind(StrEnum):
    """How our books and the channel's differ; 差错类型."""

    MISSING_LOCAL = "missing_local"
    MISSING_CHANNEL = "missing_channel"
    AMOUNT = "amount"
    STATUS = "status"
    REFUND = "refund"
    """A refund that one side lacks, or with another amount."""
    DUPLICATE = "duplicate"
    """The statement names one trade or refund twice."""
    CASH = "cash"
    """A shift's count differs, or its day ended without a count."""


CASE_SHOWN = {
    CaseKind.MISSING_LOCAL: "渠道有、系统无",
    CaseKind.MISSING_CHANNEL: "系统有、渠道无",
    CaseKind.AMOUNT: "金额不符",
    CaseKind.STATUS: "状态不符",
    CaseKind.REFUND: "退款不符",
    CaseKind.DUPLICATE: "渠道重复",
    CaseKind.CASH: "现金差异",
}


class CaseState(StrEnum):
    """The states of a difference."""

    OPEN = "open"
    AUTO_RESOLVED = "auto_resolved"
    """A later comparison of the same day no longer finds it."""
    HANDLED = "handled"
    ESCALATED = "escalated"


CASE_STATE_SHOWN = {
    CaseState.OPEN: "待处理",
    CaseState.ESCALATED: "已上报",
    CaseState.HANDLED: "已处理",
    CaseState.AUTO_RESOLVED: "已自动消除",
}
CASE_MOVES: dict[CaseState, frozenset[CaseState]] = {
    CaseState.OPEN: frozenset({CaseState.AUTO_RESOLVED, CaseState.HANDLED, CaseState.ESCALATED}),
    CaseState.ESCALATED: frozenset({CaseState.AUTO_RESOLVED, CaseState.HANDLED}),
    CaseState.AUTO_RESOLVED: frozenset({CaseState.OPEN}),
    CaseState.HANDLED: frozenset(),
}
