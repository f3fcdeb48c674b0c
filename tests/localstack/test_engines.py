import os
import pwd
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis
import sqlalchemy

from localstack.engines import Engine, start_postgres, start_redis
from localstack.folders import FolderInUse, is_alive
from localstack.guarded import Command, Guarded, StartFailed
from tests.localstack.watching import (
    ROOT,
    kill,
    processes_of,
    read_line,
    start_script,
    wait_until,
    wait_until_nothing_runs_in,
)

RUNNER = """
import os, sys, time
from pathlib import Path
from localstack.engines import start_postgres, start_redis
postgres = start_postgres(Path(sys.argv[1]) / "postgres", durable=False)
redis = start_redis(Path(sys.argv[1]) / "redis", durable=False)
if "fork" in sys.argv and os.fork() == 0:
    time.sleep(600)
print(postgres.pid, redis.pid, flush=True)
time.sleep(600)
"""


def ask(engine: Engine, question: str) -> object:
    with psycopg.connect(engine.url.replace("+psycopg", "")) as connection:
        row = connection.execute(question.encode()).fetchone()
    return None if row is None else row[0]


def tell(engine: Engine, sentence: str) -> None:
    with psycopg.connect(engine.url.replace("+psycopg", "")) as connection:
        connection.execute(sentence.encode())


@pytest.fixture(scope="module")
def running_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with start_postgres(tmp_path_factory.mktemp("engine"), durable=False) as engine:
        yield engine


@pytest.fixture
def postgres(running_postgres: Engine) -> Engine:
    running_postgres.start()  # a test may have ended it
    return running_postgres


@pytest.fixture(scope="module")
def running_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with start_redis(tmp_path_factory.mktemp("engine")) as engine:
        yield engine


@pytest.fixture
def queue(running_redis: Engine) -> Engine:
    running_redis.start()
    return running_redis


