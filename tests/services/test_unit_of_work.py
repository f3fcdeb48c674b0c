import subprocess
import sys
import threading
from contextlib import ExitStack

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

from services.unit_of_work import NestedUnitOfWork, UnitOfWork, violates
from tests import factories
from tests.world import ROOT

RESTLESS = "DO $$ BEGIN RAISE EXCEPTION 'again' USING ERRCODE = '40001'; END $$"


def add_community(tx, code="CH"):
    return factories.make_community(tx.session, code=code)


def slot(job):
    return f"{job}\t2026-11-01 00:00:00+00\t2026-11-01 00:00:00+00\n"


class TestRun:
    def test_work_is_committed_and_its_result_returned(self, unit_of_work, database):
        community = unit_of_work.run(add_community)

        assert community.code == "CH"
        assert database.value("SELECT code FROM community") == "CH"

    def test_an_exception_undoes_everything(self, unit_of_work, database):
        def work(tx):
            add_community(tx)
            raise LookupError

        with pytest.raises(LookupError):
            unit_of_work.run(work)

        assert database.rows("SELECT * FROM community") == []

    def test_an_interrupt_undoes_everything(self, unit_of_work, database):
        def work(tx):
            add_community(tx)
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            unit_of_work.run(work)

        assert database.rows("SELECT * FROM community") == []

    def test_now_is_the_clock_s(self, unit_of_work, clock):
        assert unit_of_work.run(lambda tx: tx.now) == clock.now()

    def test_it_reads_what_is_committed(self, unit_of_work):
        level = unit_of_work.run(
            lambda tx: tx.session.execute(text("SHOW transaction_isolation")).scalar_one()
        )

        assert level == "read committed"


class TestNesting:
    @pytest.fixture(params=["run", "reading", "snapshot"])
    def use_case(self, request, unit_of_work):
        def use_case():
            if request.param == "run":
                return unit_of_work.run(lambda tx: None)
            with getattr(unit_of_work, request.param)():
                return None

        return use_case

    def test_a_use_case_inside_a_transaction_is_refused(self, unit_of_work, use_case):
        with pytest.raises(NestedUnitOfWork):
            unit_of_work.run(lambda tx: use_case())

    @pytest.mark.parametrize("outer", ["reading", "snapshot"])
    def test_a_use_case_inside_a_read_is_refused(self, unit_of_work, use_case, outer):
        with getattr(unit_of_work, outer)(), pytest.raises(NestedUnitOfWork):
            use_case()

    def test_after_a_refusal_the_next_use_case_runs(self, unit_of_work, use_case):
        with pytest.raises(NestedUnitOfWork):
            unit_of_work.run(lambda tx: use_case())

        use_case()

    def test_another_thread_is_not_inside(self, unit_of_work, use_case):
        def work(tx):
            thread = threading.Thread(target=lambda: done.append(use_case()))
            thread.start()
            thread.join()

        done = []

        unit_of_work.run(work)

        assert done == [None]


class TestWake:
    def test_a_job_leaves_only_after_the_commit(self, unit_of_work, database):
        class LookingQueue:
            def enqueue(self, job, **ids):
                seen.append(database.value("SELECT count(*) FROM community"))

        def work(tx):
            tx.wake("deliver_messages")
            add_community(tx)

        seen = []

        UnitOfWork(unit_of_work.engine, LookingQueue(), unit_of_work.clock).run(work)

        assert seen == [1]

    def test_a_rollback_wakes_nobody(self, unit_of_work, queue):
        def work(tx):
            tx.wake("deliver_messages")
            raise LookupError

        with pytest.raises(LookupError):
            unit_of_work.run(work)

        assert queue.jobs == []

    def test_the_same_job_leaves_once_another_id_is_another_job(self, unit_of_work, queue):
        def work(tx):
            for number in (1, 1, 2):
                tx.wake("some_job", id=number)

        unit_of_work.run(work)

        assert queue.jobs == [("some_job", {"id": 1}), ("some_job", {"id": 2})]

    def test_a_queue_that_is_away_costs_nothing(self, unit_of_work, queue, database, caplog):
        def work(tx):
            tx.wake("one_job")
            tx.wake("other_job")
            return add_community(tx).code

        queue.is_away = True

        assert unit_of_work.run(work) == "CH"
        assert database.value("SELECT count(*) FROM community") == 1
        assert [record.job for record in caplog.records] == ["one_job", "other_job"]


