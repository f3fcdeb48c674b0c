import pytest

from domain.actors import visitor
from domain.errors import Conflict, NotFound, PlatformUnavailable
from jobs import tasks
from jobs.tasks import JOBS
from services.sign_in_attempts import Visit
from services.timetable import TIMETABLE
from tests import factories

PHONE = "19900000001"


@pytest.fixture
def run(app):
    def run(name, **ids):
        with app.app_context():
            return JOBS[name](**ids)

    return run


class TestJobs:
    @pytest.mark.parametrize("name", sorted(JOBS))
    def test_has_nothing_to_do_in_an_empty_world(self, run, name):
        if name == "reconcile_channels":
            # Yesterday is compared also when there was no order.
            assert run(name) == 2
        assert not run(name)
        assert not run(name)

    @pytest.mark.parametrize("name", sorted(JOBS))
    def test_is_named_as_its_function(self, name):
        assert callable(getattr(tasks, name))

    def test_every_entry_of_the_timetable_is_a_job(self):
        assert {entry.job for entry in TIMETABLE} <= set(JOBS)

    def test_every_job_that_a_use_case_wakes_exists(self, app, services, queue, simulator):
        services.login.request_code(actor=visitor(), phone=PHONE, visit=Visit("127.0.0.1"))
        services.accounts.follow(actor=tasks._actor("测试"), openid="o1")

        assert {name for name, _ in queue.jobs} == {"deliver_messages", "learn_followers"}
        assert {name for name, _ in queue.jobs} <= set(JOBS)


class TestForgiving:
    @pytest.mark.parametrize("refusal", [NotFound, Conflict])
    def test_ends_quietly_when_nothing_is_left_to_do(self, refusal):
        def job():
            raise refusal

        assert tasks._forgiving(job)() is None

    @pytest.mark.parametrize("failure", [RuntimeError, PlatformUnavailable])
    def test_lets_every_other_failure_be_seen(self, failure):
        def job():
            raise failure

        with pytest.raises(failure):
            tasks._forgiving(job)()

    def test_hands_on_the_ids(self):
        def job(**ids):
            return ids

        assert tasks._forgiving(job)(message_id=7) == {"message_id": 7}


class TestDeliver:
    def test_sends_what_is_due_once(self, run, services, simulator):
        services.login.request_code(actor=visitor(), phone=PHONE, visit=Visit("127.0.0.1"))

        assert [run("deliver_messages"), run("deliver_messages")] == [1, 0]

        assert len(simulator.sms(PHONE)) == 1

    def test_the_sweep_does_what_a_lost_job_would_have_done(self, run, services, simulator, queue):
        queue.is_away = True
        services.login.request_code(actor=visitor(), phone=PHONE, visit=Visit("127.0.0.1"))
        assert queue.jobs == []

        assert run("sweep_messages") == 1

        assert len(simulator.sms(PHONE)) == 1


class TestDropOldSlots:
    def test_forgets_slots_of_more_than_a_week_ago(self, run, database):
        for age in ("8 days", "6 days"):
            database.do(
                "INSERT INTO job_slot (job, slot_at, started_at)"
                f" VALUES ('x', now() - interval '{age}', now())"
            )

        assert run("drop_old_slots") == 1

        assert database.value("SELECT count(*) FROM job_slot") == 1


class TestResume:
    def test_leaves_finished_batches_alone(self, run, database):
        with database.session() as session:
            factories.make_bill(session, house=factories.make_house(session))

        assert run("resume_generation") == 0
