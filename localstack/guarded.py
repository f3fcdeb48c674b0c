"""The runner's side of a guarded program: start it, ask after it, end it."""

import contextlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from localstack import guardian

# Isolated and without site-packages: the guardian starts in milliseconds and depends on nothing.
_PYTHON = (sys.executable, "-I", "-S", "-X", "utf8")
_FORCED_STOP_S = 5.0  # on top of the grace: the guardian's own time to kill what ignored it


class StartFailed(Exception):
    """A program of the local stack did not come up; the message says why, with its log's tail."""


@dataclass(frozen=True, kw_only=True)
class Command:
    """One program to start: its words, environment and manners of ending.

    `pass_fds` stay open in the program; `account` is the user and group id to become, with
    `keeps_file_access` if folders closed to that user must stay reachable; `remove` are folders
    the guardian deletes once all is over.
    """

    words: tuple[str, ...]
    env: Mapping[str, str]
    log: Path
    cwd: Path | None = None
    stop_signal: int = signal.SIGTERM
    grace_s: float = 10.0
    pass_fds: tuple[int, ...] = ()
    account: tuple[int, int] | None = None
    keeps_file_access: bool = False
    remove: tuple[Path, ...] = ()


class Guarded:
    """A running program under its guardian; it ends when this process ends, however it ends."""

    def __init__(self, command: Command) -> None:
        self.command = command
        self.log_offset = _size(command.log)
        self._owner_pid = os.getpid()
        self._guardian = _start_guardian(command)
        try:
            self.pid = self._read_pid()
        except BaseException:
            self.stop()
            raise

    @property
    def guardian_pid(self) -> int:
        """The process id of the guardian."""
        return self._guardian.pid

    @property
    def is_running(self) -> bool:
        """Whether the program, or something it left behind, is still alive."""
        return self._guardian.poll() is None

    def wait(self, timeout_s: float) -> int:
        """Answer the exit code of the program, 128 + n after signal n.

        Raises:
            StartFailed: it has not ended in time.
        """
        try:
            return self._guardian.wait(timeout_s)
        except subprocess.TimeoutExpired as error:
            raise self.failure(f"{timeout_s:.0f} 秒内没有结束") from error

    def stop(self) -> None:
        """End the program and all its descendants; return when they are gone."""
        if os.getpid() != self._owner_pid:  # a forked copy owns nothing
            return
        if self._guardian.stdin is not None:
            self._guardian.stdin.close()
        try:
            self._guardian.wait(self.command.grace_s + _FORCED_STOP_S)
        except subprocess.TimeoutExpired:
            self._end_by_force()

    def kill(self) -> None:
        """End the program with SIGKILL, as a crash would; return when it is gone."""
        if self.is_running:  # else its number may be another program's by now
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        self.stop()

    def failure(self, reason: str) -> StartFailed:
        """Describe what went wrong, with the last lines the program logged."""
        name = Path(self.command.words[0]).name
        tail = log_tail(self.command.log, offset=self.log_offset)
        return StartFailed(f"{name}：{reason}。日志 {self.command.log} 的末尾：\n{tail}")

    def _read_pid(self) -> int:
        stdout = self._guardian.stdout
        assert stdout is not None  # noqa: S101 - asked for with PIPE
        with stdout:
            line = stdout.readline()
        answer = json.loads(line) if line else {"error": "守护进程没有回应"}
        if "error" in answer:
            raise self.failure(f"无法启动：{answer['error']}")
        return int(answer["pid"])

    def _end_by_force(self) -> None:
        self._guardian.kill()
        if hasattr(self, "pid"):
            with contextlib.suppress(OSError):
                os.killpg(self.pid, signal.SIGKILL)
        self._guardian.wait()


def wheel_folder(package: str) -> Path:
    """Find the folder of an installed package without importing it.

    The wheels' Python sides warn, lock and look for home folders on import; we want their files.

    Raises:
        StartFailed: it is not installed.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise StartFailed(f"缺少软件包 {package}：请先运行 make setup")
    return Path(spec.origin).parent


def log_tail(log: Path, *, offset: int = 0, lines: int = 30) -> str:
    """Answer the last lines written to a log after `offset`; says so if there are none."""
    try:
        with log.open("rb") as file:
            file.seek(offset)
            text = file.read().decode("utf-8", "replace")
    except OSError:
        text = ""
    return "\n".join(text.splitlines()[-lines:]) or "（日志为空）"


def _start_guardian(command: Command) -> "subprocess.Popen[bytes]":
    spec = guardian.Spec(
        command=list(command.words),
        parent_pid=os.getpid(),
        log=str(command.log),
        cwd=str(command.cwd) if command.cwd else None,
        stop_signal=command.stop_signal,
        grace_s=command.grace_s,
        pass_fds=list(command.pass_fds),
        account=list(command.account) if command.account else None,
        keeps_file_access=command.keeps_file_access,
        remove=[str(path) for path in command.remove],
    )
    with command.log.open("ab") as log:
        return subprocess.Popen(
            [*_PYTHON, guardian.__file__, json.dumps(spec._asdict())],
            env=dict(command.env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            pass_fds=command.pass_fds,
            # Ctrl-C in the terminal must reach the runner only, which then stops all in order.
            start_new_session=True,
        )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
