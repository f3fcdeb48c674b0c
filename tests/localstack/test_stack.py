"""The commands as people run them, in a checkout with a small stand-in for our app."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.localstack.watching import (
    ROOT,
    processes_of,
    read_line,
    wait_until,
    wait_until_nothing_runs_in,
)

SIMULATOR = """
    import argparse, http.server, json, sys
    parser = argparse.ArgumentParser()
    for name in ("--port", "--mail-port", "--state", "--backend", "--parent-pid"):
        parser.add_argument(name, required=True)
    options = parser.parse_args()
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            assert self.path == "/_sim/credentials"
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"WECHAT_API_BASE": "http://simulated"}).encode())
    server = http.server.HTTPServer(("127.0.0.1", int(options.port)), Answer)
    print(json.dumps({"ready": True, "url": f"http://127.0.0.1:{options.port}/"}), flush=True)
    server.serve_forever()
"""
WSGI = """
    import os, time
    import psycopg, redis
    from flask import Flask
    from flask.cli import AppGroup

    def create_app():
        app = Flask(__name__)
        queue = redis.from_url(os.environ["REDIS_URL"])
        database_url = os.environ["DATABASE_URL"].replace("+psycopg", "")
        db, jobs = AppGroup("db"), AppGroup("jobs")

        @db.command("upgrade")
        def upgrade():
            queue.set("migrated", "yes")
            with psycopg.connect(database_url) as database:
                database.execute("CREATE TABLE IF NOT EXISTS job_slot (job text)")

        @jobs.command("work")
        def work():
            queue.sadd("rq:workers", f"rq:worker:{os.getpid()}")
            time.sleep(600)

        @jobs.command("tick")
        def tick():
            with psycopg.connect(database_url) as database:
                database.execute("INSERT INTO job_slot VALUES ('look')")
            time.sleep(600)

        @app.route("/readyz")
        def readyz():
            return {"migrated": (queue.get("migrated") or b"").decode()}, READYZ

        @app.cli.command("tell")
        def tell():
            print(os.environ["WECHAT_API_BASE"], os.environ["ANJU_ENV"], len(
                os.environ["SECRET_KEY"]), os.environ["TRUSTED_HOSTS"], os.environ["NO_PROXY"])

        app.cli.add_command(db)
        app.cli.add_command(jobs)
        return app
"""
STORY = """
    import json, urllib.request

    def run_story(stack):
        with urllib.request.urlopen(f"{stack.web_url}/readyz") as answer:
            assert json.load(answer) == {"migrated": "yes"}
        assert stack.env["PUBLIC_BASE_URL"] == stack.web_url
        print("told:", stack.run("tell").strip(), flush=True)
        print("data:", sorted(path.name for path in stack.data_dir.iterdir()), flush=True)
        ENDING
"""


class Checkout:
    """A checkout of its own, with our runner and a stand-in for the rest."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(
            ROOT / "localstack", folder / "localstack", ignore=shutil.ignore_patterns("__pycache__")
        )
        (folder / "simulator").mkdir()
        self.write("simulator/__main__.py", SIMULATOR)
        self.write("wsgi.py", WSGI.replace("READYZ", "200"))
        self.write("localstack/story.py", STORY.replace("ENDING", ""))

    def write(self, path: str, source: str) -> None:
        (self.folder / path).write_text(textwrap.dedent(source))

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            self._words(*words), cwd=self.folder, capture_output=True, text=True, check=False
        )

    @contextlib.contextmanager
    def started(self, *words: str) -> Iterator["subprocess.Popen[str]"]:
        with subprocess.Popen(
            self._words(*words),
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            yield process
            process.kill()

    def _words(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "localstack", *words]


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Checkout]:
    monkeypatch.setenv("DATABASE_URL", "postgresql://real.invalid/anju")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    yield Checkout(tmp_path / "anju")
    wait_until_nothing_runs_in(tmp_path)


def read_until(process: "subprocess.Popen[str]", words: str) -> str:
    while words not in (line := read_line(process)):
        pass
    return line


