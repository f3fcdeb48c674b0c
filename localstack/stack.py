"""The whole stack on one machine: engines, simulator, migrated database, web and worker."""

import http.client
import json
import os
import secrets
import shutil
import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import psycopg
import redis

from localstack.engine import Engine
from localstack.engines import start_postgres, start_redis
from localstack.folders import FolderLock
from localstack.guarded import StartFailed
from localstack.ports import Port
from localstack.processes import (
    Processes,
    Program,
    ReadyLine,
    ReadyUrl,
    ReadyWhen,
    inherited_environment,
)
from localstack.survivors import Seen

ROOT = Path(__file__).resolve().parent.parent
WEB_PORT = 8080
SIMULATOR_PORT = 8090
MAIL_PORT = 8025

ENVIRONMENT = "environment.json"
"""Present while a stack runs: the variables that our app has there."""
_LOCK = "stack.lock"
_LOOPBACK = "127.0.0.1,localhost"


class Stack:
    """Everything running on one data folder; a context manager that leaves nothing behind.

    Attributes:
        web_url: where our app answers, without a slash at the end.
        simulator_url: where the simulator answers, likewise.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        is_fresh: bool = False,
        takes_any_port: bool = False,
        reloads: bool = False,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Describe a stack; `start` (or `with`) brings it up.

        Args:
            data_dir: holds databases, files, secret and logs of this stack.
            is_fresh: empty the folder first.
            takes_any_port: use free ports instead of 8080, 8090 and 8025 or the next free.
            reloads: run Flask's development server, which restarts on a change of the source.
            say: is told each step, in a sentence for people.
        """
        self.data_dir = data_dir.absolute()
        self.web_url = ""
        self.simulator_url = ""
        self._is_fresh = is_fresh
        self._takes_any_port = takes_any_port
        self._reloads = reloads
        self._say = say
        self._exits = ExitStack()
        self._engines: list[Engine] = []
        self._processes: Processes | None = None
        self._programs: dict[str, Callable[[], Program]] = {}
        self._seen = Seen()

    @property
    def env(self) -> dict[str, str]:
        """The environment our app runs in; complete once started."""
        return self._processes.env if self._processes else {}

    @property
    def postgres(self) -> Engine:
        """The database engine of a started stack."""
        return self._engines[0]

    @property
    def redis(self) -> Engine:
        """The queue engine of a started stack."""
        return self._engines[1]

    @property
    def logs(self) -> Path:
        """The folder of the processes' logs."""
        return self.data_dir / "logs"

    def start(self) -> Self:
        """Bring everything up, in order, each part waited for.

        Raises:
            FolderInUse: another stack runs on this data folder.
            StartFailed: some part did not come up; what was up is stopped again.
        """
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop everything in reverse order. Twice is harmless."""
        self._seen.look()
        self._exits.close()
        self._engines.clear()

    def check(self) -> None:
        """Do nothing while all parts run.

        Raises:
            StartFailed: one has ended; the message names it and holds its log's tail.
        """
        for engine in self._engines:
            engine.check()
        for process in self._processes.running if self._processes else ():
            process.check()

    def run(self, *words: str) -> str:
        """Run a `flask` command of our app, such as `run("verify", "ledger")`; answer its output.

        Raises:
            StartFailed: it failed; the message holds what it printed last.
        """
        if self._processes is None:
            raise StartFailed("本地环境还没有启动")
        return self._processes.run("flask", _flask(*words))

    def kill(self, name: str) -> None:
        """Kill a process of ours and all it started, at once and without mercy.

        Args:
            name: simulator, web, worker or ticker.
        """
        if self._processes is None:
            raise StartFailed("本地环境还没有启动")
        for process in self._processes.running:
            if process.name == name and process.is_running:
                os.killpg(process.pid, signal.SIGKILL)

    def start_again(self, name: str) -> None:
        """Start a process again that was killed, and wait until it is ready."""
        if self._processes is None:
            raise StartFailed("本地环境还没有启动")
        self._processes.start(self._programs[name]())

    def survivors(self) -> list[int]:
        """List the processes of this stack that are still alive; none after `stop`."""
        return self._seen.alive()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.stop()

    def _start(self) -> None:
        self._take_folder()
        web_port = self._take_port(WEB_PORT)
        simulator_port = self._take_port(SIMULATOR_PORT)
        mail_port = self._take_port(MAIL_PORT)
        self.web_url = f"http://127.0.0.1:{web_port}"
        postgres = self._add(start_postgres(self.data_dir / "postgres"))
        queue = self._add(start_redis(self.data_dir / "redis"))
        self._say("PostgreSQL 和 Redis 已就绪。")
        processes = self._open_processes(postgres, queue)
        self.simulator_url = self._start_simulator(processes, simulator_port, mail_port)
        processes.env |= _credentials(self.simulator_url)
        self._say(f"模拟平台已就绪：{self.simulator_url}")
        processes.run("migrations", _flask("db", "upgrade"))
        self._say("数据库结构已更新。")
        self._programs |= {
            "web": lambda: self._web(web_port),
            "worker": lambda: _worker(queue),
            "ticker": lambda: _ticker(postgres),
        }
        processes.start(self._programs["web"]())
        self._say(f"网站已就绪：{self.web_url}")
        for name in ("worker", "ticker"):
            processes.start(self._programs[name]())
        self._say("后台任务已就绪。")
        self._write_environment(processes.env)
        self._seen.look()

    def _take_folder(self) -> None:
        self.data_dir.mkdir(parents=True, exist_ok=True)
        lock = FolderLock(self.data_dir, name=_LOCK)
        self._exits.callback(lock.let_go)
        if self._is_fresh:
            self._empty_folder()
        (self.data_dir / "files").mkdir(exist_ok=True)

    def _empty_folder(self) -> None:
        for engine_lock in self.data_dir.glob("*/engine.lock"):
            # The engines of a runner that was killed may be about to stop; they use these files.
            FolderLock(engine_lock.parent, name=engine_lock.name).let_go()
        for path in self.data_dir.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif path.name != _LOCK:
                path.unlink()

    def _take_port(self, preferred: int) -> int:
        port = Port(None if self._takes_any_port else preferred)
        self._exits.callback(port.let_go)
        if not self._takes_any_port and not port.is_preferred:
            self._say(f"端口 {preferred} 已被占用，改用 {port.number}。")
        return port.number

    def _add(self, engine: Engine) -> Engine:
        self._exits.callback(engine.stop)
        self._engines.append(engine)
        return engine

    def _environment(self, postgres: Engine, queue: Engine) -> dict[str, str]:
        return inherited_environment() | {
            "DATABASE_URL": postgres.url,
            "REDIS_URL": queue.url,
            "PUBLIC_BASE_URL": self.web_url,
            "ANJU_ENV": "development",
            "SECRET_KEY": self._secret_key(),
            "TRUSTED_HOSTS": _LOOPBACK,
            "FILES_DIR": str(self.data_dir / "files"),
            "NO_PROXY": _LOOPBACK,
            "no_proxy": _LOOPBACK,
            "PYTHONUNBUFFERED": "1",
        }

    def _write_environment(self, env: dict[str, str]) -> None:
        """Leave what `python -m localstack flask` needs to speak with this stack."""
        file = self.data_dir / ENVIRONMENT
        file.touch(mode=0o600)
        own = {name: value for name, value in env.items() if os.environ.get(name) != value}
        file.write_text(json.dumps(own))
        self._exits.callback(file.unlink, missing_ok=True)

    def _secret_key(self) -> str:
        file = self.data_dir / "secret_key"
        if not file.exists():
            file.touch(mode=0o600)
            file.write_text(secrets.token_hex(32))
        return file.read_text()

    def _open_processes(self, postgres: Engine, queue: Engine) -> Processes:
        env = self._environment(postgres, queue)
        processes = Processes(logs=self.logs, env=env, cwd=ROOT)
        self._exits.callback(processes.stop)
        self._processes = processes
        return processes

    def _start_simulator(self, processes: Processes, port: int, mail_port: int) -> str:
        words = ["--port", str(port), "--mail-port", str(mail_port)]
        words += ["--state", str(self.data_dir / "simulator")]
        words += ["--backend", self.web_url, "--parent-pid", str(os.getpid())]
        ready = ReadyLine()
        self._programs["simulator"] = lambda: Program(
            name="simulator", words=_python("simulator", *words), ready=ReadyLine()
        )
        processes.start(Program(name="simulator", words=_python("simulator", *words), ready=ready))
        return str(ready.answer.get("url", f"http://127.0.0.1:{port}")).rstrip("/")

    def _web(self, port: int) -> Program:
        words = _gunicorn(port)
        if self._reloads:
            words = _flask("run", "--debug", "--port", str(port))
        return Program(name="web", words=words, ready=ReadyUrl(f"{self.web_url}/readyz"))


def _worker(queue: Engine) -> Program:
    known = _registered(queue.url)  # a killed worker's name stays behind for a while
    ready = ReadyWhen(lambda: bool(_registered(queue.url) - known), missing="没有在队列登记")
    return Program(name="worker", words=_flask("jobs", "work"), ready=ready, grace_s=15.0)


def _ticker(postgres: Engine) -> Program:
    before = _slots(postgres.url)
    ready = ReadyWhen(lambda: _slots(postgres.url) > before, missing="没有运行过任何定时任务")
    return Program(name="ticker", words=_flask("jobs", "tick"), ready=ready, grace_s=15.0)


def _slots(database_url: str) -> int:
    """Count the slots of the timetable that were taken."""
    url = database_url.replace("postgresql+psycopg", "postgresql", 1)
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM job_slot").fetchone()
    return int(row[0]) if row else 0


def _registered(redis_url: str) -> set[bytes]:
    """List the workers RQ knows."""
    with redis.Redis.from_url(redis_url) as client:
        return set(client.smembers("rq:workers"))


def _gunicorn(port: int) -> tuple[str, ...]:
    words = ["-k", "gthread", "--threads", "8", "-w", "2", "--bind", f"127.0.0.1:{port}"]
    # The control socket has one path for all of a user's gunicorns: two stacks would meet there.
    words += ["--graceful-timeout", "5", "--no-control-socket", "wsgi:create_app()"]
    return _python("gunicorn", *words)


def _flask(*words: str) -> tuple[str, ...]:
    return _python("flask", "--app", "wsgi", *words)


def _python(module: str, *words: str) -> tuple[str, ...]:
    return (sys.executable, "-m", module, *words)


def _credentials(simulator_url: str) -> dict[str, str]:
    connection = http.client.HTTPConnection(urlsplit(simulator_url).netloc, timeout=10)
    try:
        connection.request("GET", "/_sim/credentials")
        response = connection.getresponse()
        body = response.read()
    finally:
        connection.close()
    if response.status != http.client.OK:
        raise StartFailed(f"模拟平台没有给出凭据（{response.status}）")
    return {str(name): str(value) for name, value in json.loads(body).items()}
