"""The proof that nothing was left behind: which of our descendants are still alive."""

import os
from pathlib import Path

from localstack.guardian import descendants


class Seen:
    """Descendants of this process seen so far, each known by number and moment of its start."""

    def __init__(self) -> None:
        self._seen: dict[int, str] = {}

    def look(self) -> None:
        """Remember the descendants of this moment; where there is no /proc there are none."""
        for pid in descendants(os.getpid()):
            started = _started(pid)
            if started is not None:
                self._seen[pid] = started

    def alive(self) -> list[int]:
        """List those still alive, by number; a reused number is not one of them."""
        return sorted(pid for pid, started in self._seen.items() if _started(pid) == started)


def _started(pid: int) -> str | None:
    """Answer when a process started, in ticks of the machine; None if it is gone or a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if stat[0] == b"Z" else stat[19].decode()
