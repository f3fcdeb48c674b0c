import pytest

from services.tasks import open_task
from tests import factories


@pytest.fixture
def ask(unit_of_work):
    def ask(kind="money_in_suspense", subject="payment:1", **more):
        unit_of_work.run(
            lambda tx: open_task(tx, kind=kind, subject=subject, title="请核对", **more)
        )

    return ask


@pytest.fixture
def tasks(database):
    return lambda: database.rows("SELECT * FROM staff_task ORDER BY id")


class TestOpenTask:
    def test_a_task_says_what_to_look_at(self, ask, tasks, database, clock):
        with database.session() as session:
            community = factories.make_community(session)

        ask(community_id=community.id)

        assert tasks() == [
            {
                "id": 1,
                "community_id": community.id,
                "kind": "money_in_suspense",
                "subject": "payment:1",
                "title": "请核对",
                "created_at": clock.now(),
                "done_at": None,
            }
        ]

    def test_an_open_one_is_not_opened_again(self, ask, tasks):
        ask()
        ask()

        assert len(tasks()) == 1

    @pytest.mark.parametrize("other", [{"kind": "channel_alarm"}, {"subject": "payment:2"}])
    def test_another_kind_or_subject_is_another_task(self, ask, tasks, other):
        ask()
        ask(**other)

        assert len(tasks()) == 2

    def test_what_was_done_may_come_up_again(self, ask, tasks, database):
        ask()
        database.do("UPDATE staff_task SET done_at = now()")

        ask()

        assert [task["done_at"] is None for task in tasks()] == [False, True]

    def test_many_at_once_open_one(self, ask, tasks, together):
        together(*[ask] * 6)

        assert len(tasks()) == 1
