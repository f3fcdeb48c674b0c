"""What the two engines share: one data folder, one guarded server, start and end."""

import shutil
import time
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import Self

from localstack.folders import FolderLock, SocketFolder
from localstack.guarded import Command, Guarded, StartFailed

_POLL_S = 0.01
_READY_WITHIN_S = 60.0  # after a crash the engine replays its log first


class Engine(ABC):
    """An embedded engine on its data folder; a context manager that stops it at the end."""

    name: str

    def __init__(self, data_dir: Path, *, durable: bool) -> None:
        self.data_dir = data_dir.absolute()
        self.log = self.data_dir / f"{self.name}.log"
        self._durable = durable
        self._sockets: SocketFolder | None = None
        self._server: Guarded | None = None

    @property
    @abstractmethod
    def url(self) -> str:
        """Where clients find it; the same after a restart."""

    @property
    def pid(self) -> int:
        """The server's process id.

        Raises:
            StartFailed: it is not running.
        """
        if self._server is None or not self._server.is_running:
            raise StartFailed(f"{self.name} 没有在运行")
        return self._server.pid

    @property
    def is_running(self) -> bool:
        """Whether the server is alive."""
        return self._server is not None and self._server.is_running

    def check(self) -> None:
        """Do nothing while it runs.

        Raises:
            StartFailed: it has ended; the message holds the tail of its log.
        """
        if self._server is not None and not self._server.is_running:
            raise self._server.failure("意外退出")

    @property
    def sockets(self) -> Path:
        """The folder of its Unix socket."""
        if self._sockets is None:
            raise StartFailed(f"{self.name} 还没有启动过")
        return self._sockets.path

    def start(self) -> Self:
        """Start the server and wait until it answers; does nothing if it runs.

        Raises:
            FolderInUse: another running program holds the folder.
            StartFailed: it did not come up; the message holds the tail of its log.
        """
        if self.is_running:
            return self
        self.stop()  # a crash has left the guardian's pipe open
        self.data_dir.mkdir(parents=True, exist_ok=True)
        if self._sockets is None:
            self._sockets = SocketFolder.choose(self.data_dir)
        lock = FolderLock(self.data_dir, name="engine.lock")
        try:
            command = self._prepare(lock, self._sockets)
            self._server = Guarded(command)
        finally:
            lock.let_go()
        try:
            self._wait_until_ready(self._server)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Shut the server down in order; return when it is gone. Twice is harmless."""
        if self._server is not None:
            self._server.stop()
        self._remove_temporary_sockets()

    def kill(self) -> None:
        """End the server with SIGKILL, as a crash would; `restart` brings it back."""
        if self._server is not None:
            self._server.kill()

    def restart(self) -> None:
        """Stop it if it runs and start it again on the same data, at the same URL."""
        self.stop()
        self.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @abstractmethod
    def _prepare(self, lock: FolderLock, sockets: SocketFolder) -> Command:
        """Make the folder ready and clear what a crash has left; answer how to start the server."""

    @abstractmethod
    def _answers(self) -> bool:
        """Whether the server serves clients by now."""

    def _wait_until_ready(self, server: Guarded) -> None:
        deadline = time.monotonic() + _READY_WITHIN_S
        while not self._answers():
            if not server.is_running:
                raise server.failure("启动时退出")
            if time.monotonic() > deadline:
                raise server.failure(f"{_READY_WITHIN_S:.0f} 秒内没有就绪")
            time.sleep(_POLL_S)

    def _remove_temporary_sockets(self) -> None:
        if self._sockets is not None and self._sockets.is_temporary:
            shutil.rmtree(self._sockets.path, ignore_errors=True)