class TestRetry:
    def test_a_serialization_failure_runs_the_whole_work_again(self, unit_of_work, database, queue):
        def work(tx):
            tries.append(tx.session)
            add_community(tx)
            tx.wake("some_job", id=len(tries))
            if len(tries) < 3:
                tx.session.execute(text(RESTLESS))

        tries = []

        unit_of_work.run(work)

        assert len(set(map(id, tries))) == 3
        assert database.value("SELECT count(*) FROM community") == 1
        assert queue.jobs == [("some_job", {"id": 3})]

    def test_it_gives_up_after_five_tries(self, unit_of_work):
        def work(tx):
            tries.append(None)
            tx.session.execute(text(RESTLESS))

        tries = []

        with pytest.raises(OperationalError):
            unit_of_work.run(work)

        assert len(tries) == 5

    @pytest.mark.parametrize(
        ("sql", "error"),
        [
            ("INSERT INTO channel_pause VALUES ('fax', now(), '')", IntegrityError),
            ("SELECT nothing FROM nowhere", ProgrammingError),
        ],
    )
    def test_other_errors_are_not_tried_again(self, unit_of_work, sql, error):
        def work(tx):
            tries.append(None)
            tx.session.execute(text(sql))

        tries = []

        with pytest.raises(error):
            unit_of_work.run(work)

        assert len(tries) == 1

    def test_a_real_deadlock_ends_well_for_both(self, unit_of_work, database, together):
        with database.session() as session:
            first, second = (factories.make_community(session).id for _ in range(2))
        both_hold_one = threading.Barrier(2)
        tries = []

        def lock(own, other, name):
            def work(tx):
                is_first_try = name not in tries
                tries.append(name)
                tx.session.execute(text("SET LOCAL deadlock_timeout = '50ms'"))
                sql = text("UPDATE community SET address = address || :name WHERE id = :id")
                tx.session.execute(sql, {"name": name, "id": own})
                if is_first_try:
                    both_hold_one.wait(timeout=30)
                tx.session.execute(sql, {"name": name, "id": other})
                return name

            return lambda: unit_of_work.run(work)

        results = together(lock(first, second, "a"), lock(second, first, "b"))

        assert results == ["a", "b"]
        assert len(tries) == 3
        addresses = database.rows("SELECT address FROM community")
        assert {"".join(sorted(row["address"])) for row in addresses} == {"ab"}

    def test_a_deadlock_inside_a_copy_is_tried_again(self, unit_of_work, database, together):
        """COPY speaks to the driver itself, so its errors do not come as SQLAlchemy's."""
        both_hold_one = threading.Barrier(2)
        tries = []

        def copy(own, other):
            def work(tx):
                is_again = own in tries
                tries.append(own)
                if is_again:
                    return own
                tx.session.execute(text("SET LOCAL deadlock_timeout = '50ms'"))
                tx.copy_text("job_slot", "job slot_at started_at", [slot(own)])
                both_hold_one.wait(timeout=30)
                tx.copy_text("job_slot", "job slot_at started_at", [slot(other)])
                return own

            return lambda: unit_of_work.run(work)

        results = together(copy("a", "b"), copy("b", "a"))

        assert results == ["a", "b"]
        assert len(tries) == 3
        assert database.value("SELECT count(*) FROM job_slot") == 2


class TestCopyText:
    def test_more_rows_than_one_block_arrive_in_full(self, unit_of_work, database):
        rows = [slot(f"job{number}") for number in range(1201)]

        unit_of_work.run(lambda tx: tx.copy_text("job_slot", "job slot_at started_at", iter(rows)))

        assert database.value("SELECT count(DISTINCT job) FROM job_slot") == 1201

    def test_a_copy_is_part_of_the_transaction(self, unit_of_work, database):
        def work(tx):
            tx.copy_text("job_slot", "job slot_at started_at", [slot("a")])
            raise LookupError

        with pytest.raises(LookupError):
            unit_of_work.run(work)

        assert database.rows("SELECT * FROM job_slot") == []


