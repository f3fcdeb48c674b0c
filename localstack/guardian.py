"""The guardian: a small process that starts one program and outlives whoever asked for it.

It runs as a script of the standard library only (`python -I -S guardian.py SPEC`), so that it
starts in a few milliseconds. It holds the read end of a pipe whose write end is the runner's: when
the runner stops, dies or is killed with SIGKILL, the kernel closes that end, the guardian reads
end of file and stops the program and all its descendants.
"""

import contextlib
import ctypes
import json
import os
import select
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

_PR_SET_PDEATHSIG = 1
_PR_SET_SECUREBITS = 28
_PR_SET_CHILD_SUBREAPER = 36
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_SECBIT_NO_SETUID_FIXUP = 1 << 2
_CAP_DAC_OVERRIDE = 1
_CAPABILITY_VERSION_3 = 0x20080522

_POLL_S = 0.5  # how soon a vanished parent is seen if a forked copy still holds the pipe
_ORPHAN_GRACE_S = 2.0  # what a program leaves behind gets this long after its own end


class Spec(NamedTuple):
    """What to start and how to end it; travels as JSON in the guardian's only argument."""

    command: list[str]
    parent_pid: int
    log: str
    cwd: str | None
    stop_signal: int
    grace_s: float
    pass_fds: list[int]
    account: list[int] | None
    keeps_file_access: bool
    remove: list[str]


def main() -> int:
    """Start the program of the spec, watch it, stop it with the parent; answer its exit code."""
    spec = Spec(**json.loads(sys.argv[1]))
    _become_reaper()
    wakeup = _listen_to_signals()
    try:
        child = _start(spec)
    except (OSError, subprocess.SubprocessError) as error:
        _tell({"error": f"{spec.command[0]}: {error}"})
        return 127
    _tell({"pid": child.pid})
    watch = _Watch(child, spec, wakeup)
    watch.until_stop()
    watch.stop()
    for path in spec.remove:
        shutil.rmtree(path, ignore_errors=True)
    code = watch.returncode or 0
    return code if code >= 0 else 128 - code


