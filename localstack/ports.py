"""Ports on 127.0.0.1, taken so that two stacks starting at once do not choose the same."""

import contextlib
import fcntl
import os
import socket
import tempfile
from pathlib import Path
from typing import Self

from localstack.guarded import StartFailed

_TRIES = 200


class Port:
    """A port this process has set aside; free again after `let_go` or its end, however it ends."""

    def __init__(self, preferred: int | None) -> None:
        """Take the preferred port or the next free one; any free one if None.

        Raises:
            StartFailed: none of the next 200 is free.
        """
        for step in range(_TRIES):
            number = _any_free() if preferred is None else preferred + step
            lock = _reserve(number)
            if lock is not None:
                if _is_free(number):
                    self.number = number
                    self.is_preferred = step == 0
                    self._lock = lock
                    return
                os.close(lock)
        raise StartFailed(f"从 {preferred} 起的 {_TRIES} 个端口都被占用")

    def let_go(self) -> None:
        """Give the port up."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.let_go()


def _reserve(number: int) -> int | None:
    """Lock the number among our stacks of this user; a program that listens is asked elsewhere."""
    folder = Path(tempfile.gettempdir()) / f"anju-ports-{os.geteuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    lock = os.open(folder / str(number), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


def _is_free(number: int) -> bool:
    with contextlib.closing(_socket()) as probe:
        try:
            probe.bind(("127.0.0.1", number))
        except OSError:
            return False
        return True


def _any_free() -> int:
    with contextlib.closing(_socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _socket() -> socket.socket:
    probe = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    # As the servers do: a port whose last connections are still fading is free.
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return probe
