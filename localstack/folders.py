"""Data folders: who holds one, where its sockets live, and which user may own it."""

import fcntl
import json
import os
import pwd
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

_SOCKET_PATH_LIMIT = 100  # bytes; Linux has 108, macOS 104, both with the closing zero
_LONGEST_SOCKET_NAME = ".s.PGSQL.5432.lock"
_DYING_S = 0.5  # a process just killed looks alive for a moment
_HANDOVER_S = 15.0  # how long a dead runner's engines may take to stop
_POLL_S = 0.05


class FolderInUse(Exception):
    """Another running program holds the data folder."""

    def __init__(self, folder: Path, pid: int | None) -> None:
        holder = f"pid {pid}" if pid else "pid 未知"
        super().__init__(
            f"数据目录 {folder} 正被另一个运行中的程序使用（{holder}）。请先停止它，或换一个目录。"
            f" (data folder in use by {holder})"
        )
        self.pid = pid


class FolderLock:
    """The right to use a data folder, held for as long as any holder of `fd` lives.

    The descriptor is handed down to the guardian and the engine, so the kernel releases the lock
    exactly when the last of them is gone: no lock outlives a crash, and none is lost while an
    engine still writes.
    """

    def __init__(self, folder: Path, *, name: str) -> None:
        """Take the lock, waiting for the engines of a runner that has just died.

        Raises:
            FolderInUse: a living program holds it.
        """
        path = folder / name
        self.fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._acquire(folder)
            os.ftruncate(self.fd, 0)
            os.pwrite(self.fd, json.dumps({"pid": os.getpid()}).encode(), 0)
        except BaseException:
            self.let_go()
            raise

    def let_go(self) -> None:
        """Close this process's hold; those it was handed to keep theirs."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def _acquire(self, folder: Path) -> None:
        began = time.monotonic()
        while True:
            try:
                fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pid = self._holder_pid()
                is_held = pid is not None and is_alive(pid)
                if time.monotonic() - began > (_DYING_S if is_held else _HANDOVER_S):
                    raise FolderInUse(folder, pid) from None
                time.sleep(_POLL_S)
            else:
                return

    def _holder_pid(self) -> int | None:
        try:
            return int(json.loads(os.pread(self.fd, 200, 0))["pid"])
        except (ValueError, KeyError):
            return None  # taken this very moment, its name not yet written


def is_alive(pid: int) -> bool:
    """Whether a process of this id exists and is not a zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0]
    except OSError:
        return True
    return state != b"Z"


@dataclass(frozen=True)
class SocketFolder:
    """A folder only its owner enters, short enough for a Unix socket's path."""

    path: Path
    is_temporary: bool

    @classmethod
    def choose(cls, data_dir: Path) -> "SocketFolder":
        """Take `run/` in the data folder, or a temporary folder where its path will not do."""
        path = data_dir / "run"
        # PostgreSQL reads a comma in a socket's path as the start of another one.
        is_short = len(os.fsencode(path / _LONGEST_SOCKET_NAME)) <= _SOCKET_PATH_LIMIT
        if is_short and "," not in str(path):
            return cls(path, is_temporary=False)
        return cls(Path(tempfile.mkdtemp(prefix="anju-")), is_temporary=True)

    def make_empty(self, account: "Account | None") -> None:
        """Create it afresh, without what a crash has left in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        self.path.mkdir(mode=0o700)
        if account is not None:
            os.chown(self.path, account.uid, account.gid)


@dataclass(frozen=True)
class Account:
    """The unprivileged user an engine runs as when we are root, which PostgreSQL refuses to be.

    `keeps_file_access` tells that some folder on the way is closed to this user (`/root`, say), so
    that the engine must keep root's right to pass it; nobody's permissions are changed for it.
    """

    uid: int
    gid: int
    keeps_file_access: bool

    @classmethod
    def choose(cls, folder: Path, *, reads: tuple[Path, ...]) -> "Account | None":
        """Pick the user for a folder: none unless root, its owner if ordinary, else nobody."""
        if os.geteuid() != 0:
            return None
        entry = _owner(folder) or pwd.getpwnam("nobody")
        is_closed = any(not _is_open_to_all(path) for path in (folder.parent, *reads))
        return cls(entry.pw_uid, entry.pw_gid, keeps_file_access=is_closed)

    @property
    def ids(self) -> tuple[int, int]:
        """The user and group id."""
        return self.uid, self.gid

    def take(self, folder: Path) -> None:
        """Make the folder and all in it the account's own."""
        if folder.stat().st_uid == self.uid:
            return
        os.chown(folder, self.uid, self.gid)
        for root, folders, files in os.walk(folder):
            for name in (*folders, *files):
                os.lchown(os.path.join(root, name), self.uid, self.gid)


def _owner(folder: Path) -> pwd.struct_passwd | None:
    try:
        uid = folder.stat().st_uid
        return pwd.getpwuid(uid) if uid != 0 else None
    except (OSError, KeyError):
        return None


def _is_open_to_all(path: Path) -> bool:
    """Whether any user may pass (and, for a file, read) this path and everything above it."""
    path = path.resolve()
    if path.is_file() and not path.stat().st_mode & 0o004:
        return False
    folders = [path] if path.is_dir() else []
    return all(folder.stat().st_mode & 0o001 for folder in (*folders, *path.parents))
