"""`make demo ARGS=--once`, as a newcomer runs it."""

import os
import subprocess
import sys

import pytest

from tests.world import ROOT


@pytest.mark.slow
@pytest.mark.timeout(600)
class TestStory:
    def test_ends_well_and_leaves_nothing_running(self, tmp_path):
        """In a copy of what git holds, so that nothing outside it can be leaned on."""
        checkout = tmp_path / "checkout"
        listed = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False
        )
        if listed.returncode:
            pytest.skip("not a git checkout")
        for name in listed.stdout.decode().split("\0"):
            if name and (ROOT / name).is_file():
                (checkout / name).parent.mkdir(parents=True, exist_ok=True)
                (checkout / name).write_bytes((ROOT / name).read_bytes())

        done = subprocess.run(
            [sys.executable, "-m", "localstack", "demo", "--once"],
            cwd=checkout,
            capture_output=True,
            text=True,
            env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
            check=False,
        )

        assert done.returncode == 0, done.stdout + done.stderr
        for figure in (
            "864 户、868 位业主",
            "1728 张，合计 ¥216,923.04",
            "回调送达 3 次，只入账 1 次，收据号 CH-",
            "平台日志里恰好 1 条",
            "条承诺全部成立",
            "已全部停止",
        ):
            assert figure in done.stdout
        left = subprocess.run(
            ["pgrep", "-f", str(checkout)], capture_output=True, text=True, check=False
        )
        assert left.stdout == ""
