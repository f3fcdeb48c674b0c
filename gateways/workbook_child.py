"""The program that reads one workbook and may die of it; `gateways.child_reader` starts it.

It limits its own memory and time before it has read a byte. The file comes by standard input,
plain values leave by standard output as JSON.
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from types import ModuleType

DAY, MOMENT = "day", "moment"
"""The single keys of the objects that stand for dates."""


def main(words: Sequence[str]) -> None:
    """Limit oneself, read, answer; the words are sheet name, bytes of memory, seconds."""
    sheet_name, memory_limit, time_limit_s = words[0], int(words[1]), int(words[2])
    resource.setrlimit(resource.RLIMIT_AS, (memory_limit, memory_limit))
    resource.setrlimit(resource.RLIMIT_CPU, (time_limit_s, time_limit_s + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    answer = json.dumps(
        _read(sys.stdin.buffer.read(), sheet_name),
        ensure_ascii=False,
        default=_as_plain,
        separators=(",", ":"),
    )
    sys.stdout.buffer.write(answer.encode())
    sys.stdout.buffer.flush()


def _read(content: bytes, sheet_name: str) -> dict[str, object]:
    # The package itself would bring the SDK of every platform along.
    package = ModuleType("gateways")
    package.__path__ = [str(Path(__file__).parent)]
    sys.modules["gateways"] = package
    from domain.errors import InvalidInput
    from gateways.workbooks import XlsxReader

    try:
        sheet = XlsxReader().read(content, sheet_name=sheet_name)
    except InvalidInput as refusal:
        return {"refused": refusal.code, "message": refusal.message}
    return {"name": sheet.name, "rows": sheet.rows, "merged": sheet.merged}


def _as_plain(value: object) -> dict[str, str]:
    if isinstance(value, datetime):
        return {MOMENT: value.isoformat()}
    if isinstance(value, date):
        return {DAY: value.isoformat()}
    raise TypeError(type(value).__name__)


if __name__ == "__main__":
    main(sys.argv[1:])