class TestPostgres:
    @pytest.mark.parametrize(
        ("setting", "value"),
        [
            ("server_encoding", "UTF8"),
            ("timezone", "UTC"),
            ("max_connections", "200"),
            ("listen_addresses", ""),
            ("fsync", "off"),
            ("synchronous_commit", "off"),
            ("full_page_writes", "off"),
        ],
    )
    def test_runs_with_our_settings(self, postgres, setting, value):
        assert ask(postgres, f"SHOW {setting}") == value

    def test_url_is_one_for_sqlalchemy(self, postgres):
        engine = sqlalchemy.create_engine(postgres.url)

        with engine.connect() as connection:
            name = connection.scalar(sqlalchemy.text("SELECT current_database()"))

        engine.dispose()
        assert name == "anju"

    def test_url_wins_over_the_environment_of_libpq(self, postgres, monkeypatch):
        monkeypatch.setenv("PGPORT", "1")
        monkeypatch.setenv("PGHOST", "nowhere.invalid")

        assert ask(postgres, "SELECT 1") == 1

    def test_chinese_words_have_trigrams(self, postgres):
        tell(postgres, "CREATE EXTENSION IF NOT EXISTS pg_trgm")

        assert ask(postgres, "SELECT cardinality(show_trgm('翠湖花园'))") == 5

    def test_socket_folder_is_closed_to_others(self, postgres):
        assert stat.S_IMODE(postgres.sockets.stat().st_mode) == 0o700

    def test_second_start_on_the_folder_is_refused_naming_the_holder(self, postgres):
        with pytest.raises(FolderInUse, match=f"pid {os.getpid()}"):
            start_postgres(postgres.data_dir)

        assert ask(postgres, "SELECT 1") == 1

    def test_start_while_running_changes_nothing(self, postgres):
        pid = postgres.pid

        postgres.start()

        assert postgres.pid == pid

    def test_restart_keeps_data_and_url(self, postgres):
        tell(postgres, "DROP TABLE IF EXISTS kept; CREATE TABLE kept AS SELECT 7 AS value")
        url = postgres.url

        postgres.restart()

        assert postgres.url == url
        assert ask(postgres, "SELECT value FROM kept") == 7

    def test_crash_is_noticed(self, postgres):
        os.kill(postgres.pid, signal.SIGKILL)

        wait_until(lambda: not postgres.is_running)

        with pytest.raises(StartFailed, match="意外退出"):
            postgres.check()

    def test_open_sessions_do_not_delay_the_stop(self, postgres):
        with psycopg.connect(postgres.url.replace("+psycopg", "")) as session:
            session.execute("SELECT 1")
            postgres.stop()

            with pytest.raises(psycopg.OperationalError):
                session.execute("SELECT 1")

    def test_stopping_twice_is_harmless(self, postgres):
        pid = postgres.pid

        postgres.stop()
        postgres.stop()

        assert not is_alive(pid)
        with pytest.raises(StartFailed):
            _ = postgres.pid

    @pytest.mark.slow
    def test_pid_file_naming_another_living_program_is_stale(self, postgres):
        postgres.kill()
        with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
            pid_file = postgres.data_dir / "cluster" / "postmaster.pid"
            lines = pid_file.read_text().split("\n")
            pid_file.write_text("\n".join([str(other.pid), *lines[1:]]))

            postgres.start()

            assert ask(postgres, "SELECT 1") == 1
            assert other.poll() is None
            other.kill()

    def test_torn_pid_file_is_stale(self, postgres):
        postgres.kill()
        (postgres.data_dir / "cluster" / "postmaster.pid").write_text("")

        postgres.start()

        assert ask(postgres, "SELECT 1") == 1

    def test_failing_start_shows_the_tail_of_the_log(self, postgres):
        postgres.stop()
        settings = postgres.data_dir / "cluster" / "postgresql.auto.conf"
        before = settings.read_text()
        settings.write_text("work_mem = 'a lot'\n")

        with pytest.raises(StartFailed, match="work_mem"):
            postgres.start()

        settings.write_text(before)

    def test_cluster_of_another_version_is_refused(self, postgres):
        postgres.stop()
        version = postgres.data_dir / "cluster" / "PG_VERSION"
        ours = version.read_text()
        version.write_text("15\n")

        with pytest.raises(StartFailed, match="属于 PostgreSQL 15"):
            postgres.start()

        version.write_text(ours)

    @pytest.mark.slow
    def test_durable_one_is_the_default(self, tmp_path):
        with start_postgres(tmp_path) as engine:
            assert ask(engine, "SHOW fsync") == "on"
            assert ask(engine, "SHOW synchronous_commit") == "on"
            assert ask(engine, "SHOW full_page_writes") == "on"

    @pytest.mark.slow
    def test_durable_one_loses_nothing_committed_in_a_crash(self, tmp_path):
        with start_postgres(tmp_path) as engine:
            tell(engine, "CREATE TABLE settled AS SELECT 8 AS value")

            engine.kill()
            engine.start()

            assert ask(engine, "SELECT value FROM settled") == 8

    @pytest.mark.slow
    def test_long_folder_with_odd_letters_will_do(self, tmp_path):
        folder = tmp_path / ("小区, 一期 #%?&" * 3) / ("深" * 30)
        engine = start_postgres(folder, durable=False)
        sockets = engine.sockets

        assert ask(engine, "SELECT 1") == 1
        engine.restart()
        assert ask(engine, "SELECT 1") == 1
        engine.stop()

        assert not sockets.exists()

    @pytest.mark.slow
    def test_half_made_cluster_is_made_anew(self, tmp_path):
        (tmp_path / "cluster.new" / "base").mkdir(parents=True)

        with start_postgres(tmp_path, durable=False) as engine:
            assert ask(engine, "SELECT 1") == 1


class TestRedis:
    @pytest.mark.parametrize(
        ("setting", "value"),
        [
            ("maxmemory-policy", "noeviction"),
            ("save", ""),
            ("appendonly", "yes"),
            ("appendfsync", "everysec"),
            ("port", "0"),
        ],
    )
    def test_runs_with_our_settings(self, queue, setting, value):
        with redis.from_url(queue.url) as client:
            assert client.config_get(setting)[setting] == value

    def test_socket_folder_is_closed_to_others(self, queue):
        assert stat.S_IMODE(queue.sockets.stat().st_mode) == 0o700

    def test_second_start_on_the_folder_is_refused_naming_the_holder(self, queue):
        with pytest.raises(FolderInUse, match=f"pid {os.getpid()}"):
            start_redis(queue.data_dir)

    @pytest.mark.parametrize("end", ["stop", "kill"])
    def test_durable_one_keeps_its_keys(self, queue, end):
        with redis.from_url(queue.url) as client:
            client.set("job", end)

        getattr(queue, end)()
        queue.start()

        with redis.from_url(queue.url) as client:
            assert client.get("job") == end.encode()

    def test_other_one_forgets(self, tmp_path):
        with start_redis(tmp_path, durable=False) as engine:
            with redis.from_url(engine.url) as client:
                client.set("job", "1")
            engine.restart()
            with redis.from_url(engine.url) as client:
                assert client.get("job") is None

    def test_long_folder_with_odd_letters_will_do(self, tmp_path):
        with (
            start_redis(tmp_path / ("小区 #%?&" * 8), durable=False) as engine,
            redis.from_url(engine.url) as client,
        ):
            assert client.ping()