@pytest.mark.slow
class TestDemoOnce:
    def test_plays_the_story_and_leaves_nothing(self, checkout):
        demo = checkout.run("demo", "--once")

        assert demo.returncode == 0, demo.stdout + demo.stderr
        assert "told: http://simulated development 64 127.0.0.1,localhost" in demo.stdout
        assert "'postgres', 'redis', 'secret_key', 'stack.lock'" in demo.stdout
        assert demo.stdout.rstrip().endswith("已全部停止。")
        assert processes_of(checkout.folder) == []

    def test_untrue_story_fails(self, checkout):
        checkout.write("localstack/story.py", STORY.replace("ENDING", "assert 1 == 2, 'ledger'"))

        demo = checkout.run("demo", "--once")

        assert demo.returncode == 1
        assert "AssertionError: ledger" in demo.stderr
        assert processes_of(checkout.folder) == []

    def test_app_that_does_not_start_shows_its_log(self, checkout):
        checkout.write("wsgi.py", "raise RuntimeError('settings are missing')")

        demo = checkout.run("demo", "--once")

        assert demo.returncode == 1
        assert "失败：" in demo.stderr
        assert "settings are missing" in demo.stderr
        assert processes_of(checkout.folder) == []

    def test_old_data_go_unless_they_are_kept(self, checkout):
        checkout.run("demo", "--once")
        note = checkout.folder / ".local" / "demo" / "note"
        note.write_text("old")

        kept = checkout.run("demo", "--once", "--keep-data")

        assert kept.returncode == 0, kept.stdout + kept.stderr
        assert note.exists()
        assert checkout.run("demo", "--once").returncode == 0
        assert not note.exists()


@pytest.mark.slow
class TestDemo:
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    def test_stays_up_until_it_is_told_to_end(self, checkout, number):
        with checkout.started("demo") as demo:
            read_until(demo, "按 Ctrl-C 停止。")
            assert demo.poll() is None

            demo.send_signal(number)

            read_until(demo, "已全部停止。")
            assert demo.wait() == 0
        assert processes_of(checkout.folder) == []

    def test_interruption_of_the_start_leaves_nothing(self, checkout):
        with checkout.started("demo") as demo:
            read_until(demo, "模拟平台已就绪")

            demo.send_signal(signal.SIGTERM)

            read_until(demo, "已中断。")
            assert demo.wait() == 128 + signal.SIGTERM
        assert processes_of(checkout.folder) == []

    def test_kill_leaves_nothing(self, checkout):
        with checkout.started("demo") as demo:
            read_until(demo, "按 Ctrl-C 停止。")
            assert len(processes_of(checkout.folder)) > 5

            demo.kill()

            wait_until_nothing_runs_in(checkout.folder)

    def test_second_one_in_the_checkout_is_refused(self, checkout):
        with checkout.started("demo") as demo:
            read_until(demo, "按 Ctrl-C 停止。")

            second = checkout.run("demo", "--once")

            assert second.returncode == 1
            assert f"pid {demo.pid}" in second.stderr

    def test_second_checkout_gets_other_ports(self, checkout, tmp_path):
        other = Checkout(tmp_path / "other")
        with checkout.started("demo") as demo, other.started("demo") as second:
            first_url = read_until(demo, "接口文档  ").split()[-1].removesuffix("/api/docs")
            second_url = read_until(second, "接口文档  ").split()[-1].removesuffix("/api/docs")

            assert first_url != second_url

    def test_end_of_a_part_ends_the_whole(self, checkout):
        with checkout.started("demo") as demo:
            read_until(demo, "按 Ctrl-C 停止。")
            worker = next(
                pid for pid in processes_of(checkout.folder) if b"jobs\0work" in _words(pid)
            )

            os.kill(worker, signal.SIGKILL)

            read_until(demo, "worker 意外退出")
            assert demo.wait() == 1


@pytest.mark.slow
class TestDev:
    def test_restarts_the_web_when_its_source_changes(self, checkout):
        with checkout.started("dev") as dev:
            read_until(dev, "按 Ctrl-C 停止。")
            checkout.write("wsgi.py", WSGI.replace("READYZ", "201"))

            read_until(dev, "Restarting with stat")

            dev.send_signal(signal.SIGINT)
            assert dev.wait() == 0
        assert processes_of(checkout.folder) == []


@pytest.mark.slow
class TestEngines:
    def test_prints_what_a_shell_can_take(self, checkout, tmp_path):
        with checkout.started("engines", "--data", str(tmp_path / "data")) as engines:
            lines = read_line(engines) + "\n" + read_line(engines)
            read_until(engines, "按 Ctrl-C 停止")
            names = "('DATABASE_URL', 'REDIS_URL')"
            ask = f"import os, json; print(json.dumps([os.environ[name] for name in {names}]))"

            taken = subprocess.check_output(
                ["sh", "-c", f'{lines}\nexec "$0" -c "$1"', sys.executable, ask], text=True
            )

            database_url, redis_url = json.loads(taken)
            assert database_url.startswith("postgresql+psycopg://")
            assert redis_url.startswith("unix://")
            engines.send_signal(signal.SIGINT)
            assert engines.wait() == 0
        wait_until(lambda: not processes_of(tmp_path))


def _words(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
