"""A record of every request the platforms received, kept in memory and appended to a file."""

import json
import threading
from collections import deque
from pathlib import Path
from typing import IO, Any

from simulator.clock import VirtualClock, beijing_ms

KEPT = 20_000


class Journal:
    """The newest requests, oldest first."""

    def __init__(self, path: Path | None, clock: VirtualClock) -> None:
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self._seq = 0
        self._file: IO[str] | None = None
        if path is not None:
            self._read(path)

    def _read(self, path: Path) -> None:
        if path.exists():
            for line in path.read_text("utf-8").splitlines():
                # A line cut short by a crash is of no use to anyone.
                if line.endswith("}"):
                    self._entries.append(json.loads(line))
        if self._entries:
            self._seq = self._entries[-1]["seq"]
        self._file = path.open("w", encoding="utf-8")
        for entry in self._entries:
            self._append(entry)
        self._file.flush()

    def _append(self, entry: dict[str, Any]) -> None:
        if self._file is not None:
            self._file.write(json.dumps(entry, ensure_ascii=False, separators=(",", ":")) + "\n")

    def record(self, entry: dict[str, Any]) -> None:
        """Add one request; its number and time are put in front."""
        with self._lock:
            self._seq += 1
            full = {"seq": self._seq, "at": beijing_ms(self._clock.time()), **entry}
            self._entries.append(full)
            self._append(full)
            if self._file is not None:
                self._file.flush()

    def since(self, seq: int, path: str, limit: int) -> list[dict[str, Any]]:
        """Return what came after that number and whose path contains the text, oldest first."""
        with self._lock:
            first = self._entries[0]["seq"] if self._entries else 0
            skip = max(0, seq + 1 - first)
            later = [self._entries[i] for i in range(skip, len(self._entries))]
        found = [entry for entry in later if path in entry["path"]]
        return found[-limit:] if limit else found

    @property
    def last_seq(self) -> int:
        """The number of the newest request; 0 before the first."""
        return self._seq

    def clear(self) -> None:
        """Forget all requests; the numbers go on, so that `since` stays true."""
        with self._lock:
            self._entries.clear()
            if self._file is not None:
                self._file.seek(0)
                self._file.truncate()

    def close(self) -> None:
        """Write out what is still in the buffer."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None
