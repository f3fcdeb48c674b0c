"""The commands `python -m localstack demo | dev | engines`."""

import argparse
import importlib
import json
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from localstack.engines import start_postgres, start_redis
from localstack.folders import FolderInUse
from localstack.guarded import StartFailed
from localstack.processes import inherited_environment
from localstack.stack import ENVIRONMENT, ROOT, Stack

_LOCAL = ROOT / ".local"
_POLL_S = 0.5


class Interrupted(BaseException):
    """Ctrl-C or a request to end; not an Exception, so that nothing on the way keeps it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def main(arguments: list[str] | None = None) -> int:
    """Run one command and answer its exit code; 128 + n when ended by signal n too early."""
    options = _parser().parse_args(arguments)
    run: Callable[[argparse.Namespace], int] = options.run
    with _signals():
        try:
            return run(options)
        except (StartFailed, FolderInUse) as error:
            print(f"失败：{error}", file=sys.stderr)
            return 1
        except Interrupted as interruption:
            print("已中断。", file=sys.stderr)
            return 128 + interruption.number


def _demo(options: argparse.Namespace) -> int:
    stack = Stack(
        _LOCAL / "demo",
        is_fresh=not options.keep_data,
        takes_any_port=options.once,
        say=_say,
    )
    with _running(stack):
        importlib.import_module("localstack.story").run_story(stack)
        if not options.once:
            _stay_up(stack)
    return 0


def _dev(options: argparse.Namespace) -> int:
    del options
    stack = Stack(_LOCAL / "dev", reloads=True, say=_say)
    with _running(stack):
        _stay_up(stack, shows_logs=True)
    return 0


def _flask(options: argparse.Namespace) -> int:
    """Run one of our commands against the stack that is up."""
    for name in ("demo", "dev"):
        file = _LOCAL / name / ENVIRONMENT
        if file.exists():
            env = inherited_environment() | json.loads(file.read_text())
            words = [sys.executable, "-m", "flask", "--app", "wsgi", *(options.words or ["--help"])]
            return subprocess.run(words, cwd=ROOT, env=env, check=False).returncode
    print("没有正在运行的本地环境，请先运行 make demo 或 make dev。", file=sys.stderr)
    return 1


def _engines(options: argparse.Namespace) -> int:
    folder: Path = options.data
    with start_postgres(folder / "postgres") as postgres, start_redis(folder / "redis") as queue:
        _say(f"export DATABASE_URL={shlex.quote(postgres.url)}")
        _say(f"export REDIS_URL={shlex.quote(queue.url)}")
        _wait_for_end(postgres.check, queue.check)
    return 0


def _stay_up(stack: Stack, *, shows_logs: bool = False) -> None:
    _say("")
    _say(f"接口文档    {stack.web_url}/api/docs")
    _say(f"模拟手机    {stack.simulator_url}/")
    _say(f"日志        {stack.logs}")
    if not shows_logs:
        _say("")
        _say("试一试：在模拟手机里选 19900000001，发送“账单”；再选 19900000003，关注公众号。")
        _say("在接口文档里为 19900000003 获取验证码（在模拟手机的“短信”里），连同小程序登录码")
        _say(
            "（在“平台”里，填作 wechat_code）登录，用得到的 token 点 Authorize，查账单、发起支付，"
        )
        _say("再到模拟手机的“支付”里付款。")
        _say("门上的收款码，用浏览器打开它给出的网址：")
        _say('  make flask ARGS="pay-code show --community CH --house 1栋1单元104 --as li"')
        _say('员工和命令：make flask ARGS="staff list"，make flask；每个命令加 --help 看用法。')
    if shows_logs:
        _wait_for_end(stack.check, _Logs(stack.logs).show_new)
    else:
        _wait_for_end(stack.check)


class _Logs:
    """What the processes have written since it was last shown."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._shown = {path: path.stat().st_size for path in folder.glob("*.log")}

    def show_new(self) -> None:
        for path in sorted(self._folder.glob("*.log")):
            with path.open("rb") as log:
                log.seek(self._shown.get(path, 0))
                whole, newline, _ = log.read().rpartition(b"\n")
            self._shown[path] = self._shown.get(path, 0) + len(whole) + len(newline)
            for line in whole.decode("utf-8", "replace").splitlines():
                print(f"{path.stem:<10} {line}", flush=True)


@contextmanager
def _running(stack: Stack) -> Iterator[None]:
    """Keep the stack up inside; on the way out nothing interrupts the stopping.

    Raises:
        StartFailed: something did not come up, or did not go down.
    """
    try:
        stack.start()
        yield
    finally:
        _ignore_signals()
        _say("正在停止……")
        stack.stop()
        survivors = stack.survivors()
        if survivors:
            raise StartFailed(f"这些进程没有停下来：{survivors}")
        _say("已全部停止。")


def _wait_for_end(*steps: Callable[[], None]) -> None:
    """Repeat the steps until Ctrl-C or SIGTERM, the regular end, or until one raises."""
    try:
        # Said in here, for whoever reads it may answer at once. To the other stream, which leaves
        # the output of `engines` to the shell.
        print("按 Ctrl-C 停止。", file=sys.stderr, flush=True)
        while True:
            for step in steps:
                step()
            time.sleep(_POLL_S)
    except Interrupted:
        _ignore_signals()
        _say("")


@contextmanager
def _signals() -> Iterator[None]:
    """Turn the signals that end us into an exception; restore them after."""

    def interrupt(number: int, frame: object) -> None:
        del frame
        raise Interrupted(number)

    before = {number: signal.signal(number, interrupt) for number in _ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _ignore_signals() -> None:
    for number in _ENDING:
        signal.signal(number, signal.SIG_IGN)


def _say(sentence: str) -> None:
    print(sentence, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m localstack", description="安居本地环境")
    commands = parser.add_subparsers(required=True, metavar="命令")
    demo = commands.add_parser("demo", help="从零启动全部，演示一个月的物业工作")
    demo.add_argument("--once", action="store_true", help="演示完即停止；全部成立时退出码为 0")
    demo.add_argument("--keep-data", action="store_true", help="沿用上次的数据")
    demo.set_defaults(run=_demo)
    dev = commands.add_parser("dev", help="日常开发：改代码后网站自动重启")
    dev.set_defaults(run=_dev)
    flask = commands.add_parser("flask", help="在正在运行的 demo 或 dev 里执行 flask 命令")
    flask.add_argument("words", nargs=argparse.REMAINDER, metavar="命令")
    flask.set_defaults(run=_flask)
    engines = commands.add_parser("engines", help="只启动数据库和 Redis")
    engines.add_argument("--data", type=Path, default=_LOCAL / "engines", help="数据目录")
    engines.set_defaults(run=_engines)
    return parser


if __name__ == "__main__":
    sys.exit(main())
