"""`make demo`, as a newcomer runs it, in a copy of what git holds and nothing else."""

import os
import signal
import subprocess
import sys

import pytest

from tests.world import ROOT

FIGURES = (
    "864 户、868 位业主",
    "登记 847 只水表",
    "3439 张，合计 ¥262,057.93",
    "17 户没有水表",
    "余 ¥100.00 转入预存",
    "期末余额 0.00",
    "回调送达 3 次，只入账 1 次，收据号 CH-",
    "平台日志里恰好 1 条",
    "未登录只见打码的房号和合计 ¥",
    "退 ¥10.00，李经理批准，支付宝原路退回",
    "差额 0；王会计点清接收",
    "个渠道两边一致",
    "条承诺全部成立",
    "已全部停止",
)
DEMO = [sys.executable, "-m", "localstack", "demo"]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    checkout = tmp_path_factory.mktemp("story") / "checkout"
    for name in listed.stdout.decode().split("\0"):
        if name and (ROOT / name).is_file():
            (checkout / name).parent.mkdir(parents=True, exist_ok=True)
            (checkout / name).write_bytes((ROOT / name).read_bytes())
    return checkout


@pytest.fixture
def options(checkout):
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return {"cwd": checkout, "text": True, "env": env}


@pytest.fixture
def nothing_left(checkout):
    yield
    left = subprocess.run(
        ["pgrep", "-af", str(checkout)], capture_output=True, text=True, check=False
    )
    assert left.stdout == ""


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.usefixtures("nothing_left")
class TestStory:
    def test_tells_the_month_and_stays_up_for_commands_until_ctrl_c(self, options):
        with subprocess.Popen(
            DEMO, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options
        ) as demo:
            said = []
            for line in demo.stdout:
                said.append(line)
                if "Ctrl-C" in line:
                    break
            command = [sys.executable, "-m", "localstack", "flask", "verify", "ledger"]
            verified = subprocess.run(command, capture_output=True, check=False, **options)
            demo.send_signal(signal.SIGINT)
            said.append(demo.stdout.read())

        told = "".join(said)
        assert demo.returncode == 0, told
        assert verified.returncode == 0, verified.stdout + verified.stderr
        assert "全部成立" in verified.stdout
        for figure in FIGURES:
            assert figure in told

    def test_without_a_stack_a_command_says_what_to_do(self, options):
        command = [sys.executable, "-m", "localstack", "flask", "doctor"]

        done = subprocess.run(command, capture_output=True, check=False, **options)

        assert done.returncode == 1
        assert "make demo" in done.stderr