class TestReading:
    def test_each_statement_sees_what_is_committed_by_then(self, unit_of_work, database):
        count = text("SELECT count(*) FROM community")

        with unit_of_work.reading() as session:
            before = session.execute(count).scalar_one()
            with database.session() as other:
                factories.make_community(other)
            after = session.execute(count).scalar_one()

        assert (before, after) == (0, 1)

    def test_its_connection_goes_back_to_the_pool_as_it_was(self, unit_of_work, database):
        def work(tx):
            add_community(tx)
            raise LookupError

        with unit_of_work.reading() as session:
            session.execute(text("SELECT 1"))
        with pytest.raises(LookupError):
            unit_of_work.run(work)

        assert database.rows("SELECT * FROM community") == []


class TestSnapshot:
    def test_all_statements_see_one_state(self, unit_of_work, database):
        count = text("SELECT count(*) FROM community")

        with unit_of_work.snapshot() as session:
            before = session.execute(count).scalar_one()
            with database.session() as other:
                factories.make_community(other)
            after = session.execute(count).scalar_one()

        assert (before, after) == (0, 0)


class TestExclusive:
    @pytest.fixture
    def is_free(self, unit_of_work):
        def is_free(name):
            with unit_of_work.exclusive(name) as is_ours:
                return is_ours

        return is_free

    def test_a_second_holder_is_told(self, unit_of_work, is_free):
        with unit_of_work.exclusive("one") as is_ours:
            assert is_ours is True
            assert is_free("one") is False
            assert is_free("other") is True

    def test_of_many_threads_one_gets_it(self, unit_of_work, together):
        all_have_asked = threading.Barrier(4)

        def ask():
            with unit_of_work.exclusive("one") as is_ours:
                all_have_asked.wait(timeout=30)
                return is_ours

        assert sorted(together(*[ask] * 4)) == [False, False, False, True]

    def test_it_is_free_after_the_block_also_after_a_failure(self, unit_of_work, is_free):
        with pytest.raises(LookupError), unit_of_work.exclusive("one"):
            raise LookupError

        assert is_free("one") is True

    def test_one_who_did_not_get_it_frees_nothing(self, unit_of_work, is_free):
        with unit_of_work.exclusive("one"):
            assert is_free("one") is False
            assert is_free("one") is False

    def test_units_of_work_run_while_it_is_held(self, unit_of_work, database):
        with unit_of_work.exclusive("one"):
            unit_of_work.run(add_community)

        assert database.value("SELECT count(*) FROM community") == 1

    def test_it_is_free_when_its_process_dies(self, unit_of_work, is_free, database_url):
        holder = (
            "import sys; from sqlalchemy import create_engine;"
            "from services.unit_of_work import UnitOfWork;"
            "engine = create_engine(sys.argv[1]);"
            "work = UnitOfWork(engine, None, None).exclusive('one');"
            "print(work.__enter__(), flush=True); sys.stdin.read()"
        )
        with ExitStack() as stack:
            process = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", holder, database_url],
                    cwd=ROOT,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            stack.callback(process.kill)
            assert process.stdout.readline() == "True\n"
            assert is_free("one") is False

            process.kill()
            process.wait()

            ended = threading.Event()
            for _ in range(300):
                if is_free("one"):
                    break
                ended.wait(0.02)  # PostgreSQL notices the closed socket in its own time.
            assert is_free("one") is True


class TestViolates:
    def test_it_knows_a_constraint_by_name(self, unit_of_work):
        sql = text("INSERT INTO channel_pause VALUES ('fax', now(), '')")

        with pytest.raises(IntegrityError) as refusal:
            unit_of_work.run(lambda tx: tx.session.execute(sql))

        assert violates(refusal.value, "ck_channel_pause_channel_known")
        assert not violates(refusal.value, "pk_channel_pause")

    def test_an_error_without_diagnostics_is_none(self):
        assert not violates(IntegrityError("SQL", {}, Exception()), "pk_channel_pause")
