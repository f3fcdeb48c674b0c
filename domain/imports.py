"""What can be imported, and what may become of a batch that somebody handed in."""

from __future__ import annotations

from enum import StrEnum

from domain import house_sheet, reading_sheet, space_sheet
from domain.actors import Permission
from domain.errors import Conflict


class ImportKind(StrEnum):
    """The sheets that we take: 房屋业主, 车位, 水表读数."""

    OWNERS = "owners"
    SPACES = "spaces"
    READINGS = "readings"


SHEET_OF = {
    ImportKind.OWNERS: house_sheet.SHEET_NAME,
    ImportKind.SPACES: space_sheet.SHEET_NAME,
    ImportKind.READINGS: reading_sheet.SHEET_NAME,
}
KIND_OF = {name: kind for kind, name in SHEET_OF.items()}
PERMISSION_OF = {
    ImportKind.OWNERS: Permission.IMPORT_OWNERS,
    ImportKind.SPACES: Permission.IMPORT_OWNERS,
    ImportKind.READINGS: Permission.READ_METERS,
}
FILE_LIMIT = 10 * 1024 * 1024
"""Source: reliability.md, bad-input matrix, xlsx."""


class ImportState(StrEnum):
    """The states of a batch; in those of `BUSY` a worker has something to do."""

    UPLOADED = "uploaded"
    CHECKING = "checking"
    CHECKED = "checked"
    IMPORTING = "importing"
    FINISHED = "finished"
    FAILED = "failed"
    UNDOING = "undoing"
    UNDONE = "undone"


STATE_SHOWN = {
    ImportState.UPLOADED: "等待检查",
    ImportState.CHECKING: "正在检查",
    ImportState.CHECKED: "已检查，未导入",
    ImportState.IMPORTING: "正在导入",
    ImportState.FINISHED: "已导入",
    ImportState.FAILED: "失败",
    ImportState.UNDOING: "正在撤销",
    ImportState.UNDONE: "已撤销",
}
BUSY = (
    ImportState.UPLOADED,
    ImportState.CHECKING,
    ImportState.IMPORTING,
    ImportState.UNDOING,
)
IMPORT_MOVES: dict[ImportState, frozenset[ImportState]] = {
    ImportState.UPLOADED: frozenset({ImportState.CHECKING, ImportState.FAILED}),
    ImportState.CHECKING: frozenset({ImportState.CHECKED, ImportState.FAILED}),
    ImportState.CHECKED: frozenset({ImportState.IMPORTING}),
    ImportState.IMPORTING: frozenset({ImportState.FINISHED, ImportState.FAILED}),
    ImportState.FINISHED: frozenset({ImportState.UNDOING}),
    # What was written before the failure stays: it may be gone on with, or taken back.
    ImportState.FAILED: frozenset({ImportState.IMPORTING, ImportState.UNDOING}),
    # Back to finished when something came to depend on it meanwhile.
    ImportState.UNDOING: frozenset({ImportState.UNDONE, ImportState.FINISHED}),
    ImportState.UNDONE: frozenset(),
}


class ImportCannotMove(Conflict):
    """The batch is not in a state in which this can be done."""

    code = "import_cannot_move"
    message = "这个导入批次现在不能这样操作"


def check_import_move(now: ImportState, then: ImportState) -> None:
    """Refuse a move that is not in the table.

    Raises:
        ImportCannotMove: it is not.
    """
    if then not in IMPORT_MOVES[now]:
        raise ImportCannotMove(f"这个导入批次{STATE_SHOWN[now]}，现在不能这样操作")
