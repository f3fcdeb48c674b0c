"""The lives of a copy of one's data and of the closing of an account."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

EXPORT_LIFE = timedelta(days=7)
EXPORTS_PER_DAY = 3
EXPORT_ATTEMPTS = 3
COOLING = timedelta(days=7)
"""Source: GB/T 35273-2020, 8.5: an account is closed within 15 days of being asked for."""


class ExportState(StrEnum):
    """Asked for, there, gone after a week, or it could not be made."""

    ASKED = "asked"
    READY = "ready"
    ERASED = "erased"
    FAILED = "failed"


class DeletionState(StrEnum):
    """Waiting, taken back, or carried out."""

    COOLING = "cooling"
    CANCELLED = "cancelled"
    DONE = "done"


EXPORT_SHOWN = {
    ExportState.ASKED: "正在准备",
    ExportState.READY: "可以下载",
    ExportState.ERASED: "已过期删除",
    ExportState.FAILED: "没有成功，请重新申请",
}
DELETION_SHOWN = {
    DeletionState.COOLING: "冷静期",
    DeletionState.CANCELLED: "已撤销",
    DeletionState.DONE: "已注销",
}
