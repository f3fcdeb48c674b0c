"""What the tests here share: waiting for a fact, and finding the processes of a folder."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def wait_until(is_so: Callable[[], bool], within_s: float = 30.0) -> None:
    """Poll until it is so; generous, for a slow machine."""
    deadline = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def processes_of(folder: Path) -> list[int]:
    """List the living processes that work in a folder or name it in their command line."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and int(process.name) != os.getpid():
            works_in, words = _traits(process)
            if str(folder) in works_in or str(folder) in words:
                found.append(int(process.name))
    return found


def wait_until_nothing_runs_in(folder: Path) -> None:
    """Wait until no process of the folder is left."""
    wait_until(lambda: not processes_of(folder))


def start_script(source: str, *arguments: str | Path) -> "subprocess.Popen[str]":
    """Run Python source in a process of its own, with our packages; its output can be read."""
    return subprocess.Popen(
        [sys.executable, "-c", source, *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def read_line(process: "subprocess.Popen[str]") -> str:
    """Read the next line the process prints."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, "it ended without a word"
    return line.strip()


def kill(process: "subprocess.Popen[str]") -> None:
    """End the process as the machine would: with SIGKILL, no chance to tidy up."""
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def _traits(process: Path) -> tuple[str, str]:
    try:
        words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        return os.readlink(process / "cwd"), words
    except OSError:
        return "", ""
