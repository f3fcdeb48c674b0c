"""Our own processes: started one by one, each waited for, stopped in reverse order."""

import http.client
import json
import os
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from localstack.guarded import Command, Guarded

_POLL_S = 0.05
_ANSWER_WITHIN_S = 5.0  # one question after readiness; a hanging answer counts as "not yet"


class Ready(Protocol):
    """How a program shows that it is ready."""

    def is_met(self, process: Guarded) -> bool:
        """Whether it is ready by now."""
        ...

    def describe(self) -> str:
        """Say what is still missing, for the error when time is up."""
        ...


class ReadyLine:
    """Ready when it has printed a JSON object with `"ready": true` on a line of its own."""

    def __init__(self) -> None:
        self.answer: dict[str, object] = {}

    def is_met(self, process: Guarded) -> bool:
        """Whether the line is there; its object is in `answer` then."""
        with process.command.log.open("rb") as log:
            log.seek(process.log_offset)
            lines = log.read().split(b"\n")[:-1]  # the last piece may be half a line
        for line in lines:
            answer = _json_object(line)
            if answer.get("ready") is True:
                self.answer = answer
                return True
        return False

    def describe(self) -> str:
        """Say that no such line was seen."""
        return "没有打印就绪行"


class ReadyUrl:
    """Ready when a URL on this machine answers 200."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._last = "没有应答"

    def is_met(self, process: Guarded) -> bool:
        """Whether it answered 200 just now."""
        del process
        parts = urlsplit(self._url)
        # Not urllib, which would send the question to a proxy of the environment.
        connection = http.client.HTTPConnection(parts.netloc, timeout=_ANSWER_WITHIN_S)
        try:
            connection.request("GET", parts.path or "/")
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
        self._last = f"回答 {status}"
        return status == http.client.OK

    def describe(self) -> str:
        """Say what the URL answered last."""
        return f"{self._url} {self._last}"


@dataclass(frozen=True)
class ReadyWhen:
    """Ready when `check` says so."""

    check: Callable[[], bool]
    missing: str

    def is_met(self, process: Guarded) -> bool:
        """Whether `check` says so now."""
        del process
        return self.check()

    def describe(self) -> str:
        """Say what `check` waits for."""
        return self.missing


@dataclass(frozen=True, kw_only=True)
class Program:
    """One of our processes: how to start it, how it shows that it is ready, how long it may take.

    After SIGTERM to its whole group it has `grace_s` before SIGKILL.
    """

    name: str
    words: tuple[str, ...]
    ready: Ready
    ready_within_s: float = 60.0
    grace_s: float = 10.0


class Running:
    """A started program."""

    def __init__(self, name: str, process: Guarded) -> None:
        self.name = name
        self.log = process.command.log
        self._process = process

    @property
    def pid(self) -> int:
        """Its process id, which is also its group's."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it is alive."""
        return self._process.is_running

    def stop(self) -> None:
        """End it and all it started."""
        self._process.stop()

    def check(self) -> None:
        """Do nothing while it runs.

        Raises:
            StartFailed: it has ended; the message holds the tail of its log.
        """
        if not self.is_running:
            raise self._process.failure(f"{self.name} 意外退出")


class Processes:
    """The running programs of one stack; a context manager that leaves none behind.

    Attributes:
        env: the environment of the programs started from now on.
        running: the programs started, in that order.
    """

    def __init__(self, *, logs: Path, env: Mapping[str, str], cwd: Path) -> None:
        """Prepare to start programs in `cwd`; their output goes to `logs`, one file a name."""
        self._logs = logs
        self.env = dict(env)
        self._cwd = cwd
        self._exits = ExitStack()
        self.running: list[Running] = []
        logs.mkdir(parents=True, exist_ok=True)

    def start(self, program: Program) -> Running:
        """Start a program and wait until it is ready.

        Raises:
            StartFailed: it ended or was not ready in time; the message holds its log's tail.
        """
        process = Guarded(self._command(program.name, program.words, program.grace_s))
        running = Running(program.name, process)
        try:
            _wait_until_ready(program, process)
        except BaseException:
            process.stop()
            raise
        self._exits.callback(running.stop)
        self.running.append(running)
        return running

    def run(self, name: str, words: tuple[str, ...], *, within_s: float = 120.0) -> str:
        """Run a program to its end and answer what it printed.

        Raises:
            StartFailed: it failed or took too long; the message holds its log's tail.
        """
        process = Guarded(self._command(name, words, grace_s=5.0))
        try:
            code = process.wait(within_s)
        finally:
            process.stop()
        if code != 0:
            raise process.failure(f"{name} 失败（退出码 {code}）")
        with process.command.log.open("rb") as log:
            log.seek(process.log_offset)
            return log.read().decode("utf-8", "replace")

    def stop(self) -> None:
        """Stop all, the last started first; an interruption does not spare the rest."""
        self._exits.close()
        self.running.clear()

    def __enter__(self) -> "Processes":
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def _command(self, name: str, words: tuple[str, ...], grace_s: float) -> Command:
        return Command(
            words=words,
            env=self.env,
            log=self._logs / f"{name}.log",
            cwd=self._cwd,
            grace_s=grace_s,
        )


def inherited_environment() -> dict[str, str]:
    """Answer this process's environment without anything that sets our app, Flask or libpq."""
    ours = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "ANJU_", "WECHAT", "ALIPAY", "SMS", "MAIL_")
    theirs = ("FLASK_", "GUNICORN_", "WERKZEUG_", "PG", "FILES_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours + theirs)}


def _wait_until_ready(program: Program, process: Guarded) -> None:
    deadline = time.monotonic() + program.ready_within_s
    while True:
        # Asked first: a port may be answered by another program when ours has failed to take it.
        if not process.is_running:
            raise process.failure(f"{program.name} 启动时退出")
        if program.ready.is_met(process):
            return
        if time.monotonic() > deadline:
            reason = f"{program.ready_within_s:g} 秒内没有就绪（{program.ready.describe()}）"
            raise process.failure(f"{program.name} {reason}")
        time.sleep(_POLL_S)


def _json_object(line: bytes) -> dict[str, object]:
    if not line.startswith(b"{"):
        return {}
    try:
        answer = json.loads(line)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}
