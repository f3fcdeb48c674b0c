import pytest

from services.numbers import take_numbers
from tests import factories


@pytest.fixture
def community_id(database):
    with database.session() as session:
        return factories.make_community(session).id


@pytest.fixture
def take(unit_of_work, community_id):
    def take(count=1, series="letter:202610", community_id=community_id):
        return unit_of_work.run(
            lambda tx: take_numbers(tx, community_id=community_id, series=series, count=count)
        )

    return take


class TestTakeNumbers:
    def test_numbers_begin_at_one_and_follow_each_other(self, take):
        assert [take(), take(), take()] == [1, 2, 3]

    def test_many_are_taken_in_a_row(self, take):
        assert [take(count=5), take()] == [1, 6]

    def test_taking_none_takes_none(self, take):
        take(count=0)
        take(count=0)

        assert take() == 1

    def test_series_and_communities_count_for_themselves(self, take, database):
        with database.session() as session:
            other = factories.make_community(session).id
        take(count=3)

        assert take(series="letter:202611") == 1
        assert take(community_id=other) == 1

    def test_a_rollback_gives_them_back(self, take, unit_of_work, community_id):
        def work(tx):
            take_numbers(tx, community_id=community_id, series="letter:202610", count=9)
            raise LookupError

        with pytest.raises(LookupError):
            unit_of_work.run(work)

        assert take() == 1

    def test_many_at_once_leave_no_gap_and_no_double(self, take, together):
        taken = together(*[lambda: take(count=2)] * 8)

        assert sorted(taken) == [1, 3, 5, 7, 9, 11, 13, 15]
