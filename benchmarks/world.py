"""A database of its own for a figure, and the product's processes against it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import requests

from localstack.engine import Engine
from localstack.engines import start_postgres

_SETTINGS = {
    "ANJU_ENV": "development",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "SECRET_KEY": "only-for-the-benchmark",
    "PUBLIC_BASE_URL": "http://127.0.0.1",
    "TRUSTED_HOSTS": "127.0.0.1",
}


class World:
    """A migrated database with fsync on, and what a process of the product needs to use it."""

    def __init__(self, engine: Engine) -> None:
        self._url = engine.url
        self.environment = _environment(engine)
        subprocess.run(
            [sys.executable, "-m", "flask", "--app", "wsgi", "db", "upgrade"],
            env=self.environment,
            check=True,
        )

    def run(self, module: str, *words: str) -> dict[str, Any]:
        """Run a module in a process of its own and read the JSON of its last line."""
        done = subprocess.run(
            [sys.executable, "-m", module, *words],
            env=self.environment,
            check=True,
            capture_output=True,
            text=True,
        )
        told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return told

    def connect(self) -> psycopg.Connection[Any]:
        """Open a connection in autocommit."""
        return psycopg.connect(self._url.replace("+psycopg", "", 1), autocommit=True)

    def time(self, *statements: str) -> float:
        """Run statements one after another from a quiet start and tell the seconds."""
        with self.connect() as connection:
            connection.execute("CHECKPOINT")
            began = time.perf_counter()
            for statement in statements:
                connection.execute(statement)
            return time.perf_counter() - began

    def empty(self, *tables: str) -> None:
        """Empty tables behind the triggers that would refuse it."""
        with self.connect() as connection:
            connection.execute("SET session_replication_role = replica")
            connection.execute(f"TRUNCATE {', '.join(tables)} CASCADE")
            connection.execute("CHECKPOINT")

    def make_twins(self, *tables: str) -> None:
        """Make an empty table ``floor_…`` for each, with the same columns, checks and indexes."""
        with self.connect() as connection:
            for table in tables:
                connection.execute(f"CREATE TABLE floor_{table} (LIKE {table} INCLUDING ALL)")

    def plain_twin(self, table: str, column: str) -> None:
        """Let a twin take a column as it is that the table itself computes."""
        with self.connect() as connection:
            connection.execute(f"ALTER TABLE floor_{table} ALTER COLUMN {column} DROP EXPRESSION")


@contextmanager
def make_world() -> Iterator[World]:
    """Start an engine, migrate it, and stop it at the end."""
    with (
        tempfile.TemporaryDirectory() as folder,
        start_postgres(Path(folder) / "postgres") as engine,
    ):
        yield World(engine)


def _environment(engine: Engine) -> dict[str, str]:
    # Figures call no platform, but the app wants to know them all; a throw-away simulator tells.
    words = [sys.executable, "-m", "simulator", "--port", "0", "--backend", "http://127.0.0.1:9"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        if process.stdout is None:
            raise RuntimeError("the simulator says nothing")
        url = json.loads(process.stdout.readline())["url"]
        credentials: dict[str, str] = requests.get(f"{url}/_sim/credentials", timeout=10).json()
        process.terminate()
        process.stdout.read()
    return dict(os.environ) | credentials | _SETTINGS | {"DATABASE_URL": engine.url}