class TestFolderWithOddLetters:
    def test_url_of_a_short_one_is_quoted(self, tmp_path):
        folder = tmp_path / "a b#%?&é"

        with (
            start_redis(folder, durable=False) as engine,
            redis.from_url(engine.url) as client,
        ):
            assert client.ping()


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
class TestOrdinaryUser:
    def test_starts_both_as_itself(self, tmp_path):
        nobody = pwd.getpwnam("nobody")
        os.chown(tmp_path, nobody.pw_uid, nobody.pw_gid)

        # Keeps the right to pass folders, for the interpreter may be in root's.
        runner = Guarded(
            Command(
                words=(sys.executable, "-c", RUNNER, str(tmp_path)),
                env={"PATH": os.defpath},
                log=tmp_path / "runner.log",
                cwd=ROOT,
                account=(nobody.pw_uid, nobody.pw_gid),
                keeps_file_access=True,
            )
        )

        try:
            wait_until(lambda: bool(runner.command.log.read_bytes()))
            pids = [int(pid) for pid in runner.command.log.read_text().split()]
            assert [Path(f"/proc/{pid}").stat().st_uid for pid in pids] == [nobody.pw_uid] * 2
        finally:
            runner.stop()
        assert processes_of(tmp_path) == []


@pytest.mark.slow
class TestDeathOfTheRunner:
    @pytest.fixture
    def runner(self, tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
        process = start_script(RUNNER, tmp_path)
        yield process
        kill(process)

    def test_killed_runner_leaves_nothing(self, runner, tmp_path):
        pids = [int(pid) for pid in read_line(runner).split()]
        assert all(is_alive(pid) for pid in pids)

        runner.kill()

        wait_until_nothing_runs_in(tmp_path)
        assert not any(is_alive(pid) for pid in pids)

    def test_next_start_waits_for_what_the_killed_runner_left(self, runner, tmp_path):
        read_line(runner)

        kill(runner)

        with start_postgres(tmp_path / "postgres", durable=False) as postgres:
            assert ask(postgres, "SELECT 1") == 1
        with start_redis(tmp_path / "redis", durable=False) as queue:
            assert queue.is_running

    def test_start_beside_a_living_runner_names_it(self, runner, tmp_path):
        read_line(runner)

        with pytest.raises(FolderInUse, match=f"pid {runner.pid}"):
            start_postgres(tmp_path / "postgres")

    def test_forked_copy_of_the_runner_keeps_nothing_alive(self, tmp_path):
        runner = start_script(RUNNER, tmp_path, "fork")
        postgres_pid, redis_pid = map(int, read_line(runner).split())

        kill(runner)

        wait_until(lambda: not is_alive(postgres_pid) and not is_alive(redis_pid))
        for copy in processes_of(tmp_path):
            os.kill(copy, signal.SIGKILL)

    def test_killed_guardian_takes_its_engine_along(self, runner, tmp_path):
        pids = [int(pid) for pid in read_line(runner).split()]

        for pid in pids:
            os.kill(_parent(pid), signal.SIGKILL)

        wait_until(lambda: not any(is_alive(pid) for pid in pids))

    def test_start_works_after_everything_was_killed(self, runner, tmp_path):
        pids = [int(pid) for pid in read_line(runner).split()]
        guardians = [_parent(pid) for pid in pids]

        for pid in [runner.pid, *guardians, *pids]:
            os.kill(pid, signal.SIGKILL)

        with start_postgres(tmp_path / "postgres", durable=False) as postgres:
            assert ask(postgres, "SELECT 1") == 1
        with start_redis(tmp_path / "redis", durable=False) as queue:
            assert queue.is_running


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[1])
