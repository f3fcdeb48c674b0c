import http.server
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from localstack.folders import is_alive
from localstack.guarded import Guarded, StartFailed
from localstack.ports import Port
from localstack.processes import (
    Processes,
    Program,
    ReadyLine,
    ReadyUrl,
    inherited_environment,
)
from tests.localstack.watching import (
    kill,
    processes_of,
    read_line,
    start_script,
    wait_until,
    wait_until_nothing_runs_in,
)

READY = "import json, time; print(json.dumps({'ready': True, 'url': 'here'}), flush=True); "
SLEEP = "time.sleep(600)"
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
# Starts a grandchild that leaves the group and does not listen to SIGTERM, as an RQ job may.
PARENT = """
import json, subprocess, sys, time
child = subprocess.Popen(
    [sys.executable, "-c", "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
     "print(1, flush=True); time.sleep(600)", sys.argv[1]],
    start_new_session=True, stdout=subprocess.PIPE)
child.stdout.readline()
print(json.dumps({"ready": True, "child": child.pid}), flush=True)
time.sleep(600)
"""
RUNNER = f"""
import sys, time
from pathlib import Path
from localstack.processes import Processes, Program, ReadyLine
ready = ReadyLine()
words = (sys.executable, "-c", {PARENT!r}, sys.argv[1])
processes = Processes(logs=Path(sys.argv[1]), env={{}}, cwd=Path(sys.argv[1]))
processes.start(Program(name="parent", words=words, ready=ready))
print("up", flush=True)
time.sleep(600)
"""


def python(source: str, *arguments: object) -> tuple[str, ...]:
    return (sys.executable, "-c", source, *map(str, arguments))


def program(source: str, *arguments: object, **changes: object) -> Program:
    given = {"name": "web", "words": python(source, *arguments), "ready": ReadyLine()} | changes
    return Program(**given)  # type: ignore[arg-type]


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    with Processes(logs=tmp_path / "logs", env={"WHO": "安居"}, cwd=tmp_path) as running:
        yield running
    assert processes_of(tmp_path) == []


class TestReadyLine:
    def test_its_object_is_the_answer(self, processes):
        ready = ReadyLine()

        processes.start(program("print('booting', '{\"ready\"', 1); " + READY + SLEEP, ready=ready))

        assert ready.answer == {"ready": True, "url": "here"}

    def test_line_of_an_earlier_run_does_not_count(self, processes):
        processes.run("web", python(READY))

        with pytest.raises(StartFailed, match="没有打印就绪行"):
            processes.start(program("import time; " + SLEEP, ready_within_s=0.1))


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/readyz" else 503)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


class TestReadyUrl:
    @pytest.fixture
    def web(self) -> Iterator[str]:
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            yield f"http://127.0.0.1:{server.server_port}"
            server.shutdown()
            thread.join()

    def test_answer_of_success_will_do(self, processes, web):
        running = processes.start(program("import time; " + SLEEP, ready=ReadyUrl(f"{web}/readyz")))

        assert running.is_running

    def test_says_what_was_answered_instead(self, processes, web):
        ready = ReadyUrl(f"{web}/broken")

        with pytest.raises(StartFailed, match="/broken 回答 503"):
            processes.start(program("import time; " + SLEEP, ready=ready, ready_within_s=0.1))

    def test_says_that_nothing_answers(self, processes):
        with Port(None) as port:
            ready = ReadyUrl(f"http://127.0.0.1:{port.number}/readyz")

            with pytest.raises(StartFailed, match="没有应答"):
                processes.start(program("import time; " + SLEEP, ready=ready, ready_within_s=0.1))


class NeverReady:
    """Not ready when time is up, which it lets come only after the program has spoken."""

    def is_met(self, process: Guarded) -> bool:
        wait_until(lambda: bool(process.command.log.read_bytes()))
        return False

    def describe(self) -> str:
        return "没有在队列登记"


class TestStart:
    def test_never_ready_fails_with_the_tail_of_the_log(self, processes):
        source = "import time; print('half way', flush=True); " + SLEEP

        with pytest.raises(StartFailed, match=r"没有在队列登记[\s\S]*half way"):
            processes.start(program(source, ready=NeverReady(), ready_within_s=0.01))

    def test_early_end_fails_with_the_tail_of_the_log(self, processes):
        with pytest.raises(StartFailed, match=r"web 启动时退出[\s\S]*SECRET_KEY is missing"):
            processes.start(program("raise SystemExit('SECRET_KEY is missing')"))

    def test_missing_program_is_named(self, processes):
        with pytest.raises(StartFailed, match="/nowhere/gunicorn"):
            processes.start(Program(name="web", words=("/nowhere/gunicorn",), ready=ReadyLine()))

    def test_has_a_group_of_its_own(self, processes):
        running = processes.start(program(READY + SLEEP))

        assert os.getpgid(running.pid) == running.pid != os.getpgrp()

    def test_unexpected_end_is_noticed(self, processes):
        running = processes.start(program(READY + SLEEP))
        running.check()

        os.kill(running.pid, signal.SIGKILL)

        wait_until(lambda: not running.is_running)
        with pytest.raises(StartFailed, match="web 意外退出"):
            running.check()


class TestRun:
    def test_answers_what_was_printed(self, processes):
        source = "import os; print(os.environ['WHO'])"

        assert processes.run("flask", python(source)) == "安居\n"

    def test_failure_shows_the_tail_of_the_log(self, processes):
        with pytest.raises(StartFailed, match=r"退出码 1[\s\S]*no such table"):
            processes.run("migrations", python("raise SystemExit('no such table')"))

    def test_endless_one_is_ended(self, processes):
        with pytest.raises(StartFailed, match="秒内没有结束"):
            processes.run("migrations", python("import time; " + SLEEP), within_s=0.2)


class TestStop:
    def test_last_started_stops_first(self, processes, tmp_path):
        source = (
            "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit("
            "open(sys.argv[1], 'a').write(sys.argv[2]) and None)); "
        )
        for name in ("a", "b", "c"):
            processes.start(program(source + READY + SLEEP, tmp_path / "order", name, name=name))

        processes.stop()

        assert (tmp_path / "order").read_text() == "cba"

    def test_deaf_program_is_killed_after_its_grace(self, processes):
        running = processes.start(program(DEAF + READY + SLEEP, grace_s=0.2))

        processes.stop()

        assert not is_alive(running.pid)

    @pytest.mark.slow
    def test_grandchild_outside_the_group_is_found_and_killed(self, processes, tmp_path):
        ready = ReadyLine()
        processes.start(program(PARENT, tmp_path, ready=ready))
        assert is_alive(int(str(ready.answer["child"])))

        processes.stop()

        assert not is_alive(int(str(ready.answer["child"])))

    @pytest.mark.slow
    def test_killed_runner_leaves_nothing(self, tmp_path):
        runner = start_script(RUNNER, tmp_path)
        assert read_line(runner) == "up"

        kill(runner)

        wait_until_nothing_runs_in(tmp_path)


class TestInheritedEnvironment:
    @pytest.mark.parametrize(
        "name",
        ["DATABASE_URL", "REDIS_URL", "WECHAT_MINIAPP_SECRET", "WECHATPAY_MCHID", "SMS_APP_ID"],
    )
    def test_real_settings_stay_out(self, monkeypatch, name):
        monkeypatch.setenv(name, "production")

        assert name not in inherited_environment()

    def test_rest_is_passed_on(self, monkeypatch):
        monkeypatch.setenv("HTTP_PROXY", "http://proxy.invalid")

        assert inherited_environment()["HTTP_PROXY"] == "http://proxy.invalid"