class _Watch:
    """The wait for the end of one program and of everything it started."""

    def __init__(self, child: "subprocess.Popen[bytes]", spec: Spec, wakeup: int) -> None:
        self._child = child
        self._spec = spec
        self._wakeup = wakeup
        self.returncode: int | None = None
        self._is_childless = False

    def until_stop(self) -> None:
        """Return when the program has ended or the runner wants it to."""
        while self.returncode is None and not _told_to_stop and not self._is_runner_gone():
            self._wait(_POLL_S, sees_runner=True)

    def stop(self) -> None:
        """End the program's group politely, then by force; then every descendant."""
        if self.returncode is None:
            self._signal_group(self._spec.stop_signal)
            self._wait_for_child(self._spec.grace_s)
        if self.returncode is None:
            self._signal_group(signal.SIGKILL)
            self._wait_for_child(_ORPHAN_GRACE_S)
        self._end_descendants()

    def _end_descendants(self) -> None:
        for pid in descendants(os.getpid()):
            _signal(pid, signal.SIGTERM)
        deadline = time.monotonic() + _ORPHAN_GRACE_S
        self._reap()
        # Until all are reaped, not only dead: zombies would pass to an init that may not care.
        while not self._is_childless:
            if time.monotonic() > deadline:
                for pid in descendants(os.getpid()):
                    _signal(pid, signal.SIGKILL)
            self._wait(0.02, sees_runner=False)
        # Where /proc is missing the descendants are unknown, but the group still has a name.
        with contextlib.suppress(OSError):
            os.killpg(self._child.pid, signal.SIGKILL)

    def _wait_for_child(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self.returncode is None and (rest := deadline - time.monotonic()) > 0:
            self._wait(min(rest, _POLL_S), sees_runner=False)

    def _wait(self, seconds: float, *, sees_runner: bool) -> None:
        """Sleep until something happens: a signal, an ended child, the end of the pipe."""
        sources = [self._wakeup, 0] if sees_runner else [self._wakeup]
        ready, _, _ = select.select(sources, [], [], seconds)
        if self._wakeup in ready:
            os.read(self._wakeup, 512)
        if 0 in ready and not os.read(0, 512):
            _stop_now()
        self._reap()

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                self._is_childless = True
                return
            if pid == 0:
                return
            if pid == self._child.pid:
                self.returncode = os.waitstatus_to_exitcode(status)
                self._child.returncode = self.returncode

    def _is_runner_gone(self) -> bool:
        # A forked copy of the runner may hold the pipe open after the runner's death.
        return os.getppid() != self._spec.parent_pid

    def _signal_group(self, number: int) -> None:
        with contextlib.suppress(OSError):
            os.killpg(self._child.pid, number)


_told_to_stop: list[int] = []


def _stop_now(number: int = 0, frame: object = None) -> None:
    del frame
    _told_to_stop.append(number)


def _listen_to_signals() -> int:
    """Make signals wake the select loop; answer the descriptor to wait on."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _stop_now)
    return reader


def _start(spec: Spec) -> "subprocess.Popen[bytes]":
    with open(spec.log, "ab") as log:
        return subprocess.Popen(
            spec.command,
            cwd=spec.cwd,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=spec.pass_fds,
            start_new_session=True,
            preexec_fn=_before_exec(spec),
        )


def _before_exec(spec: Spec) -> Callable[[], None] | None:
    if not sys.platform.startswith("linux"):
        return _plain_drop(spec.account) if spec.account else None
    libc = ctypes.CDLL(None, use_errno=True)
    guardian_pid = os.getpid()

    def enter() -> None:
        if spec.account is not None:
            _drop_root(libc, spec.account, keeps_file_access=spec.keeps_file_access)
        # After the change of user, which clears it. Should the guardian itself be killed, the
        # kernel asks the program to stop.
        libc.prctl(_PR_SET_PDEATHSIG, spec.stop_signal, 0, 0, 0)
        if os.getppid() != guardian_pid:
            os._exit(1)

    return enter


def _plain_drop(account: list[int]) -> Callable[[], None]:
    def enter() -> None:
        _change_user(account)

    return enter


def _change_user(account: list[int]) -> None:
    uid, gid = account
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def _drop_root(libc: ctypes.CDLL, account: list[int], *, keeps_file_access: bool) -> None:
    """Become the account; keep only the right to pass folders, if the spec asks for it."""
    if not keeps_file_access:
        _change_user(account)
        return
    # Without this bit the change of user drops the right, and access(2), which PostgreSQL asks
    # about its own programs, ignores it.
    libc.prctl(_PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP, 0, 0, 0)
    _change_user(account)
    bit = 1 << _CAP_DAC_OVERRIDE
    header = struct.pack("Ii", _CAPABILITY_VERSION_3, 0)
    sets = struct.pack("IIIIII", bit, bit, bit, 0, 0, 0)
    if (
        libc.capset(ctypes.c_char_p(header), ctypes.c_char_p(sets)) != 0
        or libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_DAC_OVERRIDE, 0, 0) != 0
    ):
        # The log gets the reason; what follows is a "permission denied" that needs one.
        text = f"user {account[0]} cannot pass closed folders: {os.strerror(ctypes.get_errno())}; "
        os.write(2, f"{text}choose a folder every user may enter\n".encode())


def _become_reaper() -> None:
    """Adopt orphans: a grandchild that left its group still has us as its last parent."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def descendants(ancestor: int) -> list[int]:
    """List every living descendant of a process; empty where there is no /proc."""
    children: dict[int, list[int]] = {}
    try:
        entries = os.listdir("/proc")
    except OSError:
        return []
    for entry in entries:
        if entry.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{entry}/stat", "rb") as stat:
                state, parent = stat.read().rpartition(b")")[2].split()[:2]
                if state != b"Z":
                    children.setdefault(int(parent), []).append(int(entry))
    found: list[int] = []
    waiting = [ancestor]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(OSError):
        os.kill(pid, number)


def _tell(message: dict[str, object]) -> None:
    """Answer the runner, once; it may be gone already."""
    with contextlib.suppress(OSError):
        os.write(1, json.dumps(message).encode() + b"\n")


if __name__ == "__main__":
    sys.exit(main())
