"""Workbooks are read in a process of their own, which may die of one and takes nobody along.

See docs/adr/0021.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from threading import Timer
from typing import Any

from domain.errors import InvalidInput
from domain.imports import FILE_LIMIT
from gateways import workbook_child, workbook_refusals
from gateways.workbook_refusals import WorkbookTooLarge, WorkbookUnreadable
from services.ports import Sheet

_ROOT = Path(__file__).parents[1]
_MEMORY_LIMIT = 1024 * 1024 * 1024
_TIME_LIMIT_S = 60
_ANSWER_LIMIT = 128 * 1024 * 1024
_BLOCK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class ChildReader:
    """Implements `services.ports.WorkbookReader` by a child for each file, with limits for it."""

    program: str = workbook_child.__file__
    memory_limit: int = _MEMORY_LIMIT
    time_limit_s: int = _TIME_LIMIT_S

    def read(self, content: bytes, *, sheet_name: str) -> Sheet:
        """Read a sheet as `gateways.workbooks.XlsxReader` does, and refuse what it refuses.

        Raises:
            InvalidInput: as that reader.
            WorkbookUnreadable: the child died, or ran out of memory or time.
        """
        if len(content) > FILE_LIMIT:
            raise WorkbookTooLarge
        answer = self._ask(content, sheet_name)
        try:
            told = json.loads(answer, object_hook=_as_date)
            if "refused" in told:
                raise _refusal(told["refused"], told["message"])
            merged = [(int(a), int(b), int(c), int(d)) for a, b, c, d in told["merged"]]
            return Sheet(str(told["name"]), told["rows"], merged)
        except (ValueError, KeyError, TypeError, RecursionError):
            raise WorkbookUnreadable from None

    def _ask(self, content: bytes, sheet_name: str) -> bytes:
        words = [self.program, sheet_name, str(self.memory_limit), str(self.time_limit_s)]
        with tempfile.TemporaryFile() as given:
            given.write(content)
            given.seek(0)
            with subprocess.Popen(  # noqa: S603 - our own program, and no shell
                [sys.executable, *words],
                stdin=given,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={"PATH": os.defpath, "PYTHONPATH": str(_ROOT), "PYTHONUTF8": "1"},
            ) as child:
                limit = Timer(self.time_limit_s, child.kill)
                limit.daemon = True
                limit.start()
                try:
                    answer = _take(child)
                finally:
                    limit.cancel()
                    child.kill()
        if child.returncode != 0:
            raise WorkbookUnreadable
        return answer


def _take(child: subprocess.Popen[bytes]) -> bytes:
    """Read what the child says to its end, and wait for it.

    Raises:
        WorkbookUnreadable: it says more than any sheet that we take.
    """
    blocks, size = [], 0
    while child.stdout is not None and (block := child.stdout.read(_BLOCK)):
        blocks.append(block)
        size += len(block)
        if size > _ANSWER_LIMIT:
            raise WorkbookUnreadable
    child.wait()
    return b"".join(blocks)


def _refusal(code: str, message: str) -> InvalidInput:
    """Make the refusal that the child met, with its words."""
    for kind in vars(workbook_refusals).values():
        if isinstance(kind, type) and issubclass(kind, InvalidInput) and kind.code == code:
            found = kind.__new__(kind)
            InvalidInput.__init__(found, message)
            return found
    return WorkbookUnreadable()


def _as_date(told: dict[str, Any]) -> Any:
    if workbook_child.DAY in told:
        return date.fromisoformat(told[workbook_child.DAY])
    if workbook_child.MOMENT in told:
        return datetime.fromisoformat(told[workbook_child.MOMENT])
    return told
