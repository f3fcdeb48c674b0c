import os
import signal
import threading
from pathlib import Path

import pytest

from localstack.folders import FolderInUse, FolderLock, SocketFolder
from tests.localstack.watching import kill, read_line, start_script

HOLDER = """
import subprocess, sys, time
from pathlib import Path
from localstack.folders import FolderLock
lock = FolderLock(Path(sys.argv[1]), name="engine.lock")
heir = subprocess.Popen(
    [sys.executable, "-c", "import time; time.sleep(600)"],
    pass_fds=(lock.fd,), stdout=subprocess.DEVNULL)
print(heir.pid, flush=True)
time.sleep(600)
"""


class TestFolderLock:
    def test_second_holder_is_refused_in_two_languages(self, tmp_path):
        lock = FolderLock(tmp_path, name="lock")

        with pytest.raises(FolderInUse, match=f"正被.*in use by pid {os.getpid()}") as refusal:
            FolderLock(tmp_path, name="lock")

        lock.let_go()
        assert refusal.value.pid == os.getpid()

    def test_lock_let_go_can_be_taken(self, tmp_path):
        FolderLock(tmp_path, name="lock").let_go()

        FolderLock(tmp_path, name="lock").let_go()

    @pytest.mark.slow
    def test_waits_for_the_heirs_of_a_dead_holder(self, tmp_path):
        holder = start_script(HOLDER, tmp_path)
        heir = int(read_line(holder))
        kill(holder)
        ended = threading.Event()

        def end_heir() -> None:
            ended.set()
            os.kill(heir, signal.SIGKILL)

        timer = threading.Timer(1, end_heir)
        timer.start()
        FolderLock(tmp_path, name="engine.lock").let_go()

        assert ended.is_set()
        timer.join()


class TestSocketFolder:
    def test_lives_in_the_data_folder(self, tmp_path):
        assert SocketFolder.choose(Path("/data")) == SocketFolder(
            Path("/data/run"), is_temporary=False
        )

    @pytest.mark.parametrize("name", ["深" * 40, "a,b"])
    def test_path_that_will_not_do_is_replaced(self, tmp_path, name):
        folder = SocketFolder.choose(Path("/data") / name)

        folder.path.rmdir()
        assert folder.is_temporary

    def test_made_afresh_without_stale_locks(self, tmp_path):
        folder = SocketFolder.choose(tmp_path)
        folder.make_empty(None)
        (folder.path / ".s.PGSQL.5432.lock").write_text("1")

        folder.make_empty(None)

        assert list(folder.path.iterdir()) == []
